//! Two people who write to each other at the same time, on a slow network and behind network
//! address translators.

use std::collections::BTreeSet;

use proto_core::{id::Nick, server::Logins};
use simulation::{
    chat::{Chat, SHORTLY},
    clock::{Moment, SECOND},
    faults::Faults,
    network::nat::Kind,
    setup::Setup,
    trace::Telling,
    world::World,
};

/// Two people who are online, each behind a translator of a kind: that of the lower key first.
fn behind(lower: Kind, higher: Kind) -> Chat {
    let mut chat = Chat::of(&["alice", "bob"]);
    let [alice, bob] = ["alice", "bob"].map(|who| chat.at(who));
    let alice_is_lower = chat.world.nodes[alice].key() < chat.world.nodes[bob].key();
    let (first, second) = if alice_is_lower { (lower, higher) } else { (higher, lower) };
    chat.world.network.put_behind(alice, first);
    chat.world.network.put_behind(bob, second);
    for who in ["alice", "bob"] {
        chat.register(who);
    }
    chat.run(SHORTLY);
    for who in ["alice", "bob"] {
        assert_eq!(chat.hears(who), ["registered"]);
    }
    chat
}

/// Both speak, the second so much later, and again half a minute after that.
fn both_speak(mut chat: Chat, first: &str, second: &str, later: Moment, of: &str) {
    for round in ["one", "two"] {
        chat.say(first, second, round);
        chat.run(later);
        chat.say(second, first, round);
        chat.run(30 * SECOND);
        for (who, from) in [(first, second), (second, first)] {
            let heard = chat.hears(who);
            let came = heard.contains(&format!("{from}: {round}"));
            let arrived = heard.contains(&format!("delivered: {round}"));
            assert!(came && arrived && heard.len() == 3, "{of}: {who} hears {heard:?}");
        }
    }
    assert_eq!((chat.world.counts().direct, chat.world.counts().submissions), (4, 0), "{of}");
}

/// Pairs of kinds that can be had directly, with everything that may decide who is first.
fn go_directly(one: Kind, other: Kind) {
    for (lower, higher) in [(one, other), (other, one)] {
        for (first, second) in [("alice", "bob"), ("bob", "alice")] {
            for later in [0, 1_000, 5_000, 12_000, 20_000, 35_000, 60_000] {
                let of = format!("{lower:?} x {higher:?}, {first} {later} us before {second}");
                both_speak(behind(lower, higher), first, second, later, &of);
            }
        }
    }
}

#[test]
fn full_cone_and_port_restricted_go_directly() {
    go_directly(Kind::FullCone, Kind::PortRestricted);
}

#[test]
fn two_port_restricted_go_directly() {
    go_directly(Kind::PortRestricted, Kind::PortRestricted);
}

#[test]
fn full_cone_and_symmetric_go_directly() {
    go_directly(Kind::FullCone, Kind::Symmetric);
}

#[test]
fn address_restricted_and_symmetric_go_directly() {
    go_directly(Kind::AddressRestricted, Kind::Symmetric);
}

#[test]
fn two_symmetric_go_by_the_server() {
    let mut chat = behind(Kind::Symmetric, Kind::Symmetric);
    chat.say("alice", "bob", "one");
    chat.say("bob", "alice", "one");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice").last().unwrap(), "delivered: one");
    assert_eq!(chat.hears("bob").last().unwrap(), "delivered: one");
    assert_eq!((chat.world.counts().direct, chat.world.counts().by_server), (0, 2));
}

#[test]
fn two_who_open_to_each_other_on_a_slow_network_agree_on_one_session() {
    for seed in 0..200 {
        let faults = Faults { delay: SECOND / 4, ..Faults::none() };
        let nicks = ["alice", "bob"].map(String::from).to_vec();
        let logins = Logins::Open;
        let telling = Telling::Silent;
        let mut world = World::new(&Setup { seed, faults, nicks, real: false, logins, telling });
        let say = |world: &mut World, who, to, text: &str| {
            let said = world.say(who, Nick::new(to).unwrap(), text.into());
            said.expect("the client runs").expect("the client takes the text");
        };
        for who in [1, 2] {
            world.register(who);
        }
        world.run(10 * SECOND);
        say(&mut world, 1, "bob", "hello");
        world.run(seed * 997 % 300_000);
        say(&mut world, 2, "alice", "hello");
        world.run(SECOND);

        world.network.capture();
        for _ in 0..10 {
            say(&mut world, 1, "bob", "ping");
            say(&mut world, 2, "alice", "pong");
            world.run(2 * SECOND);
        }
        let ends = [world.network.address(1), world.network.address(2)];
        let sent = world.network.captured().into_iter();
        let packets = sent.filter(|letter| {
            letter.bytes[0] == 6 && ends.contains(&letter.from) && ends.contains(&letter.to)
        });
        let sessions: BTreeSet<_> =
            packets.map(|letter| (letter.from, letter.bytes[1..5].to_vec())).collect();
        assert!(sessions.len() <= 2, "seed {seed}: one session id in each direction");
    }
}
