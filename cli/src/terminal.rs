//! A person at a terminal, whose half-typed line no incoming line breaks.

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
};

use rustyline::{Config, DefaultEditor, ExternalPrinter, error::ReadlineError};

use crate::{
    input::{Input, Inputs, read_line},
    screen::Screen,
};

/// The terminal and what it was like.
pub(crate) struct Terminal {
    /// Shows lines.
    pub(crate) screen: Screen,
    /// Nobody edits lines: a pipe or a file.
    pub(crate) scripted: bool,
    /// Where someone types: the prompt for each line.
    prompts: Option<Sender<String>>,
    /// The next line was not asked for yet.
    owed: bool,
    restore: Option<Restore>,
}

impl Terminal {
    /// Starts reading into `inputs`, with line editing where someone types: there,
    /// each line is to be [asked](Self::ask) for. `wake` is called after each input.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start(
        inputs: &mut Inputs,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let someone_types = io::stdin().is_terminal() && io::stdout().is_terminal();
        let editing = if someone_types { Editing::new() } else { None };
        let Some(Editing { mut editor, mut printer }) = editing else {
            let screen = Screen::plain(wake.clone())?;
            inputs.read_lines(|| read_line(&mut io::stdin().lock()), wake)?;
            let scripted = !someone_types;
            return Ok(Self { screen, scripted, prompts: None, owed: false, restore: None });
        };
        let restore = Restore::new();
        let reading = Arc::clone(&restore.reading);
        let print = move |line| printer.print(line).map_err(io::Error::other);
        let screen = Screen::new(print, wake.clone())?;
        let (prompts, next_prompt) = mpsc::channel::<String>();
        let read = move || {
            // Nobody asks any more when the chat has ended.
            let Ok(prompt) = next_prompt.recv() else { return Input::End };
            reading.store(true, Ordering::SeqCst);
            let input = read_edited(&mut editor, &prompt);
            reading.store(false, Ordering::SeqCst);
            input
        };
        inputs.read_lines(read, wake)?;
        let prompts = Some(prompts);
        Ok(Self { screen, scripted: false, prompts, owed: true, restore: Some(restore) })
    }

    /// Asks for the next line, unless that was done.
    pub(crate) fn ask(&mut self, prompt: String) {
        if let Some(prompts) = self.prompts.as_ref().filter(|_| self.owed) {
            self.owed = false;
            // If nobody reads any more, the input has ended.
            let _ = prompts.send(prompt);
        }
    }

    /// A line came.
    pub(crate) fn heard(&mut self) {
        self.owed = true;
    }

    /// Shows what is left and leaves the terminal as it was.
    pub(crate) fn finish(self) {
        self.screen.finish();
        if let Some(restore) = self.restore {
            restore.restore();
        }
    }
}

/// Line editing.
struct Editing<P> {
    editor: DefaultEditor,
    printer: P,
}

impl Editing<Box<dyn ExternalPrinter + Send>> {
    /// `None` if the terminal is too plain for it.
    fn new() -> Option<Self> {
        let config = Config::builder().auto_add_history(true).build();
        let mut editor = DefaultEditor::with_config(config).ok()?;
        let printer = Box::new(editor.create_external_printer().ok()?);
        Some(Self { editor, printer })
    }
}

fn read_edited(editor: &mut DefaultEditor, prompt: &str) -> Input {
    match editor.readline(prompt) {
        Ok(line) => Input::Line(line),
        Err(ReadlineError::Interrupted) => Input::Interrupt,
        // The end, or a terminal that is gone: reading on would fail for ever.
        Err(_) => Input::End,
    }
}

/// What undoes line editing that is under way when the program ends.
struct Restore {
    reading: Arc<AtomicBool>,
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Restore {
    fn new() -> Self {
        Self {
            reading: Arc::new(AtomicBool::new(false)),
            #[cfg(unix)]
            modes: rustix::termios::tcgetattr(rustix::stdio::stdin()).ok(),
        }
    }

    fn restore(self) {
        if !self.reading.load(Ordering::SeqCst) {
            return;
        }
        // The prompt goes, and bracketed paste is switched off. A terminal that takes
        // none of it is gone.
        let _ = io::Write::write_all(&mut io::stdout(), b"\r\x1b[K\x1b[?2004l");
        let _ = io::Write::flush(&mut io::stdout());
        #[cfg(unix)]
        if let Some(modes) = self.modes {
            use rustix::termios::{OptionalActions, tcsetattr};
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &modes);
        }
    }
}
