//! What comes of those who do not keep to the protocol, or have no part in it: nothing.

use proto_core::{
    id::{Room, RoomName},
    server::Logins,
    wire::{Frame, Frames, Presence, RoomAction, TAG_LENGTH},
};
use simulation::{
    clock::SECOND,
    faults::Faults,
    letter::Letter,
    place::{Place, SERVER},
    setup::Setup,
    suite::Seals,
    trace::Telling,
    world::World,
};

const ALICE: Place = 1;
const BOB: Place = 2;

// A type of frames.
const READ: u8 = 0x31;

/// Alice and bob are online, and all that is sent is kept.
fn world() -> World {
    let mut world = World::new(&Setup {
        seed: 1,
        faults: Faults::none(),
        nicks: ["alice", "bob"].map(String::from).to_vec(),
        real: false,
        logins: Logins::Open,
        telling: Telling::Kept,
    });
    world.network.capture();
    world.register(ALICE);
    world.register(BOB);
    world.run(3 * SECOND);
    world
}

/// What was under the seals of all that went from one to another.
fn plaintexts(world: &World, from: Place, to: Place) -> Vec<Vec<u8>> {
    let ends = (world.network.address(from), world.network.address(to));
    let sent = world.network.seen().iter().filter(|letter| (letter.from, letter.to) == ends);
    sent.filter_map(|Letter { bytes, .. }| Seals::plaintext(&bytes[bytes.len() - TAG_LENGTH..]))
        .collect()
}

/// Some frame that went from one to another is such a one.
fn has(world: &World, from: Place, to: Place, is: impl Fn(&Frame<'_>) -> bool) -> bool {
    let plain = plaintexts(world, from, to);
    plain.iter().flat_map(|plain| Frames::new(plain)).flatten().any(|frame| is(&frame))
}

/// A member that asks for what was said before it joined is not given it.
#[test]
fn nobody_reads_what_was_said_before_they_joined() {
    let mut world = world();
    let den = RoomName::new("den").unwrap();
    for action in [RoomAction::Create(den), RoomAction::Join(den)] {
        world.request(ALICE, action);
        world.run(3 * SECOND);
    }
    world.say(ALICE, den, "nobody else hears this".into()).unwrap().unwrap();
    world.run(3 * SECOND);
    Seals::rewrite(Some(|kind, body| {
        // Behind the room's number, whose bytes but the last have the highest bit.
        let upto = body.iter().position(|byte| byte & 0x80 == 0).map_or(0, |last| last + 1);
        if let (Some(upto), READ) = (body.get_mut(upto), kind) {
            *upto = 0;
        }
    }));
    world.request(BOB, RoomAction::Join(den));
    world.run(3 * SECOND);
    Seals::rewrite(None);
    let is_greedy = |frame: &Frame<'_>| matches!(frame, Frame::Read(read) if read.room != Room::LOBBY && read.upto == 0);
    assert!(has(&world, BOB, SERVER, is_greedy), "bob asks for no more than is his");
    world.say(ALICE, den, "welcome".into()).unwrap().unwrap();
    world.run(3 * SECOND);
    let comes = |index| {
        let is =
            |frame: &Frame<'_>| matches!(frame, Frame::RoomEntry(entry) if entry.index == index);
        has(&world, SERVER, BOB, is)
    };
    assert_eq!([1, 2].map(comes), [false, true]);
}

/// Who has no keys cannot make someone seem to be there who is not.
#[test]
fn forgeries_do_not_keep_alive_who_is_gone() {
    let mut world = world();
    let (alice, server) = (world.network.address(ALICE), world.network.address(SERVER));
    let capture = world.network.captured();
    let mut capture = capture.iter().rev();
    let last = capture.find(|letter| (letter.from, letter.to) == (alice, server)).unwrap();
    world.crash(ALICE);
    for at in 0..16 {
        // A packet number that was not seen, under a seal that is not right.
        let mut forgery = last.flipped(8 * 5 + 3);
        forgery.bytes[6] = at;
        world.deliver(&forgery);
        world.run(5 * SECOND);
    }
    let alice = world.nodes[ALICE].key();
    let mut presence = None;
    world.nodes[SERVER].server().unwrap().for_each_account(|account| {
        if account.key == alice {
            presence = Some(account.presence);
        }
    });
    assert_eq!(presence, Some(Presence::Lost));
}
