//! Short stories of accounts with passwords: what happens, and what every user is told then.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proto_core::{
    client::{AccountChange, Event, Status, Verdict},
    id::{Nick, RoomName},
    server::{Logins, Operation},
    wire::{AccountRefusal, Frame, PasswordWant, RegisterRefusal, RoomAction, RoomRefusal},
};
use simulation::{
    clock::{Moment, SECOND},
    dice::Dice,
    faults::Faults,
    life::Life,
    node::Kind,
    place::{Place, SERVER},
    role::Input,
    runner,
    setup::Setup,
    trace::{Telling, last_lines},
    world::{World, part},
};

/// Longer than anything takes on a good network, and longer than users take to type.
const SHORTLY: Moment = 10 * SECOND;

const ALICE: Place = 1;
const BOB: Place = 2;

/// Some texts of someone's, in order.
fn texts(from: u32, to: u32) -> Vec<String> {
    (from..=to).map(|number| format!("letter {number}")).collect()
}

/// What a device's durable inbox has of someone.
fn inbox(world: &World, of: Place, from: Place) -> Vec<String> {
    world.laws().inbox(world.nodes[of].key(), world.nodes[from].key())
}

/// Alice and bob, at a server that gives a nick to whoever has its password.
fn world(logins: Logins) -> World {
    World::new(&Setup {
        seed: 1,
        faults: Faults::none(),
        nicks: vec!["alice".into(), "bob".into()],
        real: false,
        logins,
        telling: Telling::Kept,
    })
}

/// The same, both online.
fn online() -> World {
    let mut world = world(Logins::Password);
    for who in [ALICE, BOB] {
        world.register(who);
    }
    world.run(SHORTLY);
    for who in [ALICE, BOB] {
        assert_eq!(take_told(&mut world, who), ["a password: New", "registered"]);
    }
    world
}

/// All that someone was told since this was asked before.
fn take_told(world: &mut World, who: Place) -> Vec<String> {
    let told = world.nodes[who].user.take_told();
    told.into_iter()
        .filter_map(|told| {
            Some(match told.event {
                Event::Ready
                | Event::RosterChanged
                | Event::Accepted { .. }
                | Event::Submitted { .. } => return None,
                Event::PasswordWanted { why, .. } => format!("a password: {why:?}"),
                Event::Registered { returning: false, .. } => "registered".into(),
                Event::Registered { mail: false, .. } => "welcome back".into(),
                Event::Registered { .. } => "welcome back, there is mail".into(),
                Event::Message { from, .. } => format!("{from}: {}", told.text),
                Event::Verdict { verdict, .. } => format!("{verdict:?}"),
                Event::KeyChanged { nick, .. } => format!("{nick} has another key"),
                other => format!("{other:?}"),
            })
        })
        .collect()
}

fn say(world: &mut World, from: Place, to: &str, text: &str) {
    let to = Nick::new(to).expect("a nick");
    let said = world.say(from, to, text.into()).expect("the client runs");
    said.expect("the client takes the text");
}

fn status(world: &mut World, who: Place) -> Status {
    world.nodes[who].client().expect("the client runs").status()
}

#[test]
fn the_first_login_sets_the_password_and_another_device_gives_it() {
    let mut world = online();
    let device = world.device(ALICE, "alice elsewhere");
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(take_told(&mut world, device), ["a password: Known", "welcome back"]);
    assert_eq!(take_told(&mut world, ALICE), ["Displaced"]);
    assert_eq!(status(&mut world, ALICE), Status::Offline);
    say(&mut world, device, "bob", "from my new device");
    world.run(SHORTLY);
    assert_eq!(take_told(&mut world, device), ["Delivered"]);
    // Who was never written to, nor wrote, is not known by another key.
    assert_eq!(take_told(&mut world, BOB), ["alice: from my new device"]);
    // Its key holds the nick from now on, and needs no password any more.
    world.crash(device);
    world.boot(device);
    world.run(SHORTLY);
    assert_eq!(take_told(&mut world, device), ["welcome back"]);
}

#[test]
fn a_key_that_holds_the_nick_needs_no_password_after_a_restart_of_the_server() {
    let mut world = online();
    world.quit(SERVER);
    world.run(6 * SHORTLY);
    for who in [ALICE, BOB] {
        assert_eq!(status(&mut world, who), Status::Online);
        assert!(!take_told(&mut world, who).iter().any(|line| line.starts_with("a password")));
    }
}

#[test]
fn a_wrong_password_costs_more_and_more_time() {
    let mut world = online();
    let thief = world.device(ALICE, "a thief");
    world.nodes[thief].user.types((0..8).map(|guess| format!("guess {guess}")).collect());
    let begun = world.now();
    world.register(thief);
    let wrongs = |world: &World| {
        let is_wrong =
            |event: &Event| matches!(event, Event::PasswordWanted { why: PasswordWant::Wrong, .. });
        world.nodes[thief].user.told().iter().filter(|told| is_wrong(&told.event)).count()
    };
    while wrongs(&world) < 8 {
        world.run(SECOND);
        assert!(world.now() - begun < 600 * SECOND, "eight guesses are judged some time");
    }
    // 1 + 2 + 4 + … + 64 seconds before the eighth.
    assert!(world.now() - begun >= 127 * SECOND, "it took {} µs", world.now() - begun);
    assert_eq!(status(&mut world, ALICE), Status::Online);
    // Who has the key is not held up by that, nor is bob at his own address.
    world.quit(ALICE);
    let device = world.device(BOB, "bob elsewhere");
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(status(&mut world, ALICE), Status::Online);
    assert_eq!(status(&mut world, device), Status::Online);
}

/// How long it takes until these have each been told once that a password is wrong.
fn time_of_wrong_passwords(world: &mut World, thieves: &[Place]) -> Moment {
    let begun = world.now();
    for thief in thieves {
        world.register(*thief);
    }
    while thieves.iter().any(|thief| world.nodes[*thief].user.wrong() == 0) {
        world.run(SECOND / 10);
        assert!(world.now() - begun < 600 * SECOND, "each guess is judged some time");
    }
    world.now() - begun
}

/// However many addresses they have, those who guess one nick's password wait for each other.
#[test]
fn wrong_passwords_for_a_nick_cost_time_wherever_they_come_from() {
    let mut world = online();
    let thieves: Vec<_> = (0..8)
        .map(|at| {
            let thief = world.device(ALICE, &format!("thief {at}"));
            world.nodes[thief].user.types(vec![format!("guess {at}")]);
            thief
        })
        .collect();
    let took = time_of_wrong_passwords(&mut world, &thieves);
    // 1 + 2 + 4 + … + 64 seconds before the eighth.
    assert!(took >= 127 * SECOND, "it took {took} µs");
    // Bob has nothing to do with that.
    let device = world.device(BOB, "bob elsewhere");
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(status(&mut world, device), Status::Online);
}

/// Whoever tries one password with many nicks waits after each, with IPv6 addresses too, of
/// which everyone has many.
#[test]
fn wrong_passwords_cost_their_sender_time_whosever_nick_it_is() {
    for addresses in [
        [0; 6].map(|_| Ipv4Addr::new(192, 0, 2, 7).into()),
        [1, 2, 3, 4, 5, 6].map(|at| Ipv6Addr::new(0x2001, 0xdb8, 7, 7, at, 0, 0, at).into()),
    ] {
        let nicks: Vec<String> = (0..6).map(|at| format!("victim{at}")).collect();
        let mut world = World::new(&Setup {
            seed: 1,
            faults: Faults::none(),
            nicks,
            real: false,
            logins: Logins::Password,
            telling: Telling::Kept,
        });
        let victims: Vec<Place> = (1..=6).collect();
        for victim in &victims {
            world.register(*victim);
        }
        world.run(SHORTLY);
        let guess = |(victim, address): (&Place, IpAddr)| {
            let thief = world.device(*victim, "a thief");
            world.nodes[thief].user.types(vec!["123456".into()]);
            world.network.move_to(thief, SocketAddr::new(address, 30_000 + *victim as u16));
            thief
        };
        let thieves: Vec<_> = victims.iter().zip(addresses).map(guess).collect();
        let took = time_of_wrong_passwords(&mut world, &thieves);
        // 1 + 2 + 4 + 8 + 16 seconds before the sixth.
        assert!(took >= 31 * SECOND, "it took {took} µs");
    }
}

/// Her own slips of the finger are forgiven once she has found the right one.
#[test]
fn a_right_password_makes_up_for_the_wrong_ones_before() {
    let mut world = online();
    for name in ["alice on the train", "alice at work"] {
        let device = world.device(ALICE, name);
        let slips = ["a slip", "another", "a third", "the password of alice"];
        world.nodes[device].user.types(slips.map(String::from).into());
        world.register(device);
        world.run(6 * SHORTLY);
        let wait = |event: Event| match event {
            Event::PasswordWanted { why: PasswordWant::Wrong, wait } => Some(wait.as_secs()),
            _ => None,
        };
        let waits: Vec<_> =
            world.nodes[device].user.told().iter().filter_map(|told| wait(told.event)).collect();
        assert_eq!((waits, status(&mut world, device)), (vec![1, 2, 4], Status::Online));
    }
}

/// All that come at one moment are told to come again but one, so that nobody learns of
/// many at once that they are wrong.
#[test]
fn passwords_for_a_nick_are_judged_one_at_a_time() {
    let mut world = online();
    let thieves: Vec<_> = (0..20)
        .map(|at| {
            let thief = world.device(ALICE, &format!("thief {at}"));
            world.nodes[thief].user.types(vec![format!("guess {at}")]);
            world.register(thief);
            thief
        })
        .collect();
    let wrong = |world: &World| -> usize {
        thieves.iter().map(|thief| world.nodes[*thief].user.wrong()).sum()
    };
    while wrong(&world) == 0 {
        world.run(SECOND / 100);
        assert!(world.now() < 600 * SECOND, "one of them is judged some time");
    }
    world.run(SECOND * 9 / 10);
    assert_eq!(wrong(&world), 1);
}

#[test]
fn a_password_survives_links_and_servers_that_fail_meanwhile() {
    let mut world = online();
    let device = world.device(ALICE, "alice elsewhere");
    // Her first device, which hears of the second only when the server is back, is asked then.
    world.nodes[ALICE].user.types(Vec::new());
    world.nodes[device]
        .user
        .types(vec!["a slip of the finger".into(), "the password of alice".into()]);
    world.register(device);
    world.run(SECOND);
    world.crash(SERVER);
    world.boot(SERVER);
    world.run(12 * SHORTLY);
    assert_eq!(status(&mut world, device), Status::Online);
    let told = take_told(&mut world, device);
    assert!(
        told.contains(&"a password: Wrong".into()) && told.contains(&"welcome back".into()),
        "{told:?}"
    );
}

#[test]
fn without_passwords_a_nick_is_its_first_keys() {
    let mut world = world(Logins::Open);
    world.register(ALICE);
    world.run(SHORTLY);
    let device = world.device(ALICE, "alice elsewhere");
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(world.nodes[device].user.refused(), Some(RegisterRefusal::Taken));
    assert_eq!(take_told(&mut world, ALICE), ["registered"]);
    let _ = Verdict::Delivered;
}

/// Alice is away, and bob has written to her; then she comes with another device.
fn letters_wait(count: u32) -> (World, Place) {
    let mut world = online();
    world.deregister(ALICE);
    world.run(SHORTLY);
    for text in texts(1, count) {
        say(&mut world, BOB, "alice", &text);
    }
    world.run(SHORTLY);
    let told = take_told(&mut world, BOB);
    assert_eq!(told.iter().filter(|line| *line == "Stored").count(), count as usize);
    let device = world.device(ALICE, "alice elsewhere");
    (world, device)
}

#[test]
fn mail_sealed_to_the_old_key_is_sealed_anew_and_comes_once() {
    let (mut world, device) = letters_wait(20);
    world.register(device);
    world.run(SHORTLY);
    let expected = texts(1, 20);
    assert_eq!(inbox(&world, device, BOB), expected);
    let told = take_told(&mut world, BOB);
    assert_eq!(told[0], "alice has another key");
    assert_eq!(told.iter().filter(|line| *line == "Delivered").count(), 20);
    assert!(inbox(&world, ALICE, BOB).is_empty());
    say(&mut world, BOB, "alice", "letter 21");
    world.run(SHORTLY);
    assert_eq!(inbox(&world, device, BOB), texts(1, 21));
    let open = world.nodes[BOB].client().expect("the client runs").open_messages();
    assert_eq!((open.unsaved, open.stored), (0, false));
}

#[test]
fn mail_of_several_runs_of_its_author_is_sealed_anew_too() {
    let (mut world, device) = letters_wait(3);
    world.crash(BOB);
    world.boot(BOB);
    world.register(BOB);
    world.run(SHORTLY);
    for text in texts(4, 6) {
        say(&mut world, BOB, "alice", &text);
    }
    world.run(SHORTLY);
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(inbox(&world, device, BOB), texts(1, 6));
}

#[test]
fn an_author_who_was_away_seals_anew_on_return_whoever_crashes_meanwhile() {
    let (mut world, device) = letters_wait(12);
    world.crash(BOB);
    world.register(device);
    world.run(SHORTLY);
    assert!(inbox(&world, device, BOB).is_empty());
    world.crash(SERVER);
    world.boot(SERVER);
    world.run(SHORTLY);
    world.boot(BOB);
    // In the middle of it.
    for step in 0..40 {
        world.run(30_000);
        if step % 8 == 7 {
            world.crash(if step % 16 == 7 { BOB } else { SERVER });
            world.boot(SERVER);
            world.boot(BOB);
        }
    }
    world.run(12 * SHORTLY);
    assert_eq!(inbox(&world, device, BOB), texts(1, 12));
    let open = world.nodes[BOB].client().expect("the client runs").open_messages();
    assert_eq!((open.unsaved, open.stored), (0, false));
}

#[test]
fn what_the_old_device_had_is_not_sent_again() {
    let (mut world, device) = letters_wait(5);
    // Her old device gets the first five while bob is away, and two more wait after that.
    world.crash(BOB);
    world.register(ALICE);
    world.run(SHORTLY);
    assert_eq!(inbox(&world, ALICE, BOB), texts(1, 5));
    world.deregister(ALICE);
    world.run(SHORTLY);
    world.register(device);
    world.run(SHORTLY);
    world.boot(BOB);
    world.run(SHORTLY);
    say(&mut world, BOB, "alice", "letter 6");
    world.run(SHORTLY);
    assert_eq!(inbox(&world, device, BOB), ["letter 6"]);
    assert_eq!(take_told(&mut world, BOB).iter().filter(|line| *line == "Delivered").count(), 6);
}

#[test]
fn mail_by_the_old_key_is_read_after_its_author_has_another() {
    let mut world = online();
    world.deregister(BOB);
    world.run(SHORTLY);
    for text in texts(1, 3) {
        say(&mut world, ALICE, "bob", &text);
    }
    world.run(SHORTLY);
    let device = world.device(ALICE, "alice elsewhere");
    world.register(device);
    world.run(SHORTLY);
    say(&mut world, device, "bob", "letter 4");
    world.run(SHORTLY);
    world.crash(BOB);
    world.boot(BOB);
    world.register(BOB);
    world.run(SHORTLY);
    assert_eq!(inbox(&world, BOB, ALICE), texts(1, 4));
    assert!(take_told(&mut world, device).contains(&"Delivered".into()));
}

#[test]
fn two_devices_take_turns() {
    let mut world = online();
    let device = world.device(ALICE, "alice elsewhere");
    for turn in 1..=3u32 {
        world.register(device);
        world.run(SHORTLY);
        say(&mut world, BOB, "alice", &format!("to the second {turn}"));
        say(&mut world, device, "bob", &format!("from the second {turn}"));
        world.run(SHORTLY);
        world.deregister(device);
        world.run(SHORTLY);
        say(&mut world, BOB, "alice", &format!("to either {turn}"));
        world.run(SHORTLY);
        world.register(ALICE);
        world.run(SHORTLY);
        say(&mut world, ALICE, "bob", &format!("from the first {turn}"));
        world.run(SHORTLY);
        world.deregister(ALICE);
        world.run(SHORTLY);
    }
    let from = |what: &str| (1..=3).map(|turn| format!("{what} {turn}")).collect::<Vec<_>>();
    assert_eq!(inbox(&world, device, BOB), from("to the second"));
    assert_eq!(inbox(&world, ALICE, BOB), from("to either"));
    let turns = |turn| [format!("from the second {turn}"), format!("from the first {turn}")];
    assert_eq!(inbox(&world, BOB, ALICE), (1..=3).flat_map(turns).collect::<Vec<_>>());
}

#[test]
fn whom_the_operator_bans_is_thrown_out_and_stays_out() {
    let mut world = online();
    world.operate(world.nodes[ALICE].nick(), Operation::Ban);
    world.run(SHORTLY);
    assert_eq!(take_told(&mut world, ALICE), ["ServerClosed(Expelled)"]);
    // Neither her key nor her password helps, also not after a restart of the server.
    let device = world.device(ALICE, "alice elsewhere");
    for _ in 0..2 {
        for who in [ALICE, device] {
            world.register(who);
            world.run(6 * SHORTLY);
            assert_eq!(take_told(&mut world, who).last().unwrap(), "RegisterRefused(Banned)");
        }
        world.quit(SERVER);
    }
    let nick = world.nodes[ALICE].nick();
    say(&mut world, BOB, "alice", "where are you?");
    world.run(6 * SHORTLY);
    assert_eq!(take_told(&mut world, BOB).last().unwrap(), "Refused(NoRecipient)", "to {nick}");
    world.operate(world.nodes[ALICE].nick(), Operation::Unban);
    world.run(SHORTLY);
    world.register(ALICE);
    world.run(SHORTLY);
    assert_eq!(take_told(&mut world, ALICE), ["welcome back"]);
}

#[test]
fn a_password_that_is_being_judged_lets_nobody_in_who_was_banned_meanwhile() {
    let mut world = online();
    let device = world.device(ALICE, "alice elsewhere");
    world.network.intercept(|letter| letter.has(|frame| matches!(frame, Frame::Login(_))));
    world.register(device);
    let login = world.intercepted();
    world.deliver(&login);
    // Judging takes longer than that.
    world.run(SECOND / 100);
    world.operate(world.nodes[ALICE].nick(), Operation::Ban);
    world.run(6 * SHORTLY);
    for who in [ALICE, device] {
        assert_eq!(status(&mut world, who), Status::Offline);
    }
    assert_eq!(take_told(&mut world, device).last().unwrap(), "RegisterRefused(Banned)");
}

#[test]
fn after_a_reset_whoever_comes_first_sets_the_password() {
    let mut world = online();
    world.deregister(ALICE);
    world.operate(world.nodes[ALICE].nick(), Operation::Reset);
    world.run(SHORTLY);
    let device = world.device(ALICE, "alice elsewhere");
    world.nodes[device].user.types(vec!["another password".into()]);
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(take_told(&mut world, device), ["a password: New", "welcome back"]);
    // The one from before is none any more.
    take_told(&mut world, ALICE);
    world.register(ALICE);
    world.run(SHORTLY);
    let told = take_told(&mut world, ALICE);
    assert_eq!(told, ["a password: Known", "a password: Wrong"]);
}

/// A world from a seed: alice changes between two devices while bob and carol write to her
/// and she to them, on a bad network, with crashes on all sides.
fn restless(seed: u64) {
    let mut dice = Dice::new(seed);
    let faults = Faults {
        loss: dice.below(300) as u32,
        duplicates: dice.below(300) as u32,
        delay: 1_000 + dice.below(SECOND),
        slow_store: dice.chance(500),
        failing_store: dice.chance(300),
        tiny: dice.chance(300),
        stale_seed: dice.chance(300),
        sloppy: dice.chance(300),
        ..Faults::none()
    };
    let setup = Setup {
        seed,
        faults,
        nicks: ["alice", "bob", "carol"].map(String::from).into(),
        real: false,
        logins: Logins::Password,
        telling: Telling::Kept,
    };
    let mut life = Life::new(&setup, &[]);
    let world = &mut life.world;
    let device = world.device(ALICE, "alice elsewhere");
    let people = [ALICE, BOB, 3, device];
    for who in [BOB, 3, ALICE] {
        world.register(who);
    }
    for number in 0..60 {
        life.run(dice.below(4 * SECOND));
        let world = &mut life.world;
        let who = people[dice.index(people.len())];
        match dice.below(14) {
            0 | 1 => world.deregister(ALICE),
            2 | 3 => world.deregister(device),
            4 => world.register(ALICE),
            5 => world.register(device),
            6 => {
                world.crash(who);
                world.boot(who);
            }
            7 => {
                world.crash(SERVER);
                world.boot(SERVER);
            }
            _ => {
                let to = ["alice", "bob", "carol"][dice.index(3)];
                // Who is offline says nothing.
                let _ = world.say(who, Nick::new(to).expect("a nick"), format!("{number} to {to}"));
            }
        }
    }
    let world = &mut life.world;
    world.heal();
    let (stays, leaves) = if dice.chance(500) { (ALICE, device) } else { (device, ALICE) };
    world.deregister(leaves);
    world.run(60 * SECOND);
    // The one that is left keeps what it has; the other comes once more to be rid of its own.
    for who in [leaves, stays] {
        for _ in 0..6 {
            for person in [BOB, 3, who] {
                world.register(person);
            }
            world.run(120 * SECOND);
        }
        let open = world.nodes[who].client().expect("the client runs").open_messages();
        // What one device left with the server is delivered; that it was, is told to the device
        // that is her author by then.
        assert_eq!(open.unsaved, 0, "seed {seed}: at {}", world.name(who));
        if who == leaves {
            world.deregister(leaves);
            world.run(10 * SECOND);
        }
    }
    for who in [BOB, 3] {
        let open = world.nodes[who].client().expect("the client runs").open_messages();
        assert_eq!((open.unsaved, open.stored), (0, false), "seed {seed}: at {}", world.name(who));
    }
}

#[test]
fn two_restless_devices_lose_nothing_on_a_bad_network() {
    let worlds = std::env::var("UDPCHAT_WORLDS").ok().and_then(|text| text.parse().ok());
    for seed in runner::first()..worlds.unwrap_or(200) {
        if let Err(panic) = std::panic::catch_unwind(|| restless(seed)) {
            eprintln!("seed {seed}:");
            for line in last_lines() {
                eprintln!("{line}");
            }
            std::panic::resume_unwind(panic);
        }
    }
}

/// One key asks for two nicks, from two addresses at once: it gets one of them, also in the store.
#[test]
fn a_key_has_one_nick_however_many_it_asks_for_at_once() {
    let mut world = world(Logins::Password);
    world.nodes[SERVER].judging = 5 * SECOND;
    let twin = world.twin(ALICE, "alice, who would be carol too");
    world.crash(twin);
    if let Kind::Client(config) = &mut world.nodes[twin].plan.kind {
        config.nick = Nick::new("carol").expect("a nick");
    }
    world.boot(twin);
    world.run(SHORTLY);
    world.register(ALICE);
    world.register(twin);
    world.run(3 * SHORTLY);
    let refused = [ALICE, twin].map(|who| world.nodes[who].user.refused());
    let one = [None, Some(RegisterRefusal::OtherNick)];
    assert!(refused == one || refused == [one[1], one[0]], "{refused:?}");
    let accounts = |world: &mut World| {
        let mut accounts = Vec::new();
        let server = world.nodes[SERVER].server().expect("it runs");
        server.for_each_account(|view| accounts.push((view.nick, view.key)));
        accounts
    };
    let before = accounts(&mut world);
    assert_eq!(before.len(), 1);
    world.crash(SERVER);
    world.boot(SERVER);
    world.run(SHORTLY);
    assert_eq!(accounts(&mut world), before);
}

/// Someone with a network of addresses has a password judged from each of them, at a judge who is
/// slow: who comes from elsewhere has a turn all the same.
#[test]
fn many_addresses_of_one_network_do_not_hold_the_judge() {
    for seed in 1..=8 {
        one_network_besets_the_judge(seed);
    }
}

fn one_network_besets_the_judge(seed: u64) {
    let thieves = 3..43;
    let nicks = (1..43).map(|at| if at == 1 { "alice".into() } else { format!("someone{at}") });
    let mut world = World::new(&Setup {
        seed,
        faults: Faults::none(),
        nicks: nicks.collect(),
        real: false,
        logins: Logins::Password,
        telling: Telling::Kept,
    });
    world.register(ALICE);
    world.run(SHORTLY);
    world.nodes[SERVER].judging = 5 * SECOND;
    for thief in thieves.clone() {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 7, thief as u16, 0, 0, 0, 1);
        world.network.move_to(thief, SocketAddr::new(address.into(), 30_000));
        world.register(thief);
    }
    world.run(3 * SECOND);
    let device = world.device(ALICE, "alice elsewhere");
    world.register(device);
    world.run(14 * SECOND);
    let there = thieves.filter(|who| status(&mut world, *who) == Status::Online).count();
    assert_eq!(
        status(&mut world, device),
        Status::Online,
        "seed {seed}, {there} of the others are there"
    );
}

fn change_password(world: &mut World, who: Place, old: &str, new: &str) {
    world.input(who, Input::ChangePassword(old.into(), new.into()));
}

fn endorse(world: &mut World, who: Place, device: Place) {
    let key = world.nodes[device].key();
    world.input(who, Input::Endorse(key));
}

/// The finding: a guesser who tries as each window opens leaves none to the owner's new device.
/// What the device's owner can do about it: a device that is there vouches for the new one.
#[test]
fn a_guesser_holds_up_a_new_device_until_the_accounts_key_vouches_for_it() {
    let mut world = online();
    let thieves: Vec<_> = (0..8)
        .map(|at| {
            let thief = world.device(ALICE, &format!("thief {at}"));
            let guesses = (0..200).map(|guess| format!("guess {at}/{guess}"));
            world.nodes[thief].user.types(guesses.collect());
            world.register(thief);
            thief
        })
        .collect();
    world.run(600 * SECOND);
    let device = world.device(ALICE, "alice elsewhere");
    world.register(device);
    world.run(600 * SECOND);
    assert_eq!(status(&mut world, device), Status::Registering, "there was no window for it");
    // Her first device is still there.
    assert_eq!(status(&mut world, ALICE), Status::Online);
    endorse(&mut world, ALICE, device);
    world.run(20 * SECOND);
    assert_eq!(status(&mut world, device), Status::Online);
    assert!(thieves.iter().all(|who| status(&mut world, *who) != Status::Online));
}

/// Whoever is vouched for has to know the password all the same, and waits for its own slips only.
#[test]
fn a_device_that_is_vouched_for_waits_for_its_own_slips() {
    let mut world = online();
    let device = world.device(ALICE, "alice elsewhere");
    let slips = ["a slip", "another", "a third", "the password of alice"];
    world.nodes[device].user.types(slips.map(String::from).into());
    endorse(&mut world, ALICE, device);
    world.run(SECOND);
    let told = take_told(&mut world, ALICE);
    assert!(told.len() == 1 && told[0].contains("Endorsement"), "{told:?}");
    world.register(device);
    world.run(6 * SHORTLY);
    let wrong = |told: &simulation::user::Told| match told.event {
        Event::PasswordWanted { why: PasswordWant::Wrong, wait } => Some(wait.as_secs()),
        _ => None,
    };
    let waits: Vec<_> = world.nodes[device].user.told().iter().filter_map(wrong).collect();
    assert_eq!((waits, status(&mut world, device)), (vec![1, 2, 4], Status::Online));
}

/// What a user was told of a request about the account.
fn changes(world: &mut World, who: Place) -> Vec<Result<(), AccountRefusal>> {
    let told = world.nodes[who].user.take_told();
    let change = |event| match event {
        Event::AccountResponse { change: AccountChange::Password, result } => Some(result),
        _ => None,
    };
    told.into_iter().filter_map(|told| change(told.event)).collect()
}

#[test]
fn a_password_is_changed_with_the_old_one_and_wrong_ones_cost_time() {
    let mut world = online();
    let wrong = |wait| Err(AccountRefusal::Wrong { wait });
    change_password(&mut world, ALICE, "a guess", "the password of mallory");
    world.run(SECOND / 2);
    assert_eq!(changes(&mut world, ALICE), [wrong(1000)]);
    change_password(&mut world, ALICE, "another guess", "the password of mallory");
    world.run(SHORTLY);
    assert_eq!(changes(&mut world, ALICE), [wrong(2000)], "it was looked at a little later");
    change_password(&mut world, ALICE, "the password of alice", "new");
    world.run(SHORTLY);
    assert_eq!(changes(&mut world, ALICE), [Ok(())]);
    world.crash(SERVER);
    world.boot(SERVER);
    world.run(6 * SHORTLY);
    let device = world.device(ALICE, "alice elsewhere");
    world.nodes[device].user.types(vec!["the password of alice".into(), "new".into()]);
    world.register(device);
    world.run(SHORTLY);
    assert_eq!(world.nodes[device].user.wrong(), 1, "the old one counts no more");
    assert_eq!(status(&mut world, device), Status::Online);
}

/// The answer is lost, and the server crashes, at some time while a password is changed: it is the
/// one or the other, and whoever asked for it hears that it is done.
#[test]
fn a_password_is_the_old_or_the_new_one_wherever_the_server_crashes() {
    for at in 0..40 {
        let mut world = online();
        change_password(&mut world, BOB, "the password of bob", "new");
        world.run(at * 2_000);
        part(&mut world, SERVER, BOB, 3 * SECOND);
        world.run(if at % 2 == 0 { 2 * SECOND } else { 5_000 });
        world.crash(SERVER);
        world.boot(SERVER);
        world.run(12 * SHORTLY);
        assert_eq!(changes(&mut world, BOB), [Ok(())], "a crash after {} ms", at * 2);
        let device = world.device(BOB, "bob elsewhere");
        world.nodes[device].user.types(vec!["new".into()]);
        world.register(device);
        world.run(SHORTLY);
        assert_eq!(status(&mut world, device), Status::Online, "a crash after {} ms", at * 2);
    }
}

#[test]
fn without_passwords_there_is_none_to_change() {
    let mut world = world(Logins::Open);
    world.register(ALICE);
    world.run(SHORTLY);
    change_password(&mut world, ALICE, "old", "new");
    world.run(SHORTLY);
    assert_eq!(changes(&mut world, ALICE), [Err(AccountRefusal::NoPassword)]);
}

/// Whoever wants a nick that looks like another's has to choose another; so with rooms.
#[test]
fn nicks_and_rooms_that_look_alike_are_given_once() {
    let room = |name| RoomAction::Create(RoomName::new(name).expect("a room name"));
    for logins in [Logins::Open, Logins::Password] {
        let mut world = World::new(&Setup {
            seed: 1,
            faults: Faults::none(),
            nicks: ["paul", "bob", "PAU1", "b0b", "rob"].map(String::from).into(),
            real: false,
            logins,
            telling: Telling::Kept,
        });
        for who in 1..=5 {
            world.register(who);
            world.run(SHORTLY);
        }
        let refused: Vec<_> = (1..=5).map(|who| world.nodes[who].user.refused()).collect();
        let alike = Some(RegisterRefusal::Lookalike);
        assert_eq!(refused, [None, None, alike, alike, None]);
        world.request(ALICE, room("Oslo"));
        world.run(SHORTLY);
        world.request(BOB, room("0s1o"));
        world.run(SHORTLY);
        let told = world.nodes[BOB].user.told().last().expect("an answer").event;
        let (action, result) = (room("0s1o"), Err(RoomRefusal::Lookalike));
        assert_eq!(told, Event::RoomResponse { action, result });
        // Once it is free, it can be had.
        world.operate(Nick::new("paul").expect("a nick"), Operation::Remove);
        world.run(SHORTLY);
        world.register(3);
        world.run(SHORTLY);
        assert_eq!(status(&mut world, 3), Status::Online);
    }
}
