//! Short stories of rooms: what happens, and what every member is told and has then.

use simulation::{
    chat::{Chat, SHORTLY},
    clock::SECOND,
};

#[test]
fn what_is_said_to_everyone_comes_to_everyone_in_one_order() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.say("alice", "#", "hello");
    chat.run(SHORTLY);
    chat.say("bob", "#", "hi");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["accepted: hello", "stored: hello", "# bob: hi"]);
    assert_eq!(chat.hears("bob"), ["# alice: hello", "accepted: hi", "stored: hi"]);
    assert_eq!(chat.hears("carol"), ["# alice: hello", "# bob: hi"]);
    for who in ["alice", "bob", "carol"] {
        assert_eq!(chat.has(who, "#"), ["hello", "hi"]);
    }
}

/// What a member is cut off from is given up before it comes back, again and again: the
/// credit that was used for it comes back.
#[test]
fn who_lags_behind_what_is_kept_still_gets_what_comes_after() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.configure(|config| config.room.entries = 2);
    chat.run(60 * SECOND);
    chat.gather("den", &["alice", "bob"]);
    for round in 0..12 {
        chat.part("server", "bob", SECOND);
        for text in ["one", "two", "three", "four"] {
            chat.say("alice", "#den", &Chat::long(&format!("{round} {text}"), 15_000));
            chat.run(SECOND / 5);
        }
        chat.run(5 * SECOND);
    }
    let heard = chat.hears("bob");
    assert!(heard.contains(&"2 of #den are gone".into()), "{heard:?}");
    chat.say("alice", "#den", "are you still with us?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["#den alice: are you still with us?"]);
}
