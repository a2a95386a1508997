//! What the server keeps for each link: a part for each component, which alone can read it.

use crate::{
    link::Role,
    storage::{Linked, Node},
};

use super::super::{
    mailboxes::Reader as MailReader,
    role::{SentFrame, ServerLink, ServerRole},
    rooms::{Requester, Turns},
    roster::{CaughtUp, Reader as RosterReader},
    sessions::{Asked, Seat},
    store::Asking,
    submit::Author,
};

impl Role for ServerRole {
    type Token = SentFrame;
    type State = ClientSession;
}

/// A connected client.
#[derive(Debug, Default)]
pub struct ClientSession {
    /// Who it is, and what it is told of that.
    pub(crate) seat: Seat,
    /// Its last request about its account.
    pub(crate) asked: Asked,
    /// Its cursor in the roster.
    pub(crate) roster: RosterReader,
    /// Its cursor in its mailbox.
    pub(crate) mailbox: MailReader,
    /// What it is told, as an author, of what it submitted.
    pub(crate) author: Author,
    /// Its cursors in rooms of which something is to be sent.
    pub(crate) turns: Turns,
    /// Its last request about rooms.
    pub(crate) requester: Requester,
    asking: Node<ServerLink>,
    stalled: Node<ServerLink>,
    caught_up: Node<ServerLink>,
}

impl ClientSession {
    /// It has nothing more to read of the roster.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.caught_up.is_linked()
    }

    /// What is left when its client is someone no longer: what the lists of links know it by, and
    /// from which packet on its word counts.
    pub(crate) fn leave(&mut self) -> Self {
        let mut gone = core::mem::take(self);
        self.asking = core::mem::take(&mut gone.asking);
        self.stalled = core::mem::take(&mut gone.stalled);
        self.author = gone.author.keep_heard();
        self.requester = gone.requester.keep_order();
        self.seat = gone.seat.keep_order();
        self.asked = gone.asked.keep_order();
        gone
    }
}

/// The list of links that wait before the store is asked again.
#[derive(Debug)]
pub(crate) struct Stalled;

impl Linked<Asking> for ServerLink {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.role.asking
    }
}

impl Linked<Stalled> for ServerLink {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.role.stalled
    }
}

impl Linked<CaughtUp> for ServerLink {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.role.caught_up
    }
}
