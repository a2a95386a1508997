//! Many worlds, each from a seed; and one of them again, to look at.

use std::{
    cell::Cell,
    collections::BTreeMap,
    env, fmt,
    panic::{self, AssertUnwindSafe},
    str::FromStr,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use proto_core::server::Logins;

use crate::{
    cores::on_all_cores,
    counts::Counts,
    dice::{Dice, mix},
    dishonest,
    faults::Faults,
    life::Life,
    script::{self, Act, Step},
    setup::Setup,
    siege::drawn as siege,
    trace::{Telling, last_lines},
    world::World,
};

/// Which kind of worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 30 % loss, 20 % duplication and reordering, to the end.
    Lossy,
    /// Any faults, each class in about half of the worlds, until the world heals.
    Varied,
    /// Stores of either side go back in time and identities are copied, on a network and on hosts
    /// that fail a little, until the world heals.
    Restored,
    /// People with keys who take what they can get, beside honest ones on a good network.
    Greedy,
    /// A server or someone registered who lies, or someone without keys.
    Dishonest,
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
            Kind::Restored => "restored",
            Kind::Greedy => "greedy",
            Kind::Dishonest => "dishonest",
        };
        write!(f, "{kind}:{}", self.number)
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "a seed is lossy:, varied:, restored:, greedy: or dishonest: and a number, not {text:?}"
            )
        };
        let (kind, number) = text.split_once(':').ok_or_else(wrong)?;
        let kind = match kind {
            "lossy" => Kind::Lossy,
            "varied" => Kind::Varied,
            "restored" => Kind::Restored,
            "greedy" => Kind::Greedy,
            "dishonest" => Kind::Dishonest,
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
        Kind::Restored => 3,
        Kind::Greedy => 4,
        Kind::Dishonest => 5,
    };
    let mut dice = Dice::new(mix(seed.number).rotate_left(8) ^ salt);
    match seed.kind {
        Kind::Greedy => return (siege::draw(&mut dice), Vec::new()),
        Kind::Dishonest => return (dishonest::draw(&mut dice), Vec::new()),
        Kind::Lossy | Kind::Varied | Kind::Restored => {}
    }
    let clients = 2 + dice.index(4);
    let mut nicks: Vec<_> = ["alice", "bob", "carol", "dave", "erin"].map(String::from).to_vec();
    nicks.truncate(clients);
    let (faults, crashes) = match seed.kind {
        Kind::Lossy => (Faults { rekeys: dice.chance(500), ..Faults::lossy() }, false),
        Kind::Varied => (Faults::draw(&mut dice), dice.chance(500)),
        Kind::Restored | Kind::Greedy | Kind::Dishonest => {
            (Faults::restored(&mut dice), dice.chance(500))
        }
    };
    if seed.kind == Kind::Varied && clients > 2 && dice.chance(200) {
        nicks[clients - 1] = nicks[0].to_uppercase();
    }
    let mut steps: Vec<_> =
        (0..clients as u8).map(|who| Step { after: 100, act: Act::Register(who) }).collect();
    // There is to be something to lose.
    let length =
        if seed.kind == Kind::Restored { 20 + dice.index(100) } else { 5 + dice.index(60) };
    steps.extend(script::draw(&mut dice, length, crashes));
    let (seed, real) = (dice.u64(), dice.chance(15));
    (Setup { seed, faults, nicks, real, logins: Logins::Open, telling: Telling::Silent }, steps)
}

/// Lives a world through to its end; what happened, and its fingerprint.
pub fn live(seed: Seed, telling: Telling) -> (Counts, u64) {
    let (setup, steps) = draw(seed);
    let setup = Setup { telling, ..setup };
    let world = match seed.kind {
        Kind::Greedy => siege::live(&setup),
        Kind::Dishonest => dishonest::live(&setup),
        Kind::Lossy | Kind::Varied | Kind::Restored => {
            return live_life(&setup, &steps, seed.kind == Kind::Lossy);
        }
    };
    (*world.counts(), world.cx.fingerprint())
}

fn live_life(setup: &Setup, steps: &[Step], through: bool) -> (Counts, u64) {
    let mut life = Life::new(setup, steps);
    life.finish(through);
    let World { nodes, cx, .. } = &mut life.world;
    for node in nodes {
        node.sum_up(cx);
    }
    let violations = life.world.counts().violations;
    assert!(violations == 0, "of honest nodes, some broke {violations} rules of the protocol");
    (*life.world.counts(), life.world.cx.fingerprint())
}

/// Lives any world through to its end, as [`Life::finish`] has it.
///
/// # Errors
/// The law that was broken.
pub fn attempt_life(setup: &Setup, steps: &[Step], through: bool) -> Result<Counts, String> {
    silence_panics();
    attempt(|| live_life(setup, steps, through).0)
}

/// How many worlds to live through: `UDPCHAT_WORLDS`, or 1,000.
pub fn worlds() -> u64 {
    env::var("UDPCHAT_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

/// The first of them: `UDPCHAT_FIRST`, or 0.
pub fn first() -> u64 {
    env::var("UDPCHAT_FIRST").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A world in which a law was broken, and what was said of it.
type Failure = (Seed, String);

/// Lives through that many worlds of a kind, on all cores.
///
/// # Panics
/// When a law is broken in one; the message says how to see it again.
pub fn live_through(kind: Kind, count: u64) -> Counts {
    let (total, failures) = live_all(kind, count, 1);
    if let Some((seed, why)) = failures.first() {
        panic!("{}", report(*seed, why));
    }
    total
}

/// Lives through that many worlds of a kind, whatever happens in them: prints in
/// how many each law was broken, and some seeds of those.
pub fn survey(kind: Kind, count: u64) {
    let (total, failures) = live_all(kind, count, usize::MAX);
    let mut kinds = BTreeMap::<String, Vec<&Failure>>::new();
    for failure in &failures {
        let law = failure.1.split_once(": ").map_or("", |(_, law)| law);
        let law = law.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
        kinds.entry(law).or_default().push(failure);
    }
    println!("{total}\n{} worlds failed", failures.len());
    for failures in kinds.values() {
        println!("{} times:", failures.len());
        for (seed, why) in failures.iter().take(4) {
            println!("    {seed} {}", why.chars().take(400).collect::<String>());
        }
    }
}

fn live_all(kind: Kind, count: u64, failures: usize) -> (Counts, Vec<Failure>) {
    silence_panics();
    let failed = AtomicUsize::new(0);
    let numbers = first()..first() + count;
    let numbers = numbers.take_while(|_| failed.load(Ordering::Relaxed) < failures);
    let is_loud = env::var_os("UDPCHAT_LOUD").is_some();
    let lives = on_all_cores(numbers, |number| {
        let seed = Seed { kind, number };
        if is_loud {
            eprintln!("{seed}");
        }
        let lived = attempt(|| live(seed, Telling::Silent));
        if is_loud {
            eprintln!("{seed} over");
        }
        if lived.is_err() {
            failed.fetch_add(1, Ordering::Relaxed);
        }
        (seed, lived)
    });
    let (mut total, mut failures) = (Counts::default(), Vec::new());
    for (seed, lived) in lives {
        match lived {
            Ok((counts, _)) => total += counts,
            Err(why) => failures.push((seed, why)),
        }
    }
    (total, failures)
}

/// What happened in each of some worlds, as something to compare; of one in which a law was broken,
/// that. On all cores.
pub fn traces(seeds: &[Seed]) -> Vec<String> {
    silence_panics();
    on_all_cores(seeds.iter(), |seed| {
        let lived = attempt(|| live(*seed, Telling::Silent));
        lived.map_or_else(|why| why.replace('\n', " "), |(_, hash)| format!("{hash:016x}"))
    })
}

thread_local! {
    /// A world is being lived in this thread: its panics are reported later.
    static ATTEMPT: Cell<bool> = const { Cell::new(false) };
}

/// Does something that may panic; what the panic said.
pub(crate) fn attempt<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    ATTEMPT.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(what));
    ATTEMPT.set(false);
    done.map_err(|why| said(&*why))
}

/// Panics within an [`attempt`] print nothing by themselves.
pub(crate) fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if ATTEMPT.get() {
                WHERE.set(info.location().map(ToString::to_string).unwrap_or_default());
            } else {
                loud(info);
            }
        }));
    });
}

thread_local! {
    /// Where this thread panicked last.
    static WHERE: Cell<String> = const { Cell::new(String::new()) };
}

/// What a panic said.
fn said(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    let text = text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let (text, place) = (text.unwrap_or_default(), WHERE.take());
    // A law names the node; any other panic needs its line.
    if text.starts_with("after ") { text } else { format!("panic at {place}: {text}") }
}

/// A broken law, with the last that happened before it and the way to see all of it.
fn report(seed: Seed, why: &str) -> String {
    let _ = attempt(|| live(seed, Telling::Kept));
    let lines = last_lines().join("\n");
    let again = replay_command(seed);
    format!("{lines}\n\nworld {seed}: {why}\nsee all of it with\n    {again}\n")
}

/// The command that tells a world line by line.
pub fn replay_command(seed: Seed) -> String {
    format!("UDPCHAT_SEED={seed} cargo test -p simulation --test worlds replay -- --nocapture")
}
