//! Output: lines to a terminal at which someone types, or to anything else.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// How long the last lines may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often it is looked whether all is printed.
const MOMENT: Duration = Duration::from_millis(2);

/// Shows lines, on a thread of its own: a reader who is slow, or has stopped the
/// terminal, must not hold up the chat.
pub(crate) struct Screen {
    lines: Sender<String>,
    done: Receiver<()>,
    broken: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

/// How far the lines are, by their number.
#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    printed: AtomicU64,
    /// Once this one is printed, that is to be told.
    awaited: AtomicU64,
}

impl Screen {
    /// Shows lines through `print`; `wake` is called when that fails.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn new(
        mut print: impl FnMut(String) -> io::Result<()> + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (lines, to_print) = mpsc::channel::<String>();
        let (finished, done) = mpsc::channel();
        let broken = Arc::new(AtomicBool::new(false));
        let breaks = Arc::clone(&broken);
        let progress = Arc::new(Progress::default());
        let goes_on = Arc::clone(&progress);
        thread::Builder::new().name("udpchat-screen".to_owned()).spawn(move || {
            // It ends, and `finished` with it, when there will be no further line.
            let _finished: Sender<()> = finished;
            for line in to_print {
                if print(line).is_err() {
                    breaks.store(true, Ordering::Relaxed);
                    wake();
                    return;
                }
                let printed = goes_on.printed.fetch_add(1, Ordering::SeqCst) + 1;
                if printed == goes_on.awaited.load(Ordering::SeqCst) {
                    wake();
                }
            }
        })?;
        Ok(Self { lines, done, broken, progress })
    }

    /// Shows lines on standard output, which is no terminal that someone types at:
    /// each is out before the next.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub(crate) fn plain(wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::to(io::stdout(), wake)
    }

    /// Shows lines on standard error.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub(crate) fn errors() -> io::Result<Self> {
        Self::to(io::stderr(), || ())
    }

    fn to(
        mut out: impl Write + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let print = move |line: String| {
            out.write_all(line.as_bytes())?;
            out.flush()
        };
        Self::new(print, wake)
    }

    /// Shows lines.
    pub(crate) fn show(&self, lines: impl IntoIterator<Item = String>) {
        for mut line in lines {
            line.push('\n');
            self.progress.sent.fetch_add(1, Ordering::SeqCst);
            // If nobody can see it any more, `is_broken` says so.
            let _ = self.lines.send(line);
        }
    }

    /// The number of the last line so far; once it is printed there is a wake.
    pub(crate) fn await_last(&self) -> u64 {
        let last = self.progress.sent.load(Ordering::SeqCst);
        self.progress.awaited.store(last, Ordering::SeqCst);
        last
    }

    /// The number of the last line that is printed.
    pub(crate) fn printed(&self) -> u64 {
        self.progress.printed.load(Ordering::SeqCst)
    }

    /// Whether nobody can see anything any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Waits until what was shown so far is printed, but not for ever.
    pub(crate) fn drain(&self) {
        let until = Instant::now() + FAREWELL;
        let sent = self.progress.sent.load(Ordering::SeqCst);
        while self.printed() < sent && !self.is_broken() && Instant::now() < until {
            thread::sleep(MOMENT);
        }
    }

    /// Waits until all is shown, but not for ever.
    pub(crate) fn finish(self) {
        drop(self.lines);
        // Either way there is nothing to do about it.
        let _ = self.done.recv_timeout(FAREWELL);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn all_is_shown_in_order_before_the_end() {
        let shown = Arc::new(Mutex::new(String::new()));
        let print = {
            let shown = Arc::clone(&shown);
            move |line: String| {
                thread::sleep(Duration::from_millis(1));
                shown.lock().unwrap().push_str(&line);
                Ok(())
            }
        };
        let screen = Screen::new(print, || ()).unwrap();
        screen.show(["a".to_owned(), "b".to_owned()]);
        screen.show(["c".to_owned()]);
        assert!(!screen.is_broken());
        screen.finish();
        assert_eq!(*shown.lock().unwrap(), "a\nb\nc\n");
    }

    #[test]
    fn a_broken_screen_is_noticed() {
        let (woken, wakes) = mpsc::channel();
        let screen =
            Screen::new(|_| Err(io::ErrorKind::BrokenPipe.into()), move || woken.send(()).unwrap())
                .unwrap();
        screen.show(["a".to_owned()]);
        wakes.recv().unwrap();
        assert!(screen.is_broken());
        screen.show(["b".to_owned()]);
        screen.finish();
    }
}
