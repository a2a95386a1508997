//! Taking in what the client tells.

use proto_core::{
    client::{Event, Status, SubmitReason, To},
    id::PublicKey,
    wire::{CloseReason, RoomAction, RoomRefusal},
};

use crate::{
    notice::{Message, Notice, RoomMessage, RoomNotice},
    safe_text::SafeText,
};

use super::{
    Chat, Exit, MAILBOX, Moment, Phase, REMINDER, SETTLE, Session,
    passwords::{GivesUp, Wanted},
};

impl Session {
    /// The client tells of `event`; `text` is what it lends: what was said, or names.
    /// [`Self::advance`] is to be called after the last one of a batch.
    #[allow(clippy::too_many_lines)] // one arm an event
    pub(crate) fn handle_event(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        event: &Event,
        text: &[u8],
    ) {
        match *event {
            Event::Registered { returning, mail, limits, server } => {
                self.rooms.registered(at.now, limits.room);
                self.registered(at, server, returning, mail);
            }
            Event::RegisterRefused(why) => {
                self.offline(chat, at);
                self.tell(at, Notice::RegisterRefused(why));
                lost_nick(self, chat, at);
            }
            Event::PasswordWanted { why, wait } => {
                let display = (&mut self.display, at);
                let wanted = Wanted { why, wait, scripted: self.script.is_some() };
                if self.passwords.wanted(chat, display, wanted) == Err(GivesUp) {
                    give_up_nick(self, chat, at);
                }
            }
            Event::AccountResponse { change, result } => {
                self.tell(at, Notice::Account { change, result });
            }
            Event::Deregistered { answered } => self.deregistered(chat, at, answered),
            Event::RosterChanged => self.roster_changed = true,
            Event::Submitted { id, to: To::Peer(to), why } => {
                self.sent.submitted(&id, at.now);
                // Only the newest table knows whether the recipient is offline.
                self.settle(chat, at);
                let is_offline = self.roster.is_offline(&to);
                let is_about_reach =
                    matches!(why, SubmitReason::NoReceipt | SubmitReason::Unreachable);
                let first = is_about_reach && self.sent.is_first_unreachable(&to);
                self.tell(at, Notice::Submitted { to, why, is_offline, first });
            }
            Event::Accepted { id, to } => self.sent.kept((&mut self.display, at), (id, to)),
            Event::Relayed { to } => {
                let first = self.sent.is_first_relayed(&to);
                self.tell(at, Notice::Relayed { to, first });
            }
            Event::Verdict { id, to, verdict } => {
                self.refused |= self.sent.judged((&mut self.display, at), (id, to), verdict);
            }
            Event::Message { from, time, waited, known: false, .. } => {
                let said = Message { from, time, text: SafeText::new(text), waited };
                self.tell(at, Notice::Stranger(said));
            }
            Event::Message { from, position, time, waited, .. } => {
                self.last_from = Some(from);
                let said = Message { from, time, text: SafeText::new(text), waited };
                let notice = Notice::Message(said, position);
                came(self, chat, at, (To::Peer(from), position.to_record_number()), notice);
            }
            Event::RoomMessage { room, index, from, time } => {
                let said = RoomMessage { room, from, time, text: SafeText::new(text) };
                came(self, chat, at, (room, index), Notice::Room(RoomNotice::Message(said, index)));
            }
            Event::RoomLeft { room, why } => self.rooms.left((&mut self.display, at), room, why),
            Event::RoomReset { room } => self.tell(at, Notice::Room(RoomNotice::Reset(room))),
            Event::RoomGap { room, missing, why } => {
                self.rooms.gap((&mut self.display, at), room, missing, why);
            }
            Event::RoomResponse { action, result } => {
                room_response(self, chat, at, (action, result));
            }
            Event::Names { action, last } => {
                self.rooms.names(chat, (&mut self.display, at), (action, last), text);
                if last {
                    self.answered(at, Ok(()));
                }
            }
            Event::Gap { from, missing } => self.tell(at, Notice::Gap { from, missing }),
            Event::Unreadable { from } => self.tell(at, Notice::Unreadable { from }),
            Event::MailboxEmpty if self.mailbox.take().is_some() => {
                self.tell(at, Notice::MailboxEmpty);
            }
            Event::ServerSilent => {
                self.silent.get_or_insert(at.now);
                if !self.display.ends_with_the_server() {
                    let unsaved = chat.open_messages().unsaved;
                    self.tell(at, Notice::ServerSilent { fatal: false, unsaved });
                }
            }
            Event::ServerBack => self.server_back(at),
            Event::WrongServerKey => {
                let advice = chat.key_advice();
                self.tell(at, Notice::WrongServerKey { advice: &advice });
                self.offline(chat, at);
                self.end(chat, at, Some(Exit::Failed));
            }
            Event::Displaced => {
                self.offline(chat, at);
                self.tell(at, Notice::Displaced);
                lost_nick(self, chat, at);
            }
            Event::ServerClosed(why) => self.server_closed(chat, at, why),
            Event::KeyChanged { nick, key, verified } => {
                self.claims.retain(|(claimed, _)| *claimed != nick);
                self.claims.push((nick, key));
                self.tell(at, Notice::KeyChanged { nick, key, verified });
            }
            Event::StoreFailed
                if self.told_failure.is_none_or(|told| at.now.since(told) >= REMINDER) =>
            {
                self.told_failure = Some(at.now);
                let why = chat.store_failure();
                self.tell(at, Notice::StoreFailed { why: &why });
            }
            Event::Violation { by, rule } => self.tell(at, Notice::Violation { by, rule }),
            Event::Damaged => self.tell(at, Notice::Damaged),
            // Nothing to show; so with submissions in a room, which the server is the only way into.
            _ => {}
        }
    }

    fn registered(&mut self, at: Moment, server: PublicKey, returning: bool, mail: bool) {
        let why = match self.phase {
            Phase::Registering { why, .. } => why,
            // It came while the user was leaving already.
            Phase::Leaving { .. } | Phase::Offline | Phase::Online => return,
        };
        self.server_back(at);
        self.passwords.settled();
        self.phase = Phase::Online;
        self.was_online = true;
        self.settling = Some(at.now + SETTLE);
        self.mailbox = mail.then(|| at.now + MAILBOX);
        self.tell(at, Notice::Registered { why, server, returning, mail });
    }

    fn server_back(&mut self, at: Moment) {
        if self.silent.take().is_some() {
            self.tell(at, Notice::ServerBack);
        }
    }

    fn deregistered(&mut self, chat: &mut impl Chat, at: Moment, answered: bool) {
        let exit = matches!(self.phase, Phase::Leaving { exit: true, .. });
        self.offline(chat, at);
        if !answered && self.display.ends_with_the_server() {
            self.tell(at, Notice::ServerSilent { fatal: true, unsaved: 0 });
            self.end(chat, at, Some(Exit::ServerSilent));
        } else if exit {
            self.end(chat, at, (!answered).then_some(Exit::ServerSilent));
        } else {
            self.tell(at, Notice::Offline { answered });
        }
    }

    fn server_closed(&mut self, chat: &mut impl Chat, at: Moment, why: CloseReason) {
        let offline = chat.status() == Status::Offline;
        // Whoever is leaving is told of the end of that instead.
        if !matches!(self.phase, Phase::Leaving { .. }) {
            self.tell(at, Notice::ServerClosed { why, offline });
        }
        if offline {
            self.offline(chat, at);
            lost_nick(self, chat, at);
        }
    }

    /// The client is offline now.
    fn offline(&mut self, chat: &mut impl Chat, at: Moment) {
        chat.release();
        self.passwords.forget_question();
        self.phase = Phase::Offline;
        self.silent = None;
        self.settling = None;
        self.mailbox = None;
        self.sent.all_ways_changed();
        self.rooms.offline();
        self.answered(at, Err(Notice::YouAreOffline));
    }
}

/// The server has answered a request about rooms.
fn room_response(
    session: &mut Session,
    chat: &mut impl Chat,
    at: Moment,
    (action, result): (RoomAction, Result<(), RoomRefusal>),
) {
    let is_told = session.asked.is_none() || result.is_ok();
    let display = is_told.then_some((&mut session.display, at));
    session.rooms.outcome(chat, display, action, result);
    let refused = |why| Notice::Room(RoomNotice::Refused { action, why });
    session.answered(at, result.map_err(refused));
}

/// Something came, and has been seen once it is shown.
fn came(
    session: &mut Session,
    chat: &mut impl Chat,
    at: Moment,
    (with, number): (To, u64),
    notice: Notice<'_>,
) {
    session.tell(at, notice);
    if let Some(conversation) = chat.conversation(&with) {
        session.display.seen(conversation, number);
    }
}

/// At the start, and in a script, there is no going on without a nick.
fn lost_nick(session: &mut Session, chat: &mut impl Chat, at: Moment) {
    if session.script.is_some() || !session.was_online {
        session.end(chat, at, Some(Exit::NickRefused));
    }
}

/// There is nobody who could give a better password.
pub(super) fn give_up_nick(session: &mut Session, chat: &mut impl Chat, at: Moment) {
    // It is not registered, so there is nothing to wait for.
    let _ = chat.deregister();
    chat.release();
    session.phase = Phase::Offline;
    session.end(chat, at, Some(Exit::NickRefused));
}
