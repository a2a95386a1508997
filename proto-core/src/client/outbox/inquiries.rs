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
    wire::{Frame, Inquire},
};

use super::conversation::Path;

/// Asks the server how far it is with what goes by its way to a peer, once it has said
/// which number that is.
pub(in crate::client) fn inquire(cx: &mut Ctx<'_>, id: PeerId) {
    let Some(peer) = cx.peers.get(id) else { return };
    let by_server = peer.conversation.path == Path::Server && peer.recipient().is_some();
    if !by_server || !peer.is_active() {
        return;
    }
    let Some(link) = cx.server.online() else { return };
    if let Some(found) = cx.links.get_mut(link) {
        found.role.outbox.inquiries.push_back(&mut cx.peers, id);
        cx.links.wake(link);
    }
}

/// Writes questions after deposits into a packet for the server.
pub(in crate::client) fn write_inquiries(
    cx: &mut Ctx<'_>,
    link: Id<ClientLink>,
    packet: &mut Packet<'_, ClientRole>,
) {
    while let Some(found) = cx.links.get_mut(link) {
        let Some(id) = found.role.outbox.inquiries.front() else { return };
        if let Some(to) = cx.peers.get(id).and_then(Peer::recipient) {
            let inquire = Inquire { to, epoch: cx.server.epoch() };
            if !packet.push(&Frame::Inquire(inquire), SentFrame::Inquiry(id)) {
                return;
            }
        }
        found.role.outbox.inquiries.pop_front(&mut cx.peers);
    }
}

/// A question was lost: it is asked again.
pub(in crate::client) fn lost(contact: &mut Contact, peers: &mut Peers<'_>, id: PeerId) {
    contact.outbox.inquiries.push_back(peers, id);
}
