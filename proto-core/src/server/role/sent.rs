//! What a packet to a client carried, kept until it is acknowledged or lost.

use crate::{link::Run, storage::Id, wire::Left};

use super::super::{
    rooms::Member,
    submit::{Entry, Pair},
};

/// A frame that was sent to a client: what is owed again if its packet is lost.
#[derive(Clone, Copy, Debug)]
pub enum SentFrame {
    /// The answer to a request of its own.
    Answer,
    /// What came of its last request about its account.
    AccountResponse,
    /// That the mailbox is empty.
    Empty,
    /// A page of the roster.
    Page { serial: u32, low: u32 },
    /// How far a pair's submissions are.
    DeliveryStatus(Id<Pair>),
    /// The refusal of a submission, by the number that it was sent under.
    Refusal(u32),
    /// Under which key a piece of mail was written.
    KeyHistory(Id<Entry>),
    /// A piece of mail.
    Piece(Id<Entry>, Run),
    /// That it is a member of a room.
    Joined(Id<Member>),
    /// That it is a member of a room no longer.
    Left(Left),
    /// That entries of a room are gone.
    Gone(Id<Member>),
    /// A piece of an entry of a room, named by the low bits of its index.
    Entry { reader: Id<Member>, index: u8, run: Run },
    /// What came of its last request about rooms.
    Reply,
}
