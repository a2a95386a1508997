//! Messages that wait: they cost their author no memory, and each has its last word in the end.

use std::{collections::BTreeSet, env};

use proto_core::client::{Event, SendError, Verdict};
use simulation::{
    chat::{Chat, SHORTLY},
    clock::SECOND,
    store::Manners,
};

/// Many times what a client has room for in memory, which is 256 here.
fn many() -> usize {
    env::var("UDPCHAT_LETTERS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

/// Alice says so much to one who is not there, or cannot be reached, as a script would: what
/// finds no room is said again a moment later.
fn write(chat: &mut Chat, to: &str, texts: &[String]) {
    let mut pauses = 0;
    for text in texts {
        while let Err(why) = chat.try_say("alice", to, text) {
            assert_eq!(why, SendError::Full);
            chat.run(SECOND / 50);
            pauses += 1;
            assert!(pauses <= texts.len(), "alice is locked out");
        }
    }
}

fn letters(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("letter {number}")).collect()
}

/// The texts in an inbox of what alice said.
fn inbox(chat: &Chat, of: &str) -> Vec<String> {
    let key = |name: &str| chat.world.nodes[chat.at(name)].key();
    chat.world.laws().inbox(key(of), key("alice"))
}

/// Which messages alice was told are delivered, each once in a run.
fn delivered(chat: &Chat) -> BTreeSet<([u8; 32], u64)> {
    let told = chat.world.nodes[chat.at("alice")].user.told();
    let ids = told.iter().filter_map(|told| match told.event {
        Event::Verdict { id, verdict: Verdict::Delivered, .. } => {
            Some((id.recipient.0, id.position.to_record_number()))
        }
        Event::Verdict { verdict: Verdict::Stored, .. } => None,
        Event::Verdict { verdict, .. } => panic!("{verdict:?}"),
        _ => None,
    });
    ids.collect()
}

fn open(chat: &mut Chat) -> (usize, bool) {
    let alice = chat.at("alice");
    let open = chat.world.nodes[alice].client().expect("alice runs").open_messages();
    (open.unsaved, open.stored)
}

#[test]
fn any_number_of_messages_may_wait_for_the_absent_and_each_has_its_last_word() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    let texts = letters(many());
    let (first, second) = texts.split_at(texts.len() / 2);
    write(&mut chat, "bob", first);
    chat.run(20 * SHORTLY);
    assert_eq!(open(&mut chat), (0, true), "the server has all of them");

    // Their author is locked out of nothing, and knows of them after a crash.
    chat.say("alice", "carol", "and you?");
    chat.run(SHORTLY);
    assert_eq!(inbox(&chat, "carol"), ["and you?"]);
    chat.crash("alice");
    chat.start("alice");
    chat.run(SHORTLY);
    assert_eq!(open(&mut chat), (0, true));
    write(&mut chat, "bob", second);
    chat.run(20 * SHORTLY);

    chat.register("bob");
    for _ in 0..texts.len() {
        if open(&mut chat) == (0, false) {
            break;
        }
        chat.run(SHORTLY);
    }
    assert_eq!(inbox(&chat, "bob"), texts);
    assert_eq!(delivered(&chat).len(), texts.len() + 1);
    let alice = chat.at("alice");
    let usage = chat.world.nodes[alice].client().expect("alice runs").usage();
    assert_eq!((usage.outgoing.0, usage.blocks.0), (0, 0), "nothing is left in memory");
}

#[test]
fn what_was_said_to_a_server_that_is_gone_waits_in_the_outbox() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.crash("server");
    let texts = letters(700);
    write(&mut chat, "bob", &texts);
    chat.run(SHORTLY);
    assert_eq!(open(&mut chat), (700, false));
    chat.crash("alice");
    chat.start("alice");
    chat.run(SHORTLY);
    assert_eq!(open(&mut chat), (700, false));
    chat.start("server");
    chat.register("bob");
    chat.run(40 * SHORTLY);
    assert_eq!(inbox(&chat, "bob"), texts);
    assert_eq!(delivered(&chat).len(), 700);
    assert_eq!(open(&mut chat), (0, false));
}

/// Alice has said something in one run and something more in the next. The server takes both,
/// but her store fails and she crashes before it knows.
#[test]
fn a_later_epoch_waits_until_it_is_saved_what_became_of_the_one_before() {
    for to in ["bob", "#"] {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.deregister("bob");
        chat.run(SHORTLY);
        // What is long takes long on a slow path.
        chat.slow_down("alice", "server", 1_000);
        let first = Chat::long("first", 6_000);
        chat.say("alice", to, &first);
        chat.run(SECOND / 2);
        chat.crash("alice");
        chat.start("alice");
        chat.run_until(|chat| chat.try_say("alice", to, "second").is_ok());
        chat.run(SECOND / 2);
        let alice = chat.at("alice");
        let failing = Manners { fails: 1_000, ..Manners::default() };
        chat.world.nodes[alice].store.behave(failing);
        chat.run(30 * SECOND);
        chat.crash("alice");
        chat.heal();
        chat.start("alice");
        chat.run(30 * SECOND);
        chat.register("bob");
        chat.run(30 * SECOND);
        let told = chat.hears("alice");
        assert!(!told.iter().any(|line| line.contains("refused")), "{told:?}");
        assert_eq!(open(&mut chat), (0, false), "to {to}");
    }
}
