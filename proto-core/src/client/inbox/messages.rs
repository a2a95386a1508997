//! The table of messages that came and are in memory: how they get in and out.

use crate::{
    client::{
        ctx::Ctx,
        role::ClientLink,
        roster::{id::PeerId, peer::Peer},
    },
    host::{Ask, Ticket},
    id::Position,
    role::{ARRIVING, is_room_to_wait},
    storage::{Body, Id, List, Pool, Slab},
};

use super::message::{Chained, Incoming, Stage, Telling};

/// The messages that came and are in memory.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    pub(super) all: Slab<'a, Incoming>,
    /// Those that there is something to tell about.
    pub(super) telling: &'a mut List<Incoming, Telling>,
    /// What came directly and waits for its pieces or for others before it: of whatever came
    /// last, its author can be made to give it to the server.
    pub(super) waiting: &'a mut List<Incoming, Chained>,
    /// Blocks of those.
    pub(super) held: &'a mut usize,
}

impl Messages<'_> {
    /// A message that is known to be here.
    pub(super) fn get(&self, id: Id<Incoming>) -> Option<&Incoming> {
        let message = self.all.get(id);
        debug_assert!(message.is_some(), "a message stays until nothing names it any more");
        message
    }

    /// A message that is known to be here.
    pub(super) fn get_mut(&mut self, id: Id<Incoming>) -> Option<&mut Incoming> {
        let message = self.all.get_mut(id);
        debug_assert!(message.is_some(), "a message stays until nothing names it any more");
        message
    }

    /// The message that an answer of the store is about, if it waits for that.
    pub(super) fn answered(&mut self, ticket: Ticket) -> Option<Id<Incoming>> {
        let id = self.all.id_at(ticket.slot)?;
        self.all.get_mut(id)?.ask.answer(ticket.serial).then_some(id)
    }

    /// Of what could not be kept of the same conversation, what was said first.
    pub(super) fn first_unsaved_beside(&self, id: Id<Incoming>) -> Id<Incoming> {
        let Some(mut first) = self.get(id) else { return id };
        let (mut found, mut at) = (id, first.asking.next());
        while let Some((id, message)) = at.and_then(|id| Some((id, self.all.get(id)?))) {
            at = message.asking.next();
            let beside = message.peer == first.peer && message.stage == first.stage;
            if beside && message.position < first.position {
                (found, first) = (id, message);
            }
        }
        found
    }

    /// Two people change rows.
    pub(super) fn exchange(&mut self, one: PeerId, other: PeerId) {
        for slot in 0..self.all.capacity() as u32 {
            let Some(message) = self.all.id_at(slot).and_then(|id| self.all.get_mut(id)) else {
                continue;
            };
            message.peer = match message.peer {
                peer if peer == one => other,
                peer if peer == other => one,
                peer => peer,
            };
        }
    }

    /// What an author said directly that is not whole, or waits for others before it.
    pub(super) fn waiting_of(
        &self,
        peer: PeerId,
        is: impl Fn(&Incoming) -> bool,
    ) -> Option<Id<Incoming>> {
        let mut at = self.waiting.front();
        while let Some((id, message)) = at.and_then(|id| Some((id, self.all.get(id)?))) {
            if message.peer == peer && is(message) {
                return Some(id);
            }
            at = message.chained.next();
        }
        None
    }

    /// The first that came of an author, or a room, and is so.
    pub(super) fn arriving(
        &self,
        cx: &Ctx<'_>,
        peer: PeerId,
        is: impl Fn(&Incoming) -> bool,
    ) -> Option<Id<Incoming>> {
        let mut at = cx.peers.get(peer)?.author.arriving.front();
        while let Some((id, message)) = at.and_then(|id| Some((id, self.all.get(id)?))) {
            if is(message) {
                return Some(id);
            }
            at = message.of_peer.next();
        }
        None
    }

    pub(super) fn add(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        peer_id: PeerId,
        position: Position,
        (total, early): (u16, bool),
    ) -> Option<Id<Incoming>> {
        let limit = (self.all.capacity() / 4).clamp(ARRIVING.0, ARRIVING.1);
        let arriving = usize::from(cx.peers.get(peer_id)?.author.count);
        if arriving + usize::from(early) >= limit || !self.room_for(cx, total.into(), early) {
            return None;
        }
        let body = cx.bodies.allocate(total.into())?;
        let mut message = Incoming::new(peer_id, position, body, total);
        message.link = Some(link);
        message.begun = cx.now;
        let id = self.insert(cx, message)?;
        self.await_inbox(cx, peer_id, id);
        Some(id)
    }

    pub(super) fn insert(&mut self, cx: &mut Ctx<'_>, message: Incoming) -> Option<Id<Incoming>> {
        if let Some(peer) = cx.peers.get_mut(message.peer) {
            peer.author.hear();
        }
        let added = self.all.insert(message);
        added.map_err(|message| cx.bodies.free(message.body)).ok()
    }

    /// Counts a message to what is not in the inbox yet.
    pub(super) fn await_inbox(&mut self, cx: &mut Ctx<'_>, peer: PeerId, id: Id<Incoming>) {
        if let Some(peer) = cx.peers.get_mut(peer) {
            peer.author.arriving.push_back(&mut self.all, id);
            peer.author.count += 1;
        }
    }

    /// Makes room for a body that came. One that is `early`, and waits for others to come, leaves
    /// the last of it to them. One that is next drives out what came directly and waits, the
    /// newest first: its author, without a receipt, gives it to the server. `false` if there
    /// is no room.
    pub(super) fn room_for(&mut self, cx: &mut Ctx<'_>, bytes: usize, early: bool) -> bool {
        if early {
            return is_room_to_wait(&self.all, &cx.bodies, bytes, cx.longest_body());
        }
        loop {
            let blocks = cx.bodies.capacity() - cx.bodies.used();
            if !self.all.is_full() && blocks >= Pool::blocks(bytes) {
                return true;
            }
            let Some(newest) = self.waiting.back(&mut self.all) else { return false };
            self.forget_arriving(cx, newest);
            self.discard(cx, newest);
        }
    }

    /// Makes room for a body that came directly, among those that wait: all of them have half of the
    /// blocks, or one has as many as it needs, so that what others begin leaves room for what the
    /// user says. `false` if there is no room.
    pub(super) fn room_to_wait(&mut self, cx: &mut Ctx<'_>, bytes: usize, early: bool) -> bool {
        let blocks = Pool::blocks(bytes);
        while let Some(newest) = self.waiting.back(&mut self.all)
            && (*self.held + blocks) * 2 > cx.bodies.capacity()
        {
            if early {
                return false;
            }
            self.forget_arriving(cx, newest);
            self.discard(cx, newest);
        }
        true
    }

    /// What came directly waits from now on, for its pieces or for others before it.
    pub(super) fn wait(&mut self, id: Id<Incoming>) {
        let Some(message) = self.get(id) else { return };
        *self.held += Pool::blocks(message.body.len());
        self.waiting.push_back(&mut self.all, id);
    }

    /// Takes a message off its author's list of what is not in the inbox yet.
    pub(super) fn forget_arriving(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        self.wait_no_more(id);
        let Some(message) = self.get(id).filter(|m| m.of_peer.is_linked()) else { return };
        if let Some(peer) = cx.peers.get_mut(message.peer) {
            peer.author.count -= 1;
            peer.author.arriving.remove(&mut self.all, id);
        }
    }

    /// What came directly waits for nothing more.
    pub(super) fn wait_no_more(&mut self, id: Id<Incoming>) {
        let is_direct = |message: &&Incoming| message.mail.is_none() && message.chained.is_linked();
        let Some(message) = self.all.get(id).filter(is_direct) else { return };
        let blocks = Pool::blocks(message.body.len());
        debug_assert!(*self.held >= blocks, "what waits was counted");
        *self.held = self.held.saturating_sub(blocks);
        self.waiting.remove(&mut self.all, id);
    }

    /// Gives a message's memory back, and its length as credit to where it came from.
    pub(super) fn release(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        let Some(message) = self.get_mut(id) else { return };
        let (link, length) = (message.link.take(), message.body.len());
        // What is given up before its turn may come again.
        let settled = !message.is_unfinished();
        // How far a room is read says what is free of its credit.
        let in_room = cx.peers.get(message.peer).is_some_and(Peer::is_room);
        cx.bodies.free(core::mem::replace(&mut message.body, Body::EMPTY));
        if let Some(id) = link.filter(|_| !in_room)
            && let Some(link) = cx.links.get_mut(id)
        {
            link.credit.release(length, settled);
            if link.credit.is_owed() {
                cx.links.wake(id);
            }
        }
    }

    /// Drops a message that nobody is to hear of.
    pub(super) fn discard(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        self.release(cx, id);
        self.telling.remove(&mut self.all, id);
        self.all.remove(id);
    }

    pub(super) fn tell(&mut self, id: Id<Incoming>) {
        self.telling.push_back(&mut self.all, id);
    }

    /// Drops what came of an author, or a room, that the inbox was not asked to keep yet.
    pub(super) fn discard_where(
        &mut self,
        cx: &mut Ctx<'_>,
        peer: PeerId,
        is: impl Fn(&Incoming) -> bool,
    ) {
        let mut at = cx.peers.get(peer).and_then(|peer| peer.author.arriving.front());
        while let Some((id, message)) = at.and_then(|id| Some((id, self.all.get(id)?))) {
            at = message.of_peer.next();
            if message.is_unfinished() && is(message) {
                self.forget_arriving(cx, id);
                self.discard(cx, id);
            }
        }
    }

    /// Asks the inbox to keep a message, behind all that it was asked to keep before, and behind the
    /// record that says whose it is.
    pub(super) fn keep(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        if let Some(message) = self.all.get(id) {
            cx.begin_record(message.peer);
        }
        if cx.store.first_failed_incoming().is_some() {
            self.keep_later(cx, id);
        } else if let Some(message) = self.all.get_mut(id) {
            message.stage = Stage::Keeping;
            message.ask = Ask::Owed;
            cx.store.owe_incoming(&mut self.all, id);
        }
    }

    /// The store failed at a message: those that it was to take after that wait as well.
    pub(super) fn keep_all_later(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        self.keep_later(cx, id);
        while let Some(next) = cx.store.withdraw_incoming(&mut self.all) {
            let Some(message) = self.all.get_mut(next) else { continue };
            message.ask = Ask::Idle;
            if message.stage == Stage::Keeping {
                message.stage = Stage::Unsaved;
            }
            cx.store.incoming_failed(&mut self.all, next);
        }
    }

    fn keep_later(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        if let Some(message) = self.all.get_mut(id) {
            message.stage = Stage::Unsaved;
            cx.store.incoming_failed(&mut self.all, id);
            cx.store.retry_later(cx.now);
        }
    }

    /// Mail that needs no word to the user, only one to the server.
    pub(super) fn keep_quietly(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        if let Some(message) = self.all.get_mut(id) {
            message.stage = Stage::Kept;
        }
        self.owe_mail_ack(cx, id);
    }

    pub(super) fn owe_mail_ack(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        let source = self.all.get(id).and_then(|message| message.link);
        let live = source.filter(|link| cx.contact(*link).is_some());
        if let Some((link, contact)) = live.and_then(|link| Some((link, cx.contact(link)?))) {
            contact.inbox.acks.push_back(&mut self.all, id);
            cx.links.wake(link);
        } else if let Some(message) = self.all.get_mut(id) {
            // The server hands it over again, and hears then that it is known.
            message.mail = None;
            if !message.came {
                self.discard(cx, id);
            }
        }
    }
}
