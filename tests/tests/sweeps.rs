//! Every story, with each single thing in it that may go wrong. `UDPCHAT_SWEEP` says which
//! telling to replay.

use std::{collections::BTreeSet, env};

use proto_core::{
    id::Recipient,
    wire::{Frame, Frames, TAG_LENGTH},
};
use simulation::{
    disturbance::Disturbance,
    letter::Letter,
    stories::STORIES,
    suite::Seals,
    sweep::{self, Kind},
    tale::{Pace, Tale},
    trace::Telling,
};

// The first byte of a datagram.
const HELLO_SERVER: u8 = 1;
const PACKET: u8 = 6;

#[test]
fn a_datagram_that_is_lost_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Lost]));
}

#[test]
fn a_datagram_that_comes_twice_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Doubled, Kind::Again]));
}

#[test]
fn a_datagram_that_is_late_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Overtaken, Kind::Late]));
}

#[test]
fn a_crash_at_any_change_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::CrashBefore, Kind::CrashAfter]));
}

#[test]
fn a_store_that_fails_once_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Failed]));
}

/// One telling, line by line.
#[test]
fn replay() {
    if let Ok(name) = env::var("UDPCHAT_SWEEP") {
        sweep::replay(name.parse().unwrap());
    }
}

/// What was under the seal of a datagram that was sent in this thread's last world.
fn plaintext(datagram: &[u8]) -> Vec<u8> {
    let tag = datagram.len().saturating_sub(TAG_LENGTH);
    Seals::plaintext(&datagram[tag..]).unwrap_or_default()
}

#[test]
fn the_stories_together_use_every_frame() {
    let (mut datagrams, mut frames) = (BTreeSet::new(), BTreeSet::new());
    let (mut ends, mut pieces) = (BTreeSet::new(), BTreeSet::new());
    for story in STORIES {
        let mut tale = Tale::tell(story, Pace::Network, Disturbance::None, Telling::Kept);
        for Letter { bytes: datagram, .. } in tale.world.network.captured() {
            datagrams.insert(datagram[0]);
            if datagram[0] != PACKET {
                continue;
            }
            for frame in Frames::new(&plaintext(&datagram)) {
                let frame = frame.expect("what is sent can be read");
                frames.insert(frame.kind());
                match frame {
                    Frame::Close(reason) => {
                        ends.insert(format!("{reason:?}"));
                    }
                    Frame::Message(say) if say.offset > 0 => {
                        pieces.insert("said");
                    }
                    Frame::Submit(submit) if submit.offset > 0 => {
                        let is_for_room = matches!(submit.to, Recipient::Room(_));
                        pieces.insert(if is_for_room { "for a room" } else { "for a person" });
                    }
                    Frame::Mail(mail) if mail.offset > 0 => {
                        pieces.insert("mail");
                    }
                    Frame::RoomEntry(entry) if entry.offset > 0 => {
                        pieces.insert("from a room");
                    }
                    _ => {}
                }
            }
        }
    }
    let all: BTreeSet<_> =
        (0..=u8::MAX).filter(|kind| Frame::size_bound(*kind).is_some()).collect();
    let missing: Vec<_> = all.difference(&frames).map(|kind| format!("{kind:#x}")).collect();
    assert!(missing.is_empty(), "no story has a frame of type {missing:?}");
    assert_eq!(datagrams, (HELLO_SERVER..=PACKET).collect());
    assert_eq!(pieces.len(), 5, "only {pieces:?} comes in pieces");
    // No honest participant says the others.
    let honest = ["Displaced", "Expelled", "Full", "Leaving"].map(String::from);
    assert_eq!(ends, BTreeSet::from(honest));
}
