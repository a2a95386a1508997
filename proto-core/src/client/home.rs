//! The client and its server: registering, staying registered, and leaving.

use heapless::Deque;

use crate::{
    id::{Account, Epoch, Incarnation},
    link::{OutgoingHandshake, Packet, Target},
    storage::Id,
    time::Instant,
    violation::Violation,
    wire::{CloseReason, Frame, Limits, Register, RegisterRefusal, Registered, Roster},
};

use super::{
    ClientLink, CommandError, Config, Event, Status,
    conversation::{ClientRole, Token},
    engine::{Engine, FrameOutcome},
    login::Login,
    outgoing::Stage,
};

/// Tries with a wrong key after which the server counts as another one.
const WRONG_KEY_TRIES: u32 = 3;

/// Events about the server that wait to be told: more than happen between two polls.
const NEWS: usize = 16;

/// Where the client stands with its server.
#[derive(Debug, Default)]
pub(super) struct Home {
    phase: Phase,
    leaving: Option<Leaving>,
    link: Option<Id<ClientLink>>,
    dial: Option<Id<OutgoingHandshake>>,
    /// To register as soon as the durable state is read.
    wanted: bool,
    /// The user asked to register, and is told when it is done.
    announce: bool,
    account: Option<Account>,
    limits: Option<Limits>,
    /// The last mailbox entry that waited at registration.
    waiting: u64,
    /// The user was told that mail waits, and is told when it was handed over.
    mail: bool,
    /// Since when an answer is owed, while nothing at all comes.
    asked: Option<Instant>,
    silent: bool,
    pub(super) login: Login,
    roster: RosterCursor,
    news: Deque<Event, NEWS>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Offline,
    /// A handshake is under way.
    Reaching,
    /// The server was asked for the nick.
    Registering,
    Online,
}

/// The two steps of going offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// What is open is being deposited.
    Depositing,
    /// The server is being told.
    Saying,
}

/// How far the client has the roster.
#[derive(Clone, Copy, Debug, Default)]
struct RosterCursor {
    /// The run of the server that it is of.
    run: Incarnation,
    /// Every change up to this version.
    have: u64,
    /// Of the pass that is under way, the accounts below this one.
    at: u32,
    /// Its last page has come.
    ended: bool,
    changed: bool,
}

impl Home {
    pub(super) fn status(&self) -> Status {
        match (self.leaving, self.phase) {
            (Some(_), _) => Status::Leaving,
            (None, Phase::Offline) if self.wanted => Status::Loading,
            (None, Phase::Offline) => Status::Offline,
            (None, Phase::Reaching | Phase::Registering) => Status::Registering,
            (None, Phase::Online) => Status::Online,
        }
    }

    pub(super) fn link(&self) -> Option<Id<ClientLink>> {
        self.link
    }

    /// The link, while it can be asked to take deposits.
    pub(super) fn online(&self) -> Option<Id<ClientLink>> {
        self.link.filter(|_| self.phase == Phase::Online)
    }

    /// The client is not offline by its own will.
    pub(super) fn was_online(&self) -> bool {
        self.phase != Phase::Offline
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// The server has said who is there.
    pub(super) fn knows_roster(&self) -> bool {
        self.phase == Phase::Online && self.roster.have > 0
    }

    pub(super) fn is_owing(&self) -> bool {
        !self.news.is_empty()
    }

    pub(super) fn is_registering(&self) -> bool {
        self.phase == Phase::Registering
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.asked.into_iter().chain(self.login.deadline()).min()
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.news.pop_front()
    }

    /// The last mailbox entry that waited at registration.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The longest text that the server takes, in bytes.
    pub(super) fn text_limit(&self) -> u32 {
        self.limits.map_or(u32::MAX, |limits| limits.text)
    }

    pub(super) fn tell(&mut self, event: Event) {
        let says_it_all =
            matches!(event, Event::RosterChanged | Event::StoreFailed | Event::Damaged);
        if says_it_all && self.news.iter().any(|told| *told == event)
            || self.news.back() == Some(&event)
        {
            return;
        }
        if self.news.is_full() {
            self.news.pop_front();
        }
        // There is room: the oldest just gave way.
        let _ = self.news.push_back(event);
    }
}

impl Engine<'_> {
    pub(super) fn register(&mut self) -> Result<(), CommandError> {
        let home = &mut self.state.home;
        if home.phase != Phase::Offline || home.wanted {
            return Err(CommandError::Online);
        }
        home.announce = true;
        home.wanted = !self.state.loading.is_done();
        if !home.wanted {
            self.set_out();
        }
        Ok(())
    }

    pub(super) fn deregister(&mut self) -> Result<(), CommandError> {
        let home = &mut self.state.home;
        if home.phase == Phase::Offline && !home.wanted {
            return Err(CommandError::Offline);
        }
        if core::mem::take(&mut home.wanted) {
            home.tell(Event::Deregistered { answered: false });
            return Ok(());
        }
        home.leaving = home.leaving.or(Some(Leaving::Depositing));
        self.expect_answer();
        self.pump_all();
        self.consider_leaving();
        Ok(())
    }

    /// The durable state was read.
    pub(super) fn loaded(&mut self) {
        self.state.home.tell(Event::Ready);
        self.fetch_all();
        if core::mem::take(&mut self.state.home.wanted) {
            self.set_out();
        }
    }

    /// Once nothing is left that the server could save, it is told good-bye.
    pub(super) fn consider_leaving(&mut self) {
        let depositing = self.state.home.leaving == Some(Leaving::Depositing);
        if depositing && !self.may_be_saved() {
            self.state.home.leaving = Some(Leaving::Saying);
            self.expect_answer();
            self.request();
        }
    }

    /// The server may save something that it does not have yet. For whom it does not know, as
    /// one that began anew, it keeps nothing.
    fn may_be_saved(&self) -> bool {
        if self.state.unsaved == 0 || !self.state.home.knows_roster() {
            return self.state.unsaved > 0;
        }
        let mut at = self.state.active.front();
        while let Some((id, peer)) = at.and_then(|id| Some((id, self.peers.get(id)?))) {
            at = peer.active.next();
            let is_known = peer.recipient.is_some() || peer.with.is_room();
            let first = self.first_where(id, Stage::is_unsaved);
            let is_saving = first.is_some_and(|(_, message)| message.stage == Stage::Saving);
            if is_saving || is_known && (first.is_some() || peer.has_behind()) {
                return true;
            }
        }
        false
    }

    /// The server owes an answer from now on.
    pub(super) fn expect_answer(&mut self) {
        let home = &self.state.home;
        if home.phase != Phase::Offline && (!home.silent || home.leaving.is_some()) {
            let at = self.state.now + self.state.config.patience;
            self.state.home.asked.get_or_insert(at);
        }
    }

    pub(super) fn home_timeout(&mut self) {
        self.login_timeout();
        let now = self.state.now;
        let home = &mut self.state.home;
        if home.asked.is_none_or(|at| at > now) {
            return;
        }
        home.asked = None;
        if home.leaving.is_some() {
            self.go_offline();
            self.state.home.tell(Event::Deregistered { answered: false });
        } else {
            home.silent = true;
            home.tell(Event::ServerSilent);
        }
    }

    /// A Hello to the server, unless one is under way.
    pub(super) fn reach_home(&mut self) {
        if self.state.home.dial.is_some() {
            return;
        }
        let Config { server, server_key, .. } = self.state.config;
        let target = Target::Server(server_key);
        self.state.home.dial = self.links.begin_handshake(self.state.now, server, target);
    }

    /// The handshake with the server is through.
    pub(super) fn home_reached(&mut self, link: Id<ClientLink>) {
        self.state.home.dial = None;
        if self.state.home.phase == Phase::Offline {
            self.links.remove(link);
            return;
        }
        if let Some(older) = self.state.home.link {
            self.leave(older);
            self.links.remove(older);
        }
        // From now on, this is the server.
        self.state.config.server_key = self.links.get(link).map(|link| link.peer);
        self.state.home.link = Some(link);
        self.state.home.phase = Phase::Registering;
        self.heard_home();
        self.expect_answer();
        self.request();
    }

    /// Something authentic came from the server.
    pub(super) fn home_heard(&mut self, link: Id<ClientLink>) {
        if self.state.home.link != Some(link) {
            return;
        }
        if let Some(dial) = self.state.home.dial.take() {
            self.links.end_handshake(dial);
        }
        self.heard_home();
    }

    pub(super) fn home_unanswered(&mut self, tries: u32, wrong_key: bool) {
        if wrong_key && tries >= WRONG_KEY_TRIES {
            self.go_offline();
            self.state.home.tell(Event::WrongServerKey);
        }
    }

    /// The link to the server is gone; the client goes on trying.
    pub(super) fn home_lost(&mut self) {
        if self.state.home.phase != Phase::Offline {
            self.state.home.phase = Phase::Reaching;
            self.expect_answer();
            self.reach_home();
        }
    }

    /// The server ended the link, or what it said could not be understood.
    pub(super) fn home_closed(&mut self, reason: CloseReason) {
        if self.state.home.phase == Phase::Offline {
            return;
        }
        if reason == CloseReason::Leaving {
            self.home_lost();
            return;
        }
        self.go_offline();
        self.state.home.tell(match reason {
            CloseReason::Displaced => Event::Displaced,
            reason => Event::ServerClosed(reason),
        });
    }

    pub(super) fn registered(
        &mut self,
        link: Id<ClientLink>,
        registered: &Registered,
    ) -> FrameOutcome {
        let Registered { account, epoch, returning, run, mailbox, rooms, limits } = *registered;
        if self.state.home.leaving == Some(Leaving::Saying) {
            // The request to be online may have come after the good-bye, and undone it.
            self.request();
        }
        let home = &mut self.state.home;
        if home.phase != Phase::Registering {
            return FrameOutcome::Done;
        }
        // In an epoch that was used before, numbers would be given twice.
        if epoch < self.state.epoch || epoch <= self.state.former {
            return FrameOutcome::Broken(Violation::UsedEpoch);
        }
        home.phase = Phase::Online;
        home.login.forget();
        home.account = Some(account);
        home.limits = Some(limits);
        home.waiting = mailbox;
        (home.roster.at, home.roster.ended) = (0, false);
        let anew = run != home.roster.run;
        if core::mem::take(&mut home.announce)
            && let Some(server) = self.links.get(link).map(|link| link.peer)
        {
            let mail = mailbox != 0;
            self.state.home.mail = mail;
            self.state.home.tell(Event::Registered { returning, mail, server, limits });
        }
        if mailbox == 0 && core::mem::take(&mut self.state.home.mail) {
            // All was handed over before the server was lost, which could say so no more.
            self.state.home.tell(Event::MailboxEmpty);
        }
        if anew {
            let roster = &mut self.state.home.roster;
            (roster.run, roster.have) = (run, 0);
            self.peers.forget_roster();
        }
        if epoch != self.state.epoch {
            self.state.epoch = epoch;
            self.save_self();
        }
        self.begin_rooms(rooms);
        self.inquire_all();
        self.pump_all();
        self.consider_leaving();
        FrameOutcome::Done
    }

    pub(super) fn register_refused(&mut self, reason: RegisterRefusal) -> FrameOutcome {
        if self.state.home.phase == Phase::Registering {
            self.go_offline();
            self.state.home.tell(Event::RegisterRefused(reason));
            return FrameOutcome::Done;
        }
        // A request that came after the good-bye changed nothing.
        self.deregistered()
    }

    pub(super) fn deregistered(&mut self) -> FrameOutcome {
        if self.state.home.leaving == Some(Leaving::Saying) {
            self.go_offline();
            self.state.home.tell(Event::Deregistered { answered: true });
        }
        FrameOutcome::Done
    }

    pub(super) fn mailbox_empty(&mut self) -> FrameOutcome {
        if self.state.home.is_registering() {
            // What says that mail waits at all is on its way.
            return FrameOutcome::NoRoom;
        }
        if core::mem::take(&mut self.state.home.mail) {
            self.state.home.tell(Event::MailboxEmpty);
        }
        FrameOutcome::Done
    }

    /// A page of the roster. Pages may come out of order or twice: an entry counts
    /// if it is newer than what is known.
    pub(super) fn roster(&mut self, page: &Roster<'_>) -> FrameOutcome {
        if self.state.home.online().is_none() {
            // Of which run it is comes with the Registered, which is on its way.
            return FrameOutcome::NoRoom;
        }
        let server = self.state.config.server_key.map_or(0, |key| key.tag());
        for entry in page.entries() {
            let Ok(entry) = entry else { return FrameOutcome::Broken(Violation::BadFrame) };
            if entry.key == self.links.identity().public() {
                self.state.home.roster.changed = true;
                continue;
            }
            // Who finds no room here can be written to by those who have more.
            let Some((peer, changed)) = self.peers.update(&entry, server, &mut self.pool) else {
                continue;
            };
            self.state.home.roster.changed |= changed;
            self.peer_changed(peer);
        }
        let cursor = &mut self.state.home.roster;
        if page.base > cursor.have {
            // The server goes on only once all pages of a pass have arrived here.
            (cursor.have, cursor.at, cursor.ended) = (page.base, 0, false);
        }
        cursor.ended |= page.last;
        // A page of an earlier pass that comes late says nothing of this one.
        if page.base == cursor.have && page.low.0 <= cursor.at {
            cursor.at = cursor.at.max(page.high.0);
            if page.last {
                (cursor.have, cursor.at) = (page.upto, 0);
            }
        }
        self.consider_leaving();
        let cursor = &mut self.state.home.roster;
        // Pages may swap places: what comes behind the last one is told as well.
        if cursor.ended && core::mem::take(&mut cursor.changed) {
            self.state.home.tell(Event::RosterChanged);
        }
        FrameOutcome::Done
    }

    /// Nothing is sent or taken in any more.
    pub(super) fn go_offline(&mut self) {
        let home = &mut self.state.home;
        home.phase = Phase::Offline;
        home.leaving = None;
        home.asked = None;
        home.silent = false;
        home.wanted = false;
        home.login.forget();
        self.end_wishes();
        let home = &mut self.state.home;
        if let Some(dial) = home.dial.take() {
            self.links.end_handshake(dial);
        }
        for slot in 0..self.links.slab_mut().capacity() as u32 {
            if let Some(link) = self.links.slab_mut().id_at(slot) {
                self.leave(link);
                self.links.close(link, CloseReason::Leaving, self.state.now);
            }
        }
        for slot in 0..self.peers.slab.capacity() as u32 {
            let peer = self.peers.slab.id_at(slot).and_then(|id| self.peers.get_mut(id));
            if let Some(dial) = peer.and_then(|peer| peer.dial.take()) {
                self.links.end_handshake(dial);
            }
        }
        self.pause_all();
    }

    pub(super) fn write_request(
        &mut self,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        if !self.contact(link).is_some_and(|contact| contact.request) {
            return;
        }
        let home = &self.state.home;
        let epoch = Some(self.state.epoch.max(self.state.former));
        let epoch = epoch.filter(|epoch| *epoch != Epoch(0));
        let frame = match (home.phase, home.leaving) {
            (_, Some(Leaving::Saying)) => Frame::Deregister(()),
            (Phase::Registering, _) => {
                let register = Register {
                    nick: self.state.config.nick,
                    epoch,
                    run: self.state.run,
                    server: home.roster.run,
                    roster: home.roster.have,
                };
                match home.login.frame(register) {
                    Some(frame) => frame,
                    // The user is asked, or the time has not come.
                    None => return,
                }
            }
            _ => return,
        };
        if packet.push(&frame, Token::Request)
            && let Some(contact) = self.contact(link)
        {
            contact.request = false;
        }
    }

    fn set_out(&mut self) {
        self.state.home.phase = Phase::Reaching;
        self.expect_answer();
        self.reach_home();
    }

    pub(super) fn request(&mut self) {
        let Some(link) = self.state.home.link else { return };
        if let Some(contact) = self.contact(link) {
            contact.request = true;
            self.links.wake(link);
        }
    }

    fn heard_home(&mut self) {
        let home = &mut self.state.home;
        home.asked = None;
        if core::mem::take(&mut home.silent) {
            home.tell(Event::ServerBack);
        }
    }

    /// What a link that ends was to the client.
    pub(super) fn forget_home(&mut self, link: Id<ClientLink>) {
        if self.state.home.link == Some(link) {
            self.state.home.link = None;
        }
    }
}
