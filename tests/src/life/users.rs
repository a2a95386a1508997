//! The users of a world, who follow a script.

use proto_core::{
    client::To,
    id::{Account, Room, RoomName},
    wire::RoomAction,
};

use crate::{
    agenda::Alarm,
    clock::SECOND,
    place::{Place, SERVER},
    script::{self, Act, Step},
    world::World,
};

/// What users are going to do.
#[derive(Debug)]
pub(super) struct Users {
    /// The next step is the last of them.
    steps: Vec<Step>,
    /// How many texts they made up.
    words: u64,
}

impl Users {
    /// They are going to take these steps.
    pub(super) fn new(world: &mut World, steps: &[Step]) -> Self {
        let users = Self { steps: steps.iter().rev().copied().collect(), words: 0 };
        users.go_on(world);
        users
    }

    /// The script is through.
    pub(super) fn are_done(&self) -> bool {
        self.steps.is_empty()
    }

    fn go_on(&self, world: &mut World) {
        if let Some(step) = self.steps.last() {
            world.cx.alarm(step.pause(), Alarm::Step);
        }
    }

    /// They take the next step.
    pub(super) fn step(&mut self, world: &mut World) {
        if let Some(step) = self.steps.pop() {
            self.act(world, step.act);
            self.go_on(world);
        }
    }

    fn act(&mut self, world: &mut World, act: Act) {
        let clients = world.nodes.len() - 1;
        let client = |n: u8| 1 + usize::from(n) % clients;
        match act {
            Act::Register(who) => world.register(client(who)),
            Act::Deregister(who) => world.deregister(client(who)),
            Act::Say(who, to, size) => {
                let to = world.nodes[client(to)].nick();
                self.say(world, client(who), to.into(), &to.to_string(), size);
            }
            Act::SayIn(who, room, size) => {
                let to = script::room(room);
                self.say(world, client(who), to, &format!("{to:?}"), size);
            }
            Act::Create(who, room) => request(world, client(who), room, RoomAction::Create),
            Act::Join(who, room) => request(world, client(who), room, RoomAction::Join),
            Act::Leave(who, room) => request(world, client(who), room, RoomAction::Leave),
            Act::List(who, room) => {
                let from = Account(0);
                let action = match script::room(room) {
                    To::Room(name) => RoomAction::Members { of: Some(name), from },
                    _ if room == 0 => RoomAction::Members { of: None, from },
                    _ => RoomAction::Rooms { from: Room(0) },
                };
                world.request(client(who), action);
            }
            Act::Away(who, away) => {
                let text = if away { "gone fishing" } else { "" };
                world.set_away(client(who), text);
            }
            Act::Quit(who) => world.quit(client(who)),
            Act::Crash(who) => world.crash(client(who)),
            Act::Restart(who) => world.boot(client(who)),
            Act::CrashServer => world.crash(SERVER),
            Act::RestartServer => world.boot(SERVER),
            Act::CutOff(who) => world.network.cut_off(&mut world.cx, client(who), 30 * SECOND),
            Act::Heal => world.heal(),
        }
    }

    /// Someone says a text of its own, of about that many bytes.
    fn say(&mut self, world: &mut World, who: Place, to: To, name: &str, size: u16) {
        self.words += 1;
        let mut text = format!("{}:{}>{name} ", self.words, world.nodes[who].nick());
        while text.len() < size.into() {
            text.push_str("la ");
        }
        // Why nothing was sent is the user's business.
        let _ = world.say(who, to, text);
    }
}

fn request(world: &mut World, who: Place, room: u8, action: impl Fn(RoomName) -> RoomAction) {
    if let To::Room(name) = script::room(room) {
        world.request(who, action(name));
    }
}
