//! A server that has all its keys and says what it likes: what it cannot know is not believed.

use proto_core::{
    Received,
    client::{Event, Verdict},
    id::{Nick, Number, Position},
    server::Logins,
    wire::{DeliveryStatus, Frame, Mail},
};
use simulation::{
    clock::{Moment, SECOND},
    faults::Faults,
    place::{Place, SERVER},
    setup::Setup,
    trace::Telling,
    world::World,
};

const SHORTLY: Moment = 3 * SECOND;

const ALICE: Place = 1;
const BOB: Place = 2;

/// Alice is online, and bob has just left.
fn without_bob() -> World {
    let mut world = World::new(&Setup {
        seed: 1,
        faults: Faults { dishonest: true, ..Faults::none() },
        nicks: ["alice", "bob"].map(String::from).into(),
        real: false,
        logins: Logins::Open,
        telling: Telling::Kept,
    });
    for who in [ALICE, BOB] {
        world.register(who);
    }
    world.run(SHORTLY);
    world.deregister(BOB);
    world.run(SHORTLY);
    world
}

fn say(world: &mut World, from: Place, to: Place, text: &str) {
    let to = world.nodes[to].nick();
    let said = world.say(from, to, text.into()).expect("the client runs");
    said.expect("the client takes the text");
}

/// The next packet from the server to a client with such a frame is held.
fn hold(world: &mut World, to: Place, wanted: fn(&Frame<'_>) -> bool) {
    let (from, to) = (world.network.address(SERVER), world.network.address(to));
    world
        .network
        .intercept(move |letter| (letter.from, letter.to) == (from, to) && letter.has(wanted));
}

/// What someone was told of their messages, the last word on each.
fn verdicts(world: &World, who: Place) -> Vec<Verdict> {
    let verdict = |event| match event {
        Event::Verdict { verdict, .. } => Some(verdict),
        _ => None,
    };
    world.nodes[who].user.told().iter().filter_map(|told| verdict(told.event)).collect()
}

/// What someone was shown of others' messages.
fn shown(world: &World, who: Place) -> Vec<(String, String)> {
    let told = world.nodes[who].user.told().iter();
    told.filter_map(|told| match told.event {
        Event::Message { from, .. } => Some((from.to_string(), told.text.clone())),
        _ => None,
    })
    .collect()
}

#[test]
fn delivered_is_the_recipients_word_only() {
    let mut world = without_bob();
    hold(
        &mut world,
        ALICE,
        |frame| matches!(frame, Frame::DeliveryStatus(p) if p.stored.number != Number(0)),
    );
    say(&mut world, ALICE, BOB, "do you hear me?");
    let honest = world.intercepted();
    let lie = honest.with_lies(|frame| match frame {
        Frame::DeliveryStatus(progress) => Some(Frame::DeliveryStatus(DeliveryStatus {
            received: Received::only(progress.stored),
            receipt: [7; 16],
            ..*progress
        })),
        _ => None,
    });
    world.deliver(&lie);
    world.run(SHORTLY);
    assert_eq!(verdicts(&world, ALICE), [Verdict::Stored]);
    world.register(BOB);
    world.run(SHORTLY);
    assert_eq!(shown(&world, BOB), [("alice".into(), "do you hear me?".into())]);
    assert_eq!(verdicts(&world, ALICE), [Verdict::Stored, Verdict::Delivered]);
}

fn after(position: Position) -> Position {
    Position { number: position.number.next(), ..position }
}

/// What bob attested of one message does not do for the next.
#[test]
fn a_receipt_is_for_what_it_names() {
    let mut world = without_bob();
    say(&mut world, ALICE, BOB, "one");
    world.run(SHORTLY);
    hold(
        &mut world,
        ALICE,
        |frame| matches!(frame, Frame::DeliveryStatus(p) if !p.received.is_none()),
    );
    world.register(BOB);
    let honest = world.intercepted();
    world.deregister(BOB);
    world.run(SHORTLY);
    say(&mut world, ALICE, BOB, "two");
    world.run(SHORTLY);
    let before = [Verdict::Stored, Verdict::Delivered, Verdict::Stored];
    assert_eq!(verdicts(&world, ALICE), before);
    let lie = honest.with_lies(|frame| match frame {
        Frame::DeliveryStatus(progress) => Some(Frame::DeliveryStatus(DeliveryStatus {
            stored: after(progress.stored),
            received: Received { last: after(progress.received.last), ..progress.received },
            ..*progress
        })),
        _ => None,
    });
    world.deliver(&lie);
    world.run(SHORTLY);
    assert_eq!(verdicts(&world, ALICE), before);
    world.register(BOB);
    world.run(SHORTLY);
    assert_eq!(shown(&world, BOB).last().unwrap().1, "two");
    assert_eq!(verdicts(&world, ALICE).last(), Some(&Verdict::Delivered));
}

/// What the server leaves out is a gap to its reader, and nothing that its author is told was delivered.
#[test]
fn what_is_left_out_is_delivered_to_nobody() {
    let mut world = without_bob();
    for text in ["one", "two", "three"] {
        say(&mut world, ALICE, BOB, text);
    }
    world.run(SHORTLY);
    hold(&mut world, BOB, |frame| matches!(frame, Frame::Mail(_)));
    world.register(BOB);
    let lie = world.intercepted().with_lies(|frame| match frame {
        Frame::Mail(mail) if mail.number < Number(3) => Some(Frame::Ping(())),
        Frame::Mail(mail) => Some(Frame::Mail(Mail { previous: 0, ..*mail })),
        _ => None,
    });
    world.deliver(&lie);
    world.run(SHORTLY);
    assert_eq!(shown(&world, BOB), [("alice".into(), "three".into())]);
    let from = Nick::new("alice").expect("a nick");
    let gap = Event::Gap { from, missing: 2 };
    assert!(world.nodes[BOB].user.told().iter().any(|told| told.event == gap));
    let last = &verdicts(&world, ALICE)[3..];
    assert_eq!(last, [Verdict::Unconfirmed, Verdict::Unconfirmed, Verdict::Delivered]);
}

/// A cursor that no message can have is not believed: written down, it would make the whole
/// conversation unreadable after the next start.
#[test]
fn a_cursor_beyond_all_numbers_damages_nothing() {
    let mut world = without_bob();
    hold(
        &mut world,
        ALICE,
        |frame| matches!(frame, Frame::DeliveryStatus(p) if p.stored.number != Number(0)),
    );
    say(&mut world, ALICE, BOB, "do you hear me?");
    let honest = world.intercepted();
    let lie = honest.with_lies(|frame| match frame {
        Frame::DeliveryStatus(progress) => {
            let stored = Position { number: Number(1 << 40), ..progress.stored };
            Some(Frame::DeliveryStatus(DeliveryStatus { stored, ..*progress }))
        }
        _ => None,
    });
    world.deliver(&lie);
    world.run(SHORTLY);
    world.crash(ALICE);
    world.boot(ALICE);
    world.register(ALICE);
    world.register(BOB);
    world.run(60 * SECOND);
    assert!(!world.nodes[ALICE].user.told().iter().any(|told| told.event == Event::Damaged));
    assert_eq!(shown(&world, BOB), [("alice".into(), "do you hear me?".into())]);
}
