//! A chat: a client's endpoint and someone at a terminal, or a script.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
    sync::mpsc::Receiver,
    time::Duration,
};

use jiff::tz::TimeZone;
use proto_core::{
    client::{Config, Event, To},
    id::Nick,
};
use transport_mio::{endpoint::ClientEndpoint, memory::ClientSizes};

use crate::{
    address::Address,
    arguments::{Await, What},
    classic::Classic,
    input::{Audience, Input, Inputs, read_line, read_whole},
    json::Json,
    listening::Listening,
    modern::Modern,
    notice::{Face, Notice},
    password::Given,
    sending::Sending,
    session::{self, Chat as _, Exit, Script, Seen, Session},
    terminal::{self, Terminal},
};

use super::{RunError, chat::EndpointChat, marker::Marker, trust::Trust};

const KNOWN_SERVERS: &str = "known_servers";

/// How often it is looked whether a reader has read on.
const MOMENT: Duration = Duration::from_millis(10);

/// What a chat needs.
pub(super) struct Options<'a> {
    pub(super) nick: Nick,
    pub(super) server: SocketAddr,
    /// The server by the name that it is remembered by, and its key if that is known.
    pub(super) address: Address,
    pub(super) bind: SocketAddr,
    pub(super) directory: PathBuf,
    pub(super) manner: Manner,
    /// The first lines.
    pub(super) greeting: Vec<String>,
    /// Further lines to show when they come.
    pub(super) notices: Option<&'a Receiver<String>>,
    /// The password that the program was started with.
    pub(super) password: Option<Given>,
    /// The server's key is taken on trust, or checked against what was.
    pub(super) remember: bool,
}

/// How it speaks, and with whom.
pub(super) enum Manner {
    /// With a person or a script, in the classic form.
    Classic,
    /// With a person or a script.
    Chat,
    /// With a program.
    Json,
    /// With nobody: it says something.
    Send { to: To, what: What, wait: Await, timeout: Duration },
    /// With nobody: it prints what comes from there, or from everywhere.
    Listen { json: bool, from: Vec<To> },
}

impl Manner {
    fn face(&self, own: Nick) -> Box<dyn Face> {
        let columns = match self {
            // What programs read has no rows.
            Self::Json | Self::Listen { json: true, .. } => || None,
            _ => terminal::columns,
        };
        let words = Modern::new(own, TimeZone::system(), columns);
        match self {
            Self::Classic => Box::new(Classic::new(columns)),
            Self::Chat => Box::new(words),
            Self::Json => Box::new(Json::new(words, Vec::new())),
            Self::Send { to, what, .. } => Box::new(Sending::new(words, *to, *what == What::Lines)),
            Self::Listen { json: true, from } => Box::new(Json::new(words, from.clone())),
            Self::Listen { json: false, from } => {
                Box::new(Listening::new(words, from.clone(), columns))
            }
        }
    }

    /// Starts to read what it is to read.
    fn terminal(
        &self,
        inputs: &mut Inputs,
        wake: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<Terminal> {
        if matches!(self, Self::Classic | Self::Chat) {
            return Terminal::start(inputs, wake);
        }
        let terminal = Terminal::plain(wake.clone())?;
        match self {
            Self::Send { what: What::Text(text), .. } => {
                let mut text = Some(text.clone());
                inputs.read_lines(move || text.take().map_or(Input::End, Input::Line), wake)?;
            }
            Self::Send { what: What::Input, .. } => {
                inputs.read_lines(|| read_whole(&mut io::stdin().lock()), wake)?;
            }
            Self::Send { what: What::Lines, .. } | Self::Json => {
                inputs.read_lines(|| read_line(&mut io::stdin().lock()), wake)?;
            }
            Self::Listen { .. } | Self::Classic | Self::Chat => {}
        }
        Ok(terminal)
    }

    fn script(&self) -> Script {
        match self {
            Self::Send { wait, timeout, .. } => {
                let wait = match wait {
                    Await::Stored => session::Await::Stored,
                    Await::Delivered => session::Await::Delivered,
                };
                Script { wait, timeout: Some(*timeout) }
            }
            _ => Script::default(),
        }
    }
}

/// Chats until it ends.
pub(super) fn run(options: Options<'_>) -> Result<Exit, RunError> {
    let known_path = options.directory.join(KNOWN_SERVERS);
    let trust = Trust::new(&options.address, options.remember, &known_path)?;
    let mut config = Config::new(options.nick, options.server, trust.expected);
    // Who reads what a script is told of another key could accept it only after its end.
    config.holds = io::stdin().is_terminal();
    let sizes = ClientSizes::default();
    let endpoint = ClientEndpoint::open(&options.directory, options.bind, &sizes, config)?;
    // The store is this process's now, and so is the directory.
    let marker = Marker::leave(&options.directory)?;
    let mut chat = EndpointChat {
        endpoint,
        directory: options.directory.clone(),
        known_servers: known_path,
        trust,
        known: HashMap::new(),
        named: HashSet::new(),
    };
    let handle = chat.endpoint.handle();
    let wake = move || handle.wake();

    let face = options.manner.face(options.nick);
    let mut inputs = Inputs::new();
    inputs.catch_signals(Audience::Person, wake.clone())?;
    let terminal = options.manner.terminal(&mut inputs, wake)?;
    terminal.screen.show(options.greeting);
    let at = chat.moment();
    let script = terminal.scripted.then(|| options.manner.script());
    let mut session = Session::new(options.nick, face, script, options.password, at.now);
    let has_hints = !matches!(options.manner, Manner::Classic);
    if marker.was_left && has_hints {
        let hint = "The last run ended abruptly; /history shows what was said.";
        session.tell(at, Notice::Hint(hint));
    }
    session.begin(&mut chat, at);
    // It is offline: there is nothing that this could fail by.
    let _ = chat.register();

    let seen = VecDeque::new();
    let mut talk = Talk { chat, session, inputs, terminal, seen, notices: options.notices };
    let ended = talk.run(has_hints);
    let Talk { chat, terminal, mut seen, .. } = talk;
    terminal.screen.drain();
    note_seen(&chat, &mut seen, terminal.screen.printed());
    let left = chat.endpoint.shut_down(|_, _| ());
    terminal.finish();
    let exit = ended?;
    left?;
    marker.remove();
    Ok(exit)
}

/// All that a chat consists of.
struct Talk<'a> {
    chat: EndpointChat,
    session: Session,
    inputs: Inputs,
    terminal: Terminal,
    /// What will have been seen once the lines up to a number are printed.
    seen: VecDeque<(u64, Vec<Seen>)>,
    notices: Option<&'a Receiver<String>>,
}

impl Talk<'_> {
    fn run(&mut self, has_hints: bool) -> io::Result<Exit> {
        let mut events = Vec::new();
        loop {
            if let Some(prompt) = self.session.prompt() {
                self.terminal.ask(prompt);
            }
            self.wait_for_reader();
            let limit = self.limit();
            self.chat.endpoint.turn(limit, |event, text| events.push((event, text.to_vec())))?;
            let at = self.chat.moment();
            note_seen(&self.chat, &mut self.seen, self.terminal.screen.printed());
            for (event, text) in events.drain(..) {
                if changes_names(&event) {
                    self.chat.known.clear();
                }
                self.session.handle_event(&mut self.chat, at, &event, &text);
                if let Event::Registered { server, .. } = event {
                    let said = match self.chat.trust.met(server) {
                        Ok(said) => said.filter(|_| has_hints),
                        Err(error) => Some(error.to_string()),
                    };
                    if let Some(said) = said {
                        self.session.tell(at, Notice::Hint(&said));
                    }
                }
            }
            self.session.advance(&mut self.chat, at);
            self.take_inputs();
            self.terminal.set_secret(self.session.wants_password());
            self.show();
            if let Some(notices) = self.notices {
                self.terminal.screen.show(notices.try_iter());
            }
            if let Some(exit) = self.session.exit() {
                return Ok(exit);
            }
        }
    }

    /// Nothing more is taken in while too much waits to be read: what others send meanwhile stays
    /// with them or the server, and memory is bounded.
    fn wait_for_reader(&mut self) {
        while self.terminal.is_full() && !self.session.is_leaving() {
            if let Some(Input::Interrupt) = self.inputs.next(false) {
                let at = self.chat.moment();
                self.session.handle_interrupt(&mut self.chat, at);
            }
            std::thread::sleep(MOMENT);
        }
    }

    fn show(&mut self) {
        let (lines, reports) = self.session.take_lines();
        self.terminal.screen.show(lines);
        let reports = reports.into_iter().map(|report| format!("udpchat: {report}"));
        self.terminal.errors.show(reports);
        let seen = self.session.take_seen();
        if !seen.is_empty() {
            self.seen.push_back((self.terminal.screen.await_last(), seen));
            // It may all be printed already.
            note_seen(&self.chat, &mut self.seen, self.terminal.screen.printed());
        }
    }

    fn take_inputs(&mut self) {
        let at = self.chat.moment();
        if self.terminal.screen.is_broken() && !self.session.is_leaving() {
            // Nobody sees anything any more.
            self.session.handle_interrupt(&mut self.chat, at);
        }
        while let Some(input) = self.inputs.next(self.session.wants_line()) {
            match input {
                Input::Line(line) => {
                    self.terminal.heard();
                    self.session.handle_line(&mut self.chat, at, &line);
                }
                Input::Secret(typed) => {
                    self.terminal.heard();
                    self.session.handle_password(&mut self.chat, at, typed);
                }
                Input::End => self.session.handle_end(&mut self.chat, at),
                Input::Interrupt => self.session.handle_interrupt(&mut self.chat, at),
            }
        }
    }

    /// How long the endpoint may wait for the session's sake.
    fn limit(&mut self) -> Option<Duration> {
        let deadline = self.session.deadline()?;
        let now = self.chat.moment().now;
        // A deadline is reached, not come close to.
        Some(deadline.since(now) + Duration::from_micros(1))
    }
}

/// What was in lines that are printed is read.
fn note_seen(chat: &EndpointChat, seen: &mut VecDeque<(u64, Vec<Seen>)>, printed: u64) {
    let count = seen.iter().take_while(|(line, _)| *line <= printed).count();
    if count > 0 {
        chat.endpoint.store().shown(seen.drain(..count).flat_map(|(_, seen)| seen));
    }
}

/// Whether conversations may have other names than before.
fn changes_names(event: &Event) -> bool {
    matches!(
        event,
        Event::RosterChanged
            | Event::KeyChanged { .. }
            | Event::RoomReset { .. }
            | Event::RoomResponse { .. }
            | Event::Registered { .. }
    )
}
