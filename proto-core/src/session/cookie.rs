//! The address proof: a cookie that costs its maker no memory, and the MACs
//! around it.

use core::net::SocketAddr;
use core::time::Duration;

use crate::id::PublicKey;
use crate::random::Random;
use crate::time::Instant;
use crate::wire::{Hello, HelloTo, Retry, VERSION};

use super::derive::{Key, hash, label, mac, same};
use super::suite::Suite;

/// Makes and verifies cookies. A cookie is a MAC over the address it was sent
/// to and the Hello it answers, under a secret that is replaced every
/// [`ROTATION`](Self::ROTATION).
#[derive(Debug)]
pub struct Cookies {
    current: Key,
    previous: Key,
    since: Instant,
}

impl Cookies {
    /// How long a secret makes cookies. Each lives at least that long.
    pub const ROTATION: Duration = Duration::from_secs(15);

    /// No cookie lives longer than this: two rotations.
    pub const LIFETIME: Duration = Duration::from_secs(30);

    /// With fresh secrets, the first of which begins at `now`.
    pub fn new(random: &mut Random, now: Instant) -> Self {
        Self { current: Key(random.bytes()), previous: Key(random.bytes()), since: now }
    }

    /// The cookie that proves to have received at `from` what answers `hello`.
    pub fn cookie(
        &mut self,
        suite: &dyn Suite,
        random: &mut Random,
        now: Instant,
        from: SocketAddr,
        hello: &Hello,
    ) -> [u8; 16] {
        self.rotate(random, now);
        make(suite, &self.current, from, hello)
    }

    /// Whether `cookie` was made here for just this address and Hello, within
    /// its lifetime.
    #[must_use]
    pub fn verify(
        &mut self,
        suite: &dyn Suite,
        random: &mut Random,
        now: Instant,
        from: SocketAddr,
        hello: &Hello,
        cookie: &[u8; 16],
    ) -> bool {
        self.rotate(random, now);
        let by = |secret| same(&make(suite, secret, from, hello), cookie);
        (by(&self.current) | by(&self.previous)).into()
    }

    /// Catches up with the clock: a secret that is two rotations old is gone,
    /// however long nothing happened.
    fn rotate(&mut self, random: &mut Random, now: Instant) {
        let age = now.since(self.since);
        if age < Self::ROTATION {
            return;
        }
        let fresh = Key(random.bytes());
        if age < Self::LIFETIME {
            self.previous = core::mem::replace(&mut self.current, fresh);
            self.since = self.since + Self::ROTATION;
        } else {
            self.current = fresh;
            self.previous = Key(random.bytes());
            self.since = now;
        }
    }
}

fn make(suite: &dyn Suite, secret: &Key, from: SocketAddr, hello: &Hello) -> [u8; 16] {
    let (ip, scope) = match from {
        SocketAddr::V4(from) => (from.ip().to_ipv6_mapped(), 0),
        SocketAddr::V6(from) => (*from.ip(), from.scope_id()),
    };
    let (port, scope) = (from.port().to_le_bytes(), scope.to_le_bytes());
    let parts = [label::COOKIE, &ip.octets(), &port, &scope, &hello.header(), &said_mac(hello)];
    mac(suite, &secret.0, parts)
}

/// The Retry that answers `hello`. Its check is a MAC under the Hello's random
/// bytes, which only who saw the Hello knows. A server says its `key`, a peer none.
pub fn retry(suite: &dyn Suite, hello: &Hello, cookie: [u8; 16], key: Option<PublicKey>) -> Retry {
    let mut retry = Retry { version: VERSION, random: hello.random, cookie, key, check: [0; 16] };
    retry.check = check_of(suite, hello, &retry);
    retry
}

/// Whether `retry` answers `hello` and arrived as it was sent. It proves no
/// identity: whoever saw the Hello can make one.
#[must_use]
pub fn check_retry(suite: &dyn Suite, hello: &Hello, retry: &Retry) -> bool {
    retry.random == hello.random && same(&check_of(suite, hello, retry), &retry.check).into()
}

fn check_of(suite: &dyn Suite, hello: &Hello, retry: &Retry) -> [u8; 16] {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(hello.random) {
        *to = from;
    }
    let mut scratch = [0; Retry::SIZE_BOUND];
    mac(suite, &key, [label::RETRY, retry.checked(&mut scratch)])
}

/// The MAC that a Hello to a peer carries: over [`Hello::header`], under a hash
/// of the responder's public key. Who does not know that key gets no answer.
pub fn hello_mac(suite: &dyn Suite, responder: &PublicKey, hello: &Hello) -> [u8; 16] {
    let key = hash(suite, label::PEER_KEY, [&responder.0]);
    mac(suite, &key, [label::HELLO, &hello.header()])
}

/// Whether `hello` is one to a peer and shows that its sender knows `own`, the
/// key of who received it.
#[must_use]
pub fn check_hello(suite: &dyn Suite, own: &PublicKey, hello: &Hello) -> bool {
    match hello.to {
        HelloTo::Peer { mac } => same(&hello_mac(suite, own, hello), &mac).into(),
        HelloTo::Server => false,
    }
}

/// The MAC in a Hello; zeros in one to a server.
pub(super) fn said_mac(hello: &Hello) -> [u8; 16] {
    match hello.to {
        HelloTo::Peer { mac } => mac,
        HelloTo::Server => [0; 16],
    }
}
