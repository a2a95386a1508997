//! Deposits that are not taken: their authors are told, and nothing of them that comes
//! late counts as another try.

use crate::{
    id::{Account, Position},
    link::Packet,
    storage::{Body, Id},
    wire::{Deposit, EntryRefusal, EntryRefused, Frame},
};

use super::{
    ServerLink,
    engine::{Engine, FrameOutcome},
    entry::{Entry, Pair, Refused, Stage},
    member::{ServerRole, Token},
};

impl Engine<'_> {
    /// Refusals that their author has heard of, by word in the packet `packet`, are forgotten.
    pub(super) fn free_refusals(&mut self, link: Id<ServerLink>, packet: u64) {
        while let Some(found) = self.links.get_mut(link) {
            let Some(id) = found.role.told.pop_front(&mut self.entries) else { return };
            found.role.heard = found.role.heard.max(packet);
            let pair = self.entries.get(id).and_then(|entry| entry.pair);
            if let Some(pair) = pair.and_then(|pair| self.pairs.get_mut(pair)) {
                let others =
                    pair.refused.map(|r| Refused { count: r.count.saturating_sub(1), ..r });
                pair.refused = others.filter(|refused| refused.count > 0);
            }
            self.free_entry(id);
        }
    }

    pub(super) fn write_refusals(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        while let Some(found) = self.links.get_mut(link) {
            let list = &mut found.role.refused;
            let Some(id) = list.front() else { return };
            if let Some(Entry { to, position, stage: Stage::Refused(reason), .. }) =
                self.entries.get(id)
            {
                let refused = EntryRefused {
                    to: *to,
                    epoch: position.epoch,
                    number: position.number,
                    reason: *reason,
                };
                if !packet.push(&Frame::EntryRefused(refused), Token::Refusal(id)) {
                    return;
                }
            }
            list.pop_front(&mut self.entries);
            found.role.said.push_back(&mut self.entries, id);
        }
    }

    /// An entry is not taken after all. Its author is told if it is there; if not, it
    /// will send the entry again and be told then.
    pub(super) fn refuse(&mut self, id: Id<Entry>, reason: EntryRefusal) {
        self.forget_taken(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.stage = Stage::Refused(reason);
        let (author, position, pair) = (entry.from, entry.position, entry.pair);
        self.unlist(id);
        self.free_body(id);
        let link = self.accounts.get(author).and_then(|row| row.link);
        let link = link.filter(|link| self.author(*link).is_some());
        self.note_refused(pair, position, link);
        self.owe_refusal(id, author);
    }

    /// An entry could not be saved: it and those after it of the same pair count as not
    /// taken in, or they would get ahead of it. Their author sends them again.
    pub(super) fn forget_taken(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get(id) else { return };
        let (position, Some(pair_id)) = (entry.position, entry.pair) else { return };
        let Some(pair) = self.pairs.get_mut(pair_id) else { return };
        if pair.taken.epoch == position.epoch && pair.taken.number >= position.number {
            pair.taken.number.0 = position.number.0.saturating_sub(1);
        }
        let mut at = pair.entries.front();
        while let Some(later) = at {
            let Some(entry) = self.entries.get(later) else { return };
            at = entry.of_pair.next();
            if entry.position > position && !entry.queued.is_linked() {
                self.free_entry(later);
            }
        }
    }

    /// Until its author has heard of it, no late piece of a refused deposit is taken for
    /// another try.
    fn note_refused(
        &mut self,
        pair: Option<Id<Pair>>,
        position: Position,
        link: Option<Id<ServerLink>>,
    ) {
        let Some(pair) = pair.and_then(|pair| self.pairs.get_mut(pair)) else { return };
        let before = pair.refused.filter(|refused| Some(refused.by) == link);
        pair.refused = link.map(|by| Refused {
            upto: before.map_or(position, |refused| refused.upto.max(position)),
            by,
            count: before.map_or(0, |refused| refused.count).saturating_add(1),
        });
    }

    /// A deposit that is refused before any of it is kept.
    pub(super) fn refuse_of(
        &mut self,
        link: Id<ServerLink>,
        pair: Option<Id<Pair>>,
        deposit: &Deposit<'_>,
        reason: EntryRefusal,
    ) -> FrameOutcome {
        let Some(author) = self.author(link) else { return FrameOutcome::NoRoom };
        let position = Position::new(deposit.epoch, deposit.number);
        let refused = self.links.get(link).map(|link| link.role.refused);
        let last = refused.and_then(|refused| refused.back(&mut self.entries));
        let told = last.and_then(|id| self.entries.get(id));
        if told.is_some_and(|entry| (entry.to, entry.position) == (deposit.to, position)) {
            // Its first piece may come behind others.
            self.return_credit(link, deposit);
            return FrameOutcome::Done;
        }
        let stage = Stage::Refused(reason);
        let entry = Entry { pair, ..Entry::new(author, deposit.to, position, Body::EMPTY, stage) };
        let Ok(id) = self.entries.insert(entry) else { return FrameOutcome::NoRoom };
        if let Some((id, pair)) = pair.and_then(|id| Some((id, self.pairs.get_mut(id)?))) {
            pair.uses += 1;
            self.state.unused.remove(&mut self.pairs, id);
        }
        self.note_refused(pair, position, Some(link));
        self.return_credit(link, deposit);
        self.owe_refusal(id, author);
        FrameOutcome::Done
    }

    /// Nothing of a deposit is kept: the credit it was sent on is free again.
    pub(super) fn return_credit(&mut self, link: Id<ServerLink>, deposit: &Deposit<'_>) {
        if let Some(found) = self.links.get_mut(link).filter(|_| deposit.offset == 0) {
            found.credit.pass(deposit.total.into());
            self.links.wake(link);
        }
    }

    fn owe_refusal(&mut self, id: Id<Entry>, author: Account) {
        let link = self.accounts.get(author).and_then(|row| row.link);
        match link.and_then(|link| self.links.get_mut(link)) {
            Some(found) if found.role.registration.online().is_some() => {
                found.role.refused.push_back(&mut self.entries, id);
                if let Some(link) = link {
                    self.links.wake(link);
                }
            }
            _ => self.free_entry(id),
        }
    }
}
