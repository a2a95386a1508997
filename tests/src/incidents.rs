//! What befalls a world from time to time.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    clock::{Moment, SECOND},
    place::{Place, SERVER},
    store::Manners,
    world::{Event, World},
};

/// The longest that a path is cut.
const CUT: Moment = 90 * SECOND;

/// A class of incidents that a world may have.
#[derive(Clone, Copy)]
enum Class {
    Burst,
    Partition,
    Rebinding,
    Jump,
    Pause,
    Crash,
    Torn,
    Store,
    Restore,
}

impl World {
    /// One of this world's classes strikes; and again, later.
    pub(crate) fn incident(&mut self) {
        let f = &self.faults;
        let classes = [
            (f.bursts, Class::Burst),
            (f.partitions, Class::Partition),
            (f.rebinding, Class::Rebinding),
            (f.jumps, Class::Jump),
            (f.pauses, Class::Pause),
            (f.crashes, Class::Crash),
            (f.crashes && f.torn, Class::Torn),
            (f.slow_store || f.failing_store || f.full_store, Class::Store),
            (f.restores, Class::Restore),
            (f.restores, Class::Restore),
        ];
        let possible: Vec<_> = classes.into_iter().filter(|(on, _)| *on).collect();
        if possible.is_empty() {
            return;
        }
        let (_, class) = possible[self.dice.index(possible.len())];
        let place = self.dice.index(self.nodes.len());
        match class {
            Class::Burst => self.cut_off(place, 10 * SECOND),
            Class::Partition => self.partition(place),
            Class::Rebinding => self.rebind(place),
            Class::Jump => {
                let hour = (3600 * SECOND).cast_signed();
                let by = self.dice.below(7200 * SECOND).cast_signed() - hour;
                self.set_clock(place, by);
            }
            Class::Pause => {
                let most = if self.dice.chance(200) { 100 * SECOND } else { 5 * SECOND };
                let span = self.dice.below(most);
                self.pause(place, span);
            }
            Class::Crash => {
                self.crash(place);
                let life = self.nodes[place].life;
                let pause = self.dice.below(30 * SECOND);
                self.after(pause, Event::Boot(place, life));
            }
            Class::Torn => self.nodes[place].torn = Some(self.dice.index(6)),
            Class::Store => self.upset_store(place),
            Class::Restore => self.go_back(),
        }
        let pause = self.dice.below(20 * SECOND);
        self.after(pause, Event::Incident);
    }

    /// Cuts a node off from everyone, for up to that long.
    pub(crate) fn cut_off(&mut self, place: Place, most: Moment) {
        let until = self.now + self.dice.below(most);
        for other in 0..self.nodes.len() {
            self.network.cut(place, other, until, &mut self.dice);
            self.network.cut(other, place, until, &mut self.dice);
        }
        self.trace.line(self.now, || format!("{} is cut off", self.nodes[place].name));
    }

    /// Nothing passes from one node to another for that long.
    pub fn mute(&mut self, from: Place, to: Place, span: Moment) {
        let until = self.now + span;
        self.network.cut(from, to, until, &mut self.dice);
    }

    /// Nothing passes between two nodes for that long.
    pub fn part(&mut self, one: Place, other: Place, span: Moment) {
        let until = self.now + span;
        self.network.cut(one, other, until, &mut self.dice);
        self.network.cut(other, one, until, &mut self.dice);
        self.trace.line(self.now, || {
            format!("{} and {} are cut apart", self.nodes[one].name, self.nodes[other].name)
        });
    }

    /// Cuts any set of directions, at most from everyone to everyone.
    fn partition(&mut self, place: Place) {
        if self.dice.chance(300) {
            return self.cut_off(place, CUT);
        }
        let until = self.now + self.dice.below(CUT);
        let share = self.dice.below(700) as u32;
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                if self.dice.chance(share) {
                    self.network.cut(from, to, until, &mut self.dice);
                }
            }
        }
        self.trace.line(self.now, || "some paths are cut".into());
    }

    fn rebind(&mut self, place: Place) {
        if place == SERVER {
            return;
        }
        let other = 1 + self.dice.index(self.clients());
        if other != place && self.dice.chance(300) {
            let (here, there) = (self.nodes[place].address, self.nodes[other].address);
            self.move_to(place, SocketAddr::from((Ipv4Addr::new(198, 51, 100, 250), 1)));
            self.move_to(other, here);
            self.move_to(place, there);
        } else {
            let port = 1024 + self.dice.below(60_000) as u16;
            let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 100 + place as u8), port));
            self.move_to(place, address);
        }
    }

    /// A host's wall clock is set, so many microseconds further or back.
    pub fn set_clock(&mut self, place: Place, by: i64) {
        let now = self.now;
        let node = &mut self.nodes[place];
        node.clock.set(by);
        let wall = node.clock.read(now);
        if let Some(role) = node.role.as_mut() {
            role.set_clock(wall);
        }
        self.trace
            .line(now, || format!("{}'s wall clock jumps by {by} us", self.nodes[place].name));
    }

    fn upset_store(&mut self, place: Place) {
        let mut manners = Manners::default();
        if self.faults.slow_store && self.dice.chance(500) {
            let most = if self.dice.chance(100) { 15 * SECOND } else { 2 * SECOND };
            manners.slow = 1000 + self.dice.below(most);
        }
        if self.faults.failing_store && self.dice.chance(500) {
            manners.fails = self.dice.below(300) as u32;
        }
        manners.full = self.faults.full_store && self.dice.chance(300);
        self.nodes[place].store.behave(manners);
        self.trace.line(self.now, || format!("{}'s store: {manners:?}", self.nodes[place].name));
    }
}
