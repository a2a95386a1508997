//! The udpchat protocol as pure state machines: a [`server::Server`] and a
//! [`client::Client`] that never see a socket, a clock, a disk or a source of
//! randomness. A **host** drives them: it feeds in what happened, and does what they
//! ask for. `no_std`, no allocator, no `unsafe`.
//!
//! # The idea
//! Everything one party owes another is a log of numbered entries, and what the other
//! already has is a cursor in it. Sending moves a cursor; an acknowledgement moves it
//! for good; a retransmission, a reconnection, a new address and a restart all resume
//! from it. Duplicates are recognised by number, on whatever path they came.
//!
//! # The layers, strictly downward
//! - [`client`], [`server`]: who is who, conversations, the roster, mail.
//! - [`link`]: packet numbers, acknowledgements, loss, congestion, credit.
//! - [`session`]: handshake, keys, replay window, sealed mail.
//! - [`wire`]: datagrams and frames, no state.
//! - [`host`]: what a role is to whoever drives it, and what it asks for.
//! - [`storage`], [`timers`], [`time`], [`id`], [`record`]: lent memory, deadlines, names.
//!
//! # The journey of one message
//! At the author (`client/outbox`), from the keyboard to the datagram:
//! 1. [`client::Client::send_message`]: `Messages::accept` numbers it and keeps it in memory.
//! 2. [`host::Machine::poll`]: `Outbox::request` has the host `Put` it.
//! 3. [`host::Machine::handle_stored`]: `Outbox::stored` notes that it is accepted, and `Sending::start`
//!    puts it on its link's list of what to send (`Messages::enqueue`).
//! 4. [`host::Machine::poll`]: `Engine::next_datagram` lets the link begin a packet,
//!    `Sending::write_messages` cuts the message into `Message` frames (`Packet::push_piece`), notes in
//!    the link what the packet carries, and `Links::finish` seals it: [`host::Action::Send`].
//!
//! At its recipient (`client/inbox`), from the datagram to the screen:
//! 1. [`host::Machine::handle_datagram`]: `Links::receive` finds the session and opens the packet;
//!    `take_packet` and `take_frame` hand each frame to its component: `Inbox::said` puts the
//!    message together, `take_in` checks that it is the next, and `Messages::keep` owes it to the store.
//! 2. [`host::Machine::poll`]: `Inbox::request` has the host `Put` it.
//! 3. [`host::Machine::handle_stored`]: `Inbox::stored` owes its author a `Receipt`.
//! 4. [`host::Machine::poll`]: `Inbox::next_event` tells [`client::Event::Message`].
//!
//! The receipt moves the author's cursor: [`client::Event::Verdict`] says `Delivered`. Without one
//! in 500 ms the author seals the message to its recipient's key and sends it as `Submit` to the
//! server, which relays it at once if the recipient is online and has the host `Put` it into the
//! mailbox if not; `DeliveryStatus` tells the author.
//!
//! # The same message at the server
//! 1. `Engine::handle_datagram` has the link open the packet, and `Engine::take_frame` hands the
//!    `Submit` to the router.
//! 2. `Router::submit` knows by the author's pair (`Submissions::know`) whether it is new, and
//!    `submit::put` puts its pieces together in memory.
//! 3. `Router::take_next` takes in what is next of the pair, unless readers of its room hold it
//!    back, and sends it on: `Mailboxes::relay` to a recipient that is online, `Mailboxes::store`
//!    to one that is not, `Rooms::append` to a room.
//! 4. `Engine::next_request` asks the host to `Put` what is to be saved (`Router::request`). Once
//!    that is durable, `Router::answered` moves the author's cursor, and a room's readers on.
//! 5. `Engine::next_datagram` writes what each session is owed: progress to the author
//!    (`Submissions::write_progress`), mail (`mailboxes::write`), lines of rooms (`Rooms::write`),
//!    each with a note in the link of what was sent.
//! 6. The recipient's `MailAck` or `Read` comes back the way of step 1, to
//!    `mailboxes::acknowledged` or `Rooms::heard`: its cursor moves on for good.
//!
//! # A host
//! What a host owes a role in return is in [`host`]. The examples are hosts: `in_memory` without
//! sockets, `blocking_socket` on threads, `tokio_chat` on tokio with a durable store.
//! ```
//! use proto_core::client::{Client, Config, Event};
//! use proto_core::client::fixed::{
//!     Blocks, Fixed, Incoming, Links, Outgoing, Packets, Peers, Work,
//! };
//! use proto_core::host::{Action, Machine, Records, Resume};
//! use proto_core::id::{Nick, SecretKey};
//! use proto_core::random::Seed;
//! use proto_core::session::{Identity, Portable};
//! use proto_core::{text_bound, time::{Instant, WallClock}, wire::MAX_DATAGRAM};
//!
//! /// What it can hold at a time, and the longest text.
//! type Memory = Fixed<
//!     Links<4>, Peers<8>, Outgoing<16>, Incoming<16>, Blocks<64>, Packets<32>,
//!     Work<{ text_bound(400) }>,
//! >;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The host's part: memory, a key, fresh randomness, the clocks, where the server is. A real
//! // one draws its key once and keeps it, and counts its boots.
//! let memory = Box::new(Memory::new());
//! let mut key = SecretKey([0; 32]);
//! getrandom::fill(&mut key.0)?;
//! let identity = Identity::new(key, &Portable);
//! let seed = Seed::draw(getrandom::fill)?;
//! let mut now = Instant::from_micros(0);
//! let resume = Resume { boot: 1, clock: WallClock::UNKNOWN };
//! let config = Config::new(Nick::new("alice")?, "127.0.0.1:12345".parse()?, None);
//! let mut client = Client::new(config, identity, seed, resume, now, memory)?;
//!
//! let mut scratch = [0; MAX_DATAGRAM];
//! let (mut sent, mut silent) = (0, false);
//! client.register(now)?;
//! while !silent {
//!     // First everything that has arrived: client.handle_datagram(now, from, &mut bytes).
//!     // Then whatever is due now, and whatever is owed.
//!     while let Some(action) = client.poll(now, &mut scratch) {
//!         match action {
//!             Action::Send { to, datagram } => sent += datagram.len(), // the socket's part
//!             Action::Put { ticket, .. } | Action::Trim { ticket, .. } => {
//!                 client.handle_stored(now, ticket, Ok(())); // once it is durable
//!             }
//!             // This host has nothing stored.
//!             Action::Read { ticket, .. } => {
//!                 client.handle_read(now, ticket, Ok(Records::default()));
//!             }
//!             Action::CheckPassword { .. } => {} // servers only
//!             Action::Event { event, text } => silent |= event == Event::ServerSilent,
//!         }
//!     }
//!     // A real one waits here, for a datagram or for the deadline.
//!     now = client.deadline().expect("it goes on trying").max(now);
//! }
//! assert!(sent >= 1200, "it said Hello, and nobody answered");
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod client;
pub mod host;
pub mod id;
pub mod link;
pub mod password;
pub mod random;
mod rate;
mod received;
pub mod record;
mod role;
pub mod server;
pub mod session;
pub mod storage;
#[cfg(test)]
mod tests;
pub mod time;
pub mod timers;
mod violation;
pub mod wire;

pub use received::Received;
pub use role::{StartError, text_bound};
pub use violation::Violation;
