//! What befalls a world from time to time.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    agenda::{Alarm, Task},
    clock::{Moment, SECOND},
    place::{Place, SERVER},
    store::Manners,
    world::World,
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
        let f = &self.cx.faults;
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
        let (_, class) = possible[self.cx.dice.index(possible.len())];
        let place = self.cx.dice.index(self.nodes.len());
        match class {
            Class::Burst => self.network.cut_off(&mut self.cx, place, 10 * SECOND),
            Class::Partition => self.partition(place),
            Class::Rebinding => self.rebind(place),
            Class::Jump => {
                let hour = (3600 * SECOND).cast_signed();
                let by = self.cx.dice.below(7200 * SECOND).cast_signed() - hour;
                self.set_clock(place, by);
            }
            Class::Pause => {
                let most = if self.cx.dice.chance(200) { 100 * SECOND } else { 5 * SECOND };
                let span = self.cx.dice.below(most);
                self.pause(place, span);
            }
            Class::Crash => {
                self.crash(place);
                let pause = self.cx.dice.below(30 * SECOND);
                self.cx.task(pause, self.nodes[place].life_of(), Task::Boot);
            }
            Class::Torn => self.nodes[place].torn = Some(self.cx.dice.index(6)),
            Class::Store => self.upset_store(place),
            Class::Restore => self.go_back(),
        }
        let pause = self.cx.dice.below(20 * SECOND);
        self.cx.alarm(pause, Alarm::Incident);
    }

    /// Cuts any set of directions, at most from everyone to everyone.
    fn partition(&mut self, place: Place) {
        if self.cx.dice.chance(300) {
            self.network.cut_off(&mut self.cx, place, CUT);
        } else {
            self.network.partition(&mut self.cx, CUT);
        }
    }

    fn rebind(&mut self, place: Place) {
        if place == SERVER {
            return;
        }
        let other = 1 + self.cx.dice.index(self.clients());
        if other != place && self.cx.dice.chance(300) {
            let (here, there) = (self.network.address(place), self.network.address(other));
            self.moves(place, SocketAddr::from((Ipv4Addr::new(198, 51, 100, 250), 1)));
            self.moves(other, here);
            self.moves(place, there);
        } else {
            let port = 1024 + self.cx.dice.below(60_000) as u16;
            let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 100 + place as u8), port));
            self.moves(place, address);
        }
    }

    fn moves(&mut self, place: Place, address: SocketAddr) {
        self.network.move_to(place, address);
        self.cx.line(|names| format!("{} is now at {address}", names[place]));
    }

    /// A host's wall clock is set, so many microseconds further or back.
    pub fn set_clock(&mut self, place: Place, by: i64) {
        let now = self.cx.now();
        let node = &mut self.nodes[place];
        node.clock.set(by);
        let wall = node.clock.read(now);
        if let Some(role) = node.role.as_mut() {
            role.set_clock(wall);
        }
        self.cx.line(|names| format!("{}'s wall clock jumps by {by} us", names[place]));
    }

    fn upset_store(&mut self, place: Place) {
        let mut manners = Manners::default();
        if self.cx.faults.slow_store && self.cx.dice.chance(500) {
            let most = if self.cx.dice.chance(100) { 15 * SECOND } else { 2 * SECOND };
            manners.slow = 1000 + self.cx.dice.below(most);
        }
        if self.cx.faults.failing_store && self.cx.dice.chance(500) {
            manners.fails = self.cx.dice.below(300) as u32;
        }
        manners.full = self.cx.faults.full_store && self.cx.dice.chance(300);
        self.nodes[place].store.behave(manners);
        self.cx.line(|names| format!("{}'s store: {manners:?}", names[place]));
    }
}
