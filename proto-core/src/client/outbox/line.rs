//! The messages of one conversation that are in memory, in order.

use crate::{
    client::saved::Saved,
    id::{Epoch, Position},
    storage::{Id, Slab},
};

use super::{
    conversation::Conversation,
    message::{Outgoing, Stage},
};

/// A look at the messages of one conversation that are in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'s, 'a> {
    conversation: &'s Conversation,
    all: &'s Slab<'a, Outgoing>,
}

impl<'s, 'a> Line<'s, 'a> {
    pub(super) fn new(conversation: &'s Conversation, all: &'s Slab<'a, Outgoing>) -> Self {
        Self { conversation, all }
    }

    /// The messages, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = (Id<Outgoing>, &'s Outgoing)> {
        let mut at = self.conversation.messages.front();
        core::iter::from_fn(move || {
            let (id, message) = at.and_then(|id| Some((id, self.all.get(id)?)))?;
            at = message.of_peer.next();
            Some((id, message))
        })
    }

    /// The messages, the last one first.
    pub(super) fn iter_back(self) -> impl Iterator<Item = (Id<Outgoing>, &'s Outgoing)> {
        let Conversation { messages, .. } = self.conversation;
        let front = messages.front().and_then(|id| self.all.get(id));
        let mut at = front.and_then(|front| messages.last(&front.of_peer));
        core::iter::from_fn(move || {
            let (id, message) = at.and_then(|id| Some((id, self.all.get(id)?)))?;
            at = messages.before(id, &message.of_peer);
            Some((id, message))
        })
    }

    /// The first that is so far.
    pub(super) fn first_where(
        self,
        is: impl Fn(Stage) -> bool,
    ) -> Option<(Id<Outgoing>, &'s Outgoing)> {
        self.iter().find(|(_, message)| is(message.stage))
    }

    /// The first that is neither settled nor saved by the server.
    pub(super) fn first_unsaved(self) -> Option<&'s Outgoing> {
        self.first_where(Stage::is_unsaved).map(|(_, message)| message)
    }

    /// The one at `position`.
    pub(super) fn find(self, position: Position) -> Option<(Id<Outgoing>, &'s Outgoing)> {
        self.iter().find(|(_, message)| message.position == position)
    }

    /// The last one up to `position`, which is more likely near the end.
    pub(super) fn last_upto(self, position: Position) -> Option<(Id<Outgoing>, &'s Outgoing)> {
        self.iter_back().find(|(_, message)| message.position <= position)
    }

    /// The epoch that is being sent: a later one waits until its reader has, or may pass
    /// over, all of this, since a cursor in it speaks for all before. It also waits until this
    /// is `saved`: after a crash, what comes again from an epoch that was left is refused.
    pub(super) fn sent_epoch(self, saved: &Saved) -> Option<Epoch> {
        let last = self.conversation.last;
        let (_, first) = self.iter().find(|(_, message)| {
            let is_only = message.position.epoch == last.epoch;
            is_only
                || message.stage.is_unsaved()
                || message.is_being_recorded()
                || message.news.stored
        })?;
        let epoch = first.position.epoch;
        (!self.conversation.is_left(epoch) || saved.is_durable()).then_some(epoch)
    }

    /// What is next to be sent was said in an epoch before this one.
    pub(super) fn is_from_before(self, epoch: Epoch) -> bool {
        let is_old = |message: &Outgoing| message.position.epoch < epoch;
        self.iter().next().is_some_and(|(_, oldest)| is_old(oldest))
            && self.first_unsaved().is_some_and(is_old)
    }

    /// The server has said that it has messages of the conversation, which are not settled.
    pub(super) fn has_stored(self) -> bool {
        self.conversation.has_shelved()
            || self.first_where(|stage| stage == Stage::Stored).is_some()
    }

    /// A cursor settles something that is open.
    pub(super) fn is_news(self, cursor: Position) -> bool {
        let window = &self.conversation.window;
        let shelved = self.conversation.has_shelved() && window.settled.upto() < cursor;
        let first = self.first_where(Stage::is_open);
        let waiting = first.is_some_and(|(_, first)| first.position <= cursor);
        cursor != Position::default() && (shelved || waiting)
    }

    /// The last message before this one whose author still waits for a word of it: one that is
    /// settled for good, its reader is not to miss.
    pub(super) fn open_before(self, id: Id<Outgoing>, saved: &Saved) -> Position {
        let before = |id: Id<Outgoing>| {
            let message = self.all.get(id)?;
            let id = self.conversation.messages.before(id, &message.of_peer)?;
            Some((id, self.all.get(id)?))
        };
        let mut at = before(id);
        while let Some((id, earlier)) = at {
            if earlier.stage.is_open() || earlier.is_being_recorded() {
                return earlier.position;
            }
            at = before(id);
        }
        let window = &self.conversation.window;
        let is_settled = window.settled.upto() >= window.shelved && saved.is_durable();
        let is_open = self.conversation.has_shelved() && !is_settled;
        if is_open { window.shelved } else { Position::NONE }
    }

    /// How many numbers right before a message its reader must not wait for.
    pub(super) fn skip(self, id: Id<Outgoing>) -> u32 {
        let Some(message) = self.all.get(id) else { return 0 };
        let Position { epoch, number } = message.position;
        let before = |id, message: &Outgoing| {
            let id = self.conversation.messages.before(id, &message.of_peer)?;
            Some((id, self.all.get(id)?))
        };
        let mut at = before(id, message);
        while let Some((id, earlier)) = at.filter(|(_, it)| it.position.epoch == epoch) {
            let counts = match (message.stage, earlier.stage.is_given_up()) {
                (_, true) => earlier.is_undecided(),
                // What the server has already is none of its readers' concern here.
                (Stage::Submitted, false) => earlier.stage == Stage::Submitted,
                (_, false) => true,
            };
            if counts {
                let between = number.0.saturating_sub(earlier.position.number.0).saturating_sub(1);
                return between.min(u32::MAX.into()) as u32;
            }
            at = before(id, earlier);
        }
        number.0.saturating_sub(1).min(u32::MAX.into()) as u32
    }
}
