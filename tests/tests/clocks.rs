//! Wall clocks that are wrong: what an author is told of its messages stays true.

use simulation::{
    chat::{Chat, SHORTLY},
    clock::{Moment, SECOND},
};

/// Longer than any message may take.
const FORTY_DAYS: Moment = 40 * 24 * 3600 * SECOND;

/// Someone's clock is forty days ahead from now on.
fn jump(chat: &mut Chat, who: &str) {
    chat.set_clock(who, FORTY_DAYS.cast_signed());
    chat.run(SHORTLY);
}

/// What someone was told, but for what is told while a message is on its way.
fn verdicts(chat: &mut Chat, who: &str) -> Vec<String> {
    let last =
        |line: &String| ["delivered", "stored", "expired"].iter().any(|v| line.starts_with(v));
    chat.hears(who).into_iter().filter(last).collect()
}

#[test]
fn what_the_server_has_is_not_given_up_for_a_wrong_clock() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.say("alice", "bob", "for later");
    chat.run(SHORTLY);
    assert_eq!(verdicts(&mut chat, "alice"), ["stored: for later"]);
    jump(&mut chat, "alice");
    assert_eq!(verdicts(&mut chat, "alice"), [""; 0]);
    chat.register("bob");
    chat.run(SHORTLY);
    assert!(chat.hears("bob").contains(&"alice (saved): for later".to_owned()));
    assert_eq!(verdicts(&mut chat, "alice"), ["delivered: for later"]);
}

#[test]
fn what_may_have_arrived_is_not_given_up_for_a_wrong_clock() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.say("alice", "bob", "are you there?");
    chat.run(SHORTLY);
    chat.hears("alice");
    // It arrives, and nothing that says so.
    chat.mute("bob", "alice", 20 * SECOND);
    chat.mute("server", "alice", 20 * SECOND);
    chat.say("alice", "bob", "hello");
    chat.run(SECOND / 10);
    jump(&mut chat, "alice");
    chat.run(60 * SECOND);
    assert!(chat.hears("bob").iter().any(|line| line.ends_with(": hello")));
    assert_eq!(verdicts(&mut chat, "alice"), ["delivered: hello"]);
}

#[test]
fn what_may_be_in_a_room_is_not_given_up_for_a_wrong_clock() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.mute("server", "alice", 20 * SECOND);
    chat.say("alice", "#", "hello all");
    chat.run(SECOND / 10);
    jump(&mut chat, "alice");
    chat.run(60 * SECOND);
    assert_eq!(chat.has("bob", "#"), ["hello all"]);
    assert_eq!(verdicts(&mut chat, "alice"), ["stored: hello all"]);
}
