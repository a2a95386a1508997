//! The format: datagrams, and the frames inside a protected one. Pure types
//! that encode into and borrow from byte slices; no state.
//!
//! `docs/PROTOCOL.md` says the same byte by byte.

mod datagram;
mod frame;
mod login;

pub use datagram::{Accept, Datagram, DatagramError, Hello, HelloTo, Init, PacketHeader, Retry};
pub(crate) use frame::SMALLEST_ROOM;
pub use frame::{
    Ack, AckGap, Away, Candidates, CloseReason, CreditLimit, DeliveryStatus, Frame, FrameError,
    FrameWriter, Frames, Joined, KeyHistory, Left, LeftReason, Limits, MAX_ACK_RANGES, MAX_AWAY,
    Mail, MailAck, Message, Names, Presence, Read, Receipt, Register, RegisterRefusal, Registered,
    Rekey, Rekeyed, Retention, RoomAction, RoomEntry, RoomRefusal, RoomRequest, RoomResponse,
    Roster, RosterEntries, RosterEntry, StatusQuery, Submit, SubmitRefusal, SubmitRefused,
    TrimReason, Trimmed,
};
pub use login::{
    AccountAction, AccountRefusal, AccountRequest, AccountResponse, Login, PasswordWant,
    PasswordWanted, Secret,
};

/// The protocol's version, in every `Hello` and `Retry` and in every handshake's prologue.
pub const VERSION: u8 = 1;

/// The smallest datagram size a session can have, in bytes of UDP payload.
pub const MIN_DATAGRAM: usize = 256;

/// The datagram size asked for unless told otherwise: what every path that
/// carries IPv6 carries too (RFC 8200 §5, less 48 bytes of headers, rounded down).
pub const DEFAULT_DATAGRAM: usize = 1200;

/// The largest datagram that is ever sent or received: an Ethernet frame's
/// 1,500 bytes less the headers of IPv4 and UDP.
pub const MAX_DATAGRAM: usize = 1472;

/// Bytes of a packet that are not ciphertext: type, session id, counter and tag.
pub const PACKET_OVERHEAD: usize = PacketHeader::LENGTH + TAG_LENGTH;

/// Bytes of an authentication tag (ChaCha20-Poly1305, RFC 8439).
pub const TAG_LENGTH: usize = 16;

/// Messages are cut at multiples of this many bytes, so that a receiver keeps
/// track of a message's pieces in one 128-bit set, however they arrive.
pub const FRAGMENT_UNIT: usize = 160;

/// The most bytes one entry can have on the wire, its time and seal included.
pub const MAX_BODY: usize = 128 * FRAGMENT_UNIT;
