//! A person at a terminal, whose half-typed line no incoming line breaks.

use std::{
    borrow::Cow,
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
};

use rustyline::{
    ColorMode, Config, Editor, ExternalPrinter, Helper,
    completion::Completer,
    error::ReadlineError,
    highlight::{CmdKind, Highlighter},
    hint::Hinter,
    history::DefaultHistory,
    validate::Validator,
};
use unicode_width::UnicodeWidthStr as _;

use crate::{
    input::{Input, Inputs, read_line},
    password::Password,
    screen::Screen,
};

/// The terminal and what it was like.
pub(crate) struct Terminal {
    /// Shows lines.
    pub(crate) screen: Screen,
    /// Shows lines on standard error.
    pub(crate) errors: Screen,
    /// Nobody edits lines: a pipe or a file.
    pub(crate) scripted: bool,
    /// What is typed is a password.
    secret: Arc<AtomicBool>,
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
        let Some(Editing { mut editor, mut printer, secret }) = editing else {
            let this = Self { scripted: !someone_types, ..Self::plain(wake.clone())? };
            let is_secret = Arc::clone(&this.secret);
            let read = move || hide(read_line(&mut io::stdin().lock()), &is_secret);
            inputs.read_lines(read, wake)?;
            return Ok(this);
        };
        let restore = Restore::new();
        let reading = Arc::clone(&restore.reading);
        let print = move |line| printer.print(line).map_err(io::Error::other);
        let screen = Screen::new(print, wake.clone())?;
        let is_secret = Arc::clone(&secret);
        let (prompts, next_prompt) = mpsc::channel::<String>();
        let read = move || {
            // Nobody asks any more when the chat has ended.
            let Ok(prompt) = next_prompt.recv() else { return Input::End };
            reading.store(true, Ordering::SeqCst);
            let input = read_edited(&mut editor, &prompt);
            reading.store(false, Ordering::SeqCst);
            let input = hide(input, &is_secret);
            if let Input::Line(line) = &input {
                // Without it, the line cannot be had back by a key; nothing else is lost.
                let _ = editor.add_history_entry(line);
            }
            input
        };
        inputs.read_lines(read, wake)?;
        let (prompts, restore) = (Some(prompts), Some(restore));
        let errors = Screen::errors()?;
        Ok(Self { screen, errors, scripted: false, secret, prompts, owed: true, restore })
    }

    /// For a program that speaks to others, not to who types: nothing is read yet.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn plain(wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        Ok(Self {
            screen: Screen::plain(wake)?,
            errors: Screen::errors()?,
            scripted: true,
            secret: Arc::new(AtomicBool::new(false)),
            prompts: None,
            owed: false,
            restore: None,
        })
    }

    /// Shows what is typed from now on, or does not.
    pub(crate) fn set_secret(&self, secret: bool) {
        let was = self.secret.swap(secret, Ordering::SeqCst);
        #[cfg(unix)]
        if was != secret && self.restore.is_none() && !self.scripted {
            set_echo(!secret);
        }
    }

    /// Whether so much waits for its reader that no more should be shown for now.
    pub(crate) fn is_full(&self) -> bool {
        self.screen.is_full() || self.errors.is_full()
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
        self.set_secret(false);
        self.screen.finish();
        self.errors.finish();
        if let Some(restore) = self.restore {
            restore.restore();
        }
    }
}

/// Asks for what is not shown while it is typed; `None` if nothing is.
pub(crate) fn read_secret(prompt: &str) -> Option<Password> {
    let input = match Editing::new() {
        Some(Editing { mut editor, secret, .. }) => {
            secret.store(true, Ordering::SeqCst);
            read_edited(&mut editor, prompt)
        }
        None => {
            eprint!("{prompt}");
            #[cfg(unix)]
            set_echo(false);
            let input = read_line(&mut io::stdin().lock());
            #[cfg(unix)]
            set_echo(true);
            eprintln!();
            input
        }
    };
    match input {
        Input::Line(line) => Some(Password::new(line)),
        _ => None,
    }
}

/// The columns of the terminal that lines are shown at, if it is one.
pub(crate) fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    #[cfg(unix)]
    let columns = rustix::termios::tcgetwinsize(rustix::stdio::stdout())
        .map(|size| size.ws_col.into())
        .ok()
        .filter(|columns| *columns > 0);
    #[cfg(not(unix))]
    let columns = None;
    columns
}

/// A line that is a password is no line: it is not kept, nor taken for a command.
fn hide(input: Input, secret: &AtomicBool) -> Input {
    match input {
        Input::Line(line) if secret.load(Ordering::SeqCst) => Input::Secret(Password::new(line)),
        other => other,
    }
}

/// A terminal without line editing shows what is typed by itself.
#[cfg(unix)]
fn set_echo(echo: bool) {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = rustix::stdio::stdin();
    if let Ok(mut modes) = tcgetattr(stdin) {
        modes.local_modes.set(LocalModes::ECHO, echo);
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(stdin, OptionalActions::Now, &modes);
    }
}

/// Line editing.
struct Editing<P> {
    editor: Editor<Veil, DefaultHistory>,
    printer: P,
    secret: Arc<AtomicBool>,
}

/// Shows blanks for what is typed while that is a password.
struct Veil(Arc<AtomicBool>);

impl Highlighter for Veil {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.0.load(Ordering::SeqCst) { " ".repeat(line.width()).into() } else { line.into() }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor && self.0.load(Ordering::SeqCst)
    }
}

impl Completer for Veil {
    type Candidate = String;
}

impl Hinter for Veil {
    type Hint = String;
}

impl Validator for Veil {}

impl Helper for Veil {}

impl Editing<Box<dyn ExternalPrinter + Send>> {
    /// `None` if the terminal is too plain for it.
    fn new() -> Option<Self> {
        // Without colours, what is typed would go to the screen past the veil.
        let config = Config::builder().color_mode(ColorMode::Forced).build();
        let mut editor = Editor::with_config(config).ok()?;
        let secret = Arc::new(AtomicBool::new(false));
        editor.set_helper(Some(Veil(Arc::clone(&secret))));
        let printer = Box::new(editor.create_external_printer().ok()?);
        Some(Self { editor, printer, secret })
    }
}

fn read_edited(editor: &mut Editor<Veil, DefaultHistory>, prompt: &str) -> Input {
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
