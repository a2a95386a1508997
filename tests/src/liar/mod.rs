//! Someone with keys of their own who says what they like: a server, or a registered client. Every
//! packet that they send is theirs to tell in another way, under its seal; all else that they do
//! is what the honest do.

mod attack;
mod chain;
mod client;
mod overheard;
mod server;

use std::{convert::Infallible, net::SocketAddr};

use proto_core::{
    id::{Account, Epoch, MessageName, Number, Position, PublicKey, SecretKey},
    random::{Random, Seed},
    session::{self, Identity, MAIL_OVERHEAD},
    wire::{Datagram, Frame, FrameWriter, Frames, MAX_DATAGRAM, PACKET_OVERHEAD},
};

use crate::{
    dice::Dice,
    letter::Letter,
    place::{Place, SERVER},
    suite::STAND_IN,
};

use self::{chain::Chains, overheard::Overheard};

pub use self::attack::{Attack, Attacks};

/// What the text of each lie begins with: nobody honest says such.
pub(crate) const LIE: &[u8] = b"a lie, no. ";

/// Bytes ahead of a text in its body.
const BODY_HEADER: usize = 8;

/// A session's id without its key phase.
const SESSION: u32 = !(1 << 31);

/// A frame as it is written.
type Written = Vec<u8>;

/// Someone who lies.
#[derive(Debug)]
pub(crate) struct Liar {
    /// Whose packets are theirs to tell.
    place: Place,
    /// Their own key pair: a client's own, or that of a server's accomplice.
    identity: Identity,
    /// Where the accomplice is.
    address: SocketAddr,
    /// Everyone's keys.
    keys: Vec<PublicKey>,
    dice: Dice,
    random: Random,
    /// How they lie, and how often in a thousand frames.
    ways: Vec<Attack>,
    rate: u32,
    is_lying: bool,
    lies: u64,
    tried: Attacks,
    overheard: Overheard,
    chains: Chains,
}

impl Liar {
    /// The server, or the client whose secret that is, is going to lie; each way in about half of
    /// the worlds.
    pub(crate) fn new(
        place: Place,
        (address, secret): (SocketAddr, [u8; 32]),
        keys: Vec<PublicKey>,
        mut dice: Dice,
    ) -> Self {
        let Ok(seed) = Seed::draw(|bytes| {
            dice.fill(bytes);
            Ok::<_, Infallible>(())
        });
        let ways = Attack::ALL.iter().copied().filter(|_| dice.chance(500)).collect();
        let rate = [50, 150, 400][dice.index(3)];
        Self {
            place,
            identity: Identity::new(SecretKey(secret), &STAND_IN),
            address,
            keys,
            dice,
            random: Random::new(seed),
            ways,
            rate,
            is_lying: false,
            lies: 0,
            tried: Attacks::default(),
            overheard: Overheard::default(),
            chains: Chains::default(),
        }
    }

    /// They lie from now on, or no more.
    pub(crate) fn lies(&mut self, is_lying: bool) {
        self.is_lying = is_lying;
    }

    /// How often they tried what.
    pub(crate) fn tried(&self) -> Attacks {
        self.tried
    }

    /// The texts that they could open of what was submitted since this was asked before, and at
    /// whose node.
    pub(crate) fn opened(&mut self) -> Vec<(Place, Vec<u8>)> {
        self.overheard.opened()
    }

    /// A datagram is sent: what is sent instead.
    pub(crate) fn passes(&mut self, from: Place, to: Option<Place>, letter: Letter) -> Letter {
        let Some(to) = to.filter(|to| from == self.place || *to == self.place) else {
            return letter;
        };
        let Ok(Datagram::Packet(header, _)) = Datagram::parse(&mut letter.bytes.clone()) else {
            return letter;
        };
        let session = header.session.0 & SESSION;
        letter.retold(|plain| {
            let mut out = Vec::new();
            for frame in Frames::new(plain).flatten() {
                match (from == self.place, self.place) {
                    (true, SERVER) => self.serve((to, session), &frame, &mut out),
                    (true, _) => self.claim(to, &frame, &mut out),
                    (false, SERVER) => self.take(from, &frame, &mut out),
                    (false, _) => {
                        self.overheard.frame(to, &frame);
                        out.push(written(&frame));
                    }
                }
            }
            match (from == self.place, self.place) {
                (true, SERVER) => self.make_up((to, session), &mut out),
                (true, _) => self.boast(to, &mut out),
                (false, SERVER) => out.extend(self.chains.owed_acks(from)),
                (false, _) => {}
            }
            let most = MAX_DATAGRAM - PACKET_OVERHEAD;
            let mut plain = Vec::new();
            for frame in out {
                if plain.len() + frame.len() <= most {
                    plain.extend(frame);
                }
            }
            plain
        })
    }

    /// They lie now, and in this way, which is counted.
    fn tries(&mut self, attack: Attack) -> bool {
        let does = self.is_lying && self.ways.contains(&attack) && self.dice.chance(self.rate);
        if does {
            self.tried.count(attack);
        }
        does
    }

    /// A body of theirs that nobody said before.
    fn body(&mut self) -> Vec<u8> {
        self.lies += 1;
        let number = self.lies.to_string();
        [&[0; BODY_HEADER], LIE, number.as_bytes()].concat()
    }

    /// A new lie, sealed by their own key for someone, naming any message before it.
    fn sealed(&mut self, for_whom: PublicKey, position: Position) -> Option<Vec<u8>> {
        let author = self.identity.public();
        let name = MessageName { author, recipient: for_whom, position };
        let number = position.to_record_number();
        let previous = [0, number.saturating_sub(1), number / 2, self.dice.below(number.max(1))];
        let previous = Position::from_record_number(previous[self.dice.index(4)]);
        let body = self.body();
        let mut sealed = [body.as_slice(), &[0; MAIL_OVERHEAD]].concat();
        let (identity, random) = (&self.identity, &mut self.random);
        session::seal_mail(identity, &name, previous, random, 1, &mut sealed, body.len())?;
        Some(sealed)
    }

    /// Any position: small, near to one, or at the bounds.
    fn position(&mut self, near: Position) -> Position {
        let Position { epoch: Epoch(epoch), number: Number(number) } = near;
        let some = 1 + self.dice.below(20);
        let epochs = [epoch, epoch, epoch.saturating_add(1), epoch.saturating_sub(1), 1, u32::MAX];
        let most = u64::from(u32::MAX);
        let numbers = [number, number + 1, number + some, some, 1 << 20, most - 1, most, most + 1];
        let epoch = epochs[self.dice.index(epochs.len())];
        Position::new(Epoch(epoch), Number(numbers[self.dice.index(numbers.len())]))
    }

    /// The key of an account, as far as they know.
    fn key_of(&self, account: Account) -> Option<PublicKey> {
        self.overheard.people().iter().find(|known| known.account == account).map(|k| k.key)
    }
}

/// A frame as it is written.
fn written(frame: &Frame<'_>) -> Written {
    let mut out = [0; MAX_DATAGRAM];
    let mut writer = FrameWriter::new(&mut out, 0, MAX_DATAGRAM);
    assert!(writer.push(frame), "it came in a packet");
    let length = writer.length();
    out[..length].to_vec()
}
