//! Records as the host stores them: a schema version, a header in postcard, a
//! body as it is, and a checksum over all of it.

use core::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::{
    id::{Account, Epoch, Incarnation, Nick, Number, Position, PublicKey, RoomName},
    received::Received,
    storage::{Body, Pool},
    time::UnixTime,
    wire::MAX_BODY,
};

/// The version of all headers below.
const SCHEMA: u8 = 1;

/// The most bytes that a header takes.
const HEADER_BOUND: usize = 580;

/// The most bytes of a record with the longest body.
pub const MAX_RECORD: usize = record_bound(MAX_BODY);

/// The most bytes of a record with a body of up to `body` bytes.
pub const fn record_bound(body: usize) -> usize {
    1 + HEADER_BOUND + body + 4
}

/// Notices damage but for once in 2³². A bytewise CRC-32 costs more than sealing the same bytes does,
/// and one by tables of 16 KiB more than a device has to spare.
fn checksum(content: &[u8]) -> [u8; 4] {
    let mut hasher = SipHasher13::new();
    hasher.write(content);
    (hasher.finish() as u32).to_le_bytes()
}

/// Writes a record with the first `length` bytes of `body` to the front of `out`; how
/// long it is. `None` if it does not fit.
pub(crate) fn encode(
    out: &mut [u8],
    header: &impl Serialize,
    pool: &Pool<'_>,
    body: &Body,
    length: usize,
) -> Option<usize> {
    let (schema, rest) = out.split_first_mut()?;
    *schema = SCHEMA;
    let header = postcard::to_slice(header, rest).ok()?.len();
    let room = out.get_mut(1 + header..(1 + header).checked_add(length)?)?;
    let copied = pool.read(body, 0, room);
    let end = 1 + header + copied;
    let (content, tail) = out.split_at_mut_checked(end)?;
    *tail.first_chunk_mut()? = checksum(content);
    (copied == length).then_some(end + 4)
}

/// Reads a record: its header and its body. `None` if it is damaged, longer than any that is
/// written, or of another version.
pub(crate) fn decode<'a, H: Deserialize<'a>>(record: &'a [u8]) -> Option<(H, &'a [u8])> {
    let (content, sum) = record.split_last_chunk()?;
    let (&schema, content_of) = content.split_first()?;
    if schema != SCHEMA || checksum(content) != *sum {
        return None;
    }
    postcard::take_from_bytes(content_of)
        .ok()
        .filter(|(_, body): &(H, &[u8])| body.len() <= MAX_BODY)
}

/// A server's record of an account, in `Log::Accounts` under its number + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) key: PublicKey,
    pub(crate) nick: Nick,
    pub(crate) epoch: Epoch,
    /// The client's run that the epoch belongs to.
    pub(crate) run: Incarnation,
    /// The last entry of the lobby's log that came before it.
    pub(crate) since: u64,
    pub(crate) access: Access,
    pub(crate) state: AccountState,
    /// How many keys it had before this one.
    pub(crate) key_number: u32,
}

/// How else than by its key an account is to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Not at all: it never had a password.
    #[default]
    Key,
    /// By the password that its next login sets: the operator made the server forget the last.
    Reset,
    /// By its password.
    Password,
}

/// What the operator has decided about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountState {
    /// Nothing is held against it.
    #[default]
    Active,
    /// Its nick and its key are refused.
    Banned,
    /// It is gone. Its place may be another's under another number.
    Removed,
}

/// The hash of an account's password, in `Log::Passwords` under its number + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordRecord<'a> {
    /// As the host made it; empty if the password is forgotten.
    pub(crate) hash: &'a [u8],
    /// The request's that changed the password to this one; 0 for none.
    pub(crate) serial: u64,
}

/// A server's record of a room, in `Log::Rooms` under its number + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoomRecord {
    pub(crate) name: RoomName,
    pub(crate) creator: Account,
    /// The creator's command's.
    pub(crate) serial: u64,
    /// It has given way to another, or was deleted.
    pub(crate) removed: bool,
    /// Only those who are invited may become members.
    pub(crate) invite_only: bool,
}

/// A room's record of a member, in `Log::Members` under the account's number + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberRecord {
    /// The last entry of the room's log that came before it joined.
    pub(crate) since: u64,
    pub(crate) standing: Standing,
}

/// What an account is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Nothing: it was never in it, or left.
    Nobody,
    /// A member.
    Member,
    /// It may become a member, whoever else may.
    Invited,
    /// It must not become one.
    Barred,
}

/// The header of an entry of a room's log; its body is the author's time and the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryRecord {
    pub(crate) from: Account,
    pub(crate) nick: Nick,
    pub(crate) epoch: Epoch,
    pub(crate) number: Number,
    pub(crate) received: UnixTime,
    /// Bytes of all bodies before it in the log, from some entry on that was its first.
    pub(crate) bytes: u64,
    /// The run that appended it, and the one that appended the entry before it, if that is another;
    /// of that, zeros if it is not known or if there is none.
    pub(crate) run: Incarnation,
    pub(crate) previous: Option<Incarnation>,
}

/// How far a room's log has an author's messages: saved ahead of the entry behind the last
/// of them, so that the last entry of the log is the only one that may not be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceRecord {
    pub(crate) epoch: Epoch,
    pub(crate) number: Number,
}

/// The header of a mailbox entry; its body is the sealed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailRecord {
    pub(crate) from: Account,
    pub(crate) epoch: Epoch,
    pub(crate) number: Number,
    pub(crate) received: UnixTime,
    /// The key that its author sealed it with.
    pub(crate) author: PublicKey,
    /// The author's nick: the account may be gone when the mail is read.
    pub(crate) nick: Nick,
    /// The number of the key that it is sealed to.
    pub(crate) key: u32,
}

/// How far a recipient has an author's submissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PairRecord {
    /// The number of the recipient's key that `stored` is about.
    pub(crate) key: u32,
    /// Saved up to here; in the newest epoch that was taken in since the key was renewed.
    pub(crate) stored: Position,
    /// Handed over up to here.
    pub(crate) delivered: Position,
    /// What the recipient had then, by its own word, and its receipt for that.
    pub(crate) received: Received,
    pub(crate) receipt: [u8; 16],
    pub(crate) expired: (Position, Position),
}

impl PairRecord {
    /// The recipient has another key. What is sealed to the one before nobody can read, of
    /// whatever epoch: only what was handed over or expired is settled.
    pub(crate) fn renew(&mut self, key: u32) {
        (self.key, self.stored) = (key, self.delivered.max(self.expired.1));
    }
}

/// The header of an inbox entry; its body is the author's time and the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InboxRecord {
    /// It came by way of the server.
    pub(crate) saved: bool,
    /// Of a person: what the inbox has of theirs once it has this one.
    pub(crate) received: Received,
    /// Who said it, in a room.
    pub(crate) author: Option<Nick>,
}

/// An inbox or outbox record as a person reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// Who said it, in a room; else whoever the log is of.
    pub author: Option<Nick>,
    /// When its author wrote it.
    pub time: UnixTime,
    /// The text, as it came.
    pub text: &'a [u8],
}

impl<'a> Said<'a> {
    /// Reads a record of `Log::Inbox`; `None` if it is damaged.
    pub fn from_inbox(record: &'a [u8]) -> Option<Self> {
        let (InboxRecord { author, .. }, body) = decode(record)?;
        Some(Self { author, ..Self::from_body(body)? })
    }

    /// Reads a message's body: the author's time and the text.
    pub(crate) fn from_body(body: &'a [u8]) -> Option<Self> {
        let (time, text) = body.split_first_chunk()?;
        Some(Self { author: None, time: UnixTime(u64::from_le_bytes(*time)), text })
    }
}

/// Bytes of a body ahead of its text: the author's time.
pub(crate) const BODY_HEADER: usize = 8;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::storage::{Block, PoolHead};

    /// The record of `header` without a body fits where any such record must.
    pub(crate) fn fits(header: &impl Serialize) -> bool {
        let mut out = [0; record_bound(0)];
        let mut head = PoolHead::NEW;
        encode(&mut out, header, &Pool::new(&mut [], &mut head), &Body::EMPTY, 0).is_some()
    }

    #[test]
    fn the_longest_headers_fit_where_any_record_must() {
        let name = "n".repeat(32);
        let (nick, room) = (Nick::new(&name).unwrap(), RoomName::new(&name).unwrap());
        let (key, account) = (PublicKey([255; 32]), Account(u32::MAX));
        let (epoch, number) = (Epoch(u32::MAX), Number(u64::MAX));
        let (last, time) = (Position::new(epoch, number), UnixTime(u64::MAX));
        assert!(fits(&AccountRecord {
            key,
            nick,
            epoch,
            run: Incarnation([9; 8]),
            since: u64::MAX,
            access: Access::Password,
            state: AccountState::Removed,
            key_number: u32::MAX,
        }));
        assert!(fits(&PasswordRecord { hash: &[255; crate::host::MAX_HASH], serial: u64::MAX }));
        assert!(fits(&RoomRecord {
            name: room,
            creator: account,
            serial: u64::MAX,
            removed: true,
            invite_only: true,
        }));
        assert!(fits(&MemberRecord { since: u64::MAX, standing: Standing::Barred }));
        assert!(fits(&EntryRecord {
            from: account,
            nick,
            epoch,
            number,
            received: time,
            bytes: u64::MAX,
            run: Incarnation([9; 8]),
            previous: Some(Incarnation([9; 8])),
        }));
        assert!(fits(&PlaceRecord { epoch, number }));
        assert!(fits(&MailRecord {
            from: account,
            epoch,
            number,
            received: time,
            author: key,
            nick,
            key: u32::MAX,
        }));
        assert!(fits(&PairRecord {
            key: u32::MAX,
            stored: last,
            delivered: last,
            received: Received { first: last, gap: (last, last), last },
            receipt: [255; 16],
            expired: (last, last),
        }));
        let received = Received { first: last, gap: (last, last), last };
        assert!(fits(&InboxRecord { saved: true, received, author: Some(nick) }));
    }

    #[test]
    fn a_damaged_record_is_not_read() {
        let mut blocks = [const { Block::EMPTY }; 2];
        let mut head = PoolHead::NEW;
        let mut pool = Pool::new(&mut blocks, &mut head);
        let body = pool.store(&[7; 300]).unwrap();
        let header = MailRecord {
            from: Account(u32::MAX),
            epoch: Epoch(3),
            number: Number(u64::MAX),
            received: UnixTime(5),
            author: PublicKey([9; 32]),
            nick: Nick::new("alice").unwrap(),
            key: u32::MAX,
        };
        let mut out = [0; record_bound(300)];
        let length = encode(&mut out, &header, &pool, &body, 300).unwrap();
        let record = &mut out[..length];
        assert_eq!(decode::<MailRecord>(record), Some((header, &[7; 300][..])));
        for bit in 0..length * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode::<MailRecord>(record), None, "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(encode(&mut [0; 300], &header, &pool, &body, 300), None);
    }
}
