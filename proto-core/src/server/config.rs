//! How a server is configured.

use core::time::Duration;

use crate::{
    link::{REKEY_LEAST, REKEY_PACKETS},
    rate::Rate,
    wire::{DEFAULT_DATAGRAM, MAX_BODY, Retention},
};

/// Server configuration. [`Config::default`] is right for most; its fields can be set one by one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The round-trip time assumed before the first sample.
    pub initial_rtt: Duration,
    /// Silence after which a client is offline.
    pub idle: Duration,
    /// Within this, a client must not ask for new keys of a session twice: each time costs
    /// Diffie-Hellman operations. The protocol says a minute; less allows more.
    pub rekey_least: Duration,
    /// After so many packets one way or the other, it may all the same.
    pub rekey_packets: u32,
    /// The largest datagram sent, in bytes: 256 to 1,472.
    pub datagram: u16,
    /// Bytes of messages that one client may have under way to the server.
    pub credit: u32,
    /// How long a relayed message waits for its receipt before it is saved.
    pub relay: Duration,
    /// How long roster changes are collected before they are pushed.
    pub push: Duration,
    /// How often everyone is told that one account is online, offline, away or back. What changes
    /// faster is told later, the newest only. Of a new account, another key and a removal, everyone
    /// is told at once.
    pub presence: Rate,
    /// How long mail is kept.
    pub mail: Duration,
    /// The longest message text taken, in bytes; at most 16,384.
    pub text: u32,
    /// How much of each room's log is kept.
    pub room: Retention,
    /// How many rooms of one account's making there can be.
    pub rooms: u32,
    /// How long a room must have been empty, with no member and nothing in its log, before it may
    /// give way to another: the oldest does, when there is room for a quarter of all rooms or less.
    pub empty_room: Duration,
    /// When a quarter of all nicks or less is free, how many new ones a source prefix (/32, /64)
    /// can have at once, though never more than a sixteenth of that quarter, and then: one in each
    /// [`Self::nick_interval`]. The last are for newcomers from elsewhere.
    pub nick_burst: u32,
    /// See [`Self::nick_burst`].
    pub nick_interval: Duration,
    /// How many messages one account may say in rooms, all of them together. What comes faster
    /// waits, and so does its author, for want of credit.
    pub room_messages: Rate,
    /// How many bytes of them. For a message that is longer than the burst, the whole of it has to
    /// be there.
    pub room_bytes: Rate,
    /// How many members a room can have; the lobby has everyone.
    pub members: u32,
    /// How long a member that is online and reads nothing holds back what would push entries
    /// that it has not read out of its room; with zero, nobody is waited for.
    pub reader_wait: Duration,
    /// Who gets a nick.
    pub logins: Logins,
}

/// Who gets a nick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logins {
    /// The key that takes it first, and no other.
    #[default]
    Open,
    /// Whoever sets its password first, and after that each key that gives it; the newest
    /// one that did holds the nick.
    Password,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            initial_rtt: Duration::from_millis(100),
            idle: Duration::from_mins(1),
            rekey_least: REKEY_LEAST,
            rekey_packets: REKEY_PACKETS,
            datagram: DEFAULT_DATAGRAM as u16,
            credit: 4 * MAX_BODY as u32,
            relay: Duration::from_millis(500),
            push: Duration::from_millis(20),
            presence: Rate { burst: 8, interval: Duration::from_secs(5) },
            mail: Duration::from_hours(30 * 24),
            text: 16 * 1024,
            room: Retention { entries: 10_000, bytes: 16 * 1024 * 1024, age: 30 * 24 * 3600 },
            rooms: 20,
            empty_room: Duration::from_hours(1),
            nick_burst: 20,
            nick_interval: Duration::from_mins(1),
            room_messages: Rate::per_second(256, 4),
            room_bytes: Rate::per_second(32 * 1024, 4 * 1024),
            members: 10_000,
            reader_wait: Duration::from_secs(10),
            logins: Logins::Open,
        }
    }
}
