//! Worlds and scripts that proptest draws, and makes as small as it can when one
//! breaks a law. `UDPCHAT_CASES` says how many, `UDPCHAT_DRAW` which ones.

use std::{cell::Cell, env};

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestError, TestRunner},
};
use proto_core::server::Logins;
use simulation::{
    clock::SECOND,
    counts::Counts,
    faults::Faults,
    runner,
    script::{Act, Step},
    setup::Setup,
    trace::{Telling, last_lines},
};

/// A number from the environment.
fn setting<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Half of the time nothing, else something up to `most`.
fn some(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..=most]
}

fn faults() -> impl Strategy<Value = Faults> {
    let numbers = (some(300), some(500), some(100), some(2 * SECOND));
    (numbers, any::<[bool; 21]>()).prop_map(|((loss, duplicates, damage, delay), on)| {
        let [bursts, replays, narrow, partitions, rebinding, drift, jumps, pauses, crashes, ..] =
            on;
        let [
            ..,
            torn,
            stale_seed,
            slow_store,
            failing_store,
            full_store,
            attacker,
            sloppy,
            hoards,
            tiny,
            expiry,
            brief,
            rekeys,
        ] = on;
        Faults {
            loss: loss as u32,
            even_loss: false,
            steady: false,
            bursts,
            delay: 1_000 + delay,
            duplicates: duplicates as u32,
            replays,
            damage: damage as u32,
            narrow,
            partitions,
            rebinding,
            drift,
            jumps,
            pauses,
            crashes,
            torn,
            stale_seed,
            slow_store,
            failing_store,
            full_store,
            attacker,
            sloppy,
            hoards,
            tiny,
            expiry,
            brief,
            rekeys,
            restores: false,
            dishonest: false,
        }
    })
}

fn act() -> impl Strategy<Value = Act> {
    let who = || 0..5_u8;
    let size = || prop_oneof![9 => 0..120_u16, 1 => 0..16_000_u16];
    // Odd ones are rooms that are to be created, the even ones the lobby.
    let anywhere = || 0..6_u8;
    let room = || (0..3_u8).prop_map(|at| 2 * at + 1);
    prop_oneof![
        10 => (who(), who(), size()).prop_map(|(who, to, size)| Act::Say(who, to, size)),
        8 => (who(), anywhere(), size()).prop_map(|(who, room, size)| Act::SayIn(who, room, size)),
        1 => (who(), room()).prop_map(|(who, room)| Act::Create(who, room)),
        3 => (who(), room()).prop_map(|(who, room)| Act::Join(who, room)),
        1 => (who(), room()).prop_map(|(who, room)| Act::Leave(who, room)),
        1 => (who(), anywhere()).prop_map(|(who, room)| Act::List(who, room)),
        1 => (who(), any::<bool>()).prop_map(|(who, away)| Act::Away(who, away)),
        3 => who().prop_map(Act::Register),
        3 => who().prop_map(Act::Deregister),
        1 => who().prop_map(Act::Quit),
        1 => who().prop_map(Act::Crash),
        2 => who().prop_map(Act::Restart),
        1 => Just(Act::CrashServer),
        2 => Just(Act::RestartServer),
        1 => who().prop_map(Act::CutOff),
        1 => Just(Act::Heal),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let after =
        prop_oneof![11 => 0..100_u32, 7 => 0..1_500_u32, 4 => 0..15_000_u32, 1 => 0..180_000_u32];
    (act(), after).prop_map(|(act, after)| Step { after, act })
}

/// A world, whether its nick is wanted twice, and what its users do.
fn life() -> impl Strategy<Value = (Setup, Vec<Step>)> {
    let setup = (any::<u64>(), faults(), 2..=5_usize, prop::bool::weighted(0.2));
    let setup = setup.prop_map(|(seed, faults, clients, twice)| {
        let names = ["alice", "bob", "carol", "dave", "erin"];
        let mut nicks: Vec<_> = names.into_iter().take(clients).map(String::from).collect();
        if twice {
            nicks[clients - 1] = "ALICE".into();
        }
        Setup { seed, faults, nicks, real: false, logins: Logins::Open, telling: Telling::Silent }
    });
    (setup, prop::collection::vec(step(), 0..60)).prop_map(|(setup, steps)| {
        let online =
            (0..setup.nicks.len() as u8).map(|who| Step { after: 100, act: Act::Register(who) });
        let steps = online.chain(steps).collect();
        (setup, steps)
    })
}

#[test]
fn drawn_worlds_keep_the_laws() {
    let (cases, draw) = (setting("UDPCHAT_CASES", 64), setting("UDPCHAT_DRAW", 0));
    let mut runner = TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(draw),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 60_000,
        ..Config::default()
    });
    let total = Cell::new(Counts::default());
    let lived = runner.run(&life(), |(setup, steps)| {
        let counts = runner::attempt_life(&setup, &steps, false).map_err(TestCaseError::fail)?;
        let mut sum = total.get();
        sum += counts;
        total.set(sum);
        Ok(())
    });
    match lived {
        Ok(()) => println!("{}", total.get()),
        Err(TestError::Fail(why, (setup, steps))) => {
            let setup = Setup { telling: Telling::Kept, ..setup };
            let _ = runner::attempt_life(&setup, &steps, false);
            let lines = last_lines().join("\n");
            panic!(
                "{lines}\n\n{why}\nin {setup:#?}\n{steps:?}\nagain with\n    UDPCHAT_DRAW={draw} \
                 UDPCHAT_CASES={cases} cargo test -p simulation --test scripts\n"
            );
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
