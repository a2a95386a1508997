//! What was said is there again after every end, in order, and what was not seen is marked.
#![cfg(unix)]

mod common;

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use common::{Program, free_port};

fn server(directory: &Path, port: u16) -> Program {
    let port = port.to_string();
    let arguments = ["server", "--port", &port, "--bind", "127.0.0.1"];
    let mut server = Program::start(&directory.join("server"), &arguments);
    server.expect_where("the line to join by", |line| line.contains("udpchat join"));
    server
}

fn join(directory: &Path, nick: &str, port: u16) -> Program {
    let address = format!("127.0.0.1:{port}");
    let mut client = Program::start(&directory.join(nick), &["join", nick, &address]);
    client.expect_where("online", |line| line.starts_with("Welcome"));
    client
}

/// What a `/history` shows, without the times, up to the answer to the command after it.
fn history(client: &mut Program, of: &str) -> Vec<String> {
    client.seen.clear();
    client.line(&format!("/history {of}"));
    client.line("/who");
    client.expect_where("the end", |line| line.ends_with(" online (you)"));
    let row = |line: &String| {
        let is_timed = line.as_bytes().get(2) == Some(&b':');
        let is_mark = line == "---- unread ----";
        (is_timed || is_mark)
            .then(|| line.strip_prefix("---- ").map_or(&line[6..], |_| line).to_owned())
    };
    client.seen.iter().filter_map(row).collect()
}

#[test]
fn both_sides_are_there_again_after_kills_each_once_and_in_order() {
    const LIVES: usize = 5;
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let port = free_port();
    let _server = server(directory, port);
    let mut bob = join(directory, "bob", port);
    let mut expected = Vec::new();
    for life in 0..LIVES {
        let mut alice = join(directory, "alice", port);
        alice.line(&format!("/msg bob ping {life}"));
        let text = format!("ping {life}");
        bob.expect_where("the message", |line| line.ends_with(&text));
        alice.expect_where("its verdict", |line| line.starts_with("(bob has"));
        bob.line(&format!("/msg alice pong {life}"));
        let text = format!("bob: pong {life}");
        alice.expect_where("the answer", |line| line.ends_with(&text));
        alice.line(&format!("/all hello {life}"));
        alice.expect_where("its verdict", |line| line.starts_with("(said to everyone"));
        alice.kill();
        expected.push(format!("alice to bob: ping {life} (delivered)"));
        expected.push(format!("bob: pong {life}"));
        expected.push(format!("alice to everyone: hello {life} (said)"));
    }
    let mut alice = join(directory, "alice", port);
    // The last line may have been on the screen without that being noted.
    let mut shown = history(&mut alice, "");
    shown.retain(|line| !line.starts_with("----"));
    assert_eq!(shown, expected);
    let mut with_bob = history(&mut alice, "bob 2");
    with_bob.retain(|line| !line.starts_with("----"));
    assert_eq!(with_bob, ["alice: ping 4 (delivered)", "bob: pong 4"]);
    alice.line("/search PING 3");
    alice.expect_where("what was found", |line| line.ends_with("alice to bob: ping 3 (delivered)"));

    // What waits for bob while he is away is his word's last, until he has it.
    bob.line("/quit");
    assert_eq!(bob.exit_code(), 0);
    alice.line("/msg bob later");
    alice.expect_where("its verdict", |line| line.starts_with("(saved for bob"));
    assert_eq!(history(&mut alice, "bob 1"), ["alice: later (saved for them)"]);
    let mut bob = join(directory, "bob", port);
    alice.expect_where("its verdict", |line| line.starts_with("(bob has \"later\""));
    assert_eq!(history(&mut alice, "bob 1"), ["alice: later (delivered)"]);
    bob.expect_where("what waited", |line| line.ends_with("alice: later"));
}

#[test]
fn what_was_received_and_not_shown_is_unread() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let port = free_port();
    let _server = server(directory, port);
    let mut alice = join(directory, "alice", port);
    let mut bob = join(directory, "bob", port);
    bob.line("/msg alice seen");
    alice.expect_where("the message", |line| line.ends_with("bob: seen"));
    alice.line("/quit");
    assert_eq!(alice.exit_code(), 0);

    // Nobody reads what alice's program writes now: it fills the pipe.
    let address = format!("127.0.0.1:{port}");
    let mut unread = Command::new(env!("CARGO_BIN_EXE_udpchat"))
        .args(["join", "alice", &address, "--data-dir"])
        .arg(directory.join("alice"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let long = "x".repeat(900);
    for number in 0..150 {
        bob.line(&format!("/msg alice {number} {long}"));
    }
    for _ in 0..150 {
        bob.expect_where("its verdict", |line| line.starts_with("(alice has"));
    }
    unread.kill().unwrap();
    unread.wait().unwrap();

    let mut alice = Program::start(&directory.join("alice"), &["join", "alice", &address]);
    let start = alice.expect_where("a count", |line| line.contains(" unread from bob;"));
    let count: usize = start.split(' ').next().unwrap().parse().unwrap();
    assert!((1..150).contains(&count), "{start}");
    alice.expect_where("bob", |line| line.starts_with("Online: bob"));
    let shown = history(&mut alice, "bob all");
    let mark = shown.iter().position(|line| line == "---- unread ----").unwrap();
    assert_eq!(shown.len() - mark - 1, count);
    assert!(shown[..mark].iter().any(|line| line == "bob: seen"));
    // Now they have been shown.
    alice.look(Duration::from_millis(300));
    alice.line("/quit");
    assert_eq!(alice.exit_code(), 0);
    let mut alice = join(directory, "alice", port);
    assert!(!alice.seen.iter().any(|line| line.contains("unread")), "{alice}");
    assert!(!history(&mut alice, "bob").iter().any(|line| line.contains("unread")));
}
