//! Direct messages in memory, beside QUIC with a stream for each.
//!
//! `cargo bench --bench direct`, in `peers/`

use peers::{BYTES, Cost, Pair, Selection, Streams, Way};

/// Messages that are under way at a time.
const UNDER_WAY: [usize; 5] = [1, 16, 64, 256, 1_024];
/// Messages in one round, and rounds, of which the best counts.
const MESSAGES: u64 = 10_000;
const ROUNDS: usize = 15;

fn main() {
    let Some(selection) = Selection::of_arguments() else { return };
    println!(
        "messages of {BYTES} bytes until their author has the receipt, in memory, both sides on one"
    );
    println!("thread; best of {ROUNDS} rounds of {MESSAGES}:");
    println!();
    println!("under |            udpchat              |          quinn-proto            |");
    println!("  way |   per s  ns CPU  datagrams  ms¹ |   per s  ns CPU  datagrams  ms¹ | ns / ns");
    let mut worlds: Vec<_> = selection
        .levels(&UNDER_WAY)
        .into_iter()
        .map(|level| {
            let peer = (!selection.is_alone()).then(|| (Streams::new(), None));
            (level, (Pair::new(Way::Direct, None), None), peer)
        })
        .collect();
    // In turn, so that whatever else the machine does falls on all of them.
    for _ in 0..ROUNDS {
        for (level, (pair, best), peer) in &mut worlds {
            let under_way = *level as u64;
            *best = Some(Cost::best(*best, pair.say(MESSAGES, under_way)));
            if let Some((streams, best)) = peer {
                *best = Some(Cost::best(*best, streams.say(MESSAGES, under_way)));
            }
        }
    }
    for (level, (_, ours), peer) in worlds {
        let Some(ours) = ours else { continue };
        print!("{level:>5} | {} |", columns(&ours));
        if let Some(theirs) = peer.and_then(|(_, best)| best) {
            print!(" {} | {:.2}x", columns(&theirs), ours.nanos() / theirs.nanos());
        }
        println!();
        if ours.strays > 0 {
            println!("      | {} of all rounds' did not go directly, or expired", ours.strays);
        }
    }
    println!("¹ simulated milliseconds a message in which nobody had anything to do");
}

fn columns(cost: &Cost) -> String {
    format!(
        "{:>7.0} {:>7.0} {:>10.3} {:>4.1}",
        cost.rate(),
        cost.nanos(),
        cost.datagrams(),
        cost.waited()
    )
}
