//! How a session ends.

use proto_core::time::Instant;

use crate::notice::Notice;

use super::{Chat, Exit, Moment, PATIENCE, Phase, Session};

impl Session {
    /// Begins to leave the program: deregisters first.
    pub(super) fn leave(&mut self, chat: &mut impl Chat, at: Moment) {
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
        let unsaved = chat.open_messages().unsaved;
        let undone = self.queue.undone();
        let unkept = self.sent.unkept().min(unsaved);
        let done = match (self.refused, unsaved + undone) {
            (true, _) => Exit::Refused,
            (false, 0) if self.was_online => Exit::Done,
            (false, _) => Exit::Unfinished,
        };
        let exit = exit.unwrap_or(done);
        self.exit = Some(exit);
        let silent = exit == Exit::ServerSilent;
        let directory = &chat.data_directory();
        let kept = unsaved - unkept;
        self.tell(at, Notice::Left { kept, unkept, directory, undone, silent });
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
        let through = self.scripted
            && self.queue.ended().is_some()
            && self.queue.is_empty()
            && !self.is_busy(at.now);
        if !through {
            return;
        }
        let open = self.sent.is_open() || chat.open_messages().unsaved > 0;
        if self.phase == Phase::Offline || !open {
            self.leave(chat, at);
        }
    }

    /// When a silent server has been waited for long enough to give up, if
    /// anything that is waited for has an end.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
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
