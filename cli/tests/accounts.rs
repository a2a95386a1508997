//! Accounts with passwords, with the real program over loopback.

mod common;

use std::path::Path;

use common::{Program, free_port};

/// A server that gives nicks by password, on loopback.
fn server(directory: &Path, port: u16) -> Program {
    let port = port.to_string();
    let arguments = ["server", "--port", &port, "--bind", "127.0.0.1", "--accounts", "password"];
    let mut server = Program::start(directory, &arguments);
    server.expect_where("the line to join by", |line| line.contains(" join NICK "));
    server
}

/// Someone who joins with this password from a device of this name.
fn join(directory: &Path, nick: &str, port: u16, device: &str, password: Option<&str>) -> Program {
    let address = format!("127.0.0.1:{port}");
    let directory = directory.join(device);
    Program::with_password(&directory, &["join", nick, &address], password)
}

#[test]
fn a_nick_is_had_with_its_password_from_another_device() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, port) = (directory.path(), free_port());
    let _server = server(directory, port);

    let mut first = join(directory, "alice", port, "first", Some("open sesame"));
    first.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));

    let mut thief = join(directory, "alice", port, "thief", Some("open sesamy"));
    thief.expect_where("what is wrong", |line| line.starts_with("The password is wrong; check"));
    assert_eq!(thief.exit_code(), 6);

    let mut nobody = join(directory, "alice", port, "nobody", None);
    nobody.expect_where("what to do", |line| line.contains("set UDPCHAT_PASSWORD"));
    assert_eq!(nobody.exit_code(), 6);

    let mut second = join(directory, "alice", port, "second", Some("open sesame"));
    second.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    assert_eq!(first.exit_code(), 6, "a script that lost its nick ends");
    second.end_input();
    assert_eq!(second.exit_code(), 0);

    // Its key holds the nick from now on.
    let mut again = join(directory, "alice", port, "second", None);
    again.expect_where("a welcome back", |line| line.starts_with("Welcome back, alice"));
    again.end_input();
    assert_eq!(again.exit_code(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_is_read_from_a_file_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    let (directory, port) = (directory.path(), free_port());
    let _server = server(directory, port);
    let address = format!("127.0.0.1:{port}");
    // Standard input: the password first, then what is to be done.
    let mut alice = Program::start(
        &directory.join("alice"),
        &["join", "alice", &address, "--password-fd", "0"],
    );
    alice.line("open sesame");
    alice.expect_where("a welcome", |line| line.starts_with("Welcome, alice"));
    alice.line("send alice to myself");
    alice.expect_where("an answer", |line| line.contains("own nick"));
    alice.end_input();
    alice.exit_code();
    let mut bad = Program::start(directory, &["join", "bob", &address, "--password-fd", "77"]);
    assert_eq!(bad.exit_code(), 1);
}
