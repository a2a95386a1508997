//! Messages by way of the server in memory: passed on while the recipient is there, and handed over
//! when it comes.
//!
//! `cargo bench --bench relay`, in `peers/`

use std::time::Duration;

use peers::{BYTES, Cost, Pair, Selection, Way};

/// Messages that are under way at a time, and the number that others are compared with.
const UNDER_WAY: [usize; 5] = [1, 16, 17, 64, 256];
const REFERENCE: usize = 16;
/// Messages in one round.
const MESSAGES: u64 = 2_000;
/// Rounds, of which the best counts.
const ROUNDS: usize = 5;
/// How long a commit of a store takes, where it does.
const COMMIT: Duration = Duration::from_millis(1);

fn main() {
    let Some(selection) = Selection::of_arguments() else { return };
    println!(
        "messages of {BYTES} bytes by way of the server until their author knows that each is"
    );
    println!(
        "delivered, in memory, all sides on one thread; best of {ROUNDS} rounds of {MESSAGES}:"
    );
    for commit in [None, Some(COMMIT)] {
        println!();
        match commit {
            None => println!("all stores answer at once"),
            Some(commit) => println!("a commit of a store takes {commit:?}"),
        }
        println!("under way |   per s  of {REFERENCE}'s  ns CPU  server's  datagrams   ms¹");
        table(&selection, commit);
    }
    println!("¹ simulated milliseconds a message in which nobody had anything to do");
}

fn table(selection: &Selection, commit: Option<Duration>) {
    let mut pairs: Vec<_> = selection
        .levels(&UNDER_WAY)
        .into_iter()
        .map(|level| (level, Pair::new(Way::Server, commit), None))
        .collect();
    let (mut waiting, mut stored) = (Pair::new(Way::Server, commit), None);
    // In turn, so that whatever else the machine does falls on all of them.
    for _ in 0..ROUNDS {
        for (level, pair, best) in &mut pairs {
            *best = Some(Cost::best(*best, pair.say(MESSAGES, *level as u64)));
        }
        stored = Some(Cost::best(stored, waiting.leave(MESSAGES)));
    }
    let best = |(level, _, best): &(usize, Pair, Option<Cost>)| Some((level.to_string(), (*best)?));
    let rows: Vec<_> =
        pairs.iter().filter_map(best).chain(stored.map(|cost| ("stored²".into(), cost))).collect();
    let reference = rows.iter().find(|(name, _)| *name == REFERENCE.to_string());
    let reference = reference.map_or(f64::NAN, |(_, cost)| cost.rate());
    for (name, cost) in &rows {
        println!(
            "{name:>9} | {:>7.0} {:>7.2}x {:>7.0} {:>9.0} {:>10.3} {:>5.2}",
            cost.rate(),
            cost.rate() / reference,
            cost.nanos(),
            cost.server_nanos(),
            cost.datagrams(),
            cost.waited()
        );
    }
    println!("² left while the recipient was offline, handed over when it comes");
}
