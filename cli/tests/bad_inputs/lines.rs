//! Command lines, and what is typed or piped in.

use std::{
    ffi::OsString,
    io::Write as _,
    os::unix::ffi::OsStringExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{
    common::{Program, free_port},
    corpus::{self, Case},
};

/// Runs the program with this input until it ends.
pub(crate) fn run(directory: &Path, arguments: &[OsString], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_udpchat"))
        .args(arguments)
        .arg("--data-dir")
        .arg(directory)
        .env_remove("UDPCHAT_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever refuses at once reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Whole command lines, refused with code 2, or 1 where the outcome begins with that.
pub(crate) fn command_lines(cases: &[Case]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let judge = |case: &Case| {
        let words = case.input.split(' ').filter(|word| !word.is_empty());
        let words: Vec<_> = words.map(|word| OsString::from_vec(corpus::bytes(word))).collect();
        let output = run(&data, &words, b"");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let (code, case) = match case.outcome.strip_prefix("1: ") {
            Some(words) => (1, &Case { outcome: words.to_owned(), ..clone(case) }),
            None => (2, case),
        };
        if output.status.code() != Some(code) || !output.stdout.is_empty() {
            return Some(format!("{}: {:?} {said:?}", case.name, output.status));
        }
        case.misses(&said)
    };
    cases.iter().filter_map(judge).collect()
}

fn clone(case: &Case) -> Case {
    let Case { name, input, outcome } = case;
    Case { name: name.clone(), input: input.clone(), outcome: outcome.clone() }
}

/// A script of all of them: each is answered on standard error, by its number.
pub(crate) fn typed(cases: &[Case]) -> Vec<String> {
    let output = script(cases, &["join", "alice"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() != Some(4) {
        return vec![format!("the script ends with {:?}: {told}", output.status)];
    }
    let judge = |(at, case): (usize, &Case)| {
        let begin = format!("udpchat: line {}: ", at + 1);
        match told.lines().find_map(|line| line.strip_prefix(&begin)) {
            Some(said) => case.misses(said),
            None => Some(format!("{}: no answer", case.name)),
        }
    };
    cases.iter().enumerate().filter_map(judge).collect()
}

/// The same in JSON: each is answered by an `error` with its line.
pub(crate) fn json(cases: &[Case]) -> Vec<String> {
    let output = script(cases, &["join", "alice", "--json"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let judge = |(at, case): (usize, &Case)| {
        let line = format!("\"line\":{},", at + 1);
        let said = told.lines().find(|it| it.contains("\"event\":\"error\"") && it.contains(&line));
        match said {
            Some(said) => case.misses(said),
            None => Some(format!("{}: no answer", case.name)),
        }
    };
    cases.iter().enumerate().filter_map(judge).collect()
}

fn script(cases: &[Case], arguments: &[&str]) -> Output {
    let root = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let words = ["server", "--port", &port, "--bind", "127.0.0.1"];
    let mut server = Program::start(&root.path().join("server"), &words);
    let line = server.expect_where("the line to join by", |line| line.contains(" join NICK "));
    let address = line.split_once(" join NICK ").unwrap().1;
    let mut input = Vec::new();
    for case in cases {
        input.extend(corpus::bytes(&case.input));
        input.push(b'\n');
    }
    let arguments = arguments.iter().chain([&address]).map(OsString::from).collect::<Vec<_>>();
    run(&root.path().join("alice"), &arguments, &input)
}
