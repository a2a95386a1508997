//! What an endpoint needs of a role: the same of a server and of a client.

use std::net::SocketAddr;

use proto_core::{
    action::{Action, Judgement, Loaded, StoreError, Ticket},
    client::{self, Client},
    server::{self, Server},
    time::{Instant, WallClock},
    wire::MAX_DATAGRAM,
};

/// A role of the core, driven by an endpoint. The methods are the core's own.
pub trait Machine: 'static {
    /// What it tells its host's user.
    type Event;
    /// What it owes the outside after an input.
    type Actions<'a>: Drain<Event = Self::Event>
    where
        Self: 'a;

    /// Takes in what came over UDP.
    fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Self::Actions<'_>;

    /// Does what is due at `now`.
    fn poll_timeout(&mut self, now: Instant) -> Self::Actions<'_>;

    /// Takes the store's answer to a `Put` or a `Forget`.
    fn handle_stored(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<(), StoreError>,
    ) -> Self::Actions<'_>;

    /// Takes the store's answer to a `Load`.
    fn handle_loaded(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<Loaded<'_>, StoreError>,
    ) -> Self::Actions<'_>;

    /// Takes what was found of a password; a client asks for none.
    fn handle_authenticated(
        &mut self,
        now: Instant,
        _ticket: Ticket,
        _judgement: Judgement<'_>,
    ) -> Self::Actions<'_> {
        self.poll_timeout(now)
    }

    /// Tells the others that it leaves.
    fn shut_down(&mut self, now: Instant) -> Self::Actions<'_>;

    /// Learns that the wall clock was set.
    fn set_clock(&mut self, clock: WallClock);

    /// When to call [`Self::poll_timeout`] at the latest.
    fn deadline(&mut self) -> Option<Instant>;
}

/// What a role owes the outside, one thing at a time.
pub trait Drain {
    /// What the role tells its host's user.
    type Event;

    /// The next thing owed; a datagram is written to the front of `scratch`.
    fn next<'b>(&mut self, scratch: &'b mut [u8; MAX_DATAGRAM]) -> Option<Action<'b, Self::Event>>;

    /// The record of the `Put` that [`Self::next`] gave last.
    fn record(&self) -> &[u8];

    /// The password of the `Authenticate` that [`Self::next`] gave last.
    fn password(&self) -> &[u8] {
        &[]
    }

    /// The hash that it is to have, if there is one.
    fn hash(&self) -> Option<&[u8]> {
        None
    }

    /// The text that goes with `event`, which [`Self::next`] gave last; mostly none.
    fn text(&self, _event: &Self::Event) -> &[u8] {
        &[]
    }
}

/// The core's roles have all methods by the same names.
macro_rules! machine {
    ($role:ident, $module:ident, machine { $($machine:tt)* }, drain { $($drain:tt)* }) => {
        impl<S: $module::Storage + 'static> Machine for $role<S> {
            type Event = $module::Event;
            type Actions<'a>
                = $module::Actions<'a>
            where
                Self: 'a;

            fn handle_datagram(
                &mut self,
                now: Instant,
                from: SocketAddr,
                datagram: &mut [u8],
            ) -> Self::Actions<'_> {
                self.handle_datagram(now, from, datagram)
            }

            fn poll_timeout(&mut self, now: Instant) -> Self::Actions<'_> {
                self.poll_timeout(now)
            }

            fn handle_stored(
                &mut self,
                now: Instant,
                ticket: Ticket,
                result: Result<(), StoreError>,
            ) -> Self::Actions<'_> {
                self.handle_stored(now, ticket, result)
            }

            fn handle_loaded(
                &mut self,
                now: Instant,
                ticket: Ticket,
                result: Result<Loaded<'_>, StoreError>,
            ) -> Self::Actions<'_> {
                self.handle_loaded(now, ticket, result)
            }

            fn shut_down(&mut self, now: Instant) -> Self::Actions<'_> {
                self.shut_down(now)
            }

            fn set_clock(&mut self, clock: WallClock) {
                self.set_clock(clock);
            }

            fn deadline(&mut self) -> Option<Instant> {
                self.deadline()
            }

            $($machine)*
        }

        impl Drain for $module::Actions<'_> {
            type Event = $module::Event;

            fn next<'b>(
                &mut self,
                scratch: &'b mut [u8; MAX_DATAGRAM],
            ) -> Option<Action<'b, Self::Event>> {
                self.next(scratch)
            }

            fn record(&self) -> &[u8] {
                self.record()
            }

            $($drain)*
        }
    };
}

machine!(
    Server,
    server,
    machine {
        fn handle_authenticated(
            &mut self,
            now: Instant,
            ticket: Ticket,
            judgement: Judgement<'_>,
        ) -> Self::Actions<'_> {
            self.handle_authenticated(now, ticket, judgement)
        }
    },
    drain {
        fn password(&self) -> &[u8] {
            self.password()
        }

        fn hash(&self) -> Option<&[u8]> {
            self.hash()
        }
    }
);
machine!(
    Client,
    client,
    machine {},
    drain {
        fn text(&self, event: &Self::Event) -> &[u8] {
            match event {
                client::Event::Message { .. }
                | client::Event::RoomMessage { .. }
                | client::Event::Names { .. } => self.text(),
                _ => &[],
            }
        }
    }
);
