//! What a client tells its host's user.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::{MAX_NAME, Nick, Position, PublicKey, RoomName},
    time::UnixTime,
    violation::Violation,
    wire::{
        AccountRefusal, CloseReason, LeftReason, Limits, PasswordWant, RegisterRefusal, RoomAction,
        RoomRefusal, SubmitRefusal, TrimReason,
    },
};

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// Whoever holds a nick.
    Peer(Nick),
    /// Everyone.
    Lobby,
    /// The members of a room.
    Room(RoomName),
}

impl To {
    /// The lobby or another room.
    pub fn is_room(&self) -> bool {
        !matches!(self, Self::Peer(_))
    }

    /// The nick, of a person.
    pub(super) fn nick(&self) -> Option<Nick> {
        if let Self::Peer(nick) = self { Some(*nick) } else { None }
    }

    /// The name, of a room that has one.
    pub(super) fn room_name(&self) -> Option<&RoomName> {
        match self {
            Self::Room(name) => Some(name),
            Self::Lobby | Self::Peer(_) => None,
        }
    }

    /// The room that a request is to be a member of.
    pub(super) fn of_join(action: &RoomAction) -> Option<Self> {
        match action {
            RoomAction::Join(name) => Some(Self::Room(*name)),
            _ => None,
        }
    }

    /// What two spellings of one name share: what it names, and the name in lower case.
    pub(crate) fn folded(&self) -> [u8; 1 + MAX_NAME] {
        let (kind, name) = match self {
            Self::Peer(nick) => (0, nick.folded()),
            Self::Lobby => (1, [0; MAX_NAME]),
            Self::Room(name) => (2, name.folded()),
        };
        let mut folded = [kind; 1 + MAX_NAME];
        if let Some((_, rest)) = folded.split_first_mut() {
            rest.copy_from_slice(&name);
        }
        folded
    }
}

impl From<Nick> for To {
    fn from(nick: Nick) -> Self {
        Self::Peer(nick)
    }
}

impl From<&Nick> for To {
    fn from(nick: &Nick) -> Self {
        Self::Peer(*nick)
    }
}

impl From<RoomName> for To {
    fn from(name: RoomName) -> Self {
        Self::Room(name)
    }
}

/// Names a message of this client's user: to whom, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// What the outbox is named by: the key by which its recipient was met, which may have another
    /// by now, or what stands for a room's.
    pub recipient: PublicKey,
    /// Its place in the outbox.
    pub position: Position,
}

/// Something that happened at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The durable state was read.
    Ready,
    /// Someone broke a rule of the protocol, and the session with them is over: with a peer, what
    /// is open goes by way of the server from now on.
    Violation {
        /// Who; none for the server.
        by: Option<Nick>,
        /// Which rule.
        rule: Violation,
    },
    /// The nick is the client's, and it is online.
    Registered {
        /// It was its key's before.
        returning: bool,
        /// Mail waits; it follows, and then [`Event::MailboxEmpty`].
        mail: bool,
        /// The server's key, to be remembered.
        server: PublicKey,
        /// What the server allows.
        limits: Limits,
    },
    /// The nick is not the client's; it is offline.
    RegisterRefused(RegisterRefusal),
    /// The nick is to be had with a password: [`super::Client::authenticate`] gives it.
    PasswordWanted {
        /// Which one, or what was wrong with the last one.
        why: PasswordWant,
        /// How long the server looks at none.
        wait: Duration,
    },
    /// What came of a request about the client's own account.
    AccountResponse {
        /// The request.
        change: AccountChange,
        /// It was done, or why it was not.
        result: Result<(), AccountRefusal>,
    },
    /// The client is offline, as asked. Without an answer, the server did not say
    /// that it knows.
    Deregistered {
        /// The server answered.
        answered: bool,
    },
    /// Someone is new on the roster, or came or went.
    RosterChanged,
    /// A message is durable in the outbox.
    Accepted {
        /// Which.
        id: MessageId,
        /// To whom.
        to: To,
    },
    /// A message goes by way of the server.
    Submitted {
        /// Which.
        id: MessageId,
        /// To whom.
        to: To,
        /// Why.
        why: SubmitReason,
    },
    /// The server says that the recipient of a submission is online after all: it relays.
    Relayed {
        /// To whom.
        to: Nick,
    },
    /// What became of a message. After `Stored` another follows, unless it was said in a
    /// room; after any other none.
    Verdict {
        /// Which.
        id: MessageId,
        /// To whom.
        to: To,
        /// What.
        verdict: Verdict,
    },
    /// A message came and is durable in the inbox. Its text is lent by the drain.
    Message {
        /// Who wrote it.
        from: Nick,
        /// Its place among all that they wrote.
        position: Position,
        /// When they wrote it, by their clock; [`UnixTime::UNKNOWN`] if they have none.
        time: UnixTime,
        /// It was saved at the server, or relayed by it.
        by_server: bool,
        /// It waited in the mailbox when this client registered.
        waited: bool,
        /// Its key is the one that is known for the nick; else the server alone says whose it is.
        known: bool,
    },
    /// Messages of an author are missing before the next, which says so: they expired, or were
    /// left out by the server.
    Gap {
        /// The author.
        from: Nick,
        /// How many, at the least.
        missing: u64,
    },
    /// Mail in someone's name does not open: somebody else made it, or it was damaged. It is passed
    /// over.
    Unreadable {
        /// Whose it is said to be.
        from: Nick,
    },
    /// Someone else said something in a room; it is durable in the inbox. Its text is lent
    /// by the drain.
    RoomMessage {
        /// The room.
        room: To,
        /// Its place in the room's log.
        index: u64,
        /// Who said it.
        from: Nick,
        /// When, by their clock; [`UnixTime::UNKNOWN`] if they have none.
        time: UnixTime,
    },
    /// A room's log is not the one that this client has read: the server's store was put back, or
    /// begun anew. What is new in it follows.
    RoomReset {
        /// The room.
        room: To,
    },
    /// Entries of a room cannot be read any more.
    RoomGap {
        /// The room.
        room: To,
        /// How many.
        missing: u64,
        /// Why.
        why: TrimReason,
    },
    /// The client is a member of a room no longer, by someone else's will.
    RoomLeft {
        /// The room.
        room: To,
        /// Why.
        why: LeftReason,
    },
    /// What came of a request that asked for no names.
    RoomResponse {
        /// The request.
        action: RoomAction,
        /// It came true, or why it did not.
        result: Result<(), RoomRefusal>,
    },
    /// A page of the names that were asked for, or a part of one where there is less room to
    /// lend it. They are lent by the drain, as its text,
    /// a line feed between any two.
    Names {
        /// The request.
        action: RoomAction,
        /// There are no more.
        last: bool,
    },
    /// All mail that waited at registration was handed over.
    MailboxEmpty,
    /// The server has not answered for some time. The client goes on trying.
    ServerSilent,
    /// The server answers again.
    ServerBack,
    /// The server has another key than the one expected. The client is offline.
    WrongServerKey,
    /// This identity is in use elsewhere now. The client is offline.
    Displaced,
    /// The server closed the link. The client is offline if it is of no use to try again.
    ServerClosed(CloseReason),
    /// The server says that another key holds a nick that is known from before. What waits for that
    /// nick is held until [`super::Client::trust`] says that the key is theirs, or refused if the
    /// one that is known was verified.
    KeyChanged {
        /// The nick.
        nick: Nick,
        /// The other key.
        key: PublicKey,
        /// The one that is known was verified.
        verified: bool,
    },
    /// The host's store failed at something. It is tried again.
    StoreFailed,
    /// A record in the store is damaged, and was passed over.
    Damaged,
}

/// What a user can ask for about their own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// Another password.
    Password,
    /// That another device may log in.
    Endorsement {
        /// The device's key.
        key: PublicKey,
    },
}

/// Why a message goes by way of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitReason {
    /// Its recipient is known to be offline.
    Offline,
    /// There is no way to reach its recipient directly.
    Unreachable,
    /// No receipt came in time.
    NoReceipt,
    /// Those before it went that way and are not delivered yet.
    InTurn,
    /// Its author goes offline.
    Leaving,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is in its recipient's durable inbox.
    Delivered,
    /// The server has it, durably.
    Stored,
    /// It was not delivered in the time it had.
    Expired,
    /// Its recipient has later messages, and does not say that it has this one: the server left it
    /// out, or lost it.
    Unconfirmed,
    /// It was refused.
    Refused(Refusal),
    /// This client's own store failed it: nobody gets it, and nobody else is to blame.
    Failed(Failure),
}

/// How a client's own store failed a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Failure {
    /// It could not be saved in the outbox, so it was not sent.
    Unsaved,
    /// It is damaged in the outbox.
    Damaged,
}

/// Why a message was refused.
pub type Refusal = SubmitRefusal;
