//! What a packet carried.

use crate::{link::Run, storage::Id};

use super::{inbox::message::Incoming, outbox::message::Outgoing, roster::id::PeerId};

/// A frame that was sent, told of when its packet is acknowledged or lost.
#[derive(Clone, Copy, Debug)]
pub enum SentFrame {
    /// A request to the server to be online or offline.
    Request,
    /// A request about the account.
    AccountRequest,
    /// How far a peer's messages are in the inbox.
    Receipt,
    /// A piece of a message.
    Piece(Id<Outgoing>, Run),
    /// That a mailbox entry is in the inbox.
    MailAck(Id<Incoming>),
    /// A question after submissions.
    Inquiry(PeerId),
    /// How far a room is in the inbox.
    Read(PeerId),
    /// What is asked of the server's rooms.
    RoomRequest,
    /// That the user is away, or back.
    Away,
}
