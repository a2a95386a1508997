//! The roster: a log of who is there, pushed to everyone online as deltas.

use core::net::{IpAddr, SocketAddr};

use crate::{
    id::Account,
    link::Packet,
    storage::{Id, List},
    time::Instant,
    wire::{Frame, MAX_AWAY, MAX_DATAGRAM, Register, Roster as Page, RosterEntry},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        role::{SentFrame, ServerLink, ServerRole},
    },
    reader::CaughtUp,
    versions::Versions,
};

/// Bytes of a page's body that are not entries: two versions, two accounts, a
/// flag and a length.
const PAGE_HEADER: usize = 2 * 10 + 2 * 5 + 1 + 3;

/// The roster.
#[derive(Debug)]
pub(crate) struct Roster<'a> {
    versions: Versions<'a>,
    head: &'a mut RosterHead,
}

/// What goes with the roster's table.
#[derive(Debug)]
pub(crate) struct RosterHead {
    version: u64,
    /// When the collected changes are pushed.
    push_at: Option<Instant>,
    /// Accounts that everyone is told of later.
    delayed: Option<Delayed>,
    caught_up: List<ServerLink, CaughtUp>,
    /// Readers that were caught up when the roster moved on.
    moved_on: List<ServerLink, CaughtUp>,
}

/// A queue of accounts that everyone is told of later, threaded through their places in the table,
/// which outlast them. Each waits as long as the others.
#[derive(Clone, Copy, Debug)]
struct Delayed {
    first: u32,
    last: u32,
    /// When the first one's turn is.
    due: Instant,
}

impl RosterHead {
    /// Of a run whose versions are above `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            version: first,
            push_at: None,
            delayed: None,
            caught_up: List::NEW,
            moved_on: List::NEW,
        }
    }
}

impl<'a> Roster<'a> {
    pub(crate) fn new(versions: &'a mut [u64], head: &'a mut RosterHead) -> Self {
        Self { versions: Versions::new(versions), head }
    }

    /// The version of the newest change at an account's place; 0 for none.
    pub(crate) fn version_of(&self, account: Account) -> u64 {
        self.versions.get(account.place())
    }

    /// Readers are to go on.
    pub(crate) fn is_owing(&self) -> bool {
        !self.head.moved_on.is_empty()
    }

    /// When the collected changes are pushed, or one is collected that was delayed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let due = self.head.delayed.map(|delayed| delayed.due);
        [self.head.push_at, due].into_iter().flatten().min()
    }

    /// Collects what was delayed until now, and pushes what was collected until now.
    pub(crate) fn timeout(&mut self, cx: &mut Ctx<'_>, accounts: &mut Accounts<'_>) {
        self.end_delays(cx, accounts);
        if self.head.push_at.is_some_and(|at| at <= cx.now) {
            self.push(cx);
        }
    }

    /// Readers that were caught up go on.
    pub(crate) fn go_on(&mut self, cx: &mut Ctx<'_>) {
        while let Some(link) = self.head.moved_on.pop_front(cx.links.slab_mut()) {
            self.begin_pass(cx, link);
        }
    }

    /// A client that registers says up to which version it has the roster. A version of another
    /// run says nothing of this one's.
    pub(crate) fn resume(&self, cx: &mut Ctx<'_>, link: Id<ServerLink>, register: &Register) {
        let known = register.server == cx.run && register.roster <= self.head.version;
        if let Some(found) = cx.links.get_mut(link) {
            found.role.roster.base = if known { register.roster } else { 0 };
        }
    }

    /// A client reads no more.
    pub(crate) fn leave(&mut self, cx: &mut Ctx<'_>, link: Id<ServerLink>) {
        let lists = [&mut self.head.caught_up, &mut self.head.moved_on];
        List::remove_from_either(lists, cx.links.slab_mut(), link);
    }

    /// What was collected is pushed now.
    pub(crate) fn push_now(&mut self, cx: &mut Ctx<'_>) {
        if self.head.push_at.is_some() {
            self.push(cx);
        }
    }

    /// An account's presence changed: everyone is to know, but not too often. Until they are told,
    /// who reads its entry for another reason gets it as it is, under the version before: that
    /// changes nothing for who has that version.
    pub(crate) fn change_presence(
        &mut self,
        cx: &Ctx<'_>,
        accounts: &mut Accounts<'_>,
        account: Account,
    ) {
        let slot = account.place();
        let Some(pace) = accounts.pace_mut(slot) else {
            debug_assert!(false, "an account whose presence changes is there");
            return;
        };
        if pace.allows(cx.now, cx.config.presence) {
            return self.change(cx, account);
        }
        if pace.due.is_some() {
            return;
        }
        let due = cx.now + cx.config.presence.interval;
        pace.due = Some(due);
        let alone = Delayed { first: slot, last: slot, due };
        let delayed = self.head.delayed.map_or(alone, |queue| Delayed { last: slot, ..queue });
        if let Some(before) = self.head.delayed.replace(delayed)
            && let Some(last) = accounts.pace_mut(before.last)
        {
            last.next = Some(slot);
        }
    }

    /// Something about an account changed that everyone is to know at once.
    pub(crate) fn change(&mut self, cx: &Ctx<'_>, account: Account) {
        self.change_at(cx, account.place());
    }

    fn change_at(&mut self, cx: &Ctx<'_>, place: u32) {
        self.head.version += 1;
        self.versions.set(place, self.head.version);
        let at = cx.now + cx.config.push;
        self.head.push_at.get_or_insert(at);
    }

    /// Collects what was delayed until now.
    fn end_delays(&mut self, cx: &Ctx<'_>, accounts: &mut Accounts<'_>) {
        while let Some(delayed) = self.head.delayed.take_if(|delayed| delayed.due <= cx.now) {
            let Some(pace) = accounts.pace_mut(delayed.first) else {
                debug_assert!(false, "a place that is in the queue is never empty");
                return;
            };
            let (next, waited) = pace.end_delay(cx.now, cx.config.presence);
            if waited {
                self.change_at(cx, delayed.first);
            }
            let due = next.and_then(|next| accounts.pace_mut(next)?.due);
            self.head.delayed = next.zip(due).map(|(first, due)| Delayed { first, due, ..delayed });
        }
    }

    /// Those who were caught up are no longer: one splice, however many they are.
    pub(crate) fn push(&mut self, cx: &mut Ctx<'_>) {
        self.head.push_at = None;
        self.head.moved_on.append(cx.links.slab_mut(), &mut self.head.caught_up);
    }

    /// A reader goes through the accounts for what is new to it.
    pub(crate) fn begin_pass(&mut self, cx: &mut Ctx<'_>, link: Id<ServerLink>) {
        let version = self.head.version;
        let Some(session) = cx.session(link).filter(|s| s.seat.online().is_some()) else {
            return;
        };
        if session.roster.is_idle() {
            session.roster.begin(version);
        }
        cx.links.wake(link);
    }

    /// A reader whose pages all arrived is caught up, or goes on.
    pub(crate) fn settle(&mut self, cx: &mut Ctx<'_>, link: Id<ServerLink>) {
        let version = self.head.version;
        let Some(session) = cx.session(link).filter(|s| s.seat.online().is_some()) else {
            return;
        };
        if session.is_caught_up() || !session.roster.settle() {
            return;
        }
        let behind = session.roster.base < version;
        // Mail may have waited for its author's entry.
        cx.links.wake(link);
        if behind && self.head.push_at.is_none() {
            self.begin_pass(cx, link);
        } else {
            self.head.caught_up.push_back(cx.links.slab_mut(), link);
        }
    }

    pub(crate) fn write(
        &self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        loop {
            let Some((address, reader)) = cx.links.get(link).map(|l| (l.address, l.role.roster))
            else {
                return;
            };
            let (Some(low), Some(serial)) = (reader.at, reader.next_page()) else { return };
            if packet.room() < PAGE_HEADER + RosterEntry::SIZE_BOUND {
                return;
            }
            let mut buffer = [0; MAX_DATAGRAM];
            let limit = (packet.room() - PAGE_HEADER).min(MAX_DATAGRAM);
            let (written, next) = self.write_entries(
                cx,
                accounts,
                (low, reader.base),
                address,
                buffer.get_mut(..limit).unwrap_or_default(),
            );
            let page = Page {
                base: reader.base,
                upto: reader.upto,
                low: Account(low),
                high: Account(next.unwrap_or(u32::MAX)),
                last: next.is_none(),
                entries: buffer.get(..written).unwrap_or_default(),
            };
            if !packet.push(&Frame::Roster(page), SentFrame::Page { serial, low }) {
                return;
            }
            if let Some(session) = cx.session(link) {
                session.roster.sent(next);
            }
        }
    }

    /// Writes entries that changed after `base` from account `low` on, as many
    /// as fit; how many bytes, and which account is the next, if any.
    fn write_entries(
        &self,
        cx: &Ctx<'_>,
        accounts: &Accounts<'_>,
        (low, base): (u32, u64),
        reader: SocketAddr,
        buffer: &mut [u8],
    ) -> (usize, Option<u32>) {
        let mut written = 0;
        let mut from = low;
        let address = |link| {
            let address = cx.links.get(link)?.address;
            Some(address).filter(|to| is_reachable(*to, reader))
        };
        while let Some(at) = self.versions.next_after(from, base) {
            let (version, mut away) = (self.versions.get(at), [0; MAX_AWAY]);
            let entry = accounts.roster_entry(at, version, &cx.pool, &mut away, address);
            if let Some(entry) = entry {
                let room = buffer.get_mut(written..).unwrap_or_default();
                let Some(encoded) = entry.encode(room) else { return (written, Some(at)) };
                written += encoded.len();
            }
            from = at + 1;
        }
        (written, None)
    }
}

/// Whether a reader at `from` can be expected to reach `to`: addresses of one
/// machine or of a private network mean something else elsewhere.
fn is_reachable(to: SocketAddr, from: SocketAddr) -> bool {
    scope(from.ip()) <= scope(to.ip()) && to.is_ipv4() == from.is_ipv4()
}

/// How far an address means the same: 0 on one machine, 1 in a private network, 2 everywhere.
fn scope(address: IpAddr) -> u8 {
    let (machine, private) = match address.to_canonical() {
        IpAddr::V4(v4) => (v4.is_loopback(), v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => (v6.is_loopback(), v6.is_unique_local() || v6.is_unicast_link_local()),
    };
    if machine { 0 } else { 2 - u8::from(private) }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::format;

    use crate::{
        id::{Incarnation, Nick, PublicKey},
        rate::Rate,
    };

    use super::{
        super::super::{config::Config, fixture::Fixture},
        *,
    };

    const PRESENCE: Rate = Rate { burst: 2, interval: Duration::from_secs(5) };

    /// So many changes, 20 ms one after the other, each of both; how often everyone is told of each.
    fn told(at: &mut Fixture, both: [Account; 2], count: usize) -> [usize; 2] {
        let mut told = [0; 2];
        let mut before = both.map(|account| at.roster.version_of(account));
        for step in 0..count {
            at.cx.now = at.cx.now + Duration::from_millis(20);
            at.roster.timeout(&mut at.cx, &mut at.accounts);
            if step % 2 == 0 {
                at.roster.change_presence(&at.cx, &mut at.accounts, both[0]);
            }
            at.roster.change_presence(&at.cx, &mut at.accounts, both[1]);
            let now = both.map(|account| at.roster.version_of(account));
            for (told, (was, is)) in told.iter_mut().zip(before.iter().zip(now)) {
                *told += usize::from(*was < is);
            }
            before = now;
        }
        told
    }

    #[test]
    fn everyone_is_told_of_a_burst_and_then_of_the_newest_now_and_then() {
        let mut at = Fixture::new(Config { presence: PRESENCE, ..Config::default() });
        let both = [at.account("alice"), at.account("bob")];
        for account in both {
            at.roster.change_presence(&at.cx, &mut at.accounts, account);
        }
        assert_eq!(told(&mut at, both, 1_000), [4, 4], "one more, and one each five seconds");
        let before = both.map(|account| at.roster.version_of(account));
        // What is delayed is told all the same, and then there is nothing more to do.
        while let Some(due) = at.roster.deadline() {
            at.cx.now = due;
            at.roster.timeout(&mut at.cx, &mut at.accounts);
        }
        let after = both.map(|account| at.roster.version_of(account));
        assert!(before.iter().zip(after).all(|(before, after)| *before < after));
        // After a quiet time, the first change is told at once.
        at.cx.now = at.cx.now + PRESENCE.interval * 2;
        assert_eq!(told(&mut at, both, 2), [1, 2]);
    }

    #[test]
    fn who_was_removed_while_they_waited_holds_up_nobody() {
        let mut at = Fixture::new(Config { presence: PRESENCE, ..Config::default() });
        let all = ["alice", "bob", "carol", "dave"].map(|nick| at.account(nick));
        let waiting = [all[0], all[1], all[2]];
        for account in waiting {
            while at.accounts.pace_mut(account.place()).unwrap().due.is_none() {
                at.roster.change_presence(&at.cx, &mut at.accounts, account);
            }
        }
        let before = waiting.map(|account| at.roster.version_of(account));
        for gone in [all[0], all[2]] {
            at.accounts.table.retire(gone);
            let nick = Nick::new(&format!("newcomer{}", gone.0)).unwrap();
            let (run, server) = (Incarnation([1; 8]), Incarnation::NONE);
            let register = Register { nick, epoch: None, run, server, roster: 0 };
            let key = PublicKey([100 + gone.0 as u8; 32]);
            let newcomer = at.accounts.begin(&at.cx, key, &register).unwrap();
            assert_eq!(newcomer.place(), gone.place());
            // Everyone is told of someone new at once.
            let version = at.roster.version_of(newcomer);
            at.roster.change_presence(&at.cx, &mut at.accounts, newcomer);
            assert!(at.roster.version_of(newcomer) > version);
        }
        // Behind those who are gone.
        while at.accounts.pace_mut(all[3].place()).unwrap().due.is_none() {
            at.roster.change_presence(&at.cx, &mut at.accounts, all[3]);
        }
        let last = at.roster.version_of(all[3]);
        while let Some(due) = at.roster.deadline() {
            at.cx.now = due;
            at.roster.timeout(&mut at.cx, &mut at.accounts);
        }
        assert!(at.roster.version_of(all[1]) > before[1]);
        assert!(at.roster.version_of(all[3]) > last);
    }

    #[test]
    fn who_was_removed_is_not_told_of_again() {
        let mut at = Fixture::new(Config { presence: PRESENCE, ..Config::default() });
        let alice = at.account("alice");
        while at.accounts.pace_mut(alice.place()).unwrap().due.is_none() {
            at.roster.change_presence(&at.cx, &mut at.accounts, alice);
        }
        at.accounts.table.retire(alice);
        at.roster.change(&at.cx, alice);
        let told = at.roster.version_of(alice);
        while let Some(due) = at.roster.deadline() {
            at.cx.now = due;
            at.roster.timeout(&mut at.cx, &mut at.accounts);
        }
        assert_eq!(at.roster.version_of(alice), told);
    }

    #[test]
    fn what_is_to_be_known_at_once_is_not_delayed() {
        let mut at = Fixture::new(Config { presence: PRESENCE, ..Config::default() });
        let both = [at.account("alice"), at.account("bob")];
        told(&mut at, both, 10);
        let before = at.roster.version_of(both[0]);
        at.roster.change(&at.cx, both[0]);
        assert!(at.roster.version_of(both[0]) > before);
    }

    #[test]
    fn only_reachable_addresses_are_told() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
        let reach = |to, from| is_reachable(at(to), at(from));
        assert!(reach("127.0.0.1", "127.0.0.1"));
        assert!(!reach("127.0.0.1", "192.168.1.2"));
        assert!(!reach("127.0.0.1", "8.8.8.8"));
        assert!(reach("192.168.1.3", "192.168.1.2"));
        assert!(reach("192.168.1.3", "127.0.0.1"));
        assert!(!reach("192.168.1.3", "8.8.8.8"));
        assert!(reach("8.8.8.8", "192.168.1.2"));
        assert!(!reach("8.8.8.8", "2001:db8::1"));
    }
}
