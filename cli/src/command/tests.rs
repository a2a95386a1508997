//! What lines are read as.

use super::*;

fn parse(line: &str) -> Result<Option<Command>, WrongInput> {
    Command::parse(line, &Nick::new("x").unwrap(), Grammar::Classic)
}

fn slash(line: &str) -> Result<Option<Command>, WrongInput> {
    Command::parse(line, &Nick::new("x").unwrap(), Grammar::Slash)
}

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

#[test]
fn commands_are_read() {
    let send = |to: &str, text: &str| Command::Send { to: Nick::new(to), text: text.to_owned() };
    for (line, command) in [
        ("send y hello", send("y", "hello")),
        ("  send\ty   hello  there ", send("y", "hello  there ")),
        ("send reg hello", send("reg", "hello")),
        ("dereg", Command::Deregister(Whose::Own)),
        ("dereg X", Command::Deregister(Whose::Own)),
        ("dereg y", Command::Deregister(Whose::Other)),
        ("reg x ", Command::Register(Whose::Own)),
        ("reg send", Command::Register(Whose::Other)),
        ("/who", Command::Who),
        ("/history", Command::History { of: Source::All, most: Some(usize::MAX) }),
        ("/history y", Command::History { of: Source::Named(nick("y")), most: Some(usize::MAX) }),
        ("/history #y", Command::History { of: Source::Room(name("y")), most: Some(usize::MAX) }),
        ("/history lobby", Command::History { of: Source::Lobby, most: Some(usize::MAX) }),
        ("/wait 1.5", Command::Wait(Duration::from_millis(1500))),
        ("/help", Command::Help),
        (" /quit ", Command::Quit),
    ] {
        assert_eq!(parse(line), Ok(Some(command)), "{line:?}");
    }
}

#[test]
fn each_command_about_rooms_has_its_words() {
    let say = |text: &str| text.to_owned();
    for (lines, command) in [
        (&["send_all hi  you", "PM hi  you", "/all hi  you"][..], Command::SendAll(say("hi  you"))),
        (&["send_group hi", "/say hi", "/send_group hi"], Command::SayHere(say("hi"))),
        (&["create_group g", "/create g", "/create #g"], Command::Create(Ok(name("g")))),
        (&["list_groups", "/rooms"], Command::Rooms),
        (&["join_group g", "/join g"], Command::Join(Ok(name("g")))),
        (&["leave_group", "/leave"], Command::Leave(None)),
        (&["/leave #g"], Command::Leave(Some(Ok(name("g"))))),
        (&["list_members", "/members"], Command::Members(None)),
        (&["list_members g", "/members g"], Command::Members(Some(Ok(name("g"))))),
        (&["/join who", "join_group #Who"], Command::Join(Err(WrongName::Reserved))),
        (&["/create all"], Command::Create(Err(WrongName::Reserved))),
        (&["/join a;b"], Command::Join(Err(WrongName::Syntax(NameError::Character)))),
        (&["EX", "/ex"], Command::Quit),
        (&["PM", "send_all ", "/all"], Command::Ask(Missing::TextForAll)),
        (&["DM", "/dm"], Command::Ask(Missing::Recipient)),
        (&["DM y "], Command::Ask(Missing::Text(nick("y")))),
        (&["DM y hi", "/send y hi"], Command::Send { to: Ok(nick("y")), text: say("hi") }),
        (&["/away"], Command::Away(say("away"))),
        (&["/away at lunch "], Command::Away(say("at lunch"))),
        (&["/back"], Command::Back),
        (&[" who is there? ", "who is there?"], Command::Plain(say("who is there?"))),
    ] {
        for line in lines {
            assert_eq!(parse(line), Ok(Some(command.clone())), "{line:?}");
        }
    }
}

#[test]
fn a_command_is_one_whatever_others_are_named() {
    let say = |text: &str| text.to_owned();
    for (line, command) in [
        ("/all hi", Command::SendAll(say("hi"))),
        ("all hi", Command::Plain(say("all hi"))),
        ("send all hi", Command::Send { to: Ok(nick("all")), text: say("hi") }),
        ("DM PM hi", Command::Send { to: Ok(nick("PM")), text: say("hi") }),
        ("dereg dereg", Command::Deregister(Whose::Other)),
        (
            "/history who",
            Command::History { of: Source::Named(nick("who")), most: Some(usize::MAX) },
        ),
        (
            "/history #who",
            Command::History { of: Source::Room(name("who")), most: Some(usize::MAX) },
        ),
        ("/leave who", Command::Leave(Some(Ok(name("who"))))),
        ("/members #all", Command::Members(Some(Ok(name("all"))))),
    ] {
        assert_eq!(parse(line), Ok(Some(command)), "{line:?}");
    }
}

#[test]
fn a_blank_line_is_nothing() {
    for line in ["", "  ", "\t"] {
        assert_eq!(parse(line), Ok(None));
    }
}

#[test]
fn anything_else_is_wrong() {
    for line in [
        "send",
        "send y",
        "send y ",
        "dereg x y",
        "/who y",
        "/wait",
        "/wait -1",
        "/wait inf",
        "/wait NaN",
        "/wait 1e9",
        "/wait a",
        "/history a b",
        "/quit now",
        "EX now",
        "/join",
        "/join a b",
        "/say ",
        "/leave a b",
        "/history #",
        "/rooms a",
        "/hello",
        "/",
    ] {
        assert!(parse(line).is_err(), "{line:?}");
    }
}

#[test]
fn only_what_begins_with_a_slash_is_a_command() {
    for line in ["send me the file", "PM me later", "EX", "dereg", "reg", "DM y hi", "who is it?"] {
        assert_eq!(slash(line), Ok(Some(Command::Plain(line.to_owned()))));
    }
    assert_eq!(slash("//etc/hosts is it"), Ok(Some(Command::Plain("/etc/hosts is it".to_owned()))));
}

#[test]
fn what_is_for_one_person_is_so_by_every_word() {
    for word in ["msg", "dm", "pm", "query", "send", "tell", "w"] {
        let send = Command::Send { to: Ok(nick("y")), text: "my  password".to_owned() };
        assert_eq!(slash(&format!("/{word} y my  password ")), Ok(Some(send)));
        let talk = Command::Talk(Partner::One(Ok(nick("y"))));
        assert_eq!(slash(&format!("/{word} y")), Ok(Some(talk)));
        assert_eq!(slash(&format!("/{word}")), Err(WrongInput::Usage("/msg <nick> [text]")));
    }
}

#[test]
fn slash_commands_are_read() {
    let say = |text: &str| text.to_owned();
    for (line, command) in [
        ("/all hi  you", Command::SendAll(say("hi  you"))),
        ("/all", Command::Talk(Partner::Everyone)),
        ("/r yes", Command::Reply(say("yes"))),
        ("/say /this", Command::Plain(say("/this"))),
        ("/join #g", Command::Join(Ok(name("g")))),
        ("/leave", Command::Leave(None)),
        ("/whois y", Command::Whois(Ok(nick("y")))),
        ("/offline", Command::Deregister(Whose::Own)),
        ("/reg", Command::Register(Whose::Own)),
        ("/away", Command::Away(say("away"))),
        ("/history #y", Command::History { of: Source::Room(name("y")), most: None }),
        ("/history", Command::History { of: Source::All, most: None }),
        ("/history 7", Command::History { of: Source::All, most: Some(7) }),
        ("/history y 7", Command::History { of: Source::Named(nick("y")), most: Some(7) }),
        ("/history lobby all", Command::History { of: Source::Lobby, most: Some(usize::MAX) }),
        ("/search my  key ", Command::Search(say("my  key"))),
        ("/wait 1.5", Command::Wait(Duration::from_millis(1500))),
        (" /quit ", Command::Quit),
    ] {
        assert_eq!(slash(line), Ok(Some(command)), "{line:?}");
    }
    for line in [
        "/r",
        "/join",
        "/join a b",
        "/who y",
        "/wait -1",
        "/history a b",
        "/history 0 0",
        "/search",
        "/quit now",
    ] {
        assert!(matches!(slash(line), Err(WrongInput::Usage(_))), "{line:?}");
    }
}

#[test]
fn a_slip_of_the_finger_gets_the_nearest_command() {
    for (line, command) in
        [("/mgs y hi", "/msg"), ("/sedn y hi", "/msg"), ("/jion g", "/join"), ("/hlep", "/help")]
    {
        let wrong = slash(line).unwrap_err();
        assert!(wrong.to_string().contains(&format!("did you mean {command}?")), "{wrong}");
    }
    let wrong = slash("/xyzzy").unwrap_err();
    assert_eq!(wrong, WrongInput::Unknown { word: "/xyzzy".to_owned(), nearest: None });
}
