//! What the host's user is to hear of.

use heapless::Deque;

use super::{
    event::Event,
    roster::{id::PeerId, list::PeerList, peer::Telling, peers::Peers},
};

/// Events that wait to be told: more than happen between two polls.
const WAITING: usize = 16;

/// Events of the client as a whole, and whom there is something to tell about. What there is to
/// tell of one message, or of one peer, is noted in its row, so that none of that is ever lost.
#[derive(Debug, Default)]
pub(super) struct News {
    events: Deque<Event, WAITING>,
    peers: PeerList<Telling>,
}

impl News {
    /// The user is to hear of an event. If too many wait, the oldest gives way.
    pub(super) fn tell(&mut self, event: Event) {
        let says_it_all =
            matches!(event, Event::RosterChanged | Event::StoreFailed | Event::Damaged);
        if says_it_all && self.events.iter().any(|told| *told == event)
            || self.events.back() == Some(&event)
        {
            return;
        }
        if self.events.is_full() {
            self.events.pop_front();
        }
        // There is room: the oldest just gave way.
        let _ = self.events.push_back(event);
    }

    /// The user is to hear of what is noted in a peer's row.
    pub(super) fn tell_of(&mut self, peers: &mut Peers<'_>, id: PeerId) {
        self.peers.push_back(peers, id);
    }

    /// The next event.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next peer that has something noted.
    pub(super) fn next_peer(&self) -> Option<PeerId> {
        self.peers.front()
    }

    /// All is told that is noted of the next peer.
    pub(super) fn peer_told(&mut self, peers: &mut Peers<'_>) {
        self.peers.pop_front(peers);
    }

    pub(super) fn is_owing(&self) -> bool {
        !self.events.is_empty() || !self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_it_all_is_told_once_and_the_newest_are_kept() {
        let mut news = News::default();
        for _ in 0..3 {
            news.tell(Event::RosterChanged);
            news.tell(Event::ServerSilent);
        }
        assert_eq!(news.next_event(), Some(Event::RosterChanged));
        assert_eq!(news.next_event(), Some(Event::ServerSilent));
        assert_eq!(news.next_event(), None);
        for at in 0..2 * WAITING {
            news.tell(if at % 2 == 0 { Event::ServerSilent } else { Event::ServerBack });
        }
        assert_eq!(core::iter::from_fn(|| news.next_event()).count(), WAITING);
    }
}
