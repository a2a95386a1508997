//! More than its reader reads: the real program keeps bounded what waits for it, and loses nothing.
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{Program, free_port};
use rustix::process::{Pid, Signal, kill_process};

/// More than fits the pipe and the screen, by far.
const MESSAGES: usize = 12_000;

/// Bob, whose output nobody reads yet.
fn unread(directory: &Path, address: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_udpchat"))
        .args(["join", "bob", address, "--data-dir"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The memory of a process that is in use, in KiB.
fn memory(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn server(directory: &Path) -> (Program, String) {
    let port = free_port().to_string();
    let words = ["server", "--port", &port, "--bind", "127.0.0.1"];
    let mut server = Program::start(&directory.join("server"), &words);
    let line = server.expect_where("the line to join by", |line| line.contains(" join NICK "));
    let address = line.split_once(" join NICK ").unwrap().1.to_owned();
    (server, address)
}

/// Alice says all of it, and nobody reads what bob's program has of it for a while.
fn flood(directory: &Path, address: &str, bob: &Child) -> Program {
    let mut alice = Program::start(&directory.join("alice"), &["join", "alice", address]);
    alice.expect_where("bob", |line| line.contains("bob"));
    let before = memory(bob);
    let text = "x".repeat(900);
    for number in 0..MESSAGES {
        alice.line(&format!("/msg bob {number} {text}"));
    }
    let mut most = 0;
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        most = memory(bob).max(most);
        thread::sleep(Duration::from_millis(50));
    }
    println!("{before} KiB before the flood, {most} KiB in it");
    assert!(most < before + (8 << 10), "{before} KiB, then {most} KiB");
    alice
}

#[test]
fn what_waits_for_a_reader_is_bounded_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path());
    let mut bob = unread(&directory.path().join("bob"), &address);
    let _alice = flood(directory.path(), &address, &bob);
    let out = BufReader::new(bob.stdout.take().unwrap());
    let said = out.lines().map(Result::unwrap).filter(|line| line.contains(" alice: "));
    for (number, line) in said.take(MESSAGES).enumerate() {
        assert!(line.contains(&format!(" alice: {number} xxx")), "{number}: {line}");
    }
    bob.kill().unwrap();
    bob.wait().unwrap();
}

#[test]
fn a_program_whose_reader_stands_still_can_be_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path());
    let mut bob = unread(&directory.path().join("bob"), &address);
    let _alice = flood(directory.path(), &address, &bob);
    kill_process(Pid::from_raw(bob.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while bob.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it does not end");
        thread::sleep(Duration::from_millis(20));
    }
}
