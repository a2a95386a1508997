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

/// What the prefixes hold whose hash falls on one place of the table.
#[derive(Debug)]
pub struct PrefixShare<R: Role> {
    unconfirmed: Share<R>,
    live: Share<R>,
    handshakes: Meter,
    newcomers: Meter,
}

impl<R: Role> PrefixShare<R> {
    /// Never used. All zeros, so that a static of them takes no room in a program's image.
    pub const EMPTY: Self = Self {
        unconfirmed: Share::NONE,
        live: Share::NONE,
        handshakes: Meter::FULL,
        newcomers: Meter::FULL,
    };

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

/// The shares of all prefixes, in as many places as there are. Prefixes are hashed under a key, so
/// that nobody can choose with whom they share a place.
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
        let place = self.place(from);
        let own = self.places.get_mut(place).is_some_and(|at| at.handshakes.take(now, OWN));
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
        let place = self.place(from);
        let rate = Rate { burst, interval };
        self.places.get_mut(place).is_some_and(|at| at.newcomers.take(now, rate))
    }

    /// A link from this address enters a phase.
    pub(super) fn add(
        &mut self,
        links: &mut Slab<'_, Link<R>>,
        id: Id<Link<R>>,
        from: IpAddr,
        kind: Use,
    ) {
        let place = self.place(from);
        if let Some(share) = self.places.get_mut(place).map(|place| place.of_mut(kind)) {
            share.links.push_back(links, id);
            share.count += 1;
        }
    }

    /// A link from this address leaves a phase. One that was evicted has left it before.
    pub(super) fn remove(
        &mut self,
        links: &mut Slab<'_, Link<R>>,
        id: Id<Link<R>>,
        from: IpAddr,
        kind: Use,
    ) {
        let place = self.place(from);
        let is_in = links.get(id).is_some_and(|link| link.peers.is_linked());
        if let Some(share) = self.places.get_mut(place).filter(|_| is_in).map(|at| at.of_mut(kind))
        {
            share.links.remove(links, id);
            debug_assert!(share.count > 0, "each link was counted when it entered its phase");
            share.count = share.count.saturating_sub(1);
        }
    }

    /// The link that gives way to one from `from`: the newest of the prefix that has the most, if
    /// that has more than the other one's would have then.
    pub(super) fn heaviest(
        &self,
        links: &mut Slab<'_, Link<R>>,
        from: IpAddr,
        kind: Use,
    ) -> Option<Id<Link<R>>> {
        let own = self.places.get(self.place(from))?.of(kind).count;
        let shares = self.places.iter().map(|place| place.of(kind));
        let heaviest = shares.max_by_key(|share| share.count)?;
        heaviest.links.back(links).filter(|_| heaviest.count > own + 1)
    }

    /// The link that has been there for the longest time, of the prefix that has the most.
    pub(super) fn oldest_of_heaviest(&self, kind: Use) -> Option<Id<Link<R>>> {
        let shares = self.places.iter().map(|place| place.of(kind));
        shares.max_by_key(|share| share.count)?.links.front()
    }

    /// The place of an address's prefix: the whole of an IPv4 address, the first half of an IPv6
    /// one, which is as much as one network has.
    fn place(&self, from: IpAddr) -> usize {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        match from.to_canonical() {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => {
                let octets = address.octets();
                hasher.write(octets.first_chunk::<8>().unwrap_or(&[0; 8]));
            }
        }
        let wide = u128::from(hasher.finish()) * self.places.len() as u128;
        (wide >> 64) as usize
    }
}
