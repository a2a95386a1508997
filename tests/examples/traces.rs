//! Whether worlds go as they went before: the proof that a change of the code moved things and
//! changed nothing.
//!
//! ```text
//! cargo run -p simulation --example traces -- write FILE [COUNT]
//! cargo run -p simulation --example traces -- compare FILE
//! ```
//!
//! The first writes the traces of that many worlds of each kind, 1,000 if it is not said, one line
//! each. The second lives through the same worlds again, and fails if one of them differs.

use std::{env, fmt::Write as _, fs, process::ExitCode};

use simulation::runner::{self, Kind, Seed};

/// How many worlds of each kind.
const COUNT: u64 = 1_000;

/// How many that differ are named.
const NAMED: usize = 10;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["write", file] => write(file, COUNT),
        ["write", file, count] => count
            .parse()
            .map_err(|_| format!("{count} is no number"))
            .and_then(|count| write(file, count)),
        ["compare", file] => compare(file),
        _ => Err("traces write FILE [COUNT], or traces compare FILE".into()),
    };
    match done {
        Ok(what) => {
            println!("{what}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn write(file: &str, count: u64) -> Result<String, String> {
    let kinds = [Kind::Lossy, Kind::Varied, Kind::Restored];
    let of_kind = |kind| (0..count).map(move |number| Seed { kind, number });
    let seeds: Vec<_> = kinds.into_iter().flat_map(of_kind).collect();
    let traces = runner::traces(&seeds);
    let mut lines = String::new();
    for (seed, trace) in seeds.iter().zip(&traces) {
        let _ = writeln!(lines, "{seed} {trace}"); // a String takes all
    }
    fs::write(file, lines).map_err(|why| format!("{file}: {why}"))?;
    Ok(format!("{} traces", seeds.len()))
}

fn compare(file: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
    let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let seeds: Vec<Seed> = lines.iter().map(|(seed, _)| seed.parse()).collect::<Result<_, _>>()?;
    let traces = runner::traces(&seeds);
    let pairs = seeds.iter().zip(&lines).zip(&traces);
    let differ: Vec<_> =
        pairs.filter(|((_, (_, before)), now)| before != now).map(|((seed, _), _)| seed).collect();
    let Some(first) = differ.first() else { return Ok(format!("{} traces agree", seeds.len())) };
    let named: Vec<_> = differ.iter().take(NAMED).map(ToString::to_string).collect();
    Err(format!(
        "{} of {} traces differ: {}\nsee one, here and where they were written, with\n    {}",
        differ.len(),
        seeds.len(),
        named.join(", "),
        runner::replay_command(**first),
    ))
}
