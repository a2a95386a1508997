//! What is settled and told is forgotten by the store.

use crate::{
    client::{ctx::Ctx, requests::Asker, roster::id::PeerId},
    host::{Ask, Log, Request},
};

/// What is settled is forgotten by the store in steps of so many.
pub(super) const STEP: u64 = 32;

/// What is done in an outbox is to be forgotten by the store.
pub(super) fn trim(cx: &mut Ctx<'_>, id: PeerId) {
    if let Some(peer) = cx.peers.get_mut(id).filter(|peer| peer.saved.number().is_some()) {
        peer.conversation.trim = Ask::Owed;
        cx.store.owe_peer(&mut cx.peers, id);
    }
}

/// The request to forget what is done in an outbox, if one is owed.
pub(in crate::client) fn request_trim(cx: &mut Ctx<'_>, id: PeerId) -> Option<Request> {
    let peer = cx.peers.get_mut(id).filter(|peer| peer.conversation.trim == Ask::Owed)?;
    let ticket = cx.store.ticket(Asker::Trim, id.slot());
    peer.conversation.trim = Ask::Asked(ticket.serial);
    let upto = peer.conversation.done.to_record_number();
    Some(Request::Trim { ticket, log: Log::Outbox(peer.log()), upto })
}

/// The store's answer about what is to be forgotten.
pub(in crate::client) fn trimmed(cx: &mut Ctx<'_>, id: PeerId, serial: u32) {
    if let Some(peer) = cx.peers.get_mut(id) {
        // What is not forgotten is settled again after a restart.
        peer.conversation.trim.answer(serial);
    }
}
