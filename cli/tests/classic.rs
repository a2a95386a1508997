//! The classic session of three clients, over real sockets, with the real program.
#![cfg(unix)]

mod common;

use std::net::UdpSocket;

use common::{Program, free_port};
use rustix::process::Signal;

const TABLE: &str = ">>> [Client table updated.]";
const SAVED: &str = ">>> [Messages received by the server and saved.]";

struct Session {
    directory: tempfile::TempDir,
    port: u16,
    server: Program,
}

impl Session {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = Program::classic_server(&directory.path().join("server"), port);
        Self { directory, port, server }
    }

    fn client(&self, nick: &str, port: u16) -> Program {
        Program::classic_client(self.directory.path(), nick, self.port, port)
    }
}

/// Checks the form `y: <2017-06-14 02:40:17.501063> text` and that the time is UTC and now.
fn assert_saved(line: &str, from: &str, text: &str) {
    let rest = line.strip_prefix(&format!(">>> {from}: <")).expect(line);
    let (time, said) = rest.split_once("> ").expect(line);
    assert_eq!(said, text);
    assert_eq!(time.len(), "2017-06-14 02:40:17.501063".len(), "{line}");
    let written: jiff::Timestamp = format!("{time}Z").parse().expect(line);
    let age = jiff::Timestamp::now().duration_since(written).as_secs();
    assert!((0..600).contains(&age), "{line}");
}

#[test]
fn three_clients_chat_leave_and_return() {
    let mut session = Session::start();
    let ports = [free_port(), free_port(), free_port()];
    let mut x = session.client("x", ports[0]);
    let start = [
        "client nickname:  x".to_owned(),
        "server ip:  127.0.0.1".to_owned(),
        format!("server port number:  {}", session.port),
        format!("client port number:  {}", ports[0]),
    ];
    assert_eq!(x.seen[..4], start);
    let mut y = session.client("y", ports[1]);
    x.expect(TABLE);
    let mut z = session.client("z", ports[2]);
    x.expect(TABLE);
    y.expect(TABLE);
    for line in [format!("client:  ('127.0.0.1', {})", ports[2]), "data:  REG;z".to_owned()] {
        session.server.expect(&line);
    }
    session.server.expect(&format!("x: ('127.0.0.1', {}) online", ports[0]));
    session.server.expect(&format!("y: ('127.0.0.1', {}) online", ports[1]));
    session.server.expect_next(&format!("z: ('127.0.0.1', {}) online", ports[2]));

    // All write to each other.
    let names = ["x", "y", "z"];
    let clients = [&mut x, &mut y, &mut z];
    for from in 0..3 {
        for to in (0..3).filter(|to| *to != from) {
            clients[from].line(&format!("send {} hello, {}", names[to], names[to]));
            clients[to].expect(&format!(">>> {}: hello, {}", names[from], names[to]));
            clients[from].expect(&format!(">>> [Message received by <{}>.]", names[to]));
        }
    }

    // x deregisters, and its port is free.
    x.line("dereg x");
    x.expect_next(">>> [You are Offline. Bye.]");
    session.server.expect("data:  DEREG;x");
    drop(UdpSocket::bind(("127.0.0.1", ports[0])).unwrap());
    x.line("send y are you there?");
    x.expect_where("something", |line| line.contains("offline"));

    // y and z write to x.
    for (client, text) in [(&mut y, "offline?"), (&mut z, "and you?")] {
        client.expect(TABLE);
        client.line(&format!("send x {text}"));
        client.expect_next(">>> <x> is offline, message sent to server.");
        client.expect_next(SAVED);
    }

    // x returns and gets both with their times.
    x.line("reg x");
    x.expect_next(TABLE);
    x.expect_next(">>> [You have messages.]");
    let first = x.expect_where("a saved message", |_| true);
    let second = x.expect_where("a saved message", |_| true);
    let (of_y, of_z) = if first.contains("y: ") { (first, second) } else { (second, first) };
    assert_saved(&of_y, "y", "offline?");
    assert_saved(&of_z, "z", "and you?");
    x.expect_next(">>> [Welcome back, you are re-registered.]");
    for client in [&mut y, &mut z] {
        client.expect(">>> [Message received by <x>.]");
    }

    // With y gone and the server stopped, nobody answers.
    y.line("dereg");
    y.expect(">>> [You are Offline. Bye.]");
    x.expect(TABLE);
    session.server.signal(Signal::INT);
    assert_eq!(session.server.exit_code(), 0);
    x.line("send y hello?");
    x.expect(">>> <y> is offline, message sent to server.");
    x.expect_next(">>> [Server not responding]");
    x.expect_next(">>> [Exiting]");
    assert_eq!(x.exit_code(), 5);
}

#[test]
fn a_receipt_that_does_not_come_sends_the_message_to_the_server() {
    let session = Session::start();
    let mut x = session.client("x", free_port());
    let y = session.client("y", free_port());
    x.expect(TABLE);
    y.signal(Signal::STOP);
    x.line("send y anybody?");
    x.expect_next(">>> [No ACK from <y>, message sent to server.]");
    // The server takes y for online, and relays until no receipt has come.
    x.expect(SAVED);
    y.signal(Signal::CONT);
    let mut y = y;
    y.expect_where("the message", |line| line.ends_with(" anybody?"));
    x.expect(">>> [Message received by <y>.]");
}

#[test]
fn control_c_deregisters_and_ends_in_order() {
    let session = Session::start();
    let mut x = session.client("x", free_port());
    let mut y = session.client("y", free_port());
    x.expect(TABLE);
    y.signal(Signal::INT);
    assert_eq!(y.exit_code(), 0);
    assert_eq!(y.seen.last().unwrap(), "[exiting]");
    x.expect(TABLE);
    x.line("send y bye?");
    x.expect(">>> <y> is offline, message sent to server.");
    x.expect(SAVED);
    // The end of the input ends it too.
    x.end_input();
    assert_eq!(x.exit_code(), 0);
}

#[test]
fn a_known_identity_is_welcome_and_another_is_not() {
    let session = Session::start();
    let mut x = session.client("x", free_port());
    x.end_input();
    assert_eq!(x.exit_code(), 0);
    drop(session.client("x", free_port()));
    let (server, port) = (session.port.to_string(), free_port().to_string());
    let arguments = ["-c", "x", "127.0.0.1", &server, &port];
    let mut thief = Program::start(&session.directory.path().join("thief"), &arguments);
    assert_eq!(thief.exit_code(), 6);
    assert!(thief.seen.iter().any(|line| line.contains("belongs to somebody else")), "{thief}");
}

#[test]
fn without_a_server_it_ends_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (server, port) = (free_port().to_string(), free_port().to_string());
    let mut x = Program::start(directory.path(), &["-c", "x", "127.0.0.1", &server, &port]);
    assert_eq!(x.exit_code(), 5);
    assert_eq!(x.seen[4..], [">>> [Server not responding]", ">>> [Exiting]"]);
}
