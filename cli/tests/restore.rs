//! Data directories that are put back from a backup, begun anew, or copied: whatever is called
//! delivered, saved or said afterwards can be read by those it was for, and by each once.
#![cfg(unix)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::{Program, free_port};
use rustix::process::Signal;

/// What a server says once it sees that its store is an older one.
const NOTICED: &str = "THIS DATA DIRECTORY IS OLDER";

/// What its members hear of it.
const ANOTHER: &str = "is not the one from before";

/// A server with people, each with a data directory of its own.
struct World {
    root: tempfile::TempDir,
    port: u16,
    address: String,
}

impl World {
    /// The server runs.
    fn new() -> (Self, Program) {
        let root = tempfile::tempdir().unwrap();
        let mut world = Self { root, port: free_port(), address: String::new() };
        let mut server = world.start_server();
        let line = server.seen.iter().find(|line| line.contains("udpchat join")).unwrap();
        line.split_whitespace().last().unwrap().clone_into(&mut world.address);
        server.seen.clear();
        (world, server)
    }

    fn directory(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start_server(&self) -> Program {
        let port = self.port.to_string();
        let arguments = ["server", "--port", &port, "--bind", "127.0.0.1"];
        let mut server = Program::start(&self.directory("server"), &arguments);
        server.expect_where("the line to join by", |line| line.contains("udpchat join"));
        server
    }

    /// Someone is online, with the data in their own directory.
    fn join(&self, nick: &str) -> Program {
        self.join_with(nick, nick)
    }

    /// The same, with the data in some directory.
    fn join_with(&self, nick: &str, name: &str) -> Program {
        let arguments = ["join", nick, &self.address];
        let mut client = Program::start(&self.directory(name), &arguments);
        client.expect_where("online", |line| line.starts_with("Welcome"));
        client
    }

    /// Copies a directory to another place, which then has nothing else.
    fn copy(&self, from: &str, to: &str) {
        let to = self.directory(to);
        if to.exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        copy(&self.directory(from), &to);
    }

    /// The store of a server is moved away.
    fn move_store_away(&self) {
        let store = self.directory("server/servers").join(self.port.to_string()).join("store.redb");
        fs::rename(&store, store.with_extension("away")).unwrap();
    }
}

/// Copies a directory with all that is in it; who may read and write it stays.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Waits until these are online at a server.
fn awaits(server: &mut Program, nicks: &[&str]) {
    let came = |line: &str, nick| {
        line.contains(&format!("{nick} is online, at"))
            || line.contains(&format!("{nick} is new, at"))
    };
    for nick in nicks {
        if !server.seen.iter().any(|line| came(line, nick)) {
            server.expect_where(nick, |line| came(line, nick));
        }
    }
}

/// Ends it as ctrl-C does.
fn stop(mut server: Program) -> Vec<String> {
    server.signal(Signal::INT);
    server.wait();
    std::mem::take(&mut server.seen)
}

/// A person leaves; all that they were told in this run.
fn leave(mut client: Program) -> Vec<String> {
    client.line("/quit");
    assert_eq!(client.exit_code(), 0, "{client}");
    std::mem::take(&mut client.seen)
}

/// Waits until a line with this end was seen, or was seen before.
fn sees(client: &mut Program, end: &str) {
    if !client.seen.iter().any(|line| line.ends_with(end)) {
        client.expect_where(end, |line| line.ends_with(end));
    }
}

/// What is shown of what someone said to one person, and to everyone.
fn to_one(from: &str, text: &str) -> String {
    format!(" {from}: {text}")
}

fn to_all(from: &str, text: &str) -> String {
    format!(" {from} to everyone: {text}")
}

/// Says something to someone who is online, until it is delivered.
fn tell(author: &mut Program, to: &str, text: &str) {
    author.line(&format!("/msg {to} {text}"));
    author.expect(&format!("({to} has \"{text}\")"));
}

/// Says something to someone who is not, until it is saved.
fn leave_word(author: &mut Program, to: &str, text: &str) {
    author.line(&format!("/msg {to} {text}"));
    author.expect(&format!("(saved for {to}, who gets it on return: \"{text}\")"));
}

/// Says something to everyone, until it is said.
fn announce(author: &mut Program, text: &str) {
    author.line(&format!("/all {text}"));
    author.expect(&format!("(said to everyone: \"{text}\")"));
}

/// Of the lines, those of this kind of message, without the time: author and text.
fn shown<'a>(lines: &'a [String], infix: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.split_once(infix)).map(|(_, text)| text).collect()
}

/// These texts of one author were shown, each once, in this order; nothing else of theirs.
fn shows_once(lines: &[String], from: &str, said: &str, texts: &[String]) {
    assert_eq!(shown(lines, &format!(" {from}{said}: ")), texts, "{lines:#?}");
}

/// What `/history` has of one conversation; the person leaves then.
fn history(mut client: Program, of: &str) -> Vec<String> {
    client.seen.clear();
    client.line(&format!("/history {of} all"));
    leave(client)
}

fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name}{number}")).collect()
}

/// Two sides that are put back together know of the lost time by the clock only, which tells runs
/// apart by the second.
fn in_another_second() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let next = Duration::from_secs(now().as_secs() + 1);
    while let Some(left) = next.checked_sub(now()).filter(|left| !left.is_zero()) {
        thread::sleep(left);
    }
}

/// After so many runs of the original, a client's directory is put back.
fn a_client_put_back_after(runs: usize) {
    let (world, _server) = World::new();
    let (mut ben, dan) = (world.join("ben"), world.join("dan"));
    leave(dan);
    let mut ann = world.join("ann");
    tell(&mut ann, "ben", "before");
    announce(&mut ann, "before");
    leave(ann);
    world.copy("ann", "backup");

    let mut said = vec!["before".to_owned()];
    for run in 0..runs {
        let mut ann = world.join("ann");
        tell(&mut ann, "ben", &format!("lost{run}"));
        announce(&mut ann, &format!("lost{run}"));
        leave_word(&mut ann, "dan", &format!("lost{run}"));
        leave(ann);
        said.push(format!("lost{run}"));
    }
    world.copy("backup", "ann");
    let mut ann = world.join("ann");
    for number in 0..3 {
        let text = format!("after{number}");
        tell(&mut ann, "ben", &text);
        announce(&mut ann, &text);
        leave_word(&mut ann, "dan", &text);
        said.push(text);
    }
    let mut dan = world.join("dan");
    for client in [&mut ben, &mut dan] {
        sees(client, &to_one("ann", "after2"));
        sees(client, &to_all("ann", "after2"));
    }
    ann.expect("(dan has \"after2\")");
    leave(ann);
    shows_once(&ben.seen, "ann", "", &said);
    shows_once(&ben.seen, "ann", " to everyone", &said);
    shows_once(&dan.seen, "ann", "", &said[1..]);
    shows_once(&dan.seen, "ann", " to everyone", &said);
    leave(dan);
    shows_once(&history(ben, "ann"), "ann", "", &said);
    shows_once(&history(world.join("ben"), "lobby"), "ann", " to everyone", &said);
}

#[test]
fn a_client_that_is_put_back_is_heard() {
    a_client_put_back_after(1);
}

#[test]
fn a_client_that_is_put_back_by_several_runs_is_heard() {
    a_client_put_back_after(3);
}

#[test]
fn a_copy_of_a_client_and_its_original_are_both_heard() {
    let (world, _server) = World::new();
    let mut ben = world.join("ben");
    leave(world.join("dan"));
    let mut original = world.join("ann");
    tell(&mut original, "ben", "first");
    announce(&mut original, "first");
    // Copied while it runs.
    world.copy("ann", "copy");
    let mut said = vec!["first".to_owned()];
    let mut say = |who: &mut Program, text: &str| {
        tell(who, "ben", text);
        announce(who, text);
        leave_word(who, "dan", text);
        said.push(text.to_owned());
    };
    say(&mut original, "original0");
    // Each run displaces the one before, whose program ends: its input is no terminal.
    let mut last = original;
    let mut lines = Vec::new();
    for round in 0..6 {
        let name = if round % 2 == 0 { "copy" } else { "ann" };
        let next = world.join_with("ann", name);
        assert_eq!(last.exit_code(), 6, "{last}");
        lines.append(&mut last.seen);
        last = next;
        say(&mut last, &format!("{name}{round}"));
    }
    let mut dan = world.join("dan");
    for client in [&mut ben, &mut dan] {
        sees(client, &to_one("ann", "ann5"));
        sees(client, &to_all("ann", "ann5"));
    }
    shows_once(&ben.seen, "ann", "", &said);
    shows_once(&ben.seen, "ann", " to everyone", &said);
    shows_once(&dan.seen, "ann", "", &said[1..]);
    shows_once(&dan.seen, "ann", " to everyone", &said);
    lines.append(&mut last.seen);
    let refused = |line: &&String| line.starts_with("REFUSED") || line.starts_with("NOT DELIVERED");
    assert_eq!(lines.iter().find(refused), None, "{lines:#?}");
}

/// What becomes of a server's store between two runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    PutBack,
    MovedAway,
}

/// Lines are said to everyone; the server loses those after the first few; two authors go on.
fn a_server_that_lost_lines(loss: Loss) {
    const AUTHORS: [&str; 2] = ["ann", "ben"];
    const EACH: usize = 15;
    let (world, mut server) = World::new();
    let [mut ann, mut ben, mut cat] = ["ann", "ben", "cat"].map(|nick| world.join(nick));
    leave(world.join("dan"));
    let common = numbered("common", 5);
    for text in &common {
        announce(&mut ann, text);
    }
    for client in [&mut ben, &mut cat] {
        sees(client, &to_all("ann", "common4"));
    }
    stop(server);
    world.copy("server", "backup");
    server = world.start_server();
    let gone = numbered("lost", 10);
    for text in &gone {
        announce(&mut ann, text);
    }
    for client in [&mut ben, &mut cat] {
        sees(client, &to_all("ann", "lost9"));
    }
    stop(server);
    match loss {
        Loss::PutBack => world.copy("backup", "server"),
        Loss::MovedAway => world.move_store_away(),
    }
    let mut server = world.start_server();
    // Who is not back yet is nobody's member at a server that lost everything.
    awaits(&mut server, &["ann", "ben", "cat"]);
    for number in 0..EACH {
        for (nick, author) in AUTHORS.iter().zip([&mut ann, &mut ben]) {
            announce(author, &format!("{nick}{number}"));
        }
    }
    let last = |nick: &str| to_all(nick, &format!("{nick}{}", EACH - 1));
    for author in AUTHORS {
        sees(&mut cat, &last(author));
    }
    if !server.seen.iter().any(|line| line.contains(NOTICED)) {
        server.expect_where(NOTICED, |line| line.contains(NOTICED));
    }
    // Each who had read what is lost is told once.
    for client in [&ann, &ben, &cat] {
        let told = client.seen.iter().filter(|line| line.contains(ANOTHER)).count();
        assert_eq!(told, 1, "{client}");
    }
    sees(&mut ann, &last("ben"));
    sees(&mut ben, &last("ann"));

    let had = [common.clone(), gone, numbered("ann", EACH)].concat();
    let from_ben = numbered("ben", EACH);
    shows_once(&cat.seen, "ann", " to everyone", &had);
    shows_once(&cat.seen, "ben", " to everyone", &from_ben);
    shows_once(&ben.seen, "ann", " to everyone", &had);
    shows_once(&ann.seen, "ben", " to everyone", &from_ben);
    if loss == Loss::PutBack {
        let mut dan = world.join("dan");
        for author in AUTHORS {
            sees(&mut dan, &last(author));
        }
        let said = [common, numbered("ann", EACH)].concat();
        shows_once(&dan.seen, "ann", " to everyone", &said);
        shows_once(&dan.seen, "ben", " to everyone", &from_ben);
    }

    // So it is after a restart, and for good.
    leave(cat);
    let mut cat = world.join("cat");
    announce(&mut ann, "the end");
    sees(&mut cat, &to_all("ann", "the end"));
    let again = shown(&cat.seen, " to everyone: ");
    assert_eq!(again, ["the end"], "{cat}");
    let log = history(cat, "lobby");
    shows_once(&log, "ann", " to everyone", &[had, vec!["the end".into()]].concat());
    shows_once(&log, "ben", " to everyone", &from_ben);
}

#[test]
fn what_is_said_after_a_servers_store_was_put_back_is_read_by_all() {
    a_server_that_lost_lines(Loss::PutBack);
}

#[test]
fn what_is_said_after_a_servers_store_was_moved_away_is_read_by_all() {
    a_server_that_lost_lines(Loss::MovedAway);
}

/// Mail is saved for someone absent, and the server loses it; the author stays online over that,
/// or comes back afterwards.
fn mail_that_a_server_lost(loss: Loss, stays: bool) {
    let (world, server) = World::new();
    leave(world.join("dan"));
    let mut ann = world.join("ann");
    stop(server);
    world.copy("server", "backup");
    let server = world.start_server();
    let mail = numbered("mail", 3);
    for text in &mail {
        leave_word(&mut ann, "dan", text);
    }
    let mut online = None;
    if stays {
        online = Some(ann);
    } else {
        leave(ann);
    }
    stop(server);
    match loss {
        Loss::PutBack => world.copy("backup", "server"),
        Loss::MovedAway => world.move_store_away(),
    }
    let mut server = world.start_server();
    let mut ann = online.unwrap_or_else(|| world.join("ann"));
    awaits(&mut server, &["ann"]);
    if loss == Loss::PutBack {
        leave_word(&mut ann, "dan", "later");
    } else {
        // A server that never heard of dan keeps nothing for him.
        ann.line("/msg dan later");
    }
    ann.look(Duration::ZERO);
    assert!(!ann.seen.iter().any(|line| line.starts_with("(dan has")), "{ann}");
    let mut dan = world.join("dan");
    sees(&mut dan, &to_one("ann", "later"));
    sees(&mut ann, "(dan has \"later\")");
    shows_once(&dan.seen, "ann", "", &[mail, vec!["later".into()]].concat());
    leave(ann);
}

#[test]
fn mail_that_a_server_lost_is_submitted_again() {
    mail_that_a_server_lost(Loss::PutBack, true);
    mail_that_a_server_lost(Loss::PutBack, false);
}

#[test]
fn mail_of_a_store_that_was_moved_away_is_submitted_again() {
    mail_that_a_server_lost(Loss::MovedAway, true);
    mail_that_a_server_lost(Loss::MovedAway, false);
}

#[test]
fn a_server_and_a_client_that_are_put_back_together_are_heard() {
    let (world, server) = World::new();
    leave(world.join("dan"));
    let (mut ben, mut ann) = (world.join("ben"), world.join("ann"));
    tell(&mut ann, "ben", "common");
    announce(&mut ann, "common");
    leave(ann);
    stop(server);
    world.copy("server", "server-backup");
    world.copy("ann", "backup");

    in_another_second();
    let server = world.start_server();
    let mut ann = world.join("ann");
    for text in ["lost0", "lost1"] {
        tell(&mut ann, "ben", text);
        announce(&mut ann, text);
        leave_word(&mut ann, "dan", text);
    }
    sees(&mut ben, &to_all("ann", "lost1"));
    leave(ann);
    stop(server);
    world.copy("server-backup", "server");
    world.copy("backup", "ann");
    in_another_second();

    let _server = world.start_server();
    let mut ann = world.join("ann");
    for text in ["after0", "after1"] {
        tell(&mut ann, "ben", text);
        announce(&mut ann, text);
        leave_word(&mut ann, "dan", text);
    }
    let mut dan = world.join("dan");
    sees(&mut ben, &to_all("ann", "after1"));
    for end in [to_one("ann", "after1"), to_all("ann", "after1")] {
        sees(&mut dan, &end);
    }
    ann.expect("(dan has \"after1\")");
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = texts(&["common", "lost0", "lost1", "after0", "after1"]);
    shows_once(&ben.seen, "ann", "", &all);
    shows_once(&ben.seen, "ann", " to everyone", &all);
    shows_once(&dan.seen, "ann", "", &texts(&["after0", "after1"]));
    shows_once(&dan.seen, "ann", " to everyone", &texts(&["common", "after0", "after1"]));
    let log = history(ben, "lobby");
    shows_once(&log, "ann", " to everyone", &all);
}
