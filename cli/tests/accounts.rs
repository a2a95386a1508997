//! Accounts with passwords, with the real program over loopback.

mod common;

use std::path::Path;

use common::{Program, free_port};

/// A server that gives nicks by password, on loopback, and where it is, with its key.
fn server(directory: &Path, port: u16) -> (Program, String) {
    let port = port.to_string();
    let arguments = ["server", "--port", &port, "--bind", "127.0.0.1", "--accounts", "password"];
    let mut server = Program::start(directory, &arguments);
    let line = server.expect_where("the line to join by", |line| line.contains(" join NICK "));
    let address = line.split_once(" join NICK ").unwrap().1.to_owned();
    (server, address)
}

/// Someone who joins with this password from a device of this name.
fn join(
    directory: &Path,
    nick: &str,
    address: &str,
    device: &str,
    password: Option<&str>,
) -> Program {
    let directory = directory.join(device);
    Program::with_password(&directory, &["join", nick, address], password)
}

#[test]
fn a_nick_is_had_with_its_password_from_another_device() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, port) = (directory.path(), free_port());
    let (_server, address) = server(directory, port);

    let mut first = join(directory, "alice", &address, "first", Some("open sesame"));
    first.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));

    let mut thief = join(directory, "alice", &address, "thief", Some("open sesamy"));
    thief.expect_where("what is wrong", |line| line.starts_with("The password is wrong; check"));
    assert_eq!(thief.exit_code(), 6);

    let mut nobody = join(directory, "alice", &address, "nobody", None);
    nobody.expect_where("what to do", |line| line.contains("set UDPCHAT_PASSWORD"));
    assert_eq!(nobody.exit_code(), 6);

    let mut second = join(directory, "alice", &address, "second", Some("open sesame"));
    second.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    assert_eq!(first.exit_code(), 6, "a script that lost its nick ends");
    second.end_input();
    assert_eq!(second.exit_code(), 0);

    // Its key holds the nick from now on.
    let mut again = join(directory, "alice", &address, "second", None);
    again.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    again.end_input();
    assert_eq!(again.exit_code(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_is_read_from_a_file_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, port) = (directory.path(), free_port());
    let (_server, address) = server(directory, port);
    // Standard input: the password first, then what is to be done.
    let mut alice = Program::start(
        &directory.join("alice"),
        &["join", "alice", &address, "--password-fd", "0"],
    );
    alice.line("open sesame");
    alice.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));
    alice.line("/msg alice to myself");
    alice.expect_where("an answer", |line| line.contains("own nick"));
    alice.end_input();
    alice.exit_code();
    let mut bad = Program::start(directory, &["join", "bob", &address, "--password-fd", "77"]);
    assert_eq!(bad.exit_code(), 1);
}

/// What the operator's tool says, and its exit code.
fn accounts(directory: &Path, port: u16, words: &[&str]) -> (Vec<String>, i32) {
    let port = port.to_string();
    let mut arguments = vec!["accounts", "--port", &port];
    arguments.extend(words);
    let mut tool = Program::start(directory, &arguments);
    let code = tool.exit_code();
    (std::mem::take(&mut tool.seen), code)
}

#[cfg(unix)]
#[test]
fn an_operator_looks_after_accounts_whether_the_server_runs_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, port) = (directory.path(), free_port());
    assert_eq!(accounts(directory, port, &["list"]).1, 1, "there is no server");
    let (mut server, address) = server(directory, port);
    assert_eq!(accounts(directory, port, &["list"]).0, ["There are no accounts yet."]);

    let mut alice = join(directory, "alice", &address, "alice", Some("open sesame"));
    alice.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));
    let mut bob = join(directory, "bob", &address, "bob", Some("swordfish"));
    bob.expect_where("a welcome", |line| line.starts_with("Welcome, bob"));
    let (list, code) = accounts(directory, port, &["list"]);
    assert_eq!((list.len(), code), (3, 0), "{list:?}");
    assert!(list[1].starts_with("alice ") && list[1].ends_with("online            password"));

    // Neither the end of its terminal nor a signal that means nothing to it ends a server.
    for signal in [rustix::process::Signal::HUP, rustix::process::Signal::USR1] {
        server.signal(signal);
    }

    // The server runs: bob is thrown out at once.
    assert_eq!(accounts(directory, port, &["ban", "nobody"]).1, 1);
    assert_eq!(accounts(directory, port, &["remove", "bob"]).1, 1, "nobody has said it twice");
    assert_eq!(accounts(directory, port, &["ban", "bob"]).1, 0);
    bob.expect_where("why", |line| line.contains("operator") && line.contains("closed"));
    assert_eq!(bob.exit_code(), 6);
    server.expect_where("a note", |line| line.ends_with("bob is banned"));
    let mut back = join(directory, "bob", &address, "bob", Some("swordfish"));
    back.expect_where("why", |line| line.contains("has banned"));
    assert_eq!(back.exit_code(), 6);

    // It does not run: the store itself is changed.
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.exit_code(), 0);
    assert_eq!(accounts(directory, port, &["unban", "bob"]).1, 0);
    assert_eq!(accounts(directory, port, &["reset", "alice", "--yes"]).1, 0);
    let (list, _) = accounts(directory, port, &["list"]);
    assert!(list[1].starts_with("alice ") && list[1].ends_with(" -"), "{list:?}");
    assert!(list[2].starts_with("bob ") && list[2].ends_with(" password"), "{list:?}");

    // She would be the first to come.
    drop(alice);
    let _server = self::server(directory, port);
    let mut back = join(directory, "bob", &address, "bob", None);
    back.expect_where("a welcome back", |line| line.starts_with("Welcome back, bob"));
    // Whoever comes first after the reset sets the password.
    let mut new = join(directory, "alice", &address, "new", Some("mellon"));
    new.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    let mut wrong = join(directory, "alice", &address, "third", Some("open sesame"));
    wrong.expect_where("why", |line| line.starts_with("The password is wrong"));
    // Removed, the nick is anybody's.
    assert_eq!(accounts(directory, port, &["remove", "alice", "--yes"]).1, 0);
    assert_eq!(new.exit_code(), 6);
    let mut other = join(directory, "alice", &address, "other", Some("another one"));
    other.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));
}

#[test]
fn no_password_goes_to_a_server_whose_key_is_not_known() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, port) = (directory.path(), free_port());
    let (_server, address) = server(directory, port);
    let (place, key) = address.split_once('#').unwrap();
    let alone = |nick, address| join(directory, nick, address, nick, Some("open sesame"));

    let mut first = alone("alice", place);
    let said = first.expect_where("why", |line| line.contains("none was sent"));
    assert!(said.contains(&address), "what to do: {said}");
    assert_eq!(first.exit_code(), 6);
    // Nothing was remembered of it, and no account was made: the password is still to be set.
    assert_eq!(accounts(directory, port, &["list"]).0, ["There are no accounts yet."]);
    let mut again = alone("alice", place);
    assert_eq!(again.exit_code(), 6);

    // With the key in the address it is the right server, and stays so.
    for address in [&address[..], place] {
        let mut known = alone("alice", address);
        known.expect_where("a welcome", |line| line.starts_with("Welcome"));
        known.end_input();
        assert_eq!(known.exit_code(), 0);
    }
    // The classic client has no room for a key, and no file descriptor makes a difference.
    let own = free_port().to_string();
    let words = ["-c", "bob", "127.0.0.1", &port.to_string(), &own, "--password-fd", "0"];
    let mut classic = Program::start(&directory.join("bob"), &words);
    classic.line("open sesame");
    let said = classic.expect_where("why", |line| line.contains("none was sent"));
    assert!(said.starts_with(">>> [") && said.contains(key), "{said}");
    assert_eq!(classic.exit_code(), 6);
    let (list, _) = accounts(directory, port, &["list"]);
    assert_eq!(list.len(), 2, "alice only: {list:?}");
}
