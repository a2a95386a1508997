//! What happened in a world, counted, so that a run can show that it tested something.

use std::{fmt, ops::AddAssign};

use proto_core::client::{Event, Verdict};

use crate::liar::Attacks;

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Worlds.
    pub worlds: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Handshakes that were answered: different Accepts.
    pub handshakes: u64,
    /// Messages that were accepted into an outbox.
    pub accepted: u64,
    /// Messages that came directly.
    pub direct: u64,
    /// Messages that came by way of the server.
    pub by_server: u64,
    /// Times that a message was given to the server.
    pub submissions: u64,
    /// Times that an author heard of a relay.
    pub relays: u64,
    /// Messages that the server took over.
    pub stored: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// Messages that expired.
    pub expired: u64,
    /// Entries that came into rooms' logs.
    pub entries: u64,
    /// Entries of rooms that came into members' inboxes.
    pub read: u64,
    /// Entries of rooms that were read from the server's store for a member.
    pub recalled: u64,
    /// Times that a member was told of entries that are gone.
    pub gaps: u64,
    /// Rooms created, joined and left.
    pub wishes: u64,
    /// Crashes of any node.
    pub crashes: u64,
    /// Stores that were put back to what they were.
    pub restores: u64,
    /// Stores that were begun anew.
    pub wipes: u64,
    /// Clients' directories that were copied and used beside the original.
    pub copies: u64,
    /// Requests that a store failed at.
    pub store_failures: u64,
    /// Times that a session got new keys.
    pub rekeys: u64,
    /// Rules of the protocol that a node found broken.
    pub violations: u64,
    /// Datagrams that were damaged or forged.
    pub forgeries: u64,
    /// People who took what they could get.
    pub greedy: u64,
    /// Times that honest people got through beside them.
    pub passed: u64,
    /// Accounts that the operator removed, and those that had their places in the end.
    pub removed: u64,
    /// See [`Self::removed`].
    pub reused: u64,
    /// What liars tried.
    pub tried: Attacks,
    /// Times that a user heard that a nick has another key, and that one believed it.
    pub key_changes: u64,
    /// See [`Self::key_changes`].
    pub believed: u64,
    /// Messages that were shown as by a stranger.
    pub strangers: u64,
    /// Times that a reader heard that messages of an author are missing.
    pub missing: u64,
    /// Messages whose author heard that nobody confirmed them.
    pub unconfirmed: u64,
    /// Mail that did not open.
    pub unreadable: u64,
    /// Times that a client broke with someone who broke a rule.
    pub broken: u64,
    /// Submissions that a liar could open: they were for them.
    pub opened: u64,
}

impl Counts {
    /// A user was told something.
    pub(crate) fn told(&mut self, event: &Event) {
        let count = match event {
            Event::Accepted { .. } => &mut self.accepted,
            Event::Verdict { verdict: Verdict::Stored, .. } => &mut self.stored,
            Event::Verdict { verdict: Verdict::Refused(_) | Verdict::Failed(_), .. } => {
                &mut self.refused
            }
            Event::Verdict { verdict: Verdict::Expired, .. } => &mut self.expired,
            Event::Verdict { verdict: Verdict::Unconfirmed, .. } => &mut self.unconfirmed,
            Event::KeyChanged { .. } => &mut self.key_changes,
            Event::Gap { .. } => &mut self.missing,
            Event::Unreadable { .. } => &mut self.unreadable,
            Event::Violation { .. } => &mut self.broken,
            Event::Message { known: false, .. } => &mut self.strangers,
            Event::Message { by_server: true, .. } => &mut self.by_server,
            Event::Message { .. } => &mut self.direct,
            Event::RoomGap { .. } => &mut self.gaps,
            Event::RoomResponse { result: Ok(()), .. } => &mut self.wishes,
            Event::Submitted { .. } => &mut self.submissions,
            Event::Relayed { .. } => &mut self.relays,
            _ => return,
        };
        *count += 1;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.datagrams += other.datagrams;
        self.handshakes += other.handshakes;
        self.accepted += other.accepted;
        self.direct += other.direct;
        self.by_server += other.by_server;
        self.submissions += other.submissions;
        self.relays += other.relays;
        self.stored += other.stored;
        self.refused += other.refused;
        self.expired += other.expired;
        self.entries += other.entries;
        self.read += other.read;
        self.recalled += other.recalled;
        self.gaps += other.gaps;
        self.wishes += other.wishes;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.wipes += other.wipes;
        self.copies += other.copies;
        self.store_failures += other.store_failures;
        self.rekeys += other.rekeys;
        self.violations += other.violations;
        self.forgeries += other.forgeries;
        self.greedy += other.greedy;
        self.passed += other.passed;
        self.removed += other.removed;
        self.reused += other.reused;
        self.tried += other.tried;
        self.key_changes += other.key_changes;
        self.believed += other.believed;
        self.strangers += other.strangers;
        self.missing += other.missing;
        self.unconfirmed += other.unconfirmed;
        self.unreadable += other.unreadable;
        self.broken += other.broken;
        self.opened += other.opened;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} worlds, {} datagrams, {} handshakes; {} messages accepted, {} delivered directly, \
             {} by way of the server, {} submissions, {} relays, {} stored, {} refused, {} expired; \
             {} entries in rooms, {} read by members, {} recalled, {} gaps, {} wishes; \
             {} crashes, {} stores put back, {} begun anew, {} copied, {} store failures, \
             {} rekeys, {} forgeries, {} greedy people, {} times past them, {} removed, {} in their places; {}; \
             {} key changes told, {} believed, {} messages of strangers, {} times that some are \
             missing, {} unconfirmed, {} unreadable, {} breaks, {} opened by liars",
            self.worlds,
            self.datagrams,
            self.handshakes,
            self.accepted,
            self.direct,
            self.by_server,
            self.submissions,
            self.relays,
            self.stored,
            self.refused,
            self.expired,
            self.entries,
            self.read,
            self.recalled,
            self.gaps,
            self.wishes,
            self.crashes,
            self.restores,
            self.wipes,
            self.copies,
            self.store_failures,
            self.rekeys,
            self.forgeries,
            self.greedy,
            self.passed,
            self.removed,
            self.reused,
            self.tried,
            self.key_changes,
            self.believed,
            self.strangers,
            self.missing,
            self.unconfirmed,
            self.unreadable,
            self.broken,
            self.opened,
        )
    }
}
