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

/// How many lines may wait for their reader before the screen is full.
const MOST_LINES: u64 = 1_024;

/// The same in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Shows lines, on a thread of its own: a reader who is slow, or has stopped the
/// terminal, must not hold up the chat until so much waits that the screen is full.
pub(crate) struct Screen {
    lines: Sender<String>,
    /// Lines that were dropped since the last that was not.
    dropped: AtomicU64,
    done: Receiver<()>,
    broken: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

/// How far the lines are, by their number.
#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    printed: AtomicU64,
    /// Bytes of the lines that wait.
    bytes: AtomicU64,
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
                let bytes = line.len() as u64;
                if print(line).is_err() {
                    breaks.store(true, Ordering::Relaxed);
                    wake();
                    return;
                }
                goes_on.bytes.fetch_sub(bytes, Ordering::SeqCst);
                let printed = goes_on.printed.fetch_add(1, Ordering::SeqCst) + 1;
                if printed == goes_on.awaited.load(Ordering::SeqCst) {
                    wake();
                }
            }
        })?;
        Ok(Self { lines, dropped: AtomicU64::new(0), done, broken, progress })
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
            self.progress.bytes.fetch_add(line.len() as u64, Ordering::SeqCst);
            // If nobody can see it any more, `is_broken` says so.
            let _ = self.lines.send(line);
        }
    }

    /// Shows lines if the screen is not full, and later how many it was too full for.
    pub(crate) fn show_if_room(&self, lines: impl IntoIterator<Item = String>) {
        if self.is_full() {
            self.dropped.fetch_add(lines.into_iter().count() as u64, Ordering::SeqCst);
            return;
        }
        match self.dropped.swap(0, Ordering::SeqCst) {
            0 => {}
            dropped => self.show([format!("({dropped} lines were dropped: nobody read them.)")]),
        }
        self.show(lines);
    }

    /// Whether so much waits for its reader that no more should be shown for now.
    pub(crate) fn is_full(&self) -> bool {
        let waiting = self.progress.sent.load(Ordering::SeqCst).saturating_sub(self.printed());
        let is_full =
            waiting > MOST_LINES || self.progress.bytes.load(Ordering::SeqCst) > MOST_BYTES;
        is_full && !self.is_broken()
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
    fn what_waits_for_a_reader_is_bounded() {
        let (read, reads) = mpsc::channel::<()>();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let print = {
            let shown = Arc::clone(&shown);
            move |line: String| {
                // It goes on once the test lets it.
                let _ = reads.recv();
                shown.lock().unwrap().push(line);
                Ok(())
            }
        };
        let screen = Screen::new(print, || ()).unwrap();
        for _ in 0..3_000 {
            screen.show_if_room(["a".to_owned()]);
        }
        assert!(screen.is_full());
        drop(read);
        screen.drain();
        assert!(!screen.is_full());
        screen.show_if_room(["b".to_owned()]);
        screen.drain();
        let shown = shown.lock().unwrap();
        assert!(shown.len() < 1_100, "{}", shown.len());
        let dropped = 3_000 - (shown.len() - 2);
        let told = format!("({dropped} lines were dropped: nobody read them.)\n");
        assert_eq!(shown[shown.len() - 2..], [told, "b\n".to_owned()]);
        drop(shown);
        screen.show(["x".repeat(2 << 20)]);
        screen.finish();
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
