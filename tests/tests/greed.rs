//! What people with keys can do to others by taking what they can get: with real datagrams, one
//! test for each way that was found.

use proto_core::{
    client::{Event, To, Verdict},
    id::{Nick, RoomName},
    server::{self, Operation},
    wire::{RoomAction, RoomRefusal},
};
use simulation::{
    clock::{Moment, SECOND},
    greedy::Behaviour,
    memory::Room,
    place::{Place, SERVER},
    siege::{Siege, Way},
};

const ALICE: Place = 1;
const BOB: Place = 2;

/// Honest people get through, each way, and so does someone new.
fn all_get_through(siege: &mut Siege) {
    let mut broken = Vec::new();
    for way in Way::ALL {
        match siege.passes(way) {
            Ok(took) => println!("{way:?}: {} ms", took / 1000),
            Err(why) => broken.push(why),
        }
    }
    match siege.newcomer() {
        Ok(took) => println!("a newcomer: {} ms", took / 1000),
        Err(why) => broken.push(why),
    }
    println!("{:?}", siege.usage());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn beset(behaviour: Behaviour, count: usize, span: Moment) -> (Siege, Vec<usize>) {
    let mut siege = Siege::of_default_size();
    let who = siege.beset(behaviour, count);
    siege.run(span);
    (siege, who)
}

fn closed(siege: &Siege, who: &[usize]) -> u64 {
    who.iter().map(|who| siege.world.tally(*who).closed).sum()
}

/// The links that the server has.
fn links(siege: &mut Siege) -> usize {
    siege.world.nodes[SERVER].server().expect("it runs").statistics().links.used
}

#[test]
fn those_who_do_nothing_of_the_kind_are_in_nobodys_way() {
    let (mut siege, who) = beset(Behaviour::Polite, 100, 20 * SECOND);
    all_get_through(&mut siege);
    assert!(who.iter().all(|who| siege.world.tally(*who).registered == 1));
    assert_eq!(closed(&siege, &who), 0);
}

// ---- 1: credit

#[test]
fn a_server_closes_who_oversteps_its_credit() {
    let (mut siege, who) = beset(Behaviour::Oversteps, 1, 3 * SECOND);
    println!("{:?}, closed {}", siege.usage(), closed(&siege, &who));
    all_get_through(&mut siege);
    assert!(closed(&siege, &who) > 0, "nobody closes who oversteps");
}

#[test]
fn a_client_closes_who_oversteps_its_credit() {
    let (mut siege, who) = beset(Behaviour::OverstepsAtPeers, 1, 5 * SECOND);
    println!(
        "closed {}, {:?}",
        closed(&siege, &who),
        siege.world.nodes[BOB].client().unwrap().usage()
    );
    all_get_through(&mut siege);
    assert!(closed(&siege, &who) > 0, "nobody closes who oversteps");
}

#[test]
fn what_others_begin_leaves_room_for_what_a_user_says() {
    let mut siege = Siege::with_sizes(Room::DEFAULT_SERVER, |client| {
        (client.messages, client.blocks) = (12, 280);
    });
    siege.beset(Behaviour::OverstepsAtPeers, 8);
    siege.run(10 * SECOND);
    println!("{:?}", siege.world.nodes[ALICE].client().unwrap().usage());
    all_get_through(&mut siege);
}

#[test]
fn what_is_begun_and_not_ended_is_gone_after_a_while() {
    let mut siege = Siege::of_default_size();
    siege.beset(Behaviour::NeverEnds, 1);
    // It is begun anew once it is gone: what counts is how long it is kept at a stretch.
    let (mut stretch, mut longest) = (0, 0);
    for _ in 0..120 {
        siege.run(SECOND);
        let usage = siege.usage();
        stretch = if usage.entries.0 > usage.recent.0 { stretch + 1 } else { 0 };
        longest = longest.max(stretch);
    }
    all_get_through(&mut siege);
    assert!((29..=31).contains(&longest), "it is kept for {longest} s");
}

// ---- 2: what is full looks like loss

#[test]
fn what_many_begin_and_never_end_stops_nobody() {
    let (mut siege, _) = beset(Behaviour::NeverEnds, 40, 10 * SECOND);
    println!("{:?}", siege.usage());
    all_get_through(&mut siege);
}

/// How long it takes to get so many messages to someone, all said at once.
fn burst(way: Way, count: usize) -> Moment {
    let mut siege = Siege::in_order(Room::DEFAULT_SERVER, |room| {
        *room = Room { people: 64, messages: 2_048, ..Room::DEFAULT_CLIENT };
    });
    let to = match way {
        Way::Stored => siege.world.nodes[3].nick(),
        _ => siege.world.nodes[BOB].nick(),
    };
    siege.world.nodes[ALICE].user.take_told();
    let begun = siege.world.now();
    for at in 0..count {
        let said = siege.world.say(ALICE, to, format!("{at} {}", "la ".repeat(30)));
        said.expect("the client runs").expect("it takes the text");
    }
    let mut done = 0;
    while done < count {
        siege.run(SECOND / 1000);
        let told = siege.world.nodes[ALICE].user.take_told();
        let last = told.iter().filter(|told| match told.event {
            Event::Verdict { verdict: Verdict::Delivered, .. } => way != Way::Stored,
            Event::Verdict { verdict: Verdict::Stored, .. } => way == Way::Stored,
            _ => false,
        });
        done += last.count();
        assert!(siege.world.now() < begun + 60 * SECOND, "{done} of {count} after a minute");
    }
    siege.world.now() - begun
}

/// Messages a second never fall as more of them are under way.
fn never_falls(way: Way) {
    let rate = |count: usize| count as u64 * SECOND / burst(way, count);
    let rates = [16, 64, 256, 1_024].map(rate);
    println!("{way:?}: {rates:?} a second with 16, 64, 256 and 1,024 under way");
    assert!(rates.is_sorted_by(|less, more| *more >= less / 10 * 9), "it falls: {rates:?}");
}

#[test]
fn more_direct_messages_are_no_slower() {
    never_falls(Way::Direct);
}

#[test]
fn more_stored_messages_are_no_slower() {
    never_falls(Way::Stored);
}

// ---- 3: refusals

#[test]
fn refusals_that_nobody_acknowledges_stop_nobody() {
    let behaviour = Behaviour::SubmitsToNobody { a_second: 200, acknowledges: false };
    let (mut siege, who) = beset(behaviour, 1, 10 * SECOND);
    println!("{:?}, {:?}", siege.usage(), siege.world.tally(who[0]));
    all_get_through(&mut siege);
}

#[test]
fn refusals_that_are_acknowledged_stop_nobody() {
    let behaviour = Behaviour::SubmitsToNobody { a_second: 2_000, acknowledges: true };
    let (mut siege, _) = beset(behaviour, 1, 10 * SECOND);
    all_get_through(&mut siege);
}

// ---- 4: those who never acknowledge

#[test]
fn those_who_never_acknowledge_stop_nobody() {
    let (mut siege, _) = beset(Behaviour::NeverAcknowledges, 100, 30 * SECOND);
    all_get_through(&mut siege);
}

#[test]
fn who_never_acknowledges_is_closed() {
    let mut siege = Siege::of_default_size();
    let honest = links(&mut siege);
    siege.beset(Behaviour::NeverAcknowledges, 3);
    siege.run(25 * SECOND);
    assert_eq!(links(&mut siege), honest + 3, "they may take their time");
    // Without a word, as for silence: they go on with their Pings, to nobody.
    siege.run(15 * SECOND);
    assert_eq!(links(&mut siege), honest, "any packet resets the silence");
}

// ---- 5: handshakes

#[test]
fn sessions_that_were_closed_lock_nobody_out() {
    let behaviour = Behaviour::OpensSessions { a_second: 200 };
    let (mut siege, who) = beset(behaviour, 1, 20 * SECOND);
    println!("{:?}, {:?}", siege.usage(), siege.world.tally(who[0]));
    all_get_through(&mut siege);
}

#[test]
fn handshakes_from_more_addresses_than_there_is_room_for_lock_nobody_out() {
    let server = Room { links: 24, ..Room::DEFAULT_SERVER };
    let mut siege = Siege::with_sizes(server, |_| {});
    siege.beset(Behaviour::RepeatsInits, 6);
    siege.run(10 * SECOND);
    all_get_through(&mut siege);
}

#[test]
fn sessions_that_never_register_lock_nobody_out() {
    let behaviour = Behaviour::HoldsSessions { count: 1_100 };
    let (mut siege, who) = beset(behaviour, 1, 30 * SECOND);
    println!("{:?}, {:?}", siege.usage(), siege.world.tally(who[0]));
    all_get_through(&mut siege);
}

// ---- 6: nicks and rooms

#[test]
fn nicks_of_those_who_were_removed_are_used_again() {
    let mut siege = Siege::with_sizes(Room { people: 64, ..Room::DEFAULT_SERVER }, |_| {});
    siege.beset(Behaviour::SquatsNicks, 1);
    siege.run(10 * SECOND);
    siege.world.relieve();
    siege.run(70 * SECOND);
    println!("{:?}", siege.usage());
    let mut squatted = Vec::<Nick>::new();
    siege.world.nodes[SERVER].server().unwrap().for_each_account(|account| {
        if account.nick.as_str().starts_with("greedy") {
            squatted.push(account.nick);
        }
    });
    for nick in squatted.into_iter().take(5) {
        siege.world.operate(nick, Operation::Remove);
        siege.run(SECOND);
    }
    siege.newcomer().unwrap();
}

#[test]
fn nobody_takes_all_nicks() {
    let mut siege = Siege::with_sizes(Room { people: 1_000, ..Room::DEFAULT_SERVER }, |_| {});
    siege.beset(Behaviour::SquatsNicks, 1);
    siege.run(20 * SECOND);
    println!("{:?}", siege.usage());
    all_get_through(&mut siege);
}

#[test]
fn nobody_takes_all_rooms() {
    let (mut siege, _) = beset(Behaviour::SquatsRooms, 1, 25 * SECOND);
    println!("{:?}", siege.usage());
    let name = RoomName::new("den").unwrap();
    siege.world.nodes[ALICE].user.take_told();
    siege.world.request(ALICE, RoomAction::Create(name));
    siege.run(3 * SECOND);
    let told = siege.world.nodes[ALICE].user.take_told();
    let full =
        |event| matches!(event, Event::RoomResponse { result: Err(RoomRefusal::ServerFull), .. });
    assert!(!told.iter().any(|told| full(told.event)), "there is no room for another room");
}

// ---- 7: what one account makes a server send to others

/// What one account makes a server send to so many others each second, in bytes.
fn sent_to_others(behaviour: Behaviour, others: usize) -> u64 {
    let mut siege = Siege::of_default_size();
    siege.beset(Behaviour::Polite, others);
    siege.run(10 * SECOND);
    let quiet = siege.world.network.bytes(SERVER);
    siege.run(SPAN * SECOND);
    let quiet = siege.world.network.bytes(SERVER) - quiet;
    let who = siege.beset(behaviour, 1)[0];
    siege.run(2 * SECOND);
    let (before, own) = (siege.world.network.bytes(SERVER), siege.world.tally(who));
    siege.run(SPAN * SECOND);
    let (after, now) = (siege.world.network.bytes(SERVER), siege.world.tally(who));
    let caused = (after - before).saturating_sub(quiet + now.came - own.came) / SPAN;
    let sent = (now.sent - own.sent) / SPAN;
    println!("{behaviour:?}: {sent} bytes a second make {caused} to {others} others");
    caused
}

/// How many seconds it is looked at.
const SPAN: u64 = 5;

/// The most that one account may make a server send to 150 others, in bytes a second.
const BOUND: u64 = 64_000;

#[test]
fn who_is_away_and_back_all_the_time_is_told_of_now_and_then() {
    let caused = sent_to_others(Behaviour::AwayAndBack, 150);
    assert!(caused <= BOUND, "{caused} bytes a second");
}

#[test]
fn who_comes_and_goes_all_the_time_is_told_of_now_and_then() {
    let caused = sent_to_others(Behaviour::ComesAndGoes, 150);
    assert!(caused <= BOUND, "{caused} bytes a second");
}

#[test]
fn a_flood_of_the_lobby_is_bounded() {
    let caused = sent_to_others(Behaviour::FloodsLobby, 30);
    assert!(caused <= 30 * BOUND, "{caused} bytes a second");
}

#[test]
fn a_flood_of_the_lobby_keeps_nobody_from_speaking_in_it() {
    let (mut siege, _) = beset(Behaviour::FloodsLobby, 2, 10 * SECOND);
    all_get_through(&mut siege);
}

/// More is said in the lobby at once than may be.
fn say_a_lot(siege: &mut Siege) -> Vec<String> {
    let lines: Vec<_> = (0..400).map(|at| format!("line {at} {}", "la ".repeat(60))).collect();
    for line in &lines {
        let said = siege.world.say(ALICE, To::Lobby, line.clone());
        said.expect("the client runs").expect("it takes the text");
        siege.run(SECOND / 1000);
    }
    lines
}

#[test]
fn who_says_a_lot_in_the_lobby_waits_and_is_heard() {
    let mut siege = Siege::of_default_size();
    let lines = say_a_lot(&mut siege);
    let (mut heard, mut stored) = (Vec::new(), 0);
    let begun = siege.world.now();
    while heard.len() < lines.len() || stored < lines.len() {
        siege.run(SECOND / 10);
        let told = siege.world.nodes[BOB].user.take_told().into_iter();
        heard.extend(told.filter(|told| !told.text.is_empty()).map(|told| told.text));
        for told in siege.world.nodes[ALICE].user.take_told() {
            if let Event::Verdict { to: To::Lobby, verdict, .. } = told.event {
                assert_eq!(verdict, Verdict::Stored);
                stored += 1;
            }
        }
        let took = siege.world.now() - begun;
        assert!(took < 60 * SECOND, "{} heard, {stored} stored", heard.len());
    }
    let took = siege.world.now() - begun;
    assert!(took > 10 * SECOND, "nothing had to wait");
    assert_eq!(heard, lines);
}

#[test]
fn what_else_is_said_does_not_wait_for_the_lobby() {
    let mut siege = Siege::of_default_size();
    say_a_lot(&mut siege);
    siege.run(5 * SECOND);
    for way in [Way::Direct, Way::Relayed, Way::Stored] {
        siege.passes(way).unwrap();
    }
}

// ---- 8: a full table of peers

#[test]
fn a_stranger_for_whom_there_is_no_row_holds_up_no_mail() {
    let mut siege = Siege::with_sizes(Room::DEFAULT_SERVER, |room| room.people = 8);
    siege.beset(Behaviour::Polite, 10);
    siege.run(5 * SECOND);
    siege.beset(Behaviour::WritesTo, 1);
    siege.run(5 * SECOND);
    all_get_through(&mut siege);
}

// ---- 9: copies and guesses

#[test]
fn a_copied_init_makes_no_more_than_it_is() {
    let (siege, who) = beset(Behaviour::RepeatsInits, 1, 10 * SECOND);
    let tally = siege.world.tally(who[0]);
    println!("{tally:?}: {:.1} times", tally.came as f64 / tally.sent as f64);
    assert!(tally.came <= 3 * tally.sent, "{tally:?}");
}

#[test]
fn who_acknowledges_what_never_came_is_closed() {
    let (siege, who) = beset(Behaviour::GuessesAcknowledgements, 1, 20 * SECOND);
    assert!(closed(&siege, &who) > 0, "{:?}", siege.world.tally(who[0]));
}

// ---- all at once

#[test]
fn all_at_once_stop_nobody() {
    let mut siege = Siege::of_default_size();
    siege.beset(Behaviour::OpensSessions { a_second: 1_000 }, 1);
    siege.beset(Behaviour::NeverAcknowledges, 100);
    siege.beset(Behaviour::SubmitsToNobody { a_second: 2_000, acknowledges: false }, 1);
    siege.beset(Behaviour::AwayAndBack, 1);
    siege.run(3 * SECOND);
    let before = siege.usage();
    siege.run(2 * SECOND);
    all_get_through(&mut siege);
    let after = siege.usage();
    let used = |usage: server::Usage| [usage.entries.0, usage.blocks.0];
    let flat = used(before).into_iter().zip(used(after)).all(|(was, is)| is <= was + was / 4 + 16);
    assert!(flat, "memory grows: {before:?}, then {after:?}");
}
