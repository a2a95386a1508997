//! What passes over the wire, with the real suite: nothing of it can be read, and
//! nothing that was changed or seen before has an effect.

use std::collections::BTreeSet;

use proto_core::{
    client::{Event, Status, Verdict},
    server::Logins,
    wire::TAG_LENGTH,
};
use simulation::{
    clock::SECOND,
    faults::Faults,
    letter::Letter,
    node::Reaction,
    place::{Place, SERVER},
    setup::Setup,
    suite::Seals,
    trace::Telling,
    world::World,
};

const ALICE: Place = 1;
const BOBBY: Place = 2;

// The first byte of a datagram.
const HELLO_SERVER: u8 = 1;
const HELLO_PEER: u8 = 2;
const RETRY: u8 = 3;
const INIT: u8 = 4;
const ACCEPT: u8 = 5;
const PACKET: u8 = 6;

fn world(telling: Telling) -> World {
    let nicks = ["alice", "bobby"].map(String::from).to_vec();
    World::new(&Setup {
        seed: 7,
        faults: Faults::none(),
        nicks,
        real: true,
        logins: Logins::Open,
        telling,
    })
}

fn say(world: &mut World, who: Place, to: Place, text: &str) {
    let nick = world.nodes[to].nick();
    world.say(who, nick, text.into()).expect("the client runs").expect("the text is taken");
}

/// How often a client was told that a message of its own was delivered.
fn delivered(world: &World, place: Place) -> usize {
    let is = |event| matches!(event, Event::Verdict { verdict: Verdict::Delivered, .. });
    world.nodes[place].user.told().iter().filter(|told| is(told.event)).count()
}

fn pieces(bytes: &[u8]) -> BTreeSet<[u8; 4]> {
    bytes.windows(4).filter_map(|piece| piece.try_into().ok()).collect()
}

#[test]
fn a_capture_shows_no_piece_of_a_nick_or_a_text() {
    let direct = ["Shall we meet by the old mill?", "Yes, at a quarter past seven!"];
    let saved = "The key lies under the flower pot.";
    let mut world = world(Telling::Kept);
    world.network.capture();
    world.register(ALICE);
    world.register(BOBBY);
    world.run(3 * SECOND);
    say(&mut world, ALICE, BOBBY, direct[0]);
    world.run(SECOND);
    say(&mut world, BOBBY, ALICE, direct[1]);
    world.run(SECOND);
    world.deregister(BOBBY);
    world.run(3 * SECOND);
    say(&mut world, ALICE, BOBBY, saved);
    world.run(3 * SECOND);
    world.register(BOBBY);
    world.run(5 * SECOND);

    let (alice, bobby) = (world.nodes[ALICE].key(), world.nodes[BOBBY].key());
    assert_eq!(world.laws().inbox(bobby, alice), [direct[0], saved]);
    assert_eq!(world.laws().inbox(alice, bobby), [direct[1]]);
    assert_eq!((world.counts().direct, world.counts().stored, world.counts().by_server), (2, 1, 1));

    let capture = world.network.captured();
    let kinds: BTreeSet<u8> = capture.iter().map(|letter| letter.bytes[0]).collect();
    assert_eq!(kinds, (HELLO_SERVER..=PACKET).collect());

    let nicks = ["alice", "bobby", "ALICE", "BOBBY"];
    let texts: Vec<_> = direct.into_iter().chain([saved]).collect();
    let secret: BTreeSet<_> =
        nicks.iter().chain(&texts).flat_map(|text| pieces(text.as_bytes())).collect();
    for Letter { from, to, bytes } in &capture {
        let shown: Vec<_> = pieces(bytes).intersection(&secret).copied().collect();
        assert!(shown.is_empty(), "{from} -> {to}: {shown:?} is to be read in {bytes:?}");
    }

    // All of it did pass, under the seals; and what the server could open is no text.
    let server = world.network.address(SERVER);
    let (mut to_server, mut to_peers) = (Vec::new(), Vec::new());
    for Letter { from, to, bytes } in &capture {
        let plain = Seals::plaintext(&bytes[bytes.len() - TAG_LENGTH..]).unwrap_or_default();
        let side = if [*from, *to].contains(&server) { &mut to_server } else { &mut to_peers };
        side.extend_from_slice(&plain);
        side.push(0);
    }
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(has(&to_server, "alice") && has(&to_server, "bobby"));
    assert!(direct.iter().all(|text| has(&to_peers, text)));
    let open = pieces(&to_server);
    assert!(texts.iter().all(|text| pieces(text.as_bytes()).is_disjoint(&open)));
}

/// Takes the next datagram of a kind from one node to another off the network.
fn hold(world: &mut World, kind: u8, from: Place, to: Place) {
    let (from, to) = (world.network.address(from), world.network.address(to));
    world
        .network
        .intercept(move |letter| letter.bytes[0] == kind && letter.from == from && letter.to == to);
}

fn probe(world: &mut World, letter: &Letter) -> Reaction {
    world.probe(letter).expect("the receiver runs")
}

/// A datagram that is no answer to anything leaves no trace, but that a Hello is
/// answered by a Retry.
fn is_without_effect(letter: &Letter, reaction: &Reaction) -> bool {
    let is_hello = matches!(letter.bytes[0], HELLO_SERVER | HELLO_PEER);
    let is_retry = |answer: &[u8]| answer[0] == RETRY && answer.len() * 2 <= letter.bytes.len();
    reaction.is_drop() || is_hello && reaction.answer().is_some_and(is_retry)
}

/// Flips each bit of a datagram on its way, then lets it arrive, and again.
fn try_all_of(world: &mut World, letter: &Letter) {
    let sessions = world.counts().handshakes;
    for bit in 0..letter.bytes.len() * 8 {
        let flipped = letter.flipped(bit);
        let reaction = probe(world, &flipped);
        assert!(is_without_effect(&flipped, &reaction), "bit {bit}: {reaction:?}");
    }
    // To someone it is not for, and back to whoever sent it.
    for to in 0..world.nodes.len() {
        let to = world.network.address(to);
        if to != letter.to {
            for from in [letter.from, letter.to].into_iter().filter(|from| *from != to) {
                let astray = Letter { from, to, bytes: letter.bytes.clone() };
                let reaction = probe(world, &astray);
                assert!(reaction.is_drop(), "astray to {to}: {reaction:?}");
            }
        }
    }
    assert_eq!(world.counts().handshakes, sessions);

    world.network.capture();
    world.deliver(letter);
    let answers = world.network.captured();
    let again = probe(world, letter);
    if letter.bytes[0] == INIT {
        // Until it is confirmed: the very same bytes once more.
        let accept = &answers[0].bytes;
        assert_eq!(again.answer(), Some(accept.as_slice()), "again: {again:?}");
    } else {
        assert!(is_without_effect(letter, &again), "again: {again:?}");
    }
    for pause in [1, 5, 20, 120] {
        world.run(pause * SECOND);
        let late = probe(world, letter);
        let silent = late.is_silent() || is_without_effect(letter, &late);
        assert!(silent, "{pause} s later: {late:?}");
    }
}

/// The client at `from` or at `to` reaches its server, with one datagram tried on its way.
fn between_client_and_server(kind: u8, from: Place, to: Place) {
    let mut world = world(Telling::Silent);
    world.register(BOBBY);
    world.run(2 * SECOND);
    hold(&mut world, kind, from, to);
    world.register(ALICE);
    let letter = world.intercepted();
    try_all_of(&mut world, &letter);
    conversation_works(&mut world);
}

/// Alice reaches Bobby, with one datagram tried on its way.
fn between_peers(kind: u8, from: Place, to: Place) {
    let mut world = world(Telling::Silent);
    world.register(ALICE);
    world.register(BOBBY);
    world.run(3 * SECOND);
    hold(&mut world, kind, from, to);
    say(&mut world, ALICE, BOBBY, "good morning");
    let letter = world.intercepted();
    try_all_of(&mut world, &letter);
    assert_eq!(delivered(&world, ALICE), 1);
    conversation_works(&mut world);
}

/// Both are online and get through to each other, and nothing ever went astray.
fn conversation_works(world: &mut World) {
    let before = [ALICE, BOBBY].map(|place| delivered(world, place));
    say(world, ALICE, BOBBY, "how are you?");
    world.run(2 * SECOND);
    say(world, BOBBY, ALICE, "fine, and you?");
    world.run(2 * SECOND);
    for (place, before) in [ALICE, BOBBY].into_iter().zip(before) {
        let status = world.nodes[place].client().map(|client| client.status());
        assert_eq!((status, delivered(world, place)), (Some(Status::Online), before + 1));
    }
    assert_eq!((world.counts().submissions, world.counts().by_server), (0, 0));
}

#[test]
fn no_bit_of_a_hello_may_change() {
    between_client_and_server(HELLO_SERVER, ALICE, SERVER);
    between_peers(HELLO_PEER, ALICE, BOBBY);
}

#[test]
fn no_bit_of_a_retry_may_change() {
    between_client_and_server(RETRY, SERVER, ALICE);
    between_peers(RETRY, BOBBY, ALICE);
}

#[test]
fn no_bit_of_an_init_may_change() {
    between_client_and_server(INIT, ALICE, SERVER);
    between_peers(INIT, ALICE, BOBBY);
}

#[test]
fn no_bit_of_an_accept_may_change() {
    between_client_and_server(ACCEPT, SERVER, ALICE);
    between_peers(ACCEPT, BOBBY, ALICE);
}

#[test]
fn no_bit_of_a_packet_may_change() {
    between_client_and_server(PACKET, ALICE, SERVER);
    between_client_and_server(PACKET, SERVER, ALICE);
    between_peers(PACKET, ALICE, BOBBY);
    between_peers(PACKET, BOBBY, ALICE);
}
