//! Everyone and rooms: four clients over real sockets, with the real program.
#![cfg(unix)]

mod common;

use std::path::Path;

use common::{Program, free_port};

const STORED: &str = ">>> [Message received by Server.]";

/// `w`, `x`, `y` and `z`, of whom each knows the others.
struct Four {
    _directory: tempfile::TempDir,
    _server: Program,
    clients: [Program; 4],
}

const NICKS: [&str; 4] = ["w", "x", "y", "z"];

impl Four {
    fn classic() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = Program::classic_server(&directory.path().join("server"), port);
        let clients =
            NICKS.map(|nick| Program::classic_client(directory.path(), nick, port, free_port()));
        Self::met(directory, server, clients)
    }

    fn modern(limits: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (server, address) = server(directory.path(), limits);
        let clients = NICKS.map(|nick| {
            let mut client = join(directory.path(), nick, &address);
            client.expect_where("the table", |line| {
                line.contains(" here yet") || line.contains("nline")
            });
            client
        });
        Self::met(directory, server, clients)
    }

    /// Each sees the three others.
    fn met(directory: tempfile::TempDir, server: Program, mut clients: [Program; 4]) -> Self {
        for client in &mut clients {
            loop {
                // What is kept here is told at once.
                client.line("/who");
                client.line("/history");
                let from = client.seen.len();
                client.expect_where("the end", |line| {
                    line.contains("Nothing was said yet.") || line.contains("[No messages.]")
                });
                let online = client.seen[from..].iter().filter(|line| line.ends_with(" online"));
                if online.count() == NICKS.len() - 1 {
                    break;
                }
            }
        }
        Self { _directory: directory, _server: server, clients }
    }
}

/// A server with these limits, and the address that it prints for others.
fn server(directory: &Path, limits: &[&str]) -> (Program, String) {
    let port = free_port().to_string();
    let arguments = [&["server", "--port", &port, "--bind", "127.0.0.1"], limits].concat();
    let mut server = Program::start(&directory.join("server"), &arguments);
    let line = server.expect_where("the line to join by", |line| line.contains("udpchat join"));
    let address = line.split_whitespace().last().unwrap().to_owned();
    (server, address)
}

fn join(directory: &Path, nick: &str, address: &str) -> Program {
    let mut client = Program::start(&directory.join(nick), &["join", nick, address]);
    client.expect_where("online", |line| line.starts_with("Welcome"));
    client
}

/// Types a line, and expects these right away.
fn ask(client: &mut Program, line: &str, answers: &[&str]) {
    client.line(line);
    for answer in answers {
        client.expect_next(answer);
    }
}

/// The text behind the time of day.
fn ends(client: &mut Program, end: &str) {
    client.expect_where(end, |line| line.ends_with(end));
}

#[test]
fn four_classic_clients_use_every_command() {
    let mut four = Four::classic();
    let [w, x, y, z] = &mut four.clients;

    // Everyone.
    for (line, text) in [("send_all one", "one"), ("PM two", "two"), ("/all three", "three")] {
        ask(x, line, &[STORED]);
        for other in [&mut *w, &mut *y, &mut *z] {
            other.expect_next(&format!(">>> [Channel_Message <x>: {text}]"));
        }
    }
    ask(x, "PM", &[">>> [What? PM <text>]"]);

    // One.
    ask(x, "DM", &[">>> w online", ">>> y online", ">>> z online"]);
    x.expect_next(">>> [To whom, and what? DM <nick> <text>]");
    ask(x, "DM y", &[">>> [What? DM y <text>]"]);
    ask(x, "DM y hello", &[">>> [Message received by <y>.]"]);
    y.expect_next(">>> x: hello");
    x.line("send nobody hello");
    x.expect_where("a refusal", |line| line.contains("nobody here goes by nobody"));

    // Groups.
    ask(x, "create_group g", &[">>> [Group g created by Server.]"]);
    ask(y, "create_group g", &[">>> [Group g already exists.]"]);
    ask(y, "join_group h", &[">>> [Group h does not exist.]"]);
    ask(y, "create_group h", &[">>> [Group h created by Server.]"]);
    ask(z, "list_groups", &[">>> [Available group chats:]", ">>> g", ">>> h"]);
    for client in [&mut *x, &mut *y, &mut *z] {
        ask(client, "join_group g", &[">>> [Entered group g successfully!]"]);
    }
    ask(z, "list_members", &[">>> (g) [Members in the group g:]"]);
    for nick in ["x", "y", "z"] {
        z.expect_next(&format!(">>> (g) {nick}"));
    }
    ask(w, "list_members g", &[">>> [Members in the group g:]", ">>> x", ">>> y", ">>> z"]);
    ask(x, "send_group in here", &[">>> (g) [Message received by Server.]"]);
    ask(x, "and here", &[">>> (g) [Message received by Server.]"]);
    for member in [&mut *y, &mut *z] {
        member.expect_next(">>> (g) Group_Message x: in here");
        member.expect_next(">>> (g) Group_Message x: and here");
    }

    // What is said to y alone is kept back while y is inside.
    ask(w, "send y psst", &[">>> [Message received by <y>.]"]);
    ask(w, "send_all four", &[STORED]);
    y.expect_next(">>> (g) [Channel_Message <w>: four]");
    ask(y, "leave_group", &[">>> [Leave group chat g]", ">>> w: psst"]);
    ask(x, "send_group only z", &[]);
    for client in [&mut *x, &mut *z] {
        client.expect(">>> (g) [Channel_Message <w>: four]");
    }
    z.expect_next(">>> (g) Group_Message x: only z");
    y.line("send_group what?");
    y.expect_where("a refusal", |line| line.contains("you have entered no room"));

    // Away, and back.
    ask(z, "/away at lunch", &[">>> (g) [You are away: at lunch]"]);
    // The others hear of it a little later.
    loop {
        w.line("/who");
        w.expect(">>> y online");
        let line = w.expect_where("z", |line| line.starts_with(">>> z "));
        if line == ">>> z online, away: at lunch" {
            break;
        }
    }
    ask(z, "/back", &[">>> (g) [You are back.]"]);

    // Something was refused to x and y.
    for (client, code) in [(w, 0), (x, 4), (y, 4), (z, 0)] {
        client.line("EX");
        assert_eq!(client.exit_code(), code, "{client}");
        assert_eq!(client.seen.last().unwrap(), "[exiting]");
        // Nobody got what they said themselves, and nothing came twice.
        for text in ["one]", "two]", "three]", "four]", "in here", "and here", "psst"] {
            let times = client.seen.iter().filter(|line| line.ends_with(text)).count();
            assert!(times <= 1, "{text}: {client}");
        }
    }
}

#[test]
fn four_clients_use_every_command() {
    let mut four = Four::modern(&[]);
    let [w, x, y, z] = &mut four.clients;

    for (line, text) in [("/all one", "one"), ("/send_all two", "two"), ("/all three", "three")] {
        ask(x, line, &[&format!("(said to everyone: \"{text}\")")]);
        for other in [&mut *w, &mut *y, &mut *z] {
            ends(other, &format!(" x to everyone: {text}"));
        }
    }
    ask(x, "/dm y", &["What you type is said to y; /leave ends that."]);
    ask(x, "hello", &["(y has \"hello\")"]);
    ends(y, " x: hello");
    ask(y, "/r send it to me", &["(x has \"send it to me\")"]);
    ends(x, " y: send it to me");
    ask(x, "/leave", &["What you type is said to nobody."]);
    x.line("/whois Y");
    x.expect("y online");
    x.expect_where("a key", |line| line.starts_with("    key "));
    x.line("/msg nobody hello");
    ends(x, "Nobody here goes by nobody; nothing was sent, /who lists the nicks.");

    ask(x, "/rooms", &["There are no rooms yet; /create <room> makes one."]);
    ask(x, "/create Tea", &["There is a room #Tea now; /join Tea enters it."]);
    ask(y, "/create tea", &["#tea exists already; /join #tea enters it."]);
    ask(y, "/join h", &["There is no #h; /rooms lists the rooms."]);
    for client in [&mut *x, &mut *y, &mut *z] {
        client.line("/join tea");
        client.expect_where("inside", |line| line.starts_with("You are in #Tea:"));
        client.expect_where("what is kept", |line| {
            line.starts_with(
                "The server keeps the last 10000 messages of a room, up to 16 MiB, for 30",
            )
        });
    }
    ask(z, "/members", &["In #Tea: x, y, z"]);
    ask(w, "/members tea", &["In #tea: x, y, z"]);
    ask(w, "/rooms", &["#Tea"]);
    ask(z, "/rooms", &["#Tea (you are in it)"]);
    ask(x, "/say in here", &["(said in #Tea: \"in here\")"]);
    ask(x, "and here", &["(said in #Tea: \"and here\")"]);
    for member in [&mut *y, &mut *z] {
        ends(member, " #Tea x: in here");
        ends(member, " #Tea x: and here");
    }
    // What is said to y alone is shown at once.
    ask(w, "/pm y psst", &["(y has \"psst\")"]);
    ends(y, " w: psst");
    ask(y, "/leave", &["You have left #Tea."]);
    ask(y, "/leave tea", &["You are not in #tea."]);
    y.line("hello?");
    y.expect_where("no", |line| line.starts_with("Nothing was sent: to whom? /msg"));
    ask(x, "only z", &["(said in #Tea: \"only z\")"]);
    ends(z, " #Tea x: only z");
    y.line("/history");
    for end in [" x to everyone: three", " x: hello", " w: psst"] {
        y.expect_where(end, |line| line.ends_with(end));
    }
    z.line("/history #tea");
    for text in ["in here", "and here", "only z"] {
        ends(z, &format!(" #Tea x: {text}"));
    }

    ask(z, "/away at lunch", &["Everyone sees that you are away (at lunch); /back ends that."]);
    loop {
        w.line("/who");
        w.expect("y online");
        if w.expect_where("z", |line| line.starts_with("z ")) == "z online, away: at lunch" {
            break;
        }
    }
    ask(z, "/back", &["You are back."]);
    z.line("/quit");
    assert_eq!(z.exit_code(), 0, "{z}");
    w.expect("z has left.");
    w.line("/who");
    w.expect_where("z", |line| line.starts_with("z offline, left "));
    // Something was refused to x and y.
    for (client, code) in [(w, 0), (x, 4), (y, 4)] {
        client.line("/quit");
        assert_eq!(client.exit_code(), code, "{client}");
        for text in [" and here", " psst", "only z"] {
            let times = client.seen.iter().filter(|line| line.ends_with(text)).count();
            assert!(times <= 1 + usize::from(text != "only z"), "{text}: {client}");
        }
    }
}

#[test]
fn members_get_what_they_missed_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path(), &["--room-entries", "5"]);
    let mut x = join(directory.path(), "x", &address);
    let mut y = join(directory.path(), "y", &address);
    ask(&mut x, "/create g", &[]);
    for client in [&mut x, &mut y] {
        client.line("/join g");
        client.expect_where("inside", |line| line.starts_with("You are in #g"));
    }
    y.end_input();
    assert_eq!(y.exit_code(), 0);
    for text in ["one", "two", "three"] {
        x.line(text);
        x.expect(&format!("(said in #g: \"{text}\")"));
    }
    let mut y = join(directory.path(), "y", &address);
    for text in ["one", "two", "three"] {
        ends(&mut y, &format!(" #g x: {text}"));
    }
    let told = "You are still in #g; /join <room> enters one.";
    assert!(y.seen.iter().any(|line| line == told), "{y}");
    y.end_input();
    assert_eq!(y.exit_code(), 0);
    for number in 0..9 {
        x.line(&format!("number {number}"));
        x.expect(&format!("(said in #g: \"number {number}\")"));
    }
    let mut y = join(directory.path(), "y", &address);
    let gap = y.expect_where("what is gone", |line| line.contains("can no longer be read"));
    assert!(gap.starts_with("4 messages to #g ") && gap.contains("the last 5 messages"), "{gap}");
    for number in 4..9 {
        ends(&mut y, &format!(" #g x: number {number}"));
    }
}

#[test]
fn a_full_room_and_a_long_message_are_refused_with_what_to_do() {
    let mut four = Four::modern(&["--room-members", "2"]);
    let [w, x, y, _] = &mut four.clients;
    ask(w, "/create g", &["There is a room #g now; /join g enters it."]);
    for client in [&mut *w, &mut *x] {
        client.line("/join g");
        client.expect_where("inside", |line| line.starts_with("You are in #g"));
    }
    y.line("/join g");
    y.expect_where("a refusal", |line| {
        line.starts_with("#g is full; try again when somebody has left it")
    });
    x.line("/leave");
    x.expect("You have left #g.");
    y.line("/join g");
    y.expect_where("inside", |line| line.starts_with("You are in #g"));
    let long = "long ".repeat(16 * 1024 / 5 + 1) + "!";
    for line in [format!("/all {long}"), long.clone(), format!("/msg w {long}")] {
        y.line(&line);
        y.expect("The message is longer than 16384 bytes; nothing was sent, say it in pieces.");
    }
}

#[test]
fn a_script_joins_speaks_and_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, address) = server(directory.path(), &[]);
    let mut x = Program::start(&directory.path().join("x"), &["join", "x", &address]);
    for line in ["/all first", "/create g", "/join g", "hi", "/leave"] {
        x.line(line);
    }
    x.end_input();
    assert_eq!(x.exit_code(), 0, "{x}");
    x.seen.retain(|line| line.starts_with('(') || line.contains("#g") && !line.contains("keeps"));
    assert_eq!(x.seen.len(), 5, "{x}");
    assert_eq!(x.seen[4], "You have left #g.");
    for line in ["/create g", "/join h", "/say hi", "sedn y hi"] {
        let mut x = Program::start(&directory.path().join("x"), &["join", "x", &address]);
        x.line(line);
        x.end_input();
        assert_eq!(x.exit_code(), 4, "{x}");
    }
}
