//! Many worlds, each from a seed; and one of them again, to look at.

use std::{
    env, fmt,
    panic::{self, AssertUnwindSafe},
    str::FromStr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    counts::Counts,
    dice::{Dice, mix},
    faults::Faults,
    script::{self, Act, Step},
    trace::{Telling, last_lines},
    world::{Setup, World},
};

/// Which kind of worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 30 % loss, 20 % duplication and reordering, to the end.
    Lossy,
    /// Any faults, each class in about half of the worlds, until the world heals.
    Varied,
}

/// Names one world, for ever, as long as the simulation stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Its kind.
    pub kind: Kind,
    /// Its number among those.
    pub number: u64,
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Lossy => "lossy",
            Kind::Varied => "varied",
        };
        write!(f, "{kind}:{}", self.number)
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("a seed is lossy:NUMBER or varied:NUMBER, not {text:?}");
        let (kind, number) = text.split_once(':').ok_or_else(wrong)?;
        let kind = match kind {
            "lossy" => Kind::Lossy,
            "varied" => Kind::Varied,
            _ => return Err(wrong()),
        };
        Ok(Self { kind, number: number.parse().map_err(|_| wrong())? })
    }
}

/// What a seed stands for: a world, and what its users do.
pub fn draw(seed: Seed) -> (Setup, Vec<Step>) {
    let salt = match seed.kind {
        Kind::Lossy => 1,
        Kind::Varied => 2,
    };
    let mut dice = Dice::new(mix(seed.number).rotate_left(8) ^ salt);
    let clients = 2 + dice.index(4);
    let mut nicks: Vec<_> = ["alice", "bob", "carol", "dave", "erin"].map(String::from).to_vec();
    nicks.truncate(clients);
    let (faults, crashes) = match seed.kind {
        Kind::Lossy => (Faults::lossy(), false),
        Kind::Varied => (Faults::draw(&mut dice), dice.chance(500)),
    };
    if seed.kind == Kind::Varied && clients > 2 && dice.chance(200) {
        nicks[clients - 1] = nicks[0].to_uppercase();
    }
    let mut steps: Vec<_> =
        (0..clients as u8).map(|who| Step { after: 100, act: Act::Register(who) }).collect();
    let length = 5 + dice.index(60);
    steps.extend(script::draw(&mut dice, length, crashes));
    let (seed, real) = (dice.u64(), dice.chance(15));
    (Setup { seed, faults, nicks, real, telling: Telling::Silent }, steps)
}

/// Lives a world through to its end; what happened, and its fingerprint.
pub fn live(seed: Seed, telling: Telling) -> (Counts, u64) {
    let (setup, steps) = draw(seed);
    let mut world = World::new(&Setup { telling, ..setup });
    world.follow(&steps);
    world.finish(seed.kind == Kind::Lossy);
    (world.counts, world.fingerprint())
}

/// How many worlds to live through: `UDPCHAT_WORLDS`, or 1,000.
pub fn worlds() -> u64 {
    env::var("UDPCHAT_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

/// The first of them: `UDPCHAT_FIRST`, or 0.
pub fn first() -> u64 {
    env::var("UDPCHAT_FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Lives through that many worlds of a kind, on all cores.
///
/// # Panics
/// When a law is broken in one; the message says how to see it again.
pub fn live_through(kind: Kind, count: u64) -> Counts {
    let next = AtomicU64::new(first());
    let end = first() + count;
    let total = Mutex::new(Counts::default());
    let failure = Mutex::new(None);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return;
            }
            let seed = Seed { kind, number };
            match panic::catch_unwind(AssertUnwindSafe(|| live(seed, Telling::Silent))) {
                Ok((counts, _)) => *total.lock().unwrap_or_else(|e| e.into_inner()) += counts,
                Err(why) => {
                    next.store(end, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert((seed, said(&*why)));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    if let Some((seed, why)) = failure.into_inner().unwrap_or_else(|e| e.into_inner()) {
        panic!("{}", report(seed, &why));
    }
    total.into_inner().unwrap_or_else(|e| e.into_inner())
}

/// What a panic said.
fn said(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A broken law, with the last that happened before it and the way to see all of it.
fn report(seed: Seed, why: &str) -> String {
    let _ = panic::catch_unwind(AssertUnwindSafe(|| live(seed, Telling::Kept)));
    let lines = last_lines().join("\n");
    format!(
        "{lines}\n\nworld {seed}: {why}\nsee all of it with\n    \
         UDPCHAT_SEED={seed} cargo test -p simulation --test worlds replay -- --nocapture\n"
    )
}
