//! The bad inputs of `tests/bad-inputs`: each gets silence, or an error with the words that its
//! user needs. `tests/bad-inputs/README.md` has the format.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod files;
mod lines;
#[allow(dead_code)]
#[path = "../../src/rows.rs"]
mod rows;
#[allow(dead_code)]
#[path = "../../src/safe_text.rs"]
mod safe_text;
mod text;
mod wire;

use corpus::Case;

/// How many there are at least.
const LEAST: usize = 500;

#[test]
fn each_bad_input_gets_silence_or_the_error_that_helps() {
    type Judge = fn(&[Case]) -> Vec<String>;
    let classes: [(&str, Judge); 7] = [
        ("command-lines", lines::command_lines),
        ("typed-lines", lines::typed),
        ("json-lines", lines::json),
        ("store-files", files::judge),
        ("text", text::judge),
        ("datagrams", wire::datagrams),
        ("frames", wire::frames),
    ];
    let (mut count, mut wrong) = (0, Vec::new());
    for (class, judge) in classes {
        let cases = corpus::read(class);
        println!("{class}: {}", cases.len());
        count += cases.len();
        wrong.extend(judge(&cases).into_iter().map(|what| format!("{class}: {what}")));
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= LEAST, "{count}");
}
