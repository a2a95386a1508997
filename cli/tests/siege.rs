//! A real server, with people on it who take what they can get: it serves the others all the same.
#![cfg(target_os = "linux")] // Which has all of 127.0.0.0/8, and says how much memory is used.

mod common;

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::{Program, free_port};
use proto_core::id::PublicKey;
use simulation::greedy::{Behaviour, Greedy};
use transport_mio::key_text;

/// Someone greedy at a socket, and when it is their turn.
struct Besieger {
    greedy: Greedy,
    socket: UdpSocket,
    turn: u64,
}

impl Besieger {
    fn new(number: usize, behaviour: Behaviour, server: (SocketAddr, PublicKey)) -> Self {
        // Each at an address that nobody else has.
        let ip = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
        let socket = UdpSocket::bind((ip.as_str(), 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { greedy: Greedy::at(number, behaviour, server), socket, turn: 0 }
    }

    /// Does what is due at `now`, in microseconds.
    fn go_on(&mut self, now: u64) {
        let mut datagram = [0; 2048];
        while let Ok(length) = self.socket.recv(&mut datagram) {
            self.greedy.hear(datagram[..length].to_vec());
        }
        // Who is late makes up for some of it.
        for _ in 0..50 {
            if self.turn > now {
                break;
            }
            self.turn += self.greedy.turn(now).max(1);
        }
        self.turn = self.turn.max(now);
        for (to, bytes) in self.greedy.take_out() {
            // What the system does not take is lost, as on any path.
            let _ = self.socket.send_to(&bytes, to);
        }
    }
}

/// The memory that a process uses, in kilobytes.
fn memory(of: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", of.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn join(directory: &Path, nick: &str, port: u16) -> Program {
    let address = format!("127.0.0.1:{port}");
    let mut program = Program::start(&directory.join(nick), &["join", nick, &address]);
    program.expect_where("online", |line| line.starts_with("Welcome"));
    program
}

/// The machine that runs this may do much else: how long it took is printed, and what is asserted
/// is only that nobody waits for the besiegers to go. What it takes on a quiet network is judged
/// in the simulator.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_besieged_server_serves_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let arguments = ["server", "--port", &port.to_string(), "--bind", "127.0.0.1"];
    let mut server = Program::start(&directory.path().join("server"), &arguments);
    let line = server.expect_where("the line to join by", |line| line.contains("udpchat join"));
    let (_, key) = line.rsplit_once('#').unwrap();
    let at = (SocketAddr::from(([127, 0, 0, 1], port)), key_text::parse(key.trim()).unwrap());
    let mut alice = join(directory.path(), "alice", port);
    let mut bob = join(directory.path(), "bob", port);

    let mut crowd = vec![
        Behaviour::OpensSessions { a_second: 1_000 },
        Behaviour::SubmitsToNobody { a_second: 2_000, acknowledges: false },
        Behaviour::AwayAndBack,
    ];
    crowd.extend([Behaviour::NeverAcknowledges; 100]);
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let besiegers = thread::spawn(move || {
        let begun = Instant::now();
        let numbered = crowd.into_iter().enumerate();
        let mut all: Vec<_> = numbered.map(|(n, what)| Besieger::new(n, what, at)).collect();
        while !over.load(Ordering::Relaxed) {
            for one in &mut all {
                one.go_on(begun.elapsed().as_micros() as u64);
            }
            thread::sleep(Duration::from_micros(500));
        }
        all.iter().map(|one| one.greedy.tally().registered).sum::<u64>()
    });
    thread::sleep(Duration::from_secs(5));
    let before = memory(&server);

    let since = Instant::now();
    let mut newcomer = join(directory.path(), "newcomer", port);
    let joined = since.elapsed();
    println!("a newcomer joined after {joined:?}");
    let mut longest = Duration::ZERO;
    for number in 0..10 {
        for (line, shown) in
            [(format!("/msg bob {number}, word"), "word"), (format!("/all {number}, cry"), "cry")]
        {
            let since = Instant::now();
            alice.line(&line);
            bob.expect_where("what alice said", |line| {
                line.contains(&format!("{number}, {shown}"))
            });
            longest = longest.max(since.elapsed());
        }
        thread::sleep(Duration::from_millis(300));
    }
    println!("what was said came after {longest:?} at the longest");
    newcomer.line("/msg alice hello from the newcomer");
    alice.expect_where("the newcomer's word", |line| line.contains("hello from the newcomer"));

    let after = memory(&server);
    println!("the server uses {before} kB, then {after} kB");
    is_over.store(true, Ordering::Relaxed);
    let registered = besiegers.join().unwrap();
    assert!(registered >= 50, "only {registered} besiegers got in");
    assert!(joined < SOON && longest < SOON, "{joined:?}, {longest:?}");
    assert!(after < before + before / 4 + 8_192, "memory grows: {before} kB, then {after} kB");
}
