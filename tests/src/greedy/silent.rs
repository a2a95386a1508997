//! Being there, and not doing what everyone owes: nothing is acknowledged, nothing confirmed; or
//! what never came is acknowledged.

use proto_core::wire::{Ack, Frame};

use crate::clock::{Moment, SECOND};

use super::hand::Hand;

/// Is heard, so that the session does not end for silence.
pub(super) fn only_heard(hand: &mut Hand) -> Moment {
    hand.say_at_home(&[Frame::Ping(())]);
    5 * SECOND
}

/// Acknowledges packets that may have been sent: all that there were by now, at some rate.
pub(super) fn guessing(hand: &mut Hand) -> Moment {
    let largest = hand.turns;
    let ack = Ack { largest, delay: 0, first: largest, gaps: [].into_iter().collect() };
    hand.say_at_home(&[Frame::Ack(ack), Frame::Ping(())]);
    SECOND / 20
}
