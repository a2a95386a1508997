//! Taking what there is a number of: nicks, rooms, places in rooms.

use proto_core::{
    id::{Nick, RoomName},
    wire::{Frame, RoomAction, RoomRequest},
};

use crate::clock::{Moment, SECOND};

use super::hand::Hand;

/// Begins a session under a new key, to register a new nick in it, some 70 times a second.
pub(super) fn on_nicks(hand: &mut Hand) -> Moment {
    hand.dial(hand.around.server, true);
    SECOND / 70
}

/// A nick that nobody has yet.
pub(super) fn fresh_nick(hand: &mut Hand) -> Nick {
    Nick::new(&format!("{}-{:x}", hand.nick(), hand.dice.below(1 << 40))).expect("a nick")
}

/// Creates one room after another, 50 a second.
pub(super) fn on_rooms(hand: &mut Hand) -> Moment {
    let name = format!("{}-{:x}", hand.nick(), hand.turns);
    request(hand, RoomAction::Create(RoomName::new(&name).expect("a room name")));
    SECOND / 50
}

/// Joins and leaves a room, 50 times a second.
pub(super) fn on_places(hand: &mut Hand) -> Moment {
    let name = RoomName::new(&format!("{}-den", hand.nick())).expect("a room name");
    let next = match hand.turns % 3 {
        0 => RoomAction::Create(name),
        1 => RoomAction::Join(name),
        _ => RoomAction::Leave(name),
    };
    request(hand, next);
    SECOND / 50
}

fn request(hand: &mut Hand, action: RoomAction) {
    let serial = hand.dice.u64();
    hand.say_at_home(&[Frame::RoomRequest(RoomRequest { serial, action })]);
}
