//! Submissions that are not taken: their authors are told, and nothing of them that comes
//! late counts as another try.

use crate::{
    id::Position,
    link::Packet,
    role::FrameOutcome,
    storage::Id,
    wire::{Frame, Submit, SubmitRefusal, SubmitRefused},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        role::{SentFrame, ServerLink, ServerRole},
    },
    entry::{Entry, Stage},
    submissions::Submissions,
};

impl Submissions<'_> {
    /// A submission is not taken after all. Its author is told if it is there and has heard of most
    /// refusals before; if not, it will send it again and be told then.
    pub(crate) fn refuse(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        id: Id<Entry>,
        reason: SubmitRefusal,
    ) {
        self.forget_taken(cx, id);
        let Some(entry) = cx.messages.get_mut(id) else { return };
        entry.stage = Stage::Refused;
        let (author, to, position) = (entry.from, entry.to, entry.position);
        self.free(cx, id);
        let Some(link) = accounts.link(author).filter(|link| cx.online(*link).is_some()) else {
            return;
        };
        let Some(session) = cx.session(link) else { return };
        if session.author.refuse(to, position, reason, true) {
            cx.links.wake(link);
        }
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
}

/// A submission is refused before any of it is kept. If it is one of an open pair, it `bars` late
/// pieces.
pub(crate) fn refuse_new(
    cx: &mut Ctx<'_>,
    link: Id<ServerLink>,
    submit: &Submit<'_>,
    reason: SubmitRefusal,
    bars: bool,
) -> FrameOutcome {
    let position = Position::new(submit.epoch, submit.number);
    let Some(session) = cx.session(link) else { return FrameOutcome::NoRoom };
    if !session.author.refuse(submit.to, position, reason, bars) {
        return FrameOutcome::NoRoom;
    }
    return_credit(cx, link, submit);
    cx.links.wake(link);
    FrameOutcome::Done
}

/// Nothing of a submission is kept: the credit it was sent on is free again.
pub(crate) fn return_credit(cx: &mut Ctx<'_>, link: Id<ServerLink>, submit: &Submit<'_>) {
    if let Some(found) = cx.links.get_mut(link).filter(|_| submit.offset == 0) {
        found.credit.pass(submit.total.into());
        cx.links.wake(link);
    }
}

/// Tells an author what is not taken.
pub(crate) fn write_refusals(
    cx: &mut Ctx<'_>,
    link: Id<ServerLink>,
    packet: &mut Packet<'_, ServerRole>,
) {
    while let Some(session) = cx.session(link) {
        let author = &mut session.author;
        let Some((refusal, serial)) = author.next_refusal() else { return };
        let refused = SubmitRefused {
            to: refusal.to,
            epoch: refusal.position.epoch,
            number: refusal.position.number,
            reason: refusal.reason,
        };
        if !packet.push(&Frame::SubmitRefused(refused), SentFrame::Refusal(serial)) {
            return;
        }
        author.refusal_sent();
    }
}
