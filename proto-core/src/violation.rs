//! The rules of the protocol that the other side of a session can break, one by one.

use core::fmt;

use crate::wire::CloseReason;

/// A rule that the other side of a session broke. It ends the session: software that keeps to the
/// protocol breaks none, whatever the network does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A frame that ends behind its packet, or does not decode.
    BadFrame,
    /// A frame of a type that is unknown here and must be understood.
    UnknownFrame,
    /// A frame that its sender has no business to send in this session.
    UnexpectedFrame,
    /// It acknowledged a packet that was never sent (RFC 9000 §13.1).
    AckOfUnsent,
    /// It began more messages, or more bytes of them, than it was ever granted.
    CreditOverrun,
    /// It acknowledged a packet number that was left out to find that out (RFC 9000 §21.4).
    AckOfSkipped,
    /// A piece of a message that lies outside it, or a message of an impossible length or number.
    BadPiece,
    /// Pieces of two messages under one number.
    MixedPieces,
    /// It registered a second nick in one session.
    SecondNick,
    /// The text of being away is too long.
    AwayTooLong,
    /// A password that is empty or too long.
    BadPassword,
    /// A room other than the lobby that has no name.
    NamelessRoom,
    /// A cursor to a number that cannot be.
    BadCursor,
    /// An epoch that this client used before.
    UsedEpoch,
    /// It asked for new keys again too early: each time costs Diffie-Hellman operations.
    EarlyRekey,
    /// A half of a rekey that was not made for this session and its present keys.
    BadRekey,
}

impl Violation {
    /// Every rule, in the order of the variants.
    pub const ALL: [Self; 16] = [
        Self::BadFrame,
        Self::UnknownFrame,
        Self::UnexpectedFrame,
        Self::AckOfUnsent,
        Self::CreditOverrun,
        Self::AckOfSkipped,
        Self::BadPiece,
        Self::MixedPieces,
        Self::SecondNick,
        Self::AwayTooLong,
        Self::BadPassword,
        Self::NamelessRoom,
        Self::BadCursor,
        Self::UsedEpoch,
        Self::EarlyRekey,
        Self::BadRekey,
    ];

    /// What the other side is told. It says little: whoever breaks rules learns no more of them.
    #[must_use]
    pub const fn reason(self) -> CloseReason {
        match self {
            Self::UnknownFrame => CloseReason::Unsupported,
            _ => CloseReason::Malformed,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadFrame => "a frame that does not decode",
            Self::UnknownFrame => "a frame of an unknown type",
            Self::UnexpectedFrame => "a frame that does not belong in this session",
            Self::AckOfUnsent => "an acknowledgement of a packet that was never sent",
            Self::CreditOverrun => "more than it was granted",
            Self::AckOfSkipped => "an acknowledgement of a packet that it cannot have received",
            Self::BadPiece => "a piece of an impossible message",
            Self::MixedPieces => "two messages under one number",
            Self::SecondNick => "a second nick in one session",
            Self::AwayTooLong => "too long a text of being away",
            Self::BadPassword => "an impossible password",
            Self::NamelessRoom => "a room without a name",
            Self::BadCursor => "a cursor to an impossible number",
            Self::UsedEpoch => "an epoch that was used before",
            Self::EarlyRekey => "a rekey too soon after the last one",
            Self::BadRekey => "a rekey that does not belong to this session",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_where_its_number_says() {
        for (at, rule) in Violation::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, at);
        }
    }
}
