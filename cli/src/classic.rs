//! The classic client's words.

use proto_core::{client::Deposit, time::UnixTime};

use crate::{
    command,
    notice::{Face, HistoryPart, Message, Notice, Outcome, Registering},
    words,
};

/// The prompt, and what every line begins with.
pub(crate) const PROMPT: &str = ">>> ";

/// What is owed once the table was shown.
#[derive(Debug)]
struct Held {
    /// The welcome comes last: the return was asked for by `reg`.
    welcome: bool,
    /// The welcome waits for the last saved message.
    mail: bool,
    messages: Vec<Message>,
}

/// The classic client's words. `[You have messages.]` and, after `reg`, the order
/// of table, messages and welcome need a memory.
#[derive(Debug, Default)]
pub(crate) struct Classic {
    /// The registration was told, the table that belongs to it was not.
    held: Option<Held>,
    /// A welcome that follows the saved messages.
    welcome: bool,
    /// The next saved message is the first since the registration.
    announce: bool,
}

impl Face for Classic {
    fn show(&mut self, _: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        let mut said = Vec::new();
        match notice {
            Notice::Left { silent: true, .. } => say(lines, "[Exiting]"),
            // The one line without the prompt.
            Notice::Left { .. } => lines.push("[exiting]".to_owned()),
            notice => self.tell(notice, &mut said),
        }
        for line in said {
            say(lines, &line);
        }
    }

    fn ends_with_the_server(&self) -> bool {
        true
    }
}

fn say(lines: &mut Vec<String>, line: &str) {
    lines.push(format!("{PROMPT}{line}"));
}

impl Classic {
    fn tell(&mut self, notice: Notice<'_>, lines: &mut Vec<String>) {
        match notice {
            Notice::Registered { why, mail, .. } => self.registered(why, mail, lines),
            Notice::Table { first, changes, .. } => self.table(first, !changes.is_empty(), lines),
            Notice::Message(message) => match &mut self.held {
                Some(held) => held.messages.push(message),
                None => self.message(&message, lines),
            },
            Notice::MailboxEmpty => match &mut self.held {
                Some(held) => held.mail = false,
                None => self.welcome_back(lines),
            },
            Notice::Deposited { to, why, is_offline } => {
                let is_offline = is_offline && why != Deposit::NoReceipt;
                lines.push(if is_offline || why == Deposit::Offline {
                    format!("<{to}> is offline, message sent to server.")
                } else {
                    format!("[No ACK from <{to}>, message sent to server.]")
                });
            }
            Notice::Relayed { to } => lines.push(format!("[Client <{to}> exists!!]")),
            Notice::Outcome { to, outcome, .. } => lines.push(match outcome {
                Outcome::Delivered => format!("[Message received by <{to}>.]"),
                Outcome::Stored => "[Messages received by the server and saved.]".to_owned(),
                Outcome::Expired => format!("[Message to <{to}> expired.]"),
                Outcome::Refused(why) => {
                    format!("[Message to <{to}> refused: {}.]", words::refusal(why))
                }
            }),
            Notice::Offline { .. } => {
                self.held = None;
                self.welcome = false;
                lines.push("[You are Offline. Bye.]".to_owned());
            }
            Notice::ServerSilent { fatal: true } => {
                lines.push("[Server not responding]".to_owned());
            }
            Notice::Help => lines.extend(command::HELP.map(str::to_owned)),
            Notice::WrongInput => lines.push("Wrong input".to_owned()),
            Notice::Who(everyone) => lines.extend(everyone.iter().map(words::someone)),
            Notice::History(part) => lines.push(match part {
                HistoryPart::Said(message) => saved(&message),
                HistoryPart::Nothing => "[No messages.]".to_owned(),
                HistoryPart::Failed(why) => format!("[{why}]"),
            }),
            // The classic client knows no such things; what must be said is said in
            // its manner.
            Notice::ServerSilent { fatal: false }
            | Notice::ServerBack
            | Notice::ServerClosed { offline: false, .. }
            | Notice::Waiting
            | Notice::Left { .. } => {}
            other => lines.extend(words::plain(&other).map(|text| format!("[{text}]"))),
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
        for message in &held.messages {
            self.message(message, lines);
        }
        self.welcome = held.welcome;
        if !held.mail {
            self.welcome_back(lines);
        }
    }

    fn message(&mut self, message: &Message, lines: &mut Vec<String>) {
        if !message.waited {
            lines.push(format!("{}: {}", message.from, message.text));
            return;
        }
        if std::mem::take(&mut self.announce) {
            lines.push("[You have messages.]".to_owned());
        }
        lines.push(saved(message));
    }

    fn welcome_back(&mut self, lines: &mut Vec<String>) {
        if std::mem::take(&mut self.welcome) {
            lines.push("[Welcome back, you are re-registered.]".to_owned());
        }
    }
}

fn saved(message: &Message) -> String {
    format!("{}: <{}> {}", message.from, words::utc(message.time), message.text)
}
