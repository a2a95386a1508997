//! Readers that are not outrun: a line that would push another out of a room's log waits
//! until every member that is online, and reads, has read that one. So its author's submissions
//! pile up, and its client slows down.

use core::time::Duration;

use crate::{id::Recipient, storage::Id, time::Instant, wire::SubmitRefusal};

use super::{
    super::{
        accounts::Accounts,
        config::Config,
        ctx::Ctx,
        submit::{Entry, Pair, Submissions},
    },
    member::Member,
    row::RoomRow,
    state::Rooms,
    table::Table,
};

/// The longest pause between two looks at whom a room waits for. With each, the authors that
/// wait are told so, or they would send their submissions again.
const LOOK: Duration = Duration::from_secs(2);

/// The shortest.
const LEAST: Duration = Duration::from_millis(50);

impl Table<'_> {
    /// A member that is online is waited for from now on.
    pub(super) fn wait_for(&mut self, cx: &Ctx<'_>, id: Id<Member>) {
        let (wait, kept) = (cx.config.reader_wait, cx.config.room.entries);
        let Some(member) = self.members.get_mut(id).filter(|_| !wait.is_zero()) else { return };
        member.got_on = cx.now;
        let Some(row) = self.slab.get_mut(member.room) else { return };
        let at = member.has_read(row.first);
        row.readers.wait_for(&mut self.members, id, at, kept);
    }

    /// A member is not waited for any more.
    pub(super) fn wait_no_more(&mut self, id: Id<Member>) {
        let Some(member) = self.members.get(id).filter(|m| m.reading.is_linked()) else { return };
        if let Some(row) = self.slab.get_mut(member.room) {
            row.readers.wait_no_more(&mut self.members, id);
        }
    }

    /// Up to where a room's first lines may go: `upto`, if nobody is outrun.
    pub(super) fn may_go(&mut self, cx: &Ctx<'_>, room: Id<RoomRow>, upto: u64) -> u64 {
        let Some(row) = self.slab.get_mut(room) else { return upto };
        let range = (row.first, row.head);
        row.readers.may_go(&mut self.members, range, upto, cx.config.room.entries)
    }
}

impl Rooms<'_> {
    /// A member has read some more of a room's log.
    pub(super) fn got_on(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        id: Id<Member>,
    ) {
        let Some(member) = self.table.members.get_mut(id) else { return };
        member.got_on = cx.now;
        let room = member.room;
        if !member.reading.is_linked() {
            self.table.wait_for(cx, id);
        }
        self.go_on(cx, accounts, submissions, room);
    }

    /// Whether a submission must wait, since one more line in its room would outrun a reader;
    /// its author takes its turn then.
    pub(crate) fn holds_back(
        &mut self,
        cx: &mut Ctx<'_>,
        submissions: &mut Submissions<'_>,
        pair: Id<Pair>,
        next: Id<Entry>,
    ) -> bool {
        let Some(room) = self.room_of(submissions, pair) else { return false };
        self.let_go(cx, submissions, room);
        let waits = self.table.get(room).is_some_and(|row| !row.readers.held.is_empty());
        if !waits && self.has_place_for(cx, room, next) {
            return false;
        }
        if let Some(row) = self.table.get_mut(room) {
            submissions.pairs.hold(&mut row.readers.held, pair);
            row.readers.look.get_or_insert(cx.now + pause(cx.config));
            self.waiting.push_back(&mut self.table.slab, room);
        }
        true
    }

    /// A room's readers or its log got on: what is beyond what is kept goes, and what waits is
    /// taken in, a line of each author in turn, as far as no reader is outrun.
    pub(super) fn go_on(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        room: Id<RoomRow>,
    ) {
        self.trim(cx, room);
        while let Some(pair) = self.table.get(room).and_then(|row| row.readers.held.front()) {
            let next = submissions.next_of(cx, pair);
            if next.is_some_and(|next| !self.has_place_for(cx, room, next)) {
                return;
            }
            let Some(row) = self.table.get_mut(room) else { return };
            submissions.pairs.release(cx, &mut row.readers.held, pair);
            let (number, Some(next)) = (row.number, next) else { continue };
            let author = submissions.pairs.get(pair).map(Pair::author);
            if author.is_some_and(|author| self.table.may_say(author, number)) {
                if submissions.comes_early(cx, accounts, pair, next) {
                    continue;
                }
                submissions.take(cx, pair, next);
                self.append(cx, accounts, submissions, next);
            } else {
                submissions.refuse(cx, accounts, next, SubmitRefusal::NotMember);
            }
            if submissions.next_of(cx, pair).is_some()
                && let Some(row) = self.table.get_mut(room)
            {
                submissions.pairs.hold(&mut row.readers.held, pair);
            }
        }
    }

    /// Whether submissions for a recipient wait for readers.
    pub(crate) fn is_waited_in(
        &mut self,
        cx: &mut Ctx<'_>,
        submissions: &mut Submissions<'_>,
        to: Recipient,
    ) -> bool {
        let Recipient::Room(room) = to else { return false };
        let Some(room) = self.table.by_number(room) else { return false };
        self.let_go(cx, submissions, room);
        self.table.get(room).is_some_and(|row| !row.readers.held.is_empty())
    }

    /// The earliest look at a room that waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let first = self.waiting.front();
        first.and_then(|room| self.table.get(room)).and_then(|row| row.readers.look)
    }

    /// Looks at whom rooms wait for, where it is time.
    pub(crate) fn timeout(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
    ) {
        while self.deadline().is_some_and(|at| at <= cx.now)
            && let Some(room) = self.waiting.pop_front(&mut self.table.slab)
        {
            self.give_up_idle(cx, accounts, submissions, room);
            let Some(row) = self.table.get_mut(room) else { continue };
            row.readers.look = None;
            if row.readers.held.is_empty() {
                continue;
            }
            row.readers.look = Some(cx.now + pause(cx.config));
            let mut at = row.readers.held.front();
            self.waiting.push_back(&mut self.table.slab, room);
            while let Some(pair) = at {
                at = submissions.pairs.held_after(pair);
                submissions.owe_progress(cx, accounts, pair);
            }
        }
    }

    fn has_place_for(&mut self, cx: &mut Ctx<'_>, room: Id<RoomRow>, next: Id<Entry>) -> bool {
        let length = cx.messages.get(next).map(|entry| entry.body().len());
        length.is_none_or(|length| self.has_place(cx, room, length as u64))
    }

    /// Who is behind and has not moved for too long is not waited for any more.
    fn give_up_idle(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        room: Id<RoomRow>,
    ) {
        loop {
            self.go_on(cx, accounts, submissions, room);
            let Some(row) = self.table.get(room).filter(|row| !row.readers.held.is_empty()) else {
                return;
            };
            let Some(id) = row.readers.behind.front() else { return };
            let reader = self.table.members.get(id);
            if reader.is_none_or(|reader| cx.now.since(reader.got_on) < cx.config.reader_wait) {
                return;
            }
            self.table.wait_no_more(id);
        }
    }

    /// Authors at the front of those that wait, of whom nothing is there any more, wait no longer.
    fn let_go(&mut self, cx: &mut Ctx<'_>, submissions: &mut Submissions<'_>, room: Id<RoomRow>) {
        let Some(row) = self.table.get_mut(room) else { return };
        while let Some(pair) = row.readers.held.front()
            && submissions.pairs.is_held_in_vain(pair)
        {
            submissions.pairs.release(cx, &mut row.readers.held, pair);
        }
    }

    fn room_of(&self, submissions: &Submissions<'_>, pair: Id<Pair>) -> Option<Id<RoomRow>> {
        match submissions.pairs.get(pair)?.recipient() {
            Recipient::Room(room) => self.table.by_number(room),
            Recipient::Account(_) => None,
        }
    }
}

/// How long until it is looked again at whom a room waits for.
fn pause(config: &Config) -> Duration {
    (config.reader_wait / 4).clamp(LEAST, LOOK)
}
