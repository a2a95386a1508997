//! The mailboxes as a lying server tells them: each mail's place and the one before it are told so
//! that they fit together, whatever is left out, put in or moved.

use std::collections::BTreeMap;

use proto_core::{
    Received,
    wire::{Frame, Mail, MailAck},
};

use crate::place::Place;

use super::{Written, written};

/// A mailbox in one session.
#[derive(Debug, Default)]
struct Chain {
    /// The place of the last mail that was told.
    last: u64,
    /// By true place: the place told, and that before it; nothing for what is left out.
    told: BTreeMap<u64, Option<(u64, u64)>>,
    /// One that waits for the next.
    held: Option<(u64, Written)>,
}

/// What a reader's acknowledgements stand for.
#[derive(Debug, Default)]
struct Reader {
    /// By place told; nothing for what the server does not have.
    real: BTreeMap<u64, Option<u64>>,
    /// What its reader never got, and the server is to believe that it did.
    owed: Vec<u64>,
}

/// All mailboxes.
#[derive(Debug, Default)]
pub(super) struct Chains {
    chains: BTreeMap<(Place, u32), Chain>,
    readers: BTreeMap<Place, Reader>,
}

/// What is done with a mail that was not told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is told.
    Told,
    /// It is left out.
    Omitted,
    /// It is told behind the next one.
    Held,
}

impl Chains {
    /// A mail of the server's; what is told. `fate` is asked once for each.
    pub(super) fn pass(
        &mut self,
        to: (Place, u32),
        mail: &Mail<'_>,
        fate: impl FnOnce() -> Fate,
    ) -> Vec<Written> {
        let chain = self.chains.entry(to).or_default();
        if chain.held.as_ref().is_some_and(|(held, _)| *held == mail.index) {
            return Vec::new();
        }
        if let Some(told) = chain.told.get(&mail.index) {
            let again = |(index, previous)| Frame::Mail(Mail { index, previous, ..*mail });
            return told.map(again).iter().map(written).collect();
        }
        let is_whole = mail.piece.len() == usize::from(mail.total);
        match fate() {
            Fate::Omitted => {
                chain.told.insert(mail.index, None);
                self.readers.entry(to.0).or_default().owed.push(mail.index);
                return Vec::new();
            }
            Fate::Held if is_whole && chain.held.is_none() => {
                chain.held = Some((mail.index, written(&Frame::Mail(*mail))));
                return Vec::new();
            }
            Fate::Held | Fate::Told => {}
        }
        let held = chain.held.take();
        let mut out = vec![self.place(to, mail, Some(mail.index))];
        if let Some((index, held)) = held {
            out.extend(proto_core::wire::Frames::new(&held).flatten().filter_map(|frame| {
                let Frame::Mail(held) = frame else { return None };
                Some(self.place(to, &held, Some(index)))
            }));
        }
        out
    }

    /// Puts a mail at the end of what was told; of the server's, at its true place if that is
    /// possible.
    pub(super) fn place(
        &mut self,
        to: (Place, u32),
        mail: &Mail<'_>,
        real: Option<u64>,
    ) -> Written {
        let chain = self.chains.entry(to).or_default();
        let previous = chain.last;
        let index = real.unwrap_or(0).max(previous + 1);
        chain.last = index;
        if let Some(real) = real {
            chain.told.insert(real, Some((index, previous)));
        }
        self.readers.entry(to.0).or_default().real.insert(index, real);
        written(&Frame::Mail(Mail { index, previous, ..*mail }))
    }

    /// What a reader acknowledges, as the server is to know it.
    pub(super) fn ack(&self, from: Place, ack: MailAck) -> Option<MailAck> {
        let real = self.readers.get(&from).and_then(|reader| reader.real.get(&ack.index));
        match real {
            Some(real) => real.map(|index| MailAck { index, ..ack }),
            None => Some(ack),
        }
    }

    /// The acknowledgements of what was left out.
    pub(super) fn owed_acks(&mut self, from: Place) -> Vec<Written> {
        let owed = std::mem::take(&mut self.readers.entry(from).or_default().owed);
        let ack = |index| MailAck { index, received: Received::default(), receipt: [0; 16] };
        owed.into_iter().map(|index| written(&Frame::MailAck(ack(index)))).collect()
    }
}
