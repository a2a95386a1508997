//! Text from elsewhere: `same`, or what is shown instead.

use crate::{
    corpus::{self, Case},
    rows,
    safe_text::{SafeText, is_hidden},
};

/// The columns of a narrow terminal.
const COLUMNS: usize = 40;

pub(crate) fn judge(cases: &[Case]) -> Vec<String> {
    cases.iter().filter_map(wrong).collect()
}

fn wrong(case: &Case) -> Option<String> {
    let received = corpus::bytes(&case.input);
    let shown = SafeText::new(&received).to_string();
    let is_picture = |c| matches!(c, '\u{fe0e}' | '\u{fe0f}');
    if shown.chars().any(|c| is_hidden(c) && !is_picture(c)) {
        return Some(format!("{}: something hidden in {shown:?}", case.name));
    }
    let mut lines = Vec::new();
    rows::wrap(format!("14:03 bob: {shown}"), Some(COLUMNS), &mut lines);
    let is_under = |row: &String| row.starts_with(rows::INDENT);
    if !lines[0].starts_with("14:03 bob:") || !lines[1..].iter().all(is_under) {
        return Some(format!("{}: it can pass for another line: {lines:#?}", case.name));
    }
    if case.outcome == "same" {
        return (shown.as_bytes() != received).then(|| format!("{}: {shown:?}", case.name));
    }
    case.misses(&shown)
}
