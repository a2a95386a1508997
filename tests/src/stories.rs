//! Short stories that together use all of the protocol. Each is quiet at the end of every scene.

use std::time::Duration;

use proto_core::{
    client,
    id::{Account, Nick, Room as RoomNumber, RoomName},
    server::{self, Logins},
    wire::RoomAction,
};

use crate::{
    clock::{Moment, SECOND},
    memory::Room,
    place::{Place, SERVER},
    tale::{Story, Tale},
};

/// Who is not told that its session is over notices by then.
const KEEP_ALIVE: Moment = 20 * SECOND;

/// Where nothing else is said.
const PLAIN: Story = Story {
    name: "",
    people: &["alice", "bob"],
    logins: Logins::Open,
    clients: |_| {},
    server: |_| {},
    room: |_, _| {},
    crashes: true,
    counts: false,
    tell: |_| {},
};

/// All of them.
pub const STORIES: &[Story] = &[
    Story { name: "letters", tell: letters, ..PLAIN },
    Story { name: "glare", tell: glare, ..PLAIN },
    Story { name: "credit", clients: little_credit, tell: credit, ..PLAIN },
    Story {
        name: "credit-by-server",
        clients: little_credit,
        server: little_credit_of_all,
        tell: credit_by_server,
        ..PLAIN
    },
    Story { name: "mailbox", tell: mailbox, ..PLAIN },
    Story { name: "relay", clients: short_receipt, tell: relay, ..PLAIN },
    Story {
        name: "cut-off",
        clients: keep_alive_and_receipt,
        server: idle,
        tell: cut_off,
        ..PLAIN
    },
    Story {
        name: "said-twice",
        clients: keep_alive_and_little_credit,
        server: idle_and_little_credit,
        tell: said_twice,
        ..PLAIN
    },
    Story { name: "last-words", tell: last_words, ..PLAIN },
    Story { name: "rooms", people: &["alice", "bob", "carol"], tell: rooms, ..PLAIN },
    Story { name: "moderation", people: &["alice", "bob", "carol"], tell: moderation, ..PLAIN },
    Story { name: "retention", server: two_entries, counts: true, tell: retention, ..PLAIN },
    Story { name: "away", tell: away, ..PLAIN },
    Story { name: "passwords", logins: Logins::Password, tell: passwords, ..PLAIN },
    Story {
        name: "new-password",
        logins: Logins::Password,
        clients: keep_alive,
        tell: new_password,
        ..PLAIN
    },
    Story {
        name: "author-moves",
        logins: Logins::Password,
        clients: keep_alive,
        tell: author_moves,
        ..PLAIN
    },
    Story {
        name: "reader-moves",
        logins: Logins::Password,
        clients: keep_alive,
        tell: reader_moves,
        ..PLAIN
    },
    Story { name: "ban", clients: keep_alive, tell: ban, ..PLAIN },
    Story { name: "taken", people: &["alice", "ALICE"], tell: taken, ..PLAIN },
    Story { name: "copy", clients: keep_alive, tell: copy, ..PLAIN },
    Story {
        name: "full",
        people: &["alice", "bob", "carol"],
        room: two_links,
        crashes: false,
        tell: full,
        ..PLAIN
    },
    Story { name: "expiry", server: brief_mail, tell: expiry, ..PLAIN },
    Story {
        name: "silence",
        people: &["alice", "bob", "carol"],
        clients: keep_alive,
        server: idle,
        tell: silence,
        ..PLAIN
    },
    Story { name: "restart", clients: keep_alive, tell: restart, ..PLAIN },
];

fn little_credit(config: &mut client::Config) {
    config.credit = 2_500;
}

fn little_credit_of_all(config: &mut server::Config) {
    config.credit = 2_500;
}

fn short_receipt(config: &mut client::Config) {
    config.receipt = Duration::from_millis(500);
}

fn two_entries(config: &mut server::Config) {
    config.room.entries = 2;
}

fn brief_mail(config: &mut server::Config) {
    config.mail = Duration::from_mins(1);
}

fn keep_alive(config: &mut client::Config) {
    (config.keep_alive, config.idle) = (Duration::from_secs(20), Duration::from_mins(1));
}

fn keep_alive_and_receipt(config: &mut client::Config) {
    keep_alive(config);
    short_receipt(config);
}

fn keep_alive_and_little_credit(config: &mut client::Config) {
    keep_alive(config);
    config.credit = 4_500;
}

fn idle_and_little_credit(config: &mut server::Config) {
    idle(config);
    config.credit = 4_500;
}

fn idle(config: &mut server::Config) {
    config.idle = Duration::from_mins(1);
}

fn two_links(place: Place, room: &mut Room) {
    if place == SERVER {
        room.links = 3;
    }
}

/// They are online.
fn gather(tale: &mut Tale, who: &[&str]) {
    for who in who {
        tale.arrives(who);
    }
    tale.pause("they come");
}

/// What goes from one to another directly.
fn letters(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.says("alice", "bob", "good morning");
    tale.pause("a word");
    tale.says_much("bob", "alice", "a long story", 5_000);
    tale.pause("a long answer");
    for text in ["one", "two", "three"] {
        tale.says("alice", "bob", text);
    }
    tale.pause("three words");
    tale.leaves("alice");
    tale.pause("one leaves");
}

/// Two who have never spoken speak at once.
fn glare(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.says("alice", "bob", "after you");
    tale.says("bob", "alice", "no, after you");
    tale.pause("both speak");
    tale.says("alice", "bob", "very well");
    tale.pause("one goes on");
}

/// More than may be under way at once.
fn credit(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    for text in ["one", "two", "three", "four", "five"] {
        tale.says_much("alice", "bob", text, 1_000);
    }
    tale.pause("directly");
}

/// More than may be under way at once, to the server and from it.
fn credit_by_server(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.leaves("bob");
    tale.pause("one leaves");
    for text in ["six", "seven", "eight", "nine"] {
        tale.says_much("alice", "bob", text, 1_000);
    }
    tale.pause("to the server");
    tale.arrives("bob");
    tale.pause("from the server");
    for text in ["ten", "eleven", "twelve", "thirteen"] {
        tale.says_much("bob", "#", text, 1_000);
    }
    tale.pause("in a room");
}

/// What waits for who is not there, and whose author is not there when it is fetched.
fn mailbox(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.leaves("bob");
    tale.pause("one leaves");
    tale.says("alice", "bob", "where are you?");
    tale.says_much("alice", "bob", "a long letter", 3_000);
    tale.pause("it is stored");
    tale.leaves("alice");
    tale.pause("its author leaves");
    tale.arrives("bob");
    tale.pause("it is fetched");
    tale.arrives("alice");
    tale.pause("its author hears of it");
    tale.says("alice", "bob", "there you are");
    tale.pause("directly again");
}

/// Two who cannot reach each other.
fn relay(tale: &mut Tale) {
    tale.parts("alice", "bob", 3_600_000);
    gather(tale, &["alice", "bob"]);
    tale.says("alice", "bob", "can you hear me?");
    tale.pause("a word");
    tale.says_much("bob", "alice", "I can", 2_500);
    tale.pause("a long answer");
}

/// Something is delivered while its author is cut off, and nobody comes or goes by whom the
/// author would notice.
fn cut_off(tale: &mut Tale) {
    tale.parts("alice", "bob", 3_600_000);
    gather(tale, &["alice", "bob"]);
    tale.parts("bob", "server", 2_500);
    tale.says("alice", "bob", "keep this for me");
    // Until it is stored.
    tale.go_on(1_700);
    tale.parts("alice", "server", 60_000);
    tale.pause_for("it is delivered", 75 * SECOND);
}

/// An author does not hear that the server has what it was given, and gives it again.
fn said_twice(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.mutes("server", "alice", 40_000);
    for text in ["one", "two"] {
        tale.says_much("alice", "#", text, 1_000);
    }
    tale.pause_for("unheard", 60 * SECOND);
    for text in ["three", "four", "five", "six"] {
        tale.says_much("alice", "#", text, 1_000);
    }
    tale.pause("heard");
}

/// Something is said right before leaving.
fn last_words(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.leaves("bob");
    tale.pause("one leaves");
    tale.says("alice", "bob", "good night");
    tale.leaves("alice");
    tale.pause("the other too");
    tale.arrives("bob");
    tale.pause("one is back");
    tale.arrives("alice");
    tale.pause("the other too is back");
}

fn rooms(tale: &mut Tale) {
    gather(tale, &["alice", "bob", "carol"]);
    tale.says("alice", "#", "hello everyone");
    tale.pause("in the lobby");
    tale.creates("alice", "den");
    tale.joins("alice", "den");
    tale.pause("a room");
    tale.says("alice", "#den", "for nobody else");
    tale.pause("before others join");
    tale.joins("bob", "den");
    tale.joins("carol", "den");
    tale.pause("others join");
    tale.says("bob", "#den", "hello");
    tale.says_much("bob", "#den", "a long story", 3_000);
    tale.pause("in the room");
    let den = RoomName::new("den").ok();
    tale.wishes("carol", RoomAction::Rooms { from: RoomNumber(0) });
    tale.wishes("carol", RoomAction::Members { of: den, from: Account(0) });
    tale.pause("lists");
    tale.quits("carol", "den");
    tale.pause("one quits");
    tale.leaves("bob");
    tale.pause("one leaves");
    tale.says("alice", "#den", "where is everyone?");
    tale.pause("into the void");
    tale.joins("carol", "den");
    tale.arrives("bob");
    tale.pause("they are back");
    tale.joins("carol", "attic");
    tale.pause("no such room");
}

/// A room whose creator puts someone out, lets only some in, and ends it.
fn moderation(tale: &mut Tale) {
    gather(tale, &["alice", "bob", "carol"]);
    let den = RoomName::new("den").expect("a room name");
    let nick = |text| Nick::new(text).expect("a nick");
    tale.creates("alice", "den");
    tale.joins("alice", "den");
    tale.pause("a room");
    tale.joins("bob", "den");
    tale.pause("both are in");
    tale.says("bob", "#den", "hello");
    tale.pause("in the room");
    tale.wishes("bob", RoomAction::Kick { room: den, nick: nick("alice") });
    tale.wishes("alice", RoomAction::Kick { room: den, nick: nick("bob") });
    tale.pause("one is put out");
    tale.joins("bob", "den");
    tale.pause("and kept out");
    tale.wishes("alice", RoomAction::InviteOnly { room: den, on: true });
    tale.pause("invited only");
    tale.joins("carol", "den");
    tale.pause("without being invited");
    for who in ["bob", "carol"] {
        tale.wishes("alice", RoomAction::Invite { room: den, nick: nick(who) });
    }
    tale.pause("both are invited");
    for who in ["bob", "carol"] {
        tale.joins(who, "den");
    }
    tale.pause("they are in");
    tale.leaves("carol");
    tale.pause("one leaves");
    tale.says("alice", "#den", "the last word");
    tale.pause("before the end");
    tale.wishes("alice", RoomAction::Delete(den));
    tale.pause("the end");
    tale.arrives("carol");
    tale.creates("bob", "den");
    tale.pause("another of that name");
    tale.joins("carol", "den");
    tale.pause("which is open");
}

/// A room that keeps less than someone has missed.
fn retention(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.says("alice", "#", "zero");
    tale.pause("all there");
    tale.leaves("bob");
    tale.pause("one leaves");
    for text in ["one", "two", "three", "four"] {
        tale.says("alice", "#", text);
        tale.pause("without him");
    }
    tale.arrives("bob");
    tale.pause("he is back");
    tale.says("alice", "#", "five");
    tale.pause("all there again");
}

fn away(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.is_away("alice", "at lunch");
    tale.pause("away");
    tale.is_away("alice", "");
    tale.pause("back");
    tale.is_away("bob", "asleep");
    tale.pause("the other");
    tale.leaves("bob");
    tale.pause("gone");
    tale.arrives("bob");
    tale.pause("and here again");
}

fn passwords(tale: &mut Tale) {
    gather(tale, &["alice"]);
    tale.has_another("alice", "thief");
    tale.tries("thief", &["a guess"]);
    tale.knocks("thief");
    tale.pause("a wrong one");
    tale.yields("thief");
    tale.arrives("bob");
    tale.pause("another nick");
    tale.leaves("alice");
    tale.pause("one leaves");
    tale.arrives("alice");
    tale.pause("who has the key needs none");
}

/// A password is changed, and a second device let in.
fn new_password(tale: &mut Tale) {
    gather(tale, &["alice"]);
    tale.changes_password("alice", "the password of alice", "new");
    tale.pause("another password");
    tale.tries("alice", &["new"]);
    tale.has_another("alice", "tablet");
    tale.endorses("alice", "tablet");
    tale.pause("another device is vouched for");
    tale.tries("tablet", &["new"]);
    tale.arrives("tablet");
    tale.pause_for("the other moves", KEEP_ALIVE);
    tale.yields("alice");
}

/// Mail whose author has another device when it is fetched.
fn author_moves(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.leaves("bob");
    tale.pause("one leaves");
    tale.says("alice", "bob", "from my first");
    tale.pause("it is stored");
    tale.has_another("alice", "tablet");
    tale.arrives("tablet");
    tale.pause_for("the other moves", KEEP_ALIVE);
    tale.yields("alice");
    tale.says("tablet", "bob", "from my second");
    tale.pause("more is stored");
    tale.arrives("bob");
    tale.pause("it is fetched");
}

/// Mail whose reader has another device when it is fetched.
fn reader_moves(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.leaves("bob");
    tale.pause("one leaves");
    tale.says("alice", "bob", "to your first");
    tale.pause("it is stored");
    tale.has_another("bob", "tablet");
    tale.arrives("tablet");
    tale.pause_for("he moves", KEEP_ALIVE);
    tale.says("alice", "bob", "to your second");
    tale.pause("directly");
}

fn ban(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.bans("bob");
    tale.pause_for("expelled", KEEP_ALIVE);
    tale.yields("bob");
    tale.says("alice", "bob", "what have you done?");
    tale.pause("to nobody");
    tale.knocks("bob");
    tale.pause("he knocks");
    tale.yields("bob");
}

fn taken(tale: &mut Tale) {
    gather(tale, &["alice"]);
    tale.knocks("ALICE");
    tale.pause("another of that name");
}

/// One identity on two devices.
fn copy(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.says("bob", "alice", "hello");
    tale.pause("a word");
    tale.has_copy("alice", "copy");
    tale.arrives("copy");
    tale.pause_for("displaced", KEEP_ALIVE);
    tale.yields("alice");
    tale.says("bob", "alice", "hello again");
    tale.pause("another word");
}

fn full(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.knocks("carol");
    tale.pause("one too many");
    tale.yields("carol");
}

fn expiry(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.leaves("bob");
    tale.pause("one leaves");
    tale.says("alice", "bob", "milk is in the fridge");
    tale.pause("it is stored");
    tale.pause_for("it expires", 80 * SECOND);
    tale.says("alice", "bob", "it is sour now");
    tale.pause("more is stored");
    tale.arrives("bob");
    tale.pause("he is back");
}

/// Nothing is said, and someone is not there any more.
fn silence(tale: &mut Tale) {
    gather(tale, &["alice", "bob", "carol"]);
    tale.says("alice", "bob", "hush");
    tale.pause("a word");
    tale.pause_for("silence", 45 * SECOND);
    tale.vanishes("carol");
    tale.pause_for("one is lost", 65 * SECOND);
    tale.returns("carol");
    tale.pause("and found");
}

fn restart(tale: &mut Tale) {
    gather(tale, &["alice", "bob"]);
    tale.is_away("bob", "reading");
    tale.says("alice", "bob", "I will update the server");
    tale.pause("a word");
    tale.restarts("server");
    tale.pause_for("the server is new", KEEP_ALIVE);
    tale.says("bob", "#", "is it up?");
    tale.pause("a word to everyone");
    tale.restarts("alice");
    tale.pause("a client is new");
    tale.says("alice", "bob", "so it is");
    tale.pause("an answer");
}
