//! What becomes of a submission: taken in its author's order, it goes into a mailbox or a room. Mail
//! is relayed at once to a recipient that is online, and saved when that brings no receipt in
//! time.

use crate::{
    host::{Request, Ticket},
    id::{Account, Position, Recipient},
    link::Piece,
    record::BODY_HEADER,
    role::{FrameOutcome, overrun},
    session::MAIL_OVERHEAD,
    storage::Id,
    violation::Violation,
    wire::{Submit, SubmitRefusal},
};

use super::{
    accounts::Accounts,
    ctx::Ctx,
    mailboxes::{self, Mail, Mailboxes},
    role::ServerLink,
    rooms::{Line, Rooms},
    roster::Roster,
    store::Asker,
    submit::{self, Entry, Kind, Known, Pair, Stage, Submissions},
};

/// The components that a submission goes through.
pub(super) struct Router<'r, 'a> {
    pub(super) cx: &'r mut Ctx<'a>,
    pub(super) accounts: &'r mut Accounts<'a>,
    pub(super) roster: &'r mut Roster<'a>,
    pub(super) submissions: &'r mut Submissions<'a>,
    pub(super) mailboxes: &'r mut Mailboxes<'a>,
    pub(super) rooms: &'r mut Rooms<'a>,
}

impl Router<'_, '_> {
    /// A piece of a submission, in the packet `packet` of its link.
    pub(super) fn submit(
        &mut self,
        link: Id<ServerLink>,
        packet: u64,
        submit: &Submit<'_>,
    ) -> FrameOutcome {
        let Some(author) = self.cx.online(link) else { return FrameOutcome::NoRoom };
        let position = Position::new(submit.epoch, submit.number);
        let least = match submit.to {
            Recipient::Account(_) => MAIL_OVERHEAD + BODY_HEADER,
            Recipient::Room(_) => BODY_HEADER,
        };
        let bounds = least + 1..=self.cx.longest_body();
        let piece = Piece::new(submit.total, submit.offset, submit.piece);
        let piece = piece.filter(|piece| bounds.contains(&piece.total()) && position.is_sound());
        let Some(piece) = piece else {
            return FrameOutcome::Broken(Violation::BadPiece);
        };
        if let Err(reason) = self.may_submit(author, submit, piece.total() - least) {
            return submit::refuse_new(self.cx, link, submit, reason, false);
        }
        let pair = self.submissions.pairs.open(self.cx, author, submit.to);
        let Some(pair) = pair else { return FrameOutcome::NoRoom };
        let known = self.submissions.know(self.cx, link, packet, pair, position);
        match known {
            Known::Superseded => {
                return submit::refuse_new(self.cx, link, submit, SubmitRefusal::Superseded, false);
            }
            Known::Taken => {
                submit::return_credit(self.cx, link, submit);
                self.submissions.owe_progress(self.cx, self.accounts, pair);
                return FrameOutcome::Done;
            }
            Known::Late => {
                submit::return_credit(self.cx, link, submit);
                return FrameOutcome::Done;
            }
            Known::New | Known::InMemory(..) => {}
        }
        if let Recipient::Room(room) = submit.to
            && !self.rooms.table.may_say(author, room)
        {
            // What the log has already, or may have, is not refused when it comes again.
            return match known {
                _ if !self.submissions.pairs.is_loaded(pair) => FrameOutcome::NoRoom,
                Known::InMemory(id, Stage::Arriving | Stage::Waiting) => {
                    self.submissions.refuse(self.cx, self.accounts, id, SubmitRefusal::NotMember);
                    FrameOutcome::Done
                }
                Known::InMemory(..) => {
                    submit::return_credit(self.cx, link, submit);
                    FrameOutcome::Done
                }
                _ => submit::refuse_new(self.cx, link, submit, SubmitRefusal::NotMember, true),
            };
        }
        let begins = match known {
            Known::InMemory(id, Stage::Arriving) => !submit::came_by(self.cx, id, link),
            Known::InMemory(..) => false,
            _ => true,
        };
        let credit = self.cx.links.get(link).map(|link| &link.credit).filter(|_| begins);
        if let Some(refused) = credit.and_then(|credit| overrun(credit, piece.total())) {
            return refused;
        }
        let id = match known {
            Known::InMemory(id, stage) => {
                if stage != Stage::Arriving {
                    submit::return_credit(self.cx, link, submit);
                }
                id
            }
            _ => match self.add(link, pair, submit) {
                Some(id) => id,
                None => return FrameOutcome::NoRoom,
            },
        };
        if let Some(found) = self.cx.links.get_mut(link).filter(|_| begins) {
            found.credit.begin(piece.total());
        }
        if !submit::put(self.cx, link, id, submit.skip, &piece, begins) {
            return FrameOutcome::Broken(Violation::MixedPieces);
        }
        self.take_next(pair);
        if self.submissions.pairs.get(pair).is_some_and(Pair::is_held) {
            self.submissions.ease(self.cx, pair);
        }
        FrameOutcome::Done
    }

    /// An author asks how its submissions are doing.
    pub(super) fn query_status(&mut self, link: Id<ServerLink>, to: Recipient) -> FrameOutcome {
        let Some(author) = self.cx.online(link) else { return FrameOutcome::NoRoom };
        let is_there = match to {
            Recipient::Account(to) => self.accounts.is_there(to),
            // How far an author is in a room outlives it.
            Recipient::Room(room) => self.rooms.table.was_given(room),
        };
        if is_there {
            let pair = self.submissions.pairs.open(self.cx, author, to);
            let Some(pair) = pair else { return FrameOutcome::NoRoom };
            self.submissions.owe_progress(self.cx, self.accounts, pair);
        }
        FrameOutcome::Done
    }

    /// Takes in what is next of a pair, as far as it arrived.
    pub(super) fn take_next(&mut self, pair: Id<Pair>) {
        while let Some(next) = self.submissions.next_of(self.cx, pair) {
            if self.submissions.comes_early(self.cx, self.accounts, pair, next)
                || self.rooms.holds_back(self.cx, self.submissions, pair, next)
            {
                return;
            }
            if self.has_left(next) {
                self.submissions.refuse(self.cx, self.accounts, next, SubmitRefusal::NotMember);
                continue;
            }
            self.submissions.take(self.cx, pair, next);
            self.route(next);
        }
    }

    /// The time of a message in memory is over.
    pub(super) fn timeout(&mut self, id: Id<Entry>) {
        let Some(entry) = self.cx.messages.get(id) else { return };
        let (stage, pair) = (entry.stage(), entry.pair());
        match stage {
            Stage::Relaying => {
                // A mailbox is read in its order: what its author said before goes ahead of it.
                let first = |router: &Self| router.submissions.first_relayed(router.cx, pair?);
                while let Some(before) = first(self).filter(|first| *first != id) {
                    self.mailboxes.store(self.cx, self.accounts, before);
                }
                self.mailboxes.store(self.cx, self.accounts, id);
            }
            Stage::Storing => {
                // The store may yet do what it was asked.
                self.submissions.venture(self.cx, id);
                self.stored(id, false);
            }
            Stage::Waiting => self.wait_on(pair, id),
            Stage::Arriving => self.submissions.free(self.cx, id),
            Stage::Stored | Stage::Delivered | Stage::Refused => {}
        }
    }

    /// A submission that is whole has waited: it waits on while those before it do for a good
    /// reason, and is taken in if it came too early and does so no longer.
    fn wait_on(&mut self, pair: Option<Id<Pair>>, id: Id<Entry>) {
        let row = pair.and_then(|pair| Some((pair, self.submissions.pairs.get(pair)?)));
        let waits = row.is_some_and(|(_, row)| row.is_held() || row.is_early());
        let Some((pair, row)) = row.filter(|_| waits) else {
            return self.submissions.free(self.cx, id);
        };
        submit::wait(self.cx, id);
        if row.is_early() {
            self.submissions.look_again(pair);
            self.take_next(pair);
            self.submissions.owe_progress(self.cx, self.accounts, pair);
        }
    }

    /// The next request to save a message, or what goes ahead of it.
    pub(super) fn request(&mut self, id: Id<Entry>) -> Option<Request> {
        let ahead = self.rooms.request_ahead(self.cx, id);
        if ahead.is_some() {
            return ahead;
        }
        self.cx.requests.settle(self.cx.messages.rows(), id);
        let ticket = self.cx.ticket(Asker::Message, id.slot());
        let entry = self.cx.messages.get_mut(id)?;
        entry.asked(ticket);
        match entry.to() {
            Recipient::Account(_) => mailboxes::request_store(self.cx, ticket, id),
            Recipient::Room(_) => self.rooms.request_append(self.cx, ticket, id),
        }
    }

    /// The store's answer for a message.
    pub(super) fn answered(&mut self, ticket: Ticket, stored: bool) {
        let Some(id) = self.cx.messages.at(ticket.slot) else { return };
        if self.cx.messages.get_mut(id).is_some_and(|entry| entry.answered(ticket)) {
            self.stored(id, stored);
        }
    }

    /// The store has a message, or could not take it.
    fn stored(&mut self, id: Id<Entry>, stored: bool) {
        let Self { cx, accounts, submissions, rooms, .. } = self;
        match cx.messages.get(id).map(Entry::to) {
            Some(Recipient::Account(_)) => mailboxes::stored(cx, accounts, submissions, id, stored),
            Some(Recipient::Room(_)) => rooms.appended(cx, accounts, submissions, id, stored),
            None => {}
        }
    }

    /// Relays, saves or appends a message that was just taken in.
    fn route(&mut self, id: Id<Entry>) {
        let Some(entry) = self.cx.messages.get(id) else { return };
        let (length, to) = (entry.body().len(), entry.to());
        let Recipient::Account(to) = to else {
            return self.rooms.append(self.cx, self.accounts, self.submissions, id);
        };
        if !self.accounts.takes_mail(to) {
            self.submissions.refuse(self.cx, self.accounts, id, SubmitRefusal::NoRecipient);
            return;
        }
        match mailboxes::open(self.cx, self.accounts, to, length) {
            Some(link) => {
                self.mailboxes.relay(self.cx, self.accounts, id, link);
                self.submissions.relayed(self.cx, self.accounts, id);
                // The author learns where the recipient is now.
                self.roster.push_now(self.cx);
            }
            None => self.mailboxes.store(self.cx, self.accounts, id),
        }
    }

    /// Its author has left its room while it waited.
    fn has_left(&self, id: Id<Entry>) -> bool {
        let Some(entry) = self.cx.messages.get(id) else { return false };
        match entry.to() {
            Recipient::Room(room) => !self.rooms.table.may_say(entry.from(), room),
            Recipient::Account(_) => false,
        }
    }

    /// Makes room for a submission of which a piece came.
    fn add(
        &mut self,
        link: Id<ServerLink>,
        pair: Id<Pair>,
        submit: &Submit<'_>,
    ) -> Option<Id<Entry>> {
        let author = self.submissions.pairs.get(pair)?.author();
        let nick = self.accounts.nick(author)?;
        let kind = match submit.to {
            Recipient::Account(_) => {
                let by = (nick, self.accounts.key_of(author)?);
                Kind::Mail(Mail::sealed(by, submit.key))
            }
            Recipient::Room(_) => Kind::Line(Line::by(nick)),
        };
        let is_early = self.submissions.pairs.get(pair).is_some_and(Pair::is_early);
        let waits = is_early || self.rooms.is_waited_in(self.cx, self.submissions, submit.to);
        self.submissions.add(self.cx, (link, pair), submit, kind, waits)
    }

    fn may_submit(
        &self,
        author: Account,
        submit: &Submit<'_>,
        text: usize,
    ) -> Result<(), SubmitRefusal> {
        let is_there = match submit.to {
            Recipient::Account(to) => to != author && self.accounts.takes_mail(to),
            Recipient::Room(room) => self.rooms.table.has(room),
        };
        if !is_there {
            return Err(SubmitRefusal::NoRecipient);
        }
        if submit.key != self.accounts.recipient_key(submit.to) {
            return Err(SubmitRefusal::KeyChanged);
        }
        if text > self.cx.text_limit() as usize {
            return Err(SubmitRefusal::TooLong);
        }
        Ok(())
    }
}
