//! Someone on the network who sees everything, holds no key, and sends whatever
//! they like under whatever address.

use std::net::{Ipv4Addr, SocketAddr};

use proto_core::{
    id::PublicKey,
    session,
    wire::{Hello, HelloTo, MAX_DATAGRAM, VERSION},
};

use crate::{dice::Dice, suite::STAND_IN};

/// How many datagrams are remembered.
const CAPTURED: usize = 64;

/// What was seen on the network.
#[derive(Clone, Debug)]
struct Seen {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// A datagram of the attacker's making.
#[derive(Debug)]
pub struct Forgery {
    /// The address it pretends to come from.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// The datagram.
    pub bytes: Vec<u8>,
    /// Nobody with a key made it as it is.
    pub forged: bool,
}

/// Someone with a memory of what was sent, and no key.
#[derive(Debug, Default)]
pub struct Attacker {
    seen: Vec<Seen>,
    next: usize,
}

/// Whether an address belongs to nobody: what is sent there is sent to a victim
/// who never asked for anything.
pub fn is_victim(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets()[0] == 203)
}

fn victim(dice: &mut Dice) -> SocketAddr {
    let last = dice.below(250) as u8;
    SocketAddr::from((Ipv4Addr::new(203, 0, 113, last), 1024 + dice.below(60_000) as u16))
}

impl Attacker {
    /// Remembers a datagram.
    pub fn see(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], dice: &mut Dice) {
        let seen = Seen { from, to, bytes: bytes.to_vec() };
        if self.seen.len() < CAPTURED {
            self.seen.push(seen);
        } else if dice.chance(100) {
            self.next = dice.index(CAPTURED);
            self.seen[self.next] = seen;
        }
    }

    /// Makes something up. `targets` are addresses and keys of nodes, all of which are public.
    pub fn forge(&self, targets: &[(SocketAddr, PublicKey)], dice: &mut Dice) -> Option<Forgery> {
        let (to, key) = *targets.get(dice.index(targets.len()))?;
        let seen = self.seen.get(dice.index(self.seen.len().max(1)));
        let forgery = match (dice.below(6), seen) {
            (0, _) => Forgery {
                from: victim(dice),
                to,
                bytes: hello(HelloTo::Server, dice),
                forged: true,
            },
            (1, _) => {
                let bytes = peer_hello(&key, dice);
                Forgery { from: victim(dice), to, bytes, forged: true }
            }
            (2, _) | (_, None) => {
                let mut bytes = vec![0; dice.index(MAX_DATAGRAM)];
                dice.fill(&mut bytes);
                if let Some(kind) = bytes.first_mut() {
                    *kind = dice.between(1..7) as u8;
                }
                Forgery { from: victim(dice), to, bytes, forged: true }
            }
            (3, Some(seen)) => {
                let mut bytes = seen.bytes.clone();
                let bit = dice.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                let from = if dice.chance(500) { seen.from } else { victim(dice) };
                Forgery { from, to: seen.to, bytes, forged: true }
            }
            (4, Some(seen)) => {
                // To someone it was not meant for.
                Forgery { from: seen.from, to, bytes: seen.bytes.clone(), forged: false }
            }
            (_, Some(seen)) => {
                let from = if dice.chance(500) { seen.from } else { victim(dice) };
                Forgery { from, to: seen.to, bytes: seen.bytes.clone(), forged: false }
            }
        };
        Some(forgery)
    }
}

fn hello(to: HelloTo, dice: &mut Dice) -> Vec<u8> {
    let size = dice.between(256..MAX_DATAGRAM as u64 + 1) as u16;
    Hello { version: VERSION, size, random: dice.bytes(), to }
        .encode(&mut [0; MAX_DATAGRAM])
        .to_vec()
}

fn peer_hello(key: &PublicKey, dice: &mut Dice) -> Vec<u8> {
    let (size, random) = (dice.between(256..1473) as u16, dice.bytes());
    let blank = Hello { version: VERSION, size, random, to: HelloTo::Peer { mac: [0; 16] } };
    let mac = session::hello_mac(&STAND_IN, key, &blank);
    Hello { to: HelloTo::Peer { mac }, ..blank }.encode(&mut [0; MAX_DATAGRAM]).to_vec()
}
