//! Carrying out what was typed.

use proto_core::{
    client::{CommandError, SayError, To},
    id::{PublicKey, RoomName},
    time::Instant,
};

use crate::{
    command::{self, Command, Source, Whose, WrongInput},
    notice::{
        HistoryPart, Message, Missing, Notice, Registering, RoomMessage, RoomNotice, Someone,
    },
    safe_text::SafeText,
};

use super::{Chat, Crowded, Moment, PATIENCE, Phase, Sent, Session, events::someone};

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
                self.settling.is_some()
                    || self.rooms.wished.is_some()
                    || self.waiting.is_some_and(|until| until > now)
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
            Command::Send { to: Ok(nick), text } => {
                return self.say(chat, at, To::Peer(*nick), text);
            }
            Command::Send { .. } if self.phase == Phase::Offline => {
                return self.cannot_offline(at);
            }
            Command::Send { to: Err(why), .. } => {
                self.refused |= self.scripted;
                self.tell(at, Notice::NoNick(*why));
            }
            Command::SendAll(text) => return self.say(chat, at, To::Lobby, text),
            Command::SayHere(text) => return self.say_here(chat, at, text),
            Command::Plain(text) if self.rooms.entered.is_some() => {
                return self.say_here(chat, at, text);
            }
            Command::Plain(_) => self.tell(at, Notice::WrongInput),
            Command::Ask(missing) => self.ask(chat, at, *missing),
            Command::Create(room) => return self.create(chat, at, *room),
            Command::Rooms => return self.list_rooms(chat, at),
            Command::Join(room) => return self.join(chat, at, *room),
            Command::Leave(room) => return self.leave_room(chat, at, *room),
            Command::Members(room) => return self.members(chat, at, *room),
            Command::Away(text) => return self.set_away(chat, at, text),
            Command::Back => return self.set_away(chat, at, ""),
            Command::Deregister(Whose::Other) | Command::Register(Whose::Other) => {
                self.tell(at, Notice::NotYours);
            }
            Command::Deregister(Whose::Own) => self.deregister(chat, at),
            Command::Register(Whose::Own) => self.register(chat, at),
            Command::Who if self.phase == Phase::Offline => self.tell(at, Notice::YouAreOffline),
            Command::Who => {
                let everyone = self.everyone(chat);
                self.tell(at, Notice::Who(&everyone));
            }
            Command::History(of) => self.history(chat, at, *of),
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

    pub(super) fn say(&mut self, chat: &mut impl Chat, at: Moment, to: To, text: &str) -> Done {
        if self.phase == Phase::Offline {
            return self.cannot_offline(at);
        }
        match chat.say(to, text) {
            Ok(id) => {
                let text = SafeText::new(text.as_bytes()).excerpt(EXCERPT);
                // What is said in a room needs the server at once.
                let deposited = to.is_room().then_some(at.now);
                self.sent.insert(id, Sent { to, text, kept: false, deposited, stored: false });
                self.crowded = None;
            }
            // A script has time.
            Err(SayError::Full) if self.scripted => {
                self.crowded.get_or_insert(Crowded::Since(at.now));
                return Done::NotYet;
            }
            Err(why) if self.may_be_member_soon(to, why) => return Done::NotYet,
            Err(why) => {
                self.refused |= self.scripted;
                self.tell(at, Notice::NotSent { to, why });
            }
        }
        Done::Yes
    }

    /// When it is told that a script waits for room, which may be soon enough to tell nothing.
    pub(super) fn crowding(&self) -> Option<Instant> {
        match self.crowded {
            Some(Crowded::Since(since)) => Some(since + PATIENCE),
            Some(Crowded::Told) | None => None,
        }
    }

    pub(super) fn tell_crowded(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.crowding().is_some_and(|due| due <= at.now) {
            self.crowded = Some(Crowded::Told);
            let unsaved = chat.open_messages().unsaved;
            self.tell(at, Notice::Crowded { unsaved });
        }
    }

    /// What was typed needs the client to be online.
    pub(super) fn cannot_offline(&mut self, at: Moment) -> Done {
        self.refused |= self.scripted;
        self.tell(at, Notice::YouAreOffline);
        Done::Yes
    }

    fn ask(&mut self, chat: &mut impl Chat, at: Moment, missing: command::Missing) {
        match missing {
            command::Missing::Recipient => {
                let mut online = self.everyone(chat);
                online.retain(Someone::is_online);
                self.tell(at, Notice::Missing(Missing::Recipient { online: &online }));
            }
            command::Missing::Text(nick) => self.tell(at, Notice::Missing(Missing::Text(nick))),
            command::Missing::TextForAll => self.tell(at, Notice::Missing(Missing::TextForAll)),
        }
    }

    /// Everyone but oneself as they are now, sorted by nick.
    fn everyone(&mut self, chat: &mut impl Chat) -> Vec<Someone> {
        let others = chat.peers().into_iter().filter(|peer| peer.nick != self.own);
        let mut everyone: Vec<_> = others.map(|peer| someone(&peer)).collect();
        everyone.sort_by_key(|one| one.nick.folded());
        everyone
    }

    fn set_away(&mut self, chat: &mut impl Chat, at: Moment, text: &str) -> Done {
        if self.phase == Phase::Offline {
            return self.cannot_offline(at);
        }
        match chat.set_away(text) {
            Ok(()) => {
                let away = (!text.is_empty()).then(|| SafeText::new(text.as_bytes()));
                self.tell(at, Notice::Away(away));
            }
            Err(CommandError::TooLong { limit }) => {
                self.refused |= self.scripted;
                self.tell(at, Notice::AwayTooLong { limit });
            }
            Err(_) => {
                return self.cannot_offline(at);
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

    fn history(&mut self, chat: &mut impl Chat, at: Moment, of: Source) {
        let mut nothing = true;
        let sources = sources(chat, of);
        if let (Source::Room(room), []) = (of, &sources[..]) {
            self.tell(at, Notice::Room(RoomNotice::NotMember(room)));
            return;
        }
        for (with, key) in sources {
            let read = chat.history(key, &mut |author, time, text| {
                nothing = false;
                let said = match (with, author) {
                    (To::Peer(from), _) => {
                        HistoryPart::Said(Message { from, time, text, waited: false })
                    }
                    (room, Some(from)) => {
                        HistoryPart::SaidIn(RoomMessage { room, from, time, text })
                    }
                    (To::Lobby | To::Room(_), None) => return,
                };
                self.tell(at, Notice::History(said));
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

/// Which logs a `/history` shows.
fn sources(chat: &mut impl Chat, of: Source) -> Vec<(To, PublicKey)> {
    let peers = chat.peers().into_iter().map(|peer| (To::Peer(peer.nick), peer.log));
    let rooms = chat.rooms().into_iter().map(|room| (room.room, room.key));
    let mut all = peers.chain(rooms);
    match of {
        Source::All => all.collect(),
        Source::Lobby => all.filter(|(with, _)| *with == To::Lobby).collect(),
        Source::Room(room) => all.filter(|(with, _)| *with == To::Room(room)).collect(),
        Source::Named(name) => {
            // Peers come first.
            let room = RoomName::new(name.as_str()).map(To::Room);
            let is_it = |with: To| with == To::Peer(name) || Ok(with) == room;
            all.find(|(with, _)| is_it(*with)).into_iter().collect()
        }
    }
}
