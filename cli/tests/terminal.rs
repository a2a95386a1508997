//! A person at a terminal, a pseudo-terminal here.
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use common::{Program, free_port, make_private};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

const DEADLINE: Duration = Duration::from_mins(1);

/// The program at a terminal.
struct Seat {
    child: Child,
    keyboard: File,
    /// The terminal itself, kept open to look at.
    terminal: File,
    output: Receiver<Vec<u8>>,
    /// Nobody looks at the screen any more.
    is_gone: Arc<AtomicBool>,
    seen: String,
}

impl Seat {
    fn take(directory: &Path, arguments: &[&str]) -> Self {
        make_private(directory);
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let terminal =
            OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let stdio = || OwnedFd::from(terminal.try_clone().unwrap());
        let child = Command::new(env!("CARGO_BIN_EXE_udpchat"))
            .args(arguments)
            .arg("--data-dir")
            .arg(directory)
            .env("TERM", "xterm")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = mpsc::channel();
        let is_gone = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&is_gone);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !gone.load(Ordering::SeqCst) {
                let tick = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                let mut readable = [PollFd::new(&screen, PollFlags::IN)];
                if poll(&mut readable, Some(&tick)).unwrap_or(0) == 0 {
                    continue;
                }
                let Ok(length @ 1..) = screen.read(&mut bytes) else { return };
                let _ = sender.send(bytes[..length].to_vec());
            }
        });
        Self { child, keyboard, terminal, output, is_gone, seen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the screen was sent `what`; all up to there since the last time.
    fn expect(&mut self, what: &str) -> String {
        let until = Instant::now() + DEADLINE;
        while !self.seen.contains(what) {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{what:?} never came, {error}: {:?}", self.seen),
            }
        }
        let end = self.seen.find(what).unwrap() + what.len();
        self.seen.drain(..end).collect()
    }

    fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None => assert!(Instant::now() < until, "it never ended: {:?}", self.seen),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ICANON)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Alice at a terminal, hosting, and the address that she shows to others.
fn host(directory: &Path) -> (Seat, String) {
    let port = free_port().to_string();
    let arguments = ["host", "alice", "--port", &port, "--bind", "127.0.0.1"];
    let mut alice = Seat::take(&directory.join("alice"), &arguments);
    let shown = alice.expect("Nobody else is here yet.");
    let line = shown.split_once("udpchat join NICK ").unwrap().1;
    let address = line.split_whitespace().next().unwrap();
    assert!(address.starts_with(&format!("127.0.0.1:{port}#")), "{shown:?}");
    (alice, address.to_owned())
}

#[test]
fn an_incoming_line_does_not_break_the_one_being_typed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut alice, address) = host(directory.path());
    let mut bob = Program::start(&directory.path().join("bob"), &["join", "bob", &address]);
    alice.expect("bob is here.");
    alice.press("/msg bob half ty");
    alice.expect("half ty");
    bob.line("/msg alice \u{1b}]0;owned\u{7}\u{9b}2J \u{202e}hi");
    let shown = alice.expect("hi\r\n");
    assert!(shown.contains("bob: \\u{1b}]0;owned\\u{7}\\u{9b}2J \\u{202e}hi"), "{shown:?}");
    assert!(!shown.contains("\u{1b}]0;") && !shown.contains(['\u{9b}', '\u{202e}']), "{shown:?}");
    // The line is there again, below what came.
    alice.expect("/msg bob half ty");
    alice.press("ped\r");
    bob.expect_where("the message", |line| line.ends_with(" alice: half typed"));
    alice.expect("(bob has \"half typed\")");
    bob.end_input();
    assert_eq!(bob.exit_code(), 0);
    alice.expect("bob has left.");
    alice.press("\u{4}");
    alice.expect("Bye.");
    assert_eq!(alice.wait().code(), Some(0));
    assert!(!alice.is_raw());
}

#[test]
fn the_terminal_is_left_as_it_was() {
    for end in ["\u{3}", "/quit\r", "a signal"] {
        let directory = tempfile::tempdir().unwrap();
        let (mut alice, _) = host(directory.path());
        alice.press("half ty");
        alice.expect("half ty");
        assert!(alice.is_raw());
        if end == "a signal" {
            let pid = Pid::from_raw(alice.child.id().cast_signed()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
        } else {
            alice.press(&format!("\u{15}{end}"));
        }
        alice.expect("Bye.");
        assert_eq!(alice.wait().code(), Some(0), "{end:?}");
        assert!(!alice.is_raw(), "{end:?}");
    }
}

#[test]
fn a_terminal_that_is_gone_ends_the_chat() {
    let directory = tempfile::tempdir().unwrap();
    let (mut alice, _) = host(directory.path());
    // Every end of it but the program's own is closed. The program is in no session of
    // that terminal, so no signal tells it.
    alice.is_gone.store(true, Ordering::SeqCst);
    alice.keyboard = File::open("/dev/null").unwrap();
    alice.terminal = File::open("/dev/null").unwrap();
    assert_eq!(alice.wait().code(), Some(0));
}

#[test]
fn a_password_is_not_shown_while_it_is_typed() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let arguments =
        ["host", "alice", "--port", &port, "--bind", "127.0.0.1", "--accounts", "password"];
    let mut alice = Seat::take(directory.path(), &arguments);
    let mut shown = alice.expect("it is not shown");
    // The prompt comes back below that line.
    shown += &alice.expect("> ");
    alice.press("open sesame\r");
    shown += &alice.expect("Type the same password again.");
    shown += &alice.expect("> ");
    alice.press("open sesame\r");
    shown += &alice.expect("Nobody else is here yet.");
    // It is not to be had back by a key either.
    alice.press("\x1b[A");
    alice.press("/msg bob hi\r");
    shown += &alice.expect("Nobody here goes by bob");
    assert!(!shown.contains("open") && !shown.contains("sesame"), "{shown:?}");
    alice.press("/quit\r");
    assert_eq!(alice.wait().code(), Some(0));
}

#[test]
fn a_person_is_shown_the_servers_key_before_the_password_goes_there() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let words = ["server", "--port", &port, "--bind", "127.0.0.1", "--accounts", "password"];
    let mut server = Program::start(&directory.path().join("server"), &words);
    let line = server.expect_where("the line to join by", |line| line.contains(" join NICK "));
    let key = line.split_once('#').unwrap().1;
    let place = format!("127.0.0.1:{port}");
    let join = |device: &str| {
        let mut seat = Seat::take(&directory.path().join(device), &["join", "alice", &place]);
        let shown = seat.expect("no password is sent before");
        let shown: String = shown.split_whitespace().collect();
        assert!(shown.contains(key), "{shown:?}");
        seat.expect("> ");
        seat
    };
    let mut alice = join("alice");
    alice.press("open sesame\r");
    alice.expect("Type yes if the key is the same, no to leave.");
    alice.expect("> ");
    alice.press("no\r");
    alice.expect("Bye.");
    assert_eq!(alice.wait().code(), Some(6));
    let mut alice = join("alice");
    alice.press("yes\r");
    alice.expect("it is not shown");
    alice.expect("> ");
    alice.press("open sesame\r");
    alice.expect("Type the same password again.");
    alice.expect("> ");
    alice.press("open sesame\r");
    alice.expect("Nobody else is here yet.");
    alice.press("/quit\r");
    assert_eq!(alice.wait().code(), Some(0));
}
