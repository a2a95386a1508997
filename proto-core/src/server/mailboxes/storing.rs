//! What goes into mailboxes: relayed from memory, or saved, or both.

use core::time::Duration;

use crate::{
    host::{Log, Request, Ticket},
    id::{Account, Position, Recipient},
    link::Units,
    record::{self, MailRecord},
    storage::Id,
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::Event,
        role::ServerLink,
        submit::{self, Entry, Stage, Submissions},
    },
    reader::Reader,
    reading::{handed_over, read_on},
};

/// How long the store may take before it counts as failed.
const STORE: Duration = Duration::from_secs(10);

/// The mailboxes of all accounts.
#[derive(Debug)]
pub(crate) struct Mailboxes<'a> {
    /// The last place given out in any of them.
    index: &'a mut u64,
}

impl<'a> Mailboxes<'a> {
    pub(crate) fn new(index: &'a mut u64) -> Self {
        Self { index }
    }

    /// Sends a message to its recipient, from memory.
    pub(crate) fn relay(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        id: Id<Entry>,
        link: Id<ServerLink>,
    ) {
        *self.index += 1;
        if let Some(entry) = cx.messages.get_mut(id) {
            entry.set_stage(Stage::Relaying);
            entry.set_index(*self.index);
        }
        cx.messages.set_timer(id, Some(cx.now + cx.config.relay));
        enqueue(cx, accounts, id, link);
    }

    /// Asks the store to save a message. It keeps its place in the queue of a
    /// recipient that is online.
    pub(crate) fn store(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Entry>) {
        let Some(entry) = cx.messages.get_mut(id) else {
            debug_assert!(false, "what is to be saved is in memory");
            return;
        };
        entry.store();
        if entry.index() == 0 {
            *self.index += 1;
            entry.set_index(*self.index);
        }
        let behind = (!entry.is_queued()).then_some((entry.to(), entry.index()));
        cx.requests.ask(cx.messages.rows(), id);
        cx.messages.set_timer(id, Some(cx.now + STORE));
        if let Some((Recipient::Account(to), index)) = behind {
            fall_behind(cx, accounts, to, index);
        }
    }

    /// A client is there no longer. What was being relayed to it is saved instead.
    pub(crate) fn leave(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        submissions: &mut Submissions<'_>,
        mut reader: Reader,
    ) {
        while reader.sending.pop_front(cx.messages.rows()).is_some() {}
        while let Some(entry) = reader.queue.pop_front(cx.messages.rows()) {
            match cx.messages.get(entry).map(Entry::stage) {
                Some(Stage::Relaying) => self.store(cx, accounts, entry),
                Some(Stage::Stored) => submissions.free(cx, entry),
                _ => {}
            }
        }
    }
}

/// The link of a recipient that can be sent something new of `length` bytes right
/// away: it is online, and nothing older waits for it in the store.
pub(crate) fn open(
    cx: &Ctx<'_>,
    accounts: &Accounts<'_>,
    to: Account,
    length: usize,
) -> Option<Id<ServerLink>> {
    let id = accounts.link(to)?;
    let link = cx.links.get(id).filter(|link| link.is_live())?;
    let open = link.role.seat.online().is_some()
        && link.role.mailbox.is_open()
        && length <= link.credit.longest();
    open.then_some(id)
}

/// The request to save a message.
pub(crate) fn request_store(cx: &mut Ctx<'_>, ticket: Ticket, id: Id<Entry>) -> Option<Request> {
    let entry = cx.messages.get(id)?;
    let (Recipient::Account(to), mail) = (entry.to(), entry.mail()?) else { return None };
    let Position { epoch, number } = entry.position();
    let header = MailRecord {
        from: entry.from(),
        epoch,
        number,
        received: entry.received(),
        author: mail.by,
        nick: mail.author,
        key: mail.key,
    };
    let body = entry.body();
    let length = record::encode(cx.work, &header, &cx.pool, body, body.len())?;
    Some(Request::Put { ticket, log: Log::Mailbox(to), number: entry.index(), length })
}

/// The store has a message, or could not take it.
pub(crate) fn stored(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    submissions: &mut Submissions<'_>,
    id: Id<Entry>,
    stored: bool,
) {
    let Some(entry) = cx.messages.get_mut(id) else { return };
    let (stage, queued, index) = (entry.stage(), entry.is_queued(), entry.index());
    let Recipient::Account(to) = entry.to() else {
        debug_assert!(false, "what goes to a room is no mail");
        return;
    };
    entry.give_up();
    cx.messages.set_timer(id, None);
    match (stage, stored) {
        (Stage::Delivered, _) => {
            submissions.free(cx, id);
            if stored {
                handed_over(cx, accounts, submissions, to, index);
            }
        }
        (_, true) => {
            submissions.stored(cx, accounts, id);
            if queued {
                if let Some(entry) = cx.messages.get_mut(id) {
                    entry.set_stage(Stage::Stored);
                }
            } else {
                submissions.free(cx, id);
                more(cx, accounts, to, index);
            }
        }
        (_, false) => {
            cx.tell(Event::StoreFailed);
            if queued {
                // Its recipient may still take it.
                if let Some(entry) = cx.messages.get_mut(id) {
                    entry.set_stage(Stage::Relaying);
                }
                cx.messages.set_timer(id, Some(cx.now + cx.config.relay));
                submit::withdraw_after(cx, id);
            } else {
                submissions.failed(cx, accounts, id);
            }
        }
    }
}

/// An account has another key: those who are being sent its mail are to be told of the
/// one that it was written with.
pub(crate) fn renew(cx: &mut Ctx<'_>, accounts: &Accounts<'_>, account: Account) {
    for slot in 0..cx.messages.usage().1 as u32 {
        let Some(id) = cx.messages.at(slot) else { continue };
        let Some(entry) = cx.messages.get_mut(id).filter(|entry| entry.from() == account) else {
            continue;
        };
        let Recipient::Account(to) = entry.to() else { continue };
        if !entry.is_queued() {
            continue;
        }
        if let Some(mail) = entry.mail_mut() {
            mail.former = true;
        }
        if let Some((link, found)) = accounts.link(to).and_then(|l| Some((l, cx.links.get_mut(l)?)))
        {
            found.role.mailbox.sending.push_back(cx.messages.rows(), id);
            cx.links.wake(link);
        }
    }
}

/// Puts a message at the end of what its recipient is sent in this session.
pub(super) fn enqueue(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    id: Id<Entry>,
    link: Id<ServerLink>,
) {
    let (Some(found), Some(entry)) = (cx.links.get_mut(link), cx.messages.get_mut(id)) else {
        debug_assert!(false, "both were just looked up");
        return;
    };
    let reader = &mut found.role.mailbox;
    let (from, index, total) = (entry.from(), entry.index(), entry.body().len());
    let previous = core::mem::replace(&mut reader.previous, index);
    if let Some(mail) = entry.mail_mut() {
        (mail.previous, mail.todo) = (previous, Units::all(total));
        // Of an account that is gone, the reader may know nothing.
        mail.former = accounts.key_of(from) != Some(mail.by);
    }
    reader.next = index + 1;
    reader.queued += 1;
    reader.queue.push_back(cx.messages.rows(), id);
    reader.sending.push_back(cx.messages.rows(), id);
    cx.links.wake(link);
}

/// A message was saved that its recipient, if online, is to read back.
fn more(cx: &mut Ctx<'_>, accounts: &Accounts<'_>, to: Account, index: u64) {
    fall_behind(cx, accounts, to, index);
    if let Some(link) = accounts.link(to).filter(|link| cx.online(*link).is_some()) {
        read_on(cx, link);
    }
}

/// A message goes into the store that its recipient, if online, does not have in its queue.
fn fall_behind(cx: &mut Ctx<'_>, accounts: &Accounts<'_>, to: Account, index: u64) {
    if let Some(session) = accounts.link(to).and_then(|link| cx.session(link)) {
        session.mailbox.fall_behind(index);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::super::{
        config::Config,
        event::Event,
        fixture::{Asked, Fixture},
    };
    use crate::{host::Log, id::Recipient};

    #[test]
    fn an_author_is_told_that_mail_is_stored_only_up_to_the_first_that_is_not() {
        let mut at = Fixture::new(Config::default());
        let (alice, bob) = (at.account("alice"), at.account("bob"));
        at.submit(alice, Recipient::Account(bob), 1);
        at.submit(alice, Recipient::Account(bob), 2);
        let puts = at.requests();
        let mail = |index| Asked::Put(Log::Mailbox(bob), index);
        let asked: Vec<_> = puts.iter().map(|(asked, _)| *asked).collect();
        assert_eq!(asked, [mail(1), mail(2)]);
        let stored = |at: &mut Fixture| {
            let pair = at.submissions.pairs.open(&mut at.cx, alice, Recipient::Account(bob));
            pair.map(|pair| at.submissions.pairs.get(pair).unwrap().stored().number.0)
        };
        // A store keeps its order; whatever says that it did not is not believed further.
        at.router().answered(puts[1].1, true);
        assert_eq!(stored(&mut at), Some(0));
        at.router().answered(puts[0].1, true);
        assert_eq!(stored(&mut at), Some(2));
        let saved = Asked::Put(Log::Pairs(alice), u64::from(bob.0) + 1);
        assert!(at.requests().iter().any(|(asked, _)| *asked == saved));
        assert_eq!(at.cx.messages.usage().0, 0, "what is stored takes no memory");
    }

    #[test]
    fn mail_that_could_not_be_saved_is_taken_again() {
        let mut at = Fixture::new(Config::default());
        let (alice, bob) = (at.account("alice"), at.account("bob"));
        at.submit(alice, Recipient::Account(bob), 1);
        let (_, ticket) = at.next_request().unwrap();
        at.router().answered(ticket, false);
        assert_eq!(at.cx.events.next(), Some(Event::StoreFailed));
        assert_eq!((at.cx.messages.usage().0, at.cx.pool.used()), (0, 0));
        at.submit(alice, Recipient::Account(bob), 1);
        let again = at.requests().last().map(|(asked, _)| *asked);
        let put = Asked::Put(Log::Mailbox(bob), 2);
        assert_eq!(again, Some(put), "a place is never given out twice");
    }
}
