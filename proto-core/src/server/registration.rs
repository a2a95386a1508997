//! Who holds which nick: registering, going offline, and falling silent.

use crate::{
    host::Ask,
    id::{Account, Epoch, Incarnation, PublicKey, Room},
    link::Packet,
    record::{Access, Sentence},
    storage::{Body, Id, List},
    violation::Violation,
    wire::{
        Away, CloseReason, Frame, Limits, MAX_AWAY, PasswordWant, Presence, Register,
        RegisterRefusal, Registered,
    },
};

use super::{
    Event, Logins, ServerLink,
    accounts::Row,
    engine::{Engine, FrameOutcome},
    entry::Stage,
    member::{Registration, ServerRole, Token},
    passwords::Penalty,
};

/// Whether a key gets a nick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It holds the nick.
    Holder(Account),
    /// Nobody does.
    New,
    /// It does with a password; the account is the one that has the nick, if one has.
    Password { why: PasswordWant, account: Option<Account> },
    /// It does not.
    Refused(RegisterRefusal),
}

impl Engine<'_> {
    /// A client asks for its nick: first come, and its owner may always return.
    pub(super) fn register(&mut self, link: Id<ServerLink>, register: &Register) -> FrameOutcome {
        let Some(found) = self.links.get_mut(link) else { return FrameOutcome::Done };
        let key = found.peer;
        match found.role.registration {
            Registration::Saving { .. } | Registration::Looking { .. } => {
                return FrameOutcome::Done;
            }
            Registration::Online { account, .. }
                if self.accounts.get(account).is_some_and(|row| row.nick == register.nick) =>
            {
                found.role.answer = true;
                self.links.wake(link);
                return FrameOutcome::Done;
            }
            Registration::Online { .. } => {
                // An answer to another nick would contradict the one it holds.
                return FrameOutcome::Broken(Violation::SecondNick);
            }
            Registration::None
            | Registration::Refused(_)
            | Registration::Wanted(_)
            | Registration::Left => {}
        }
        if self.is_operated(&register.nick) {
            return FrameOutcome::NoRoom;
        }
        let refusal = match self.admission(key, register) {
            Admission::Holder(account) => {
                return self.take_seat(link, register, account, true, false);
            }
            Admission::New => match self.add_account(key, register) {
                Some(account) => return self.take_seat(link, register, account, false, false),
                None => RegisterRefusal::Full,
            },
            Admission::Password { why, account } => {
                self.ask_password(link, why, account);
                return FrameOutcome::Done;
            }
            Admission::Refused(refusal) => refusal,
        };
        self.answer(link, Registration::Refused(refusal));
        FrameOutcome::Done
    }

    /// A link's client is the account's holder from now on. It may have another key than the
    /// holder before it, and, if `sets`, it has just set the password.
    pub(super) fn take_seat(
        &mut self,
        link: Id<ServerLink>,
        register: &Register,
        account: Account,
        returning: bool,
        sets: bool,
    ) -> FrameOutcome {
        let Some(key) = self.links.get(link).map(|link| link.peer) else {
            return FrameOutcome::Done;
        };
        let epoch = self.next_epoch(Some(account), key, register);
        let Some(row) = self.accounts.get_mut(account) else { return FrameOutcome::NoRoom };
        let Some(epoch) = epoch else {
            self.answer(link, Registration::Refused(RegisterRefusal::Exhausted));
            return FrameOutcome::Done;
        };
        // This run of the client has its epoch from this server, in a run before.
        let knows_more = row.durable
            && row.key == key
            && register.server != Incarnation::NONE
            && register.epoch > Some(row.epoch);
        // Another link may be at it; its end must not undo this one's.
        let older = row.link.replace(link).filter(|older| *older != link);
        let fresh = !row.durable;
        // A version of another run says nothing of this one's.
        let known = register.server == self.state.run && register.roster <= self.state.version;
        let base = if known { register.roster } else { 0 };
        if let Some(found) = self.links.get_mut(link) {
            found.role.reader.base = base;
        }
        let Some(row) = self.accounts.get_mut(account) else { return FrameOutcome::NoRoom };
        let same = (row.key, row.epoch, row.run) == (key, epoch, register.run);
        let changed = !same || fresh || sets;
        (row.epoch, row.run) = (epoch, register.run);
        if knows_more {
            self.notice_put_back();
        }
        if let Some(older) = older {
            self.leave(older);
            self.links.close(older, CloseReason::Displaced, self.state.now);
        }
        if changed {
            self.set_registration(link, Registration::Saving { account, returning, fresh, sets });
            self.ask_link(link, |member| &mut member.save);
        } else {
            self.look(link, account, returning);
        }
        FrameOutcome::Done
    }

    /// A client goes offline by its own will. The link stays, for its answer.
    pub(super) fn deregister(&mut self, link: Id<ServerLink>) -> FrameOutcome {
        let Some(found) = self.links.get(link) else { return FrameOutcome::Done };
        let (address, online) = (found.address, found.role.registration.online());
        self.leave(link);
        if let Some((account, row)) = online.and_then(|a| Some((a, self.accounts.get(a)?))) {
            let nick = row.nick;
            self.tell(Event::Deregistered { account, nick, address });
        }
        self.answer(link, Registration::Left);
        FrameOutcome::Done
    }

    /// The account's record is durable, or could not be made so.
    pub(super) fn account_saved(&mut self, link: Id<ServerLink>, saved: bool) {
        let Some(found) = self.links.get(link) else { return };
        let key = found.peer;
        let Registration::Saving { account, returning, fresh, sets } = found.role.registration
        else {
            return;
        };
        if saved {
            if self.accounts.get(account).is_some_and(|row| row.key != key) {
                self.accounts.set_key(account, key);
                self.renew_pairs(account);
                self.renew_entries(account);
            }
            if let Some(row) = self.accounts.get_mut(account) {
                row.durable = true;
                row.access = if sets { Access::Password } else { row.access };
            }
            self.look(link, account, returning);
            return;
        }
        self.tell(Event::StoreFailed);
        if let Some(row) = self.accounts.get_mut(account) {
            row.link = None;
            if fresh && !row.ventured {
                self.leave_lobby(account);
                self.accounts.remove(account);
            } else {
                // What could not be saved did not happen.
                row.run = Incarnation::NONE;
                if row.presence == Presence::Online {
                    row.presence = Presence::Offline;
                    self.change(account);
                }
            }
            self.answer(link, Registration::Refused(RegisterRefusal::Store));
        }
    }

    /// The client is online from now on; `mailbox` is the last entry that waits
    /// for it, or 0.
    pub(super) fn enter(
        &mut self,
        link: Id<ServerLink>,
        account: Account,
        returning: bool,
        mailbox: u64,
    ) {
        let seen = self.unix();
        let Some(row) = self.accounts.get_mut(account) else { return };
        row.presence = Presence::Online;
        row.seen = seen;
        let nick = row.nick;
        self.answer(link, Registration::Online { account, returning, mailbox });
        self.change(account);
        self.begin_pass(link);
        self.enter_rooms(link, account);
        if let Some(address) = self.links.get(link).map(|link| link.address) {
            self.tell(Event::Registered { account, nick, address, returning });
        }
    }

    /// Undoes what a link's client had going, before the link ends or its client
    /// is offline. What was being relayed to it is saved instead.
    pub(super) fn leave(&mut self, link: Id<ServerLink>) {
        List::remove_from_either(
            [&mut self.state.caught_up, &mut self.state.moved_on],
            self.links.slab_mut(),
            link,
        );
        if let Some(account) =
            self.links.get(link).and_then(|link| link.role.registration.account())
        {
            self.leave_rooms(link, account);
        }
        // The link may go on without this client: what gets lost on it is owed to nobody.
        self.links.disown(link);
        let Some(found) = self.links.get_mut(link) else { return };
        let mut member = core::mem::take(&mut found.role);
        // The nodes are what the lists know this link by.
        found.role.asking = core::mem::replace(&mut member.asking, crate::storage::Node::UNLINKED);
        found.role.stalled =
            core::mem::replace(&mut member.stalled, crate::storage::Node::UNLINKED);
        (found.role.heard, found.role.commanded) = (member.heard, member.commanded);
        found.role.away = member.away;
        self.state.asking_links.remove(self.links.slab_mut(), link);
        self.state.stalled.remove(self.links.slab_mut(), link);
        while let Some(pair) = member.progress.pop_front(&mut self.pairs) {
            self.consider_unused(pair);
        }
        while member.sending.pop_front(&mut self.entries).is_some() {}
        for mut list in [member.refused, member.said, member.told] {
            while let Some(entry) = list.pop_front(&mut self.entries) {
                self.free_entry(entry);
            }
        }
        while let Some(entry) = member.mailbox.queue.pop_front(&mut self.entries) {
            match self.entries.get(entry).map(|entry| entry.stage) {
                Some(Stage::Relaying) => self.store(entry),
                Some(Stage::Stored) => self.free_entry(entry),
                _ => {}
            }
        }
        let Some(account) = member.registration.account() else { return };
        if member.registration.online().is_some() {
            // What it said of being away ends with the link, whoever holds the account by now.
            self.set_away(account, Body::EMPTY);
        }
        if let (Registration::Saving { .. }, Some(row)) =
            (member.registration, self.accounts.get_mut(account))
        {
            row.ventured = true;
        }
        let seen = self.unix();
        let Some(row) = self.accounts.get_mut(account).filter(|row| row.link == Some(link)) else {
            return;
        };
        row.link = None;
        if row.presence == Presence::Online {
            row.presence = Presence::Offline;
            row.seen = seen;
            self.change(account);
        } else if row.durable && self.versions.get(account.0) == 0 {
            // It has its nick, if it never was online: nobody was told so yet.
            self.change(account);
        }
    }

    fn leave_lobby(&mut self, account: Account) {
        let lobby = self.rooms.by_number(Room::LOBBY);
        if let Some(place) = lobby.and_then(|lobby| self.rooms.member(lobby, account)) {
            self.end_membership(place);
        }
    }

    /// A client is away from its keyboard, or back, says the packet `packet` of its link.
    pub(super) fn away(
        &mut self,
        link: Id<ServerLink>,
        packet: u64,
        away: &Away<'_>,
    ) -> FrameOutcome {
        let Some(account) = self.author(link) else { return FrameOutcome::Done };
        let text = away.text.unwrap_or_default();
        if text.len() > MAX_AWAY {
            return FrameOutcome::Broken(Violation::AwayTooLong);
        }
        let Some(member) = self.member(link) else { return FrameOutcome::Done };
        if packet < member.away {
            return FrameOutcome::Done;
        }
        member.away = packet;
        if !self.make_room(text.len(), false) {
            return FrameOutcome::NoRoom;
        }
        let Some(body) = self.pool.store(text.as_bytes()) else { return FrameOutcome::NoRoom };
        self.set_away(account, body);
        self.change(account);
        FrameOutcome::Done
    }

    fn set_away(&mut self, account: Account, text: Body) {
        if let Some(row) = self.accounts.get_mut(account) {
            self.pool.free(core::mem::replace(&mut row.away, text));
        }
    }

    pub(super) fn write_answer(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        let Some(member) = self.member(link).filter(|member| member.answer) else { return };
        let registration = member.registration;
        let frame = match registration {
            Registration::Online { account, returning, mailbox } => {
                let Some(row) = self.accounts.get(account) else { return };
                Frame::Registered(Registered {
                    account,
                    epoch: row.epoch,
                    returning,
                    run: self.state.run,
                    mailbox,
                    rooms: self.rooms.count(row.rooms),
                    limits: Limits {
                        text: self.text_limit(),
                        mail: self.state.config.mail.as_secs() as u32,
                        room: self.state.config.room,
                    },
                })
            }
            Registration::Refused(reason) => Frame::RegisterRefused(reason),
            Registration::Wanted(wanted) => Frame::PasswordWanted(wanted),
            Registration::Left => Frame::Deregistered(()),
            Registration::None | Registration::Saving { .. } | Registration::Looking { .. } => {
                return;
            }
        };
        if packet.push(&frame, Token::Answer)
            && let Some(member) = self.member(link)
        {
            member.answer = false;
        }
    }

    /// Whether a key gets the nick that it asks for.
    pub(super) fn admission(&self, key: PublicKey, register: &Register) -> Admission {
        let admission = self.seat_for(key, register);
        let account = match admission {
            Admission::Holder(account) => Some(account),
            Admission::New => None,
            Admission::Password { account, .. } => account,
            Admission::Refused(_) => return admission,
        };
        let epoch = self.next_epoch(account, key, register);
        epoch.map_or(Admission::Refused(RegisterRefusal::Exhausted), |_| admission)
    }

    fn seat_for(&self, key: PublicKey, register: &Register) -> Admission {
        let by_password = self.state.config.logins == Logins::Password;
        if let Some((account, row)) = self.accounts.by_key(&key).and_then(|a| self.row(a)) {
            return match (row.sentence, row.access) {
                (Sentence::None, _) if row.nick != register.nick => {
                    Admission::Refused(RegisterRefusal::OtherNick)
                }
                (Sentence::None, Access::Key | Access::Reset) if by_password => {
                    Admission::Password { why: PasswordWant::New, account: Some(account) }
                }
                (Sentence::None, _) => Admission::Holder(account),
                _ => Admission::Refused(RegisterRefusal::Banned),
            };
        }
        let Some((account, row)) = self.accounts.by_nick(&register.nick).and_then(|a| self.row(a))
        else {
            let why = PasswordWant::New;
            return if by_password {
                Admission::Password { why, account: None }
            } else {
                Admission::New
            };
        };
        if row.sentence != Sentence::None {
            return Admission::Refused(RegisterRefusal::Banned);
        }
        match row.access.asks_for().filter(|_| by_password && row.durable) {
            Some(why) => Admission::Password { why, account: Some(account) },
            None => Admission::Refused(RegisterRefusal::Taken),
        }
    }

    /// Adds an account that the store does not have yet; `None` if there is no room.
    pub(super) fn add_account(&mut self, key: PublicKey, register: &Register) -> Option<Account> {
        let account = self.accounts.add(Row {
            key,
            nick: register.nick,
            epoch: Epoch(0),
            run: Incarnation::NONE,
            presence: Presence::Offline,
            link: None,
            seen: self.unix(),
            away: Body::EMPTY,
            rooms: List::NEW,
            durable: false,
            ventured: false,
            access: Access::Key,
            sentence: Sentence::None,
            key_number: 0,
            penalty: Penalty::default(),
        })?;
        let lobby = self.rooms.by_number(Room::LOBBY).and_then(|id| self.rooms.get(id));
        let since = lobby.map_or(0, |lobby| lobby.head);
        if !self.admit_to_lobby(account, since) {
            self.accounts.remove(account);
            return None;
        }
        Some(account)
    }

    /// The epoch that a client's run numbers its messages in: its own for ever. Who comes with
    /// another run may have begun from any state that its key ever had, so it gets an epoch that
    /// nobody was ever given: above what the account and the client know of, and, in case both were
    /// put back, above any of an earlier time. `None` if there is none.
    fn next_epoch(
        &self,
        account: Option<Account>,
        key: PublicKey,
        register: &Register,
    ) -> Option<Epoch> {
        let claimed = register.epoch.unwrap_or_default();
        let row = account.and_then(|account| self.accounts.get(account));
        let given = row.map_or(Epoch(0), |row| row.epoch);
        let same_run = row.is_some_and(|row| {
            (row.key, row.run) == (key, register.run) && row.run != Incarnation::NONE
        });
        // It may not have heard of what it was given, but must not know of anything later.
        if same_run && claimed <= given {
            return Some(given);
        }
        let after = given.max(claimed).0.checked_add(1)?;
        Some(Epoch(after.max(self.seconds())))
    }

    fn row(&self, account: Account) -> Option<(Account, &Row)> {
        Some((account, self.accounts.get(account)?))
    }

    /// Looks whether mail waits; the answer brings the client online.
    fn look(&mut self, link: Id<ServerLink>, account: Account, returning: bool) {
        self.set_registration(link, Registration::Looking { account, returning });
        self.ask_link(link, |member| &mut member.load);
    }

    pub(super) fn answer(&mut self, link: Id<ServerLink>, registration: Registration) {
        self.set_registration(link, registration);
        if let Some(member) = self.member(link) {
            member.answer = true;
            self.links.wake(link);
        }
    }

    fn set_registration(&mut self, link: Id<ServerLink>, registration: Registration) {
        if let Some(member) = self.member(link) {
            member.registration = registration;
        }
    }

    /// A link wants something from the host.
    pub(super) fn ask_link(
        &mut self,
        link: Id<ServerLink>,
        which: impl Fn(&mut super::Member) -> &mut Ask,
    ) {
        if let Some(member) = self.member(link) {
            *which(member) = Ask::Owed;
            self.state.asking_links.push_back(self.links.slab_mut(), link);
        }
    }
}
