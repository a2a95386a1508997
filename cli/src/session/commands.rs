//! Carrying out what was typed.

use proto_core::{
    client::{CommandError, MessageId, SendError, To},
    id::{Account, Nick, Room, RoomName},
    time::Instant,
    wire::RoomAction,
};

use crate::{
    command::{self, Command, Grammar, Partner, RoomWord, Whose},
    notice::{Missing, Notice, Registering, RoomNotice, Someone},
    safe_text::SafeText,
};

use super::{
    Chat, Moment, Phase, Session, account, display::Display, history, keys, moderation,
    queue::Line, rooms::name_of, roster,
};

/// Whether a command is done with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    Yes,
    /// It said something.
    Said(MessageId),
    /// The server is asked.
    Asked,
    /// It is not carried out, as was told.
    No,
    /// There is no room now: again when there is.
    NotYet,
}

impl Session {
    /// Carries out the commands that wait, as far as that is possible now.
    pub(super) fn run_commands(&mut self, chat: &mut impl Chat, at: Moment) {
        while self.exit.is_none() && !self.is_busy(at.now) {
            let Some(line) = self.queue.pop() else { break };
            let message = match self.run(chat, at, &line) {
                Done::NotYet => {
                    self.queue.put_back(line);
                    break;
                }
                Done::Asked => {
                    self.asked = self.script.is_some().then_some(line.origin);
                    continue;
                }
                Done::No => continue,
                Done::Yes => None,
                Done::Said(message) => Some(message),
            };
            if self.script.is_some() {
                self.tell(at, Notice::Done { origin: &line.origin, message });
            }
        }
    }

    /// The server has answered a line of a script.
    pub(super) fn answered(&mut self, at: Moment, result: Result<(), Notice<'_>>) {
        let Some(origin) = self.asked.take() else { return };
        match result {
            Ok(()) => self.tell(at, Notice::Done { origin: &origin, message: None }),
            Err(why) => {
                self.current = origin;
                self.refuse(at, why);
            }
        }
    }

    /// Whether commands have to wait.
    pub(super) fn is_busy(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Registering { .. } | Phase::Leaving { .. } => true,
            Phase::Online | Phase::Offline => {
                self.settling.is_some()
                    || self.rooms.wished_since().is_some()
                    || self.queue.waits(now)
            }
        }
    }

    pub(super) fn run(&mut self, chat: &mut impl Chat, at: Moment, line: &Line) -> Done {
        self.current = line.origin.clone();
        let command = match &line.command {
            Ok(command) => command,
            // The classic client takes no notice of it in the end.
            Err(wrong) if self.display.grammar() == Grammar::Classic => {
                self.tell(at, Notice::WrongInput(wrong));
                return Done::Yes;
            }
            Err(wrong) => return self.refuse(at, Notice::WrongInput(wrong)),
        };
        match command {
            Command::Send { to: Ok(nick), text } => {
                return self.say(chat, at, To::Peer(*nick), text);
            }
            Command::Send { .. } | Command::Who if self.phase == Phase::Offline => {
                return self.refuse(at, Notice::YouAreOffline);
            }
            Command::Send { to: Err(why), .. }
            | Command::Talk(Partner::One(Err(why)))
            | Command::Whois(Err(why)) => return self.refuse(at, Notice::NoNick(*why)),
            Command::SendAll(text) => return self.say(chat, at, To::Lobby, text),
            Command::SendIn(room, text) => return self.say(chat, at, To::Room(*room), text),
            Command::Reply(text) => match self.last_from {
                Some(nick) => return self.say(chat, at, To::Peer(nick), text),
                None => return self.refuse(at, Notice::NobodyWrote),
            },
            Command::SayHere(text) => match self.rooms.entered() {
                Some(room) => return self.say(chat, at, To::Room(room), text),
                None => return self.refuse(at, Notice::Room(RoomNotice::NotInside)),
            },
            Command::Plain(text) => match self.rooms.here() {
                Some(here) => return self.say(chat, at, here, text),
                None if self.display.grammar() == Grammar::Classic => {
                    self.tell(at, Notice::Nowhere);
                }
                None => return self.refuse(at, Notice::Nowhere),
            },
            Command::Talk(Partner::One(Ok(nick))) => {
                self.rooms.turn_to((&mut self.display, at), Some(To::Peer(*nick)));
            }
            Command::Talk(Partner::Everyone) => {
                self.rooms.turn_to((&mut self.display, at), Some(To::Lobby));
            }
            Command::Ask(missing) => {
                ask(chat, (&mut self.display, at), &self.own, *missing);
            }
            Command::Create(room) => return self.request_in(chat, at, *room, RoomAction::Create),
            Command::Rooms => return self.request(chat, at, RoomAction::Rooms { from: Room(0) }),
            Command::Join(room) => return self.request_in(chat, at, *room, RoomAction::Join),
            Command::Leave(None) if matches!(self.rooms.here(), Some(To::Peer(_) | To::Lobby)) => {
                self.rooms.turn_to((&mut self.display, at), None);
            }
            Command::Leave(room) => return self.leave_room(chat, at, *room),
            Command::Members(room) => return self.members(chat, at, *room),
            Command::Kick(_)
            | Command::Invite(_)
            | Command::InviteOnly(_)
            | Command::DeleteRoom(_) => return moderation::run(self, chat, at, command),
            Command::Away(text) => return self.set_away(chat, at, text),
            Command::Back => return self.set_away(chat, at, ""),
            Command::ChangePassword => return account::change_password(self, at),
            Command::Endorse(key) => return account::endorse(self, chat, at, *key),
            Command::Trust(nick) => return keys::trust(self, chat, at, *nick),
            Command::Verify { nick, compared } => {
                return keys::verify(self, chat, at, *nick, *compared);
            }
            Command::Deregister(Whose::Other) | Command::Register(Whose::Other) => {
                return self.refuse(at, Notice::NotYours);
            }
            Command::Deregister(Whose::Own) => return self.deregister(chat, at),
            Command::Register(Whose::Own) => return self.register(chat, at),
            Command::Who => {
                let everyone = roster::everyone(chat, &self.own);
                self.tell(at, Notice::Who(&everyone));
            }
            Command::Whois(Ok(nick)) => match roster::person(chat, nick) {
                Some(person) => self.tell(at, Notice::Whois(&person)),
                None => {
                    let (to, why) = (To::Peer(*nick), SendError::Unknown);
                    return self.refuse(at, Notice::NotSent { to, why });
                }
            },
            Command::History { of, most } => {
                history::show(chat, (&mut self.display, at, self.own), *of, *most);
            }
            Command::Search(text) => {
                history::search(chat, (&mut self.display, at, self.own), text);
            }
            Command::Wait(span) if self.script.is_some() => self.queue.wait(at.now, *span),
            Command::Wait(_) => self.tell(at, Notice::WaitIsForScripts),
            Command::Help => self.tell(at, Notice::Help),
            Command::Quit => {
                // In a script as the end of the input: what is said is waited for.
                self.queue.end(at.now);
                self.queue.clear();
                if self.script.is_none() {
                    self.leave(chat, at);
                }
            }
        }
        Done::Yes
    }

    fn say(&mut self, chat: &mut impl Chat, at: Moment, to: To, text: &str) -> Done {
        if self.phase == Phase::Offline {
            return self.refuse(at, Notice::YouAreOffline);
        }
        match chat.say(to, text) {
            Ok(id) => {
                let origin = self.script.map(|_| self.current.clone());
                self.sent.said((id, to), text, origin, at.now);
                self.queue.is_crowded_no_more();
                Done::Said(id)
            }
            // A script has time.
            Err(SendError::Full) if self.script.is_some() => {
                self.queue.is_crowded(at.now);
                Done::NotYet
            }
            Err(why) if self.rooms.may_be_member_soon(&to, why) => Done::NotYet,
            Err(why) => self.refuse(at, Notice::NotSent { to, why }),
        }
    }

    fn leave_room(&mut self, chat: &mut impl Chat, at: Moment, room: Option<RoomWord>) -> Done {
        let room = match (room, self.rooms.entered()) {
            (None, None) => return self.refuse(at, Notice::Room(RoomNotice::NotInside)),
            (None, Some(room)) => room,
            (Some(Err(why)), _) => return self.refuse(at, Notice::Room(RoomNotice::BadName(why))),
            (Some(Ok(room)), entered) => {
                let is_member = entered == Some(room) || name_of(chat, &room).is_some();
                if self.phase != Phase::Offline && !is_member {
                    return self.refuse(at, Notice::Room(RoomNotice::NotMember(room)));
                }
                room
            }
        };
        // What was said there before is the room's first: who has left says nothing.
        if self.sent.is_open_to(&To::Room(room)) {
            return Done::NotYet;
        }
        self.request(chat, at, RoomAction::Leave(room))
    }

    fn members(&mut self, chat: &mut impl Chat, at: Moment, room: Option<RoomWord>) -> Done {
        let first = Account(0);
        match room.or(self.rooms.entered().map(Ok)) {
            Some(room) => self
                .request_in(chat, at, room, |of| RoomAction::Members { of: Some(of), from: first }),
            None => self.refuse(at, Notice::Room(RoomNotice::NotInside)),
        }
    }

    fn request_in(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        room: RoomWord,
        action: impl FnOnce(RoomName) -> RoomAction,
    ) -> Done {
        match room {
            Ok(room) => self.request(chat, at, action(room)),
            Err(why) => self.refuse(at, Notice::Room(RoomNotice::BadName(why))),
        }
    }

    pub(super) fn request(&mut self, chat: &mut impl Chat, at: Moment, action: RoomAction) -> Done {
        if self.phase == Phase::Offline {
            return self.refuse(at, Notice::YouAreOffline);
        }
        match chat.request(action) {
            Ok(()) => {}
            Err(CommandError::Full) => return self.refuse(at, Notice::Room(RoomNotice::Full)),
            Err(_) => return self.refuse(at, Notice::YouAreOffline),
        }
        self.rooms.request(at.now, self.script.is_none());
        Done::Asked
    }

    /// What was typed cannot be carried out.
    pub(super) fn refuse(&mut self, at: Moment, why: Notice<'_>) -> Done {
        if self.script.is_some() {
            self.refused = true;
            let origin = &self.current;
            self.display.report(at, origin, &why);
            self.display.show(at, Notice::NotDone { origin, why: &why });
        } else {
            self.tell(at, why);
        }
        Done::No
    }

    fn set_away(&mut self, chat: &mut impl Chat, at: Moment, text: &str) -> Done {
        if self.phase == Phase::Offline {
            return self.refuse(at, Notice::YouAreOffline);
        }
        match chat.set_away(text) {
            Ok(()) => {
                let away = (!text.is_empty()).then(|| SafeText::new(text.as_bytes()));
                self.tell(at, Notice::Away(away));
            }
            Err(CommandError::TooLong { limit }) => {
                return self.refuse(at, Notice::AwayTooLong { limit });
            }
            Err(_) => return self.refuse(at, Notice::YouAreOffline),
        }
        Done::Yes
    }

    fn register(&mut self, chat: &mut impl Chat, at: Moment) -> Done {
        if self.phase != Phase::Offline {
            self.tell(at, Notice::YouAreOnline);
            return Done::Yes;
        }
        match chat.register() {
            Ok(()) => {
                self.silent = None;
                self.phase = Phase::Registering { since: at.now, why: Registering::Asked };
            }
            Err(why) => return self.refuse(at, Notice::CannotRegister(&why)),
        }
        Done::Yes
    }

    fn deregister(&mut self, chat: &mut impl Chat, at: Moment) -> Done {
        match (self.phase, chat.deregister()) {
            (Phase::Offline, _) | (_, Err(_)) => {
                self.phase = Phase::Offline;
                self.tell(at, Notice::YouAreOffline);
            }
            (_, Ok(())) => self.phase = Phase::Leaving { since: at.now, exit: false },
        }
        Done::Yes
    }
}

/// Asks for what is missing.
fn ask(
    chat: &mut impl Chat,
    (display, at): (&mut Display, Moment),
    own: &Nick,
    missing: command::Missing,
) {
    let mut online = roster::everyone(chat, own);
    online.retain(Someone::is_online);
    let missing = match missing {
        command::Missing::Recipient => Missing::Recipient { online: &online },
        command::Missing::Text(nick) => Missing::Text(nick),
        command::Missing::TextForAll => Missing::TextForAll,
    };
    display.show(at, Notice::Missing(missing));
}
