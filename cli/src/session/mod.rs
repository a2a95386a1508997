//! What happens between a person (or a script) at a screen and their client: a
//! state machine without a clock, a screen or a socket of its own.

mod account;
mod commands;
mod display;
mod ending;
mod events;
mod history;
mod keys;
mod moderation;
mod passwords;
mod queue;
mod rooms;
mod roster;
mod sent;
#[cfg(test)]
mod tests;

use std::time::Duration;

use proto_core::{
    client::{
        CommandError, Correspondent, MessageId, OpenMessages, PasswordError, PeerView, RoomView,
        SendError, Status, To, TrustError,
    },
    id::{Nick, PublicKey},
    time::{Instant, UnixTime},
    wire::RoomAction,
};
use transport_mio::store::{self, Place, Unread};

use crate::{
    command::{Grammar, Origin, Waits},
    notice::{Face, Notice, Registering, UnprovenServer},
    password::{Given, Password},
};

pub(crate) use display::Seen;

use display::Display;
use passwords::{GivesUp, Passwords};
use queue::{Line, Queue};
use rooms::Rooms;
use roster::Roster;
use sent::Sent;

/// How long the table may take after a registration before it counts as unchanged.
const SETTLE: Duration = Duration::from_millis(500);

/// How long saved messages may keep the welcome back.
const MAILBOX: Duration = Duration::from_secs(5);

/// How long a server that is needed may be silent: five tries of 500 ms.
const PATIENCE: Duration = Duration::from_millis(2500);

/// The same, of a script that is through: nobody waits at it.
const SCRIPTS_PATIENCE: Duration = Duration::from_secs(10);

/// How often a store that goes on failing is told of.
const REMINDER: Duration = Duration::from_mins(1);

/// The program ends: its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// It could not go on; what was said last says why.
    Failed = 1,
    /// It was ended before all was delivered or saved, or before all was done.
    Unfinished = 3,
    /// A message was refused, failed or expired.
    Refused = 4,
    /// The server does not answer.
    ServerSilent = 5,
    /// The nick is not to be had.
    NickRefused = 6,
}

/// Which verdict a script waits for. In a room, nothing follows the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Await {
    /// The recipient has it, or the server.
    #[default]
    Stored,
    /// The recipient has it.
    Delivered,
}

/// How a script ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Script {
    /// Once all that it said has this verdict.
    pub(crate) wait: Await,
    /// When something it was to say had so long since it was read, if not before.
    pub(crate) timeout: Option<Duration>,
}

/// The client, as a session needs it.
pub(crate) trait Chat {
    /// Binds the port and goes online.
    ///
    /// # Errors
    /// What is wrong with the port, for people to read.
    fn register(&mut self) -> Result<(), String>;
    /// Submits what is open, then goes offline.
    fn deregister(&mut self) -> Result<(), CommandError>;
    /// Gives the password that was asked for.
    fn authenticate(&mut self, password: &Password) -> Result<(), PasswordError>;
    /// The server, if nothing says that its key is the right one: it was in no address and is
    /// not remembered.
    fn unproven_server(&mut self) -> Option<UnprovenServer>;
    /// Remembers the server's key as the right one.
    ///
    /// # Errors
    /// Why it cannot be remembered, for people to read.
    fn trust_server(&mut self) -> Result<(), String>;
    /// Asks for another password than the old one.
    fn change_password(&mut self, old: &Password, new: &Password) -> Result<(), PasswordError>;
    /// Has the device with that key let in.
    fn endorse(&mut self, key: PublicKey) -> Result<(), CommandError>;
    /// The key that others know this client by.
    fn key(&mut self) -> PublicKey;
    /// Takes a key for that of whoever is known by a nick.
    fn trust(&mut self, nick: &Nick, key: &PublicKey) -> Result<(), TrustError>;
    /// The key of whoever is known by a nick was compared with them.
    fn verify(&mut self, nick: &Nick, key: &PublicKey) -> Result<(), TrustError>;
    /// What two people compare, of this one's key and another.
    fn safety_number(&mut self, key: &PublicKey) -> [u32; 12];
    /// Frees the port.
    fn release(&mut self);
    /// Says something.
    fn say(&mut self, to: To, text: &str) -> Result<MessageId, SendError>;
    /// Wishes something of the server's rooms.
    fn request(&mut self, action: RoomAction) -> Result<(), CommandError>;
    /// Has everyone know that the user is away; with an empty text, back.
    fn set_away(&mut self, text: &str) -> Result<(), CommandError>;
    /// Where the client is.
    fn status(&mut self) -> Status;
    /// What is not settled.
    fn open_messages(&mut self) -> OpenMessages;
    /// Everyone on the roster.
    fn peers(&mut self) -> Vec<PeerView>;
    /// Every room that the user is in, the lobby among them.
    fn rooms(&mut self) -> Vec<RoomView>;
    /// Why the store failed the last time, and what to do, for people to read.
    fn store_failure(&self) -> String;
    /// Where the client keeps its data, for people to read.
    fn data_directory(&self) -> String;
    /// What to do when the server has another key, for people to read.
    fn key_advice(&self) -> String;
    /// The conversation with someone, or in a room.
    fn conversation(&mut self, with: &To) -> Option<PublicKey>;
    /// Every conversation there ever was, in the order in which they began.
    ///
    /// # Errors
    /// Why they cannot be read, for people to read.
    fn conversations(&mut self) -> Result<Vec<Correspondent>, String>;
    /// The newest lines of one conversation, or of all, ahead of a place; in the order of time.
    ///
    /// # Errors
    /// As for [`Self::conversations`].
    fn lines(
        &mut self,
        of: Option<PublicKey>,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Vec<store::Line>, String>;
    /// How much came in each conversation and was not shown.
    ///
    /// # Errors
    /// As for [`Self::conversations`].
    fn unread(&mut self) -> Result<Vec<Unread>, String>;
}

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// For what is waited for.
    pub(crate) now: Instant,
    /// For what people see.
    pub(crate) unix: UnixTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asked for since then.
    Registering {
        since: Instant,
        why: Registering,
    },
    Online,
    /// Deregistering since then.
    Leaving {
        since: Instant,
        exit: bool,
    },
    Offline,
}

/// What happens between a person and their client.
pub(crate) struct Session {
    own: Nick,
    display: Display,
    /// Input is no terminal: lines are done one after the other.
    script: Option<Script>,
    /// How many lines were read.
    lines: u64,
    /// The line that is carried out.
    current: Origin,
    /// The line that the server is to answer.
    asked: Option<Origin>,
    /// A script's time is over.
    gave_up: bool,
    /// The server may yet save something of the outbox.
    is_owing: bool,
    phase: Phase,
    /// The nick was had once.
    was_online: bool,
    /// Since when the server is silent.
    silent: Option<Instant>,
    roster: Roster,
    roster_changed: bool,
    /// The table is waited for until then.
    settling: Option<Instant>,
    /// The end of the saved messages is waited for until then.
    mailbox: Option<Instant>,
    queue: Queue,
    sent: Sent,
    rooms: Rooms,
    /// Who wrote last to this user alone.
    last_from: Option<Nick>,
    /// Keys that hold nicks which others were known by.
    claims: Vec<(Nick, PublicKey)>,
    passwords: Passwords,
    /// When the store's failure was told of the last time.
    told_failure: Option<Instant>,
    /// A message was refused or expired; of a script, also one that was not taken, or a
    /// request that was refused.
    refused: bool,
    exit: Option<Exit>,
}

impl Session {
    /// For whoever goes by `own`, at the start of a registration. `password` is given to the
    /// server when it asks for one, rather than asking a person.
    pub(crate) fn new(
        own: Nick,
        face: Box<dyn Face>,
        script: Option<Script>,
        password: Option<Given>,
        now: Instant,
    ) -> Self {
        Self {
            own,
            display: Display::new(face),
            script,
            lines: 0,
            current: Origin::default(),
            asked: None,
            gave_up: false,
            is_owing: true,
            phase: Phase::Registering { since: now, why: Registering::Start },
            was_online: false,
            silent: None,
            roster: Roster::default(),
            roster_changed: false,
            settling: None,
            mailbox: None,
            queue: Queue::default(),
            sent: Sent::default(),
            rooms: Rooms::default(),
            last_from: None,
            claims: Vec::new(),
            passwords: Passwords::with(password),
            told_failure: None,
            refused: false,
            exit: None,
        }
    }

    /// Tells what an earlier run left unread. To be called first.
    pub(crate) fn begin(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.display.grammar() == Grammar::Slash {
            history::unread(chat, (&mut self.display, at));
        }
    }

    /// Whether another line can be taken.
    pub(crate) fn wants_line(&self) -> bool {
        self.exit.is_none() && self.queue.has_room()
    }

    /// Whether the next line is a password, not to be shown while it is typed.
    pub(crate) fn wants_password(&self) -> bool {
        self.passwords.are_typed()
    }

    /// The prompt for the next line; `None` while it is not known.
    pub(crate) fn prompt(&self) -> Option<String> {
        let here = self.rooms.here();
        (!self.rooms.hold_the_prompt()).then(|| self.display.prompt(here.as_ref()))
    }

    /// A line was typed or read.
    pub(crate) fn handle_line(&mut self, chat: &mut impl Chat, at: Moment, line: &str) {
        self.lines += 1;
        if self.passwords.ask_of_server() {
            let answered = self.passwords.answered(chat, (&mut self.display, at), line);
            if answered == Err(GivesUp) {
                events::give_up_nick(self, chat, at);
            }
            self.advance(chat, at);
            return;
        }
        let grammar = self.display.grammar();
        let is_script = self.script.is_some();
        let Some(line) = Line::read(line, (self.lines, at.now), (&self.own, grammar), is_script)
        else {
            return;
        };
        let is_registering = matches!(self.phase, Phase::Registering { .. });
        let waits = line.command.as_ref().is_ok_and(|command| match command.waits() {
            Waits::Always => true,
            Waits::WhileRegistering => is_registering || self.rooms.wished_since().is_none(),
            Waits::InsideRooms => {
                self.rooms.here().is_some() || self.rooms.wished_since().is_some()
            }
            Waits::Never => false,
        });
        if self.script.is_some() || waits {
            if self.script.is_none() && is_registering {
                self.tell(at, Notice::Waiting);
            }
            self.queue.push(line);
        } else {
            self.run(chat, at, &line);
        }
        self.advance(chat, at);
    }

    /// A password was typed.
    pub(crate) fn handle_password(&mut self, chat: &mut impl Chat, at: Moment, typed: Password) {
        self.passwords.typed(chat, (&mut self.display, at), typed);
        self.advance(chat, at);
    }

    /// There will be no further line: the end of a script, or ctrl-D.
    pub(crate) fn handle_end(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.queue.end(at.now) && self.script.is_none() {
            self.leave(chat, at);
        }
        self.advance(chat, at);
    }

    /// Ctrl-C, or a signal to end. The second time it ends at once.
    pub(crate) fn handle_interrupt(&mut self, chat: &mut impl Chat, at: Moment) {
        if matches!(self.phase, Phase::Leaving { exit: true, .. }) {
            self.end(chat, at, self.silent.map(|_| Exit::ServerSilent));
        } else {
            self.queue.end(at.now);
            self.queue.interrupt();
            self.leave(chat, at);
        }
        self.advance(chat, at);
    }

    /// Does what is due. To be called when [`Self::deadline`] has come, and after
    /// a batch of events.
    pub(crate) fn advance(&mut self, chat: &mut impl Chat, at: Moment) {
        self.rooms.advance(at.now);
        self.queue.advance(at.now);
        self.settle(chat, at);
        self.run_commands(chat, at);
        if self.queue.crowding_is_news(at.now) {
            let unsaved = chat.open_messages().unsaved;
            self.tell(at, Notice::Crowded { unsaved });
        }
        self.check_end(chat, at);
    }

    /// When to call [`Self::advance`] at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let silence = self.silent.and_then(|_| self.patience_ends());
        let (queue, rooms) = (self.queue.deadline(), self.rooms.deadline());
        let give_up = self.script.and_then(|script| script.gives_up(&self.queue, &self.sent));
        let give_up = give_up.filter(|_| !self.is_leaving());
        [self.settling, self.mailbox, silence, queue, rooms, give_up].into_iter().flatten().min()
    }

    /// Takes the lines to show, and those for standard error.
    pub(crate) fn take_lines(&mut self) -> (Vec<String>, Vec<String>) {
        self.display.take_lines()
    }

    /// Takes what has been seen once the lines are shown.
    pub(crate) fn take_seen(&mut self) -> Vec<Seen> {
        self.display.take_seen()
    }

    /// Whether it is on its way out of the program.
    pub(crate) fn is_leaving(&self) -> bool {
        self.exit.is_some() || matches!(self.phase, Phase::Leaving { exit: true, .. })
    }

    /// Whether, and how, the program ends.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Tells whoever is at the screen.
    pub(crate) fn tell(&mut self, at: Moment, notice: Notice<'_>) {
        self.display.show(at, notice);
    }

    /// Shows the table when it has come, or does not come.
    fn settle(&mut self, chat: &mut impl Chat, at: Moment) {
        let first = self.settling.is_some();
        let overdue = self.settling.is_some_and(|until| until <= at.now);
        let is_online = self.phase == Phase::Online;
        // Rooms are named before the table is shown: the lobby is always among them.
        let mut is_named = || chat.rooms().iter().any(|view| view.room == To::Lobby);
        let is_due = overdue || self.roster_changed && (!first || is_named());
        if is_online && is_due {
            self.settling = None;
            self.roster_changed = false;
            let changes = self.roster.update(roster::everyone(chat, &self.own));
            for change in &changes {
                self.sent.way_changed(&change.someone.nick);
            }
            if first || !changes.is_empty() {
                let everyone = self.roster.everyone();
                let table = Notice::Table { first, everyone, changes: &changes };
                self.display.show(at, table);
            }
            if first {
                rooms::tell_rooms(chat, (&mut self.display, at));
            }
        }
        if self.mailbox.is_some_and(|until| until <= at.now) {
            self.mailbox = None;
            self.tell(at, Notice::MailboxEmpty);
        }
    }
}
