//! Passwords that are being checked. The host judges them; what the server adds is patience: after
//! a wrong one the next is looked at later and later, per account and per address.

use core::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use heapless::Vec;

use crate::{
    host::{Ask, Log, MAX_HASH, PasswordOutcome, Records, Request, Secrets, Ticket},
    id::{Account, Nick},
    password::Password,
    record::{self, PasswordRecord},
    role::Taken,
    storage::Id,
    time::Instant,
    violation::Violation,
    wire::{Login as LoginFrame, PasswordWant, PasswordWanted, Register, RegisterRefusal},
};

use super::{
    super::{
        accounts::{Accounts, Admission},
        ctx::Ctx,
        event::Event,
        role::ServerLink,
        sessions::{Registration, answer},
        store::{Asker, Single},
    },
    penalty::Penalty,
};

/// Passwords that are checked at a time, whoever sent them.
const CHECKS: usize = 8;

/// Addresses that sent a wrong one and are remembered; the one whose wait ends first
/// makes room.
const SOURCES: usize = 32;

/// When one that was not looked at may come again.
const BUSY: Duration = Duration::from_secs(1);

/// How long the host may take for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where passwords come from: an address, or what one holder of IPv6 addresses has of
/// them at the least, a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source(IpAddr);

impl Source {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Passwords that are being checked, and the addresses that sent wrong ones.
#[derive(Debug)]
pub(crate) struct Passwords {
    checks: [Option<PasswordCheck>; CHECKS],
    sources: Vec<(Source, Penalty), SOURCES>,
    /// The one that was lent to the host with the last request.
    lent: Option<usize>,
}

/// A password that is being checked.
#[derive(Debug)]
struct PasswordCheck {
    link: Id<ServerLink>,
    source: Source,
    register: Register,
    attempt: u32,
    /// The account that has the nick; none for a nick that is new.
    account: Option<Account>,
    /// The nick has a password; else this one becomes it.
    known: bool,
    /// Wiped once the host has it.
    password: Option<Password>,
    hash: Vec<u8, MAX_HASH>,
    step: Step,
    ask: Ask,
    /// When it is given up.
    until: Instant,
}

/// What is asked of the host for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its account's hash.
    Load,
    /// To judge it.
    CheckPassword,
    /// To save its hash. It is in the hands of its link from then on.
    Save,
}

/// What comes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    /// It is dealt with.
    Over(Taken),
    /// It is to be had without the password.
    WithoutPassword,
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

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { checks: [const { None }; CHECKS], sources: Vec::new(), lent: None }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waits = self.checks.iter().flatten().filter(|one| one.step != Step::Save);
        waits.map(|one| one.until).min()
    }

    /// The password that the last request lends, and the hash that it is to have; none if the
    /// nick is to get one.
    pub(crate) fn lent(&self) -> Secrets<'_> {
        let one = self.lent.and_then(|slot| self.checks.get(slot)?.as_ref());
        let password =
            one.and_then(|one| one.password.as_ref()).map_or(&[][..], Password::as_bytes);
        (password, one.filter(|one| one.known).map(|one| one.hash.as_slice()))
    }

    /// The password that was lent with the last request is wiped.
    pub(crate) fn end_loan(&mut self) {
        if let Some(one) = self.lent.take().and_then(|slot| self.get(slot)) {
            one.password = None;
        }
    }

    /// A client asks for its nick with a password. Nobody else comes by one to whose account
    /// something `is_operated`.
    pub(crate) fn login(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        link: Id<ServerLink>,
        login: &LoginFrame<'_>,
        is_operated: bool,
    ) -> Login {
        let Some(found) = cx.links.get(link) else { return Login::Over(Taken::Done) };
        let (key, source) = (found.peer, Source::of(found.address.ip()));
        match found.role.seat.registration() {
            // The same one, sent twice.
            Registration::Wanted(wanted)
                if wanted.attempt == login.attempt && wanted.why == PasswordWant::Wrong =>
            {
                answer(cx, link, Registration::Wanted(wanted));
                return Login::Over(Taken::Done);
            }
            Registration::Saving { .. } | Registration::Looking { .. } => {
                return Login::Over(Taken::Done);
            }
            Registration::Online { .. } => return Login::WithoutPassword,
            _ => {}
        }
        if self.is_checked(link) {
            return Login::Over(Taken::Done);
        }
        if is_operated {
            return Login::Over(Taken::NoRoom);
        }
        let Admission::Password { why, account } = accounts.admission(cx, key, &login.register)
        else {
            return Login::WithoutPassword;
        };
        let Ok(password) = Password::new(login.password.0) else {
            return Login::Over(Taken::Broken(Violation::BadPassword));
        };
        let early = self.wait(cx, accounts, account, source);
        let slot = self.checks.iter().position(Option::is_none);
        let crowded = self.is_crowded(source, &login.register.nick);
        let place = slot.filter(|_| early.is_zero() && !crowded);
        let Some((slot, place)) = place.and_then(|slot| Some((slot, self.checks.get_mut(slot)?)))
        else {
            let wait = if early.is_zero() { BUSY } else { early };
            want(cx, link, PasswordWant::Busy, wait, login.attempt);
            return Login::Over(Taken::Done);
        };
        let known = why == PasswordWant::Known;
        *place = Some(PasswordCheck {
            link,
            source,
            register: login.register,
            attempt: login.attempt,
            account,
            known,
            password: Some(password),
            hash: Vec::new(),
            step: if known { Step::Load } else { Step::CheckPassword },
            ask: Ask::Owed,
            until: cx.now + PATIENCE,
        });
        cx.requests.ask_single(Single::Password(slot as u8));
        Login::Over(Taken::Done)
    }

    /// Tells a client that its nick is to be had with a password.
    pub(crate) fn ask_for(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        link: Id<ServerLink>,
        why: PasswordWant,
        account: Option<Account>,
    ) {
        let Some(found) = cx.links.get(link) else { return };
        // While one of its passwords is checked, that is what is answered.
        if self.is_checked(link) {
            return;
        }
        let source = Source::of(found.address.ip());
        let wait = self.wait(cx, accounts, account, source);
        want(cx, link, why, wait, 0);
    }

    /// An account is not what it was when its passwords were taken in: they come again.
    pub(crate) fn give_up(&mut self, cx: &mut Ctx<'_>, nick: &Nick) {
        for slot in 0..CHECKS {
            let is_its =
                |one: &mut PasswordCheck| one.register.nick == *nick && one.step != Step::Save;
            if self.get(slot).is_some_and(is_its) {
                self.postpone(cx, slot);
            }
        }
    }

    /// Passwords that the host does not judge in time come again.
    pub(crate) fn timeout(&mut self, cx: &mut Ctx<'_>) {
        for slot in 0..CHECKS {
            // What is to be saved was judged, and waits for the next drain only.
            let is_late = |one: &mut PasswordCheck| one.until <= cx.now && one.step != Step::Save;
            if self.get(slot).is_some_and(is_late) {
                self.postpone(cx, slot);
            }
        }
    }

    /// The next request to the host for the password in `slot`.
    pub(crate) fn request(&mut self, cx: &mut Ctx<'_>, slot: usize) -> Option<Request> {
        cx.requests.settle_single(Single::Password(slot as u8));
        let one = self.checks.get_mut(slot)?.as_mut()?;
        let asker = match one.step {
            Step::Load => Asker::Hash,
            Step::CheckPassword => Asker::CheckPassword,
            Step::Save => Asker::Password,
        };
        let ticket = cx.ticket(asker, slot as u32);
        one.ask = Ask::Asked(ticket.serial);
        let (log, number) = (Log::Passwords, one.number());
        match one.step {
            Step::Load => Some(Request::Read { ticket, log, from: number, most: 1 }),
            Step::CheckPassword => {
                self.lent = Some(slot);
                Some(Request::CheckPassword { ticket })
            }
            Step::Save => {
                let request = cx.put(ticket, log, number, &PasswordRecord { hash: &one.hash });
                self.take(cx, slot);
                request
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
        let Some(one) = self.get(slot).filter(|one| one.step == Step::Load) else { return };
        if !one.ask.answer(ticket.serial) {
            return;
        }
        let hash = loaded
            .and_then(|loaded| loaded.at(one.number()))
            .and_then(record::decode::<PasswordRecord<'_>>)
            .and_then(|(record, _)| Vec::from_slice(record.hash).ok())
            .filter(|hash: &Vec<u8, MAX_HASH>| !hash.is_empty());
        match hash {
            Some(hash) => {
                one.hash = hash;
                (one.step, one.ask) = (Step::CheckPassword, Ask::Owed);
                cx.requests.ask_single(Single::Password(slot as u8));
            }
            None => self.fail(cx, slot, loaded.is_some()),
        }
    }

    /// The host has judged a password: whether its sender has the nick.
    pub(crate) fn judged(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        ticket: Ticket,
        judgement: PasswordOutcome<'_>,
    ) -> Option<Proven> {
        let slot = ticket.slot as usize;
        let one = self.get(slot).filter(|one| one.step == Step::CheckPassword)?;
        if Asker::of(ticket) != Some(Asker::CheckPassword) || !one.ask.answer(ticket.serial) {
            return None;
        }
        match (judgement, one.known) {
            (PasswordOutcome::Right, true) => return self.proven(cx, accounts, slot),
            (PasswordOutcome::Hashed(hash), false)
                if !hash.is_empty() && hash.len() <= MAX_HASH =>
            {
                one.hash = Vec::from_slice(hash).unwrap_or_default();
                return self.proven(cx, accounts, slot);
            }
            (PasswordOutcome::Wrong, true) => self.wrong(cx, accounts, slot),
            (PasswordOutcome::Busy, _) => self.postpone(cx, slot),
            _ => self.fail(cx, slot, true),
        }
        None
    }

    /// The sender of a password has the account that has its nick; none if there is no room for
    /// one. A new hash is durable before the account's record, which says that it is there.
    pub(crate) fn settle(&mut self, cx: &mut Ctx<'_>, proven: &Proven, account: Option<Account>) {
        let slot = proven.slot;
        match self.get(slot).filter(|_| proven.sets && account.is_some()) {
            Some(one) => {
                one.account = account;
                (one.step, one.ask) = (Step::Save, Ask::Owed);
                cx.requests.ask_single(Single::Password(slot as u8));
            }
            None => drop(self.take(cx, slot)),
        }
    }

    /// The nick is its sender's, if that is still there.
    fn proven(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        slot: usize,
    ) -> Option<Proven> {
        let one = self.get(slot)?;
        let (link, register, account, sets) = (one.link, one.register, one.account, !one.known);
        if let Some(penalty) = account.and_then(|account| accounts.penalty_mut(account)) {
            *penalty = Penalty::default();
        }
        if !cx.links.get(link).is_some_and(ServerLink::is_live) {
            self.take(cx, slot);
            return None;
        }
        Some(Proven { slot, link, register, account, sets })
    }

    fn wrong(&mut self, cx: &mut Ctx<'_>, accounts: &mut Accounts<'_>, slot: usize) {
        let Some(one) = self.take(cx, slot) else { return };
        self.punish(one.source, cx.now);
        if let Some(penalty) = one.account.and_then(|account| accounts.penalty_mut(account)) {
            penalty.add(cx.now);
        }
        let wait = self.wait(cx, accounts, one.account, one.source);
        want(cx, one.link, PasswordWant::Wrong, wait, one.attempt);
    }

    /// One that could not be judged is to come again.
    fn postpone(&mut self, cx: &mut Ctx<'_>, slot: usize) {
        if let Some(one) = self.take(cx, slot) {
            want(cx, one.link, PasswordWant::Busy, BUSY, one.attempt);
        }
    }

    /// One cannot be judged: the store failed, or what it has is damaged.
    fn fail(&mut self, cx: &mut Ctx<'_>, slot: usize, damaged: bool) {
        let Some(one) = self.take(cx, slot) else { return };
        cx.tell(if damaged { Event::Damaged } else { Event::StoreFailed });
        answer(cx, one.link, Registration::Refused(RegisterRefusal::Store));
    }

    /// How long until a password for this account from there is looked at.
    fn wait(
        &mut self,
        cx: &Ctx<'_>,
        accounts: &Accounts<'_>,
        account: Option<Account>,
        source: Source,
    ) -> Duration {
        let of_account = account.and_then(|account| accounts.penalty(account));
        let penalties = [of_account, self.penalty(source).copied()];
        let waits = penalties.into_iter().flatten().map(|penalty| penalty.until.since(cx.now));
        waits.max().unwrap_or_default()
    }

    /// A password of a link's client is being checked.
    fn is_checked(&self, link: Id<ServerLink>) -> bool {
        self.checks.iter().flatten().any(|one| one.link == link)
    }

    /// A password from there, or for this nick, is being checked: one at a time, so that
    /// nobody guesses many before the first is known to be wrong.
    fn is_crowded(&self, source: Source, nick: &Nick) -> bool {
        let same = |one: &PasswordCheck| one.source == source || one.register.nick == *nick;
        self.checks.iter().flatten().any(same)
    }

    fn get(&mut self, slot: usize) -> Option<&mut PasswordCheck> {
        self.checks.get_mut(slot)?.as_mut()
    }

    fn take(&mut self, cx: &mut Ctx<'_>, slot: usize) -> Option<PasswordCheck> {
        cx.requests.settle_single(Single::Password(slot as u8));
        self.checks.get_mut(slot)?.take()
    }

    fn penalty(&mut self, source: Source) -> Option<&mut Penalty> {
        self.sources.iter_mut().find(|(of, _)| *of == source).map(|(_, penalty)| penalty)
    }

    fn punish(&mut self, source: Source, now: Instant) {
        if self.penalty(source).is_none() {
            if self.sources.is_full() {
                let ends = |at: &usize| self.sources.get(*at).map(|(_, penalty)| penalty.until);
                if let Some(first) = (0..self.sources.len()).min_by_key(ends) {
                    self.sources.swap_remove(first);
                }
            }
            let pushed = self.sources.push((source, Penalty::default()));
            debug_assert!(pushed.is_ok(), "one just gave way");
        }
        if let Some(penalty) = self.penalty(source) {
            penalty.add(now);
        }
    }
}

impl PasswordCheck {
    /// The number of its hash's record.
    fn number(&self) -> u64 {
        self.account.map_or(0, |account| u64::from(account.0) + 1)
    }
}

/// A client is told that its nick is to be had with a password, and when one is looked at.
fn want(cx: &mut Ctx<'_>, link: Id<ServerLink>, why: PasswordWant, wait: Duration, attempt: u32) {
    let wait = u32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u32::MAX);
    answer(cx, link, Registration::Wanted(PasswordWanted { why, wait, attempt }));
}
