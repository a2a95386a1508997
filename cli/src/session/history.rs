//! What arrived, shown again.

use proto_core::{
    client::To,
    id::{PublicKey, RoomName},
};

use crate::{
    command::Source,
    notice::{HistoryPart, Message, Notice, RoomMessage, RoomNotice},
};

use super::{Chat, Moment, display::Display};

/// Shows what came from one place, or from all.
pub(super) fn show(chat: &mut impl Chat, (display, at): (&mut Display, Moment), of: Source) {
    let mut nothing = true;
    let sources = sources(chat, of);
    if let (Source::Room(room), []) = (of, &sources[..]) {
        display.show(at, Notice::Room(RoomNotice::NotMember(room)));
        return;
    }
    for (with, key) in sources {
        let read = chat.history(key, &mut |author, time, text| {
            nothing = false;
            let said = match (with, author) {
                (To::Peer(from), _) => {
                    HistoryPart::Said(Message { from, time, text, waited: false })
                }
                (room, Some(from)) => HistoryPart::SaidIn(RoomMessage { room, from, time, text }),
                (To::Lobby | To::Room(_), None) => return,
            };
            display.show(at, Notice::History(said));
        });
        if let Err(why) = read {
            nothing = false;
            display.show(at, Notice::History(HistoryPart::Failed(why)));
        }
    }
    if nothing {
        display.show(at, Notice::History(HistoryPart::Nothing));
    }
}

/// Which logs a `/history` shows.
fn sources(chat: &mut impl Chat, of: Source) -> Vec<(To, PublicKey)> {
    let peers = chat.peers().into_iter().map(|peer| (To::Peer(peer.nick), peer.log));
    let rooms = chat.rooms().into_iter().map(|room| (room.room, room.key));
    let mut all = peers.chain(rooms);
    match of {
        Source::All => all.collect(),
        Source::Lobby => all.filter(|(with, _)| *with == To::Lobby).collect(),
        Source::Room(room) => all.filter(|(with, _)| *with == To::Room(room)).collect(),
        Source::Named(name) => {
            // Peers come first.
            let room = RoomName::new(name.as_str()).map(To::Room);
            let is_it = |with: To| with == To::Peer(name) || Ok(with) == room;
            all.find(|(with, _)| is_it(*with)).into_iter().collect()
        }
    }
}
