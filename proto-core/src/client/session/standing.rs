//! Where the client stands with its server.

use core::time::Duration;

use crate::{
    client::{role::ClientLink, view::Status},
    id::{Epoch, Incarnation},
    storage::Id,
    time::Instant,
    wire::Limits,
};

/// Where the client stands with its server: what every component asks before it sends something.
#[derive(Debug)]
pub(in crate::client) struct Standing {
    pub(super) phase: Phase,
    pub(super) leaving: Option<Leaving>,
    pub(super) link: Option<Id<ClientLink>>,
    /// To register as soon as the durable state is read.
    pub(super) wanted: bool,
    pub(super) limits: Option<Limits>,
    /// The last mailbox entry that waited at registration.
    pub(super) waiting: u64,
    roster_known: bool,
    /// Since when an answer is owed, while nothing at all comes.
    pub(super) asked: Option<Instant>,
    pub(super) silent: bool,
    /// This run.
    pub(super) run: Incarnation,
    /// The epoch that messages are numbered in; 0 before the first registration of this run.
    pub(super) epoch: Epoch,
    /// The last epoch of the runs before this one.
    pub(super) former: Epoch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Offline,
    /// A handshake is under way.
    Reaching,
    /// The server was asked for the nick.
    Registering,
    Online,
}

/// The two steps of going offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// What is open is being submitted.
    Submitting,
    /// The server is being told.
    Saying,
}

impl Standing {
    /// Offline, in this run.
    pub(in crate::client) fn new(run: Incarnation) -> Self {
        Self {
            phase: Phase::Offline,
            leaving: None,
            link: None,
            wanted: false,
            limits: None,
            waiting: 0,
            roster_known: false,
            asked: None,
            silent: false,
            run,
            epoch: Epoch(0),
            former: Epoch(0),
        }
    }

    /// Registered in an epoch, without a link.
    #[cfg(test)]
    pub(in crate::client) fn online_in(epoch: Epoch, run: Incarnation) -> Self {
        Self { phase: Phase::Online, epoch, ..Self::new(run) }
    }

    pub(in crate::client) fn status(&self) -> Status {
        match (self.leaving, self.phase) {
            (Some(_), _) => Status::Leaving,
            (None, Phase::Offline) if self.wanted => Status::Loading,
            (None, Phase::Offline) => Status::Offline,
            (None, Phase::Reaching | Phase::Registering) => Status::Registering,
            (None, Phase::Online) => Status::Online,
        }
    }

    /// The link to the server.
    pub(in crate::client) fn link(&self) -> Option<Id<ClientLink>> {
        self.link
    }

    /// The link, while it can be asked to take submissions.
    pub(in crate::client) fn online(&self) -> Option<Id<ClientLink>> {
        self.link.filter(|_| self.phase == Phase::Online)
    }

    /// The client is not offline by its own will.
    pub(in crate::client) fn was_online(&self) -> bool {
        self.phase != Phase::Offline
    }

    pub(in crate::client) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// What is open is being submitted, and the server is told good-bye then.
    pub(in crate::client) fn is_depositing(&self) -> bool {
        self.leaving == Some(Leaving::Submitting)
    }

    pub(in crate::client) fn is_registering(&self) -> bool {
        self.phase == Phase::Registering
    }

    /// The server has said who is there.
    pub(in crate::client) fn knows_roster(&self) -> bool {
        self.phase == Phase::Online && self.roster_known
    }

    pub(in crate::client) fn set_roster_known(&mut self, known: bool) {
        self.roster_known = known;
    }

    /// The last mailbox entry that waited at registration.
    pub(in crate::client) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The longest text that the server takes, in bytes.
    pub(in crate::client) fn text_limit(&self) -> u32 {
        self.limits.map_or(u32::MAX, |limits| limits.text)
    }

    /// The epoch that messages are numbered in; 0 before the first registration of this run.
    pub(in crate::client) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// An epoch is of an earlier run.
    pub(in crate::client) fn pass_epoch(&mut self, epoch: Epoch) {
        self.former = self.former.max(epoch);
    }

    /// The server owes an answer from now on; its user is told if nothing comes for so long.
    pub(in crate::client) fn expect_answer(&mut self, now: Instant, patience: Duration) {
        if self.was_online() && (!self.silent || self.is_leaving()) {
            self.asked.get_or_insert(now + patience);
        }
    }

    /// Nothing is left that the server could save.
    pub(super) fn say_good_bye(&mut self) {
        debug_assert!(self.is_depositing(), "there is one good-bye");
        self.leaving = Some(Leaving::Saying);
    }

    /// The client is offline from now on.
    pub(super) fn go_offline(&mut self) {
        self.phase = Phase::Offline;
        self.leaving = None;
        self.asked = None;
        self.silent = false;
        self.wanted = false;
    }

    /// What a link that ends was to the client.
    pub(super) fn forget(&mut self, link: Id<ClientLink>) {
        if self.link == Some(link) {
            self.link = None;
        }
    }
}
