//! Submissions that are not taken: their authors are told, and nothing of them that comes
//! late counts as another try.

use crate::{
    id::{Account, Position},
    link::{Fate, Packet},
    role::Taken,
    storage::{Body, Id, List},
    wire::{Frame, Submit, SubmitRefusal, SubmitRefused},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        role::{SentFrame, ServerLink, ServerRole},
    },
    author::Author,
    entry::{Entry, Kind, Stage},
    messages::Messages,
    pair::{Pair, Refused},
    submissions::Submissions,
};

impl Author {
    /// Word of a refusal arrived or was lost.
    pub(crate) fn refusal_fate(&mut self, messages: &mut Messages<'_>, id: Id<Entry>, fate: Fate) {
        let Some(entry) = messages.get_mut(id).filter(|entry| !entry.submitted.told) else {
            return;
        };
        entry.submitted.told = fate == Fate::Acked;
        List::remove_from_either([&mut self.said, &mut self.refused], messages.rows(), id);
        // What was heard gives its memory back right after, where the pool is at hand.
        let list = if fate == Fate::Acked { &mut self.told } else { &mut self.refused };
        list.push_back(messages.rows(), id);
    }
}

impl Submissions<'_> {
    /// Refusals that their author has heard of, by word in the packet `packet`, are forgotten.
    pub(crate) fn free_refusals(&mut self, cx: &mut Ctx<'_>, link: Id<ServerLink>, packet: u64) {
        while let Some(found) = cx.links.get_mut(link) {
            let author = &mut found.role.author;
            let Some(id) = author.told.pop_front(cx.messages.rows()) else { return };
            author.heard = author.heard.max(packet);
            let pair = cx.messages.get(id).and_then(|entry| entry.submitted.pair);
            if let Some(pair) = pair.and_then(|pair| self.pairs.rows.get_mut(pair)) {
                let others =
                    pair.refused.map(|r| Refused { count: r.count.saturating_sub(1), ..r });
                pair.refused = others.filter(|refused| refused.count > 0);
            }
            self.free(cx, id);
        }
    }

    /// A submission is not taken after all. Its author is told if it is there; if not, it
    /// will send it again and be told then.
    pub(crate) fn refuse(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        id: Id<Entry>,
        reason: SubmitRefusal,
    ) {
        self.forget_taken(cx, id);
        let Some(entry) = cx.messages.get_mut(id) else { return };
        entry.stage = Stage::Refused(reason);
        let (author, position, pair) = (entry.from, entry.position, entry.submitted.pair);
        self.unlist(cx, id);
        cx.messages.free_body(&mut cx.links, &mut cx.pool, id);
        let link = accounts.link(author).filter(|link| cx.online(*link).is_some());
        self.note_refused(pair, position, link);
        self.owe_refusal(cx, accounts, id, author);
    }

    /// A submission could not be saved. It is refused, unless that might be untrue: then its
    /// author, told nothing, sends it again.
    pub(crate) fn failed(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Entry>) {
        if cx.messages.get(id).is_some_and(|entry| entry.submitted.ventured) {
            self.forget_taken(cx, id);
            self.free(cx, id);
        } else {
            self.refuse(cx, accounts, id, SubmitRefusal::Store);
        }
    }

    /// A submission that is refused before any of it is kept.
    pub(crate) fn refuse_new(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        link: Id<ServerLink>,
        pair: Option<Id<Pair>>,
        submit: &Submit<'_>,
        reason: SubmitRefusal,
    ) -> Taken {
        let Some(author) = cx.online(link) else { return Taken::NoRoom };
        let position = Position::new(submit.epoch, submit.number);
        let refused = cx.links.get(link).map(|link| link.role.author.refused);
        let last = refused.and_then(|refused| refused.back(cx.messages.rows()));
        let told = last.and_then(|id| cx.messages.get(id));
        if told.is_some_and(|entry| (entry.to, entry.position) == (submit.to, position)) {
            // Its first piece may come behind others.
            return_credit(cx, link, submit);
            return Taken::Done;
        }
        let (of, stage) = ((author, position), Stage::Refused(reason));
        let kind = Kind::of(submit.to);
        let mut entry = Entry::new(of, submit.to, cx.unix(), Body::EMPTY, kind, stage);
        entry.submitted.pair = pair;
        let Some(id) = cx.messages.insert(entry) else { return Taken::NoRoom };
        if let Some(pair) = pair {
            self.pairs.begin_use(pair);
        }
        self.note_refused(pair, position, Some(link));
        return_credit(cx, link, submit);
        self.owe_refusal(cx, accounts, id, author);
        Taken::Done
    }

    /// A submission could not be saved: it and those after it of the same pair count as not
    /// taken in, or they would get ahead of it. Their author sends them again.
    fn forget_taken(&mut self, cx: &mut Ctx<'_>, id: Id<Entry>) {
        let Some(entry) = cx.messages.get(id) else { return };
        let (position, Some(pair_id)) = (entry.position, entry.submitted.pair) else { return };
        let Some(pair) = self.pairs.rows.get_mut(pair_id) else { return };
        if pair.taken.epoch == position.epoch && pair.taken.number >= position.number {
            pair.taken.number.0 = position.number.0.saturating_sub(1);
        }
        let mut at = pair.entries.front();
        while let Some(later) = at {
            let Some(entry) = cx.messages.get(later) else { return };
            at = entry.of_pair.next();
            if entry.position > position && !entry.is_queued() {
                self.free(cx, later);
            }
        }
    }

    /// Until its author has heard of it, no late piece of a refused submission is taken for
    /// another try.
    fn note_refused(
        &mut self,
        pair: Option<Id<Pair>>,
        position: Position,
        link: Option<Id<ServerLink>>,
    ) {
        let Some(pair) = pair.and_then(|pair| self.pairs.rows.get_mut(pair)) else { return };
        let before = pair.refused.filter(|refused| Some(refused.by) == link);
        pair.refused = link.map(|by| Refused {
            upto: before.map_or(position, |refused| refused.upto.max(position)),
            by,
            count: before.map_or(0, |refused| refused.count).saturating_add(1),
        });
    }

    fn owe_refusal(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        id: Id<Entry>,
        author: Account,
    ) {
        let link = accounts.link(author);
        match link.and_then(|id| Some((id, cx.links.get_mut(id)?))) {
            Some((link, found)) if found.role.seat.online().is_some() => {
                found.role.author.refused.push_back(cx.messages.rows(), id);
                cx.links.wake(link);
            }
            _ => self.free(cx, id),
        }
    }
}

/// Nothing of a submission is kept: the credit it was sent on is free again.
pub(crate) fn return_credit(cx: &mut Ctx<'_>, link: Id<ServerLink>, submit: &Submit<'_>) {
    if let Some(found) = cx.links.get_mut(link).filter(|_| submit.offset == 0) {
        found.credit.release(submit.total.into());
        cx.links.wake(link);
    }
}

/// Tells an author what is not taken.
pub(crate) fn write_refusals(
    cx: &mut Ctx<'_>,
    link: Id<ServerLink>,
    packet: &mut Packet<'_, ServerRole>,
) {
    while let Some(found) = cx.links.get_mut(link) {
        let author = &mut found.role.author;
        let Some(id) = author.refused.front() else { return };
        if let Some(Entry { to, position, stage: Stage::Refused(reason), .. }) = cx.messages.get(id)
        {
            let refused = SubmitRefused {
                to: *to,
                epoch: position.epoch,
                number: position.number,
                reason: *reason,
            };
            if !packet.push(&Frame::SubmitRefused(refused), SentFrame::Refusal(id)) {
                return;
            }
        }
        author.refused.pop_front(cx.messages.rows());
        author.said.push_back(cx.messages.rows(), id);
    }
}
