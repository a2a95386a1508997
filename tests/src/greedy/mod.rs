//! People with keys who take what they can get: they complete real handshakes at the server and at
//! clients, and then speak the wire themselves. There may be any number of them in a world.

mod begun;
mod behaviour;
mod hand;
mod handshakes;
mod restless;
mod session;
mod silent;
mod squatting;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use proto_core::{
    id::{Nick, PublicKey},
    session::Portable,
};

use crate::{
    agenda::Event,
    clock::{Moment, SECOND},
    ctx::Ctx,
    dice::Dice,
    letter::Letter,
};

use self::hand::Hand;

pub use self::{behaviour::Behaviour, hand::Tally};
pub(crate) use hand::Surroundings;

/// How long their datagrams are under way.
const PATH: Moment = SECOND / 200;

/// How soon someone looks again who waits for their nick.
const LOOK: Moment = SECOND / 50;

/// Someone with keys who takes what they can get, wherever their datagrams go.
#[derive(Debug)]
pub struct Greedy {
    behaviour: Behaviour,
    hand: Hand,
}

impl Greedy {
    /// The one of that number who does that, with keys of their own.
    pub(crate) fn new(
        number: usize,
        behaviour: Behaviour,
        around: Surroundings,
        dice: Dice,
    ) -> Self {
        let nick = Nick::new(&format!("greedy{number}")).expect("a nick");
        Self { behaviour, hand: Hand::new(around, behaviour.manners(), nick, dice) }
    }

    /// The same at a real server, of which only address and key are known.
    pub fn at(number: usize, behaviour: Behaviour, server: (SocketAddr, PublicKey)) -> Self {
        let around = Surroundings::new(&Portable, server, std::iter::empty());
        Self::new(number, behaviour, around, Dice::new(number as u64))
    }

    /// Their turn, at a time that is counted from any; how long until the next.
    pub fn turn(&mut self, now: Moment) -> Moment {
        if self.behaviour.registers() && !self.hand.settle_in(now) {
            return LOOK;
        }
        self.hand.turns += 1;
        self.behaviour.act(&mut self.hand)
    }

    /// A datagram came for them.
    pub fn hear(&mut self, datagram: Vec<u8>) {
        if let Some(id) = self.hand.hear(datagram) {
            self.behaviour.greet(&mut self.hand, id);
        }
    }

    /// The datagrams that they send, and where to.
    pub fn take_out(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.hand.take_out()
    }

    /// What they sent and were sent.
    pub fn tally(&self) -> Tally {
        self.hand.tally
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    all: Vec<(SocketAddr, Greedy)>,
    by_address: BTreeMap<SocketAddr, usize>,
    /// They have all gone.
    is_over: bool,
}

impl Crowd {
    /// Someone is there from now on, at an address that nobody else has.
    pub(crate) fn come(
        &mut self,
        cx: &mut Ctx,
        behaviour: Behaviour,
        at: SocketAddr,
        around: Surroundings,
    ) -> usize {
        let number = self.all.len();
        let greedy = Greedy::new(number, behaviour, around, Dice::new(cx.dice.u64()));
        cx.counts.greedy += 1;
        cx.line(|_| format!("{} comes, at {at}: {behaviour:?}", greedy.hand.nick()));
        self.all.push((at, greedy));
        self.by_address.insert(at, number);
        cx.after(LOOK, Event::Turn(number));
        number
    }

    /// They go, without a word.
    pub(crate) fn leave(&mut self) {
        self.is_over = true;
    }

    /// What one of them sent and was sent.
    pub(crate) fn tally(&self, number: usize) -> Tally {
        self.all[number].1.tally()
    }

    /// It is someone's turn; the keys that they use from now on.
    pub(crate) fn turn(&mut self, cx: &mut Ctx, number: usize) -> BTreeSet<PublicKey> {
        if self.is_over {
            return BTreeSet::new();
        }
        let pause = self.all[number].1.turn(cx.now());
        cx.after(pause, Event::Turn(number));
        self.flush(cx, number)
    }

    /// A datagram is where perhaps one of them is; the keys that they use from now on.
    pub(crate) fn hear(&mut self, cx: &mut Ctx, letter: Letter) -> BTreeSet<PublicKey> {
        let Some(number) = self.by_address.get(&letter.to).copied().filter(|_| !self.is_over)
        else {
            return BTreeSet::new();
        };
        self.all[number].1.hear(letter.bytes);
        self.flush(cx, number)
    }

    fn flush(&mut self, cx: &mut Ctx, number: usize) -> BTreeSet<PublicKey> {
        let (at, greedy) = &mut self.all[number];
        for (to, bytes) in greedy.take_out() {
            let letter = Letter { from: *at, to, bytes };
            cx.after(PATH, Event::Arrive { letter, damaged: false });
        }
        greedy.hand.take_keys()
    }
}
