//! A world that lives: its users follow a script, things befall it, and it comes to an end.

pub(crate) mod finish;
mod incidents;
mod restores;
mod users;

use crate::{
    agenda::{Alarm, Event},
    clock::{Moment, SECOND},
    node::Node,
    script::Step,
    setup::Setup,
    world::World,
};

use self::{restores::Restores, users::Users};

/// How long a script may take.
const LONGEST: Moment = 4000 * SECOND;

/// A world, and all that befalls it.
#[allow(missing_debug_implementations)] // megabytes
pub struct Life {
    /// The world. Nothing befalls it but while this [`Life`] runs.
    pub world: World,
    users: Users,
    restores: Restores,
}

impl Life {
    /// A world whose users are going to take these steps.
    pub fn new(setup: &Setup, steps: &[Step]) -> Self {
        let mut world = World::new(setup);
        if world.cx.faults.has_incidents() {
            world.cx.alarm(SECOND, Alarm::Incident);
        }
        if world.cx.faults.attacker {
            world.cx.alarm(SECOND, Alarm::Attack);
        }
        let users = Users::new(&mut world, steps);
        Self { world, users, restores: Restores::default() }
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Moment) {
        let end = self.world.now() + span;
        while let Some(event) = self.world.cx.next(end) {
            match event {
                Event::Alarm(Alarm::Step) => self.users.step(&mut self.world),
                Event::Alarm(Alarm::Incident) => {
                    incidents::strike(&mut self.world, &mut self.restores);
                }
                Event::Alarm(Alarm::Attack) => {
                    let keys: Vec<_> = self.world.nodes.iter().map(Node::key).collect();
                    self.world.network.attack(&mut self.world.cx, &keys);
                }
                other => self.world.happen(other),
            }
        }
        self.world.cx.pass(end);
    }

    /// Lives it through to its end: the network heals, before all else or, if `through`, only once
    /// everything is delivered; most users come back; the laws of liveness are checked.
    pub fn finish(&mut self, through: bool) {
        while !self.users.are_done() && self.world.now() < LONGEST {
            self.run(SECOND);
        }
        finish::finish(&mut self.world, through);
    }
}
