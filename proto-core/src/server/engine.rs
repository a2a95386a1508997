//! The server at work, for one input and what is owed after it: each frame, answer of the store,
//! deadline and command goes to the component that it is for, and what follows elsewhere is passed
//! on.

use core::net::SocketAddr;

use zeroize::Zeroize;

use crate::{
    host::{Owed, PasswordOutcome, Records, Request, Ticket},
    id::{Account, Nick, RoomName},
    link::{Admit, Arrival, Expired, Fate, LinkStatistics, Links, Statistics},
    role::{FrameOutcome, Receiver},
    storage::{Id, Pool},
    time::Instant,
    violation::Violation,
    wire::{CloseReason, Frame, Login as LoginFrame, MAX_DATAGRAM, Register, RegisterRefusal},
};

use super::{
    accounts::{Accounts, Admission, Change, Saved},
    boot::{Boot, Restored},
    ctx::Ctx,
    event::{Event, OperateError, Operation, RoomOperation},
    mailboxes::{self, Answer, Mailboxes},
    memory::Tables,
    operator::Operator,
    passwords::{Judged, Login, Passwords},
    role::{ClientSession, SentFrame, ServerLink, ServerRole},
    rooms::{RoomRequests, Rooms},
    roster::Roster,
    routing::Router,
    sessions::{self, Registration},
    state::State,
    store::{Asker, Next},
    submit::{self, Messages, Pairs, Submissions},
    view::{AccountView, RoomView, Usage},
};

/// The server for the length of one input and its drain.
pub(super) struct Engine<'a> {
    cx: Ctx<'a>,
    accounts: Accounts<'a>,
    roster: Roster<'a>,
    submissions: Submissions<'a>,
    mailboxes: Mailboxes<'a>,
    rooms: Rooms<'a>,
    passwords: &'a mut Passwords,
    boot: &'a mut Boot,
    operator: &'a mut Operator,
}

impl core::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl<'a> Engine<'a> {
    pub(super) fn new(state: &'a mut State, tables: Tables<'a>, now: Instant) -> Self {
        state.now = now;
        let hash = state.hash;
        let (entries, timers, places) = (tables.entries, tables.entry_timers, tables.by_place);
        let names = (tables.by_nick, tables.by_key);
        let versions = Tables::versions(tables.accounts.len(), tables.versions);
        Self {
            cx: Ctx {
                links: Links::new(&mut state.links, &mut state.link_heads, tables.links),
                messages: Messages::new(entries, timers, places, &mut state.messages, hash),
                pool: Pool::new(tables.blocks, &mut state.pool),
                work: tables.work,
                requests: &mut state.requests,
                events: &mut state.events,
                config: &state.config,
                now: state.now,
                clock: state.clock,
                run: state.run,
            },
            roster: Roster::new(versions, &mut state.roster),
            accounts: Accounts::new(tables.accounts, names, &mut state.accounts, hash),
            submissions: Submissions {
                pairs: Pairs::new(tables.pairs, tables.by_pair, &mut state.pairs, hash),
            },
            mailboxes: Mailboxes::new(&mut state.mail),
            rooms: Rooms::new(tables.rooms, &mut state.rooms, hash),
            passwords: &mut state.passwords,
            boot: &mut state.boot,
            operator: &mut state.operator,
        }
    }

    pub(super) fn handle_datagram<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        // Who is who is known once the accounts are read.
        let ready = self.boot.is_done();
        let admit = &mut |_: &_| if ready { Admit::Yes { outgoing: None } } else { Admit::No };
        match self.cx.links.receive(self.cx.now, from, datagram, admit) {
            Arrival::Packet { link, number, plaintext, .. } => {
                self.take_packet(link, number, plaintext);
                // There may be a password in it.
                plaintext.zeroize();
                None
            }
            Arrival::Reply(reply) => Some(reply),
            Arrival::Nothing | Arrival::Established { .. } => None,
        }
    }

    pub(super) fn handle_timeouts(&mut self) {
        let now = self.cx.now;
        loop {
            let Self { cx: Ctx { links, messages, .. }, submissions, rooms, .. } = self;
            let visit = &mut |session: &mut ClientSession, sent, fate| {
                settle(session, submissions, messages, rooms, sent, fate);
            };
            match links.timeout(now, visit) {
                Some(Expired::Dead(link)) => self.lose(link),
                Some(Expired::Nothing | Expired::Probing(_) | Expired::Unanswered { .. }) => {}
                None => break,
            }
        }
        while let Some(entry) = self.cx.messages.next_due(now) {
            self.router().timeout(entry);
        }
        self.roster.timeout(&mut self.cx, &mut self.accounts);
        if self.cx.requests.is_time_to_retry(now) {
            while let Some(link) = self.cx.requests.retry(self.cx.links.slab_mut()) {
                mailboxes::read_on(&mut self.cx, link);
            }
            self.rooms.retry(&mut self.cx);
            self.submissions.pairs.retry(&mut self.cx);
        }
        self.rooms.timeout(&mut self.cx, &mut self.accounts, &mut self.submissions);
        self.passwords.timeout(&mut self.cx);
        self.boot.timeout(&mut self.cx);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let is_owing = !self.cx.events.is_empty()
            || self.cx.requests.is_owing()
            || self.roster.is_owing()
            || self.rooms.is_owing()
            || self.cx.links.is_owing();
        if is_owing {
            return Some(self.cx.now);
        }
        [
            self.cx.links.deadline(),
            self.cx.messages.deadline(),
            self.cx.requests.deadline(),
            self.roster.deadline(),
            self.rooms.deadline(),
            self.boot.deadline(),
            self.passwords.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Everything the server owes, in the order that keeps its promises: the store
    /// first, since a request must be durable before what relies on it.
    pub(super) fn next_owed(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<Owed<Event>> {
        if let Some(request) = self.next_request() {
            return Some(Owed::Request(request));
        }
        if let Some(event) = self.cx.events.next() {
            return Some(Owed::Event { event, length: 0 });
        }
        self.roster.go_on(&mut self.cx);
        self.rooms.take_turns(&mut self.cx);
        if let Some((to, length)) = self.next_datagram(scratch) {
            return Some(Owed::Send { to, length });
        }
        // Whom there was nothing in memory for has it read from the store.
        self.next_request().map(Owed::Request)
    }

    /// What the last request, or password, is lent from.
    pub(super) fn lent(self) -> (&'a [u8], &'a Passwords) {
        (self.cx.work, self.passwords)
    }

    pub(super) fn handle_stored(&mut self, ticket: Ticket, stored: bool) {
        match Asker::of(ticket) {
            Some(Asker::Account) => self.account_saved(ticket, stored),
            Some(Asker::HandedOver) => mailboxes::forgotten(&mut self.cx, ticket),
            Some(Asker::Message) => self.router().answered(ticket, stored),
            Some(Asker::Pair) => self.submissions.pairs.saved(&mut self.cx, ticket, stored),
            Some(Asker::Place) => self.rooms.place_saved(ticket, stored),
            Some(Asker::Trim) => self.rooms.trimmed(&mut self.cx, ticket, stored),
            Some(Asker::Room) => {
                let Self { cx, accounts, submissions, rooms, .. } = self;
                let mut requests = RoomRequests::new(rooms);
                requests.room_saved(cx, accounts, submissions, ticket, stored);
            }
            Some(Asker::Member) => {
                let Self { cx, accounts, submissions, rooms, .. } = self;
                let mut requests = RoomRequests::new(rooms);
                requests.member_saved(cx, accounts, submissions, ticket, stored);
            }
            Some(Asker::Boot) => self.boot.forgotten(&mut self.cx, ticket),
            Some(Asker::Operator) => self.operation_stored(ticket, stored),
            Some(Asker::Password) => self.passwords.changed(&mut self.cx, ticket, stored),
            Some(
                Asker::Mailbox | Asker::Oldest | Asker::Reader | Asker::Hash | Asker::CheckPassword,
            )
            | None => {}
        }
    }

    pub(super) fn handle_read(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        let Self { cx, accounts, roster, submissions, rooms, .. } = self;
        match Asker::of(ticket) {
            Some(Asker::Mailbox) => self.mail_loaded(ticket, loaded),
            Some(Asker::Pair) => self.pair_loaded(ticket, loaded),
            Some(Asker::Oldest) => rooms.oldest_loaded(cx, accounts, submissions, ticket, loaded),
            Some(Asker::Reader) => rooms.loaded(cx, ticket, loaded),
            Some(Asker::Boot) => {
                let to = &mut Restored { accounts, roster, rooms, submissions };
                self.boot.read(cx, to, ticket, loaded);
            }
            Some(Asker::Hash) => self.passwords.hash_loaded(cx, ticket, loaded),
            // To these, the store says only whether it did what it was asked.
            Some(
                Asker::Account
                | Asker::HandedOver
                | Asker::Message
                | Asker::Place
                | Asker::Room
                | Asker::Trim
                | Asker::Member
                | Asker::CheckPassword
                | Asker::Password
                | Asker::Operator,
            )
            | None => {}
        }
    }

    pub(super) fn handle_checked(&mut self, ticket: Ticket, judgement: PasswordOutcome<'_>) {
        let Self { cx, accounts, passwords, .. } = self;
        let proven = match passwords.judged(cx, accounts, ticket, judgement) {
            Some(Judged::Proven(proven)) => proven,
            Some(Judged::Changed { link, register }) => {
                self.register(link, &register);
                return;
            }
            None => return,
        };
        let (link, register, returning) = (proven.link, proven.register, proven.account.is_some());
        let account = proven.account.or_else(|| self.begin_account(link, &register));
        self.passwords.settle(&mut self.cx, &proven, account);
        match account {
            Some(account) => {
                self.take_seat(link, &register, account, returning, proven.sets);
            }
            None => self.answer(link, Registration::Refused(RegisterRefusal::Full)),
        }
    }

    /// Does something to the account that has a nick.
    pub(super) fn operate(
        &mut self,
        nick: &Nick,
        operation: Operation,
    ) -> Result<(), OperateError> {
        if !self.boot.is_done() {
            return Err(OperateError::Starting);
        }
        let account = self.accounts.table.by_nick(nick);
        if self.operator.is_busy() {
            return Err(OperateError::Busy);
        }
        let account = account.ok_or(OperateError::Unknown)?;
        let nick = self.accounts.nick(account).ok_or(OperateError::Unknown)?;
        let link = self.accounts.link(account);
        let registration = link.and_then(|link| self.cx.links.get(link));
        let registration = registration.map(|link| link.role.seat.registration());
        if matches!(registration, Some(Registration::Saving { .. })) {
            return Err(OperateError::Busy);
        }
        let Self { cx, accounts, passwords, operator, .. } = self;
        passwords.give_up(cx, account, &nick);
        operator.begin(cx, accounts, (account, nick), operation);
        if let Some(link) = link.filter(|_| operation.expels()) {
            self.leave(link);
            self.cx.links.close(link, CloseReason::Expelled, self.cx.now);
        }
        Ok(())
    }

    /// Does something to the room of that name; whether that is to be waited for.
    pub(super) fn operate_room(
        &mut self,
        room: &RoomName,
        operation: RoomOperation,
    ) -> Result<bool, OperateError> {
        if !self.boot.is_done() {
            return Err(OperateError::Starting);
        }
        let Self { cx, accounts, submissions, rooms, .. } = self;
        RoomRequests::new(rooms).operate(cx, accounts, submissions, room, operation)
    }

    /// Every room with a name, for people to look at.
    pub(super) fn for_each_room(&self, visit: impl FnMut(RoomView)) {
        self.rooms.table.views(|creator| self.accounts.nick(creator)).for_each(visit);
    }

    pub(super) fn shut_down(&mut self) {
        for slot in 0..self.cx.links.slab_mut().capacity() as u32 {
            if let Some(link) = self.cx.links.slab_mut().id_at(slot) {
                self.leave(link);
                self.cx.links.close(link, CloseReason::Leaving, self.cx.now);
            }
        }
    }

    /// Every account that the store has, for people to look at.
    pub(super) fn for_each_account(&self, mut visit: impl FnMut(AccountView)) {
        for (view, link) in self.accounts.views() {
            let link = link.and_then(|link| self.cx.links.get(link));
            visit(AccountView { address: link.map(|link| link.address), ..view });
        }
    }

    /// What was counted, and how full the tables of links are.
    pub(super) fn statistics(&self) -> Statistics {
        self.cx.links.statistics()
    }

    /// What is known of an account's session.
    pub(super) fn account_statistics(&self, account: Account) -> Option<LinkStatistics> {
        self.cx.links.get(self.accounts.link(account)?)?.statistics()
    }

    pub(super) fn usage(&self) -> Usage {
        let [rooms, members] = self.rooms.table.usage();
        Usage {
            accounts: self.accounts.usage(),
            entries: self.cx.messages.usage(),
            blocks: (self.cx.pool.used(), self.cx.pool.capacity()),
            recent: self.cx.messages.recent(),
            pairs: self.submissions.pairs.usage(),
            rooms,
            members,
        }
    }

    fn next_request(&mut self) -> Option<Request> {
        self.passwords.end_loan();
        while let Some(next) = self.cx.requests.next() {
            let Self { cx, accounts, submissions, rooms, .. } = self;
            let since = |account| rooms.table.lobby_since(account);
            let request = match next {
                Next::Password(slot) => self.passwords.request(cx, slot),
                Next::Operator => self.operator.request(cx, accounts, since),
                Next::Pair(pair) => submissions.pairs.request(cx, pair),
                Next::Entry(entry) => self.router().request(entry),
                Next::Room(room) => rooms.request(cx, room),
                Next::Member(member) => RoomRequests::new(rooms).request(cx, member),
                Next::Link(link) => {
                    let account = cx.links.get(link).and_then(|link| link.role.seat.account());
                    let mut request = accounts.request_save(cx, link, since);
                    if request.is_none() {
                        request = account.and_then(|of| mailboxes::request(cx, link, of));
                    }
                    if request.is_none() {
                        cx.requests.settle(cx.links.slab_mut(), link);
                    }
                    request
                }
                Next::Boot => Some(self.boot.request(cx, rooms)),
            };
            if request.is_some() {
                return request;
            }
        }
        None
    }

    fn next_datagram(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<(SocketAddr, usize)> {
        let Self { cx, accounts, roster, submissions, rooms, .. } = self;
        if let Some(handshake) = cx.links.next_handshake(scratch) {
            return Some(handshake);
        }
        while let Some((link, mut packet)) = cx.links.begin(cx.now, scratch) {
            if let Some(packet) = packet.as_mut().filter(|packet| !packet.is_closing()) {
                sessions::write(cx, accounts, rooms, link, packet);
                RoomRequests::new(rooms).write(cx, accounts, link, packet);
                submit::write_refusals(cx, link, packet);
                submissions.write_progress(cx, link, packet);
                roster.write(cx, accounts, link, packet);
                mailboxes::write(cx, roster, link, packet);
                rooms.write(cx, link, packet);
            }
            if let Some(sent) = cx.links.finish(link, packet, cx.now) {
                return Some(sent);
            }
        }
        None
    }

    fn router(&mut self) -> Router<'_, 'a> {
        let Self { cx, accounts, roster, submissions, mailboxes, rooms, .. } = self;
        Router { cx, accounts, roster, submissions, mailboxes, rooms }
    }

    /// A client asks for its nick: first come, and its owner may always return.
    fn register(&mut self, link: Id<ServerLink>, register: &Register) -> FrameOutcome {
        let Self { cx, accounts, passwords, operator, .. } = self;
        let Some(found) = cx.links.get_mut(link) else { return FrameOutcome::Done };
        let key = found.peer;
        match found.role.seat.registration() {
            Registration::Saving { .. } | Registration::Looking { .. } => {
                return FrameOutcome::Done;
            }
            Registration::Online { account, .. } => {
                if accounts.nick(account) != Some(register.nick) {
                    // An answer to another nick would contradict the one it holds.
                    return FrameOutcome::Broken(Violation::SecondNick);
                }
                found.role.seat.answer_again();
                cx.links.wake(link);
                return FrameOutcome::Done;
            }
            Registration::None
            | Registration::Refused(_)
            | Registration::Wanted(_)
            | Registration::Left => {}
        }
        if operator.is_at(&register.nick) {
            return FrameOutcome::NoRoom;
        }
        let refusal = match accounts.admission(cx, key, register) {
            Admission::Holder(account) => {
                return self.take_seat(link, register, account, true, false);
            }
            Admission::New => match self.begin_account(link, register) {
                Some(account) => return self.take_seat(link, register, account, false, false),
                None => RegisterRefusal::Full,
            },
            Admission::Password { why, account } => {
                passwords.ask_for(cx, accounts, link, why, account);
                return FrameOutcome::Done;
            }
            Admission::Refused(refusal) => refusal,
        };
        self.answer(link, Registration::Refused(refusal));
        FrameOutcome::Done
    }

    fn login(&mut self, link: Id<ServerLink>, login: &LoginFrame<'_>) -> FrameOutcome {
        let Self { cx, accounts, passwords, operator, .. } = self;
        let is_operated = operator.is_at(&login.register.nick);
        match passwords.login(cx, accounts, link, login, is_operated) {
            Login::Over(taken) => taken,
            Login::WithoutPassword => self.register(link, &login.register),
        }
    }

    /// Adds an account that the store does not have yet; `None` if there is no room.
    fn begin_account(&mut self, link: Id<ServerLink>, register: &Register) -> Option<Account> {
        let (key, from) = self.cx.links.get(link).map(|link| (link.peer, link.address.ip()))?;
        let interval = self.cx.config.nick_interval;
        if let Some(burst) = self.accounts.share(self.cx.config.nick_burst)
            && !self.cx.links.allows_newcomer(self.cx.now, from, burst, interval)
        {
            return None;
        }
        let account = self.accounts.begin(&self.cx, key, register)?;
        if !RoomRequests::new(&mut self.rooms).admit(&mut self.accounts, account, None) {
            self.accounts.table.remove(account);
            return None;
        }
        Some(account)
    }

    /// A link's client is the account's holder from now on.
    fn take_seat(
        &mut self,
        link: Id<ServerLink>,
        register: &Register,
        account: Account,
        returning: bool,
        sets: bool,
    ) -> FrameOutcome {
        let seated = match self.accounts.take_seat(&mut self.cx, link, register, account, sets) {
            Some(Ok(seated)) => seated,
            Some(Err(refusal)) => {
                self.answer(link, Registration::Refused(refusal));
                return FrameOutcome::Done;
            }
            None => return FrameOutcome::NoRoom,
        };
        self.roster.resume(&mut self.cx, link, register);
        if let Some(older) = seated.older {
            self.leave(older);
            self.cx.links.close(older, CloseReason::Displaced, self.cx.now);
        }
        if seated.changed {
            let fresh = seated.fresh;
            let saving = Registration::Saving { account, returning, fresh, sets };
            sessions::save(&mut self.cx, link, saving);
        } else {
            self.look(link, account, returning);
        }
        FrameOutcome::Done
    }

    /// The account's record is durable, or could not be made so.
    fn account_saved(&mut self, ticket: Ticket, saved: bool) {
        let Some(link) = self.cx.links.slab_mut().id_at(ticket.slot) else { return };
        if !self.cx.session(link).is_some_and(|session| session.seat.save_answered(ticket)) {
            return;
        }
        let Self { cx, accounts, roster, submissions, rooms, .. } = self;
        match accounts.saved(cx, link, saved) {
            Some(Saved::Durable { account, returning, renewed }) => {
                if renewed {
                    submissions.renew(cx, accounts, account);
                    mailboxes::renew(cx, accounts, account);
                    roster.change(cx, account);
                }
                self.look(link, account, returning);
                return;
            }
            Some(Saved::Not { account, changed: true }) => {
                roster.change_presence(cx, accounts, account);
            }
            Some(Saved::Void { account }) => {
                RoomRequests::new(rooms).end_all(cx, accounts, submissions, account);
                accounts.table.remove(account);
                if account.before().is_some() {
                    // Those who looked meanwhile were not told that it is gone.
                    roster.change(cx, account);
                }
            }
            Some(Saved::Not { .. }) => {}
            None => return,
        }
        self.answer(link, Registration::Refused(RegisterRefusal::Store));
    }

    /// Looks whether mail waits; the answer brings the client online.
    fn look(&mut self, link: Id<ServerLink>, account: Account, returning: bool) {
        sessions::look(&mut self.cx, link, account, returning);
        mailboxes::look(&mut self.cx, link);
    }

    /// What the store has of a client's mailbox.
    fn mail_loaded(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        let Self { cx, accounts, submissions, .. } = self;
        let Some(link) = mailboxes::waits_for(cx, ticket) else { return };
        let seat = cx.links.get(link).map(|link| link.role.seat.registration());
        match (mailboxes::loaded(cx, accounts, submissions, link, loaded), seat) {
            (Some(Answer::Read { last, whole }), seat) => {
                if let Some(Registration::Looking { account, returning }) = seat {
                    self.enter(link, account, returning, last);
                }
                mailboxes::go_on(&mut self.cx, link, whole);
            }
            (Some(Answer::Failed), Some(Registration::Looking { .. })) => {
                self.leave(link);
                self.answer(link, Registration::Refused(RegisterRefusal::Store));
            }
            (Some(Answer::Failed), _) => mailboxes::stall(cx, link),
            (None, _) => {}
        }
    }

    /// The client is online from now on; `mailbox` is the last entry that waits
    /// for it, or 0.
    fn enter(&mut self, link: Id<ServerLink>, account: Account, returning: bool, mailbox: u64) {
        let Self { cx, accounts, roster, rooms, .. } = self;
        if mailbox != 0
            && let Some(session) = cx.session(link)
        {
            session.mailbox.begin_with_mail();
        }
        accounts.enter(cx, account);
        sessions::answer(cx, link, Registration::Online { account, returning, mailbox });
        roster.change_presence(cx, accounts, account);
        roster.begin_pass(cx, link);
        rooms.enter_all(cx, accounts, link, account);
        let address = cx.links.get(link).map(|link| link.address);
        if let Some((address, nick)) = address.zip(accounts.nick(account)) {
            cx.tell(Event::Registered { account, nick, address, returning });
        }
    }

    /// A client goes offline by its own will. The link stays, for its answer.
    fn deregister(&mut self, link: Id<ServerLink>) -> FrameOutcome {
        let Some(found) = self.cx.links.get(link) else { return FrameOutcome::Done };
        let (address, online) = (found.address, found.role.seat.online());
        self.leave(link);
        if let Some((account, nick)) = online.and_then(|a| Some((a, self.accounts.nick(a)?))) {
            self.cx.tell(Event::Deregistered { account, nick, address });
        }
        self.answer(link, Registration::Left);
        FrameOutcome::Done
    }

    /// Undoes what a link's client had going, before the link ends or its client
    /// is offline. What was being relayed to it is saved instead.
    fn leave(&mut self, link: Id<ServerLink>) {
        let Self { cx, accounts, roster, submissions, mailboxes, rooms, .. } = self;
        roster.leave(cx, link);
        if let Some(account) = cx.links.get(link).and_then(|link| link.role.seat.account()) {
            rooms.leave_all(cx, accounts, submissions, (link, account));
        }
        // The link may go on without this client: what gets lost on it is owed to nobody.
        cx.links.disown(link);
        let Some(found) = cx.links.get_mut(link) else { return };
        let gone = found.role.leave();
        cx.requests.settle(cx.links.slab_mut(), link);
        cx.requests.forgive(cx.links.slab_mut(), link);
        submissions.leave(cx, gone.author);
        mailboxes.leave(cx, accounts, submissions, gone.mailbox);
        match accounts.leave(cx, link, &gone.seat) {
            Some((account, Change::Left)) => roster.change_presence(cx, accounts, account),
            Some((account, Change::Named)) => roster.change(cx, account),
            None => {}
        }
    }

    /// A link fell silent for good.
    fn lose(&mut self, link: Id<ServerLink>) {
        let account = self.cx.online(link);
        self.leave(link);
        self.cx.links.remove(link);
        if let Some(event) = account.and_then(|account| self.accounts.lose(account)) {
            self.cx.tell(event);
        }
    }

    /// The store has done a step of what the operator wants, or could not.
    fn operation_stored(&mut self, ticket: Ticket, stored: bool) {
        let Self { cx, accounts, roster, submissions, rooms, operator, .. } = self;
        let Some(stored) = operator.stored(cx, accounts, ticket, stored) else { return };
        if let Some(account) = stored.removed {
            RoomRequests::new(rooms).end_all(cx, accounts, submissions, account);
            accounts.table.retire(account);
            mailboxes::renew(cx, accounts, account);
            roster.change(cx, account);
        }
        if let Some(event) = stored.over {
            cx.tell(event);
        }
    }

    /// What the store has of a pair: what waited for that is taken in.
    fn pair_loaded(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        let Self { cx, accounts, submissions, rooms, .. } = self;
        let last = |recipient| rooms.table.last_of(recipient);
        let Some((pair, loaded)) = submissions.pairs.read(cx, ticket, loaded, last) else { return };
        submissions.loaded(cx, accounts, pair, loaded);
        self.router().take_next(pair);
        self.submissions.pairs.consider_unused(&mut self.cx, pair);
    }

    fn answer(&mut self, link: Id<ServerLink>, registration: Registration) {
        sessions::answer(&mut self.cx, link, registration);
    }

    fn acknowledged(
        &mut self,
        link: Id<ServerLink>,
        number: u64,
        ack: &crate::wire::Ack,
    ) -> FrameOutcome {
        let Self { cx, submissions, rooms, .. } = self;
        let Ctx { links, messages, .. } = cx;
        let visit = &mut |session: &mut ClientSession, sent, fate| {
            settle(session, submissions, messages, rooms, sent, fate);
        };
        if let Err(rule) = links.acknowledged(link, ack, cx.now, visit) {
            return FrameOutcome::Broken(rule);
        }
        if let Some(session) = cx.session(link) {
            session.author.forget_heard(number);
        }
        self.roster.settle(cx, link);
        FrameOutcome::Done
    }
}

impl<'a> Receiver<'a> for Engine<'a> {
    type Role = ServerRole;

    fn links(&mut self) -> (&mut Links<'a, ServerRole>, Instant) {
        (&mut self.cx.links, self.cx.now)
    }

    fn take_frame(&mut self, link: Id<ServerLink>, number: u64, frame: &Frame<'_>) -> FrameOutcome {
        let Self { cx, accounts, roster, submissions, rooms, .. } = self;
        match frame {
            Frame::Ack(ack) => return self.acknowledged(link, number, ack),
            Frame::Ping(()) => {}
            Frame::Credit(limit) => {
                if let Some(found) = cx.links.get_mut(link) {
                    found.credit.raise(*limit);
                    cx.links.wake(link);
                }
            }
            Frame::Rekey(_) | Frame::Rekeyed(_) => return self.take_rekey(link, frame),
            Frame::Close(_) => {
                self.leave(link);
                self.cx.links.remove(link);
            }
            Frame::Register(register) => return self.register(link, register),
            Frame::Login(login) => return self.login(link, login),
            Frame::AccountRequest(request) => {
                let Self { cx, accounts, passwords, operator, .. } = self;
                let nick = cx.online(link).and_then(|account| accounts.nick(account));
                let is_operated = nick.is_some_and(|nick| operator.is_at(&nick));
                return passwords.handle(cx, accounts, (link, number), request, is_operated);
            }
            Frame::Deregister(()) => return self.deregister(link),
            Frame::Submit(submit) => return self.router().submit(link, number, submit),
            Frame::StatusQuery(query_status) => {
                return self.router().query_status(link, query_status.to);
            }
            Frame::MailAck(ack) => {
                return mailboxes::acknowledged(cx, accounts, submissions, link, ack);
            }
            Frame::Read(read) => rooms.heard(cx, accounts, submissions, link, *read),
            Frame::RoomRequest(command) => {
                let mut requests = RoomRequests::new(rooms);
                return requests.handle(cx, accounts, submissions, (link, number), *command);
            }
            Frame::Away(away) => match sessions::away(cx, accounts, link, number, away) {
                Ok(Some(account)) => roster.change_presence(cx, accounts, account),
                Ok(None) => {}
                Err(taken) => return taken,
            },
            Frame::Registered(_)
            | Frame::RegisterRefused(_)
            | Frame::PasswordWanted(_)
            | Frame::AccountResponse(_)
            | Frame::Deregistered(())
            | Frame::Roster(_)
            | Frame::Message(_)
            | Frame::Receipt(_)
            | Frame::DeliveryStatus(_)
            | Frame::SubmitRefused(_)
            | Frame::KeyHistory(_)
            | Frame::Mail(_)
            | Frame::MailboxEmpty(())
            | Frame::Joined(_)
            | Frame::Left(_)
            | Frame::RoomEntry(_)
            | Frame::Trimmed(_)
            | Frame::RoomResponse(_)
            | Frame::Names(_) => return FrameOutcome::Broken(Violation::UnexpectedFrame),
        }
        FrameOutcome::Done
    }

    fn end(&mut self, link: Id<ServerLink>, rule: Violation) {
        if let Some(found) = self.cx.links.get(link) {
            let (account, address) = (found.role.seat.account(), found.address);
            let nick = account.and_then(|account| self.accounts.nick(account));
            self.cx.tell(Event::Violation { nick, address, rule });
        }
        self.leave(link);
        self.cx.links.close(link, rule.reason(), self.cx.now);
    }
}

/// What a packet carried arrived or was lost: what was lost is owed again.
fn settle(
    session: &mut ClientSession,
    submissions: &mut Submissions<'_>,
    messages: &mut Messages<'_>,
    rooms: &mut Rooms<'_>,
    sent: SentFrame,
    fate: Fate,
) {
    match (sent, fate) {
        (SentFrame::Page { serial, low }, fate) => {
            session.roster.fate(serial, low, fate == Fate::Lost);
        }
        (SentFrame::Refusal(serial), fate) => session.author.refusal_fate(serial, fate),
        (_, Fate::Acked) => {}
        (SentFrame::Answer, _) => session.seat.answer_again(),
        (SentFrame::AccountResponse, _) => session.asked.response_lost(),
        (SentFrame::Reply, _) => session.requester.reply_lost(),
        (SentFrame::Empty, _) => session.mailbox.empty_lost(),
        (SentFrame::DeliveryStatus(pair), _) => {
            // Who is no longer online asks when it returns.
            if session.seat.online().is_some() {
                submissions.progress_lost(&mut session.author, pair);
            }
        }
        (SentFrame::KeyHistory(id), _) => session.mailbox.lost(messages, id, None),
        (SentFrame::Piece(id, run), _) => session.mailbox.lost(messages, id, Some(run)),
        (
            SentFrame::Left(_)
            | SentFrame::Joined(_)
            | SentFrame::Gone(_)
            | SentFrame::Entry { .. },
            _,
        ) => {
            rooms.lost(&mut session.turns, sent);
        }
    }
}
