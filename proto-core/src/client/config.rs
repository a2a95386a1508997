//! Client configuration.

use core::{net::SocketAddr, time::Duration};

use crate::{
    id::{Nick, PublicKey},
    link::{REKEY_LEAST, REKEY_PACKETS},
    wire::{DEFAULT_DATAGRAM, MAX_BODY},
};

/// Client configuration. [`Config::new`] is right for most; its fields can be set one by one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The nick to register.
    pub nick: Nick,
    /// Where the server is.
    pub server: SocketAddr,
    /// The server's key; without one, whoever answers there is believed and told
    /// in [`super::Event::Registered`].
    pub server_key: Option<PublicKey>,
    /// The round-trip time assumed before the first sample.
    pub initial_rtt: Duration,
    /// Something is sent to everyone in touch at least this often.
    pub keep_alive: Duration,
    /// Silence that ends a link.
    pub idle: Duration,
    /// A session that this client began gets new keys after this at the latest: up to a quarter
    /// earlier, so that a server's clients do not ask at once.
    pub rekey_after: Duration,
    /// A session gets no new keys twice within this, unless [`Self::rekey_packets`] went: whoever asks
    /// earlier is closed, since each time costs Diffie-Hellman operations; and this client does not ask
    /// within twice that. The protocol says a minute; less is for networks of one's own.
    pub rekey_least: Duration,
    /// It gets new keys as well when so many packets went one way or the other.
    pub rekey_packets: u32,
    /// The largest datagram sent, in bytes: 256 to 1,472.
    pub datagram: u16,
    /// Bytes of messages that one peer, or the server, may have under way to here.
    pub credit: u32,
    /// How long a message sent directly waits for its receipt before it is submitted.
    pub receipt: Duration,
    /// Silence of the server, while something is asked of it, that its user is told of.
    pub patience: Duration,
    /// How long a message may wait for its delivery.
    pub expiry: Duration,
    /// The longest message text sent, in bytes; at most 16,384.
    pub text: u32,
    /// What waits for a nick that another key has now is held for the user to accept that key, rather
    /// than refused: not of use where nobody is asked.
    pub holds: bool,
}

impl Config {
    /// For `nick` at `server`, with the customary times: 500 ms for a receipt, five
    /// times that for the server.
    pub const fn new(nick: Nick, server: SocketAddr, server_key: Option<PublicKey>) -> Self {
        Self {
            nick,
            server,
            server_key,
            holds: true,
            initial_rtt: Duration::from_millis(100),
            keep_alive: Duration::from_secs(20),
            idle: Duration::from_mins(1),
            rekey_after: Duration::from_mins(15),
            rekey_least: REKEY_LEAST,
            rekey_packets: REKEY_PACKETS,
            datagram: DEFAULT_DATAGRAM as u16,
            credit: 4 * MAX_BODY as u32,
            receipt: Duration::from_millis(500),
            patience: Duration::from_millis(2500),
            expiry: Duration::from_hours(31 * 24),
            text: 16 * 1024,
        }
    }
}
