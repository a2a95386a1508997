//! What the user said and what is not known of it yet.

use std::collections::{HashMap, HashSet};

use proto_core::{
    client::{MessageId, To, Verdict},
    id::{MAX_NAME, Nick},
    time::Instant,
};

use crate::{
    command::Origin,
    notice::{Notice, Outcome},
    safe_text::SafeText,
};

use super::{Await, Moment, display::Display};

/// Columns of a message that its receipts repeat.
const EXCERPT: usize = 40;

/// A nick in lower case: two spellings are one.
type Folded = [u8; MAX_NAME];

/// The messages of this run without a last word, and what the user was told of the ways they go.
#[derive(Debug, Default)]
pub(super) struct Sent {
    messages: HashMap<MessageId, Message>,
    /// Who was said to be out of direct reach, and to be relayed to; until something about
    /// that changes.
    told_unreachable: HashSet<Folded>,
    told_relayed: HashSet<Folded>,
}

#[derive(Debug)]
struct Message {
    to: To,
    text: SafeText,
    /// The line of a script that it is from.
    origin: Option<Origin>,
    /// It is in the outbox, durably.
    kept: bool,
    /// When it went to the server, if that has not answered yet.
    submitted: Option<Instant>,
    stored: bool,
}

impl Message {
    fn is_open(&self, wait: Await) -> bool {
        match wait {
            Await::Stored => !self.stored,
            Await::Delivered => true,
        }
    }
}

impl Sent {
    /// The client took a message.
    pub(super) fn said(
        &mut self,
        (id, to): (MessageId, To),
        text: &str,
        origin: Option<Origin>,
        now: Instant,
    ) {
        let text = SafeText::new(text.as_bytes()).excerpt(EXCERPT);
        // What is said in a room needs the server at once.
        let submitted = to.is_room().then_some(now);
        let message = Message { to, text, origin, kept: false, submitted, stored: false };
        self.messages.insert(id, message);
    }

    /// It is in the outbox.
    pub(super) fn kept(
        &mut self,
        (display, at): (&mut Display, Moment),
        (id, to): (MessageId, To),
    ) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.kept = true;
        }
        display.show(at, Notice::Kept { id, to });
    }

    /// What became of it is known, and is told. Whether it was refused or given up.
    pub(super) fn judged(
        &mut self,
        (display, at): (&mut Display, Moment),
        (id, to): (MessageId, To),
        verdict: Verdict,
    ) -> bool {
        let outcome = Outcome::from(verdict);
        let has_failed = !matches!(outcome, Outcome::Delivered | Outcome::Stored);
        let (text, origin) = self.verdict(id, verdict).unzip();
        let (text, origin) = (text.as_ref(), origin.as_ref().and_then(Option::as_ref));
        let notice = Notice::Outcome { id, to, text, origin, outcome };
        if let Some(origin) = origin.filter(|_| has_failed) {
            display.report(at, origin, &notice);
        }
        display.show(at, notice);
        has_failed
    }

    /// It goes to the server.
    pub(super) fn submitted(&mut self, id: &MessageId, now: Instant) {
        if let Some(message) = self.messages.get_mut(id) {
            message.submitted = Some(now);
        }
    }

    /// The beginning of what was said and the line of the script that it is from, if it was said in
    /// this run.
    fn verdict(&mut self, id: MessageId, verdict: Verdict) -> Option<(SafeText, Option<Origin>)> {
        let message = self.messages.remove(&id)?;
        let said = (message.text.clone(), message.origin.clone());
        if let (Verdict::Delivered, To::Peer(to)) = (verdict, message.to)
            && message.submitted.is_none()
            && !message.stored
        {
            self.way_changed(&to);
        }
        if verdict == Verdict::Stored && !message.to.is_room() {
            // Another verdict follows.
            self.messages.insert(id, Message { submitted: None, stored: true, ..message });
        }
        Some(said)
    }

    /// Whether the user was not told yet that someone is out of direct reach.
    pub(super) fn is_first_unreachable(&mut self, to: &Nick) -> bool {
        self.told_unreachable.insert(to.folded())
    }

    /// Whether the user was not told yet that the server relays to someone.
    pub(super) fn is_first_relayed(&mut self, to: &Nick) -> bool {
        self.told_relayed.insert(to.folded())
    }

    /// How messages get to someone may be another way than it was.
    pub(super) fn way_changed(&mut self, to: &Nick) {
        self.told_unreachable.remove(&to.folded());
        self.told_relayed.remove(&to.folded());
    }

    /// So it may for everyone.
    pub(super) fn all_ways_changed(&mut self) {
        self.told_unreachable.clear();
        self.told_relayed.clear();
    }

    /// Whether some of it has not the verdict that is waited for.
    pub(super) fn is_open(&self, wait: Await) -> bool {
        self.messages.values().any(|message| message.is_open(wait))
    }

    /// When the first line was read that has not the verdict that is waited for.
    pub(super) fn open_since(&self, wait: Await) -> Option<Instant> {
        let open = self.messages.values().filter(|message| message.is_open(wait));
        open.filter_map(|message| Some(message.origin.as_ref()?.read)).min()
    }

    /// Whether something said to `to` has no last word.
    pub(super) fn is_open_to(&self, to: &To) -> bool {
        self.messages.values().any(|message| message.to == *to)
    }

    /// How many are not durable in the outbox.
    pub(super) fn unkept(&self) -> usize {
        self.messages.values().filter(|message| !message.kept).count()
    }

    /// Since when the server owes an answer to one of them.
    pub(super) fn unanswered_since(&self) -> Option<Instant> {
        self.messages.values().filter_map(|message| message.submitted).min()
    }
}
