//! How a session ends.

use proto_core::time::Instant;

use crate::{command::Origin, notice::Notice};

use super::{
    Await, Chat, Exit, Moment, PATIENCE, Phase, SCRIPTS_PATIENCE, Script, Session, queue::Queue,
    sent::Sent,
};

impl Session {
    /// Begins to leave the program: deregisters first.
    pub(super) fn leave(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.phase == Phase::Online {
            self.is_owing = chat.open_messages().may_be_saved;
        }
        match self.phase {
            Phase::Offline => self.end(chat, at, None),
            Phase::Leaving { since, .. } => self.phase = Phase::Leaving { since, exit: true },
            Phase::Online | Phase::Registering { .. } => match chat.deregister() {
                Ok(()) => self.phase = Phase::Leaving { since: at.now, exit: true },
                Err(_) => self.end(chat, at, None),
            },
        }
    }

    /// Ends the program.
    pub(super) fn end(&mut self, chat: &mut impl Chat, at: Moment, exit: Option<Exit>) {
        if self.exit.is_some() {
            return;
        }
        let open = chat.open_messages();
        let unsaved = open.unsaved;
        let undone = self.queue.undone();
        let unkept = self.sent.unkept().min(unsaved);
        // What is for another server is not this run's to do.
        let elsewhere = !self.is_owing && !self.sent.is_open(Await::Stored);
        let is_done = (unsaved == 0 || elsewhere) && undone.is_empty() && !self.gave_up;
        let done = match (self.refused, is_done) {
            (true, _) => Exit::Refused,
            (false, true) if self.was_online => Exit::Done,
            (false, _) => Exit::Unfinished,
        };
        let exit = exit.unwrap_or(done);
        self.exit = Some(exit);
        let silent = exit == Exit::ServerSilent;
        let directory = &chat.data_directory();
        let kept = unsaved - unkept;
        let (undone, exit) = (&undone[..], exit as u8);
        let left = Notice::Left { kept, elsewhere, unkept, directory, undone, exit, silent };
        if self.script.is_some() {
            for line in undone {
                let origin = Origin { line: *line, ..Origin::default() };
                self.display.report(at, &origin, &Notice::Undone);
            }
        }
        self.tell(at, left);
    }

    /// Ends a script that is through, and whatever waits in vain for the server.
    pub(super) fn check_end(&mut self, chat: &mut impl Chat, at: Moment) {
        if self.exit.is_some() {
            return;
        }
        if self.silent.is_some() && self.patience_ends().is_some_and(|end| end <= at.now) {
            if self.display.ends_with_the_server() {
                self.tell(at, Notice::ServerSilent { fatal: true, unsaved: 0 });
            }
            self.end(chat, at, Some(Exit::ServerSilent));
            return;
        }
        let Some(script) = self.script else { return };
        if script.gives_up(&self.queue, &self.sent).is_some_and(|until| until <= at.now)
            && !self.is_leaving()
        {
            self.gave_up = true;
            self.queue.end(at.now);
            self.queue.interrupt();
            match self.silent {
                Some(_) => self.end(chat, at, Some(Exit::ServerSilent)),
                None => self.leave(chat, at),
            }
            return;
        }
        // Mail that waited at the server is shown first.
        let through = self.queue.ended().is_some()
            && self.queue.is_empty()
            && !self.is_busy(at.now)
            && self.mailbox.is_none();
        if !through {
            return;
        }
        let open = self.sent.is_open(script.wait) || chat.open_messages().may_be_saved;
        if self.phase == Phase::Offline || !open {
            self.leave(chat, at);
        }
    }

    /// When a silent server has been waited for long enough to give up, if
    /// anything that is waited for has an end.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        let is_leaving = matches!(self.phase, Phase::Leaving { exit: true, .. });
        if let Some(script) =
            self.script.filter(|_| !is_leaving && !self.display.ends_with_the_server())
        {
            // One that says itself how long it has is not given up before.
            let since = self.queue.ended().filter(|_| script.timeout.is_none())?;
            return Some(since.max(self.silent?) + SCRIPTS_PATIENCE);
        }
        let since = match self.phase {
            Phase::Leaving { since, exit: true } => Some(since),
            _ if !self.display.ends_with_the_server() => self.queue.ended(),
            Phase::Registering { since, .. } | Phase::Leaving { since, .. } => Some(since),
            Phase::Online => {
                self.sent.unanswered_since().into_iter().chain(self.rooms.wished_since()).min()
            }
            Phase::Offline => None,
        };
        // A script that has ended is given up in either form.
        since.or(self.queue.ended()).map(|since| since + PATIENCE)
    }
}

impl Script {
    /// When its time is over.
    pub(super) fn gives_up(self, queue: &Queue, sent: &Sent) -> Option<Instant> {
        let open = queue.waits_since().into_iter().chain(sent.open_since(self.wait)).min();
        Some(open.or(queue.ended())? + self.timeout?)
    }
}
