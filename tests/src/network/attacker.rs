//! Someone on the network who sees everything, holds no key, and sends whatever
//! they like under whatever address.

use std::net::{Ipv4Addr, SocketAddr};

use proto_core::{
    id::PublicKey,
    session,
    wire::{Hello, HelloTo, MAX_DATAGRAM, VERSION},
};

use crate::{dice::Dice, letter::Letter, suite::STAND_IN};

/// How many datagrams are remembered.
const CAPTURED: usize = 64;

/// A datagram of the attacker's making.
#[derive(Debug)]
pub(super) struct Forgery {
    /// The datagram, and the address it pretends to come from.
    pub(super) letter: Letter,
    /// Nobody with a key made it as it is.
    pub(super) forged: bool,
}

/// Someone with a memory of what was sent, and no key.
#[derive(Debug, Default)]
pub(super) struct Attacker {
    seen: Vec<Letter>,
}

/// Whether an address belongs to nobody: what is sent there is sent to a victim
/// who never asked for anything.
pub(crate) fn is_victim(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets()[0] == 203)
}

fn victim(dice: &mut Dice) -> SocketAddr {
    let last = dice.below(250) as u8;
    SocketAddr::from((Ipv4Addr::new(203, 0, 113, last), 1024 + dice.below(60_000) as u16))
}

impl Attacker {
    /// Remembers a datagram.
    pub(super) fn see(&mut self, letter: &Letter, dice: &mut Dice) {
        if self.seen.len() < CAPTURED {
            self.seen.push(letter.clone());
        } else if dice.chance(100) {
            self.seen[dice.index(CAPTURED)] = letter.clone();
        }
    }

    /// Makes something up. `targets` are addresses and keys of nodes, all of which are public.
    pub(super) fn forge(
        &self,
        targets: &[(SocketAddr, PublicKey)],
        dice: &mut Dice,
    ) -> Option<Forgery> {
        let (to, key) = *targets.get(dice.index(targets.len()))?;
        let seen = self.seen.get(dice.index(self.seen.len().max(1)));
        let (from, to, bytes, forged) = match (dice.below(6), seen) {
            (0, _) => (victim(dice), to, hello(HelloTo::Server, dice), true),
            (1, _) => {
                let bytes = peer_hello(&key, dice);
                (victim(dice), to, bytes, true)
            }
            (2, _) | (_, None) => {
                let mut bytes = vec![0; dice.index(MAX_DATAGRAM)];
                dice.fill(&mut bytes);
                if let Some(kind) = bytes.first_mut() {
                    *kind = dice.between(1..7) as u8;
                }
                (victim(dice), to, bytes, true)
            }
            (3, Some(seen)) => {
                let bit = dice.index(seen.bytes.len() * 8);
                let from = if dice.chance(500) { seen.from } else { victim(dice) };
                (from, seen.to, seen.flipped(bit).bytes, true)
            }
            // To someone it was not meant for.
            (4, Some(seen)) => (seen.from, to, seen.bytes.clone(), false),
            (_, Some(seen)) => {
                let from = if dice.chance(500) { seen.from } else { victim(dice) };
                (from, seen.to, seen.bytes.clone(), false)
            }
        };
        Some(Forgery { letter: Letter { from, to, bytes }, forged })
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
