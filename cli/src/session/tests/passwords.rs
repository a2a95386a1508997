use std::time::Duration;

use jiff::tz::TimeZone;
use proto_core::{
    client::{AccountChange, Event},
    wire::{AccountRefusal, PasswordWant},
};

use super::world::{World, key, nick};
use crate::{
    modern::Modern,
    password::{Given, Password},
    session::Exit,
};

fn world(scripted: bool, password: Option<&str>) -> World {
    let given = password.map(|text| Given::Descriptor(Password::new(text.to_owned())));
    World::with_password(Box::new(Modern::new(nick("x"), TimeZone::UTC, || None)), scripted, given)
}

fn wanted(world: &mut World, why: PasswordWant, seconds: u64) {
    world.event(Event::PasswordWanted { why, wait: Duration::from_secs(seconds) });
}

fn typed(world: &mut World, text: &str) {
    assert!(world.session.wants_password());
    let at = world.at();
    world.session.handle_password(&mut world.chat, at, Password::new(text.to_owned()));
}

#[test]
fn a_new_password_is_typed_twice_the_same() {
    let mut world = world(false, None);
    wanted(&mut world, PasswordWant::New, 0);
    assert!(world.seen()[0].starts_with("This nick has no password yet"));
    typed(&mut world, "open sesame");
    assert_eq!(world.seen(), ["Type the same password again."]);
    typed(&mut world, "open sesamy");
    assert_eq!(world.seen(), ["The two are not the same; type the password that you want."]);
    typed(&mut world, "open sesame");
    typed(&mut world, "open sesame");
    assert_eq!(world.asked(), ["authenticate open sesame"]);
    assert!(!world.session.wants_password());
}

#[test]
fn a_wrong_password_is_asked_for_again() {
    let mut world = world(false, None);
    wanted(&mut world, PasswordWant::Known, 0);
    typed(&mut world, "");
    assert!(world.session.wants_password());
    typed(&mut world, "a slip");
    world.seen();
    wanted(&mut world, PasswordWant::Wrong, 2);
    assert_eq!(
        world.seen(),
        ["That password is wrong; type it again, it is looked at in 2 seconds."]
    );
    typed(&mut world, "open sesame");
    assert_eq!(world.asked(), ["authenticate a slip", "authenticate open sesame"]);
    world.registered(false);
    assert!(!world.session.wants_password());
    assert_eq!(world.exit(), None);
}

#[test]
fn a_password_from_outside_is_given_once_and_a_wrong_one_ends_the_program() {
    let mut world = world(false, Some("guess"));
    wanted(&mut world, PasswordWant::Known, 0);
    assert_eq!(world.asked(), ["authenticate guess"]);
    wanted(&mut world, PasswordWant::Wrong, 1);
    assert_eq!(world.exit(), Some(Exit::NickRefused));
    assert_eq!(
        world.seen()[0],
        "The password is wrong; check UDPCHAT_PASSWORD or what --password-fd reads, and try again \
         in 1 second."
    );
}

#[test]
fn a_script_without_a_password_ends_with_what_to_do() {
    let mut world = world(true, None);
    wanted(&mut world, PasswordWant::Known, 0);
    assert_eq!(world.exit(), Some(Exit::NickRefused));
    let said = world.seen();
    assert_eq!(said[0], "This nick needs a password; set UDPCHAT_PASSWORD, or pass --password-fd.");
}

#[test]
fn whoever_gives_up_at_the_password_has_not_done_what_was_wanted() {
    let mut world = world(false, None);
    wanted(&mut world, PasswordWant::Known, 0);
    let at = world.at();
    world.session.handle_interrupt(&mut world.chat, at);
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Unfinished));
}

#[test]
fn no_password_goes_to_a_server_that_may_be_anyone() {
    let mut world = world(true, Some("open sesame"));
    world.chat.unproven = true;
    wanted(&mut world, PasswordWant::Known, 0);
    assert_eq!(world.asked(), ["deregister", "release"]);
    assert_eq!(world.exit(), Some(Exit::NickRefused));
    let said = world.seen();
    assert!(said[0].contains("none was sent") && said[0].contains("192.168.1.5:12345#its key"));
}

#[test]
fn a_person_is_asked_about_the_server_before_the_password() {
    for given in [None, Some("open sesame")] {
        let mut world = world(false, given);
        world.chat.unproven = true;
        wanted(&mut world, PasswordWant::Known, 0);
        assert!(world.seen()[0].contains("its key") && !world.session.wants_password());
        world.line("/msg y hi");
        assert_eq!(world.seen(), ["Type yes if the key is the same, no to leave."]);
        assert_eq!(world.asked(), [] as [&str; 0]);
        world.line(" Yes ");
        if given.is_none() {
            typed(&mut world, "open sesame");
        }
        assert_eq!(world.asked(), ["trust", "authenticate open sesame"]);
    }
    let mut world = world(false, Some("open sesame"));
    world.chat.unproven = true;
    wanted(&mut world, PasswordWant::Known, 0);
    world.line("no");
    assert_eq!(world.exit(), Some(Exit::NickRefused));
    assert!(!world.asked().iter().any(|asked| asked.contains("sesame")));
}

#[test]
fn a_password_is_not_kept_after_its_use() {
    for judged in [true, false] {
        let mut world = world(true, Some("open sesame"));
        if judged {
            wanted(&mut world, PasswordWant::Known, 0);
        }
        world.registered(false);
        world.seen();
        world.asked();
        wanted(&mut world, PasswordWant::Known, 0);
        assert_eq!(world.asked(), ["deregister", "release"]);
        assert!(world.seen()[0].contains("not kept after its use"));
        assert_eq!(world.exit(), Some(Exit::NickRefused));
    }
}

#[test]
fn another_password_is_asked_for_with_the_old_one_and_typed_twice() {
    let mut world = world(false, None).online(&[("bob", true)]);
    world.seen();
    world.line("/passwd");
    assert_eq!(world.seen(), ["Type the password that you have, it is not shown."]);
    typed(&mut world, "old");
    assert_eq!(world.seen(), ["Type the new password, it is not shown."]);
    typed(&mut world, "new");
    typed(&mut world, "mew");
    assert_eq!(world.seen().len(), 2);
    typed(&mut world, "new");
    typed(&mut world, "new");
    assert!(!world.session.wants_password());
    assert_eq!(world.asked().last().unwrap(), "change old to new");
    let (change, result) = (AccountChange::Password, Err(AccountRefusal::Wrong { wait: 2000 }));
    world.seen();
    world.event(Event::AccountResponse { change, result });
    assert!(world.seen()[0].starts_with("That is not your password; it is as it was"));
}

#[test]
fn who_is_held_up_is_told_what_another_device_can_do() {
    let mut world = world(false, None);
    let wait = Duration::from_secs(200);
    world.event(Event::PasswordWanted { why: PasswordWant::Known, wait });
    let seen = world.seen().join(" ");
    let key = transport_mio::key_text::encode(&key("x"));
    assert!(seen.contains(&format!("/endorse {key} lets it in")), "{seen}");
    let mut world = world.online(&[("bob", true)]);
    world.line(&format!("/endorse {key}"));
    assert!(world.asked().last().unwrap().starts_with("endorse"));
}
