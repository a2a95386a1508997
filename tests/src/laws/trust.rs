//! What holds although the server, or someone with an account, has keys and says what they like.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{Event, MessageId, To, Verdict},
    host::Log,
    id::{MAX_NAME, Nick, Position, PublicKey},
    record::Said,
};

use crate::{
    judgement::{Judgement, Party, law, show},
    liar::LIE,
    place::Place,
    store::Change,
};

/// A nick as someone knows it, however it is spelled.
type Name = (Place, [u8; MAX_NAME]);

/// Something that someone said.
#[derive(Debug)]
struct Saying {
    at: Place,
    author: PublicKey,
    /// What names the conversation: the key by which it began.
    log: PublicKey,
    /// The key that was known then.
    recipient: PublicKey,
    /// Under which nick; none for a room.
    to: Option<Nick>,
    number: u64,
    /// The author was told that it is durable.
    accepted: bool,
    /// The author was told what became of it.
    settled: bool,
}

/// What someone was shown of an author's messages in one run.
#[derive(Debug, Default)]
struct Shown {
    last: u64,
    /// A gap was told since.
    gap: bool,
}

/// The laws of trust: M1, M2 and M3.
#[derive(Debug, Default)]
pub(crate) struct TrustLaws {
    /// Whose keys are those of liars: what they wrote is theirs, and what they confirm is not judged.
    liars: BTreeSet<PublicKey>,
    /// What people said.
    said: BTreeMap<Vec<u8>, Saying>,
    /// What is in the inboxes of whoever has a key.
    had: BTreeSet<(PublicKey, Vec<u8>)>,
    /// The key that a client knows for a nick, and all that it ever knew.
    known: BTreeMap<Name, PublicKey>,
    ever: BTreeSet<(Name, PublicKey)>,
    /// Both, before a user trusted another key.
    before: (BTreeMap<Name, PublicKey>, BTreeSet<(Name, PublicKey)>),
    shown: BTreeMap<(Place, PublicKey), Shown>,
}

impl TrustLaws {
    /// These keys are those of liars.
    pub(super) fn introduce_liar(&mut self, key: PublicKey) {
        self.liars.insert(key);
    }

    /// A client starts: what it was told before it need not hear again, nor what it was not told.
    pub(super) fn started(&mut self, at: Place) {
        self.shown.retain(|(place, _), _| *place != at);
    }

    /// A user said something.
    pub(super) fn said(&mut self, at: &Party<'_>, id: &MessageId, to: To, text: &str) {
        let (author, log) = (at.key, id.recipient);
        let number = id.position.to_record_number();
        let (mut recipient, mut meant) = (log, None);
        if let To::Peer(nick) = to {
            let name = (at.place, nick.folded());
            // Whom the server has no number for now, the client does not show: not met anew.
            if let Some(known) = self.known.get(&name) {
                (recipient, meant) = (*known, Some(nick));
                self.ever.insert((name, recipient));
            }
        }
        let at = at.place;
        let saying = Saying {
            at,
            author,
            log,
            recipient,
            to: meant,
            number,
            accepted: false,
            settled: false,
        };
        self.said.insert(text.into(), saying);
    }

    /// A user writes to whoever has a nick, which for the client is this key.
    ///
    /// # Errors
    /// It is another one than before.
    pub(super) fn meets(&mut self, at: Place, nick: &Nick, key: PublicKey) -> Judgement {
        self.known.entry((at, nick.folded())).or_insert(key);
        self.knows(at, nick, key)
    }

    /// A client knows a nick by a key.
    ///
    /// # Errors
    /// It is another one than the one by which its user met them.
    pub(super) fn knows(&self, at: Place, nick: &Nick, key: PublicKey) -> Judgement {
        let known = self.known.get(&(at, nick.folded())).copied().unwrap_or(key);
        law(known == key, || {
            format!("M2: {nick} has the key {key:?} and had {known:?}, and nobody said so")
        })
    }

    /// A user says that whoever has a key is the one that they mean by a nick.
    pub(super) fn trusted(&mut self, at: Place, nick: &Nick, key: PublicKey) {
        self.before = (self.known.clone(), self.ever.clone());
        let name = (at, nick.folded());
        // By which nick they were met before, they are met no longer.
        self.known.retain(|(place, _), known| *place != at || *known != key);
        self.known.insert(name, key);
        self.ever.insert((name, key));
    }

    /// The client did nothing about that.
    pub(super) fn trusted_in_vain(&mut self) {
        (self.known, self.ever) = std::mem::take(&mut self.before);
    }

    /// Something became durable at a node.
    ///
    /// # Errors
    /// It was there already, or was for another.
    pub(super) fn changed(&mut self, at: &Party<'_>, change: &Change) -> Judgement {
        let Change::Put { log: log @ Log::Inbox(_), number, before, .. } = change else {
            return Ok(());
        };
        let record = at.store.record(*log, *number);
        let Some(Said { text, .. }) = Said::from_inbox(record) else { return Ok(()) };
        let is_new = self.had.insert((at.key, text.into()));
        let author = self.author(text);
        let is_honest = author.is_some_and(|author| !self.liars.contains(&author));
        law(is_new || before.is_some() || !is_honest, || {
            format!("S2: twice in an inbox: {}", show(text))
        })?;
        if self.liars.contains(&at.key) { self.opened(at.key, text) } else { Ok(()) }
    }

    /// A liar with this key could read a text.
    ///
    /// # Errors
    /// Its author did not mean them.
    pub(super) fn opened(&self, liar: PublicKey, text: &[u8]) -> Judgement {
        let Some(Saying { at, to: Some(nick), author, .. }) = self.said.get(text) else {
            return Ok(());
        };
        let meant = self.ever.contains(&((*at, nick.folded()), liar));
        law(meant || self.liars.contains(author), || {
            format!("M2: said to {nick} at {at}, and read by a liar: {}", show(text))
        })
    }

    /// A client tells its user something, with a text.
    ///
    /// # Errors
    /// It is not so.
    pub(super) fn told(&mut self, at: &Party<'_>, event: &Event, text: &[u8]) -> Judgement {
        match event {
            Event::Accepted { id, .. } => {
                if let Some((_, saying)) = self.saying(at.place, id) {
                    saying.accepted = true;
                }
                Ok(())
            }
            Event::KeyChanged { nick, key, .. } => {
                let known = self.known.get(&(at.place, nick.folded()));
                law(known != Some(key), || format!("{nick} has that key already"))
            }
            Event::Gap { from, .. } => {
                let keys = self.ever.iter().filter(|(name, _)| *name == (at.place, from.folded()));
                for key in keys.map(|(_, key)| *key) {
                    self.shown.entry((at.place, key)).or_default().gap = true;
                }
                Ok(())
            }
            Event::Message { from, position, known, .. } => {
                let Some(author) = self.author(text) else {
                    return Err(format!("S4: nobody wrote it: {}", show(text)));
                };
                if *known {
                    let name = (at.place, from.folded());
                    let known = *self.known.entry(name).or_insert(author);
                    self.ever.insert((name, known));
                    law(known == author, || {
                        format!("M1: shown as by {from}, whose key is {known:?}: {}", show(text))
                    })?;
                }
                self.shown(at, author, *position, text)
            }
            Event::Verdict { id, to: To::Peer(nick), verdict } => {
                self.verdict(at, id, nick, *verdict)
            }
            _ => Ok(()),
        }
    }

    /// Whose key wrote a text.
    fn author(&self, text: &[u8]) -> Option<PublicKey> {
        let is_lie = text.starts_with(LIE) || LIE.starts_with(text);
        let liar = self.liars.first().copied().filter(|_| is_lie);
        liar.or_else(|| self.said.get(text).map(|saying| saying.author))
    }

    /// What an honest author said before this, waits for word of, and is not there is a gap.
    fn shown(
        &mut self,
        at: &Party<'_>,
        author: PublicKey,
        position: Position,
        text: &[u8],
    ) -> Judgement {
        let number = position.to_record_number();
        let before = self.shown.insert((at.place, author), Shown { last: number, gap: false });
        let Some(before) = before else { return Ok(()) };
        if self.liars.contains(&author) || before.gap || before.last > number {
            return Ok(());
        }
        // Where a user took one nick for another, each conversation goes on with what is in it.
        let log = self.said.get(text).map(|saying| saying.log);
        let missing = self.said.iter().find(|(text, saying)| {
            (saying.author, saying.recipient) == (author, at.key)
                && Some(saying.log) == log
                && (before.last + 1..number).contains(&saying.number)
                && saying.accepted
                && !saying.settled
                && !self.had.contains(&(at.key, (*text).clone()))
        });
        law(missing.is_none(), || {
            let missing = missing.map(|(text, _)| show(text));
            format!("M3: {} is shown, {missing:?} is not there, and no gap was told", show(text))
        })
    }

    /// What somebody said under this name.
    fn saying(&mut self, at: Place, id: &MessageId) -> Option<(&Vec<u8>, &mut Saying)> {
        let number = id.position.to_record_number();
        let is_it =
            |saying: &Saying| (saying.at, saying.log, saying.number) == (at, id.recipient, number);
        self.said.iter_mut().find(|(_, saying)| is_it(saying))
    }

    fn verdict(
        &mut self,
        at: &Party<'_>,
        id: &MessageId,
        nick: &Nick,
        verdict: Verdict,
    ) -> Judgement {
        let Some((text, saying)) = self.saying(at.place, id) else { return Ok(()) };
        saying.settled |= verdict != Verdict::Stored;
        let text = text.clone();
        let name = (at.place, nick.folded());
        let mut keys = self.ever.iter().filter(|(of, _)| *of == name).map(|(_, key)| key);
        // What a liar confirms is their own affair.
        let is_so = keys.clone().next().is_none()
            || keys.clone().any(|key| self.liars.contains(key))
            || keys.any(|key| self.had.contains(&(*key, text.clone())));
        law(is_so || self.liars.contains(&at.key) || verdict != Verdict::Delivered, || {
            format!("M3: delivered, but never in the inbox of {nick}: {}", show(&text))
        })
    }
}
