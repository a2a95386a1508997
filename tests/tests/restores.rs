//! Stories of stores that go back in time: whatever is called delivered, saved or said can be
//! read by those it was for. The world's laws look on.

use simulation::{
    chat::{Chat, SHORTLY},
    place::SERVER,
    world::Backup,
};

/// Those of the lines that end with one of these texts.
fn with_text(lines: Vec<String>, texts: &[&str]) -> Vec<String> {
    let ends = |line: &String| texts.iter().any(|text| line.ends_with(text));
    lines.into_iter().filter(ends).collect()
}

/// Someone says something to another and to everyone.
fn say_both(chat: &mut Chat, from: &str, to: &str, text: &str) {
    chat.say(from, to, text);
    chat.say(from, "#", &format!("{text} all"));
    chat.run(SHORTLY);
}

/// Someone was told of both that they arrived, and the reader was shown both, once.
fn both_arrived(chat: &mut Chat, from: &str, reader: &str, text: &str) {
    let all = format!("{text} all");
    let told = with_text(chat.hears(from), &[text, &all]);
    for line in [format!("delivered: {text}"), format!("stored: {all}")] {
        assert_eq!(told.iter().filter(|told| **told == line).count(), 1, "{line}: {told:?}");
    }
    let mut shown = with_text(chat.hears(reader), &[text, &all]);
    shown.sort();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(shown[0].starts_with("# ") && shown[0].ends_with(&format!(": {all}")), "{shown:?}");
    assert!(shown[1].ends_with(&format!(": {text}")), "{shown:?}");
}

/// Someone ends their program and starts it again.
fn restart(chat: &mut Chat, who: &str) {
    let place = chat.at(who);
    chat.world.quit(place);
    chat.run(SHORTLY);
}

#[test]
fn a_client_put_back_by_any_number_of_runs_is_heard() {
    for runs in 0..4 {
        let mut chat = Chat::restorable(&["alice", "bob"]);
        say_both(&mut chat, "alice", "bob", "before");
        both_arrived(&mut chat, "alice", "bob", "before");
        let backup = chat.back_up("alice");
        for run in 0..runs {
            restart(&mut chat, "alice");
            say_both(&mut chat, "alice", "bob", &format!("lost {run}"));
            both_arrived(&mut chat, "alice", "bob", &format!("lost {run}"));
        }
        chat.put_back("alice", &backup);
        chat.run(SHORTLY);
        for number in 0..4 {
            say_both(&mut chat, "alice", "bob", &format!("after {number}"));
            both_arrived(&mut chat, "alice", "bob", &format!("after {number}"));
        }
    }
}

#[test]
fn what_an_older_outbox_has_open_is_not_called_delivered_for_what_came_later() {
    let mut chat = Chat::restorable(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.say("alice", "bob", "open");
    chat.run(SHORTLY);
    let backup = chat.back_up("alice");
    chat.register("bob");
    chat.run(SHORTLY);
    restart(&mut chat, "alice");
    say_both(&mut chat, "alice", "bob", "lost");
    both_arrived(&mut chat, "alice", "bob", "lost");
    chat.put_back("alice", &backup);
    chat.run(SHORTLY);
    say_both(&mut chat, "alice", "bob", "after");
    both_arrived(&mut chat, "alice", "bob", "after");
    let alice = chat.at("alice");
    assert_eq!(chat.world.nodes[alice].client().unwrap().open_messages().unsaved, 0);
}

#[test]
fn a_copy_and_its_original_are_both_heard_in_turns() {
    let mut chat = Chat::restorable(&["alice", "bob"]);
    say_both(&mut chat, "alice", "bob", "before");
    both_arrived(&mut chat, "alice", "bob", "before");
    chat.copy("alice", "copy");
    // The copy was made, but the original goes on for a while.
    say_both(&mut chat, "alice", "bob", "meanwhile");
    both_arrived(&mut chat, "alice", "bob", "meanwhile");
    chat.start("copy");
    for round in 0..4 {
        let who = if round % 2 == 0 { "copy" } else { "alice" };
        chat.register(who);
        chat.run(SHORTLY);
        let text = format!("{who} {round}");
        say_both(&mut chat, who, "bob", &text);
        both_arrived(&mut chat, who, "bob", &text);
    }
}

/// The server loses what was said to everyone after the first few.
fn a_server_that_lost_lines(loss: impl Fn(&Chat) -> Backup, knows_all: bool) {
    let mut chat = Chat::restorable(&["alice", "bob", "carol", "dave"]);
    chat.deregister("dave");
    let numbered = |name: &str, count| (0..count).map(move |n| format!("{name} {n}")).collect();
    let (common, gone): (Vec<String>, Vec<String>) = (numbered("common", 5), numbered("gone", 10));
    for text in &common {
        chat.say("alice", "#", text);
    }
    chat.run(SHORTLY);
    let backup = loss(&chat);
    for text in &gone {
        chat.say("bob", "#", text);
    }
    chat.run(SHORTLY);
    chat.put_back("server", &backup);
    // Until clients notice that the server was away.
    chat.run(40 * SHORTLY);
    let mut new = Vec::new();
    for number in 0..15 {
        for who in ["alice", "bob"] {
            let text = format!("{who} {number}");
            chat.say(who, "#", &text);
            chat.run(SHORTLY / 10);
            new.push(text);
        }
    }
    chat.run(SHORTLY);
    let has = [common.clone(), gone, new.clone()].concat();
    for who in ["alice", "bob", "carol"] {
        assert_eq!(chat.has_texts(who), has, "{who}");
        restart(&mut chat, who);
    }
    chat.register("dave");
    chat.run(SHORTLY);
    if knows_all {
        assert_eq!(chat.has_texts("dave"), [common, new].concat());
    }
    chat.say("alice", "#", "the end");
    chat.run(SHORTLY);
    for who in ["bob", "carol", "dave"] {
        assert_eq!(chat.has_texts(who).last().unwrap(), "the end", "{who}");
    }
    for who in ["alice", "bob", "carol"] {
        assert_eq!(chat.has_texts(who).len(), has.len() + 1, "{who}");
    }
}

/// However long the log was that is lost, and so wherever the new one stands when a member
/// looks at it again: those who read the lost one are told once that it is another, and have all
/// of the new one.
#[test]
fn a_log_as_long_as_the_lost_one_is_not_taken_for_it() {
    for lost in [0, 3, 6, 7, 20] {
        let mut chat = Chat::restorable(&["alice", "bob", "carol"]);
        let lines = |name: &str, count| (0..count).map(|n| format!("{name} {n}")).collect();
        let (common, gone, new): (Vec<String>, Vec<String>, Vec<String>) =
            (lines("common", 4), lines("gone", lost), lines("new", 6));
        for text in &common {
            chat.say("alice", "#", text);
        }
        chat.run(SHORTLY);
        let backup = chat.back_up("server");
        for text in &gone {
            chat.say("alice", "#", text);
        }
        chat.run(SHORTLY);
        // Carol is away when the store is put back, and until all is said.
        chat.deregister("carol");
        chat.run(SHORTLY);
        chat.put_back("server", &backup);
        chat.run(40 * SHORTLY);
        for text in &new {
            chat.say("bob", "#", text);
            chat.run(SHORTLY);
        }
        let noticed = chat.world.nodes[SERVER].put_back();
        assert_eq!(noticed, u64::from(lost > 0), "after {lost} lost lines");
        chat.register("carol");
        chat.run(SHORTLY);
        let all = [common.clone(), gone.clone(), new.clone()].concat();
        for who in ["alice", "bob", "carol"] {
            assert_eq!(chat.has_texts(who), all, "{who}, after {lost} lost lines");
            let told = chat.hears(who);
            let resets = with_text(told.clone(), &["is another"]).len();
            assert_eq!(resets, usize::from(lost > 0), "{who}, after {lost} lost lines: {told:?}");
            if who != "bob" {
                let shown = told.into_iter().filter(|line| line.starts_with("# bob")).count();
                assert_eq!(shown, new.len(), "{who}, after {lost} lost lines");
            }
        }
    }
}

#[test]
fn what_is_said_once_a_server_was_put_back_is_read_by_all() {
    a_server_that_lost_lines(|chat| chat.back_up("server"), true);
}

#[test]
fn what_is_said_once_a_server_began_anew_is_read_by_all() {
    // Whom it has not met yet when something is said, has joined after that.
    a_server_that_lost_lines(|_| Backup::default(), false);
}

#[test]
fn mail_that_a_server_lost_is_submitted_again() {
    for begins_anew in [false, true] {
        let mut chat = Chat::restorable(&["alice", "bob"]);
        chat.deregister("bob");
        chat.run(SHORTLY);
        chat.hears("bob");
        let backup = if begins_anew { Backup::default() } else { chat.back_up("server") };
        for text in ["one", "two", "three"] {
            chat.say("alice", "bob", text);
        }
        chat.run(SHORTLY);
        chat.put_back("server", &backup);
        chat.run(40 * SHORTLY);
        chat.say("alice", "bob", "four");
        chat.run(SHORTLY);
        assert!(!chat.hears("alice").iter().any(|line| line.starts_with("delivered")));
        chat.register("bob");
        chat.run(10 * SHORTLY);
        let texts = ["one", "two", "three", "four"];
        let shown = with_text(chat.hears("bob"), &texts);
        let told: Vec<_> = chat.hears("alice");
        let delivered: Vec<_> = told.iter().filter(|line| line.starts_with("delivered")).collect();
        for (text, (shown, delivered)) in texts.iter().zip(shown.iter().zip(&delivered)) {
            assert!(shown.ends_with(text) && delivered.ends_with(text), "{shown}, {delivered}");
        }
        assert_eq!((shown.len(), delivered.len()), (4, 4), "{shown:?}, {told:?}");
    }
}

#[test]
fn a_server_and_a_client_put_back_together_are_heard() {
    let mut chat = Chat::restorable(&["alice", "bob"]);
    say_both(&mut chat, "alice", "bob", "before");
    both_arrived(&mut chat, "alice", "bob", "before");
    let (server, alice) = (chat.back_up("server"), chat.back_up("alice"));
    restart(&mut chat, "alice");
    say_both(&mut chat, "alice", "bob", "lost");
    both_arrived(&mut chat, "alice", "bob", "lost");
    chat.crash("alice");
    chat.put_back("server", &server);
    chat.put_back("alice", &alice);
    chat.run(40 * SHORTLY);
    say_both(&mut chat, "alice", "bob", "after");
    both_arrived(&mut chat, "alice", "bob", "after");
}

#[test]
fn a_message_that_is_under_way_is_not_sealed_anew_when_a_server_turns_out_to_have_gone_back() {
    let mut chat = Chat::restorable(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    let backup = chat.back_up("server");
    chat.say("alice", "bob", "one");
    chat.run(SHORTLY);
    chat.register("bob");
    chat.run(SHORTLY);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.put_back("server", &backup);
    chat.run(40 * SHORTLY);
    chat.hears("alice");
    chat.hears("bob");
    // Its third large packet is lost, so the answer comes while it is still incomplete.
    let large = std::cell::Cell::new(0);
    let server = chat.world.network.address(SERVER);
    chat.world.network.intercept(move |letter| {
        large.set(large.get() + usize::from(letter.to == server && letter.bytes.len() > 1000));
        large.get() == 3
    });
    let long = Chat::long("long", 8_000);
    chat.say("alice", "bob", &long);
    chat.run(10 * SHORTLY);
    chat.register("bob");
    chat.run(10 * SHORTLY);
    let shown = with_text(chat.hears("bob"), &[&long]);
    assert_eq!(shown.len(), 1);
    assert!(chat.hears("alice").contains(&format!("delivered: {long}")));
}

#[test]
fn a_copys_deliveries_say_nothing_of_what_the_server_lost_of_the_originals() {
    let mut chat = Chat::restorable(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    let backup = chat.back_up("server");
    chat.copy("alice", "copy");
    chat.say("alice", "bob", "from the original");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice").last().unwrap(), "stored: from the original");
    chat.crash("alice");
    chat.put_back("server", &backup);
    chat.start("copy");
    chat.register("copy");
    chat.run(SHORTLY);
    chat.say("copy", "bob", "from the copy");
    chat.register("bob");
    chat.run(SHORTLY);
    assert!(chat.hears("copy").contains(&"delivered: from the copy".into()));
    chat.start("alice");
    chat.run(10 * SHORTLY);
    let told = with_text(chat.hears("alice"), &["from the original"]);
    assert_eq!(told.last().unwrap(), "refused (Superseded): from the original");
    assert_eq!(with_text(chat.hears("bob"), &["from the original"]), [""; 0]);
}

#[test]
fn what_an_older_outbox_has_open_is_told_by_a_cursor_beyond_it_in_the_same_epoch() {
    for to in ["bob", "#"] {
        let mut chat = Chat::restorable(&["alice", "bob"]);
        chat.deregister("bob");
        chat.run(SHORTLY);
        chat.isolate("alice", SHORTLY);
        chat.say("alice", to, "open");
        chat.run(SHORTLY / 10);
        let backup = chat.back_up("alice");
        chat.run(10 * SHORTLY);
        chat.say("alice", to, "beyond");
        chat.run(SHORTLY);
        assert_eq!(chat.hears("alice").last().unwrap(), "stored: beyond");
        chat.put_back("alice", &backup);
        chat.run(10 * SHORTLY);
        assert!(chat.hears("alice").contains(&"stored: open".into()));
    }
}

#[test]
fn whoever_goes_offline_does_not_wait_for_a_server_to_know_people_again() {
    let mut chat = Chat::restorable(&["alice", "bob"]);
    chat.deregister("bob");
    chat.run(SHORTLY);
    chat.put_back("server", &Backup::default());
    chat.run(40 * SHORTLY);
    chat.say("alice", "bob", "hello?");
    chat.run(SHORTLY);
    chat.deregister("alice");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice").last().unwrap(), "offline");
    // It is still there for when both are back.
    chat.register("bob");
    chat.register("alice");
    chat.run(10 * SHORTLY);
    assert_eq!(with_text(chat.hears("bob"), &["hello?"]).len(), 1);
    assert_eq!(chat.hears("alice").last().unwrap(), "delivered: hello?");
}
