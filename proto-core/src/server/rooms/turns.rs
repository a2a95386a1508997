//! The places of a client in rooms of which it is to be sent something.

use crate::{
    id::Room,
    link::Packet,
    storage::List,
    wire::{Frame, Left},
};

use super::{
    super::role::{SentFrame, ServerRole},
    member::{Member, Turn},
};

/// A session's part that is about what its client reads in rooms.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    pub(super) turns: List<Member, Turn>,
    /// Bytes of the line that there was too little credit for.
    pub(super) short: u16,
    /// Rooms that its client was put out of, to be told. Of more, its next session tells.
    left: heapless::Vec<Left, 8>,
}

impl Turns {
    /// Its client is to be told that it was put out of a room.
    pub(super) fn tell_left(&mut self, left: Left) {
        self.forget_left(left.room);
        if self.left.is_full() {
            self.left.remove(0);
        }
        // One just gave way.
        let _ = self.left.push(left);
    }

    /// Its client is in a room again.
    pub(super) fn forget_left(&mut self, room: Room) {
        self.left.retain(|left| left.room != room);
    }

    /// Writes what its client is to be told of rooms that it was put out of.
    pub(super) fn write_left(&mut self, packet: &mut Packet<'_, ServerRole>) {
        while let Some(left) = self.left.first().copied() {
            if !packet.push(&Frame::Left(left), SentFrame::Left(left)) {
                return;
            }
            self.left.remove(0);
        }
    }
}
