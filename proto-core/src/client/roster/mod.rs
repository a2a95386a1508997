//! The people that the client knows: who has which nick, account and key, and who is there.

pub(super) mod id;
pub(super) mod list;
pub(super) mod peer;
pub(super) mod peers;
pub(super) mod person;
pub(super) mod reach;

use crate::{
    id::{Account, Incarnation, Recipient},
    wire::{Presence, Roster as Page, RosterEntry},
};

use super::{
    ctx::Ctx,
    event::{Event, To},
};
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

    /// Takes in an entry, after [`Self::displace`]: whose it is. `None` for the client's own, and
    /// if the table is full: they can be written to by those who have more room.
    pub(super) fn take(&mut self, cx: &mut Ctx<'_>, entry: &RosterEntry<'_>) -> Option<PeerId> {
        if entry.key == cx.public_key() && entry.presence != Presence::Removed {
            self.changed = true;
            return None;
        }
        let (id, changed) = update(cx, entry)?;
        self.changed |= changed;
        Some(id)
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

/// Takes in a roster entry: whose it is, and whether people see a difference.
fn update(cx: &mut Ctx<'_>, entry: &RosterEntry<'_>) -> Option<(PeerId, bool)> {
    let server = cx.config.server_key.map_or(0, |key| key.tag());
    let recipient = Recipient::Account(entry.account);
    if cx.peers.by_recipient(recipient) != cx.peers.at_place(recipient) {
        // A later account at its place is known: the page comes late.
        return None;
    }
    if entry.presence == Presence::Removed {
        return remove(cx, entry, server);
    }
    let same = same_account(cx, entry, server);
    if let Some((id, version)) = same.and_then(|id| Some((id, cx.peers.get(id)?.person()?.version)))
        && version >= entry.version
    {
        return Some((id, false));
    }
    let with = To::Peer(entry.nick);
    let mut changed = true;
    let id = match (same.filter(|id| goes_on(cx, *id, entry)), cx.peers.by_key(&entry.key)) {
        (Some(id), _) => {
            renew(cx, id, entry);
            id
        }
        (None, Some(id)) => {
            // What stands for a room's key is nobody's.
            cx.peers.get(id)?.person()?;
            changed = cx.peers.rename(id, with);
            id
        }
        (None, None) => {
            // A nick that another key held before is another person now. So it may be at another
            // server without anything having changed.
            let before = cx.peers.by_name(&with).and_then(|id| cx.peers.get(id)?.person());
            let is_from_elsewhere = |(_, its): (Account, u32)| its != server;
            let key_changed =
                before.is_some_and(|before| !before.account().is_some_and(is_from_elsewhere));
            let id = cx.peers.add_instead(entry.key, with)?;
            if let Some(person) = cx.peers.get_mut(id)?.person_mut() {
                person.key_changed = key_changed;
            }
            id
        }
    };
    let known = cx.peers.get(id)?;
    if known.person()?.version >= entry.version {
        return Some((id, changed));
    }
    if known.recipient() != Some(recipient) {
        changed = true;
        cx.peers.set_recipient(id, recipient);
    }
    let person = cx.peers.get_mut(id)?.person_mut()?;
    changed |= person.update(entry, server, &mut cx.bodies);
    Some((id, changed))
}

/// Who had the account before, under whatever key.
fn same_account(cx: &Ctx<'_>, entry: &RosterEntry<'_>, server: u32) -> Option<PeerId> {
    let id = cx.peers.by_name(&To::Peer(entry.nick))?;
    let account = cx.peers.get(id)?.person()?.account();
    (account == Some((entry.account, server))).then_some(id)
}

/// Whether who had the account before goes on under the key of an entry: under a key with a lower
/// number before. A number that is not higher comes from a server that was put back or begun anew,
/// where the account may be another's: then only the first key that was met is theirs.
fn goes_on(cx: &Ctx<'_>, id: PeerId, entry: &RosterEntry<'_>) -> bool {
    let Some(peer) = cx.peers.get(id) else { return false };
    let number = peer.person().map_or(0, |person| person.key_number);
    let back = peer.key != entry.key && peer.log() == entry.key;
    entry.key_number > number || back && cx.peers.by_key(&peer.log()).is_none()
}

/// An account that is known has another key: its holder proved at the server to be the
/// same person.
fn renew(cx: &mut Ctx<'_>, id: PeerId, entry: &RosterEntry<'_>) {
    let Some(before) = cx.peers.get(id).map(|peer| peer.key) else { return };
    cx.peers.set_key(id, entry.key);
    if let Some(person) = cx.peers.get_mut(id).and_then(|peer| peer.person_mut()) {
        person.renew(before, entry.key_number);
        person.key_changed |= entry.key != before;
    }
}

/// An account is no more. The entry's key is not asked: it may have another account by now.
fn remove(cx: &mut Ctx<'_>, entry: &RosterEntry<'_>, server: u32) -> Option<(PeerId, bool)> {
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
    Some((id, true))
}

/// Someone has no account any more: nobody is written to by their nick.
fn leave(cx: &mut Ctx<'_>, id: PeerId, version: u64) {
    if let Some(person) = cx.peers.get_mut(id).and_then(Peer::person_mut) {
        person.remove(version);
        cx.peers.clear_recipient(id);
        cx.peers.forget_name(id);
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
    fn who_proved_to_be_the_same_keeps_the_conversation_and_the_user_hears_of_the_key() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let bob = roster.take(&mut cx, &entry(1, 0, 1)).unwrap();
        assert_eq!(cx.peers.get_mut(bob).unwrap().next_event(), None);
        assert_eq!(roster.take(&mut cx, &entry(2, 1, 2)), Some(bob));
        let peer = cx.peers.get_mut(bob).unwrap();
        assert_eq!((peer.key(), peer.log()), (PublicKey([2; 32]), PublicKey([1; 32])));
        assert!(peer.has_former(), "what is sealed to the first key is asked after");
        let nick = Nick::new("bob").unwrap();
        assert_eq!(peer.next_event(), Some(Event::KeyChanged { nick }));
    }

    #[test]
    fn who_took_a_nick_over_is_told_of_but_not_who_has_it_at_another_server() {
        let changed = |other: bool| {
            let mut fixture = Fixture::new();
            let (mut cx, mut roster) = (fixture.cx(), Roster::default());
            cx.config.server_key = Some(PublicKey([8; 32]));
            roster.take(&mut cx, &entry(1, 0, 1)).unwrap();
            if other {
                cx.config.server_key = Some(PublicKey([9; 32]));
            }
            let taken = RosterEntry { account: Account(8), ..entry(2, 0, 2) };
            let now = roster.take(&mut cx, &taken).unwrap();
            cx.peers.get_mut(now).unwrap().next_event().is_some()
        };
        assert!(changed(false) && !changed(true));
    }

    #[test]
    fn an_older_entry_changes_nothing_and_one_that_is_gone_has_no_name() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let bob = roster.take(&mut cx, &entry(1, 0, 5)).unwrap();
        let old = RosterEntry { presence: Presence::Offline, ..entry(1, 0, 4) };
        roster.take(&mut cx, &old);
        assert_eq!(cx.peers.get(bob).unwrap().presence(), Presence::Online);
        let gone = RosterEntry { presence: Presence::Removed, ..entry(1, 0, 6) };
        assert_eq!(roster.take(&mut cx, &gone), Some(bob));
        assert_eq!(cx.peers.by_name(&To::Peer(gone.nick)), None);
        assert_eq!(cx.peers.by_recipient(Recipient::Account(Account(7))), None);
    }

    #[test]
    fn who_has_a_place_after_another_is_another_person() {
        let mut fixture = Fixture::new();
        let (mut cx, mut roster) = (fixture.cx(), Roster::default());
        let bob = roster.take(&mut cx, &entry(1, 0, 5)).unwrap();
        let next = Account(7).next().unwrap();
        // Even under the nick and with a key number that the same person could have.
        let newcomer = RosterEntry { account: next, ..entry(2, 1, 6) };
        assert_eq!(roster.displace(&mut cx, &newcomer), Some(bob));
        let other = roster.take(&mut cx, &newcomer).unwrap();
        assert!(other != bob && cx.peers.get(bob).unwrap().presence() == Presence::Removed);
        assert!(cx.peers.get(other).unwrap().person().unwrap().former().is_none());
        assert_eq!(cx.peers.by_recipient(Recipient::Account(Account(7))), None);
        // A page that comes late brings nobody back.
        for late in [entry(1, 0, 5), entry(3, 0, 4)] {
            assert_eq!(roster.displace(&mut cx, &late), None);
            assert_eq!(roster.take(&mut cx, &late), None);
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
        while let Some(id) = roster.take(&mut cx, &of(rows.len() as u8 + 1)) {
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
        assert_eq!(roster.take(&mut cx, &entry(1, 0, 1)), None);
        assert!(cx.peers.get(room).unwrap().is_room());
    }
}
