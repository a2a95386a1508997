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

use proto_core::id::{Nick, PublicKey};

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

/// Someone with keys who takes what they can get.
#[derive(Debug)]
struct Greedy {
    at: SocketAddr,
    behaviour: Behaviour,
    hand: Hand,
}

impl Greedy {
    /// Their turn; how long until the next.
    fn turn(&mut self, now: Moment) -> Moment {
        if self.behaviour.registers() && !self.hand.settle_in(now) {
            return LOOK;
        }
        self.hand.turns += 1;
        self.behaviour.act(&mut self.hand)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    all: Vec<Greedy>,
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
        let nick = Nick::new(&format!("greedy{number}")).expect("a nick");
        let dice = Dice::new(cx.dice.u64());
        let hand = Hand::new(around, behaviour.manners(), nick, dice);
        cx.counts.greedy += 1;
        cx.line(|_| format!("{nick} comes, at {at}: {behaviour:?}"));
        self.all.push(Greedy { at, behaviour, hand });
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
        self.all[number].hand.tally
    }

    /// It is someone's turn; the keys that they use from now on.
    pub(crate) fn turn(&mut self, cx: &mut Ctx, number: usize) -> BTreeSet<PublicKey> {
        if self.is_over {
            return BTreeSet::new();
        }
        let greedy = &mut self.all[number];
        let pause = greedy.turn(cx.now());
        cx.after(pause, Event::Turn(number));
        self.flush(cx, number)
    }

    /// A datagram is where perhaps one of them is; the keys that they use from now on.
    pub(crate) fn hear(&mut self, cx: &mut Ctx, letter: Letter) -> BTreeSet<PublicKey> {
        let Some(number) = self.by_address.get(&letter.to).copied().filter(|_| !self.is_over)
        else {
            return BTreeSet::new();
        };
        let Greedy { behaviour, hand, .. } = &mut self.all[number];
        if let Some(id) = hand.hear(letter.bytes) {
            behaviour.greet(hand, id);
        }
        self.flush(cx, number)
    }

    fn flush(&mut self, cx: &mut Ctx, number: usize) -> BTreeSet<PublicKey> {
        let Greedy { at, hand, .. } = &mut self.all[number];
        for (to, bytes) in hand.take_out() {
            let letter = Letter { from: *at, to, bytes };
            cx.after(PATH, Event::Arrive { letter, damaged: false });
        }
        hand.take_keys()
    }
}
