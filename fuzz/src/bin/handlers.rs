//! Says of each frame type whether its handlers were reached, and how much of them.
//! Fails if one was not.
//! `handlers ROLE=COVERAGE.lcov...`, run where the fuzz targets are
//!
//! The types come from the `frames!` table of the wire, the handlers from the arms of each
//! role's `take_frame`: a new frame needs no change here.

use std::{collections::BTreeMap, env, fs, io, ops::RangeInclusive, path::Path, process::ExitCode};

const CORE: &str = "../proto-core/src";

/// How often each line of each file ran.
type Counts = BTreeMap<String, BTreeMap<usize, u64>>;

/// A source file of a role.
struct Source {
    path: String,
    lines: Vec<String>,
}

/// Where a role handles a frame.
struct Handler<'a> {
    name: String,
    source: &'a Source,
    lines: RangeInclusive<usize>,
}

/// What a role does with a frame.
enum Fate<'a> {
    Handled(Handler<'a>),
    /// It comes from nobody who keeps to the protocol.
    Refused,
}

fn main() -> io::Result<ExitCode> {
    let types = types(&fs::read_to_string(format!("{CORE}/wire/frame.rs"))?);
    let mut missed = 0;
    let mut handled = vec![false; types.len()];
    for argument in env::args().skip(1) {
        let (role, coverage) = argument.split_once('=').expect("ROLE=COVERAGE.lcov");
        let sources = sources(role)?;
        let counts = counts(&fs::read_to_string(coverage)?);
        println!("{role} ({coverage})");
        for (at, (kind, frame)) in types.iter().enumerate() {
            let Fate::Handled(handler) = fate(&sources, frame) else {
                println!("  {kind} {frame:<16} refused by this role");
                continue;
            };
            handled[at] = true;
            let (runs, ran, of) = handler.coverage(&counts);
            missed += u32::from(runs == 0);
            let word = if runs == 0 { "NOT REACHED" } else { "reached" };
            let name = &handler.name;
            println!("  {kind} {frame:<16} {word}, {runs} runs, {ran} of {of} lines of {name}");
        }
    }
    for ((kind, frame), _) in types.iter().zip(handled).filter(|(_, handled)| !handled) {
        println!("{kind} {frame} is handled by no role");
        missed += 1;
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Number and name of each frame in the table.
fn types(source: &str) -> Vec<(String, String)> {
    let table = source.split("\nframes! {").nth(1).expect("the table of frames");
    let table = table.split("\n}").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once('(')?;
        let (_, rest) = rest.split_once(") = ")?;
        let (kind, _) = rest.split_once(',')?;
        kind.starts_with("0x").then(|| (kind.to_string(), name.to_string()))
    });
    rows.collect()
}

fn sources(role: &str) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for file in fs::read_dir(Path::new(CORE).join(role))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)?.lines().map(str::to_string).collect();
            let path = path.canonicalize()?.display().to_string();
            sources.push(Source { path, lines });
        }
    }
    Ok(sources)
}

/// The counts in a coverage report.
fn counts(report: &str) -> Counts {
    let mut counts = Counts::new();
    let mut file = String::new();
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = path.to_string();
        } else if let Some((line, count)) =
            line.strip_prefix("DA:").and_then(|data| data.split_once(','))
            && let (Ok(line), Ok(count)) = (line.parse(), count.parse())
        {
            counts.entry(file.clone()).or_default().insert(line, count);
        }
    }
    counts
}

/// Finds the arm of `take_frame` that a frame goes to, and what the arm calls.
fn fate<'a>(sources: &'a [Source], frame: &str) -> Fate<'a> {
    let dispatch = function(sources, "fn take_frame(");
    let (source, body) = dispatch.expect("each role has a take_frame");
    let text = |number: usize| source.lines[number - 1].trim();
    let is_pattern = |number: &usize| {
        ["Frame::", "| Frame::", "_ "].iter().any(|start| text(*number).starts_with(start))
    };
    let pattern = format!("Frame::{frame}(");
    let named = |number: &usize| is_pattern(number) && text(*number).contains(&pattern);
    let Some(first) = body.clone().find(named) else { return Fate::Refused };
    let arrow = (first..=*body.end()).find(|number| text(*number).contains("=>"));
    let arrow = arrow.expect("an arm has an arrow");
    let (_, act) = text(arrow).split_once("=>").unwrap_or_default();
    let act = act.trim();
    if act.starts_with("FrameOutcome::Broken(") {
        return Fate::Refused;
    }
    if let Some((name, _)) = act.strip_prefix("self.").and_then(|act| act.split_once('('))
        && let Some((source, lines)) = function(sources, &format!("pub(super) fn {name}("))
    {
        return Fate::Handled(Handler { name: name.to_string(), source, lines });
    }
    let next = (arrow + 1..=*body.end()).find(is_pattern).unwrap_or(*body.end());
    let lines = if act.is_empty() || act == "{" { arrow + 1..=next - 1 } else { arrow..=arrow };
    Fate::Handled(Handler { name: "take_frame".to_string(), source, lines })
}

/// The lines of the function that begins so.
fn function<'a>(sources: &'a [Source], begin: &str) -> Option<(&'a Source, RangeInclusive<usize>)> {
    sources.iter().find_map(|source| {
        let first = source.lines.iter().position(|line| line.trim_start().starts_with(begin))?;
        let indent = source.lines[first].len() - source.lines[first].trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let length = source.lines[first..].iter().position(|line| *line == end)?;
        Some((source, first + 1..=first + 1 + length))
    })
}

impl Handler<'_> {
    /// How often it ran, how many of its lines ever did, and how many there are.
    fn coverage(&self, counts: &Counts) -> (u64, usize, usize) {
        let counts = counts.get(&self.source.path);
        let lines: Vec<u64> = counts
            .map(|counts| counts.range(self.lines.clone()).map(|(_, count)| *count).collect())
            .unwrap_or_default();
        let ran = lines.iter().filter(|count| **count > 0).count();
        (lines.first().copied().unwrap_or(0), ran, lines.len())
    }
}
