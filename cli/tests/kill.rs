//! `kill -9` at any point loses nothing and shows nothing twice.
#![cfg(unix)]

mod common;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    thread,
    time::Duration,
};

use common::{Program, free_port, random};

const TABLE: &str = ">>> [Client table updated.]";
const SAVED: &str = ">>> [Messages received by the server and saved.]";

/// The text after the time and the nick, if the line is a message from `from`.
fn said<'a>(line: &'a str, from: &str) -> Option<&'a str> {
    Some(line.split_once(&format!("{from}: "))?.1)
}

#[test]
fn a_killed_server_has_all_that_it_said_it_saved() {
    let directory = tempfile::tempdir().unwrap();
    let server_directory = directory.path().join("server");
    let port = free_port();
    let mut server = Program::classic_server(&server_directory, port);
    let mut x = Program::classic_client(directory.path(), "x", port, free_port());
    let mut y = Program::classic_client(directory.path(), "y", port, free_port());
    x.expect(TABLE);
    for round in 0..4 {
        y.line("dereg");
        y.expect(">>> [You are Offline. Bye.]");
        for number in 0..5 {
            x.line(&format!("send y {round}.{number}"));
        }
        // As soon as it said that it saved the last one.
        for _ in 0..5 {
            x.expect(SAVED);
        }
        server.kill();
        server = Program::classic_server(&server_directory, port);
        y.line("reg");
        y.expect(">>> [You have messages.]");
        for number in 0..5 {
            let line = y.expect_where("a saved message", |line| line != TABLE);
            let is_it =
                line.starts_with(">>> x: <") && line.ends_with(&format!("> {round}.{number}"));
            assert!(is_it, "{line}: {y}");
        }
        y.expect(">>> [Welcome back, you are re-registered.]");
    }
    // x, which never left, comes to know of each delivery.
    x.line("send y end");
    while x.seen.iter().filter(|line| *line == ">>> [Message received by <y>.]").count() < 21 {
        x.expect(">>> [Message received by <y>.]");
    }
    y.look(Duration::from_secs(2));
    let shown: Vec<_> = y.seen.iter().filter(|line| line.contains("x: <")).collect();
    assert_eq!(shown.len(), 20, "{y}");
}

fn join(directory: &Path, nick: &str, port: u16) -> Program {
    let address = format!("127.0.0.1:{port}");
    Program::start(&directory.join(nick), &["join", nick, &address])
}

fn server(directory: &Path, port: u16) -> Program {
    let port = port.to_string();
    let arguments = ["server", "--port", &port, "--bind", "127.0.0.1"];
    let mut server = Program::start(&directory.join("server"), &arguments);
    server.expect_where("the line to join by", |line| line.contains("udpchat join"));
    server
}

#[test]
fn a_killed_recipient_sees_nothing_twice_and_has_everything() {
    const MESSAGES: usize = 120;
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = server(directory.path(), port);
    let mut y = join(directory.path(), "y", port);
    y.expect_where("online", |line| line.starts_with("Welcome"));
    let mut x = join(directory.path(), "x", port);
    x.expect_where("online", |line| line.starts_with("Welcome"));

    let mut shown = Vec::new();
    for number in 0..MESSAGES {
        x.line(&format!("/msg y {number}"));
        thread::sleep(Duration::from_millis(random() % 40));
        if number % 12 == 11 {
            shown.extend(y.kill());
            thread::sleep(Duration::from_millis(random() % 1000));
            y = join(directory.path(), "y", port);
            thread::sleep(Duration::from_millis(random() % 300));
        }
    }
    // x ends when each is delivered or saved at the server.
    x.end_input();
    assert_eq!(x.exit_code(), 0, "{x}");
    y.look(Duration::from_secs(3));
    y.line("/history x all");
    y.line("/quit");
    assert_eq!(y.exit_code(), 0);

    // `/history` shows every message once more, last of all.
    let all: Vec<_> = y.seen.iter().filter_map(|line| said(line, "x")).map(str::to_owned).collect();
    let history = &all[all.len() - MESSAGES..];
    let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    assert_eq!(history, expected, "{y}");
    let mut once = HashSet::new();
    let earlier = shown.iter().filter_map(|line| said(line, "x"));
    for text in earlier.chain(all[..all.len() - MESSAGES].iter().map(String::as_str)) {
        assert!(once.insert(text.to_owned()), "{text} was shown twice");
    }
    assert!(shown.iter().any(|line| line.contains("ended abruptly")));
}

#[test]
fn a_killed_author_loses_nothing_that_was_accepted() {
    const LIVES: usize = 8;
    const MESSAGES: usize = 25;
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = server(directory.path(), port);
    let mut y = join(directory.path(), "y", port);
    y.expect_where("online", |line| line.starts_with("Welcome"));

    // The last message of each life that x had a word on.
    let mut confirmed = [0; LIVES];
    for (life, confirmed) in confirmed.iter_mut().enumerate() {
        let mut x = join(directory.path(), "x", port);
        x.expect_where("online", |line| line.starts_with("Welcome"));
        for number in 1..=MESSAGES {
            x.line(&format!("/msg y {life}.{number}"));
        }
        thread::sleep(Duration::from_millis(random() % 150));
        for line in x.kill() {
            let quoted = line.split('"').nth(1).and_then(|text| text.split_once('.'));
            if let Some((of, number)) = quoted
                && of == life.to_string()
            {
                *confirmed = number.parse().unwrap();
            }
        }
    }
    // The last life sends what the others left in the outbox.
    let mut x = join(directory.path(), "x", port);
    x.expect_where("online", |line| line.starts_with("Welcome"));
    x.line("/msg y end");
    x.end_input();
    assert_eq!(x.exit_code(), 0, "{x}");
    y.expect_where("the last message", |line| said(line, "x") == Some("end"));
    y.look(Duration::from_secs(1));

    // Of each life, y has the first so many, in order, and at least the confirmed ones.
    let mut got = y.seen.iter().filter_map(|line| said(line, "x")).peekable();
    for (life, confirmed) in confirmed.into_iter().enumerate() {
        let mut number = 0;
        while got.next_if(|text| *text == format!("{life}.{}", number + 1)).is_some() {
            number += 1;
        }
        assert!(number >= confirmed, "life {life}: {number} of {confirmed} confirmed ones: {y}");
    }
    assert_eq!(got.collect::<Vec<_>>(), ["end"], "{y}");
}

/// What `/history lobby` shows to a member: nick and text of each message.
fn lobby(member: &mut Program) -> Vec<(String, String)> {
    member.seen.clear();
    member.line("/history lobby all");
    member.line("/quit");
    assert_eq!(member.exit_code(), 0, "{member}");
    let said = |line: &String| {
        let (head, text) = line.split_once(" to everyone: ")?;
        Some((head.split_whitespace().last()?.to_owned(), text.to_owned()))
    };
    member.seen.iter().filter_map(said).collect()
}

#[test]
fn a_killed_server_keeps_one_order_of_what_is_said_to_everyone() {
    const AUTHORS: [&str; 4] = ["a", "b", "c", "d"];
    const MESSAGES: usize = 250;
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let first = server(directory.path(), port);
    let online = |nick| {
        let mut member = join(directory.path(), nick, port);
        member.expect_where("online", |line| line.starts_with("Welcome"));
        member
    };
    let mut reader = online("reader");
    let mut authors = AUTHORS.map(online);
    for number in 0..MESSAGES {
        for (nick, author) in AUTHORS.iter().zip(&mut authors) {
            author.line(&format!("/all {nick}{number}"));
        }
    }
    // Some is confirmed, much is under way.
    let confirmed = |line: &str| line.starts_with("(said to everyone: ");
    for author in &mut authors {
        author.expect_where("a confirmation", confirmed);
    }
    for _ in 0..random() % (MESSAGES as u64 / 2) {
        authors[0].expect_where("a confirmation", confirmed);
    }
    first.kill();
    let under_way: usize = authors
        .iter_mut()
        .map(|author| {
            author.look(Duration::ZERO);
            MESSAGES - author.seen.iter().filter(|line| confirmed(line)).count()
        })
        .sum();
    assert!(under_way > 0, "it was killed too late");
    let _second = server(directory.path(), port);
    for author in &mut authors {
        while author.seen.iter().filter(|line| confirmed(line)).count() < MESSAGES {
            author.expect_where("a confirmation", confirmed);
        }
    }

    // The reader has each once, each author's in order.
    let last = |author: &str| format!(" {author} to everyone: {author}{}", MESSAGES - 1);
    for author in AUTHORS {
        if !reader.seen.iter().any(|line| line.ends_with(&last(author))) {
            reader.expect_where("the last one", |line| line.ends_with(&last(author)));
        }
    }
    let log = lobby(&mut reader);
    let mut next = HashMap::new();
    for (nick, text) in &log {
        let number = next.entry(nick.clone()).or_insert(0);
        assert_eq!(*text, format!("{nick}{number}"));
        *number += 1;
    }
    assert!(AUTHORS.iter().all(|nick| next[*nick] == MESSAGES), "{next:?}");
    // And so has every other member, in the same order.
    for (nick, author) in AUTHORS.iter().zip(&mut authors) {
        for other in AUTHORS.iter().filter(|other| *other != nick) {
            if !author.seen.iter().any(|line| line.ends_with(&last(other))) {
                author.expect_where("the last one", |line| line.ends_with(&last(other)));
            }
        }
        // Of their own, the last may still be on its way.
        let not_own = |log: &[(String, String)]| -> Vec<_> {
            log.iter().filter(|(from, _)| from != nick).cloned().collect()
        };
        let shown = lobby(author);
        assert!(not_own(&shown) == not_own(&log), "{nick} has another order: {shown:?}, {log:?}");
    }
}
