//! Frames: what a packet carries once it is opened. Each is `type 1 | length 2 |
//! body`, the body in postcard, borrowed when read.

use core::{fmt, net::SocketAddr, ops::RangeInclusive};

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::{
    id::{
        Account, Epoch, Incarnation, Nick, Number, Position, PublicKey, Recipient, Room, RoomName,
        RunTag,
    },
    password::MAX_PASSWORD,
    received::Received,
    time::UnixTime,
};

use super::{
    AccountRequest, AccountResponse, Login, MIN_DATAGRAM, PACKET_OVERHEAD, PasswordWanted,
    TAG_LENGTH,
};

/// Bytes ahead of a frame's body.
const FRAME_HEADER: usize = 3;

/// The room for one frame's body in the smallest packet: any control frame fits it.
pub(crate) const SMALLEST_ROOM: usize = MIN_DATAGRAM - PACKET_OVERHEAD - FRAME_HEADER;

/// Frame types with this bit are skipped by those who do not know them; any
/// other unknown type closes the link as unsupported.
const SKIPPABLE: u8 = 0x80;

/// Bounds of postcard's encodings, in bytes.
mod bound {
    pub(super) const TAG: usize = 1;
    pub(super) const U16: usize = 3;
    pub(super) const U32: usize = 5;
    pub(super) const U64: usize = 10;
    pub(super) const RUN: usize = 8;
    pub(super) const RUN_TAG: usize = 4;
    /// Of the length of one unit.
    pub(super) const UNIT_LENGTH: usize = 2;
    pub(super) const REKEY: usize = 2 * (32 + super::TAG_LENGTH);
    pub(super) const REKEYED: usize = 32 + super::TAG_LENGTH;
    pub(super) const ADDRESS: usize = 1 + 16 + U16;
    pub(super) const NAME: usize = 1 + crate::id::MAX_NAME;
    pub(super) const RECIPIENT: usize = TAG + U32;
    pub(super) const POSITION: usize = U32 + U64;
    pub(super) const RECEIVED: usize = 4 * POSITION;
    pub(super) const REGISTER: usize = NAME + TAG + U32 + 2 * RUN + U64;
}

macro_rules! frames {
    ($($(#[$doc:meta])* $name:ident($body:ty) = $tag:literal, bound $bound:expr;)*) => {
        /// One frame. The number of each is its type on the wire, for ever.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant)] // an Ack is as large as any; frames live on the stack for one step
        pub enum Frame<'a> {
            $($(#[$doc])* $name($body),)*
        }

        impl<'a> Frame<'a> {
            /// The type byte.
            pub fn kind(&self) -> u8 {
                match self { $(Self::$name(_) => $tag,)* }
            }

            /// The most bytes that a body of type `kind` takes without the bytes it quotes.
            pub const fn size_bound(kind: u8) -> Option<usize> {
                match kind { $($tag => Some($bound),)* _ => None }
            }

            fn decode_body(kind: u8, body: &'a [u8]) -> Option<Result<Self, FrameError>> {
                Some(match kind {
                    $($tag => whole(body).map(Self::$name),)*
                    _ => return None,
                })
            }

            fn encode_body<'b>(&self, out: &'b mut [u8]) -> postcard::Result<&'b mut [u8]> {
                match self { $(Self::$name(body) => postcard::to_slice(body, out),)* }
            }
        }

        // Every control frame fits the smallest packet, and so does one unit of a message.
        $(const _: () = assert!(SMALLEST_ROOM.checked_sub($bound).is_some(), stringify!($name));)*

        /// Every type byte, for tests that visit each.
        #[cfg(test)]
        const KINDS: &[u8] = &[$($tag),*];
    };
}

frames! {
    /// Which packets arrived.
    Ack(Ack) = 0x01, bound 2 * bound::U64 + bound::U32 + 1 + MAX_ACK_RANGES * 2 * bound::U64;
    /// Asks for an Ack and nothing else.
    Ping(()) = 0x02, bound 0;
    /// The last word on a link.
    Close(CloseReason) = 0x03, bound bound::TAG;
    /// Up to how much the reader takes in this session.
    Credit(CreditLimit) = 0x04, bound 2 * bound::U64;
    /// The session's initiator asks for new keys.
    Rekey(Rekey<'a>) = 0x07, bound bound::TAG + bound::REKEY;
    /// The other side answers, and the session goes on under new keys.
    Rekeyed(Rekeyed<'a>) = 0x08, bound bound::TAG + bound::REKEYED;

    /// A client asks for its nick.
    Register(Register) = 0x10, bound bound::REGISTER;
    /// It has it.
    Registered(Registered) = 0x11, bound 7 * bound::U32 + bound::TAG + 2 * bound::U64 + bound::RUN;
    /// It does not get it.
    RegisterRefused(RegisterRefusal) = 0x12, bound bound::TAG;
    /// A client goes offline.
    Deregister(()) = 0x13, bound 0;
    /// It is offline.
    Deregistered(()) = 0x14, bound 0;
    /// A page of the roster.
    Roster(Roster<'a>) = 0x15, bound 2 * bound::U64 + 2 * bound::U32 + bound::TAG + bound::U16 + RosterEntry::SIZE_BOUND;
    /// A client is to give a password with its nick.
    PasswordWanted(PasswordWanted) = 0x16, bound bound::TAG + 2 * bound::U32;
    /// A client asks for its nick with a password.
    Login(Login<'a>) = 0x17, bound bound::REGISTER + bound::U32 + 1 + MAX_PASSWORD;
    /// Under which key an author wrote who has another one now, or no account.
    KeyHistory(KeyHistory) = 0x18, bound bound::U32 + 32 + bound::NAME;
    /// What a registered client asks for about its own account.
    AccountRequest(AccountRequest<'a>) = 0x19, bound bound::U64 + bound::TAG + 2 * (1 + MAX_PASSWORD);
    /// What came of that.
    AccountResponse(AccountResponse) = 0x1a, bound bound::U64 + 2 * bound::TAG + bound::U32;

    /// A piece of a message from its author to its recipient, in their own session.
    Message(Message<'a>) = 0x20, bound bound::U32 + bound::U64 + bound::U32 + 3 * bound::U16 + super::FRAGMENT_UNIT;
    /// How far the recipient has the author's messages, durably.
    Receipt(Receipt) = 0x21, bound 2 * bound::U32 + bound::U64;
    /// A piece of a sealed message that the server takes in the recipient's stead.
    Submit(Submit<'a>) = 0x22, bound bound::RECIPIENT + 3 * bound::U32 + bound::U64 + 3 * bound::U16 + super::FRAGMENT_UNIT;
    /// What became of the submissions for one recipient.
    DeliveryStatus(DeliveryStatus) = 0x23, bound bound::RECIPIENT + bound::U32 + 3 * bound::POSITION + bound::RECEIVED + bound::TAG + 16;
    /// A submission that the server did not take.
    SubmitRefused(SubmitRefused) = 0x24, bound bound::RECIPIENT + bound::U32 + bound::U64 + bound::TAG;
    /// A piece of an entry of the reader's mailbox.
    Mail(Mail<'a>) = 0x25, bound 2 * bound::U64 + 3 * bound::U32 + bound::U64 + 3 * bound::U16 + super::FRAGMENT_UNIT;
    /// The reader has a mailbox entry durably.
    MailAck(MailAck) = 0x26, bound bound::U64 + bound::RECEIVED + 16;
    /// An author asks what became of its submissions for one recipient.
    StatusQuery(StatusQuery) = 0x27, bound bound::RECIPIENT + bound::U32;
    /// All mail that waited at the registration was handed over.
    MailboxEmpty(()) = 0x28, bound 0;

    /// The reader is a member of a room.
    Joined(Joined) = 0x30, bound 3 * bound::U32 + bound::RUN + bound::TAG + bound::NAME;
    /// How far a member has a room's log, durably.
    Read(Read) = 0x31, bound 3 * bound::U32;
    /// A piece of an entry of a room's log.
    RoomEntry(RoomEntry<'a>) = 0x32, bound 2 * bound::U32 + bound::RUN + bound::TAG + bound::RUN_TAG + bound::NAME + 2 * bound::U16 + bound::UNIT_LENGTH + super::FRAGMENT_UNIT;
    /// Entries of a room's log that cannot be read any more.
    Trimmed(Trimmed) = 0x33, bound 3 * bound::U32 + bound::TAG;
    /// What a client wants of the server's rooms.
    RoomRequest(RoomRequest) = 0x34, bound bound::U64 + bound::TAG + 2 * bound::NAME;
    /// What came of that.
    RoomResponse(RoomResponse) = 0x35, bound bound::U64 + 2 * bound::TAG;
    /// A page of the names that were asked for.
    Names(Names<'a>) = 0x36, bound bound::U64 + bound::TAG + bound::U32 + bound::U16 + bound::NAME;
    /// A client is away from its keyboard, or back.
    Away(Away<'a>) = 0x37, bound 2 * bound::TAG + MAX_AWAY;
    /// The reader is a member of a room no longer, by someone else's will.
    Left(Left) = 0x38, bound bound::U32 + bound::TAG;
}

/// The most gaps that one Ack can tell.
pub const MAX_ACK_RANGES: usize = 8;

/// Which packets arrived: all from `largest - first` to `largest`, then, going
/// down, each gap and the run of packets below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The largest packet number received.
    pub largest: u64,
    /// Microseconds between its receipt and this Ack.
    pub delay: u32,
    /// How many packets right below `largest` arrived too.
    pub first: u64,
    /// The gaps below that, nearest first.
    pub gaps: Vec<AckGap, MAX_ACK_RANGES>,
}

/// A gap and the run of received packets below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckGap {
    /// How many packets are missing, less one.
    pub missing: u64,
    /// How many packets below them arrived, less one.
    pub run: u64,
}

impl Ack {
    /// The received packet numbers, the largest range first. Ends early where
    /// the numbers would fall below zero.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        let mut low = self.largest.checked_sub(self.first);
        let first = low.map(|low| low..=self.largest);
        let rest = self.gaps.iter().map_while(move |gap| {
            let high = low?.checked_sub(gap.missing)?.checked_sub(2)?;
            low = high.checked_sub(gap.run);
            low.map(|low| low..=high)
        });
        first.into_iter().chain(rest)
    }
}

/// Why a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CloseReason {
    /// Its user left or went offline.
    Leaving,
    /// The same identity is now in use elsewhere.
    Displaced,
    /// The other side has no room for this link.
    Full,
    /// A frame came that the other side must know and does not.
    Unsupported,
    /// A frame came that breaks the protocol's rules.
    Malformed,
    /// The operator banned or removed the account.
    Expelled,
}

/// The session's initiator asks for new keys; the answer is a [`Rekeyed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rekey<'a> {
    /// Noise IK message 1: [`crate::session::REKEY_NOISE`] bytes.
    #[serde(borrow, with = "bytes")]
    pub noise: &'a [u8],
}

/// The session goes on under new keys: its initiator seals everything under them from now on, and
/// whoever sent this once that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rekeyed<'a> {
    /// Noise IK message 2: [`crate::session::REKEYED_NOISE`] bytes.
    #[serde(borrow, with = "bytes")]
    pub noise: &'a [u8],
}

/// A client asks for its nick; the server answers with a [`Registered`] or a [`RegisterRefusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The nick wanted.
    pub nick: Nick,
    /// The last epoch that the client's durable state knows of, if it has one.
    pub epoch: Option<Epoch>,
    /// The client's run.
    pub run: Incarnation,
    /// The server's run that `roster` is of.
    pub server: Incarnation,
    /// The roster version that the client has already.
    pub roster: u64,
}

/// The nick is the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The nick's number.
    pub account: Account,
    /// The epoch to number messages in.
    pub epoch: Epoch,
    /// The nick was this key's before.
    pub returning: bool,
    /// The server's run, which versions of the roster and numbers of accounts are of.
    pub run: Incarnation,
    /// The last entry of the mailbox if anything waits in it, else 0.
    pub mailbox: u64,
    /// How many rooms the client is a member of, the lobby among them.
    pub rooms: u32,
    /// What the server allows.
    pub limits: Limits,
}

/// What a server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The longest message text, in bytes.
    pub text: u32,
    /// How long mail is kept, in seconds.
    pub mail: u32,
    /// How much of each room's log is kept.
    pub room: Retention,
}

/// How much of a room's log is kept: what goes beyond any of the three is gone,
/// the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How many entries.
    pub entries: u32,
    /// How many bytes of texts, author's times included.
    pub bytes: u64,
    /// How long, in seconds.
    pub age: u32,
}

/// Why a nick is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RegisterRefusal {
    /// It is bound to another key.
    Taken,
    /// The server has no room for another nick, or for now none for more from that address.
    Full,
    /// This key holds another nick already.
    OtherNick,
    /// The server could not save it.
    Store,
    /// The operator banned the nick or the key.
    Banned,
    /// There is no epoch left for another run of it.
    Exhausted,
    /// Another nick looks like it.
    Lookalike,
}

/// A page of the roster: every change after version `base` up to version `upto`
/// among the accounts from `low` up to, but without, `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster<'a> {
    /// What the reader had when this pass through the accounts began.
    pub base: u64,
    /// What the reader has when the pass is through.
    pub upto: u64,
    /// The page's first account.
    pub low: Account,
    /// The first account that is no longer in the page.
    pub high: Account,
    /// No account with a change comes after `high`.
    pub last: bool,
    /// The entries, one after the other; see [`RosterEntries`].
    #[serde(borrow, with = "bytes")]
    pub entries: &'a [u8],
}

impl<'a> Roster<'a> {
    /// Reads the entries.
    pub fn entries(&self) -> RosterEntries<'a> {
        RosterEntries { rest: self.entries }
    }
}

/// Who someone is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry<'a> {
    /// The nick's number.
    pub account: Account,
    /// The roster version of this entry's last change.
    pub version: u64,
    /// The nick.
    pub nick: Nick,
    /// The key that holds it.
    pub key: PublicKey,
    /// How many keys held it before: with its key, this rises.
    pub key_number: u32,
    /// Whether its holder is online.
    pub presence: Presence,
    /// Where its holder can be reached by the reader.
    pub candidates: Candidates,
    /// When its holder was last online, by the server's clock; 0 for not in this run of it.
    pub seen: UnixTime,
    /// What an online holder says of being away: at most [`MAX_AWAY`] bytes.
    pub away: Option<&'a str>,
}

/// The longest text of who is away, in bytes.
pub const MAX_AWAY: usize = 48;

/// Addresses to try, the best first; none when the reader can reach none.
pub type Candidates = [Option<SocketAddr>; 2];

impl RosterEntry<'_> {
    /// The most bytes of an encoded entry.
    pub const SIZE_BOUND: usize = bound::U32
        + bound::U64
        + bound::NAME
        + 32
        + bound::U32
        + bound::TAG
        + 2 * (bound::TAG + bound::ADDRESS)
        + bound::U64
        + 2 * bound::TAG
        + MAX_AWAY;

    /// Encodes into the front of `out`; `None` if it is too short.
    pub fn encode<'b>(&self, out: &'b mut [u8]) -> Option<&'b mut [u8]> {
        postcard::to_slice(self, out).ok()
    }
}

/// Whether someone is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// Registered, and the link is alive.
    Online,
    /// Deregistered, or not there in this run of the server.
    Offline,
    /// Silent for too long.
    Lost,
    /// The account is no more: its nick may be another's.
    Removed,
}

impl Presence {
    /// Someone is there.
    pub fn is_online(self) -> bool {
        self == Self::Online
    }
}

/// Reads the entries of a [`Roster`] page.
#[derive(Clone, Debug)]
pub struct RosterEntries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for RosterEntries<'a> {
    type Item = Result<RosterEntry<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match postcard::take_from_bytes::<RosterEntry<'a>>(self.rest) {
            Ok((entry, rest)) if entry.away.is_none_or(|text| text.len() <= MAX_AWAY) => {
                self.rest = rest;
                Some(Ok(entry))
            }
            _ => {
                self.rest = &[];
                Some(Err(FrameError::Body))
            }
        }
    }
}

/// A piece of a message in its author's and recipient's own session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<'a> {
    /// The author's epoch.
    pub epoch: Epoch,
    /// The message's number.
    pub number: Number,
    /// How many numbers right before it were refused or expired.
    pub skip: u32,
    /// Bytes of the whole body.
    pub total: u16,
    /// Where this piece begins, a multiple of [`super::FRAGMENT_UNIT`].
    pub offset: u16,
    /// The piece.
    #[serde(borrow, with = "bytes")]
    pub piece: &'a [u8],
}

/// How much its reader may send in this session in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditLimit {
    /// Bytes of bodies.
    pub bytes: u64,
    /// Bodies, those of entries of rooms not counted.
    pub messages: u64,
}

/// The recipient has a run of messages, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The author's epoch.
    pub epoch: Epoch,
    /// The last one.
    pub number: Number,
    /// How many they are, that one included.
    pub run: u32,
}

/// A piece of a message for the server to hand over: sealed to its recipient, or,
/// for a room, as it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit<'a> {
    /// The recipient.
    pub to: Recipient,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The message's number.
    pub number: Number,
    /// The number of the key that it is sealed to; 0 for a room.
    pub key: u32,
    /// How many numbers right before it are none of the server's business:
    /// delivered directly, refused or expired.
    pub skip: u32,
    /// Bytes of the whole body.
    pub total: u16,
    /// Where this piece begins, a multiple of [`super::FRAGMENT_UNIT`].
    pub offset: u16,
    /// The piece.
    #[serde(borrow, with = "bytes")]
    pub piece: &'a [u8],
}

/// What became of an author's submissions for one recipient: three cursors. Of those
/// for a room, `stored` says all: they are in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// The recipient.
    pub to: Recipient,
    /// The number of the key that the recipient has now; 0 for a room. What was saved sealed
    /// to one before is saved no longer.
    pub key: u32,
    /// All of its epoch up to here are saved durably or delivered; of earlier epochs, nothing is
    /// taken any more. Of epoch 0 if the server has nothing of this author's.
    pub stored: Position,
    /// What the recipient has, by its own word.
    pub received: Received,
    /// The first and the last of those that expired at the server; of epoch 0 for none.
    pub expired: (Position, Position),
    /// The recipient is online: the submission is being relayed.
    pub online: bool,
    /// The recipient's receipt for `received`; see [`crate::session`].
    pub receipt: [u8; 16],
}

/// A submission that the server did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitRefused {
    /// The recipient.
    pub to: Recipient,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The message's number.
    pub number: Number,
    /// Why.
    pub reason: SubmitRefusal,
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SubmitRefusal {
    /// The server knows no such account or room.
    NoRecipient,
    /// The author is no member of the room.
    NotMember,
    /// It is longer than the server takes.
    TooLong,
    /// The server could not save it.
    Store,
    /// Its author's epoch is over: a newer one is in use.
    Superseded,
    /// The recipient has another key than the one that it is sealed to. It is no verdict:
    /// the author seals it again.
    KeyChanged,
}

/// Who wrote the Mail that follows, under a key that is not the account's any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHistory {
    /// The account.
    pub account: Account,
    /// The key that it had then.
    pub key: PublicKey,
    /// Its nick.
    pub nick: Nick,
}

/// A piece of an entry of the reader's mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail<'a> {
    /// The entry's place in the mailbox, rising.
    pub index: u64,
    /// The place of the entry sent before it in this session; 0 for the first.
    pub previous: u64,
    /// The author.
    pub from: Account,
    /// The tag of the key that the author sealed it with.
    pub key: u32,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The message's number.
    pub number: Number,
    /// Bytes of the whole sealed body.
    pub total: u16,
    /// Where this piece begins, a multiple of [`super::FRAGMENT_UNIT`].
    pub offset: u16,
    /// The piece.
    #[serde(borrow, with = "bytes")]
    pub piece: &'a [u8],
}

/// The reader has a mailbox entry durably, and says so to its author too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailAck {
    /// The entry's place in the mailbox.
    pub index: u64,
    /// What the reader has of its author's messages.
    pub received: Received,
    /// The receipt for that, for the author to check; see [`crate::session`].
    pub receipt: [u8; 16],
}

/// An author asks what became of its submissions; the answer is a [`DeliveryStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusQuery {
    /// The recipient.
    pub to: Recipient,
    /// The author's epoch.
    pub epoch: Epoch,
}

/// The reader is a member of a room; it answers with a [`Read`] that says from where
/// it wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The room.
    pub room: Room,
    /// The last entry of its log that came before the reader joined.
    pub since: u32,
    /// The last entry of its log.
    pub last: u32,
    /// The server's run that appended that one; none if it is not known any more.
    pub run: Incarnation,
    /// Its name; none for the lobby.
    pub name: Option<RoomName>,
}

/// A member has every entry of a room's log up to `upto`, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The room.
    pub room: Room,
    /// The cursor.
    pub upto: u32,
    /// How often the cursor has gone back in this session.
    pub rewinds: u32,
}

/// A piece of an entry of a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomEntry<'a> {
    /// The room.
    pub room: Room,
    /// The entry's place in its log: from 1 upwards, none left out.
    pub index: u32,
    /// The server's run that appended it.
    pub run: Incarnation,
    /// The run that appended the entry before it: none if that is the same, zeros if it is not
    /// known, or if there is none.
    pub previous: Option<RunTag>,
    /// Who said it.
    pub from: Nick,
    /// Bytes of the whole body.
    pub total: u16,
    /// Where this piece begins, a multiple of [`super::FRAGMENT_UNIT`].
    pub offset: u16,
    /// The piece.
    #[serde(borrow, with = "bytes")]
    pub piece: &'a [u8],
}

/// Every entry of a room's log up to `upto` is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// The room.
    pub room: Room,
    /// The last entry that is gone.
    pub upto: u32,
    /// The first one that is gone for `reason`. Those before it are not kept.
    pub first: u32,
    /// Why they are gone.
    pub reason: TrimReason,
}

/// Why entries of a room cannot be read any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TrimReason {
    /// The server keeps so much of a log and no more.
    #[default]
    NotKept,
    /// They are damaged in the server's store.
    Damaged,
    /// They are longer than this reader can take.
    TooLong,
}

/// What a client wants; one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRequest {
    /// Picked at random: a command that is sent again is recognised by it.
    pub serial: u64,
    /// What.
    pub action: RoomAction,
}

/// What a client can want of the server's rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomAction {
    /// That there be a room of this name.
    Create(RoomName),
    /// To be a member of it.
    Join(RoomName),
    /// To be one no longer.
    Leave(RoomName),
    /// The names of all rooms, from this one on.
    Rooms {
        /// The first room.
        from: Room,
    },
    /// The nicks of a room's members, from this account on; without a room, of the lobby's.
    Members {
        /// The room.
        of: Option<RoomName>,
        /// The first account.
        from: Account,
    },
    /// That someone be no member of the client's own room, nor become one again.
    Kick {
        /// The room.
        room: RoomName,
        /// Who.
        nick: Nick,
    },
    /// That someone may become a member of the client's own room, also after a [`Self::Kick`].
    Invite {
        /// The room.
        room: RoomName,
        /// Who.
        nick: Nick,
    },
    /// That only those who are invited may become members of the client's own room; or anyone.
    InviteOnly {
        /// The room.
        room: RoomName,
        /// Only those.
        on: bool,
    },
    /// That the client's own room be no more.
    Delete(RoomName),
}

/// The client is a member of a room no longer, by someone else's will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The room.
    pub room: Room,
    /// Why.
    pub reason: LeftReason,
}

/// Why someone is a member of a room no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LeftReason {
    /// The room's creator, or the server's operator, put them out.
    Removed,
    /// The room is no more.
    Deleted,
}

/// What came of a [`RoomRequest`] that asked for no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomResponse {
    /// The command's.
    pub serial: u64,
    /// It was done, or why it was not.
    pub result: Result<(), RoomRefusal>,
}

/// Why a command about a room is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RoomRefusal {
    /// A room of that name exists.
    Exists,
    /// None does.
    Unknown,
    /// The room has as many members as it can have.
    RoomFull,
    /// The server has no room for another room or member.
    ServerFull,
    /// The server could not save it.
    Store,
    /// There are as many rooms of this creator's as there may be.
    TooMany,
    /// Another room's name looks like it.
    Lookalike,
    /// The room is somebody else's.
    NotCreator,
    /// Nobody else has that nick.
    NoPerson,
    /// Only those who are invited may be members.
    NotInvited,
    /// The room's creator, or the server's operator, put the client out.
    Barred,
}

/// A page of names: the answer to [`RoomAction::Rooms`] and [`RoomAction::Members`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names<'a> {
    /// The command's.
    pub serial: u64,
    /// From where to ask for the next page; none after the last.
    pub next: Option<u32>,
    /// The names, each in postcard, one after the other.
    #[serde(borrow, with = "bytes")]
    pub names: &'a [u8],
}

impl<'a> Names<'a> {
    /// Reads the names; it ends early at one that is none.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.names;
        core::iter::from_fn(move || {
            let (name, after) = postcard::take_from_bytes(rest).ok()?;
            rest = after;
            Some(name)
        })
    }
}

/// A client is away from its keyboard, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away<'a> {
    /// What it says of being away, at most [`MAX_AWAY`] bytes; none when it is back.
    pub text: Option<&'a str>,
}

/// Why a packet's content is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame's length goes past the packet's end.
    Length,
    /// A body is not what its type says.
    Body,
    /// A type that must be known and is not.
    Unsupported(u8),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("a frame goes past the packet's end"),
            Self::Body => f.write_str("a frame's body is not what its type says"),
            Self::Unsupported(kind) => write!(f, "frame type {kind:#04x} is unknown here"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Reads the frames of an opened packet. Type 0 is padding up to the end. After
/// an error there is nothing more.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    skipped: bool,
}

impl<'a> Frames<'a> {
    /// Of a packet's plaintext.
    pub fn new(plaintext: &'a [u8]) -> Self {
        Self { rest: plaintext, skipped: false }
    }

    /// Some frame was skipped, its type being unknown here. Its sender still wants to
    /// know that it arrived.
    pub fn skipped(&self) -> bool {
        self.skipped
    }

    fn read(&mut self) -> Result<Option<Frame<'a>>, FrameError> {
        loop {
            let Some((&[kind, low, high], rest)) = self.rest.split_first_chunk() else {
                // Fewer than three bytes can be padding only.
                let padding = self.rest.iter().all(|b| *b == 0);
                return if padding { Ok(None) } else { Err(FrameError::Length) };
            };
            if kind == 0 {
                return Ok(None);
            }
            let length = usize::from(u16::from_le_bytes([low, high]));
            let (body, rest) = rest.split_at_checked(length).ok_or(FrameError::Length)?;
            self.rest = rest;
            match Frame::decode_body(kind, body) {
                Some(frame) => return frame.map(Some),
                None if kind & SKIPPABLE != 0 => self.skipped = true,
                None => return Err(FrameError::Unsupported(kind)),
            }
        }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        if !matches!(read, Ok(Some(_))) {
            self.rest = &[];
        }
        read.transpose()
    }
}

/// Writes frames one after the other into the place of a packet's plaintext.
#[derive(Debug)]
pub struct FrameWriter<'b> {
    out: &'b mut [u8],
    start: usize,
    at: usize,
    end: usize,
}

impl<'b> FrameWriter<'b> {
    /// Into `out` from `start` up to, but without, `end`.
    pub fn new(out: &'b mut [u8], start: usize, end: usize) -> Self {
        let end = end.min(out.len());
        let start = start.min(end);
        Self { out, start, at: start, end }
    }

    /// Bytes written so far.
    pub fn length(&self) -> usize {
        self.at - self.start
    }

    /// The longest body that still fits.
    pub fn room(&self) -> usize {
        (self.end - self.at).saturating_sub(FRAME_HEADER)
    }

    /// Appends a frame; `false`, and nothing written, if it does not fit.
    #[must_use]
    pub fn push(&mut self, frame: &Frame<'_>) -> bool {
        let place = self.out.get_mut(self.at..self.end);
        let Some(([kind, low, high], room)) = place.and_then(<[u8]>::split_first_chunk_mut) else {
            return false;
        };
        let Ok(body) = frame.encode_body(room) else { return false };
        let length = body.len();
        *kind = frame.kind();
        [*low, *high] = (length as u16).to_le_bytes();
        self.at += FRAME_HEADER + length;
        true
    }

    /// All of `out`, frames included.
    pub fn into_inner(self) -> &'b mut [u8] {
        self.out
    }
}

fn whole<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(FrameError::Body),
    }
}

/// Byte strings as serde bytes: one copy instead of one call a byte.
pub(super) mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &[u8],
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(bytes)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<&'de [u8], D::Error> {
        <&[u8]>::deserialize(d)
    }
}

#[cfg(test)]
mod tests;
