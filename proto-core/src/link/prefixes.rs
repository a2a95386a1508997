//! What each source prefix holds of an endpoint's links, and what it may cost: so that whoever
//! takes all there is gives way to others, and to nobody's cost but their own.

use core::{hash::Hasher, net::IpAddr, time::Duration};

use siphasher::sip::SipHasher13;

use crate::{
    rate::{Meter, Rate},
    storage::{Id, Linked, List, Node, Slab},
    time::Instant,
};

use super::{Link, link::Role};

/// What a source prefix may cost of its own: as many handshakes as a household or an office begins
/// when its network comes back, and one each 125 ms from then on.
const OWN: Rate = Rate { burst: 32, interval: Duration::from_millis(125) };

/// What there is besides for everyone, while there is no flood: a thousand handshakes a second
/// take a third of a core.
const SPARE: Rate = Rate { burst: 1024, interval: Duration::from_millis(1) };

/// Places that are a prefix's to choose from: with half of all taken, it hardly ever finds none that
/// is free.
const CHOICE: usize = 8;

/// The list that a link is in: those of its prefix in the same phase, or all that are closing.
#[derive(Debug)]
pub(super) struct Peers;

impl<R: Role> Linked<Peers> for Link<R> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.peers
    }
}

/// What links are counted as. Those that are closing give way to anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Not confirmed yet.
    Unconfirmed,
    /// Live.
    Live,
}

/// Links of one prefix in one phase, the oldest first.
#[derive(Debug)]
struct Share<R: Role> {
    links: List<Link<R>, Peers>,
    count: u32,
}

impl<R: Role> Share<R> {
    const NONE: Self = Self { links: List::NEW, count: 0 };
}

/// What one prefix holds, at its place of the table; and those that found all places taken that they
/// may have.
#[derive(Debug)]
pub struct PrefixShare<R: Role> {
    /// Whose place it is, by its hash, until it is free again.
    owner: u64,
    unconfirmed: Share<R>,
    live: Share<R>,
    handshakes: Meter,
    newcomers: Meter,
}

impl<R: Role> PrefixShare<R> {
    /// Never used. All zeros, so that a static of them takes no room in a program's image.
    pub const EMPTY: Self = Self {
        owner: 0,
        unconfirmed: Share::NONE,
        live: Share::NONE,
        handshakes: Meter::FULL,
        newcomers: Meter::FULL,
    };

    /// Its owner is as good as one who never came.
    fn is_free(&self, now: Instant) -> bool {
        self.links() == 0 && self.handshakes.is_full(now) && self.newcomers.is_full(now)
    }

    fn links(&self) -> u32 {
        self.unconfirmed.count + self.live.count
    }

    /// How many links of that kind it has; and of those to be confirmed, how much of what they may
    /// cost was used lately.
    fn weight(&self, now: Instant, kind: Use) -> (u32, Instant) {
        match kind {
            Use::Unconfirmed => (self.unconfirmed.count, self.handshakes.full_at(now)),
            Use::Live => (self.live.count, now),
        }
    }

    fn of(&self, kind: Use) -> &Share<R> {
        match kind {
            Use::Unconfirmed => &self.unconfirmed,
            Use::Live => &self.live,
        }
    }

    fn of_mut(&mut self, kind: Use) -> &mut Share<R> {
        match kind {
            Use::Unconfirmed => &mut self.unconfirmed,
            Use::Live => &mut self.live,
        }
    }
}

/// The shares of all prefixes that have one now. Which places a prefix may have is hashed under a key,
/// so that nobody can choose with whom they share one when all of those are taken.
pub(super) struct Prefixes<'a, R: Role> {
    places: &'a mut [PrefixShare<R>],
    spare: &'a mut Meter,
    key: [u8; 16],
}

impl<'a, R: Role> Prefixes<'a, R> {
    pub(super) fn new(
        places: &'a mut [PrefixShare<R>],
        spare: &'a mut Meter,
        key: [u8; 16],
    ) -> Self {
        Self { places, spare, key }
    }

    /// A handshake from this address may cost a Diffie-Hellman: its prefix has a token of its own,
    /// or there is one to spare.
    pub(super) fn allows_handshake(&mut self, now: Instant, from: IpAddr) -> bool {
        let place = self.place(now, from);
        let own =
            self.places.get_mut(place as usize).is_some_and(|at| at.handshakes.take(now, OWN));
        own || self.spare.take(now, SPARE)
    }

    /// Someone new from this address may be taken in: its prefix can have `burst` at once, and then
    /// one in each `interval`.
    pub(super) fn allows_newcomer(
        &mut self,
        now: Instant,
        from: IpAddr,
        burst: u32,
        interval: Duration,
    ) -> bool {
        let place = self.place(now, from);
        let rate = Rate { burst, interval };
        self.places.get_mut(place as usize).is_some_and(|at| at.newcomers.take(now, rate))
    }

    /// A link of the prefix at that place enters a phase.
    pub(super) fn add(
        &mut self,
        links: &mut Slab<'_, Link<R>>,
        id: Id<Link<R>>,
        place: u32,
        kind: Use,
    ) {
        if let Some(share) = self.places.get_mut(place as usize).map(|at| at.of_mut(kind)) {
            share.links.push_back(links, id);
            share.count += 1;
        }
    }

    /// A link of the prefix at that place leaves a phase. One that was evicted has left it before.
    pub(super) fn remove(
        &mut self,
        links: &mut Slab<'_, Link<R>>,
        id: Id<Link<R>>,
        place: u32,
        kind: Use,
    ) {
        let is_in = links.get(id).is_some_and(|link| link.peers.is_linked());
        let at = self.places.get_mut(place as usize).filter(|_| is_in);
        if let Some(share) = at.map(|at| at.of_mut(kind)) {
            share.links.remove(links, id);
            debug_assert!(share.count > 0, "each link was counted when it entered its phase");
            share.count = share.count.saturating_sub(1);
        }
    }

    /// The link that gives way to one of the prefix at that place: the newest of the prefix that has
    /// the most, if that has more than the other one's would have then; or, of those to be
    /// confirmed, as many, and has begun more of them lately.
    pub(super) fn heaviest(
        &self,
        links: &mut Slab<'_, Link<R>>,
        now: Instant,
        place: u32,
        kind: Use,
    ) -> Option<Id<Link<R>>> {
        let (count, lately) = self.places.get(place as usize)?.weight(now, kind);
        let heaviest = self.places.iter().max_by_key(|place| place.weight(now, kind))?;
        let is_heavier = heaviest.weight(now, kind) > (count + 1, lately);
        heaviest.of(kind).links.back(links).filter(|_| is_heavier)
    }

    /// The link that has been there for the longest time, of the prefix that has the most.
    pub(super) fn oldest_of_heaviest(&self, now: Instant, kind: Use) -> Option<Id<Link<R>>> {
        let heaviest = self.places.iter().max_by_key(|place| place.weight(now, kind))?;
        heaviest.of(kind).links.front()
    }

    /// The place of an address's prefix: the one that it has, or else a free one of those that it may
    /// have, or else, shared with others, the one of them with the fewest links.
    pub(super) fn place(&mut self, now: Instant, from: IpAddr) -> u32 {
        let (hash, count) = (self.hash(from), self.places.len());
        let first = ((u128::from(hash) * count as u128) >> 64) as usize;
        let choice = (first..count).chain(0..first).take(CHOICE);
        let order = |place: usize| {
            let at = self.places.get(place)?;
            Some((at.owner != hash, !at.is_free(now), at.links()))
        };
        let place = choice.min_by_key(|place| order(*place)).unwrap_or_default();
        if let Some(at) = self.places.get_mut(place)
            && at.is_free(now)
        {
            at.owner = hash;
        }
        place as u32
    }

    /// The hash of an address's prefix: the whole of an IPv4 address, the first half of an IPv6 one,
    /// which is as much as one network has.
    fn hash(&self, from: IpAddr) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match from.to_canonical() {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => {
                let octets = address.octets();
                hasher.write(octets.first_chunk::<8>().unwrap_or(&[0; 8]));
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use std::vec::Vec;

    use super::*;

    struct Silent;

    impl Role for Silent {
        type Token = ();
        type State = ();
    }

    const NOW: Instant = Instant::from_micros(1);
    const PLACES: u32 = 64;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    /// Of so many places; each key has another order of them.
    fn with_prefixes<T>(key: u8, then: impl FnOnce(&mut Prefixes<'_, Silent>) -> T) -> T {
        let mut places: Vec<_> = (0..PLACES).map(|_| PrefixShare::EMPTY).collect();
        let mut spare = Meter::FULL;
        then(&mut Prefixes::new(&mut places, &mut spare, [key; 16]))
    }

    fn newcomer(prefixes: &mut Prefixes<'_, Silent>, now: Instant, from: u32) -> bool {
        prefixes.allows_newcomer(now, address(from), 1, Duration::from_secs(1))
    }

    #[test]
    fn who_has_had_their_share_costs_nobody_else_theirs() {
        for key in 0..=255 {
            with_prefixes(key, |prefixes| {
                for from in 0..PLACES / 4 {
                    assert!(newcomer(prefixes, NOW, from), "{from}, with key {key}");
                    assert!(!newcomer(prefixes, NOW, from));
                }
            });
        }
    }

    #[test]
    fn a_place_is_free_again_once_its_prefix_has_all_its_share() {
        with_prefixes(1, |prefixes| {
            for turn in 0..100 {
                let now = Instant::from_micros(1 + turn * 1_000_000);
                for from in 0..PLACES / 4 {
                    assert!(newcomer(prefixes, now, 1_000 * turn as u32 + from));
                }
            }
        });
    }

    #[test]
    fn who_finds_no_place_has_no_share_of_their_own() {
        with_prefixes(1, |prefixes| {
            let all = 100 * PLACES;
            let allowed = (0..all).filter(|from| newcomer(prefixes, NOW, *from)).count();
            assert!(allowed <= PLACES as usize);
        });
    }
}
