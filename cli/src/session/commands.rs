//! Carrying out what was typed.

use proto_core::{
    client::{CommandError, SayError},
    id::{NameError, Nick},
    time::Instant,
};

use crate::{
    command::{Command, Whose, WrongInput},
    notice::{HistoryPart, Message, Notice, Registering},
    safe_text::SafeText,
};

use super::{Chat, Moment, Phase, Sent, Session};

/// Columns of a message that its receipts repeat.
const EXCERPT: usize = 40;

/// Whether a command is done with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    Yes,
    /// There is no room now: again when there is.
    NotYet,
}

impl Session {
    /// Carries out the commands that wait, as far as that is possible now.
    pub(super) fn run_commands(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.waiting.is_some_and(|until| until <= at.now) {
            self.waiting = None;
        }
        while self.exit.is_none() && !self.is_busy(at.now) {
            let Some(command) = self.commands.pop_front() else { break };
            if self.run(chat, at, &command) == Done::NotYet {
                self.commands.push_front(command);
                break;
            }
        }
    }

    /// Whether commands have to wait.
    pub(super) fn is_busy(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Registering { .. } | Phase::Leaving { .. } => true,
            Phase::Online | Phase::Offline => {
                self.settling.is_some() || self.waiting.is_some_and(|until| until > now)
            }
        }
    }

    pub(super) fn run(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        command: &Result<Command, WrongInput>,
    ) -> Done {
        let command = match command {
            Ok(command) => command,
            Err(WrongInput) => {
                self.tell(at, Notice::WrongInput);
                return Done::Yes;
            }
        };
        match command {
            Command::Send { to, text } => return self.say(chat, at, to, text),
            Command::Deregister(Whose::Other) | Command::Register(Whose::Other) => {
                self.tell(at, Notice::NotYours);
            }
            Command::Deregister(Whose::Own) => self.deregister(chat, at),
            Command::Register(Whose::Own) => self.register(chat, at),
            Command::Who if self.phase == Phase::Offline => self.tell(at, Notice::YouAreOffline),
            Command::Who => {
                let everyone = self.roster.everyone();
                self.face.show(at.unix, Notice::Who(everyone), &mut self.lines);
            }
            Command::History(of) => self.history(chat, at, of.as_ref()),
            Command::Wait(span) if self.scripted => self.waiting = Some(at.now + *span),
            Command::Wait(_) => self.tell(at, Notice::WaitIsForScripts),
            Command::Help => self.tell(at, Notice::Help),
            Command::Quit => {
                // In a script as the end of the input: what is said is waited for.
                self.ended.get_or_insert(at.now);
                self.commands.clear();
                if !self.scripted {
                    self.leave(chat, at);
                }
            }
        }
        Done::Yes
    }

    fn say(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        to: &Result<Nick, NameError>,
        text: &str,
    ) -> Done {
        let result = match to {
            _ if self.phase == Phase::Offline => {
                self.refused |= self.scripted;
                self.tell(at, Notice::YouAreOffline);
                return Done::Yes;
            }
            Ok(nick) => chat.say(nick, text),
            Err(why) => Err(SayError::Nick(*why)),
        };
        match result {
            Ok(id) => {
                let text = SafeText::new(text.as_bytes()).excerpt(EXCERPT);
                self.sent.insert(id, Sent { text, deposited: None, stored: false });
            }
            // A script has time.
            Err(SayError::Full) if self.scripted => return Done::NotYet,
            Err(why) => {
                self.refused |= self.scripted;
                self.tell(at, Notice::NotSent { to: to.ok(), why });
            }
        }
        Done::Yes
    }

    fn register(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.phase != Phase::Offline {
            self.tell(at, Notice::YouAreOnline);
            return;
        }
        match chat.register() {
            Ok(()) => {
                self.silent = None;
                self.phase = Phase::Registering { since: at.now, why: Registering::Asked };
            }
            Err(why) => self.tell(at, Notice::CannotRegister(&why)),
        }
    }

    fn deregister(&mut self, chat: &mut impl Chat, at: Moment) {
        match (self.phase, chat.deregister()) {
            (Phase::Offline, _) | (_, Err(_)) => {
                self.phase = Phase::Offline;
                self.tell(at, Notice::YouAreOffline);
            }
            (_, Ok(())) => self.phase = Phase::Leaving { since: at.now, exit: false },
        }
    }

    fn history(&mut self, chat: &mut impl Chat, at: Moment, of: Option<&Nick>) {
        let mut nothing = true;
        let wanted = |nick: &Nick| of.is_none_or(|of| of == nick);
        for peer in chat.peers().into_iter().filter(|peer| wanted(&peer.nick)) {
            let read = chat.history(peer.key, &mut |time, text| {
                nothing = false;
                let message = Message { from: peer.nick, time, text, waited: false };
                self.tell(at, Notice::History(HistoryPart::Said(message)));
            });
            if let Err(why) = read {
                nothing = false;
                self.tell(at, Notice::History(HistoryPart::Failed(why)));
            }
        }
        if nothing {
            self.tell(at, Notice::History(HistoryPart::Nothing));
        }
    }
}
