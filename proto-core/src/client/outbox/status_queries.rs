//! Questions to the server after what goes by its way.

use crate::{
    client::{
        contact::Contact,
        ctx::Ctx,
        role::{ClientLink, ClientRole},
        roster::{id::PeerId, peer::Peer, peers::Peers},
        sent::SentFrame,
    },
    link::Packet,
    storage::Id,
    wire::{Frame, StatusQuery},
};

use super::conversation::Path;

/// Asks the server how far it is with what goes by its way to a peer, once it has said
/// which number that is.
pub(in crate::client) fn query_status(cx: &mut Ctx<'_>, id: PeerId) {
    let Some(peer) = cx.peers.get(id) else { return };
    let by_server = peer.conversation.path == Path::Server && peer.recipient().is_some();
    if !by_server || !peer.is_active() {
        return;
    }
    let Some(link) = cx.server.online() else { return };
    if let Some(found) = cx.links.get_mut(link) {
        found.role.outbox.status_queries.push_back(&mut cx.peers, id);
        cx.links.wake(link);
    }
}

/// Writes questions after submissions into a packet for the server.
pub(in crate::client) fn write_status_queries(
    cx: &mut Ctx<'_>,
    link: Id<ClientLink>,
    packet: &mut Packet<'_, ClientRole>,
) {
    while let Some(found) = cx.links.get_mut(link) {
        let Some(id) = found.role.outbox.status_queries.front() else { return };
        if let Some(to) = cx.peers.get(id).and_then(Peer::recipient) {
            let query_status = StatusQuery { to, epoch: cx.server.epoch() };
            if !packet.push(&Frame::StatusQuery(query_status), SentFrame::Inquiry(id)) {
                return;
            }
        }
        found.role.outbox.status_queries.pop_front(&mut cx.peers);
    }
}

/// A question was lost: it is asked again.
pub(in crate::client) fn lost(contact: &mut Contact, peers: &mut Peers<'_>, id: PeerId) {
    contact.outbox.status_queries.push_back(peers, id);
}
