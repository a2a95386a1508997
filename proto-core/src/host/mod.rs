//! What a role is to whoever drives it, and what it asks of them.
//!
//! # Driving a role
//! A host takes in everything that is there, and only then asks what is owed, so that receipts,
//! acknowledgements and cursors of many messages share a datagram:
//!
//! 1. wait for a datagram, an answer of the store, a command of the user, or
//!    [`Machine::deadline`], whichever is first;
//! 2. hand over **everything that has arrived**: [`Machine::handle_datagram`],
//!    [`Machine::handle_stored`], [`Machine::handle_read`], and the role's own commands;
//! 3. call [`Machine::poll`] until it gives `None`, and do what each [`Action`] says.
//!
//! A store that answers at once may be answered for within step 3, before the next `poll`.
//!
//! # Duties of a host
//! - **Time.** `now` never goes back. [`crate::time::Instant`] is monotonic and counts while the
//!   machine sleeps, if the system has such a clock. Who has no wall clock says so:
//!   [`WallClock::UNKNOWN`].
//! - **Randomness.** The [`Seed`] is drawn from the system's generator at each
//!   start. Two runs with one seed and one boot number would use a nonce twice. Another is mixed in
//!   whenever [`Machine::wants_seed`], ahead of each input and each `poll`: so each handshake, rekey and
//!   sealed mail has fresh randomness of its own, and a machine that was copied while it ran goes
//!   its own way.
//! - **The boot number** in [`Resume`] is made durable before the role is made, and never used again.
//! - **The store** keeps the contract that [`Log`] has: durable in the order asked for, and
//!   after a failure nothing asked before the role was told of it may succeed.
//! - **Each request is answered once**, with a failure if need be: the role waits for it, for ever,
//!   without a deadline. [`Machine::unanswered`] tells how many it waits for.
//! - **The secret key** and the store are readable by their owner only.
//!
//! # What may grow
//! What a role tells (events, errors, reasons, statistics) and what it can be configured with is
//! `#[non_exhaustive]`: it grows without breaking a host, which passes over what it does not know.
//! What a host must do or give is exhaustive, so that it is asked about at compile time: [`Action`],
//! [`Log`], [`PasswordOutcome`], [`Resume`], [`Records`].

mod action;
mod resume;
mod store;
mod ticket;

use core::net::SocketAddr;

use crate::{
    random::Seed,
    time::{Instant, WallClock},
    wire::MAX_DATAGRAM,
};

pub use action::{Action, MAX_HASH, PasswordOutcome};
pub use resume::Resume;
pub use store::{Log, Records, StoreError};
pub use ticket::Ticket;

pub(crate) use action::{Owed, Request, Secrets};
pub(crate) use ticket::Ask;

/// A role of the core, driven by a host: a server or a client.
pub trait Machine {
    /// What it tells its host's user.
    type Event;

    /// Takes in what came over UDP. Nothing that comes is an error: what does not belong here is
    /// counted and leaves no trace. An answer that costs the role no memory is written over
    /// the datagram, and is to be sent back to `from` at once.
    fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]>;

    /// Takes in that a `Put` or a `Trim` is durable, or failed.
    fn handle_stored(&mut self, now: Instant, ticket: Ticket, result: Result<(), StoreError>);

    /// Takes in what a `Read` found.
    fn handle_read(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<Records<'_>, StoreError>,
    );

    /// Takes in what was found of the password of a `CheckPassword`. A client asks for none.
    fn handle_checked(&mut self, now: Instant, ticket: Ticket, judgement: PasswordOutcome<'_>);

    /// The host is about to end: the others are told, and what is not durable is forgotten.
    fn shut_down(&mut self, now: Instant);

    /// The wall clock was set, or is not known any more.
    fn set_clock(&mut self, clock: WallClock);

    /// Random bytes were drawn since the last seed: for a handshake, most likely.
    fn wants_seed(&self) -> bool;

    /// Mixes in a fresh seed. What the role draws from then on is as hard to foresee as the better
    /// of the two.
    fn reseed(&mut self, seed: Seed);

    /// The next thing that is owed, with whatever is due at `now`; `None` when there is nothing
    /// more until another input or [`Self::deadline`]. Requests to the store come before what
    /// relies on them, and datagrams last. A `Send` is written to the front of `scratch`.
    fn poll<'b>(
        &'b mut self,
        now: Instant,
        scratch: &'b mut [u8; MAX_DATAGRAM],
    ) -> Option<Action<'b, Self::Event>>;

    /// When to call [`Self::poll`] at the latest, without another input. O(1). After `poll` gave
    /// `None` at `now`, it is later than `now`.
    fn deadline(&mut self) -> Option<Instant>;

    /// How many requests were made of the host and are not answered: every `Put`, `Trim`, `Read`
    /// and `CheckPassword`. Exact if none is answered twice.
    fn unanswered(&self) -> usize;
}
