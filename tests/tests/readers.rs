//! Members of a room who are online, and authors that are faster than they read: nobody is
//! outrun who is there and reads, and nobody waits for long for who does not.

use std::time::Duration;

use proto_core::{client::SendError, wire::RoomAction};
use simulation::{
    chat::{Chat, SHORTLY},
    clock::{Moment, SECOND},
    place::SERVER,
    store::Manners,
};

/// Entries that the server keeps of a room.
const KEPT: usize = 500;

/// A server that keeps little of a room and waits so many seconds for its readers; who is
/// named is in the den.
fn den(wait: u64, members: &[&str]) -> Chat {
    let mut chat = Chat::online(members);
    chat.configure(|config| {
        config.room.entries = KEPT as u32;
        config.reader_wait = Duration::from_secs(wait);
        // Readers alone slow authors down.
        (config.room_messages.interval, config.room_bytes.interval) = Default::default();
    });
    chat.run(60 * SECOND);
    chat.gather("den", members);
    chat
}

/// The store of someone fails from now on.
fn break_store(chat: &mut Chat, who: &str) {
    let who = chat.at(who);
    chat.world.nodes[who].store.behave(Manners { fails: 1_000, ..Manners::default() });
}

/// Someone who says `all` things in the den, as fast as the client takes them.
struct Author {
    name: &'static str,
    said: usize,
    all: usize,
}

impl Author {
    fn new(name: &'static str, all: usize) -> Self {
        Self { name, said: 0, all }
    }

    fn go_on(&mut self, chat: &mut Chat) {
        while self.said < self.all {
            let text = format!("{} says {}, which is something", self.name, self.said);
            match chat.try_say(self.name, "#den", &text) {
                Ok(_) => self.said += 1,
                Err(SendError::Full) => return,
                Err(why) => panic!("{} cannot say anything: {why:?}", self.name),
            }
        }
    }
}

/// Lets authors say all they can for some time, or until the log has had `all` entries; how
/// long that took.
fn flood(chat: &mut Chat, authors: &mut [Author], all: usize, most: Moment) -> Moment {
    let began = chat.world.now();
    while chat.world.now() - began < most && entries(chat) < all {
        for author in &mut *authors {
            author.go_on(chat);
        }
        chat.run(SECOND / 20);
    }
    chat.world.now() - began
}

/// Entries that the den ever had.
fn entries(chat: &Chat) -> usize {
    let rooms = chat.world.laws().rooms();
    let den = proto_core::id::RoomName::new("den").unwrap();
    rooms.number(&den.into()).map_or(0, |room| rooms.entries(room))
}

/// How many entries someone was told are missing.
fn missing(chat: &mut Chat, who: &str) -> usize {
    let count = |line: &String| line.strip_suffix(" of #den are gone")?.parse::<usize>().ok();
    chat.hears(who).iter().filter_map(count).sum()
}

#[test]
fn members_who_are_there_lose_nothing_of_twenty_thousand_entries() {
    let members = ["alice", "bob", "carol", "dave", "erin"];
    let mut chat = den(10, &members);
    for (who, rate) in [("carol", 40_000), ("dave", 60_000), ("erin", 200_000)] {
        chat.slow_down("server", who, rate);
    }
    let mut authors = [Author::new("alice", 10_000), Author::new("bob", 10_000)];
    let took = flood(&mut chat, &mut authors, 20_000, 600 * SECOND);
    assert_eq!(entries(&chat), 20_000, "after {took} us");
    chat.run(60 * SECOND);
    for who in members {
        assert_eq!(missing(&mut chat, who), 0, "{who}");
        assert_eq!(chat.has(who, "den").len(), 20_000, "{who}");
    }
}

#[test]
fn an_author_who_reads_slowly_waits_for_itself() {
    let mut chat = den(10, &["alice", "bob"]);
    chat.slow_down("server", "alice", 20_000);
    let took = flood(&mut chat, &mut [Author::new("alice", 3_000)], 3_000, 600 * SECOND);
    assert_eq!(entries(&chat), 3_000, "after {took} us");
    chat.run(60 * SECOND);
    for who in ["alice", "bob"] {
        assert_eq!(missing(&mut chat, who), 0, "{who}");
        assert_eq!(chat.has(who, "den").len(), 3_000, "{who}");
    }
}

#[test]
fn who_stands_still_is_given_up_and_the_authors_go_on() {
    let mut chat = den(4, &["alice", "bob", "carol", "dave"]);
    chat.pause("dave", 40 * SECOND);
    let mut authors = [Author::new("alice", 500), Author::new("bob", 500)];
    flood(&mut chat, &mut authors, 1_000, 3 * SECOND);
    // It has read nothing, so there is no more than what is kept.
    assert_eq!(entries(&chat), KEPT);
    let took = flood(&mut chat, &mut authors, 1_000, 60 * SECOND);
    assert_eq!(entries(&chat), 1_000);
    // After 4 s nobody waits for it, and what was refused until then is sent again with a PTO.
    assert!(took < 6 * SECOND, "{took} us");
    chat.run(60 * SECOND);
    for who in ["alice", "bob", "carol"] {
        assert_eq!(missing(&mut chat, who), 0, "{who}");
        assert_eq!(chat.has(who, "den").len(), 1_000, "{who}");
    }
    assert!(missing(&mut chat, "dave") > 0);
    // Once it reads again, it is waited for again.
    chat.slow_down("server", "dave", 40_000);
    flood(&mut chat, &mut [Author::new("alice", 2_000)], 3_000, 600 * SECOND);
    chat.run(60 * SECOND);
    assert_eq!(missing(&mut chat, "dave"), 0);
    assert_eq!(entries(&chat), 3_000);
}

/// Its session is well, but what comes does not get into its inbox: only its cursor tells.
#[test]
fn who_cannot_keep_what_it_reads_is_given_up_too() {
    let mut chat = den(20, &["alice", "dave"]);
    break_store(&mut chat, "dave");
    let mut author = [Author::new("alice", 1_000)];
    flood(&mut chat, &mut author, 1_000, 19 * SECOND);
    assert_eq!(entries(&chat), KEPT);
    let took = flood(&mut chat, &mut author, 1_000, 60 * SECOND);
    assert!(took < 5 * SECOND, "{took} us");
    chat.heal();
    chat.run(60 * SECOND);
    // Besides what is kept, it has what had come to it before.
    let has = chat.has("dave", "den").len();
    assert!((KEPT..KEPT + 100).contains(&has), "{has}");
    assert_eq!(missing(&mut chat, "dave") + has, 1_000);
}

#[test]
fn many_who_stand_still_cost_no_more_than_one() {
    let members = ["alice", "b", "c", "d", "e", "f", "g", "h"];
    let mut chat = den(20, &members);
    // Each stops at another place of the log.
    for who in &members[1..] {
        let all = entries(&chat) + KEPT / 8;
        flood(&mut chat, &mut [Author::new("alice", KEPT / 8)], all, 60 * SECOND);
        chat.run(SHORTLY / 10);
        break_store(&mut chat, who);
    }
    let took = flood(&mut chat, &mut [Author::new("alice", 3_000)], 3_000, 600 * SECOND);
    assert!((15 * SECOND..45 * SECOND).contains(&took), "{took} us");
}

#[test]
fn one_room_that_is_held_back_holds_back_nothing_else() {
    let mut chat = den(30, &["alice", "bob", "carol", "dave"]);
    chat.gather("tea", &["carol", "bob"]);
    chat.request("alice", RoomAction::Join, "tea");
    chat.run(SHORTLY);
    chat.deregister("bob");
    break_store(&mut chat, "dave");
    flood(&mut chat, &mut [Author::new("alice", KEPT - 50)], KEPT - 50, SECOND);
    chat.run(SHORTLY);
    let mut authors = [Author::new("alice", 100), Author::new("carol", 100)];
    flood(&mut chat, &mut authors, 1_000, 5 * SECOND);
    assert_eq!(entries(&chat), KEPT);
    for who in ["alice", "carol"] {
        chat.hears(who);
    }
    for round in 0..20 {
        // Their messages for others find room and a way, those of the flood's authors too.
        for who in ["alice", "carol"] {
            chat.say(who, "bob", &format!("mail {round} by {who}"));
            chat.say(who, "#tea", &format!("tea {round} by {who}"));
        }
        flood(&mut chat, &mut authors, 1_000, SECOND / 2);
        for who in ["alice", "carol"] {
            let heard = chat.hears(who);
            for what in ["mail", "tea"] {
                let line = format!("stored: {what} {round} by {who}");
                assert!(heard.contains(&line), "{line}: {heard:?}");
            }
        }
        let usage = chat.world.nodes[SERVER].server().unwrap().usage();
        assert!(usage.entries.0 * 4 <= usage.entries.1 * 3, "{usage:?}");
        assert!(usage.blocks.0 * 4 <= usage.blocks.1 * 3, "{usage:?}");
    }
    assert_eq!(entries(&chat), KEPT);
}

#[test]
fn an_operator_may_want_nobody_to_wait() {
    let mut chat = den(0, &["alice", "bob", "dave"]);
    chat.pause("dave", 20 * SECOND);
    let took = flood(&mut chat, &mut [Author::new("alice", 4_000)], 4_000, 60 * SECOND);
    assert!(took < 9 * SECOND, "{took} us");
    chat.run(60 * SECOND);
    assert!(missing(&mut chat, "dave") > 0);
}
