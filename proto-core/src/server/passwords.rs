//! Passwords: the second way to prove that a nick is one's own, for a device with
//! another key. The host judges them; what the server adds is patience: after a
//! wrong one the next is looked at later and later, per account and per address.

use core::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use heapless::Vec;

use crate::{
    host::{Ask, Judgement, Log, MAX_HASH, Records, Request, Secrets, Ticket},
    id::{Account, Nick},
    password::Password,
    record::{self, Access, PasswordRecord},
    storage::{Body, Id},
    time::Instant,
    violation::Violation,
    wire::{Login, PasswordWant, PasswordWanted, Register, RegisterRefusal},
};

use super::{
    ServerLink,
    engine::{Engine, FrameOutcome},
    host::asker,
    member::Registration,
    registration::Admission,
};

/// Passwords that are judged at a time, whoever sent them.
const TRIES: usize = 8;

/// Addresses that sent a wrong one and are remembered; the one whose wait ends first
/// makes room.
const SOURCES: usize = 32;

/// The wait after the first wrong password, doubled with each further one, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(256));

/// After so long without a wrong one, the count starts anew. Longer than all waits up to
/// the longest one together, so that nobody gains by pausing.
const FORGIVEN: Duration = Duration::from_hours(1);

/// When one that was not looked at may come again.
const BUSY: Duration = Duration::from_secs(1);

/// How long the host may take for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What wrong passwords cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Penalty {
    wrong: u8,
    until: Instant,
}

impl Penalty {
    fn add(&mut self, now: Instant) {
        if now.since(self.until) >= FORGIVEN {
            self.wrong = 0;
        }
        let wait = WAIT.0.saturating_mul(1 << self.wrong.min(16)).min(WAIT.1);
        self.wrong = self.wrong.saturating_add(1);
        self.until = now + wait;
    }
}

/// Where passwords come from: an address, or what one holder of IPv6 addresses has of
/// them at the least, a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source(IpAddr);

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

/// Passwords that are being judged, and the addresses that sent wrong ones.
#[derive(Debug)]
pub(super) struct Passwords {
    tries: [Option<Try>; TRIES],
    sources: Vec<(Source, Penalty), SOURCES>,
    /// The one that was lent to the host with the last action.
    lent: Option<usize>,
}

/// A password that is being judged.
#[derive(Debug)]
struct Try {
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
    Judge,
    /// To save its hash. It is in the hands of its link from then on.
    Save,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { tries: [const { None }; TRIES], sources: Vec::new(), lent: None }
    }

    pub(super) fn is_owing(&self) -> bool {
        self.tries.iter().flatten().any(|one| one.ask == Ask::Owed)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let waits = self.tries.iter().flatten().filter(|one| one.step != Step::Save);
        waits.map(|one| one.until).min()
    }

    /// The password that the last action lends, and the hash that it is to have; none if the
    /// nick is to get one.
    pub(super) fn lent(&self) -> Secrets<'_> {
        let one = self.lent_try();
        let password =
            one.and_then(|one| one.password.as_ref()).map_or(&[][..], Password::as_bytes);
        (password, one.filter(|one| one.known).map(|one| one.hash.as_slice()))
    }

    fn lent_try(&self) -> Option<&Try> {
        self.tries.get(self.lent?)?.as_ref()
    }

    fn get(&mut self, slot: usize) -> Option<&mut Try> {
        self.tries.get_mut(slot)?.as_mut()
    }

    fn take(&mut self, slot: usize) -> Option<Try> {
        self.tries.get_mut(slot)?.take()
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
            // There is room: one just gave way.
            let _ = self.sources.push((source, Penalty::default()));
        }
        if let Some(penalty) = self.penalty(source) {
            penalty.add(now);
        }
    }
}

impl Engine<'_> {
    /// A client asks for its nick with a password.
    pub(super) fn login(&mut self, link: Id<ServerLink>, login: &Login<'_>) -> FrameOutcome {
        let Some(found) = self.links.get(link) else { return FrameOutcome::Done };
        let (key, source) = (found.peer, Source::of(found.address.ip()));
        match found.role.registration {
            // The same one, sent twice.
            Registration::Wanted(wanted)
                if wanted.attempt == login.attempt && wanted.why == PasswordWant::Wrong =>
            {
                self.answer(link, Registration::Wanted(wanted));
                return FrameOutcome::Done;
            }
            Registration::Saving { .. } | Registration::Looking { .. } => {
                return FrameOutcome::Done;
            }
            Registration::Online { .. } => return self.register(link, &login.register),
            _ => {}
        }
        if self.state.passwords.tries.iter().flatten().any(|one| one.link == link) {
            return FrameOutcome::Done;
        }
        if self.is_operated(&login.register.nick) {
            return FrameOutcome::NoRoom;
        }
        let Admission::Password { why, account } = self.admission(key, &login.register) else {
            return self.register(link, &login.register);
        };
        let Ok(password) = Password::new(login.password.0) else {
            return FrameOutcome::Broken(Violation::BadPassword);
        };
        let early = self.password_wait(account, source);
        let slot = self.state.passwords.tries.iter().position(Option::is_none);
        let crowded = self.is_judged(source, &login.register.nick);
        let Some(slot) = slot.filter(|_| early.is_zero() && !crowded) else {
            let wait = if early.is_zero() { BUSY } else { early };
            self.want_password(link, PasswordWant::Busy, wait, login.attempt);
            return FrameOutcome::Done;
        };
        let known = why == PasswordWant::Known;
        let one = Try {
            link,
            source,
            register: login.register,
            attempt: login.attempt,
            account,
            known,
            password: Some(password),
            hash: Vec::new(),
            step: if known { Step::Load } else { Step::Judge },
            ask: Ask::Owed,
            until: self.state.now + PATIENCE,
        };
        if let Some(place) = self.state.passwords.tries.get_mut(slot) {
            *place = Some(one);
        }
        FrameOutcome::Done
    }

    /// Tells a client that its nick is to be had with a password.
    pub(super) fn ask_password(
        &mut self,
        link: Id<ServerLink>,
        why: PasswordWant,
        account: Option<Account>,
    ) {
        let Some(found) = self.links.get(link) else { return };
        // While one of its passwords is judged, that is what is answered.
        if self.state.passwords.tries.iter().flatten().any(|one| one.link == link) {
            return;
        }
        let wait = self.password_wait(account, Source::of(found.address.ip()));
        self.want_password(link, why, wait, 0);
    }

    /// An account is not what it was when its passwords were taken in: they come again.
    pub(super) fn give_up_passwords(&mut self, nick: &Nick) {
        for slot in 0..TRIES {
            let is_its = |one: &mut Try| one.register.nick == *nick && one.step != Step::Save;
            if self.state.passwords.get(slot).is_some_and(is_its) {
                self.postpone(slot);
            }
        }
    }

    /// Passwords that the host does not judge in time come again.
    pub(super) fn passwords_timeout(&mut self) {
        for slot in 0..TRIES {
            let now = self.state.now;
            // What is to be saved was judged, and waits for the next drain only.
            let is_late = |one: &mut Try| one.until <= now && one.step != Step::Save;
            if self.state.passwords.get(slot).is_some_and(is_late) {
                self.postpone(slot);
            }
        }
    }

    /// The next request to the host for a password.
    pub(super) fn next_password_request(&mut self) -> Option<Request> {
        if let Some(one) = self.state.passwords.lent.take().and_then(|at| self.password_at(at)) {
            one.password = None;
        }
        let is_owed = |one: &Option<Try>| one.as_ref().is_some_and(|one| one.ask == Ask::Owed);
        let slot = self.state.passwords.tries.iter().position(is_owed)?;
        let step = self.state.passwords.get(slot)?.step;
        let asker = match step {
            Step::Load => asker::HASH,
            Step::Judge => asker::JUDGE,
            Step::Save => asker::PASSWORD,
        };
        let ticket = self.ticket(asker, slot as u32);
        let one = self.state.passwords.tries.get_mut(slot)?.as_mut()?;
        one.ask = Ask::Asked(ticket.serial);
        let number = one.account.map_or(0, |account| u64::from(account.0) + 1);
        match step {
            Step::Load => {
                Some(Request::Read { ticket, log: Log::Passwords, from: number, most: 1 })
            }
            Step::Judge => {
                self.state.passwords.lent = Some(slot);
                Some(Request::Judge { ticket })
            }
            Step::Save => {
                let header = PasswordRecord { hash: &one.hash };
                let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
                self.state.passwords.take(slot);
                Some(Request::Put { ticket, log: Log::Passwords, number, length })
            }
        }
    }

    /// The store's answer to a question after a hash.
    pub(super) fn hash_loaded(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        let slot = ticket.slot as usize;
        let Some(one) = self.password_at(slot).filter(|one| one.step == Step::Load) else { return };
        let number = one.account.map_or(0, |account| u64::from(account.0) + 1);
        if !one.ask.answer(ticket.serial) {
            return;
        }
        let hash = loaded
            .and_then(|loaded| loaded.at(number))
            .and_then(record::decode::<PasswordRecord<'_>>)
            .and_then(|(record, _)| Vec::from_slice(record.hash).ok())
            .filter(|hash: &Vec<u8, MAX_HASH>| !hash.is_empty());
        match hash {
            Some(hash) => {
                one.hash = hash;
                (one.step, one.ask) = (Step::Judge, Ask::Owed);
            }
            None => self.fail_password(slot, loaded.is_some()),
        }
    }

    /// The host has judged a password.
    pub(super) fn handle_judged(&mut self, ticket: Ticket, judgement: Judgement<'_>) {
        let slot = ticket.slot as usize;
        let Some(one) = self.password_at(slot).filter(|one| one.step == Step::Judge) else {
            return;
        };
        if ticket.asker != asker::JUDGE || !one.ask.answer(ticket.serial) {
            return;
        }
        match (judgement, one.known) {
            (Judgement::Right, true) => self.proven(slot, None),
            (Judgement::Hashed(hash), false) if !hash.is_empty() && hash.len() <= MAX_HASH => {
                self.proven(slot, Some(hash));
            }
            (Judgement::Wrong, true) => self.wrong(slot),
            (Judgement::Busy, _) => self.postpone(slot),
            _ => self.fail_password(slot, true),
        }
    }

    /// The nick is its sender's.
    fn proven(&mut self, slot: usize, hash: Option<&[u8]>) {
        let Some(one) = self.password_at(slot) else { return };
        let (link, register) = (one.link, one.register);
        let account = one.account;
        if let Some(row) = account.and_then(|account| self.accounts.get_mut(account)) {
            row.penalty = Penalty::default();
        }
        let Some(key) = self.links.get(link).filter(|l| l.is_live()).map(|link| link.peer) else {
            self.state.passwords.take(slot);
            return;
        };
        let returning = account.is_some();
        let Some(account) = account.or_else(|| self.add_account(key, &register)) else {
            self.state.passwords.take(slot);
            self.answer(link, Registration::Refused(RegisterRefusal::Full));
            return;
        };
        if let (Some(hash), Some(one)) = (hash, self.password_at(slot)) {
            // It is durable before the account's record, which says that it is there.
            one.hash = Vec::from_slice(hash).unwrap_or_default();
            one.account = Some(account);
            (one.step, one.ask) = (Step::Save, Ask::Owed);
        } else {
            self.state.passwords.take(slot);
        }
        self.take_seat(link, &register, account, returning, hash.is_some());
    }

    fn wrong(&mut self, slot: usize) {
        let now = self.state.now;
        let Some(one) = self.state.passwords.take(slot) else { return };
        self.state.passwords.punish(one.source, now);
        if let Some(row) = one.account.and_then(|account| self.accounts.get_mut(account)) {
            row.penalty.add(now);
        }
        let wait = self.password_wait(one.account, one.source);
        self.want_password(one.link, PasswordWant::Wrong, wait, one.attempt);
    }

    /// One that could not be judged is to come again.
    fn postpone(&mut self, slot: usize) {
        if let Some(one) = self.state.passwords.take(slot) {
            self.want_password(one.link, PasswordWant::Busy, BUSY, one.attempt);
        }
    }

    /// One cannot be judged: the store failed, or what it has is damaged.
    fn fail_password(&mut self, slot: usize, damaged: bool) {
        let Some(one) = self.state.passwords.take(slot) else { return };
        self.tell(if damaged { super::Event::Damaged } else { super::Event::StoreFailed });
        self.answer(one.link, Registration::Refused(RegisterRefusal::Store));
    }

    fn want_password(
        &mut self,
        link: Id<ServerLink>,
        why: PasswordWant,
        wait: Duration,
        attempt: u32,
    ) {
        let wait = u32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u32::MAX);
        self.answer(link, Registration::Wanted(PasswordWanted { why, wait, attempt }));
    }

    /// How long until a password for this account from there is looked at.
    fn password_wait(&mut self, account: Option<Account>, source: Source) -> Duration {
        let now = self.state.now;
        let row = account.and_then(|account| self.accounts.get(account));
        let penalties = [row.map(|row| row.penalty), self.state.passwords.penalty(source).copied()];
        let waits = penalties.into_iter().flatten().map(|penalty| penalty.until.since(now));
        waits.max().unwrap_or_default()
    }

    /// A password from there, or for this nick, is being judged: one at a time, so that
    /// nobody guesses many before the first is known to be wrong.
    fn is_judged(&self, source: Source, nick: &Nick) -> bool {
        let same = |one: &Try| one.source == source || one.register.nick == *nick;
        self.state.passwords.tries.iter().flatten().any(same)
    }

    fn password_at(&mut self, slot: usize) -> Option<&mut Try> {
        self.state.passwords.get(slot)
    }
}

impl Access {
    /// What a password is wanted for, of someone with another key; `None` if none helps.
    pub(super) fn asks_for(self) -> Option<PasswordWant> {
        match self {
            Self::Key => None,
            Self::Reset => Some(PasswordWant::New),
            Self::Password => Some(PasswordWant::Known),
        }
    }
}
