//! What the users of a world do: a list of steps, in a form that shrinks well.
//! Clients and rooms are meant by any number, modulo how many there are.

use proto_core::{client::To, id::RoomName};

use crate::{
    clock::{Moment, SECOND},
    dice::Dice,
};

/// The rooms that scripts know beside the lobby.
const ROOMS: [&str; 3] = ["den", "attic", "yard"];

/// The room that a script means by a number: in half of all cases the lobby.
pub fn room(number: u8) -> To {
    let at = usize::from(number / 2) % ROOMS.len();
    match RoomName::new(ROOMS[at]) {
        Ok(name) if number % 2 == 1 => To::Room(name),
        _ => To::Lobby,
    }
}

/// What a user, or fate, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A client goes online.
    Register(u8),
    /// A client goes offline.
    Deregister(u8),
    /// A client says something to another, of so many bytes.
    Say(u8, u8, u16),
    /// A client says something in a room, of so many bytes.
    SayIn(u8, u8, u16),
    /// A client wants a room to be there.
    Create(u8, u8),
    /// A client wants to be a member of a room.
    Join(u8, u8),
    /// A client wants to be one no longer.
    Leave(u8, u8),
    /// A client wants the names of a room's members, or, of the lobby, of all rooms.
    List(u8, u8),
    /// A client's user is away from the keyboard, or back.
    Away(u8, bool),
    /// A client's host ends properly, and starts again at once.
    Quit(u8),
    /// A client's host crashes.
    Crash(u8),
    /// A crashed client's host starts again.
    Restart(u8),
    /// The server crashes.
    CrashServer,
    /// The server starts again.
    RestartServer,
    /// A client is cut off from everyone for up to half a minute.
    CutOff(u8),
    /// The network and the hosts behave from now on.
    Heal,
}

/// Something done after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds since the step before.
    pub after: u32,
    /// What is done.
    pub act: Act,
}

impl Step {
    /// The pause in the world's time.
    pub fn pause(&self) -> Moment {
        Moment::from(self.after) * (SECOND / 1000)
    }
}

/// A list of steps, at random; with crashes or without.
pub fn draw(dice: &mut Dice, steps: usize, crashes: bool) -> Vec<Step> {
    (0..steps).map(|_| Step { after: pause(dice), act: act(dice, crashes) }).collect()
}

fn pause(dice: &mut Dice) -> u32 {
    let most = match dice.below(20) {
        0 => 180_000,
        1..5 => 15_000,
        5..12 => 1_500,
        _ => 100,
    };
    dice.below(most) as u32
}

fn act(dice: &mut Dice, crashes: bool) -> Act {
    let (one, other) = (dice.u64() as u8, dice.u64() as u8);
    match dice.below(28) {
        0 | 1 => Act::Register(one),
        2 | 3 => Act::Deregister(one),
        4 if crashes => Act::Crash(one),
        5 if crashes => Act::Restart(one),
        6 if crashes && dice.chance(300) => Act::CrashServer,
        7 if crashes => Act::RestartServer,
        8 => Act::Quit(one),
        9 => Act::Create(one, other | 1),
        10..13 => Act::Join(one, other | 1),
        13 => Act::Leave(one, other | 1),
        14 if dice.chance(500) => Act::List(one, other),
        14 => Act::Away(one, dice.chance(700)),
        15..21 => Act::SayIn(one, other, size(dice)),
        _ => Act::Say(one, other, size(dice)),
    }
}

fn size(dice: &mut Dice) -> u16 {
    let longest = if dice.chance(150) { 16_000 } else { 120 };
    dice.between(0..longest) as u16
}
