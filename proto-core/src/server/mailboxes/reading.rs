//! What clients have of their mailboxes: read from the store, acknowledged, forgotten.

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Account, Position, Recipient},
    record::{self, MailRecord},
    role::FrameOutcome,
    storage::Id,
    time::UnixTime,
    violation::Violation,
    wire::MailAck,
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::Event,
        role::ServerLink,
        store::{Asker, READ_AHEAD},
        submit::{Entry, Kind, Stage, Submissions},
    },
    mail::Mail,
    storing::enqueue,
};

/// What the store said of a client's mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It failed.
    Failed,
    /// `last` is the last message that waits, or 0. All that was read is in the queue if `whole`;
    /// there was no room for the others.
    Read { last: u64, whole: bool },
}

/// Reads on in the mailbox of a recipient that has room for more.
pub(crate) fn read_on(cx: &mut Ctx<'_>, link: Id<ServerLink>) {
    if cx.session(link).is_some_and(|session| session.mailbox.reads_on()) {
        look(cx, link);
    }
}

/// Reads what waits in the mailbox of a client.
pub(crate) fn look(cx: &mut Ctx<'_>, link: Id<ServerLink>) {
    if let Some(session) = cx.session(link) {
        session.mailbox.load = Ask::Owed;
        cx.requests.ask(cx.links.slab_mut(), link);
    }
}

/// The next request for the mailbox of a client whose account is `account`.
pub(crate) fn request(cx: &mut Ctx<'_>, link: Id<ServerLink>, account: Account) -> Option<Request> {
    let reader = &cx.links.get(link)?.role.mailbox;
    let (asker, from, upto) = match (reader.forget, reader.load) {
        (Ask::Owed, _) => (Asker::HandedOver, 0, reader.upto),
        (_, Ask::Owed) => (Asker::Mailbox, reader.next, 0),
        _ => return None,
    };
    let ticket = cx.ticket(asker, link.slot());
    let reader = &mut cx.session(link)?.mailbox;
    let (waits, log) = (Ask::Asked(ticket.serial), Log::Mailbox(account));
    if asker == Asker::HandedOver {
        reader.forget = waits;
        return Some(Request::Trim { ticket, log, upto });
    }
    (reader.fell_behind, reader.load) = (false, waits);
    Some(Request::Read { ticket, log, from, most: READ_AHEAD })
}

/// Mail that was handed over is forgotten by the store. What is not comes again, and is
/// recognised.
pub(crate) fn forgotten(cx: &mut Ctx<'_>, ticket: Ticket) {
    let link = cx.links.slab_mut().id_at(ticket.slot);
    if let Some(session) = link.and_then(|link| cx.session(link)) {
        session.mailbox.forget.answer(ticket.serial);
    }
}

/// The link of the client that waits for this answer.
pub(crate) fn waits_for(cx: &mut Ctx<'_>, ticket: Ticket) -> Option<Id<ServerLink>> {
    let link = cx.links.slab_mut().id_at(ticket.slot)?;
    cx.session(link)?.mailbox.load.answer(ticket.serial).then_some(link)
}

/// What the store has of the mailbox of `account`; `None` if it failed. All that there is room
/// for is in the queue then. `None` if the client is nobody any more.
pub(crate) fn loaded(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    submissions: &mut Submissions<'_>,
    link: Id<ServerLink>,
    loaded: Option<Records<'_>>,
) -> Option<Answer> {
    let session = cx.session(link)?;
    let account = session.seat.account()?;
    let Some(loaded) = loaded else {
        cx.tell(Event::StoreFailed);
        return Some(Answer::Failed);
    };
    if loaded.records.is_empty() {
        // Unless more went there since it was asked.
        session.mailbox.backlog = session.mailbox.fell_behind;
    }
    let mut records = loaded.records.iter();
    let whole = records
        .all(|(index, bytes)| take(cx, accounts, submissions, (link, account), (*index, bytes)));
    if !whole {
        wait_for_room(cx, link);
    }
    let last = if loaded.records.is_empty() { 0 } else { loaded.last };
    Some(Answer::Read { last, whole })
}

/// What was read is taken in, all of it if `whole`: there may be more, or that was all.
pub(crate) fn go_on(cx: &mut Ctx<'_>, link: Id<ServerLink>, whole: bool) {
    consider_empty(cx, link);
    if whole {
        read_on(cx, link);
    }
}

/// The store failed: it is asked again later.
pub(crate) fn stall(cx: &mut Ctx<'_>, link: Id<ServerLink>) {
    if let Some(session) = cx.session(link) {
        session.mailbox.backlog = true;
    }
    cx.requests.fail(cx.links.slab_mut(), link, cx.now);
}

/// Mail is kept no longer.
pub(crate) fn is_expired(cx: &Ctx<'_>, received: UnixTime) -> bool {
    cx.unix().since(received) >= cx.config.mail
}

/// The recipient has a message, durably.
pub(crate) fn acknowledged(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    submissions: &mut Submissions<'_>,
    link: Id<ServerLink>,
    ack: &MailAck,
) -> FrameOutcome {
    if !ack.received.fits() {
        return FrameOutcome::Broken(Violation::BadCursor);
    }
    let Some(account) = cx.online(link) else { return FrameOutcome::Done };
    let mut at = cx.links.get(link).and_then(|link| link.role.mailbox.queue.front());
    let (id, from, stage) = loop {
        let Some((id, entry)) = at.and_then(|id| Some((id, cx.messages.get(id)?))) else {
            return FrameOutcome::Done;
        };
        if entry.index() == ack.index {
            break (id, entry.from(), entry.stage());
        }
        at = entry.next_queued();
    };
    let pair = submissions.pairs.open(cx, from, Recipient::Account(account));
    if !pair.is_some_and(|pair| submissions.pairs.is_loaded(pair)) {
        // The mail must not be forgotten before the pair can be saved.
        return FrameOutcome::NoRoom;
    }
    let Some(reader) = cx.links.get_mut(link).map(|link| &mut link.role.mailbox) else {
        return FrameOutcome::Done;
    };
    reader.queue.remove(cx.messages.rows(), id);
    reader.queued -= 1;
    reader.sending.remove(cx.messages.rows(), id);
    submissions.delivered(cx, accounts, id, ack);
    match stage {
        // The store is still busy with it.
        Stage::Storing => {
            if let Some(entry) = cx.messages.get_mut(id) {
                entry.set_stage(Stage::Delivered);
            }
        }
        Stage::Stored => {
            submissions.free(cx, id);
            handed_over(cx, accounts, submissions, account, ack.index);
        }
        _ => submissions.free(cx, id),
    }
    forget_done(cx, submissions, link);
    read_on(cx, link);
    consider_empty(cx, link);
    FrameOutcome::Done
}

/// Takes a record into the queue; `false` if there is no room in memory now.
fn take(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    submissions: &mut Submissions<'_>,
    (link, account): (Id<ServerLink>, Account),
    (index, bytes): (u64, &[u8]),
) -> bool {
    let longest = cx.links.get(link).map_or(0, |link| link.credit.longest());
    let Some((record, sealed)) = record::decode::<MailRecord>(bytes) else {
        cx.tell(Event::Damaged);
        pass_over(cx, submissions, link, index);
        return true;
    };
    let is_readable = accounts.is_readable(account, record.key);
    let position = Position::new(record.epoch, record.number);
    if !is_readable || is_expired(cx, record.received) || sealed.len() > longest {
        let between = (record.from, account);
        if is_readable && !submissions.expired(cx, accounts, between, position) {
            return false;
        }
        pass_over(cx, submissions, link, index);
        return true;
    }
    if !cx.make_room(sealed.len(), false) {
        return false;
    }
    let to = Recipient::Account(account);
    let Some(pair) = submissions.pairs.open(cx, record.from, to) else { return false };
    let Some(body) = cx.pool.store(sealed) else { return false };
    let kind = Kind::Mail(Mail::sealed((record.nick, record.author), record.key));
    let of = (record.from, position);
    let entry = Entry::new(of, to, record.received, body, kind, Stage::Stored).at(index);
    let Some(id) = submissions.recall(cx, pair, entry) else { return false };
    if let Some(session) = cx.session(link) {
        session.mailbox.backlog = true;
    }
    enqueue(cx, accounts, id, link);
    true
}

/// What the store has at `index` is not sent.
fn pass_over(
    cx: &mut Ctx<'_>,
    submissions: &mut Submissions<'_>,
    link: Id<ServerLink>,
    index: u64,
) {
    if let Some(session) = cx.session(link) {
        session.mailbox.pass(index);
    }
    forget_done(cx, submissions, link);
}

/// A message was handed over that the store has: it is forgotten once all
/// before it were handed over too.
pub(super) fn handed_over(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    submissions: &mut Submissions<'_>,
    to: Account,
    index: u64,
) {
    let Some(link) = accounts.link(to) else { return };
    if let Some(session) = cx.session(link) {
        session.mailbox.done = session.mailbox.done.max(index);
    }
    forget_done(cx, submissions, link);
}

/// The store forgets what was handed over, up to the first that was not.
fn forget_done(cx: &mut Ctx<'_>, submissions: &mut Submissions<'_>, link: Id<ServerLink>) {
    let Some(found) = cx.links.get_mut(link) else { return };
    let reader = &mut found.role.mailbox;
    let front = reader.queue.front().and_then(|id| cx.messages.get(id)).map(Entry::index);
    if !reader.forgets(front) {
        return;
    }
    // That it was handed over is durable first.
    submissions.pairs.retry(cx);
    if let Some(session) = cx.session(link) {
        session.mailbox.forget = Ask::Owed;
        cx.requests.ask(cx.links.slab_mut(), link);
    }
}

/// There was no room for all of what was read: the rest is read again when something of it is
/// acknowledged, or a little later.
fn wait_for_room(cx: &mut Ctx<'_>, link: Id<ServerLink>) {
    match cx.session(link) {
        Some(session) if session.mailbox.queued > 0 => session.mailbox.backlog = true,
        _ => stall(cx, link),
    }
}

/// The mailbox may be empty now.
fn consider_empty(cx: &mut Ctx<'_>, link: Id<ServerLink>) {
    if cx.session(link).is_some_and(|session| session.mailbox.becomes_empty()) {
        cx.links.wake(link);
    }
}
