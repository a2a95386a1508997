//! What happens in a turn.

use std::{io, mem, time::Duration};

use proto_core::{
    host::{Action, Machine},
    time::Instant,
};

use crate::identity;

use super::{
    Endpoint, SOCKET, WAKE,
    port::{Port, Received},
};

/// What is done of each kind in one turn, at the most.
mod budget {
    /// Datagrams that come in.
    pub(super) const DATAGRAMS: usize = 512;
    /// Commands of the host.
    pub(super) const COMMANDS: usize = 64;
    /// Datagrams that go out.
    pub(super) const SENDS: usize = 512;
}

/// When to try again to send, should the poll not tell.
const RETRY: Duration = Duration::from_millis(100);

/// How long a role may take to tell the others that it leaves.
const FAREWELL: Duration = Duration::from_secs(1);

impl<M: Machine + 'static> Endpoint<M> {
    /// Waits until there is something to do, `limit` at the longest, and does it, or
    /// some of it when it is much. `on_event` gets what the role tells, and the text
    /// that goes with it.
    ///
    /// # Errors
    /// If the system does not let wait: nothing goes on from there.
    pub fn turn(
        &mut self,
        limit: Option<Duration>,
        on_event: impl FnMut(M::Event, &[u8]),
    ) -> io::Result<()> {
        self.wait(limit)?;
        self.port.flush();
        if let Some(clock) = self.clock.set() {
            self.machine.set_clock(clock);
        }
        // What waits to be sent comes before anything that would add to it.
        if !self.port.outgoing.is_blocked() {
            self.port.outgoing.allow(budget::SENDS);
            self.obey();
            self.take_answers();
            self.receive();
            self.act(on_event);
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
        self.command(M::shut_down);
        loop {
            self.port.outgoing.allow(budget::SENDS);
            self.act(&mut on_event);
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
        let has_work = self.port.has_more() || self.has_commands || self.has_answers;
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
    fn obey(&mut self) {
        for _ in 0..budget::COMMANDS {
            if !self.has_commands {
                return;
            }
            match self.commands.try_recv() {
                Ok(command) => command(self),
                Err(_) => self.has_commands = false,
            }
        }
    }

    /// Tells the role what the store answered, and what was found of passwords.
    fn take_answers(&mut self) {
        let now = self.clock.now();
        if mem::take(&mut self.has_answers) {
            for answer in self.store.answers() {
                answer.give_to(&mut self.machine, now);
            }
        }
        for answer in self.passwords.answers() {
            self.machine.handle_checked(now, answer.ticket, answer.as_judgement());
        }
    }

    /// Hands the role what came over UDP.
    fn receive(&mut self) {
        for _ in 0..budget::DATAGRAMS {
            if !self.port.outgoing.may_write() {
                return;
            }
            let now = self.clock.now();
            freshen(&mut self.machine);
            let Some(Received { from, datagram, way_back }) = self.port.receive() else { return };
            if let Some(reply) = self.machine.handle_datagram(now, from, datagram) {
                way_back.send(from, reply);
            }
        }
    }

    /// Does what the role owes, or some of it when it is much.
    fn act(&mut self, mut on_event: impl FnMut(M::Event, &[u8])) {
        let now = self.clock.now();
        let unix = self.clock.wall().unix(now);
        let mut requests = self.store.requests();
        let Port { outgoing, socket, .. } = &mut self.port;
        while let Some(scratch) = outgoing.scratch() {
            freshen(&mut self.machine);
            let action = self.machine.poll(now, scratch);
            let note = action.as_ref().and_then(|action| (self.notes)(action, unix));
            match action {
                Some(Action::Send { to, datagram }) => {
                    let length = datagram.len();
                    outgoing.push(to, length, socket);
                }
                Some(Action::Put { ticket, log, number, record }) => {
                    requests.put_noted(ticket, (log, number, record), note);
                }
                Some(Action::Trim { ticket, log, upto }) => requests.trim(ticket, log, upto),
                Some(Action::Read { ticket, log, from, most }) => {
                    requests.read(ticket, log, from, most);
                }
                Some(Action::CheckPassword { ticket, password, hash }) => {
                    self.passwords.judge(ticket, password, hash);
                }
                Some(Action::Event { event, text }) => {
                    // Ahead of what the role asks for once this is told.
                    if let Some(note) = note {
                        requests.note(note);
                    }
                    on_event(event, text);
                }
                None => break,
            }
        }
        drop(requests);
        self.port.flush();
    }

    fn is_due(&mut self, now: Instant) -> bool {
        self.machine.deadline().is_some_and(|deadline| deadline <= now)
    }
}

/// Gives the role fresh randomness after each use of what it had. Should the system have none for
/// once, the role draws on from what it was given before.
fn freshen(machine: &mut impl Machine) {
    if machine.wants_seed()
        && let Ok(seed) = identity::seed()
    {
        machine.reseed(seed);
    }
}
