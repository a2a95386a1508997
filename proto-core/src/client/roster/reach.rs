//! The sessions with people, and the handshakes that lead to them.

use crate::{
    client::{ctx::Ctx, role::ClientLink},
    link::{OutgoingHandshake, Target},
    storage::Id,
};

use super::id::PeerId;

/// Sets out to reach someone, unless that is under way. One place is always left for reaching
/// the server.
pub(in crate::client) fn dial(cx: &mut Ctx<'_>, id: PeerId) {
    let Some(peer) = cx.peers.get(id) else { return };
    let key = peer.key();
    let Some(person) = peer.person() else { return };
    let (Some(to), None) = (person.address(), person.dial) else { return };
    if cx.links.room_for_handshakes() <= 1 || !cx.links.has_spare() {
        return;
    }
    let dial = cx.links.begin_handshake(cx.now, to, Target::Peer(key));
    set_dial(cx, id, dial);
}

/// The handshake that is under way to someone, if any, is over.
pub(in crate::client) fn dialled(cx: &mut Ctx<'_>, id: PeerId) {
    set_dial(cx, id, None);
}

/// Someone needs no handshake: they are there, or are not to be.
pub(in crate::client) fn hang_up(cx: &mut Ctx<'_>, id: PeerId) {
    let dial = cx.peers.get_mut(id).and_then(|peer| peer.person_mut()?.dial.take());
    if let Some(dial) = dial {
        cx.links.end_handshake(dial);
    }
}

/// A link leads to someone. The one that it takes the place of is to be left.
pub(in crate::client) fn meet(
    cx: &mut Ctx<'_>,
    link: Id<ClientLink>,
    id: PeerId,
) -> Option<Id<ClientLink>> {
    cx.peers.get_mut(id)?.person_mut()?.link.replace(link)
}

/// A link to someone ends.
pub(in crate::client) fn leave(cx: &mut Ctx<'_>, link: Id<ClientLink>, id: PeerId) {
    if let Some(person) = cx.peers.get_mut(id).and_then(|peer| peer.person_mut())
        && person.link == Some(link)
    {
        person.link = None;
    }
}

fn set_dial(cx: &mut Ctx<'_>, id: PeerId, dial: Option<Id<OutgoingHandshake>>) {
    if let Some(person) = cx.peers.get_mut(id).and_then(|peer| peer.person_mut()) {
        person.dial = dial;
    }
}
