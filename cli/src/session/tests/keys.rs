//! Keys that change, and keys that are compared.

use jiff::tz::TimeZone;
use proto_core::{client::Event, id::PublicKey};

use crate::modern::Modern;

use super::world::{World, nick};

fn world() -> World {
    let mut world = World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC, || None)), false)
        .online(&[("bob", true)]);
    world.seen();
    world
}

#[test]
fn another_key_is_told_and_accepted_by_the_users_word() {
    let mut world = world();
    world.line("/trust bob");
    assert!(world.seen()[0].contains("nothing to trust") && world.asked().is_empty());
    for verified in [false, true] {
        let key = PublicKey([7; 32]);
        world.event(Event::KeyChanged { nick: nick("bob"), key, verified });
        let seen = world.seen().join(" ");
        let key = transport_mio::key_text::encode(&key);
        let fate = if verified { "is refused until" } else { "is held until" };
        assert!(seen.contains("CAUTION") && seen.contains(&key) && seen.contains(fate), "{seen}");
        world.line("/trust bob");
        assert_eq!(world.asked(), ["trust bob"]);
        world.seen();
    }
    world.line("/trust bob");
    assert!(world.seen()[0].contains("nothing to trust"), "it is said once");
}

#[test]
fn keys_are_compared_by_a_number_and_then_verified() {
    let mut world = world();
    world.line("/verify bob");
    let seen = world.seen().join(" ");
    assert_eq!(seen.matches("00001").count(), 12, "{seen}");
    assert!(world.asked().is_empty());
    world.line("/verify bob yes");
    assert_eq!(world.asked(), ["verify bob"]);
    world.line("/verify nobody");
    assert!(world.asked().is_empty());
}
