//! The headers of what a client alone has in its store.

use serde::{Deserialize, Serialize};

use crate::{
    id::{Account, Epoch, Position, PublicKey, Room},
    received::Received,
    record::{Said, decode},
    wire::SubmitRefusal,
};

use super::{
    event::{To, Verdict},
    rooms::history::History,
};

/// What a client keeps of a conversation, in `Log::Conversations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConversationRecord {
    /// What its outbox is named by: the first key that was met.
    pub(crate) log: PublicKey,
    /// The key that is known for the name, or that stands for a room's.
    pub(crate) key: PublicKey,
    pub(crate) key_number: u32,
    /// The key before and its number, which what is open may be sealed to.
    pub(crate) former: Option<(PublicKey, u32)>,
    pub(crate) naming: Naming,
    /// The user compared the key by another way.
    pub(crate) verified: bool,
    pub(crate) with: To,
    /// The account at its server, and the tag of that server's key.
    pub(crate) home: Option<(Account, u32)>,
    /// Of a room, its number at its server.
    pub(crate) room: Option<Room>,
    /// The server has saved all up to here.
    pub(crate) stored: Position,
    pub(crate) settled: Settled,
    /// Of a room, what of its logs is in the inbox.
    pub(crate) history: History,
}

/// What a key is to its nick here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Naming {
    /// It is the one that is known for the nick: the first that was met, or the one that the user
    /// accepted.
    Known,
    /// It is at the server that its account is at, and another one has the nick where the client is.
    Elsewhere,
    /// The server alone says that the nick is its, or it was before the user accepted another.
    Unknown,
}

impl ConversationRecord {
    /// Its cursors are such that a message can have them.
    pub(crate) fn fits(&self) -> bool {
        let Settled { received, expired, refused, .. } = self.settled;
        let cursors = [self.stored, expired.0, expired.1, refused];
        received.fits() && cursors.into_iter().all(Position::fits)
    }
}

/// What became of the messages of a conversation that are in its outbox only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// What their recipient has, by its own word.
    pub(crate) received: Received,
    /// The first and the last of those that expired.
    pub(crate) expired: (Position, Position),
    /// What is open up to here is refused: its recipient is no more, or not who it was meant for.
    pub(crate) refused: Position,
    pub(crate) why: Option<SubmitRefusal>,
}

impl Settled {
    /// What became of the message at `position`; `None` while that is not known.
    pub(crate) fn verdict(&self, position: Position) -> Option<Verdict> {
        let (first, last) = self.expired;
        if self.received.covers(position) {
            return Some(Verdict::Delivered);
        }
        if (first..=last).contains(&position) {
            return Some(Verdict::Expired);
        }
        if self.received.passed_over(position) {
            return Some(Verdict::Unconfirmed);
        }
        if position <= last {
            // The oldest go first: what is open up to there was not delivered in time.
            return Some(Verdict::Expired);
        }
        self.why.filter(|_| position <= self.refused).map(Verdict::Refused)
    }

    /// All up to here are settled.
    pub(crate) fn upto(&self) -> Position {
        self.received.last.max(self.expired.1).max(self.refused)
    }
}

/// What a client keeps of itself, in `Log::Conversations` under 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SelfRecord {
    pub(crate) epoch: Epoch,
}

/// The header of an outbox entry; its body is the author's time and the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutboxRecord {
    /// What became of it, once that is known, and in which boot that was told.
    pub(crate) verdict: Option<(Verdict, u64)>,
}

/// A conversation, as a host reads it in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correspondent {
    /// What its outbox is named by: the first key that was met.
    pub log: PublicKey,
    /// What its inbox is named by: the key of the other side, or what stands for a room's.
    pub key: PublicKey,
    /// The name of the other side, or the last one that it had.
    pub with: To,
}

impl Correspondent {
    /// Reads a record of `Log::Conversations`; `None` if it is damaged, or about the client itself.
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (ConversationRecord { log, key, with, .. }, _) = decode(record)?;
        Some(Self { log, key, with })
    }
}

/// Reads a record of `Log::Outbox`: what the user said. `None` if it is damaged, or has only what
/// became of that.
pub fn said_from_outbox(record: &[u8]) -> Option<Said<'_>> {
    let (OutboxRecord { verdict }, body) = decode(record)?;
    Said::from_body(body).filter(|_| verdict.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::rooms::history::{SPANS, Span},
        id::{Incarnation, Number, RoomName},
        record::tests::fits,
    };

    #[test]
    fn the_longest_headers_fit_where_any_record_must() {
        let room = RoomName::new(&"n".repeat(32)).unwrap();
        let (key, account, epoch) = (PublicKey([255; 32]), Account(u32::MAX), Epoch(u32::MAX));
        let last = Position::new(epoch, Number(u64::MAX));
        let run = Incarnation([255; 8]);
        let span = Span { run, branch: u32::MAX, first: u32::MAX, last: u32::MAX };
        assert!(fits(&ConversationRecord {
            log: key,
            key,
            key_number: u32::MAX,
            former: Some((key, u32::MAX)),
            naming: Naming::Unknown,
            verified: true,
            with: To::Room(room),
            home: Some((account, u32::MAX)),
            room: Some(Room(u32::MAX)),
            stored: last,
            settled: Settled {
                received: Received { first: last, gap: (last, last), last },
                expired: (last, last),
                refused: last,
                why: Some(SubmitRefusal::KeyChanged),
            },
            history: History { spans: [span; SPANS].into() },
        }));
        assert!(fits(&SelfRecord { epoch }));
        let verdict = Some((Verdict::Refused(SubmitRefusal::KeyChanged), u64::MAX));
        assert!(fits(&OutboxRecord { verdict }));
    }
}
