//! What becomes of those whom the operator removed, and of whoever comes after them: a place in
//! the server's tables is used again, and nothing that belonged to the one before comes with it.

use proto_core::{
    client::{Event, To, Verdict},
    id::RoomName,
    server::{Logins, Operation},
    wire::{RegisterRefusal, RoomAction, RoomRefusal, SubmitRefusal},
};
use simulation::{
    clock::{Moment, SECOND},
    faults::Faults,
    place::{Place, SERVER},
    setup::Setup,
    trace::Telling,
    world::{World, part},
};

/// Longer than anything takes on a good network.
const SHORTLY: Moment = 10 * SECOND;

const ALICE: Place = 1;
const BOB: Place = 2;
const CAROL: Place = 3;
const DAVE: Place = 4;

/// Alice, bob, carol and dave, at a server with room for so many accounts and rooms.
fn world(people: usize, rooms: usize) -> World {
    let nicks = ["alice", "bob", "carol", "dave"].map(String::from).to_vec();
    let (logins, telling) = (Logins::Open, Telling::Kept);
    let setup = Setup { seed: 1, faults: Faults::none(), nicks, real: false, logins, telling };
    let mut place = 0;
    World::prepared(&setup, |plan| {
        if place == SERVER {
            (plan.room.people, plan.room.rooms) = (people, rooms);
        }
        place += 1;
    })
}

/// Alice, bob and carol at a server that has no room for dave.
fn full() -> World {
    let mut world = world(3, 8);
    for who in [ALICE, BOB, CAROL] {
        world.register(who);
        world.run(SHORTLY);
    }
    world.register(DAVE);
    world.run(SHORTLY);
    let told = world.nodes[DAVE].user.take_told();
    let full = Event::RegisterRefused(RegisterRefusal::Full);
    assert!(told.iter().any(|told| told.event == full), "{told:?}");
    world
}

fn say(world: &mut World, from: Place, to: Place, text: &str) {
    let to = world.nodes[to].nick();
    world.say(from, to, text.into()).expect("the client runs").expect("it takes the text");
}

/// What someone's durable inbox has of someone.
fn inbox(world: &World, of: Place, from: Place) -> Vec<String> {
    world.laws().inbox(world.nodes[of].key(), world.nodes[from].key())
}

/// What someone was told of the last word on their messages.
fn verdicts(world: &mut World, who: Place) -> Vec<Verdict> {
    let told = world.nodes[who].user.take_told().into_iter();
    told.filter_map(|told| match told.event {
        Event::Verdict { verdict, .. } if verdict != Verdict::Stored => Some(verdict),
        _ => None,
    })
    .collect()
}

/// In how many rooms someone is.
fn rooms(world: &mut World, who: Place) -> usize {
    let mut count = 0;
    world.nodes[who].client().expect("it runs").for_each_room(|_| count += 1);
    count
}

/// Somebody new has a removed one's place, who had written and been written to, and was in rooms.
/// The server restarts, or does not, before the newcomer comes and once more behind them; one who
/// wrote was offline meanwhile, and has restarted or not.
fn a_place_changes_hands(restarts: [bool; 2], alice_restarts: bool) {
    let mut world = full();
    let den = RoomName::new("den").unwrap();
    world.request(CAROL, RoomAction::Create(den));
    world.run(SHORTLY);
    for who in [BOB, CAROL] {
        world.request(who, RoomAction::Join(den));
        world.run(SHORTLY);
    }
    // All of it by way of the server.
    for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
        part(&mut world, one, other, 3600 * SECOND);
    }
    for (from, to) in [(ALICE, CAROL), (CAROL, ALICE), (BOB, CAROL), (CAROL, BOB)] {
        for number in 1..=3 {
            say(&mut world, from, to, &format!("letter {number}"));
        }
    }
    world.run(SHORTLY);
    assert_eq!(verdicts(&mut world, ALICE), [Verdict::Delivered; 3]);
    // Mail waits from carol and for her when she is removed.
    world.deregister(BOB);
    world.run(SHORTLY);
    say(&mut world, CAROL, BOB, "the last of carol");
    world.run(SHORTLY);
    world.deregister(CAROL);
    world.run(SHORTLY);
    say(&mut world, ALICE, CAROL, "are you there?");
    world.run(SHORTLY);
    world.deregister(ALICE);
    world.run(SHORTLY);
    let carol = world.nodes[CAROL].nick();
    world.operate(carol, Operation::Remove);
    world.run(SHORTLY);
    if restarts[0] {
        world.quit(SERVER);
        world.run(SHORTLY);
    }
    world.register(DAVE);
    world.run(SHORTLY);
    if restarts[1] {
        world.quit(SERVER);
        world.run(2 * SHORTLY);
    }
    let mut accounts = Vec::new();
    world.nodes[SERVER].server().unwrap().for_each_account(|one| accounts.push(one.account.0));
    assert_eq!(accounts, [0, 1, 2 + (1 << 20)], "dave has carol's place, and not her number");
    assert_eq!(rooms(&mut world, DAVE), 1, "he is in the lobby and nowhere else");

    if alice_restarts {
        world.quit(ALICE);
    }
    for who in [ALICE, BOB] {
        world.register(who);
    }
    world.run(SHORTLY);
    assert_eq!(inbox(&world, BOB, CAROL).last().unwrap(), "the last of carol");
    if !alice_restarts && !restarts[0] && !restarts[1] {
        let gone = Verdict::Refused(SubmitRefusal::NoRecipient);
        assert_eq!(verdicts(&mut world, ALICE), [gone], "carol is gone, whoever came after her");
    }
    for (one, other) in [(ALICE, DAVE), (BOB, DAVE)] {
        part(&mut world, one, other, 3600 * SECOND);
    }
    world.nodes[ALICE].user.take_told();
    // The same numbers as those that carol had and wrote, and nothing is taken for known.
    let others = [(ALICE, DAVE), (DAVE, ALICE), (BOB, DAVE), (DAVE, BOB)];
    for (from, to) in others {
        for number in 1..=3 {
            say(&mut world, from, to, &format!("word {number}"));
        }
    }
    world.run(SHORTLY);
    for (from, to) in others {
        assert_eq!(inbox(&world, to, from), ["word 1", "word 2", "word 3"]);
    }
    assert_eq!(verdicts(&mut world, ALICE), [Verdict::Delivered; 3]);
    assert!(inbox(&world, DAVE, CAROL).is_empty());
}

#[test]
fn somebody_new_in_a_used_place_gets_nothing_of_the_one_before() {
    for bits in 0..8 {
        let bit = |number: u32| bits >> number & 1 == 1;
        a_place_changes_hands([bit(0), bit(1)], bit(2));
    }
}

/// What came of a command about a room.
fn outcome(world: &mut World, who: Place, action: RoomAction) -> Result<(), RoomRefusal> {
    world.nodes[who].user.take_told();
    world.request(who, action);
    world.run(SHORTLY);
    let told = world.nodes[who].user.take_told().into_iter();
    let mut results = told.filter_map(|told| match told.event {
        Event::RoomResponse { result, .. } => Some(result),
        _ => None,
    });
    results.next().expect("an answer")
}

#[test]
fn an_empty_room_gives_way_after_a_while() {
    const HOUR: Moment = 3600 * SECOND;
    let mut world = world(4, 4);
    for who in [ALICE, BOB] {
        world.register(who);
    }
    world.run(SHORTLY);
    let rooms = ["empty", "left", "used", "den", "pub"].map(|name| RoomName::new(name).unwrap());
    let [empty, left, used, den, other] = rooms;
    for room in [empty, left, used] {
        assert_eq!(outcome(&mut world, ALICE, RoomAction::Create(room)), Ok(()));
    }
    // Bob says something in the second and leaves it, and is in the third.
    for room in [left, used] {
        assert_eq!(outcome(&mut world, BOB, RoomAction::Join(room)), Ok(()));
    }
    world.say(BOB, To::Room(left), "is anybody here?".into()).unwrap().unwrap();
    world.run(SHORTLY);
    assert_eq!(outcome(&mut world, BOB, RoomAction::Leave(left)), Ok(()));
    let full = Err(RoomRefusal::ServerFull);
    assert_eq!(outcome(&mut world, BOB, RoomAction::Create(den)), full, "they are new");
    world.run(HOUR);
    assert_eq!(outcome(&mut world, BOB, RoomAction::Create(den)), Ok(()));
    for restart in [false, true] {
        if restart {
            world.quit(SERVER);
            world.run(2 * SHORTLY);
        }
        assert_eq!(outcome(&mut world, BOB, RoomAction::Join(empty)), Err(RoomRefusal::Unknown));
        assert_eq!(outcome(&mut world, ALICE, RoomAction::Join(left)), Ok(()), "it has a log");
        assert_eq!(outcome(&mut world, ALICE, RoomAction::Leave(left)), Ok(()));
    }
    world.run(HOUR);
    assert_eq!(outcome(&mut world, BOB, RoomAction::Create(empty)), Ok(()), "its name is free");
    assert_eq!(outcome(&mut world, BOB, RoomAction::Create(other)), full, "the others are in use");
}

#[test]
fn who_created_many_rooms_is_told_so() {
    let mut world = world(4, 64);
    world.register(ALICE);
    world.run(SHORTLY);
    let room = |number: u32| RoomAction::Create(RoomName::new(&format!("r{number}")).unwrap());
    for number in 0..20 {
        assert_eq!(outcome(&mut world, ALICE, room(number)), Ok(()));
    }
    for _ in 0..2 {
        assert_eq!(outcome(&mut world, ALICE, room(20)), Err(RoomRefusal::TooMany));
        world.quit(SERVER);
        world.run(2 * SHORTLY);
    }
}
