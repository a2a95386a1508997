//! Sweeps: each story told once for each datagram that is sent in it, with just that one
//! lost, doubled or late, and once for each request to a store, with a crash right there or with
//! just that one failing. What is so at the end of each scene is the same as without.

use std::{fmt, str::FromStr};

use crate::{
    clock::SECOND,
    cores::on_all_cores,
    disturbance::{Course, Disturbance},
    facts::Facts,
    runner,
    stories::STORIES,
    tale::{Pace, Scene, Story, Tale},
    trace::{Telling, last_lines},
};

/// What goes wrong in a telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A datagram is lost.
    Lost,
    /// It comes twice.
    Doubled,
    /// It comes again when all is over.
    Again,
    /// It comes behind the next one in its direction.
    Overtaken,
    /// It comes a second later.
    Late,
    /// A host crashes right before a change is durable.
    CrashBefore,
    /// A host crashes when a change is durable, before it hears of that.
    CrashAfter,
    /// A store fails at a request.
    Failed,
}

/// All kinds, with the names that they go by.
const KINDS: [(Kind, &str); 8] = [
    (Kind::Lost, "lost"),
    (Kind::Doubled, "doubled"),
    (Kind::Again, "again"),
    (Kind::Overtaken, "overtaken"),
    (Kind::Late, "late"),
    (Kind::CrashBefore, "crash-before"),
    (Kind::CrashAfter, "crash-after"),
    (Kind::Failed, "failed"),
];

impl Kind {
    fn pace(self) -> Pace {
        match self {
            Self::Lost | Self::Doubled | Self::Again | Self::Overtaken | Self::Late => {
                Pace::Network
            }
            Self::CrashBefore | Self::CrashAfter => Pace::Crash,
            Self::Failed => Pace::Store,
        }
    }

    fn disturbance(self, at: usize) -> Disturbance {
        match self {
            Self::Lost => Disturbance::Lost(at),
            Self::Doubled => Disturbance::Doubled(at, 1),
            Self::Again => Disturbance::Doubled(at, 7 * SECOND),
            Self::Overtaken => Disturbance::Overtaken(at),
            Self::Late => Disturbance::Late(at, SECOND),
            Self::CrashBefore => Disturbance::CrashBefore(at),
            Self::CrashAfter => Disturbance::CrashAfter(at),
            Self::Failed => Disturbance::Failed(at),
        }
    }

    /// Where in a story this may happen.
    fn places(self, story: &Story, course: &Course) -> Vec<usize> {
        let requests = course.requests.iter().enumerate();
        match self.pace() {
            Pace::Network => (0..course.datagrams).collect(),
            Pace::Store => requests.map(|(at, _)| at).collect(),
            Pace::Crash if !story.crashes => Vec::new(),
            Pace::Crash => {
                requests.filter(|(_, (_, changes))| *changes).map(|(at, _)| at).collect()
            }
        }
    }
}

/// Names one telling of a story, for as long as the stories stay as they are.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    story: &'static Story,
    kind: Kind,
    at: usize,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, name)| name);
        write!(f, "{}:{kind}:{}", self.story.name, self.at)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("a telling is STORY:KIND:NUMBER, not {text:?}");
        let mut parts = text.split(':');
        let (name, kind, at) = (parts.next(), parts.next(), parts.next());
        let story = STORIES.iter().find(|story| Some(story.name) == name).ok_or_else(wrong)?;
        let kind = KINDS.iter().find(|(_, name)| Some(*name) == kind).ok_or_else(wrong)?.0;
        let at = at.and_then(|at| at.parse().ok()).ok_or_else(wrong)?;
        Ok(Self { story, kind, at })
    }
}

/// A story without anything going wrong: what is so then, and what there is to go wrong.
struct Undisturbed {
    scenes: Vec<Scene>,
    course: Course,
}

fn undisturbed(story: &Story, pace: Pace, telling: Telling) -> Undisturbed {
    let told = runner::attempt(|| {
        let mut tale = Tale::tell(story, pace, Disturbance::None, telling);
        tale.end();
        let course = tale.world.course();
        Undisturbed { scenes: tale.scenes, course }
    });
    let name = story.name;
    told.unwrap_or_else(|why| panic!("{name}, with nothing going wrong, at {pace:?} pace: {why}"))
}

/// Tells a story with one thing going wrong.
///
/// # Panics
/// When it makes a difference, or a law is broken.
fn tell(name: Name, should: &Undisturbed, telling: Telling) {
    let Name { story, kind, at } = name;
    let mut tale = Tale::tell(story, kind.pace(), kind.disturbance(at), telling);
    let victim = should.course.requests.get(at).map(|(place, _)| *place);
    let victim = victim.filter(|_| kind.pace() != Pace::Network);
    let victim = victim.map(|place| tale.world.name(place).to_string());
    for (should, is) in should.scenes.iter().zip(&tale.scenes) {
        let [mut expected, mut found] = [&should.facts, &is.facts].map(Clone::clone);
        if let Some(victim) = &victim {
            let unsaid = is.unsaid(kind.pace(), victim);
            if story.counts && !unsaid.is_empty() {
                break;
            }
            forgive(&mut expected, kind.pace(), victim, &unsaid);
            forgive(&mut found, kind.pace(), victim, &unsaid);
        }
        if story.counts && kind.pace() == Pace::Crash {
            spare(&expected, &mut found);
            expected.retain(|_, line| !line.starts_with("RoomGap"));
        }
        if let Some(difference) = expected.difference(&found) {
            panic!("after {:?}:\n{difference}", is.name);
        }
    }
    tale.end();
}

/// Takes out what may differ when a host crashed, or its store failed.
fn forgive(facts: &mut Facts, pace: Pace, victim: &str, unsaid: &[&str]) {
    let heard = format!("{victim} heard");
    facts.retain(|about, line| {
        // Of what was never said, there is nothing to be had, or a gap.
        let missing = unsaid.iter().any(|text| line.ends_with(text));
        let gap = !unsaid.is_empty() && (line.starts_with("Gap") || line == "MailboxEmpty");
        // Whose request is refused or forgotten asks again, and may be told that all is so already.
        let answer = about.ends_with("was answered");
        // What is in the inbox need not have been shown when the power went.
        let unheard = about == heard && pace == Pace::Crash;
        !missing && !gap && !answer && !unheard
    });
}

/// Takes out what a server that crashed had not forgotten yet, and may well hand over.
fn spare(expected: &Facts, found: &mut Facts) {
    found.retain(|about, line| {
        let in_room = about.contains("'s inbox of #") || line.contains(" says in ");
        !line.starts_with("RoomGap") && (!in_room || expected.has(about, line))
    });
}

/// Tells all stories in all ways, on all cores.
///
/// # Panics
/// With what went wrong first, and the way to see it again.
pub fn sweep(kinds: &[Kind]) -> usize {
    runner::silence_panics();
    let mut tellings = Vec::new();
    let paces = [Pace::Network, Pace::Store, Pace::Crash];
    let is_wanted = |pace| kinds.iter().any(|kind| kind.pace() == pace);
    let told = STORIES.iter().map(|story| {
        paces.map(|pace| is_wanted(pace).then(|| undisturbed(story, pace, Telling::Silent)))
    });
    let told: Vec<_> = told.collect();
    for (story, told) in STORIES.iter().zip(&told) {
        for kind in kinds {
            let told = told[kind.pace() as usize].as_ref().expect("it was told");
            let chances = kind.places(story, &told.course);
            tellings.extend(chances.into_iter().map(|at| (Name { story, kind: *kind, at }, told)));
        }
    }
    let failures = on_all_cores(tellings.iter(), |(name, told)| {
        let failed = runner::attempt(|| tell(*name, told, Telling::Silent)).err();
        failed.map(|why| (*name, why))
    });
    let failures: Vec<_> = failures.into_iter().flatten().collect();
    if let Some((name, why)) = failures.first() {
        let others = failures[1..].iter().map(|(name, why)| {
            let why: String = why.chars().take(200).collect();
            format!("\n{name}: {}", why.replace('\n', " "))
        });
        let (report, count) = (report(*name, why), failures.len() - 1);
        panic!("{report}{count} others failed{}", others.collect::<String>());
    }
    tellings.len()
}

/// Tells a story as its name says, line by line.
pub fn replay(name: Name) {
    println!("with nothing going wrong:");
    let should = undisturbed(name.story, name.kind.pace(), Telling::Printed);
    println!("with that one thing:");
    tell(name, &should, Telling::Printed);
}

fn report(name: Name, why: &str) -> String {
    let should = undisturbed(name.story, name.kind.pace(), Telling::Silent);
    let _ = runner::attempt(|| tell(name, &should, Telling::Kept));
    let lines = last_lines().join("\n");
    format!(
        "{lines}\n\n{name}: {why}\nsee all of it with\n    \
         UDPCHAT_SWEEP={name} cargo test -p simulation --test sweeps replay -- --nocapture\n"
    )
}
