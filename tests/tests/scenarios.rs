//! Short stories, each told twice: what happens, and what every user is told then.

use std::time::Duration;

use proto_core::{
    client::{Event, SendError, Status},
    host::Log,
};
use simulation::{
    chat::{Chat, SHORTLY},
    clock::SECOND,
    letter::Letter,
    node::Kind,
    place::SERVER,
    store::Manners,
};

#[test]
fn a_message_goes_directly_and_its_receipt_comes_back() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.say("alice", "bob", "hello");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["accepted: hello", "delivered: hello"]);
    assert_eq!(chat.hears("bob"), ["alice: hello"]);
}

#[test]
fn who_is_offline_gets_it_on_return_with_the_time_it_was_written() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["offline"]);

    let alice = chat.at("alice");
    let written = chat.world.nodes[alice].clock.believed(chat.world.now());
    chat.say("alice", "bob", "offline?");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        ["accepted: offline?", "submitted (Offline): offline?", "stored: offline?"]
    );

    chat.run(3600 * SECOND);
    assert_eq!(chat.hears("bob"), [""; 0]);
    chat.register("bob");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("bob"),
        ["welcome back, there is mail", "alice (saved): offline?", "that was all mail"]
    );
    assert_eq!(chat.hears("alice"), ["delivered: offline?"]);
    let told = chat.world.nodes[chat.at("bob")].user.told();
    let times: Vec<_> = told
        .iter()
        .filter_map(|told| match told.event {
            Event::Message { time, .. } => Some(time),
            _ => None,
        })
        .collect();
    assert_eq!(times, [written]);
}

#[test]
fn what_is_stored_survives_a_crash_of_the_server() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.say("alice", "bob", "remember this");
    chat.run_until(|chat| chat.hears("alice").contains(&"stored: remember this".to_string()));
    chat.crash("server");
    chat.run(10 * SECOND);
    chat.start("server");
    chat.hears("bob");
    chat.register("bob");
    chat.run(60 * SECOND);
    assert_eq!(
        chat.hears("bob"),
        ["welcome back, there is mail", "alice (saved): remember this", "that was all mail"]
    );
    assert_eq!(chat.hears("alice").last().unwrap(), "delivered: remember this");
}

/// The server crashes while it hands mail over, at any moment.
#[test]
fn that_mail_was_delivered_survives_a_crash_of_the_server() {
    for moment in (0..100).map(|at| at * 2_000) {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.deregister("bob");
        chat.run(SHORTLY);
        chat.say("alice", "bob", "remember this");
        chat.run(SHORTLY);
        assert_eq!(chat.hears("alice").last().unwrap(), "stored: remember this");
        let manners = Manners { slow: 200_000, ..Manners::default() };
        chat.world.nodes[SERVER].store.behave(manners);
        chat.register("bob");
        chat.run(moment);
        chat.crash("server");
        chat.run(SECOND);
        chat.start("server");
        chat.run(120 * SECOND);
        let told = chat.hears("alice");
        assert_eq!(told.last().unwrap(), "delivered: remember this", "{moment} us: {told:?}");
    }
}

#[test]
fn whoever_leaves_first_deposits_what_is_open() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.isolate("bob", 20 * SECOND);
    chat.say("alice", "bob", "bye for now");
    chat.run(SECOND / 100);
    chat.deregister("alice");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        [
            "accepted: bye for now",
            "submitted (Leaving): bye for now",
            "relayed to bob",
            "stored: bye for now",
            "offline"
        ]
    );
    chat.run(60 * SECOND);
    assert_eq!(chat.hears("bob"), ["ServerSilent", "ServerBack", "alice (saved): bye for now"]);
    chat.register("alice");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["welcome back", "delivered: bye for now"]);
}

#[test]
fn a_nick_belongs_to_the_first_key_that_asks_for_it() {
    let mut chat = Chat::of(&["alice", "Alice", "bob"]);
    for who in ["alice", "bob"] {
        chat.register(who);
        chat.run(SHORTLY);
        assert_eq!(chat.hears(who), ["registered"]);
    }
    chat.register("Alice");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("Alice"), ["RegisterRefused(Taken)"]);
    assert_eq!(chat.status("Alice"), Status::Offline);
    chat.say("bob", "ALICE", "is that you?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["bob: is that you?"]);
    // Not even while its owner is away.
    chat.deregister("alice");
    chat.run(SHORTLY);
    chat.register("Alice");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("Alice"), ["RegisterRefused(Taken)"]);
}

#[test]
fn an_owner_who_returns_from_elsewhere_displaces_their_own_ghost() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.say("bob", "alice", "are you there?");
    chat.run(SHORTLY);
    chat.hears("alice");
    chat.hears("bob");
    // The server takes Alice for online yet when she is back.
    chat.crash("alice");
    let elsewhere = "198.51.100.99:5000".parse().unwrap();
    chat.world.network.move_to(chat.at("alice"), elsewhere);
    chat.start("alice");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["welcome back"]);
    let bob = chat.at("bob");
    let mut known = Vec::new();
    chat.world.nodes[bob].client().unwrap().for_each_peer(|peer| known.push(peer.address));
    assert!(known.contains(&Some(elsewhere)), "{known:?}");

    chat.say("bob", "alice", "welcome back");
    chat.say("alice", "bob", "my battery was empty");
    chat.run(SHORTLY);
    let news = chat.hears("alice");
    assert!(news.iter().any(|line| line.ends_with(": welcome back")), "{news:?}");
    assert!(news.contains(&"delivered: my battery was empty".into()), "{news:?}");
    assert_eq!(chat.hears("bob").last().unwrap(), "delivered: welcome back");
}

#[test]
fn an_identity_that_is_used_elsewhere_is_told_and_does_not_fight_back() {
    let mut chat = Chat::online(&["alice", "bob"]);
    let (alice, twin) = (chat.at("alice"), chat.world.twin(chat.at("alice"), "alice elsewhere"));
    chat.places.insert("alice elsewhere".into(), twin);
    chat.register("alice elsewhere");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice elsewhere"), ["welcome back"]);
    assert_eq!(chat.hears("alice"), ["Displaced"]);
    assert_eq!(chat.status("alice"), Status::Offline);

    let sent = chat.world.network.sent(alice);
    chat.run(300 * SECOND);
    assert_eq!(chat.world.network.sent(alice), sent);
    assert_eq!(chat.status("alice elsewhere"), Status::Online);
    chat.say("bob", "alice", "which one are you?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice elsewhere"), ["bob: which one are you?"]);
    assert_eq!(chat.hears("alice"), [""; 0]);
}

#[test]
fn without_a_receipt_a_message_goes_by_the_server() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.say("alice", "bob", "one");
    chat.run(SHORTLY);
    chat.hears("alice");
    // They can both reach the server, but not each other.
    chat.part("alice", "bob", 20 * SECOND);
    chat.say("alice", "bob", "two");
    chat.say("alice", "bob", "three");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        [
            "accepted: two",
            "accepted: three",
            "submitted (NoReceipt): two",
            "submitted (NoReceipt): three",
            "relayed to bob",
            "delivered: two",
            "delivered: three"
        ]
    );
    assert_eq!(chat.hears("bob"), ["alice: one", "alice (relayed): two", "alice (relayed): three"]);
}

/// The reader's disk takes its time for each message, and the host crashes meanwhile.
#[test]
fn nothing_is_called_delivered_before_it_is_durable() {
    let mut chat = Chat::online(&["alice", "bob"]);
    let [alice, bob] = ["alice", "bob"].map(|who| chat.at(who));
    let manners = Manners { slow: 10 * SECOND, ..Manners::default() };
    chat.world.nodes[bob].store.behave(manners);
    let texts: Vec<_> = (0..20).map(|number| format!("letter {number}")).collect();
    for text in &texts {
        chat.say("alice", "bob", text);
    }
    let mut delivered = 0;
    chat.run_until(|chat| {
        delivered += chat.hears("alice").iter().filter(|l| l.starts_with("delivered")).count();
        delivered >= 3
    });
    chat.crash("bob");
    let keys = [bob, alice].map(|who| chat.world.nodes[who].key());
    assert!(chat.world.laws().inbox(keys[0], keys[1]).len() >= delivered);
    chat.world.nodes[bob].store.behave(Manners::default());
    chat.start("bob");
    chat.run(60 * SECOND);
    assert_eq!(chat.world.laws().inbox(keys[0], keys[1]), texts);
}

#[test]
fn for_who_fell_silent_the_server_keeps_it() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.crash("bob");
    chat.say("alice", "bob", "still there?");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        [
            "accepted: still there?",
            "submitted (NoReceipt): still there?",
            "relayed to bob",
            "stored: still there?"
        ]
    );
    chat.run(300 * SECOND);
    chat.start("bob");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("bob"),
        ["welcome back, there is mail", "alice (saved): still there?", "that was all mail"]
    );
    assert_eq!(chat.hears("alice"), ["delivered: still there?"]);
}

#[test]
fn two_who_open_to_each_other_at_once_share_one_conversation() {
    let mut chat = Chat::online(&["alice", "bob"]);
    let [alice, bob] = ["alice", "bob"].map(|who| chat.world.network.address(chat.at(who)));
    let between = |chat: &mut Chat, kind| -> Vec<_> {
        let ends = |letter: &Letter| [letter.from, letter.to];
        let both = |letter: &Letter| [[alice, bob], [bob, alice]].contains(&ends(letter));
        let sent = chat.world.network.captured().into_iter();
        sent.filter(|letter| both(letter) && letter.bytes[0] == kind).collect()
    };

    chat.world.network.capture();
    chat.say("alice", "bob", "I was just about to write");
    chat.say("bob", "alice", "so was I");
    chat.run(SHORTLY);
    let inits = between(&mut chat, 4);
    assert!(inits.iter().any(|letter| letter.from == alice), "Alice sends an Init");
    assert!(inits.iter().any(|letter| letter.from == bob), "Bob sends an Init");
    let (mine, other) = (chat.hears("alice"), chat.hears("bob"));
    for line in ["bob: so was I", "delivered: I was just about to write"] {
        assert!(mine.contains(&line.into()), "{mine:?}");
    }
    for line in ["alice: I was just about to write", "delivered: so was I"] {
        assert!(other.contains(&line.into()), "{other:?}");
    }

    chat.world.network.capture();
    for _ in 0..5 {
        chat.say("alice", "bob", "ping");
        chat.say("bob", "alice", "pong");
        chat.run(30 * SECOND);
    }
    let mut sessions: Vec<_> = between(&mut chat, 6)
        .into_iter()
        .map(|letter| (letter.from, letter.bytes[1..5].to_vec()))
        .collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 2, "one session id in each direction");
    assert_eq!(chat.world.counts().direct, 12);
    assert_eq!(chat.world.counts().submissions, 0);
}

#[test]
fn a_server_that_falls_silent_is_told_of_and_so_is_its_return() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.deregister("carol");
    chat.run(SHORTLY);
    chat.crash("server");
    chat.say("alice", "carol", "are you at home?");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        ["accepted: are you at home?", "submitted (Offline): are you at home?", "ServerSilent"]
    );
    // The two who are there need no server.
    chat.say("alice", "bob", "is it me or the server?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob").last().unwrap(), "alice: is it me or the server?");
    chat.run(600 * SECOND);
    assert_eq!(chat.status("alice"), Status::Registering);

    chat.hears("alice");
    chat.start("server");
    chat.run(65 * SECOND);
    assert_eq!(chat.hears("alice"), ["ServerBack", "stored: are you at home?"]);
    chat.hears("carol");
    chat.register("carol");
    chat.run(SHORTLY);
    let news = chat.hears("carol");
    assert!(news.contains(&"alice (saved): are you at home?".into()), "{news:?}");
    assert_eq!(chat.hears("alice"), ["delivered: are you at home?"]);
}

#[test]
fn a_server_whose_store_is_full_refuses_and_the_next_message_passes() {
    let mut chat = Chat::online(&["alice", "bob"]);
    // Of an author first heard of, nobody could tell that something is missing.
    chat.say("alice", "bob", "hello");
    chat.run(SHORTLY);
    chat.hears("alice");
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.world.nodes[SERVER].store.behave(Manners { full: true, ..Manners::default() });
    chat.say("alice", "bob", "is there room?");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        [
            "accepted: is there room?",
            "submitted (Offline): is there room?",
            "refused (Store): is there room?"
        ]
    );
    chat.heal();
    chat.say("alice", "bob", "and now?");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("alice"),
        ["accepted: and now?", "submitted (Offline): and now?", "stored: and now?"]
    );
    chat.hears("bob");
    chat.register("bob");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("bob"),
        ["welcome back, there is mail", "alice (saved): and now?", "that was all mail"]
    );
}

/// Mail is kept for ten minutes, and bob, for whom some waits, stays away for `minutes`.
fn mail_waits(minutes: u64) -> Chat {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.say("alice", "bob", "hello");
    chat.run(SHORTLY);
    chat.configure(|config| config.mail = Duration::from_mins(10));
    chat.run(60 * SECOND);
    chat.deregister("bob");
    chat.run(SHORTLY);
    for who in ["alice", "bob"] {
        chat.hears(who);
    }
    chat.say("alice", "bob", "the cake is ready");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice").last().unwrap(), "stored: the cake is ready");
    chat.run(minutes * 60 * SECOND);
    chat
}

#[test]
fn mail_that_nobody_fetches_in_time_is_forgotten_and_its_author_told() {
    let mut chat = mail_waits(9);
    assert_eq!(chat.hears("alice"), [""; 0]);
    chat.run(2 * 60 * SECOND);
    assert_eq!(chat.hears("alice"), ["expired: the cake is ready"]);
    let mailboxes = chat.world.nodes[SERVER].store.logs();
    let mailboxes = mailboxes.filter(|(log, _)| matches!(log, Log::Mailbox(_)));
    assert_eq!(mailboxes.map(|(_, mailbox)| mailbox.records.len()).sum::<usize>(), 0);
}

#[test]
fn mail_that_is_too_old_is_not_handed_over() {
    let mut chat = mail_waits(9);
    // The server cannot look for what is too old while it does not run.
    chat.crash("server");
    chat.run(3 * 60 * SECOND);
    chat.register("bob");
    chat.start("server");
    chat.run(60 * SECOND);
    chat.say("alice", "bob", "it was a good cake");
    chat.run(SHORTLY);
    let told = chat.hears("alice");
    for line in ["expired: the cake is ready", "delivered: it was a good cake"] {
        assert!(told.contains(&line.into()), "{told:?}");
    }
    let heard = chat.hears("bob");
    assert!(heard.iter().any(|line| line.ends_with(": it was a good cake")), "{heard:?}");
    assert!(!heard.iter().any(|line| line.ends_with(": the cake is ready")), "{heard:?}");
}

/// Of the mail that waits for bob he knows the second: it had come directly, and its receipt
/// got lost. That he says so at once does not mean that he has the first.
#[test]
fn mail_is_kept_until_all_before_it_was_handed_over() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    let bob = chat.at("bob");
    for (from, to) in [("alice", "bob"), ("bob", "alice")] {
        chat.say(from, to, "hello");
        chat.run(SHORTLY);
    }
    for who in ["carol", "server"] {
        chat.part(who, "bob", 60 * SECOND);
    }
    chat.mute("bob", "alice", 60 * SECOND);
    chat.say("carol", "bob", "the first");
    chat.run(SHORTLY);
    chat.say("alice", "bob", "the second");
    chat.run(SHORTLY);
    for (who, text) in [("carol", "stored: the first"), ("alice", "stored: the second")] {
        assert_eq!(chat.hears(who).last().unwrap(), text);
    }
    assert_eq!(chat.hears("bob").last().unwrap(), "alice: the second");
    chat.crash("bob");
    chat.heal();
    chat.world.nodes[bob].store.behave(Manners { slow: 60 * SECOND, ..Manners::default() });
    chat.start("bob");
    chat.run(300 * SECOND);
    // What the server forgets, bob has, say the laws.
    let heard = chat.hears("bob");
    assert!(heard.contains(&"carol (saved): the first".into()), "{heard:?}");
    assert!(!heard.iter().any(|line| line.ends_with("the second")), "{heard:?}");
    for who in ["alice", "carol"] {
        assert!(chat.hears(who).last().unwrap().starts_with("delivered: the "));
    }
}

#[test]
fn what_is_for_somebody_whom_the_server_does_not_know_any_more_expires() {
    let mut chat = Chat::online(&["alice", "bob"]);
    let alice = chat.at("alice");
    if let Kind::Client(config) = &mut chat.world.nodes[alice].plan.kind {
        config.expiry = Duration::from_mins(10);
    }
    chat.crash("alice");
    chat.start("alice");
    chat.run(SHORTLY);
    for who in ["server", "bob"] {
        chat.crash(who);
    }
    chat.say("alice", "bob", "is anybody out there?");
    chat.run(SHORTLY);
    chat.lose_server();
    chat.run(8 * 60 * SECOND);
    let open = |chat: &mut Chat| chat.world.nodes[alice].client().unwrap().open_messages().unsaved;
    assert_eq!(open(&mut chat), 1);
    chat.run(3 * 60 * SECOND);
    assert_eq!(chat.hears("alice").last().unwrap(), "expired: is anybody out there?");
    assert_eq!(open(&mut chat), 0);
}

#[test]
fn what_the_store_may_yet_save_is_not_called_refused() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    // It takes minutes for everything, and does it in the end.
    let manners = Manners { slow: 6_000 * SECOND, ..Manners::default() };
    chat.world.nodes[SERVER].store.behave(manners);
    chat.say("alice", "bob", "there is a spider in the bath");
    chat.run(120 * SECOND);
    chat.heal();
    chat.run(6_000 * SECOND);
    let told = chat.hears("alice");
    assert_eq!(told.last().unwrap(), "stored: there is a spider in the bath", "{told:?}");
    chat.hears("bob");
    chat.register("bob");
    chat.run(SHORTLY);
    let heard = chat.hears("bob");
    let line = "alice (saved): there is a spider in the bath";
    assert_eq!(heard.iter().filter(|heard| *heard == line).count(), 1, "{heard:?}");
}

/// The server hands a message over and crashes before it knows; started anew, it has no room
/// to save the same once more.
#[test]
fn what_was_handed_over_before_a_crash_is_not_called_refused() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.part("alice", "bob", 600 * SECOND);
    let [alice, bob, server] = ["alice", "bob", "server"].map(|who| chat.at(who));
    let keys = [bob, alice].map(|who| chat.world.nodes[who].key());
    chat.say("alice", "bob", "you are it");
    chat.run_until(|chat| !chat.world.laws().inbox(keys[0], keys[1]).is_empty());
    chat.crash("server");
    chat.crash("bob");
    chat.world.nodes[server].store.behave(Manners { full: true, ..Manners::default() });
    chat.start("server");
    chat.run(120 * SECOND);
    chat.heal();
    chat.start("bob");
    chat.run(120 * SECOND);
    let told = chat.hears("alice");
    assert_eq!(told.last().unwrap(), "delivered: you are it", "{told:?}");
}

/// A client's directory is put back from a backup after its client was started again some
/// times: what it says then is neither lost nor taken for what it said before.
#[test]
fn whoever_comes_back_from_a_backup_is_heard() {
    for starts in 2..5 {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.say("alice", "bob", "before the backup");
        chat.run(SHORTLY);
        chat.crash("alice");
        let alice = chat.at("alice");
        let backup = chat.back_up("alice");
        for start in 0..starts {
            chat.start("alice");
            chat.run(SHORTLY);
            chat.say("alice", "bob", &format!("after the backup, {start}"));
            chat.say("alice", "#", &format!("to everyone after the backup, {start}"));
            chat.run(SHORTLY);
            chat.crash("alice");
        }
        chat.world.put_back(alice, backup);
        chat.start("alice");
        chat.run(SHORTLY);
        chat.hears("bob");
        chat.hears("alice");
        for round in 0..starts {
            chat.say("alice", "bob", &format!("back again, {round}"));
            chat.say("alice", "#", &format!("to everyone again, {round}"));
            chat.run(SHORTLY);
        }
        let (heard, told) = (chat.hears("bob"), chat.hears("alice"));
        for round in 0..starts {
            for line in [
                format!("alice: back again, {round}"),
                format!("# alice: to everyone again, {round}"),
            ] {
                assert!(heard.contains(&line), "{starts} starts: {heard:?}");
            }
            for line in [
                format!("delivered: back again, {round}"),
                format!("stored: to everyone again, {round}"),
            ] {
                assert!(told.contains(&line), "{starts} starts: {told:?}");
            }
        }
    }
}

/// A path that took large datagrams takes small ones only from now on: what is said goes on
/// in those, long before anyone takes the other for gone.
#[test]
fn a_path_that_becomes_narrow_is_soon_used_as_it_is() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.say("alice", "bob", "hello");
    chat.run(SHORTLY);
    for (one, other) in [("alice", "bob"), ("alice", "server"), ("bob", "server")] {
        chat.narrow(one, other, 500);
    }
    let text = Chat::long("a long story", 2_000);
    chat.say("alice", "bob", &text);
    chat.run(8 * SECOND);
    let heard = chat.hears("bob");
    assert!(heard.iter().any(|line| line.ends_with(&text)), "{heard:?}");
}

/// The server's store is lost, and it begins anew below the versions that its clients know:
/// they see who is there even so.
#[test]
fn a_server_that_begins_anew_shows_its_people_to_each_other() {
    let mut chat = Chat::of(&["alice", "bob"]);
    chat.register("alice");
    chat.run(SHORTLY);
    for _ in 0..3 {
        chat.crash("server");
        chat.run(SECOND);
        chat.start("server");
        chat.run(60 * SECOND);
    }
    chat.deregister("alice");
    chat.run(SHORTLY);
    chat.lose_server();
    for who in ["bob", "alice"] {
        chat.register(who);
        chat.run(SHORTLY);
    }
    chat.hears("bob");
    chat.say("alice", "bob", "is this the same place?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["alice: is this the same place?"]);
}

#[test]
fn a_nick_that_somebody_else_has_now_is_told_of() {
    let mut chat = Chat::wary(&["alice", "Alice", "bob"]);
    for who in ["alice", "bob"] {
        chat.register(who);
        chat.run(SHORTLY);
    }
    chat.say("alice", "bob", "see you tomorrow");
    chat.run(SHORTLY);
    for who in ["alice", "bob"] {
        chat.deregister(who);
        chat.run(SHORTLY);
    }
    chat.lose_server();
    chat.hears("bob");
    for who in ["bob", "Alice"] {
        chat.register(who);
        chat.run(SHORTLY);
        assert_eq!(chat.hears(who), ["registered"]);
    }
    chat.say("Alice", "bob", "here I am");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["alice has another key", "a stranger Alice: here I am"]);
    // What is for the one who is known goes to nobody else.
    chat.say("bob", "alice", "is that you?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["accepted: is that you?"]);
    chat.trust("bob", "Alice");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["delivered: is that you?"]);
    chat.say("Alice", "bob", "it is");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["alice: it is"]);
}

/// A server that is started anew takes less than before.
#[test]
fn what_is_behind_a_message_that_is_refused_does_not_wait_for_it() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.crash("server");
    chat.say("alice", "bob", &Chat::long("a long story", 300));
    chat.say("alice", "bob", "a short one");
    chat.configure(|config| config.text = 100);
    let is_refused = |line: &String| line.starts_with("refused (TooLong): a long story");
    chat.run_until(|chat| chat.hears("alice").iter().any(is_refused));
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["stored: a short one"]);
}

#[test]
fn what_cannot_be_sent_is_said_at_once() {
    let mut chat = Chat::of(&["alice", "bob"]);
    assert_eq!(chat.try_say("alice", "bob", "hello?"), Err(SendError::Offline));
    chat.register("alice");
    chat.run(SHORTLY);
    assert_eq!(chat.try_say("alice", "nobody", "hello?"), Err(SendError::Unknown));
    assert_eq!(chat.try_say("alice", "bob", "hello?"), Err(SendError::Unknown));
    assert_eq!(chat.try_say("alice", "Alice", "hello?"), Err(SendError::Oneself));
    assert_eq!(chat.try_say("alice", "bob", ""), Err(SendError::Empty));
    chat.deregister("alice");
    chat.run(SHORTLY);
    assert_eq!(chat.try_say("alice", "bob", "hello?"), Err(SendError::Offline));
    assert_eq!(chat.hears("alice"), ["registered", "offline"]);
}

#[test]
fn an_own_full_disk_is_not_called_the_servers() {
    let mut chat = Chat::online(&["alice", "bob"]);
    let alice = chat.at("alice");
    chat.world.nodes[alice].store.behave(Manners { full: true, ..Manners::default() });
    for to in ["bob", "#"] {
        chat.say("alice", to, "is there room?");
        chat.run(SHORTLY);
        assert_eq!(chat.hears("alice"), ["StoreFailed", "failed (Unsaved): is there room?"]);
    }
    chat.heal();
    chat.say("alice", "bob", "there is");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["alice: there is"]);
}

#[test]
fn what_a_slow_store_may_yet_save_is_not_called_refused() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    // Longer than the server waits for it.
    let slow = Manners { slow: 600 * SECOND, ..Manners::default() };
    chat.world.nodes[SERVER].store.behave(slow);
    let texts: Vec<_> = (0..5).map(|number| format!("letter {number}")).collect();
    for text in &texts {
        chat.say("alice", "bob", text);
        chat.run(40 * SECOND);
    }
    chat.heal();
    chat.run(700 * SECOND);
    chat.register("bob");
    chat.run(30 * SECOND);
    let told = chat.hears("alice");
    assert!(!told.iter().any(|line| line.contains("refused")), "{told:?}");
    let shown = chat.hears("bob");
    for text in &texts {
        assert_eq!(shown.iter().filter(|line| line.ends_with(text)).count(), 1, "{shown:?}");
    }
}
