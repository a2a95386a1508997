//! What happens in a turn.

use std::{io, mem, time::Duration};

use proto_core::time::Instant;

use super::{Endpoint, Extent, SOCKET, WAKE, drain};
use crate::{machine::Machine, store::Answer};

/// What is done of each kind in one turn, at the most.
mod budget {
    /// Datagrams that come in.
    pub(super) const DATAGRAMS: usize = 512;
    /// Commands of the host.
    pub(super) const COMMANDS: usize = 64;
    /// Datagrams that go out, in answer to any one kind.
    pub(super) const SENDS: usize = 512;
}

/// When to try again to send, should the poll not tell.
const RETRY: Duration = Duration::from_millis(100);

/// How long a role may take to tell the others that it leaves.
const FAREWELL: Duration = Duration::from_secs(1);

impl<M: Machine> Endpoint<M> {
    /// Waits until there is something to do, `limit` at the longest, and does it, or
    /// some of it when it is much. `on_event` gets what the role tells, and the text
    /// that goes with it.
    ///
    /// # Errors
    /// If the system does not let wait: nothing goes on from there.
    pub fn turn(
        &mut self,
        limit: Option<Duration>,
        mut on_event: impl FnMut(M::Event, &[u8]),
    ) -> io::Result<()> {
        self.wait(limit)?;
        self.port.flush();
        if let Some(clock) = self.clock.set() {
            self.machine.set_clock(clock);
        }
        let kinds = [
            Self::obey,
            Self::take_answers,
            Self::take_judgements,
            Self::take_timeouts,
            Self::receive,
        ];
        for kind in kinds {
            // What waits to be sent comes before anything that would add to it.
            if self.port.outgoing.is_blocked() {
                break;
            }
            self.port.outgoing.allow(budget::SENDS);
            kind(self, &mut on_event);
            self.port.flush();
        }
        Ok(())
    }

    /// Takes turns until [`Self::stop`], and then leaves.
    ///
    /// # Errors
    /// As for [`Self::turn`].
    pub fn run(mut self, mut on_event: impl FnMut(M::Event, &[u8])) -> io::Result<()> {
        while !self.is_stopping {
            self.turn(None, &mut on_event)?;
        }
        self.shut_down(on_event)
    }

    /// Has [`Self::run`] end.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Tells the others that the role leaves, and makes durable what waits for the disk.
    ///
    /// # Errors
    /// As for [`Self::turn`]; what waits is made durable even so.
    pub fn shut_down(mut self, mut on_event: impl FnMut(M::Event, &[u8])) -> io::Result<()> {
        let until = self.clock.now() + FAREWELL;
        // What it owes now is due at once.
        self.command(|machine, now| drop(machine.shut_down(now)));
        loop {
            self.port.outgoing.allow(budget::SENDS);
            self.take_timeouts(&mut on_event);
            self.port.flush();
            let now = self.clock.now();
            let is_owing = self.port.outgoing.is_blocked() || self.is_due(now);
            if !is_owing || now > until {
                return Ok(());
            }
            if self.port.outgoing.is_blocked() {
                self.wait(Some(RETRY))?;
            }
        }
    }

    fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let has_work = self.port.has_more()
            || self.has_commands
            || self.has_answers
            || !self.answers.is_empty();
        let patience = if self.port.outgoing.is_blocked() {
            Some(RETRY)
        } else if has_work {
            Some(Duration::ZERO)
        } else {
            self.machine.deadline().map(|deadline| deadline.since(self.clock.now()))
        };
        let patience = patience.into_iter().chain(limit).min();
        match self.poll.poll(&mut self.events, patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            match event.token() {
                SOCKET => self.port.notice(),
                WAKE => (self.has_commands, self.has_answers) = (true, true),
                _ => {}
            }
        }
        Ok(())
    }

    /// Does what the host asks for.
    fn obey(&mut self, on_event: &mut impl FnMut(M::Event, &[u8])) {
        for _ in 0..budget::COMMANDS {
            if !self.has_commands || !self.port.outgoing.may_write() {
                return;
            }
            match self.commands.try_recv() {
                Ok(command) => command(self),
                Err(_) => self.has_commands = false,
            }
            self.take_timeouts(on_event);
        }
    }

    /// Tells the role what the store answered.
    fn take_answers(&mut self, on_event: &mut impl FnMut(M::Event, &[u8])) {
        let now = self.clock.now();
        if self.answers.is_empty() && mem::take(&mut self.has_answers) {
            let (failed, done): (Vec<_>, Vec<_>) = self.store.answers().partition(has_failed);
            // All failures first: whatever the role asks next may rely on none of them.
            for answer in failed {
                drop(tell(&mut self.machine, now, &answer));
            }
            self.answers.extend(done);
        }
        while self.port.outgoing.may_write() {
            let Some(answer) = self.answers.pop_front() else { return };
            let actions = tell(&mut self.machine, now, &answer);
            // What is to be sent waits for the last of them, and shares datagrams.
            let extent = if self.answers.is_empty() { Extent::Whole } else { Extent::UpToSending };
            drain(actions, &self.store, &mut self.passwords, &mut self.port, extent, on_event);
        }
    }

    /// Tells the role what was found of passwords: never more than a few at a time.
    fn take_judgements(&mut self, on_event: &mut impl FnMut(M::Event, &[u8])) {
        let now = self.clock.now();
        for answer in self.passwords.answers() {
            let judgement = answer.as_judgement();
            let actions = self.machine.handle_authenticated(now, answer.ticket, judgement);
            drain(
                actions,
                &self.store,
                &mut self.passwords,
                &mut self.port,
                Extent::Whole,
                on_event,
            );
        }
    }

    /// Has the role do what is due, and what it owes from before.
    fn take_timeouts(&mut self, on_event: &mut impl FnMut(M::Event, &[u8])) {
        let now = self.clock.now();
        if self.is_due(now) {
            let actions = self.machine.poll_timeout(now);
            drain(
                actions,
                &self.store,
                &mut self.passwords,
                &mut self.port,
                Extent::Whole,
                on_event,
            );
        }
    }

    /// Hands the role what came over UDP.
    fn receive(&mut self, on_event: &mut impl FnMut(M::Event, &[u8])) {
        for _ in 0..budget::DATAGRAMS {
            if !self.port.outgoing.may_write() {
                return;
            }
            let Some((from, datagram)) = self.port.receive() else { return };
            let actions = self.machine.handle_datagram(self.clock.now(), from, datagram);
            drain(
                actions,
                &self.store,
                &mut self.passwords,
                &mut self.port,
                Extent::Whole,
                on_event,
            );
        }
    }

    fn is_due(&mut self, now: Instant) -> bool {
        self.machine.deadline().is_some_and(|deadline| deadline <= now)
    }
}

fn has_failed(answer: &Answer) -> bool {
    match answer {
        Answer::Stored { result, .. } => result.is_err(),
        Answer::Loaded { result, .. } => result.is_err(),
    }
}

fn tell<'m, M: Machine>(machine: &'m mut M, now: Instant, answer: &Answer) -> M::Actions<'m> {
    match answer {
        Answer::Stored { ticket, result } => machine.handle_stored(now, *ticket, *result),
        Answer::Loaded { ticket, result } => {
            let loaded = result.as_ref().map(|loaded| loaded.as_loaded()).map_err(|why| *why);
            machine.handle_loaded(now, *ticket, loaded)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proto_core::{
        action::{Action, Loaded, Log, StoreError, Ticket},
        client::{Client, Config},
        id::{Nick, SecretKey},
        server::Resume,
        session::{Identity, Portable},
        time::{UnixTime, WallClock},
        wire::MAX_DATAGRAM,
    };

    use super::*;
    use crate::{
        machine::Drain,
        memory::{ClientMemory, ClientSizes},
        store::QUEUE_CAPACITY,
    };

    /// A role that puts so many records under a ticket, and keeps what it is told of them.
    struct Author {
        ticket: Ticket,
        owed: u64,
        told: Vec<(Ticket, bool)>,
    }

    impl Drain for &mut Author {
        type Event = ();

        fn next<'b>(&mut self, _: &'b mut [u8; MAX_DATAGRAM]) -> Option<Action<'b, ()>> {
            let number = self.owed;
            self.owed = self.owed.checked_sub(1)?;
            Some(Action::Put { ticket: self.ticket, log: Log::Accounts, number })
        }

        fn record(&self) -> &[u8] {
            b"something"
        }
    }

    /// Two tickets, such as a role of the core gives.
    fn tickets() -> [Ticket; 2] {
        let (now, memory) = (Instant::default(), ClientMemory::new(&ClientSizes::for_peers(2)));
        let nick = Nick::new("alice").unwrap();
        let config = Config::new(nick, "127.0.0.1:1".parse().unwrap(), None);
        let identity = Identity::new(SecretKey([1; 32]), &Portable);
        let resume = Resume { boot: 1, clock: WallClock { at: now, unix: UnixTime(0) } };
        let client = Client::new(config, identity, [1; 32], resume, now, memory);
        let mut client = client.expect("its tables fit together");
        let mut tickets = Vec::new();
        // It asks again a while after the store failed.
        for now in [now, now + Duration::from_secs(2)] {
            let (mut actions, mut scratch) = (client.poll_timeout(now), [0; MAX_DATAGRAM]);
            while let Some(action) = actions.next(&mut scratch) {
                if let Action::Load { ticket, .. } = action {
                    tickets.push(ticket);
                }
            }
            drop(client.handle_loaded(now, *tickets.last().unwrap(), Err(StoreError)));
        }
        tickets.try_into().unwrap()
    }

    impl Machine for Author {
        type Event = ();
        type Actions<'a> = &'a mut Self;

        fn handle_datagram(&mut self, _: Instant, _: SocketAddr, _: &mut [u8]) -> &mut Self {
            self
        }

        fn poll_timeout(&mut self, _: Instant) -> &mut Self {
            self
        }

        fn handle_stored(
            &mut self,
            _: Instant,
            ticket: Ticket,
            result: Result<(), StoreError>,
        ) -> &mut Self {
            self.told.push((ticket, result.is_ok()));
            self
        }

        fn handle_loaded(
            &mut self,
            _: Instant,
            _: Ticket,
            _: Result<Loaded<'_>, StoreError>,
        ) -> &mut Self {
            self
        }

        fn shut_down(&mut self, _: Instant) -> &mut Self {
            self
        }

        fn set_clock(&mut self, _: WallClock) {}

        fn deadline(&mut self) -> Option<Instant> {
            (self.owed > 0).then_some(Instant::default())
        }
    }

    #[test]
    fn a_role_hears_of_what_failed_before_it_hears_of_what_was_done() {
        let directory = tempfile::tempdir().unwrap();
        let bind = "127.0.0.1:0".parse().unwrap();
        let [first, ticket] = tickets();
        let author = Author { ticket: first, owed: 1, told: Vec::new() };
        let mut endpoint = Endpoint::start(directory.path(), bind, |_| Ok(author)).unwrap();
        endpoint.turn(Some(Duration::ZERO), |(), _| {}).unwrap();
        // What is read after it waits for it: the answer is there, and was not told yet.
        assert_eq!(endpoint.store().newest(Log::Accounts, 9).unwrap().len(), 1);
        assert_eq!(endpoint.machine().told, []);
        // Far more than the store takes at a time, should its thread begin with some meanwhile.
        endpoint
            .handle()
            .tell(move |endpoint| {
                let author = endpoint.machine();
                (author.ticket, author.owed) = (ticket, 4 * QUEUE_CAPACITY as u64);
            })
            .unwrap();
        endpoint.turn(Some(Duration::ZERO), |(), _| {}).unwrap();
        let told = &endpoint.machine().told;
        let failed = told.iter().rposition(|told| *told == (ticket, false));
        let done = told.iter().position(|told| *told == (first, true));
        assert!(failed.is_some() && failed < done, "{failed:?} {done:?}");
    }
}
