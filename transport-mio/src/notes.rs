//! What a client does, as lines of its conversations in the store.

use proto_core::{
    client::{Client, Correspondent, Event, said_from_outbox},
    host::{Action, Log, Machine},
    id::Nick,
    record::Said,
    server::Server,
    time::UnixTime,
};

use crate::{
    memory::{ClientMemory, ServerMemory},
    store::{Came, Failure, Note, Store},
};

/// How many records are read at a time.
const PAGE: usize = 256;

/// What is to be noted of something that a role does, at a time.
pub(crate) type Notes<M> =
    Box<dyn Fn(&Action<'_, <M as Machine>::Event>, UnixTime) -> Option<Note> + Send>;

/// A server says nothing.
pub(crate) fn none() -> Notes<Server<ServerMemory>> {
    Box::new(|_, _| None)
}

/// What the client of `own`'s user says and is told.
pub(crate) fn of_client(own: Nick) -> Notes<Client<ClientMemory>> {
    Box::new(move |action, now| match action {
        Action::Put { log: Log::Inbox(of), number, record, .. } => {
            let said = Said::from_inbox(record)?;
            let own = said.author.filter(|author| *author == own).map(|_| said.text.to_vec());
            let (of, number, time) = (*of, *number, said.time);
            Some(Note::Came(Came { of, number, time, arrived: now, own }))
        }
        Action::Put { log: Log::Outbox(of), number, record, .. } => {
            let Said { time, text, .. } = said_from_outbox(record)?;
            Some(Note::Said { of: *of, number: *number, time, text: text.to_vec() })
        }
        Action::Event { event: Event::Verdict { id, verdict, .. }, .. } => {
            let (of, number) = (id.recipient, id.position.to_record_number());
            Some(Note::Verdict { of, number, verdict: *verdict })
        }
        _ => None,
    })
}

/// Makes lines of what is in the inboxes of a store that was begun before there were lines.
pub(crate) fn begin(store: &Store, own: &Nick, now: UnixTime) -> Result<(), Failure> {
    if !store.lines(None, None, 1)?.is_empty() {
        return Ok(());
    }
    let mut all = Vec::new();
    each(store, Log::Conversations, |_, record| {
        let of = Correspondent::from_record(record).map(|it| it.key);
        let Some(of) = of else { return Ok(()) };
        each(store, Log::Inbox(of), |number, record| {
            if let Some(Said { author, time, text }) = Said::from_inbox(record) {
                let own = author.filter(|author| author == own).map(|_| text.to_vec());
                all.push(Came { of, number, time, arrived: now, own });
            }
            Ok(())
        })
    })?;
    if !all.is_empty() {
        store.requests().note(Note::Old(all));
    }
    Ok(())
}

fn each(
    store: &Store,
    log: Log,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut from = 0;
    loop {
        let page = store.history(log, from, PAGE)?;
        for (number, record) in &page {
            visit(*number, record)?;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = last.saturating_add(1),
            _ => return Ok(()),
        }
    }
}
