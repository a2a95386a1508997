//! The classic client's words.

use proto_core::{
    client::{Refusal, SubmitReason, To},
    id::{Nick, RoomName},
    time::UnixTime,
    wire::{RoomAction, RoomRefusal},
};

use crate::{
    command::{self, Grammar, Origin},
    notice::{
        Face, HistoryPart, Message, Missing, Notice, Outcome, PastLine, Registering, RoomMessage,
        RoomNotice,
    },
    rows, words,
};

/// The most messages that wait for the table, or for their reader to leave a room.
const KEPT_BACK: usize = 1_000;

/// The prompt, and what every line begins with.
const PROMPT: &str = ">>> ";

/// What is owed once the table was shown.
#[derive(Debug)]
struct Held {
    /// The welcome comes last: the return was asked for by `reg`.
    welcome: bool,
    /// The welcome waits for the last saved message.
    mail: bool,
    messages: Vec<Message>,
}

/// The classic client's words. `[You have messages.]`, after `reg` the order of
/// table, messages and welcome, and the room entered need a memory.
#[derive(Debug)]
pub(crate) struct Classic {
    /// The columns of the screen, if lines are to be wrapped.
    wrap: fn() -> Option<usize>,
    /// The registration was told, the table that belongs to it was not.
    held: Option<Held>,
    /// A welcome that follows the saved messages.
    welcome: bool,
    /// The next saved message is the first since the registration.
    announce: bool,
    /// The room that is entered, and what others said to its reader alone since then.
    inside: Option<RoomName>,
    kept_back: Vec<Message>,
}

impl Face for Classic {
    fn show(&mut self, _: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        let mut notice = notice;
        // Its scripts are told what people are.
        while let Notice::NotDone { why, .. } = notice {
            notice = why.clone();
        }
        let mut said = Vec::new();
        let before = self.inside;
        let mut last = None;
        match notice {
            Notice::Left { silent, kept, unkept, .. } => {
                self.inside = None;
                self.show_kept_back(&mut said);
                // The end with a silent server has its fixed lines.
                if kept > 0 && !silent {
                    said.push(format!("[Not delivered yet, kept in the outbox: {kept}.]"));
                }
                if unkept > 0 && !silent {
                    said.push(format!("[Not delivered, and not kept: {unkept}.]"));
                }
                // The one line without the prompt is the end of a session in order.
                let exiting = format!("{PROMPT}[Exiting]");
                last = Some(if silent { exiting } else { "[exiting]".to_owned() });
            }
            Notice::Room(RoomNotice::Message(message, _)) => {
                let RoomMessage { room, from, text, .. } = &message;
                last = Some(self.room_line(room, from, text.as_str()));
            }
            Notice::History(HistoryPart::Lines { lines: past, .. }) => {
                let columns = (self.wrap)();
                for line in past {
                    rows::wrap(self.past(line), columns, lines);
                }
            }
            notice => self.tell(notice, &mut said),
        }
        // What is said on entering is said outside still, and on leaving outside again.
        let prefix = prompt(before.filter(|_| self.inside.is_some()).as_ref());
        let columns = (self.wrap)();
        for line in said.into_iter().map(|line| prefix.clone() + &line).chain(last) {
            rows::wrap(line, columns, lines);
        }
    }

    fn explain(&mut self, _: UnixTime, _: &Origin, _: &Notice<'_>) -> Option<String> {
        None
    }

    fn prompt(&self, here: Option<&To>) -> String {
        prompt(here.and_then(|to| if let To::Room(room) = to { Some(room) } else { None }))
    }

    fn grammar(&self) -> Grammar {
        Grammar::Classic
    }

    fn ends_with_the_server(&self) -> bool {
        true
    }
}

fn prompt(room: Option<&RoomName>) -> String {
    room.map_or_else(|| PROMPT.to_owned(), |room| format!("{PROMPT}({room}) "))
}

impl Classic {
    /// `wrap` gives the columns of the screen, if lines are to be wrapped, so that nothing in one
    /// can pass for another.
    pub(crate) fn new(wrap: fn() -> Option<usize>) -> Self {
        Self {
            wrap,
            held: None,
            welcome: false,
            announce: false,
            inside: None,
            kept_back: Vec::new(),
        }
    }

    fn tell(&mut self, notice: Notice<'_>, lines: &mut Vec<String>) {
        match notice {
            Notice::Registered { why, mail, .. } => self.registered(why, mail, lines),
            Notice::Table { first, changes, .. } => self.table(first, !changes.is_empty(), lines),
            Notice::Message(message, _) => match &mut self.held {
                Some(held) if held.messages.len() < KEPT_BACK => held.messages.push(message),
                _ => self.message(message, lines),
            },
            Notice::MailboxEmpty => match &mut self.held {
                Some(held) => held.mail = false,
                None => self.welcome_back(lines),
            },
            Notice::Submitted { to, why, is_offline, .. } => {
                let is_offline = is_offline && why != SubmitReason::NoReceipt;
                lines.push(if is_offline || why == SubmitReason::Offline {
                    format!("<{to}> is offline, message sent to server.")
                } else {
                    format!("[No ACK from <{to}>, message sent to server.]")
                });
            }
            Notice::Relayed { to, .. } => lines.push(format!("[Client <{to}> exists!!]")),
            Notice::Outcome { to, outcome, .. } => lines.push(outcome_of(&to, outcome)),
            Notice::Offline { .. } => {
                self.held = None;
                self.welcome = false;
                lines.push("[You are Offline. Bye.]".to_owned());
            }
            Notice::ServerSilent { fatal: true, .. } => {
                lines.push("[Server not responding]".to_owned());
            }
            Notice::Help => lines.extend(command::CLASSIC_HELP.map(str::to_owned)),
            Notice::WrongInput(_) | Notice::Nowhere => lines.push("Wrong input".to_owned()),
            Notice::Who(everyone) => {
                lines.extend(everyone.iter().map(|one| words::someone(one, words::utc)));
            }
            Notice::Missing(missing) => ask(missing, lines),
            Notice::Away(Some(text)) => lines.push(format!("[You are away: {text}]")),
            Notice::Away(None) => lines.push("[You are back.]".to_owned()),
            Notice::Room(notice) => self.room(notice, lines),
            Notice::History(HistoryPart::Nothing | HistoryPart::NotFound) => {
                lines.push("[No messages.]".to_owned());
            }
            Notice::History(HistoryPart::Failed(why)) => lines.push(format!("[{why}]")),
            // The classic client knows no such things; what must be said is said in
            // its manner.
            Notice::ServerSilent { fatal: false, .. }
            | Notice::ServerBack
            | Notice::ServerClosed { offline: false, .. }
            | Notice::Waiting
            | Notice::Left { .. }
            | Notice::Unread(_)
            | Notice::History(_) => {}
            other => {
                lines
                    .extend(words::plain(&other, Grammar::Classic).map(|text| format!("[{text}]")));
            }
        }
    }

    fn registered(&mut self, why: Registering, mail: bool, lines: &mut Vec<String>) {
        self.announce = true;
        let welcome = why == Registering::Asked;
        if !welcome {
            lines.push("[Welcome, You are registered.]".to_owned());
        }
        self.held = Some(Held { welcome, mail, messages: Vec::new() });
    }

    fn table(&mut self, first: bool, changed: bool, lines: &mut Vec<String>) {
        if first || changed {
            lines.push("[Client table updated.]".to_owned());
        }
        let Some(held) = self.held.take() else { return };
        for message in held.messages {
            self.message(message, lines);
        }
        self.welcome = held.welcome;
        if !held.mail {
            self.welcome_back(lines);
        }
    }

    fn message(&mut self, message: Message, lines: &mut Vec<String>) {
        if self.inside.is_some() && self.kept_back.len() < KEPT_BACK {
            self.kept_back.push(message);
            return;
        }
        if !message.waited {
            lines.push(format!("{}: {}", message.from, message.text));
            return;
        }
        if std::mem::take(&mut self.announce) {
            lines.push("[You have messages.]".to_owned());
        }
        lines.push(saved(&message));
    }

    fn show_kept_back(&mut self, lines: &mut Vec<String>) {
        for message in std::mem::take(&mut self.kept_back) {
            self.message(message, lines);
        }
    }

    /// What was said in a room shows that room, entered or not.
    fn room_line(&self, room: &To, from: &Nick, text: &str) -> String {
        match room {
            To::Room(room) => format!("{}Group_Message {from}: {text}", prompt(Some(room))),
            To::Lobby | To::Peer(_) => {
                format!("{}[Channel_Message <{from}>: {text}]", prompt(self.inside.as_ref()))
            }
        }
    }

    fn past(&self, line: &PastLine) -> String {
        let PastLine { with, from, stamp, text, .. } = line;
        let text = format!("<{}> {text}", words::utc(*stamp));
        match with {
            To::Peer(_) => format!("{}{from}: {text}", prompt(self.inside.as_ref())),
            room => self.room_line(room, from, &text),
        }
    }

    fn room(&mut self, notice: RoomNotice<'_>, lines: &mut Vec<String>) {
        match notice {
            RoomNotice::Created(room) => lines.push(format!("[Group {room} created by Server.]")),
            RoomNotice::Entered { room, .. } => {
                self.inside = Some(room);
                lines.push(format!("[Entered group {room} successfully!]"));
            }
            RoomNotice::PutOut { room: To::Room(room), .. } if self.inside == Some(room) => {
                self.inside = None;
                let text = words::plain(&Notice::Room(notice), Grammar::Classic);
                lines.extend(text.map(|text| format!("[{text}]")));
            }
            RoomNotice::Left(room) => {
                lines.push(format!("[Leave group chat {room}]"));
                if self.inside == Some(room) {
                    self.inside = None;
                    self.show_kept_back(lines);
                }
            }
            RoomNotice::Refused { action: RoomAction::Create(room), why: RoomRefusal::Exists } => {
                lines.push(format!("[Group {room} already exists.]"));
            }
            RoomNotice::Refused {
                action:
                    RoomAction::Join(room)
                    | RoomAction::Leave(room)
                    | RoomAction::Members { of: Some(room), .. },
                why: RoomRefusal::Unknown,
            } => lines.push(format!("[Group {room} does not exist.]")),
            RoomNotice::Rooms(rooms) => {
                lines.push("[Available group chats:]".to_owned());
                lines.extend(rooms.iter().map(|room| room.name.to_string()));
            }
            RoomNotice::Members { of, nicks } => {
                lines.push(format!("[Members in the group {of}:]"));
                lines.extend(nicks.iter().map(ToString::to_string));
            }
            other => {
                let text = words::plain(&Notice::Room(other), Grammar::Classic);
                lines.extend(text.map(|text| format!("[{text}]")));
            }
        }
    }

    fn welcome_back(&mut self, lines: &mut Vec<String>) {
        if std::mem::take(&mut self.welcome) {
            lines.push("[Welcome back, you are re-registered.]".to_owned());
        }
    }
}

fn outcome_of(to: &To, outcome: Outcome) -> String {
    let whom = match to {
        To::Peer(nick) => format!("<{nick}>"),
        To::Lobby => "everyone".to_owned(),
        To::Room(room) => format!("group {room}"),
    };
    match outcome {
        Outcome::Delivered => format!("[Message received by {whom}.]"),
        Outcome::Stored if to.is_room() => "[Message received by Server.]".to_owned(),
        Outcome::Stored => "[Messages received by the server and saved.]".to_owned(),
        Outcome::Expired => format!("[Message to {whom} expired.]"),
        Outcome::Unconfirmed => format!("[Message to {whom} not confirmed.]"),
        Outcome::Refused(why @ Refusal::Superseded) => {
            format!("[Message to {whom} not sent again: {}.]", words::refusal(why))
        }
        Outcome::Refused(why) => format!("[Message to {whom} refused: {}.]", words::refusal(why)),
        Outcome::Failed(why) => format!("[Message to {whom} not sent: {}.]", words::failure(why)),
    }
}

fn ask(missing: Missing<'_>, lines: &mut Vec<String>) {
    let question = match missing {
        Missing::Recipient { online } => {
            lines.extend(online.iter().map(|one| words::someone(one, words::utc)));
            "[To whom, and what? DM <nick> <text>]".to_owned()
        }
        Missing::Text(nick) => format!("[What? DM {nick} <text>]"),
        Missing::TextForAll => "[What? PM <text>]".to_owned(),
    };
    lines.push(question);
}

fn saved(message: &Message) -> String {
    format!("{}: <{}> {}", message.from, words::utc(message.time), message.text)
}
