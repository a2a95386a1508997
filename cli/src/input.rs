//! Input: lines from a terminal, a pipe or a file, and signals to end.

use std::{
    io::{self, BufRead, Read},
    sync::mpsc::{self, Receiver, Sender, SyncSender, TryRecvError},
    thread,
};

use crate::password::Password;

/// How many lines are read ahead of the chat.
const AHEAD: usize = 64;

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A line, without its end.
    Line(String),
    /// A password.
    Secret(Password),
    /// There will be no further line.
    End,
    /// Ctrl-C, or a signal to end.
    Interrupt,
}

/// For whom the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Someone at a terminal: it ends with that.
    Person,
    /// People elsewhere, whatever becomes of the terminal that it was started at.
    Everyone,
}

/// Where input arrives.
pub(crate) struct Inputs {
    lines: Receiver<Input>,
    interrupts: Receiver<()>,
    interrupt: Sender<()>,
    sender: Option<SyncSender<Input>>,
}

impl Inputs {
    /// Without a source yet.
    pub(crate) fn new() -> Self {
        let (sender, lines) = mpsc::sync_channel(AHEAD);
        let (interrupt, interrupts) = mpsc::channel();
        Self { lines, interrupts, interrupt, sender: Some(sender) }
    }

    /// The next input, `with_lines` or only an interrupt.
    pub(crate) fn next(&self, with_lines: bool) -> Option<Input> {
        if self.interrupts.try_recv().is_ok() {
            return Some(Input::Interrupt);
        }
        match with_lines.then(|| self.lines.try_recv())? {
            Ok(input) => Some(input),
            Err(TryRecvError::Empty) => None,
            // Whoever read is gone: a broken reader ends the input as well.
            Err(TryRecvError::Disconnected) => Some(Input::End),
        }
    }

    /// Reads lines with `read` on a thread of its own until it gives something else
    /// than a line; `wake` is called after each.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn read_lines(
        &mut self,
        mut read: impl FnMut() -> Input + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        let Some(sender) = self.sender.take() else { return Ok(()) };
        thread::Builder::new().name("udpchat-input".to_owned()).spawn(move || {
            loop {
                let input = read();
                let more = matches!(input, Input::Line(_) | Input::Secret(_));
                // Nobody listens any more when the chat has ended.
                let heard = sender.send(input).is_ok();
                wake();
                if !more || !heard {
                    return;
                }
            }
        })?;
        Ok(())
    }

    /// Takes signals to end for interrupts; `wake` is called after each. A terminal that hangs up is
    /// one to `Audience::Person` only.
    ///
    /// # Errors
    /// If the system does not let them be caught.
    #[cfg(unix)]
    pub(crate) fn catch_signals(
        &self,
        audience: Audience,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        use signal_hook::{
            consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2},
            iterator::Signals,
        };
        // Those that mean nothing here must not end it either, as they do if nobody catches them.
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])?;
        let ends = move |signal| match signal {
            SIGINT | SIGTERM => true,
            SIGHUP => audience == Audience::Person,
            _ => false,
        };
        let interrupt = self.interrupt.clone();
        thread::Builder::new().name("udpchat-signals".to_owned()).spawn(move || {
            for _ in signals.forever().filter(|signal| ends(*signal)) {
                if interrupt.send(()).is_err() {
                    return;
                }
                wake();
            }
        })?;
        Ok(())
    }

    /// Elsewhere ctrl-C is read as a key.
    #[cfg(not(unix))]
    pub(crate) fn catch_signals(
        &self,
        _: Audience,
        _: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        Ok(())
    }
}

/// Reads all of `source` as one line, then its end. What is no text in it is replaced.
pub(crate) fn read_whole(source: &mut impl Read) -> Input {
    let mut text = Vec::new();
    match source.read_to_end(&mut text) {
        Ok(0) | Err(_) => Input::End,
        Ok(_) => {
            let text = String::from_utf8_lossy(&text);
            Input::Line(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

/// Reads the next line of `source`. What is no text in it is replaced.
pub(crate) fn read_line(source: &mut impl BufRead) -> Input {
    let mut line = Vec::new();
    match source.read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => Input::End,
        Ok(_) => {
            if line.ends_with(b"\n") {
                line.pop();
            }
            if line.ends_with(b"\r") {
                line.pop();
            }
            Input::Line(String::from_utf8_lossy(&line).into_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_until_the_end() {
        let mut source: &[u8] = b"a\r\n\n b\xff \nlast";
        for line in ["a", "", " b\u{fffd} ", "last"] {
            assert_eq!(read_line(&mut source), Input::Line(line.to_owned()));
        }
        assert_eq!(read_line(&mut source), Input::End);
    }

    #[test]
    fn an_interrupt_overtakes_lines() {
        let mut inputs = Inputs::new();
        let (woken, wakes) = mpsc::channel();
        let mut source = io::Cursor::new(b"a\nb\n");
        inputs.read_lines(move || read_line(&mut source), move || woken.send(()).unwrap()).unwrap();
        for _ in 0..3 {
            wakes.recv().unwrap();
        }
        inputs.interrupt.send(()).unwrap();
        assert_eq!(inputs.next(false), Some(Input::Interrupt));
        assert_eq!(inputs.next(false), None);
        let rest: Vec<_> = std::iter::from_fn(|| inputs.next(true)).take(3).collect();
        let line = |text: &str| Input::Line(text.to_owned());
        assert_eq!(rest, [line("a"), line("b"), Input::End]);
    }
}
