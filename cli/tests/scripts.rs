//! `server` and `join` as scripts use them: what is waited for, and the exit codes.
#![cfg(unix)]

mod common;

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use common::{Program, free_port, make_private};
use rustix::process::Signal;

/// A server, and the address that it prints for others.
fn server(directory: &Path, port: u16) -> (Program, String) {
    let port = port.to_string();
    let mut server = Program::start(directory, &["server", "--port", &port, "--bind", "127.0.0.1"]);
    let line = server.expect_where("the line to join by", |line| line.contains("udpchat join"));
    let address = line.split_whitespace().last().unwrap().to_owned();
    (server, address)
}

/// Runs it with this input until it ends.
fn run(directory: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    make_private(directory);
    let mut child = Command::new(env!("CARGO_BIN_EXE_udpchat"))
        .args(arguments)
        .arg("--data-dir")
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever ends early takes nothing in any more.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn a_script_ends_when_all_is_delivered_or_saved() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path(), free_port());
    let (code, out, _) = run(directory.path(), &["join", "bob", &address], "");
    assert_eq!(code, 0, "{out}");
    let mut carol = Program::start(directory.path(), &["join", "carol", &address]);
    carol.expect_where("the table", |line| line.contains("Offline: bob."));
    let input = "/msg bob one\n/msg carol two\nwhat?\n/who\n";
    let (code, out, _) = run(directory.path(), &["join", "alice", &address], input);
    assert_eq!(code, 4, "{out}");
    for line in ["(saved for bob, who gets it on return: \"one\")", "(carol has \"two\")"] {
        assert!(out.contains(line), "{out}");
    }
    assert!(out.contains("Nothing was sent: to whom?") && out.contains("carol online"), "{out}");
    carol.expect_where("the message", |line| line.ends_with(" alice: two"));

    let (code, out, _) = run(directory.path(), &["join", "bob", &address], "/wait 1\n");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("Messages waited for you:") && out.contains("alice: one"), "{out}");
    let (_, out, _) = run(directory.path(), &["join", "bob", &address], "/history\n");
    assert_eq!(out.matches("alice: one").count(), 1, "{out}");
}

#[test]
fn the_exit_code_says_what_failed() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let (server, address) = server(directory.path(), port);
    let (code, out, _) = run(directory.path(), &["join", "bob", &address], "/msg nobody hi\n");
    assert_eq!(code, 4, "{out}");
    let thief = directory.path().join("thief");
    let (code, out, _) = run(&thief, &["join", "bob", &address], "");
    assert_eq!(code, 6, "{out}");
    let port = port.to_string();
    let (code, _, error) = run(&thief, &["server", "--port", &port, "--bind", "127.0.0.1"], "");
    assert_eq!(code, 1);
    assert!(error.contains("in use"), "{error}");
    server.kill();
    let (code, out, _) = run(directory.path(), &["join", "bob", &address], "/msg bob hi\n");
    assert_eq!(code, 5, "{out}");
    assert!(out.contains("NOT DONE, and not kept: the last line of the input."), "{out}");
    let (code, _, error) = run(directory.path(), &["join", "send", &address], "");
    assert_eq!(code, 2);
    assert!(error.contains("Usage: udpchat"), "{error}");
}

#[test]
fn a_message_that_the_server_did_not_take_goes_out_the_next_time() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let (first, address) = server(directory.path(), port);
    let (code, ..) = run(directory.path(), &["join", "bob", &address], "");
    assert_eq!(code, 0);
    let mut alice = Program::start(directory.path(), &["join", "alice", &address]);
    alice.expect_where("the table", |line| line.contains("Offline: bob."));
    first.kill();
    for line in ["/msg bob later", "/msg bob much later", "/all hello"] {
        alice.line(line);
    }
    alice.end_input();
    assert_eq!(alice.exit_code(), 5, "{alice}");
    let place = directory.path().join("clients/alice");
    let kept = format!(
        "NOT DELIVERED yet, nor saved at the server: 3 messages. They stay in the outbox in {} and \
         go out the next time alice is online.",
        place.display()
    );
    assert!(alice.seen.contains(&kept), "{alice}");
    let (_second, address) = server(directory.path(), port);
    let (code, out, _) = run(directory.path(), &["join", "alice", &address], "");
    assert_eq!(code, 0, "{out}");
    assert!(!out.contains("NOT DELIVERED"), "{out}");
    let (_, out, _) = run(directory.path(), &["join", "bob", &address], "/wait 1\n");
    for text in ["alice: later", "alice: much later", "alice to everyone: hello"] {
        assert_eq!(out.matches(text).count(), 1, "{text}: {out}");
    }
}

#[test]
fn who_interrupts_a_script_sees_what_is_not_done() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path(), free_port());
    let mut alice = Program::start(directory.path(), &["join", "alice", &address]);
    for line in ["/who", "/wait 600", "/all hello"] {
        alice.line(line);
    }
    alice.end_input();
    alice.expect("alice online (you)");
    // The line behind was read long before.
    alice.look(Duration::from_millis(300));
    alice.signal(Signal::INT);
    assert_eq!(alice.exit_code(), 3, "{alice}");
    let undone = "NOT DONE, and not kept: the last line of the input.";
    assert!(alice.seen.iter().any(|line| line == undone), "{alice}");
}

#[test]
fn send_says_what_became_of_what_and_keeps_what_it_says_it_keeps() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let (server, address) = self::server(directory.path(), port);
    let send = |words: &[&str], input: &str| {
        let account = ["--as", "ci", "--server", &address];
        run(directory.path(), &[&["send"], words, &account].concat(), input)
    };
    let (code, ..) = run(directory.path(), &["join", "bob", &address], "");
    assert_eq!(code, 0);
    let (code, out, error) = send(&["bob", "/quit #1"], "not read");
    assert_eq!((code, &*out), (0, ""), "{error}");
    assert!(error.contains("saved for bob") && error.contains("/quit #1"), "{error}");
    let (code, _, error) = send(&["bob"], "two\n\nthree\n");
    assert_eq!(code, 0, "{error}");
    let (code, _, error) = send(&["--all", "-"], "four\nfive\n");
    assert_eq!(code, 0, "{error}");
    let (code, _, error) = send(&["eve"], "hi\n");
    assert!(code == 4 && error.contains("line 1: Nobody here goes by eve"), "{error}");
    // Nobody has it in that time, but the server keeps it.
    let (code, _, error) = send(&["bob", "six", "--wait", "delivered", "--timeout", "1"], "");
    assert_eq!(code, 3, "{error}");
    server.kill();
    let (code, _, error) = send(&["bob", "seven", "--timeout", "3"], "");
    assert_eq!(code, 5, "{error}");
    assert!(error.contains("not kept") && !error.contains("outbox"), "{error}");

    // A server that stops answering once it is reached: what was taken is kept.
    let (server, _) = self::server(directory.path(), port);
    let arguments = ["send", "bob", "--timeout", "6", "--as", "ci", "--server", &address];
    let mut ci = Program::start(directory.path(), &arguments);
    ci.line("eight");
    let mut bob = Program::start(directory.path(), &["join", "bob", &address]);
    bob.expect_where("the message", |line| line.ends_with(" ci: eight"));
    bob.end_input();
    assert_eq!(bob.exit_code(), 0);
    server.kill();
    ci.line("nine");
    ci.end_input();
    assert_eq!(ci.exit_code(), 5, "{ci}");
    let (_server, _) = self::server(directory.path(), port);
    let (code, _, error) = send(&["--all", "ten"], "");
    assert_eq!(code, 0, "{error}");
    let (_, _, _) = run(directory.path(), &["join", "bob", &address], "");
    let (_, out, _) = run(directory.path(), &["join", "bob", &address], "/history\n");
    for text in ["/quit #1", "two", "three", "four\\nfive", "six", "eight", "nine", "ten"] {
        assert_eq!(out.lines().filter(|line| line.ends_with(text)).count(), 1, "{text}: {out}");
    }
    assert!(!out.contains("seven"), "{out}");
}

#[test]
fn a_bot_hears_and_answers_in_objects() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path(), free_port());
    let mut bot = Program::start(directory.path(), &["join", "bot", &address, "--json"]);
    bot.expect_where("the start", |line| line.contains(r#""event":"roster""#));
    let account = ["--as", "ear", "--server", &address];
    let mut ear = Program::start(directory.path(), &[&["listen"], &account[..]].concat());
    bot.expect_where("the ear", |line| line.contains(r#""nick":"ear","presence":"online""#));
    bot.line(r#"{"id":1,"send":{"to":"ear","text":"psst"}}"#);
    bot.line(r##"{"id":2,"send":{"to":"#lobby","text":"to all\tof you"}}"##);
    bot.line("{}");
    for event in [
        r#""event":"done","id":1,"line":1"#,
        r#""event":"done","id":2,"line":2"#,
        r#""event":"error","id":null,"line":3"#,
    ] {
        bot.expect_where(event, |line| {
            line.starts_with(r#"{"v":1,"at":""#) && line.contains(event)
        });
    }
    let heard = [ear.expect_where("a line", |_| true), ear.expect_where("another", |_| true)];
    for said in ["\tbot\tbot\tpsst", "\t#lobby\tbot\tto all\\tof you"] {
        assert!(heard.iter().any(|line| line.ends_with(said)), "{heard:?}");
    }
    ear.signal(Signal::TERM);
    assert_eq!(ear.exit_code(), 0, "{ear}");
    bot.end_input();
    assert_eq!(bot.exit_code(), 4, "{bot}");
    assert!(bot.seen.last().unwrap().contains(r#""event":"end","exit":4"#), "{bot}");
}

#[test]
fn what_waits_for_another_server_neither_holds_a_script_up_nor_warns() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let own = directory.path();
    let (here, address) = server(&first, free_port());
    let (code, ..) = run(&first, &["join", "bob", &address], "");
    assert_eq!(code, 0);
    // Something is open for the first server.
    let mut alice = Program::start(own, &["join", "alice", &address]);
    alice.expect_where("the table", |line| line.contains("Offline: bob."));
    here.kill();
    alice.line("/msg bob hello");
    alice.end_input();
    assert_eq!(alice.exit_code(), 5, "{alice}");
    // At the second, bob is somebody else.
    let (_there, address) = server(&second, free_port());
    let (code, ..) = run(&second, &["join", "bob", &address], "");
    assert_eq!(code, 0);
    let (code, out, _) = run(own, &["join", "alice", &address], "/msg bob hi\n");
    assert_eq!(code, 0, "{out}");
    assert!(!out.contains("CAUTION"), "{out}");
    assert!(out.contains("1 message to people whom this server does not know"), "{out}");
}

#[test]
fn another_key_is_a_loud_stop() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let place = format!("127.0.0.1:{port}");
    let (mut first, _) = server(&directory.path().join("first"), port);
    let (code, out, _) = run(directory.path(), &["join", "bob", &place], "");
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("its key is trusted and remembered"), "{out}");
    let (code, out, _) = run(directory.path(), &["join", "bob", &place], "");
    assert!(code == 0 && !out.contains("remembered"), "{out}");
    first.signal(Signal::INT);
    assert_eq!(first.exit_code(), 0);

    let (_other, address) = server(&directory.path().join("other"), port);
    let (code, out, _) = run(directory.path(), &["join", "bob", &place], "/msg bob hi\n");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("ANOTHER KEY") && out.contains("known_servers"), "{out}");
    // Nor does a key that stands in the address replace the one that is known.
    let (code, _, error) = run(directory.path(), &["join", "bob", &address], "");
    assert_eq!(code, 1);
    assert!(error.contains("another key than before"), "{error}");
}

#[test]
fn help_shows_every_command_with_an_example_and_the_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let (code, out, _) = run(directory.path(), &["--help"], "");
    assert_eq!(code, 0);
    for part in [
        "udpchat host alice",
        "udpchat join bob 192.168.1.5",
        "udpchat server --port",
        "udpchat -s 6000",
        "udpchat -c x 127.0.0.1 6000 6061",
        "Exit codes:",
        "--data-dir",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    for command in ["host", "join", "send", "listen", "server"] {
        let (code, out, _) = run(directory.path(), &[command, "--help"], "");
        assert!(code == 0 && out.contains("Example"), "{out}");
    }
}
