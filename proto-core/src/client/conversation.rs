//! What a client keeps for each link, to its server or to a peer.

use crate::{
    id::{Account, PublicKey},
    link::{Role, Run},
    storage::{Id, List},
};

use super::{
    Incoming, Outgoing, Peer,
    incoming::{Acking, Chained},
    outgoing::Sending,
    peer::{Inquiring, Reading},
};

/// A client's use of links.
#[derive(Debug)]
pub struct ClientRole;

impl Role for ClientRole {
    type Token = Token;
    type State = Contact;
}

/// What a packet carried.
#[derive(Clone, Copy, Debug)]
pub enum Token {
    /// A request to the server to be online or offline.
    Request,
    /// How far a peer's messages are in the inbox.
    Receipt,
    /// A piece of a message.
    Piece(Id<Outgoing>, Run),
    /// That a mailbox entry is in the inbox.
    MailAck(Id<Incoming>),
    /// A question after deposits.
    Inquiry(Id<Peer>),
    /// How far a room is in the inbox.
    Read(Id<Peer>),
    /// What is wished of the server's rooms.
    Command,
    /// That the user is away, or back.
    Away,
}

/// The other end of a link.
#[derive(Debug, Default)]
pub struct Contact {
    /// The peer; none for the server.
    pub(super) peer: Option<Id<Peer>>,
    /// The server is to be asked for what the client wants now.
    pub(super) request: bool,
    /// The peer is to be told how far its messages are in the inbox.
    pub(super) receipt: bool,
    /// Messages with pieces to send.
    pub(super) sending: List<Outgoing, Sending>,
    /// Mail to acknowledge, mail whose acknowledgement is under way, and mail whose
    /// acknowledgement arrived.
    pub(super) acks: List<Incoming, Acking>,
    pub(super) acking: List<Incoming, Acking>,
    pub(super) acked: List<Incoming, Acking>,
    /// Peers to ask the server about.
    pub(super) inquiries: List<Peer, Inquiring>,
    /// Rooms of which the server is to be told how far they are in the inbox.
    pub(super) reads: List<Peer, Reading>,
    /// The server is to be told what is wished of its rooms, and that the user is away.
    pub(super) command: bool,
    pub(super) away: bool,
    /// Mail that waits for what comes before it, and the last that did not have to.
    pub(super) mail: List<Incoming, Chained>,
    pub(super) last_mail: u64,
    /// Who wrote mail under a key that is not the account's any more: the server says it ahead
    /// of the mail.
    pub(super) former: Option<(Account, PublicKey, Id<Peer>)>,
}
