//! The people that the client knows: who has which nick, account and key, and who is there.

pub(super) mod id;
pub(super) mod list;
pub(super) mod names;
pub(super) mod peer;
pub(super) mod peers;
pub(super) mod person;
pub(super) mod reach;

use crate::{
    id::{Incarnation, Recipient},
    wire::{Presence, Roster as Page, RosterEntry},
};

use super::{ctx::Ctx, event::Event};
use id::PeerId;
use peer::{Peer, Who};

/// How far the client has the roster.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Roster {
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

impl Roster {
    /// Which run of the server it is of, and up to which version all is known.
    pub(super) fn have(&self) -> (Incarnation, u64) {
        (self.run, self.have)
    }

    /// A session begins with the server in a run of its. In another one than before, no version
    /// counts that is known, nor any number, which may be another's now.
    pub(super) fn begin(&mut self, cx: &mut Ctx<'_>, run: Incarnation) {
        (self.at, self.ended) = (0, false);
        if run == self.run {
            return;
        }
        (self.run, self.have) = (run, 0);
        cx.server.set_roster_known(false);
        for slot in 0..cx.peers.capacity() {
            let Some(id) = cx.peers.at(slot) else { continue };
            cx.peers.clear_recipient(id);
            match cx.peers.get_mut(id).map(|peer| &mut peer.who) {
                Some(Who::Person(person)) => person.version = 0,
                Some(Who::Room(room)) => room.meet_anew(),
                None => {}
            }
        }
    }

    /// Who is gone by what an entry says: of the accounts at a place, there is the newest at most.
    pub(super) fn displace(&mut self, cx: &mut Ctx<'_>, entry: &RosterEntry<'_>) -> Option<PeerId> {
        let recipient = Recipient::Account(entry.account);
        let id = cx.peers.at_place(recipient)?;
        let peer = cx.peers.get(id)?;
        if peer.recipient() == Some(recipient) || peer.person()?.version >= entry.version {
            return None;
        }
        leave(cx, id, entry.version);
        self.changed = true;
        Some(id)
    }

    /// Takes in an entry, after [`Self::displace`]: whose it is, and who is known by the nick under
    /// another key. Nobody's if it is the client's own, or the table is full: they can be written
    /// to by those who have more room.
    pub(super) fn take(
        &mut self,
        cx: &mut Ctx<'_>,
        entry: &RosterEntry<'_>,
    ) -> [Option<PeerId>; 2] {
        if entry.key == cx.public_key() && entry.presence != Presence::Removed {
            self.changed = true;
            return [None; 2];
        }
        let recipient = Recipient::Account(entry.account);
        if cx.peers.by_recipient(recipient) != cx.peers.at_place(recipient) {
            // A later account at its place is known: the page comes late.
            return [None; 2];
        }
        if entry.presence == Presence::Removed {
            let gone = remove(cx, entry);
            self.changed |= gone.is_some();
            return [gone, names::free(cx, entry)];
        }
        let known = cx.peers.by_key(&entry.key).and_then(|id| cx.peers.get(id)?.person());
        if known.is_some_and(|known| known.version >= entry.version) {
            return [None; 2];
        }
        let [id, claimed] = names::assign(cx, entry);
        if let Some(id) = id {
            self.changed |= update(cx, id, entry);
        }
        self.changed |= claimed.is_some();
        [id, claimed]
    }

    /// All entries of a page are taken in. Pages may come out of order or twice: an entry counts
    /// if it is newer than what is known.
    pub(super) fn turn(&mut self, cx: &mut Ctx<'_>, page: &Page<'_>) {
        if page.base > self.have {
            // The server goes on only once all pages of a pass have arrived here.
            (self.have, self.at, self.ended) = (page.base, 0, false);
        }
        self.ended |= page.last;
        // A page of an earlier pass that comes late says nothing of this one.
        if page.base == self.have && page.low.0 <= self.at {
            self.at = self.at.max(page.high.0);
            if page.last {
                (self.have, self.at) = (page.upto, 0);
            }
        }
        cx.server.set_roster_known(self.have > 0);
    }

    /// Says that people see a difference, if they do.
    pub(super) fn tell(&mut self, cx: &mut Ctx<'_>) {
        // Pages may swap places: what comes behind the last one is told as well.
        if self.ended && core::mem::take(&mut self.changed) {
            cx.news.tell(Event::RosterChanged);
        }
    }
}

/// Takes in a newer entry about someone; `true` if people see a difference.
fn update(cx: &mut Ctx<'_>, id: PeerId, entry: &RosterEntry<'_>) -> bool {
    let server = cx.config.server_key.map_or(0, |key| key.tag());
    let recipient = Recipient::Account(entry.account);
    let moved = cx.peers.get(id).is_some_and(|peer| peer.recipient() != Some(recipient));
    if moved {
        cx.peers.set_recipient(id, recipient);
    }
    let person = cx.peers.get_mut(id).and_then(Peer::person_mut);
    person.is_some_and(|person| person.update(entry, server, &mut cx.bodies)) || moved
}

/// An account is no more. The entry's key is not asked: it may have another account by now.
fn remove(cx: &mut Ctx<'_>, entry: &RosterEntry<'_>) -> Option<PeerId> {
    let server = cx.config.server_key.map_or(0, |key| key.tag());
    let is_theirs = |id: &PeerId| {
        let person = cx.peers.get(*id).and_then(Peer::person);
        person.is_some_and(|person| person.account() == Some((entry.account, server)))
    };
    let by_number = cx.peers.by_recipient(Recipient::Account(entry.account));
    let id = by_number.or_else(|| cx.peers.by_key(&entry.key).filter(is_theirs))?;
    if cx.peers.get(id)?.person()?.version >= entry.version {
        return None;
    }
    leave(cx, id, entry.version);
    Some(id)
}

/// Someone has no account any more. Who is known keeps the nick, so that nobody else has it unseen.
fn leave(cx: &mut Ctx<'_>, id: PeerId, version: u64) {
    let Some(peer) = cx.peers.get_mut(id) else { return };
    let is_stranger = peer.is_stranger();
    if let Some(person) = peer.person_mut() {
        person.remove(version);
        cx.peers.clear_recipient(id);
        if is_stranger {
            cx.peers.forget_name(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        client::fixture::Fixture,
        id::{Account, Nick, PublicKey},
        time::UnixTime,
    };

    use super::*;
    use crate::client::event::To;

    fn entry(key: u8, key_number: u32, version: u64) -> RosterEntry<'static> {
        RosterEntry {
            account: Account(7),
            version,
            nick: Nick::new("bob").unwrap(),
            key: PublicKey([key; 32]),
            key_number,
            presence: Presence::Online,
            candidates: [None; 2],
            seen: UnixTime(0),
            away: None,
        }
    }

    #[test]
    fn an_older_entry_changes_nothing_and_one_that_is_gone_has_no_name() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let bob = roster.take(&mut cx, &entry(1, 0, 5))[0].unwrap();
        let old = RosterEntry { presence: Presence::Offline, ..entry(1, 0, 4) };
        roster.take(&mut cx, &old);
        assert_eq!(cx.peers.get(bob).unwrap().presence(), Presence::Online);
        let gone = RosterEntry { presence: Presence::Removed, ..entry(1, 0, 6) };
        assert_eq!(roster.take(&mut cx, &gone), [Some(bob), None]);
        assert_eq!(cx.peers.by_name(&To::Peer(gone.nick)), None);
        assert_eq!(cx.peers.by_recipient(Recipient::Account(Account(7))), None);
    }

    #[test]
    fn who_has_a_place_after_another_is_another_person() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let bob = roster.take(&mut cx, &entry(1, 0, 5))[0].unwrap();
        let next = Account(7).next().unwrap();
        // Even under the nick and with a key number that the same person could have.
        let newcomer = RosterEntry { account: next, ..entry(2, 1, 6) };
        assert_eq!(roster.displace(&mut cx, &newcomer), Some(bob));
        let other = roster.take(&mut cx, &newcomer)[0].unwrap();
        assert!(other != bob && cx.peers.get(bob).unwrap().presence() == Presence::Removed);
        assert!(cx.peers.get(other).unwrap().person().unwrap().former().is_none());
        assert_eq!(cx.peers.by_recipient(Recipient::Account(Account(7))), None);
        // A page that comes late brings nobody back.
        for late in [entry(1, 0, 5), entry(3, 0, 4)] {
            assert_eq!(roster.displace(&mut cx, &late), None);
            assert_eq!(roster.take(&mut cx, &late), [None; 2]);
        }
        let by_recipient = cx.peers.by_recipient(Recipient::Account(next));
        assert_eq!(
            (by_recipient, cx.peers.by_name(&To::Peer(newcomer.nick))),
            (Some(other), Some(other))
        );
    }

    #[test]
    fn a_stranger_gives_way_and_nobody_is_taken_for_them() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let nick = |number: u8| Nick::new(&std::format!("nick{number}")).unwrap();
        let of = |number: u8| RosterEntry {
            account: Account(number.into()),
            nick: nick(number),
            ..entry(number, 0, number.into())
        };
        let mut rows = std::vec::Vec::new();
        while let [Some(id), _] = roster.take(&mut cx, &of(rows.len() as u8 + 1)) {
            rows.push(id);
        }
        let (count, last) = (rows.len(), *rows.last().unwrap());
        assert!(cx.peers.is_full() && count > 1);
        // Whoever is written to stays.
        cx.peers.get_mut(rows[0]).unwrap().author.hear();
        cx.make_place();
        assert!(cx.peers.at(last.slot()).is_none(), "who came last goes first");
        assert_eq!(cx.peers.by_key(&PublicKey([count as u8; 32])), None);
        assert_eq!(cx.peers.by_name(&To::Peer(nick(count as u8))), None);
        assert_eq!(cx.peers.by_recipient(Recipient::Account(Account(count as u32))), None);
        let room = cx.peers.add(PublicKey([99; 32]), To::Lobby).unwrap();
        assert!(room.slot() == last.slot() && room != last, "the place is another's now");
        for _ in 0..count {
            cx.make_place();
            cx.peers.add(PublicKey([100; 32]), To::Lobby);
        }
        assert!(cx.peers.by_key(&PublicKey([1; 32])) == Some(rows[0]) && !cx.peers.has_stranger());
    }

    #[test]
    fn what_stands_for_a_rooms_key_becomes_nobody() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let room = cx.peers.add(PublicKey([1; 32]), To::Lobby).unwrap();
        assert_eq!(roster.take(&mut cx, &entry(1, 0, 1)), [None; 2]);
        assert!(cx.peers.get(room).unwrap().is_room());
    }
}
