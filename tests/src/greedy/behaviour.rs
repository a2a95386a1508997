//! What people with keys do to get more than their share.

use proto_core::wire::Frame;

use crate::clock::Moment;

use super::{
    begun,
    hand::{Hand, Manners},
    handshakes, restless, silent, squatting,
};

/// What someone with keys does, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Nothing but what everyone should: they are there, acknowledge and confirm.
    Polite,
    /// Begins more messages at the server than it grants.
    Oversteps,
    /// Begins more messages at clients, as a peer, than they grant.
    OverstepsAtPeers,
    /// Writes sealed messages to honest people that nobody can read, whole ones, one a second.
    WritesTo,
    /// Begins messages, sends one more piece of each every 25 s, and never ends them.
    NeverEnds,
    /// Never acknowledges, but keeps sending Pings.
    NeverAcknowledges,
    /// Submits so many one-byte messages to nobody each second, and acknowledges what comes of
    /// that or does not.
    SubmitsToNobody {
        /// How many each second.
        a_second: u32,
        /// Whether refusals are acknowledged.
        acknowledges: bool,
    },
    /// Completes so many handshakes a second, each under a new key, and closes them.
    OpensSessions {
        /// How many each second.
        a_second: u32,
    },
    /// Completes so many handshakes, keeps the sessions alive, and never registers.
    HoldsSessions {
        /// How many.
        count: usize,
    },
    /// Registers one nick after another, some 70 a second.
    SquatsNicks,
    /// Creates one room after another, 50 a second.
    SquatsRooms,
    /// Creates, joins and leaves a room, 50 times a second.
    JoinsAndLeaves,
    /// Is away and back 50 times a second.
    AwayAndBack,
    /// Goes offline and comes back 50 times a second.
    ComesAndGoes,
    /// Floods the lobby with the longest messages.
    FloodsLobby,
    /// Acknowledges packets, and never confirms mail nor entries of rooms.
    NeverConfirms,
    /// Repeats Inits.
    RepeatsInits,
    /// Acknowledges packets that never came, by guessing.
    GuessesAcknowledgements,
}

impl Behaviour {
    /// All that abuse something, with drawn worlds' rates.
    pub const GREEDY: [Self; 18] = [
        Self::Oversteps,
        Self::OverstepsAtPeers,
        Self::WritesTo,
        Self::NeverEnds,
        Self::NeverAcknowledges,
        Self::SubmitsToNobody { a_second: 200, acknowledges: true },
        Self::SubmitsToNobody { a_second: 200, acknowledges: false },
        Self::OpensSessions { a_second: 20 },
        Self::HoldsSessions { count: 100 },
        Self::SquatsNicks,
        Self::SquatsRooms,
        Self::JoinsAndLeaves,
        Self::AwayAndBack,
        Self::ComesAndGoes,
        Self::FloodsLobby,
        Self::NeverConfirms,
        Self::RepeatsInits,
        Self::GuessesAcknowledgements,
    ];

    /// Everyone is told of what they do.
    pub(crate) fn is_loud(self) -> bool {
        matches!(
            self,
            Self::SquatsNicks | Self::AwayAndBack | Self::ComesAndGoes | Self::FloodsLobby
        )
    }

    /// They have a nick, and do what they do in the session that they have it through.
    pub(super) fn registers(self) -> bool {
        !matches!(
            self,
            Self::OpensSessions { .. }
                | Self::HoldsSessions { .. }
                | Self::SquatsNicks
                | Self::RepeatsInits
        )
    }

    pub(super) fn manners(self) -> Manners {
        let acknowledges = match self {
            Self::SubmitsToNobody { acknowledges, .. } => acknowledges,
            Self::NeverAcknowledges | Self::GuessesAcknowledgements => false,
            _ => true,
        };
        Manners { acknowledges, confirms: acknowledges && self != Self::NeverConfirms }
    }

    /// Their turn, once they are registered if they are to be; how long until the next.
    pub(super) fn act(self, hand: &mut Hand) -> Moment {
        match self {
            Self::Polite | Self::NeverConfirms | Self::NeverAcknowledges => {
                silent::only_heard(hand)
            }
            Self::Oversteps => begun::beyond_credit(hand),
            Self::OverstepsAtPeers => begun::beyond_credit_of_peers(hand),
            Self::WritesTo => begun::unreadable(hand),
            Self::NeverEnds => begun::without_end(hand),
            Self::SubmitsToNobody { a_second, .. } => begun::to_nobody(hand, a_second),
            Self::OpensSessions { a_second } => handshakes::begin(hand, a_second),
            Self::HoldsSessions { count } => handshakes::hold(hand, count),
            Self::SquatsNicks => squatting::on_nicks(hand),
            Self::SquatsRooms => squatting::on_rooms(hand),
            Self::JoinsAndLeaves => squatting::on_places(hand),
            Self::AwayAndBack => restless::away_and_back(hand),
            Self::ComesAndGoes => restless::coming_and_going(hand),
            Self::FloodsLobby => restless::flooding(hand),
            Self::RepeatsInits => handshakes::repeat(hand),
            Self::GuessesAcknowledgements => silent::guessing(hand),
        }
    }

    /// A session of theirs is live.
    pub(super) fn greet(self, hand: &mut Hand, id: u32) {
        match self {
            Self::OpensSessions { .. } => hand.hang_up(id),
            Self::SquatsNicks => {
                let nick = squatting::fresh_nick(hand);
                hand.ask_for_nick(id, nick);
            }
            Self::RepeatsInits => {}
            _ => hand.say(id, &[Frame::Ping(())]),
        }
    }
}
