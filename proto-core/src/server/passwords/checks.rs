//! Passwords that are being checked. The host judges them; what the server adds is patience: after
//! a wrong one the next is looked at later and later, per account and per address.

use core::time::Duration;

use heapless::Vec;

use crate::{
    host::{Ask, Log, MAX_HASH, PasswordOutcome, Records, Request, Secrets, Ticket},
    id::{Account, Nick, PublicKey},
    password::Password,
    record::{self, PasswordRecord},
    role::FrameOutcome,
    storage::Id,
    time::Instant,
    violation::Violation,
    wire::{
        AccountAction, AccountRefusal, AccountRequest, Login as LoginFrame, PasswordWant,
        PasswordWanted, Register, RegisterRefusal,
    },
};

use super::{
    super::{
        accounts::{Accounts, Admission},
        ctx::Ctx,
        event::Event,
        role::ServerLink,
        sessions::{Registration, answer, respond},
        store::{Asker, Single},
    },
    check::{PasswordCheck, Purpose, Rank, Step},
    places::{CHECKS, Places},
    source::{Source, Sources},
};

/// When one that was not looked at may come again.
const BUSY: Duration = Duration::from_secs(1);

/// How long the host, and before it the store, may take for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Passwords that are being checked, and the addresses that they come from.
#[derive(Debug)]
pub(crate) struct Passwords {
    places: Places,
    sources: Sources,
    /// The one that was lent to the host with the last request.
    lent: Option<usize>,
}

/// What comes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// It is dealt with.
    Over(FrameOutcome),
    /// It is to be had without the password.
    WithoutPassword,
}

/// What follows from what the host says of a password.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Judged {
    /// Its sender has the nick.
    Proven(Proven),
    /// What its sender can have has changed meanwhile: it is looked at anew.
    Changed { link: Id<ServerLink>, register: Register },
}

/// A nick is its sender's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven {
    slot: usize,
    pub(crate) link: Id<ServerLink>,
    pub(crate) register: Register,
    /// The account that has the nick; none for a nick that is new.
    pub(crate) account: Option<Account>,
    /// The password is the nick's first.
    pub(crate) sets: bool,
}

/// A password that is to be checked.
struct Wanted<'t> {
    link: Id<ServerLink>,
    purpose: Purpose,
    account: Option<Account>,
    nick: Nick,
    key: PublicKey,
    is_known: bool,
    texts: [&'t [u8]; 2],
}

impl Passwords {
    pub(crate) const NEW: Self = Self { places: Places::NEW, sources: Sources::NEW, lent: None };

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.places.iter().filter_map(|one| one.until).min()
    }

    /// The password that the last request lends, and the hash that it is to have; none if the
    /// nick is to get one.
    pub(crate) fn lent(&self) -> Secrets<'_> {
        let lent = self.lent.and_then(|slot| Some((slot, self.places.get(slot)?)));
        lent.map_or((&[], None), |(slot, one)| {
            (self.places.text(slot), one.is_known.then_some(one.hash.as_slice()))
        })
    }

    /// The password that was lent with the last request is wiped.
    pub(crate) fn end_loan(&mut self) {
        if let Some(slot) = self.lent.take() {
            self.places.wipe(slot);
        }
    }

    /// A client asks for its nick with a password. Nobody else comes by one to whose account
    /// something `is_operated`.
    pub(crate) fn login(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        link: Id<ServerLink>,
        login: &LoginFrame<'_>,
        is_operated: bool,
    ) -> Login {
        let Some(found) = cx.links.get(link) else { return Login::Over(FrameOutcome::Done) };
        let key = found.peer;
        match found.role.seat.registration() {
            // The same one, sent twice.
            Registration::Wanted(wanted)
                if wanted.attempt == login.attempt && wanted.why == PasswordWant::Wrong =>
            {
                answer(cx, link, Registration::Wanted(wanted));
                return Login::Over(FrameOutcome::Done);
            }
            Registration::Saving { .. } | Registration::Looking { .. } => {
                return Login::Over(FrameOutcome::Done);
            }
            Registration::Online { .. } => return Login::WithoutPassword,
            _ => {}
        }
        if self.is_checked(link) {
            return Login::Over(FrameOutcome::Done);
        }
        if is_operated {
            return Login::Over(FrameOutcome::NoRoom);
        }
        let register = login.register;
        let Admission::Password { why, account } = accounts.admission(cx, key, &register) else {
            return Login::WithoutPassword;
        };
        let text = login.password.0;
        if Password::check(text).is_err() {
            return Login::Over(FrameOutcome::Broken(Violation::BadPassword));
        }
        let purpose = Purpose::Login { register, attempt: login.attempt };
        let (nick, is_known, texts) = (register.nick, why == PasswordWant::Known, [text, &[]]);
        let wanted = Wanted { link, purpose, account, nick, key, is_known, texts };
        if let Err(wait) = self.take_in(cx, accounts, &wanted) {
            want(cx, link, PasswordWant::Busy, wait, login.attempt);
        }
        Login::Over(FrameOutcome::Done)
    }

    /// A client that is registered asks, in the packet `packet` of its link, for something about
    /// its account, to which something else may be done just now, if it `is_operated`.
    pub(crate) fn handle(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        (link, packet): (Id<ServerLink>, u64),
        request: &AccountRequest<'_>,
        is_operated: bool,
    ) -> FrameOutcome {
        let Some(account) = cx.online(link) else { return FrameOutcome::Done };
        if self.is_checked(link) {
            return FrameOutcome::Done;
        }
        if is_operated {
            return FrameOutcome::NoRoom;
        }
        let serial = request.serial;
        if !cx.session(link).is_some_and(|session| session.asked.is_news(packet, serial)) {
            cx.links.wake(link);
            return FrameOutcome::Done;
        }
        if !accounts.has_password(account) {
            respond(cx, link, serial, Err(AccountRefusal::NoPassword));
            return FrameOutcome::Done;
        }
        match request.action {
            AccountAction::Endorse { key } => {
                if let Some(guard) = accounts.guard_mut(account) {
                    guard.endorse(key, cx.now);
                }
                respond(cx, link, serial, Ok(()));
            }
            AccountAction::ChangePassword { old, new } => {
                let Some((nick, key)) = accounts.nick(account).zip(accounts.key_of(account)) else {
                    return FrameOutcome::Done;
                };
                let texts = [old.0, new.0];
                if texts.into_iter().any(|text| Password::check(text).is_err()) {
                    return FrameOutcome::Broken(Violation::BadPassword);
                }
                let (purpose, account) = (Purpose::Change { serial }, Some(account));
                let wanted = Wanted { link, purpose, account, nick, key, is_known: true, texts };
                if let Err(wait) = self.take_in(cx, accounts, &wanted) {
                    respond(cx, link, serial, Err(AccountRefusal::Busy { wait: millis(wait) }));
                }
            }
        }
        FrameOutcome::Done
    }

    /// Tells a client that its nick is to be had with a password.
    pub(crate) fn ask_for(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        link: Id<ServerLink>,
        why: PasswordWant,
        account: Option<Account>,
    ) {
        let Some(found) = cx.links.get(link) else { return };
        // While one of its passwords is checked, that is what is answered.
        if self.is_checked(link) {
            return;
        }
        let (key, source) = (found.peer, Source::of(found.address.ip()));
        let rank = self.rank(cx, accounts, account, &key, source);
        let wait = self.wait(cx, accounts, account, rank, source);
        want(cx, link, why, wait, 0);
    }

    /// An account is not what it was when its passwords were taken in: they come again.
    pub(crate) fn give_up(&mut self, cx: &mut Ctx<'_>, account: Account, nick: &Nick) {
        for slot in 0..CHECKS {
            let is_its =
                |one: &PasswordCheck| one.is_for(Some(account), nick) && one.step != Step::Save;
            if self.places.get(slot).is_some_and(is_its) {
                self.postpone(cx, slot);
            }
        }
    }

    /// Passwords that are not read or judged in time come again.
    pub(crate) fn timeout(&mut self, cx: &mut Ctx<'_>) {
        for slot in 0..CHECKS {
            let is_late = |one: &PasswordCheck| one.until.is_some_and(|until| until <= cx.now);
            if self.places.get(slot).is_some_and(is_late) {
                self.postpone(cx, slot);
            }
        }
    }

    /// The next request to the host for the password in `slot`.
    pub(crate) fn request(&mut self, cx: &mut Ctx<'_>, slot: usize) -> Option<Request> {
        cx.requests.settle_single(Single::Password(slot as u8));
        let one = self.places.get_mut(slot).filter(|one| one.ask == Ask::Owed)?;
        let asker = match one.step {
            Step::Load => Asker::Hash,
            Step::Judge => Asker::CheckPassword,
            Step::Save => Asker::Password,
            Step::Wait => return None,
        };
        let ticket = cx.ticket(asker, slot as u32);
        one.ask = Ask::Asked(ticket.serial);
        let (log, number) = (Log::Passwords, one.number());
        match (one.step, one.purpose) {
            (Step::Load, _) => Some(Request::Read { ticket, log, from: number, most: 1 }),
            (Step::Save, Purpose::Change { serial }) => {
                cx.put(ticket, log, number, &PasswordRecord { hash: &one.hash, serial })
            }
            (Step::Save, Purpose::Login { .. }) => {
                let record = PasswordRecord { hash: &one.hash, serial: 0 };
                let request = cx.put(ticket, log, number, &record);
                // That it is saved, the account's record says.
                self.take(cx, slot);
                request
            }
            (Step::Judge | Step::Wait, _) => {
                self.lent = Some(slot);
                Some(Request::CheckPassword { ticket })
            }
        }
    }

    /// The store's answer to a question after a hash.
    pub(crate) fn hash_loaded(
        &mut self,
        cx: &mut Ctx<'_>,
        ticket: Ticket,
        loaded: Option<Records<'_>>,
    ) {
        let slot = ticket.slot as usize;
        let Some(one) = self.places.get_mut(slot).filter(|one| one.step == Step::Load) else {
            return;
        };
        if !one.ask.answer(ticket.serial) {
            return;
        }
        let record = loaded
            .and_then(|loaded| loaded.at(one.number()))
            .and_then(record::decode::<PasswordRecord<'_>>)
            .map(|(record, _)| record);
        let hash = record.and_then(|record| Vec::from_slice(record.hash).ok());
        let Some(hash) = hash.filter(|hash: &Vec<u8, MAX_HASH>| !hash.is_empty()) else {
            return self.fail(cx, slot, loaded.is_some());
        };
        (one.hash, one.step, one.until) = (hash, Step::Wait, None);
        if let (Purpose::Change { serial }, Some(record)) = (one.purpose, record)
            && record.serial == serial
            && serial != 0
        {
            // It was done, and the answer got lost.
            let link = one.link;
            self.take(cx, slot);
            respond(cx, link, serial, Ok(()));
        }
        self.next_turn(cx);
    }

    /// The host has judged a password: what follows of that elsewhere.
    pub(crate) fn judged(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        ticket: Ticket,
        judgement: PasswordOutcome<'_>,
    ) -> Option<Judged> {
        let slot = ticket.slot as usize;
        let one = self.places.get_mut(slot).filter(|one| one.step == Step::Judge)?;
        if Asker::of(ticket) != Some(Asker::CheckPassword) || !one.ask.answer(ticket.serial) {
            return None;
        }
        one.until = None;
        let (is_known, purpose) = (one.is_known, one.purpose);
        let hash = match judgement {
            PasswordOutcome::Hashed(hash) if !is_known && !hash.is_empty() => {
                Vec::from_slice(hash).ok()
            }
            _ => None,
        };
        self.places.judged(slot);
        let mut judged = None;
        match (judgement, purpose, hash) {
            (PasswordOutcome::Right, Purpose::Login { .. }, _) if is_known => {
                judged = self.proven(cx, accounts, slot);
            }
            (PasswordOutcome::Right, Purpose::Change { .. }, _) if is_known => {
                self.forgive(accounts, slot);
                if let Some(one) = self.places.get_mut(slot) {
                    // Now the new one is to get a hash.
                    (one.is_known, one.step) = (false, Step::Wait);
                }
            }
            (_, Purpose::Login { .. }, Some(hash)) => {
                if let Some(one) = self.places.get_mut(slot) {
                    one.hash = hash;
                }
                judged = self.proven(cx, accounts, slot);
            }
            (_, Purpose::Change { .. }, Some(hash)) => self.change(cx, slot, hash),
            (PasswordOutcome::Wrong, _, _) if is_known => self.wrong(cx, accounts, slot),
            (PasswordOutcome::Busy, _, _) => self.postpone(cx, slot),
            _ => self.fail(cx, slot, true),
        }
        self.next_turn(cx);
        judged
    }

    /// The sender of a password has the account that has its nick; none if there is no room for
    /// one. A new hash is durable before the account's record, which says that it is there.
    pub(crate) fn settle(&mut self, cx: &mut Ctx<'_>, proven: &Proven, account: Option<Account>) {
        let slot = proven.slot;
        match self.places.get_mut(slot).filter(|_| proven.sets && account.is_some()) {
            Some(one) => {
                one.account = account;
                self.save(cx, slot);
            }
            None => self.drop(cx, slot),
        }
    }

    /// The hash of another password is durable, or could not be made so.
    pub(crate) fn changed(&mut self, cx: &mut Ctx<'_>, ticket: Ticket, saved: bool) {
        let slot = ticket.slot as usize;
        let Some(one) = self.places.get_mut(slot).filter(|one| one.step == Step::Save) else {
            return;
        };
        if !one.ask.answer(ticket.serial) {
            return;
        }
        if !saved {
            return self.fail(cx, slot, false);
        }
        if let Some(PasswordCheck { link, purpose: Purpose::Change { serial }, .. }) =
            self.take(cx, slot)
        {
            respond(cx, link, serial, Ok(()));
        }
    }

    /// Takes a password in to be checked.
    ///
    /// # Errors
    /// How long until it may come again, if it is too early or there is no place for it.
    fn take_in(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<(), Duration> {
        let Some(found) = cx.links.get(wanted.link) else { return Ok(()) };
        let (source, account) = (Source::of(found.address.ip()), wanted.account);
        let rank = match wanted.purpose {
            Purpose::Change { .. } => Rank::Trusted,
            Purpose::Login { .. } => self.rank(cx, accounts, account, &wanted.key, source),
        };
        let early = self.wait(cx, accounts, account, rank, source);
        if !early.is_zero() {
            return Err(early);
        }
        // One at a time, so that nobody guesses many before the first is known to be wrong. Who is
        // trusted does not wait for those who are not.
        let is_same = |one: &PasswordCheck| match (rank, one.rank) {
            (Rank::Trusted, Rank::Trusted) => one.is_for(account, &wanted.nick),
            (Rank::Trusted, _) | (_, Rank::Trusted) => false,
            _ => one.source == source || one.is_for(account, &wanted.nick),
        };
        if self.places.iter().any(is_same) {
            return Err(BUSY);
        }
        let (slot, gives_way) = self.places.place_for(rank, source).ok_or(BUSY)?;
        if gives_way {
            self.postpone(cx, slot);
        }
        let (step, ask, until) = if wanted.is_known {
            (Step::Load, Ask::Owed, Some(cx.now + PATIENCE))
        } else {
            (Step::Wait, Ask::Idle, None)
        };
        let check = PasswordCheck {
            link: wanted.link,
            source,
            rank,
            purpose: wanted.purpose,
            account,
            is_known: wanted.is_known,
            hash: Vec::new(),
            step,
            ask,
            until,
            serial: 0,
        };
        self.places.put(slot, check, wanted.texts);
        if wanted.is_known {
            cx.requests.ask_single(Single::Password(slot as u8));
        }
        self.next_turn(cx);
        Ok(())
    }

    /// Whoever has the next turn is judged, unless its sender is gone.
    fn next_turn(&mut self, cx: &mut Ctx<'_>) {
        while let Some(slot) = self.places.next_turn(cx.now + PATIENCE) {
            let Some(one) = self.places.get_mut(slot) else { return };
            if cx.links.get(one.link).is_some_and(ServerLink::is_live) {
                one.ask = Ask::Owed;
                cx.requests.ask_single(Single::Password(slot as u8));
                return;
            }
            self.places.take(slot);
        }
    }

    /// The nick is its sender's, if that is still there and nothing has changed meanwhile.
    fn proven(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        slot: usize,
    ) -> Option<Judged> {
        let one = self.places.get(slot)?;
        let Purpose::Login { register, .. } = one.purpose else { return None };
        let (link, account, source, sets) = (one.link, one.account, one.source, !one.is_known);
        if !sets {
            self.sources.trust(source);
            self.forgive(accounts, slot);
        }
        let Some(found) = cx.links.get(link).filter(|link| link.is_live()) else {
            self.drop(cx, slot);
            return None;
        };
        let why = if sets { PasswordWant::New } else { PasswordWant::Known };
        // Its key may have come by another nick, and its nick by another key.
        if accounts.admission(cx, found.peer, &register) != (Admission::Password { why, account }) {
            self.drop(cx, slot);
            return Some(Judged::Changed { link, register });
        }
        Some(Judged::Proven(Proven { slot, link, register, account, sets }))
    }

    /// An account is to have another password, if whoever wants that still has the account.
    fn change(&mut self, cx: &mut Ctx<'_>, slot: usize, hash: Vec<u8, MAX_HASH>) {
        let Some(one) = self.places.get_mut(slot) else { return };
        if cx.online(one.link) == one.account {
            one.hash = hash;
            self.save(cx, slot);
        } else {
            self.drop(cx, slot);
        }
    }

    fn save(&mut self, cx: &mut Ctx<'_>, slot: usize) {
        if let Some(one) = self.places.get_mut(slot) {
            (one.step, one.ask, one.until) = (Step::Save, Ask::Owed, None);
            cx.requests.ask_single(Single::Password(slot as u8));
        }
    }

    fn wrong(&mut self, cx: &mut Ctx<'_>, accounts: &mut Accounts<'_>, slot: usize) {
        let Some(one) = self.take(cx, slot) else { return };
        let is_trusted = one.rank == Rank::Trusted;
        if !is_trusted {
            self.sources.punish(one.source, cx.now);
        }
        if let Some(guard) = one.account.and_then(|account| accounts.guard_mut(account)) {
            guard.penalty(is_trusted).add(cx.now);
        }
        let wait = self.wait(cx, accounts, one.account, one.rank, one.source);
        match one.purpose {
            Purpose::Login { attempt, .. } => {
                want(cx, one.link, PasswordWant::Wrong, wait, attempt);
            }
            Purpose::Change { serial } => {
                let wrong = AccountRefusal::Wrong { wait: millis(wait) };
                respond(cx, one.link, serial, Err(wrong));
            }
        }
    }

    /// One was right: what the wrong ones before it cost is over.
    fn forgive(&mut self, accounts: &mut Accounts<'_>, slot: usize) {
        let account = self.places.get(slot).and_then(|one| one.account);
        if let Some(guard) = account.and_then(|account| accounts.guard_mut(account)) {
            guard.forgive();
        }
    }

    /// One that could not be judged is to come again.
    fn postpone(&mut self, cx: &mut Ctx<'_>, slot: usize) {
        let Some(one) = self.take(cx, slot) else { return };
        match one.purpose {
            Purpose::Login { attempt, .. } => want(cx, one.link, PasswordWant::Busy, BUSY, attempt),
            Purpose::Change { serial } => {
                let busy = AccountRefusal::Busy { wait: millis(BUSY) };
                respond(cx, one.link, serial, Err(busy));
            }
        }
        self.next_turn(cx);
    }

    /// One cannot be judged: the store failed, or what it has is damaged.
    fn fail(&mut self, cx: &mut Ctx<'_>, slot: usize, damaged: bool) {
        let Some(one) = self.take(cx, slot) else { return };
        cx.tell(if damaged { Event::Damaged } else { Event::StoreFailed });
        match one.purpose {
            Purpose::Login { .. } => {
                answer(cx, one.link, Registration::Refused(RegisterRefusal::Store));
            }
            Purpose::Change { serial } => {
                respond(cx, one.link, serial, Err(AccountRefusal::Store));
            }
        }
        self.next_turn(cx);
    }

    /// Whose a password is that comes with this key from there.
    fn rank(
        &self,
        cx: &Ctx<'_>,
        accounts: &mut Accounts<'_>,
        account: Option<Account>,
        key: &PublicKey,
        source: Source,
    ) -> Rank {
        let guard = account.and_then(|account| accounts.guard_mut(account));
        if guard.is_some_and(|guard| guard.is_endorsed(key, cx.now)) {
            Rank::Trusted
        } else if self.sources.is_trusted(source) || accounts.table.by_key(key).is_some() {
            Rank::Known
        } else {
            Rank::Stranger
        }
    }

    /// How long until a password for this account from there is looked at. Who is trusted waits
    /// for what those who are trusted got wrong, and for nothing else.
    fn wait(
        &self,
        cx: &Ctx<'_>,
        accounts: &mut Accounts<'_>,
        account: Option<Account>,
        rank: Rank,
        source: Source,
    ) -> Duration {
        let is_trusted = rank == Rank::Trusted;
        let guard = account.and_then(|account| accounts.guard_mut(account));
        let of_account =
            guard.map_or(Duration::ZERO, |guard| guard.penalty(is_trusted).wait(cx.now));
        if is_trusted { of_account } else { of_account.max(self.sources.wait(source, cx.now)) }
    }

    /// A password of a link's client is being checked.
    fn is_checked(&self, link: Id<ServerLink>) -> bool {
        self.places.iter().any(|one| one.link == link)
    }

    fn take(&mut self, cx: &mut Ctx<'_>, slot: usize) -> Option<PasswordCheck> {
        cx.requests.settle_single(Single::Password(slot as u8));
        self.lent.take_if(|lent| *lent == slot);
        self.places.take(slot)
    }

    fn drop(&mut self, cx: &mut Ctx<'_>, slot: usize) {
        drop(self.take(cx, slot));
        self.next_turn(cx);
    }
}

/// A client is told that its nick is to be had with a password, and when one is looked at.
fn want(cx: &mut Ctx<'_>, link: Id<ServerLink>, why: PasswordWant, wait: Duration, attempt: u32) {
    let wanted = PasswordWanted { why, wait: millis(wait), attempt };
    answer(cx, link, Registration::Wanted(wanted));
}

fn millis(wait: Duration) -> u32 {
    u32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u32::MAX)
}
