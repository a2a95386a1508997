//! The network: who is where, what becomes of a datagram on its way, and who else has a hand in
//! that.

pub(crate) mod attacker;
mod interception;
pub mod nat;
mod paths;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

use proto_core::id::PublicKey;

use crate::{
    agenda::{Alarm, Event},
    clock::{Moment, SECOND},
    ctx::Ctx,
    dice::fingerprint,
    disturbance::{Datagrams, Disturbance},
    faults::Faults,
    letter::Letter,
    liar::Liar,
    place::Place,
    trace,
};

use self::{
    attacker::{Attacker, Forgery},
    interception::Interception,
    nat::Nat,
    paths::{Passage, Paths},
};

/// The first byte of an Accept.
const ACCEPT: u8 = 5;

/// The network of a world.
#[derive(Debug, Default)]
pub struct Network {
    paths: Paths,
    /// Where each node is, as it sees itself.
    addresses: Vec<SocketAddr>,
    /// Who is there, seen from outside, but for those behind translators.
    places: BTreeMap<SocketAddr, Place>,
    nats: BTreeMap<Place, Nat>,
    /// How many datagrams each node sent, and how many bytes.
    sent: Vec<u64>,
    bytes: Vec<u64>,
    accepts: BTreeSet<u64>,
    attacker: Attacker,
    liar: Option<Box<Liar>>,
    interception: Option<Interception>,
    capture: Option<Vec<Letter>>,
    /// What is sent, if something of it is to go wrong.
    datagrams: Option<Datagrams>,
}

impl Network {
    // ---- who is where

    /// The next node is at this address.
    pub(crate) fn introduce(&mut self, address: SocketAddr) {
        self.places.insert(address, self.addresses.len());
        self.addresses.push(address);
        self.sent.push(0);
        self.bytes.push(0);
    }

    /// Where a node is, as it sees itself.
    pub fn address(&self, place: Place) -> SocketAddr {
        self.addresses[place]
    }

    /// Who is at an address, as it sees itself.
    pub(crate) fn place(&self, address: SocketAddr) -> Option<Place> {
        self.addresses.iter().position(|of| *of == address)
    }

    /// How many datagrams a node sent.
    pub fn sent(&self, place: Place) -> u64 {
        self.sent[place]
    }

    /// How many bytes a node sent.
    pub fn bytes(&self, place: Place) -> u64 {
        self.bytes[place]
    }

    /// A client is seen at another address from now on.
    pub fn move_to(&mut self, place: Place, address: SocketAddr) {
        let old = std::mem::replace(&mut self.addresses[place], address);
        if self.places.get(&old) == Some(&place) {
            self.places.remove(&old);
        }
        self.places.insert(address, place);
    }

    /// Puts a client behind a translator of its own.
    pub fn put_behind(&mut self, place: Place, kind: nat::Kind) {
        // Its own address leads nowhere from outside.
        let inside = SocketAddr::from((Ipv4Addr::new(10, 0, place as u8, 2), 40_000));
        self.move_to(place, inside);
        self.places.remove(&inside);
        self.nats.insert(place, Nat::new(kind, Ipv4Addr::new(192, 0, 2, place as u8)));
    }

    /// Whose an address is, seen from outside.
    fn place_at(&self, address: SocketAddr) -> Option<Place> {
        let behind = self.nats.iter().find(|(_, nat)| nat.is_at(address));
        behind.map(|(place, _)| *place).or_else(|| self.places.get(&address).copied())
    }

    // ---- what becomes of a datagram

    /// Sends a datagram on its way.
    pub(crate) fn send(&mut self, cx: &mut Ctx, place: Place, to: SocketAddr, bytes: Vec<u8>) {
        let inside = self.addresses[place];
        let from = self.nats.get_mut(&place).map_or(inside, |nat| nat.leaves(to));
        self.sent[place] += 1;
        self.bytes[place] += bytes.len() as u64;
        cx.counts.datagrams += 1;
        if bytes.first() == Some(&ACCEPT) && self.accepts.insert(fingerprint(0, &bytes)) {
            cx.counts.handshakes += 1;
        }
        if attacker::is_victim(to) {
            return;
        }
        let (mut letter, there) = (Letter { from, to, bytes }, self.place_at(to));
        if let Some(liar) = &mut self.liar {
            letter = liar.passes(place, there, letter);
        }
        if let Some(capture) = &mut self.capture {
            capture.push(letter.clone());
        }
        if cx.faults.attacker {
            self.attacker.see(&letter, &mut cx.dice);
        }
        if self.interception.as_mut().is_some_and(|interception| interception.takes(&letter)) {
            return;
        }
        let ends = (place, there.unwrap_or(self.addresses.len()));
        let passages = self.paths.carry(cx, ends, &letter.bytes);
        cx.line(|names| {
            let name = there.map_or(to.to_string(), |there| names[there].clone());
            let fate = if passages.is_empty() { " (lost)" } else { "" };
            format!("{} -> {name}: {}{fate}", names[place], trace::describe(&letter.bytes))
        });
        for Passage { after, bytes, damaged } in passages {
            cx.counts.forgeries += u64::from(damaged);
            let letter = Letter { from, to, bytes };
            match &mut self.datagrams {
                Some(datagrams) => datagrams.send(cx, letter, after),
                None => drop(cx.after(after, Event::Arrive { letter, damaged })),
            }
        }
    }

    /// Whom a datagram reaches that arrives.
    pub(crate) fn receiver(&self, letter: &Letter) -> Option<Place> {
        let place = self.place_at(letter.to)?;
        let nat = self.nats.get(&place);
        nat.is_none_or(|nat| nat.lets_in(letter.from, letter.to)).then_some(place)
    }

    /// Someone with no key sends what they like, if this world has such a one; and again, later.
    pub(crate) fn attack(&mut self, cx: &mut Ctx, keys: &[PublicKey]) {
        if !cx.faults.attacker {
            return;
        }
        let targets: Vec<_> = self.addresses.iter().copied().zip(keys.iter().copied()).collect();
        if let Some(Forgery { letter, forged }) = self.attacker.forge(&targets, &mut cx.dice) {
            cx.counts.forgeries += 1;
            let delay = cx.dice.below(SECOND);
            cx.after(delay, Event::Arrive { letter, damaged: forged });
        }
        let pause = cx.dice.below(2 * SECOND);
        cx.alarm(pause, Alarm::Attack);
    }

    /// From now on, the packets that someone sends are theirs to tell.
    pub(crate) fn corrupt(&mut self, liar: Liar) {
        self.liar = Some(Box::new(liar));
    }

    /// Who lies, if someone does.
    pub(crate) fn liar(&mut self) -> Option<&mut Liar> {
        self.liar.as_deref_mut()
    }

    // ---- what goes wrong

    /// From now on, with these faults; cuts end.
    pub(crate) fn heal(&mut self, faults: &Faults) {
        self.paths.heal(faults);
    }

    /// Nothing passes from one node to another for that long.
    pub(crate) fn mute(&mut self, cx: &mut Ctx, from: Place, to: Place, span: Moment) {
        self.paths.cut(cx, (from, to), cx.now() + span);
    }

    /// Nothing passes between two nodes for that long.
    pub(crate) fn part(&mut self, cx: &mut Ctx, one: Place, other: Place, span: Moment) {
        for ends in [(one, other), (other, one)] {
            self.paths.cut(cx, ends, cx.now() + span);
        }
        cx.line(|names| format!("{} and {} are cut apart", names[one], names[other]));
    }

    /// Cuts a node off from everyone, for up to that long.
    pub(crate) fn cut_off(&mut self, cx: &mut Ctx, place: Place, most: Moment) {
        let until = cx.now() + cx.dice.below(most);
        for other in 0..self.addresses.len() {
            self.paths.cut(cx, (place, other), until);
            self.paths.cut(cx, (other, place), until);
        }
        cx.line(|names| format!("{} is cut off", names[place]));
    }

    /// Cuts any set of directions, for up to that long.
    pub(crate) fn partition(&mut self, cx: &mut Ctx, most: Moment) {
        let until = cx.now() + cx.dice.below(most);
        let share = cx.dice.below(700) as u32;
        for from in 0..self.addresses.len() {
            for to in 0..self.addresses.len() {
                if cx.dice.chance(share) {
                    self.paths.cut(cx, (from, to), until);
                }
            }
        }
        cx.line(|_| "some paths are cut".into());
    }

    /// From now on, so many bytes per second pass from one node to another.
    pub(crate) fn slow_down(&mut self, cx: &mut Ctx, from: Place, to: Place, rate: u64) {
        self.paths.slow_down(cx, (from, to), rate);
    }

    /// No datagram of more than `largest` bytes passes from one node to another any more.
    pub(crate) fn narrow(&mut self, cx: &mut Ctx, from: Place, to: Place, largest: usize) {
        self.paths.narrow(cx, (from, to), largest);
    }

    /// Counts what is sent from now on, with one thing of it to go wrong.
    pub(crate) fn disturb(&mut self, disturbance: Disturbance) {
        self.datagrams = Some(Datagrams::new(disturbance));
    }

    /// How many datagrams there were since something of them is to go wrong.
    pub(crate) fn disturbed(&self) -> usize {
        self.datagrams.as_ref().map_or(0, Datagrams::count)
    }

    /// What waited to be overtaken waits no longer.
    pub(crate) fn release(&mut self, cx: &mut Ctx) {
        if let Some(datagrams) = &mut self.datagrams {
            datagrams.release(cx);
        }
    }

    // ---- what tests see of it

    /// Every datagram that is sent is remembered from now on, and none from before.
    pub fn capture(&mut self) {
        self.capture = Some(Vec::new());
    }

    /// What was sent since [`Self::capture`]; no more is remembered.
    pub fn captured(&mut self) -> Vec<Letter> {
        self.capture.take().unwrap_or_default()
    }

    /// What was sent since [`Self::capture`].
    pub fn seen(&self) -> &[Letter] {
        self.capture.as_deref().unwrap_or_default()
    }

    /// The next datagram that is wanted is taken off the network.
    pub fn intercept(&mut self, wanted: impl Fn(&Letter) -> bool + 'static) {
        self.interception = Some(Interception::new(wanted, 1));
    }

    /// The datagram to [`Self::intercept`], if it was sent.
    pub(crate) fn intercepted(&mut self) -> Option<Letter> {
        let letter = self.interception.as_mut()?.pop()?;
        self.interception = None;
        Some(letter)
    }

    /// All datagrams that are wanted are taken off the network, until [`Self::held`].
    pub fn hold(&mut self, wanted: impl Fn(&Letter) -> bool + 'static) {
        self.interception = Some(Interception::new(wanted, usize::MAX));
    }

    /// What [`Self::hold`] took off the network, in the order in which it was sent.
    pub fn held(&mut self) -> Vec<Letter> {
        self.interception.take().map(Interception::into_held).unwrap_or_default()
    }
}
