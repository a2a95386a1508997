//! Reading the durable state at the start, one log after the other.

use crate::client::headers::{ConversationRecord, Naming, SelfRecord};
use crate::{
    host::{Log, Records, Request, Ticket},
    id::Position,
    received::Received,
    record,
    storage::Body,
};

use super::{
    ctx::Ctx,
    event::Event,
    inbox::received_by,
    outbox::{Outbox, READ_AHEAD},
    requests::Asker,
    roster::{id::PeerId, peer::Peer},
};

/// How far the durable state is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loading {
    /// The next conversation.
    Conversation {
        from: u64,
    },
    /// How far a conversation's inbox is.
    Inbox {
        of: PeerId,
        number: u64,
    },
    /// What a person's inbox has, which its last record says.
    Received {
        of: PeerId,
        number: u64,
        last: Position,
    },
    /// The next message in a conversation's outbox.
    Outbox {
        of: PeerId,
        number: u64,
        from: u64,
    },
    Done,
}

impl Loading {
    /// At the first record.
    pub(super) const START: Self = Self::Conversation { from: 1 };

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// The request to read on.
    pub(super) fn request(&self, cx: &mut Ctx<'_>) -> Request {
        let ticket = cx.store.ask_loading();
        let key = |of| cx.peers.get(of).map_or(cx.public_key(), Peer::log);
        let (log, from, most) = match *self {
            Self::Conversation { from } => (Log::Conversations, from, 1),
            Self::Inbox { of, .. } => (Log::Inbox(key(of)), u64::MAX, 1),
            Self::Received { of, last, .. } => (Log::Inbox(key(of)), last.to_record_number(), 1),
            Self::Outbox { of, from, .. } => (Log::Outbox(key(of)), from, READ_AHEAD),
            Self::Done => (Log::Conversations, u64::MAX, 1),
        };
        Request::Read { ticket, log, from, most }
    }

    /// The store's answer; `true` once all is read.
    pub(super) fn read(
        &mut self,
        cx: &mut Ctx<'_>,
        outbox: &mut Outbox<'_>,
        ticket: Ticket,
        loaded: Option<Records<'_>>,
    ) -> bool {
        if !cx.store.answer_loading(ticket) {
            return false;
        }
        let from = match *self {
            Self::Conversation { from } | Self::Outbox { from, .. } => from,
            Self::Received { last, .. } => last.to_record_number(),
            Self::Inbox { .. } | Self::Done => 0,
        };
        let next = loaded
            .and_then(|loaded| loaded.checked(from))
            .and_then(|loaded| self.take(cx, outbox, &loaded));
        match next {
            Some(next) => *self = next,
            None => {
                cx.store.loading_failed();
                cx.store_failed();
                return false;
            }
        }
        if self.is_done() {
            return true;
        }
        cx.store.owe_loading();
        false
    }

    /// Takes in what was read: what is next. `None` if there is no room for it.
    fn take(self, cx: &mut Ctx<'_>, outbox: &mut Outbox<'_>, loaded: &Records<'_>) -> Option<Self> {
        let head = Position::from_record_number(loaded.last);
        Some(match (self, loaded.first()) {
            (Self::Conversation { .. }, Some((number, bytes))) => {
                return conversation(cx, number, bytes);
            }
            (Self::Conversation { .. } | Self::Done, _) => Self::Done,
            (Self::Inbox { of, number }, _) => {
                let peer = cx.peers.get_mut(of)?;
                if let Some(room) = peer.room_mut() {
                    room.resume(head);
                    peer.author.resume(Received::only(head));
                } else if head != Position::NONE {
                    return Some(Self::Received { of, number, last: head });
                }
                Self::Outbox { of, number, from: 1 }
            }
            (Self::Received { of, number, last }, _) => {
                let record = loaded.at(last.to_record_number()).unwrap_or_default();
                if let Some(peer) = cx.peers.get_mut(of) {
                    peer.author.resume(received_by(record, last));
                }
                Self::Outbox { of, number, from: 1 }
            }
            (Self::Outbox { of, number, mut from }, Some(_)) => {
                for (at, bytes) in loaded.records {
                    if *at < from {
                        continue;
                    }
                    let next = outbox.resume(cx, of, Position::from_record_number(*at), bytes);
                    from = next.to_record_number().saturating_add(1);
                }
                Self::Outbox { of, number, from }
            }
            (Self::Outbox { of, number, .. }, None) => {
                if let Some(peer) = cx.peers.get_mut(of) {
                    peer.conversation.resume(head);
                }
                cx.server.pass_epoch(head.epoch);
                Self::Conversation { from: number + 1 }
            }
        })
    }
}

/// The request to put the client's own record.
pub(super) fn request_own(cx: &mut Ctx<'_>) -> Option<Request> {
    let ticket = cx.store.ask_own();
    let header = SelfRecord { epoch: cx.server.epoch() };
    let length = record::encode(cx.work, &header, &cx.bodies, &Body::EMPTY, 0)?;
    Some(Request::Put { ticket, log: Log::Conversations, number: 1, length })
}

/// The request to put the record of a conversation, if that is owed.
pub(super) fn request_record(cx: &mut Ctx<'_>, id: PeerId) -> Option<Request> {
    let peer = cx.peers.get_mut(id)?;
    let number = peer.saved.number()?;
    if !peer.saved.is_owed() {
        return None;
    }
    let ticket = cx.store.ticket(Asker::Record, id.slot());
    peer.saved.asked(ticket.serial);
    let length = record::encode(cx.work, &peer.record(), &cx.bodies, &Body::EMPTY, 0)?;
    Some(Request::Put { ticket, log: Log::Conversations, number, length })
}

/// Takes in record `number` of the conversations: what is next.
fn conversation(cx: &mut Ctx<'_>, number: u64, bytes: &[u8]) -> Option<Loading> {
    let next = Loading::Conversation { from: number + 1 };
    if number == 1 {
        match record::decode::<SelfRecord>(bytes) {
            Some((own, _)) => cx.server.pass_epoch(own.epoch),
            None => cx.news.tell(Event::Damaged),
        }
        return Some(next);
    }
    cx.store.pass_record(number);
    let record = record::decode::<ConversationRecord>(bytes);
    let Some((record, _)) = record.filter(|(record, _)| record.fits()) else {
        cx.news.tell(Event::Damaged);
        return Some(next);
    };
    // If the table is full, there is no going on without forgetting something.
    let of = match (cx.peers.by_key(&record.key), record.naming) {
        // A key that was accepted in the place of another, when the record of neither was whole.
        (Some(_), Naming::Unknown | Naming::Elsewhere) => return Some(next),
        (Some(known), Naming::Known) => {
            cx.peers.rename(known, record.with);
            known
        }
        (None, Naming::Known) => cx.peers.add(record.key, record.with)?,
        (None, Naming::Unknown | Naming::Elsewhere) => {
            cx.peers.add_nameless(record.key, record.with)?
        }
    };
    cx.peers.get_mut(of)?.restore(number, record);
    Some(Loading::Inbox { of, number })
}
