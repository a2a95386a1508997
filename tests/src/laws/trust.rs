//! What holds although the server has its keys and says what it likes.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{Event, MessageId, To, Verdict},
    host::Log,
    id::{MAX_NAME, Nick, PublicKey},
    record::Said,
};

use crate::{
    judgement::{Judgement, Party, law, show},
    place::Place,
    store::Change,
};

/// The laws of trust: M1, M2 and M3.
#[derive(Debug, Default)]
pub(crate) struct TrustLaws {
    /// What honest people said, and which key each of them has.
    said: BTreeMap<Vec<u8>, PublicKey>,
    /// What is in the inboxes of whoever has a key.
    had: BTreeSet<(PublicKey, Vec<u8>)>,
    /// What is open at someone, with its last verdict.
    open: BTreeMap<(Place, PublicKey, u64), Vec<u8>>,
    /// The key that a client knows for a nick; none if it is one of the server's making.
    known: BTreeMap<(Place, [u8; MAX_NAME]), Option<PublicKey>>,
}

impl TrustLaws {
    /// A user said something.
    pub(super) fn said(&mut self, at: &Party<'_>, id: &MessageId, text: &str) {
        self.said.insert(text.into(), at.key);
        let number = id.position.to_record_number();
        self.open.insert((at.place, id.recipient, number), text.into());
    }

    /// A user says that whoever has a nick now is the one that they mean.
    pub(super) fn trusted(&mut self, at: Place, nick: &Nick) {
        self.known.remove(&(at, nick.folded()));
    }

    /// Something became durable at a node.
    pub(super) fn changed(&mut self, at: &Party<'_>, change: &Change) {
        if let Change::Put { log: log @ Log::Inbox(_), number, .. } = change
            && let Some(Said { text, .. }) = Said::from_inbox(at.store.record(*log, *number))
        {
            self.had.insert((at.key, text.into()));
        }
    }

    /// A client tells its user something, with a text.
    ///
    /// # Errors
    /// It is not so.
    pub(super) fn told(&mut self, at: &Party<'_>, event: &Event, text: &[u8]) -> Judgement {
        match event {
            Event::Accepted { id, to: To::Peer(nick) } => {
                let known = self.known.entry((at.place, nick.folded()));
                let known = *known.or_insert(Some(id.recipient));
                law(known == Some(id.recipient), || {
                    format!("M2: {nick} has another key than {known:?}, and nobody said so")
                })
            }
            Event::Message { known: false, .. } => Ok(()),
            Event::Message { from, .. } => {
                let author = self.said.get(text).copied();
                let known = *self.known.entry((at.place, from.folded())).or_insert(author);
                law(known == author, || {
                    format!("M1: shown as by {from}, whose key is {known:?}: {}", show(text))
                })
            }
            Event::Verdict { id, to: To::Peer(nick), verdict: Verdict::Delivered } => {
                let number = id.position.to_record_number();
                let text = self.open.get(&(at.place, id.recipient, number));
                let known = self.known.get(&(at.place, nick.folded())).copied().flatten();
                let had = known.zip(text).is_none_or(|(key, text)| {
                    // Of whom the server made, nothing is promised.
                    !self.is_honest(key) || self.had.contains(&(key, text.clone()))
                });
                law(had, || {
                    let text = text.map(|text| show(text));
                    format!("M3: delivered, but never in the inbox of {nick}: {text:?}")
                })
            }
            _ => Ok(()),
        }
    }

    fn is_honest(&self, key: PublicKey) -> bool {
        self.said.values().any(|author| *author == key)
            || self.had.iter().any(|(reader, _)| *reader == key)
    }
}
