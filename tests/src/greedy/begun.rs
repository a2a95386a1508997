//! Messages that are begun: more than was granted, or never to be ended.

use proto_core::{
    id::{Account, Epoch, Number, Recipient},
    wire::{FRAGMENT_UNIT, Frame, Message, Submit},
};

use crate::clock::{Moment, SECOND};

use super::hand::Hand;

/// Messages that someone begins at a time who oversteps their credit: more than ten times as much
/// as a server grants, and more than a client has room for.
const OVERSTEPPED: u64 = 64;

/// Bytes of each of those.
const LONG: u16 = 16_001;

/// Messages that someone begins who never ends them, and bytes of each: all within the credit.
const UNFINISHED: u64 = 64;
const SHORT: u16 = 7 * UNIT + 1;

const UNIT: u16 = FRAGMENT_UNIT as u16;

/// No server has so many accounts.
const NOBODY: Account = Account(0x0fff_ffff);

/// Enough for a sealed message's own overhead, so that one piece of it is one byte.
const LEAST: u16 = UNIT + 1;

/// A message's last piece is the shortest: one byte.
fn last_piece(total: u16) -> (u16, &'static [u8]) {
    (total - 1, &[7])
}

fn submit(
    to: Recipient,
    (epoch, number): (Epoch, Number),
    total: u16,
    (offset, piece): (u16, &[u8]),
) -> Frame<'_> {
    Frame::Submit(Submit {
        to,
        epoch,
        number,
        key: 0,
        skip: all_before(number),
        total,
        offset,
        piece,
    })
}

/// With that, a message is always the next one: it waits for none before it.
fn all_before(number: Number) -> u32 {
    (number.0 - 1) as u32
}

/// Begins more at the server than it grants, once a second.
pub(super) fn beyond_credit(hand: &mut Hand) -> Moment {
    let (Some(to), Some(us)) = (hand.victim(), hand.registered()) else { return SECOND / 10 };
    let begun: Vec<_> = (0..OVERSTEPPED)
        .map(|_| submit(to, (us.epoch, hand.number()), LONG, last_piece(LONG)))
        .collect();
    hand.say_at_home(&begun);
    SECOND
}

/// Begins more at every client than it grants, once a second.
pub(super) fn beyond_credit_of_peers(hand: &mut Hand) -> Moment {
    let Some(us) = hand.registered() else { return SECOND / 10 };
    for with in hand.around.clients.clone() {
        let Some(id) = hand.session_with(with) else {
            hand.dial(with, false);
            continue;
        };
        let begun: Vec<_> = (0..OVERSTEPPED)
            .map(|_| {
                let ((offset, piece), number) = (last_piece(LONG), hand.number());
                let (epoch, skip, total) = (us.epoch, all_before(number), LONG);
                Frame::Message(Message { epoch, number, skip, total, offset, piece })
            })
            .collect();
        hand.say(id, &begun);
    }
    SECOND
}

/// Begins as many messages as are granted, and sends one more piece of each every 25 seconds, but
/// never the last one.
pub(super) fn without_end(hand: &mut Hand) -> Moment {
    let victim = hand.victims().first().copied();
    let (Some(to), Some(us)) = (victim, hand.registered()) else { return SECOND / 10 };
    let offset = (hand.turns % u64::from(SHORT / UNIT)) as u16 * UNIT;
    let pieces: Vec<_> = (1..=UNFINISHED)
        .map(|at| {
            let name = (us.epoch, Number(at));
            submit(to, name, SHORT, (offset, &[7; FRAGMENT_UNIT]))
        })
        .collect();
    hand.say_at_home(&pieces);
    25 * SECOND
}

/// Submits a sealed message to each honest person that none of them can open, once a second.
pub(super) fn unreadable(hand: &mut Hand) -> Moment {
    let Some(us) = hand.registered() else { return SECOND / 10 };
    for to in hand.victims() {
        let number = hand.number();
        hand.say_at_home(&[submit(to, (us.epoch, number), UNIT, (0, &[7; FRAGMENT_UNIT]))]);
    }
    SECOND
}

/// Submits messages of one byte to nobody.
pub(super) fn to_nobody(hand: &mut Hand, count: u32) -> Moment {
    let Some(us) = hand.registered() else { return SECOND / 10 };
    let to = Recipient::Account(NOBODY);
    let all: Vec<_> = (0..count)
        .map(|_| submit(to, (us.epoch, hand.number()), LEAST, last_piece(LEAST)))
        .collect();
    hand.say_at_home(&all);
    hand.say_at_home(&[Frame::Ping(())]);
    SECOND
}
