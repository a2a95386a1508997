//! Every story, with each single thing in it that may go wrong. `UDPCHAT_SWEEP` says which
//! telling to replay.

use std::env;

use simulation::sweep::{self, Kind};

#[test]
fn a_datagram_that_is_lost_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Lost]));
}

#[test]
fn a_datagram_that_comes_twice_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Doubled, Kind::Again]));
}

#[test]
fn a_datagram_that_is_late_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Overtaken, Kind::Late]));
}

#[test]
fn a_crash_at_any_change_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::CrashBefore, Kind::CrashAfter]));
}

#[test]
fn a_store_that_fails_once_makes_no_difference() {
    println!("{} tellings", sweep::sweep(&[Kind::Failed]));
}

/// One telling, line by line.
#[test]
fn replay() {
    if let Ok(name) = env::var("UDPCHAT_SWEEP") {
        sweep::replay(name.parse().unwrap());
    }
}

#[test]
fn each_baseline() {
    for story in simulation::stories::STORIES {
        for kind in ["lost", "crash-before", "failed"] {
            let name = format!("{}:{kind}:99999", story.name).parse().unwrap();
            if let Err(why) = sweep::try_one(name) {
                println!("{} {kind}: {why}", story.name);
            }
        }
    }
}
