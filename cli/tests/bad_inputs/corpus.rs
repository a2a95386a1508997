//! Reading the corpus.

use std::{collections::HashSet, fs, path::Path};

/// A bad input.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What is to be fed.
    pub(crate) input: String,
    /// What is to come of it.
    pub(crate) outcome: String,
}

impl Case {
    /// The words of the outcome.
    pub(crate) fn words(&self) -> Vec<String> {
        self.outcome.split(", ").map(|word| text(word.trim())).collect()
    }

    /// What is wrong if not all words of the outcome are in what was `said`.
    pub(crate) fn misses(&self, said: &str) -> Option<String> {
        let missing: Vec<_> =
            self.words().into_iter().filter(|word| !said.contains(word.as_str())).collect();
        (!missing.is_empty()).then(|| format!("{}: no {missing:?} in {said:?}", self.name))
    }
}

/// Reads a class of inputs.
pub(crate) fn read(class: &str) -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bad-inputs");
    let lines = fs::read_to_string(directory.join(class).with_extension("txt")).unwrap();
    let mut names = HashSet::new();
    let lines = lines.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines
        .map(|line| {
            let parts: Vec<_> = line.split(" | ").collect();
            let [name, input, outcome] = parts[..] else { panic!("three parts: {line}") };
            assert!(names.insert(name.to_owned()), "a name of its own: {name}");
            let own = |part: &str| part.trim().to_owned();
            Case { name: own(name), input: own(input), outcome: own(outcome) }
        })
        .collect()
}

/// Undoes escapes: `\xHH` a byte, `\u{…}` a character, `\n`, `\t`, `\s` a blank, `\0` nothing,
/// `\\`, and `\N*{…}` a text N times.
pub(crate) fn bytes(escaped: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), escaped);
    while let Some(at) = rest.find('\\') {
        out.extend(rest[..at].bytes());
        rest = &rest[at + 1..];
        let simple = match rest.chars().next() {
            Some('n') => Some("\n"),
            Some('t') => Some("\t"),
            Some('s') => Some(" "),
            Some('0') => Some(""),
            Some('\\') => Some("\\"),
            _ => None,
        };
        if let Some(simple) = simple {
            out.extend(simple.bytes());
            rest = &rest[1..];
        } else if let Some(hex) = rest.strip_prefix('x') {
            out.push(u8::from_str_radix(&hex[..2], 16).unwrap());
            rest = &hex[2..];
        } else if let Some(number) = rest.strip_prefix("u{") {
            let (number, after) = number.split_once('}').unwrap();
            let c = char::from_u32(u32::from_str_radix(number, 16).unwrap()).unwrap();
            out.extend(c.to_string().bytes());
            rest = after;
        } else {
            let (times, after) = rest.split_once("*{").unwrap();
            let (what, after) = after.split_once("}*").unwrap();
            out.extend(bytes(what).repeat(times.parse().unwrap()));
            rest = after;
        }
    }
    out.extend(rest.bytes());
    out
}

/// The same, of what is text.
pub(crate) fn text(escaped: &str) -> String {
    String::from_utf8(bytes(escaped)).unwrap()
}

/// The bytes of hex digits.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(digit).collect()
}
