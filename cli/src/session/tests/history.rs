//! What was said, shown again in order.

use jiff::tz::TimeZone;
use proto_core::{
    client::{To, Verdict},
    id::RoomName,
};

use crate::modern::Modern;

use super::world::{World, came, key, nick, said};

fn world() -> World {
    let mut world = World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC, || None)), false)
        .online(&[("y", true)]);
    let (y, room) = (To::Peer(nick("y")), To::Room(RoomName::new("g").unwrap()));
    world.chat.rooms.push(room);
    world.chat.past = vec![
        (y, said(Some(Verdict::Delivered), "hello y")),
        (room, came(Some("z"), "a Key", false)),
        (y, came(None, "the key?\u{1b}[2J", true)),
        (y, came(None, "well?", true)),
        (room, said(None, "hello all")),
    ];
    world
}

#[test]
fn both_sides_are_shown_in_the_order_of_time_with_days_and_verdicts() {
    let mut world = world();
    world.line("/history");
    assert_eq!(
        world.seen(),
        [
            "---- Wednesday 2017-06-14 ----",
            "02:40 x to y: hello y (delivered)",
            "22:40 #g z: a Key",
            "---- Thursday 2017-06-15 ----",
            "---- unread ----",
            "18:40 y: the key?\\u{1b}[2J",
            "---- Friday 2017-06-16 ----",
            "14:40 y: well?",
            "---- Saturday 2017-06-17 ----",
            "10:40 #g x: hello all (on its way)",
        ]
    );
    world.line("/history y 1");
    assert_eq!(
        world.seen(),
        [
            "(unread ahead of these: 1; ask for more lines)",
            "---- Friday 2017-06-16 ----",
            "---- unread ----",
            "14:40 y: well?",
        ]
    );
    world.line("/history nobody");
    assert_eq!(world.seen(), ["Nothing was said yet."]);
}

#[test]
fn a_text_is_found_in_all_conversations() {
    let mut world = world();
    world.line("/search key");
    assert_eq!(
        world.seen(),
        [
            "---- Wednesday 2017-06-14 ----",
            "22:40 #g z: a Key",
            "---- Thursday 2017-06-15 ----",
            "---- unread ----",
            "18:40 y: the key?\\u{1b}[2J",
        ]
    );
    world.line("/search nowhere");
    assert_eq!(world.seen(), ["Nobody said that."]);
}

#[test]
fn the_start_counts_what_was_not_shown() {
    let mut world = world();
    let at = world.at();
    world.session.begin(&mut world.chat, at);
    assert_eq!(world.seen(), ["2 unread from y; /history <nick or #room> shows them."]);
}

#[test]
fn what_is_shown_has_been_seen() {
    let mut world = world();
    world.line("/history #g");
    assert_eq!(world.session.take_seen(), [], "there is nothing unread in it");
    world.line("/history y");
    assert_eq!(world.session.take_seen(), [(key("y"), 7), (key("y"), 7)]);
    world.message("y", "now", false);
    let first = (1 << 32) + 1;
    assert_eq!(world.session.take_seen(), [(key("y"), first)]);
}

#[test]
fn an_answer_is_bounded_in_lines_and_in_bytes() {
    let long = "x".repeat(16 << 10);
    for (count, text, most) in [(12_000, "short", 10_000), (1_000, long.as_str(), 256)] {
        let (mut world, y) = (world(), To::Peer(nick("y")));
        world.chat.past = (0..count).map(|_| (y, came(None, text, false))).collect();
        world.line("/history all");
        let seen = world.seen();
        let shown = seen.iter().filter(|line| line.contains(text)).count();
        assert_eq!(shown, most);
        let is_cut = seen[0].contains("the newest 256; what is older is too long");
        assert_eq!(is_cut, count == 1_000, "{}", seen[0]);
    }
}
