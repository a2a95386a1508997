//! Worlds by the thousand. `UDPCHAT_WORLDS` says how many, `UDPCHAT_SEED` which one to replay.

use std::env;

use simulation::{
    counts::Counts,
    runner::{self, Kind, Seed},
    trace::Telling,
};

/// At least so much of everything happened, for each thousand worlds.
fn above_floors(counts: &Counts, floors: &[(&str, u64, u64)]) {
    println!("{counts}");
    for (name, count, floor) in floors {
        let floor = floor * counts.worlds / 1_000;
        assert!(*count >= floor, "only {count} {name} in {} worlds", counts.worlds);
    }
}

#[test]
fn lossy_worlds_lose_nothing() {
    let counts = runner::live_through(Kind::Lossy, runner::worlds());
    above_floors(
        &counts,
        &[
            ("handshakes", counts.handshakes, 4_000),
            ("direct deliveries", counts.direct, 600),
            ("deliveries by the server", counts.by_server, 3_000),
            ("submissions", counts.submissions, 3_000),
            ("relays", counts.relays, 1_500),
            ("stored messages", counts.stored, 2_000),
            ("entries in rooms", counts.entries, 1_500),
            ("entries read by members", counts.read, 5_000),
            ("rekeys", counts.rekeys, 20_000),
        ],
    );
}

#[test]
fn worlds_of_all_kinds_keep_the_laws() {
    let counts = runner::live_through(Kind::Varied, runner::worlds() / 2);
    above_floors(
        &counts,
        &[
            ("handshakes", counts.handshakes, 4_000),
            ("direct deliveries", counts.direct, 500),
            ("submissions", counts.submissions, 2_000),
            ("relays", counts.relays, 300),
            ("stored messages", counts.stored, 1_000),
            ("entries in rooms", counts.entries, 1_000),
            ("entries read by members", counts.read, 3_000),
            ("entries recalled from the store", counts.recalled, 200),
            ("gaps in rooms", counts.gaps, 40),
            ("crashes", counts.crashes, 500),
            ("store failures", counts.store_failures, 500),
            ("rekeys", counts.rekeys, 10_000),
            ("forgeries", counts.forgeries, 5_000),
        ],
    );
}

#[test]
fn stores_that_go_back_leave_nothing_untrue() {
    let counts = runner::live_through(Kind::Restored, runner::worlds() * 2 / 5);
    above_floors(
        &counts,
        &[
            ("stores put back", counts.restores, 1_000),
            ("stores begun anew", counts.wipes, 100),
            ("copies", counts.copies, 100),
            ("direct deliveries", counts.direct, 500),
            ("stored messages", counts.stored, 1_000),
            ("entries in rooms", counts.entries, 1_000),
            ("entries read by members", counts.read, 3_000),
        ],
    );
}

#[test]
fn greedy_people_stop_nobody() {
    let counts = runner::live_through(Kind::Greedy, runner::worlds() / 25);
    above_floors(
        &counts,
        &[
            ("greedy people", counts.greedy, 10_000),
            ("times that the honest got past them", counts.passed, 15_000),
            ("accounts removed", counts.removed, 500),
            ("accounts in the places of those", counts.reused, 20),
        ],
    );
}

#[test]
fn dishonest_servers_and_people_fool_nobody() {
    let counts = runner::live_through(Kind::Dishonest, runner::worlds() / 4);
    // Tried, and of consequence; a world in five has no liar.
    let tried = counts.tried.each().map(|(name, count)| (name, count, 200));
    let floors = [
        ("key changes told", counts.key_changes, 400),
        ("key changes believed", counts.believed, 80),
        ("messages of strangers", counts.strangers, 90),
        ("gaps told", counts.missing, 200),
        ("unconfirmed messages", counts.unconfirmed, 120),
        ("unreadable mail", counts.unreadable, 400),
        ("sessions broken off", counts.broken, 350),
        ("submissions that a liar could open", counts.opened, 1_000),
        ("expired messages", counts.expired, 30),
        ("refused messages", counts.refused, 300),
        ("forgeries without keys", counts.forgeries, 5_000),
    ];
    above_floors(&counts, &tried.chain(floors).collect::<Vec<_>>());
}

#[test]
fn a_seed_decides_everything() {
    for number in 0..5 {
        for kind in [Kind::Lossy, Kind::Varied, Kind::Restored, Kind::Greedy, Kind::Dishonest] {
            let seed = Seed { kind, number };
            let once = runner::live(seed, Telling::Silent);
            assert_eq!(once, runner::live(seed, Telling::Kept), "world {seed}");
        }
    }
}

/// One world, told line by line.
#[test]
fn replay() {
    let Ok(seed) = env::var("UDPCHAT_SEED") else { return };
    let seed: Seed = seed.parse().unwrap();
    let (setup, steps) = runner::draw(seed);
    println!("{setup:#?}\n{steps:?}");
    let (counts, _) = runner::live(seed, Telling::Printed);
    println!("{counts}");
}

/// All broken laws among `UDPCHAT_WORLDS` worlds of each kind, or of the kind of `UDPCHAT_SEED`,
/// for whoever mends things.
#[test]
#[ignore = "a tool, not a test"]
fn survey() {
    let seed = env::var("UDPCHAT_SEED").ok().map(|seed| seed.parse::<Seed>().unwrap());
    for kind in [Kind::Lossy, Kind::Varied, Kind::Restored, Kind::Greedy, Kind::Dishonest] {
        if seed.is_none_or(|seed| seed.kind == kind) {
            runner::survey(kind, runner::worlds());
        }
    }
}
