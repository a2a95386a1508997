//! Doing over and over what everyone is told of.

use proto_core::{
    id::{Recipient, Room},
    wire::{Away, FRAGMENT_UNIT, Frame, Submit},
};

use crate::clock::{Moment, SECOND};

use super::hand::Hand;

/// As short as can be, since all of it is told to everyone.
const TURN: Moment = SECOND / 50;

/// The longest text that a server takes, behind its author's time.
const LONGEST: u16 = 16 * 1024;

/// As many whole units of a message as fit a packet.
const RUN: usize = 6 * FRAGMENT_UNIT;

/// Is away and back.
pub(super) fn away_and_back(hand: &mut Hand) -> Moment {
    let away =
        hand.turns.is_multiple_of(2).then_some("gone to see whether anybody is looking for me");
    hand.say_at_home(&[Frame::Away(Away { text: away })]);
    TURN
}

/// Goes offline and comes back.
pub(super) fn coming_and_going(hand: &mut Hand) -> Moment {
    if let Some(id) = hand.home() {
        hand.say_at_home(&[Frame::Deregister(())]);
        hand.ask_for_nick(id, hand.nick());
    }
    TURN
}

/// Says the longest messages there are in the lobby, as fast as the credit lets them.
pub(super) fn flooding(hand: &mut Hand) -> Moment {
    let total = LONGEST;
    let Some(us) = hand.registered() else { return SECOND / 10 };
    while hand.spends(total.into()) {
        let (epoch, number) = (us.epoch, hand.number());
        let body = vec![b'a'; total.into()];
        let pieces = body.chunks(RUN).enumerate().map(|(at, piece)| {
            let offset = (at * RUN) as u16;
            let to = Recipient::Room(Room::LOBBY);
            Frame::Submit(Submit { to, epoch, number, key: 0, skip: 0, total, offset, piece })
        });
        let pieces: Vec<_> = pieces.collect();
        hand.say_at_home(&pieces);
    }
    TURN
}
