//! The table of who is there, as it was shown last.

use proto_core::{client::PeerView, id::Nick};
use transport_mio::key_text;

use crate::{
    notice::{Change, Person, Someone},
    safe_text::SafeText,
};

use super::Chat;

/// Everyone but oneself as they are now, sorted by nick.
pub(super) fn everyone(chat: &mut impl Chat, own: &Nick) -> Vec<Someone> {
    let others = chat.peers().into_iter().filter(|peer| peer.nick != *own);
    let mut everyone: Vec<_> = others.map(|peer| someone(&peer)).collect();
    everyone.sort_by_key(|one| one.nick.folded());
    everyone
}

/// What is known of someone.
pub(super) fn person(chat: &mut impl Chat, nick: &Nick) -> Option<Person> {
    let peer = chat.peers().into_iter().find(|peer| peer.nick == *nick)?;
    let key = key_text::encode(&peer.key);
    Some(Person { someone: someone(&peer), key, address: peer.address })
}

fn someone(peer: &PeerView) -> Someone {
    let PeerView { nick, presence, seen, ref away, .. } = *peer;
    Someone { nick, presence, seen, away: SafeText::new(away.as_bytes()) }
}

/// Everyone but oneself, sorted by nick.
#[derive(Debug, Default)]
pub(super) struct Roster {
    everyone: Vec<Someone>,
}

impl Roster {
    pub(super) fn everyone(&self) -> &[Someone] {
        &self.everyone
    }

    /// Whether the table says that `nick` is offline.
    pub(super) fn is_offline(&self, nick: &Nick) -> bool {
        self.find(nick).is_some_and(|one| !one.is_online())
    }

    /// Takes in the table as it is now; what changed for its reader.
    pub(super) fn update(&mut self, everyone: Vec<Someone>) -> Vec<Change> {
        debug_assert!(
            everyone.is_sorted_by_key(|one| one.nick.folded()),
            "it is looked up by nick"
        );
        let changes = everyone
            .iter()
            .filter_map(|someone| match self.find(&someone.nick) {
                Some(known) if known.is_online() == someone.is_online() => None,
                known => Some(Change { someone: someone.clone(), new: known.is_none() }),
            })
            .collect();
        self.everyone = everyone;
        changes
    }

    fn find(&self, nick: &Nick) -> Option<&Someone> {
        let at =
            self.everyone.binary_search_by_key(&nick.folded(), |one| one.nick.folded()).ok()?;
        self.everyone.get(at)
    }
}

#[cfg(test)]
mod tests {
    use proto_core::{time::UnixTime, wire::Presence};

    use crate::safe_text::SafeText;

    use super::*;

    fn someone(nick: &str, online: bool) -> Someone {
        Someone {
            nick: Nick::new(nick).unwrap(),
            presence: if online { Presence::Online } else { Presence::Lost },
            seen: UnixTime(0),
            away: SafeText::new(b""),
        }
    }

    #[test]
    fn only_nicks_and_presence_count() {
        let mut roster = Roster::default();
        let (x, y) = (someone("x", true), someone("y", false));
        let new = |someone: &Someone| Change { someone: someone.clone(), new: true };
        assert_eq!(roster.update(vec![x.clone(), y.clone()]), [new(&x), new(&y)]);
        assert_eq!(roster.update(vec![x.clone(), y.clone()]), []);
        assert!(roster.is_offline(&y.nick) && !roster.is_offline(&x.nick));
        let back = someone("Y", true);
        let change = Change { someone: back.clone(), new: false };
        assert_eq!(roster.update(vec![x.clone(), back.clone()]), [change]);
        assert_eq!(roster.everyone(), [x, back]);
    }
}
