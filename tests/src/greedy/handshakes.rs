//! Handshakes for their own sake.

use proto_core::wire::Frame;

use crate::clock::{Moment, SECOND};

use super::hand::Hand;

/// How long someone takes who is going to hold many sessions to begin them.
const GATHERING: Moment = 10 * SECOND;

/// How often someone who never registers is heard.
const KEEP_ALIVE: Moment = 50 * SECOND;

/// How often an Init is sent at a time by who repeats it.
const REPETITIONS: u32 = 5;

/// Begins so many sessions a second, each under a key of its own.
pub(super) fn begin(hand: &mut Hand, a_second: u32) -> Moment {
    hand.dial(hand.around.server, true);
    SECOND / u64::from(a_second.max(1))
}

/// Begins sessions up to so many, and keeps all of them alive without registering.
pub(super) fn hold(hand: &mut Hand, count: usize) -> Moment {
    let live = hand.live();
    if live.len() < count {
        hand.dial(hand.around.server, true);
        return GATHERING / count as u64;
    }
    for id in live {
        hand.say(id, &[Frame::Ping(())]);
    }
    KEEP_ALIVE
}

/// Begins a session, and then sends its Init over and over, as someone might who has copied it.
pub(super) fn repeat(hand: &mut Hand) -> Moment {
    match hand.proven() {
        Some(id) if !hand.turns.is_multiple_of(10) => {
            for _ in 0..REPETITIONS {
                hand.repeat_init(id);
            }
        }
        _ => drop(hand.dial(hand.around.server, true)),
    }
    SECOND / 10
}
