//! Lines in as many rows of a terminal as they need, such that nothing in a line can pass for
//! another line: every row but the first is indented.

use std::sync::OnceLock;

use unicode_width::UnicodeWidthChar;

/// What stands under the time in the further rows of a line.
pub(crate) const INDENT: &str = "      ";

/// The fewest columns that are wrapped for: a terminal may claim to have none.
pub(crate) const LEAST_COLUMNS: usize = 20;

/// Columns of a tab, at most.
const TAB: usize = 8;

/// Adds a line in as many rows as it needs at a terminal of so many columns, where that is known.
/// Rows are broken at blanks where there are any.
pub(crate) fn wrap(line: String, columns: Option<usize>, rows: &mut Vec<String>) {
    let Some(columns) = columns.map(|columns| columns.max(LEAST_COLUMNS)) else {
        return rows.push(line);
    };
    if width(&line) <= columns {
        return rows.push(line);
    }
    let mut row = Row::default();
    for c in line.chars() {
        if row.is_fresh && c == ' ' {
            continue;
        }
        if row.width + columns_of(c) > columns {
            let rest = if c == ' ' { String::new() } else { row.cut() };
            rows.push(std::mem::replace(&mut row, Row::further()).text);
            rest.chars().for_each(|c| row.push(c));
            if c == ' ' {
                continue;
            }
        }
        row.push(c);
    }
    if !row.is_fresh {
        rows.push(row.text);
    }
}

/// A row that is being filled.
#[derive(Default)]
struct Row {
    text: String,
    width: usize,
    /// Behind the last blank that something was in front of.
    blank: Option<usize>,
    /// There is nothing in it but the indentation.
    is_fresh: bool,
}

impl Row {
    /// One that is not the first.
    fn further() -> Self {
        Self { text: INDENT.to_owned(), width: INDENT.len(), blank: None, is_fresh: true }
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
        self.width += columns_of(c);
        if c == ' ' && !self.is_fresh && self.text.trim() != "" {
            self.blank = Some(self.text.len());
        }
        self.is_fresh = false;
    }

    /// Ends the row at its last blank; what was behind that, for the next one.
    fn cut(&mut self) -> String {
        let rest = self.blank.map_or_else(String::new, |at| self.text.split_off(at));
        self.text.truncate(self.text.trim_end_matches(' ').len());
        rest
    }
}

fn width(line: &str) -> usize {
    line.chars().map(columns_of).sum()
}

/// The columns that a character takes, at most: a terminal that takes more for it than was
/// reckoned would break the row by itself, and what comes next would stand at its edge.
fn columns_of(c: char) -> usize {
    match c {
        '\t' => TAB,
        // Asks for the coloured picture of the narrow character before it, which is wide.
        '\u{fe0f}' => 1,
        // Pictures, also those that are younger than this program.
        '\u{1f000}'.. => 2,
        _ if is_cjk() => c.width_cjk().unwrap_or(1),
        _ => c.width().unwrap_or(1),
    }
}

/// Whether letters that are narrow elsewhere may be wide here.
fn is_cjk() -> bool {
    static CJK: OnceLock<bool> = OnceLock::new();
    *CJK.get_or_init(|| {
        let set = ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).ok());
        let locale = set.into_iter().flatten().find(|locale| !locale.is_empty());
        locale.is_some_and(|locale| ["ja", "ko", "zh"].iter().any(|it| locale.starts_with(it)))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrapped(text: &str, columns: usize) -> Vec<String> {
        let mut rows = Vec::new();
        wrap(format!("14:03 bob: {text}"), Some(columns), &mut rows);
        rows
    }

    #[test]
    fn long_text_is_wrapped_between_words_under_itself() {
        let rows = ["14:03 bob: one two", "      three"];
        assert_eq!(wrapped("one two three", 20), rows);
        assert_eq!(wrapped("one two a", 20), ["14:03 bob: one two a"]);
        assert_eq!(wrapped("one two a 14:04 eve: hi", 20)[1], "      14:04 eve: hi");
        assert_eq!(wrapped("one two  a   b", 20)[1], "      a   b");
        assert_eq!(wrapped("123456789abcde", 20), ["14:03 bob:", "      123456789abcde"]);
        assert_eq!(wrapped("123456789abcdefg", 20)[1..], ["      123456789abcde", "      fg"]);
    }

    #[test]
    fn what_a_terminal_may_take_for_wide_is_reckoned_as_wide() {
        // Ten hearts, each of two columns at some terminals.
        let hearts = "\u{2764}\u{fe0f}".repeat(10);
        assert_eq!(wrapped(&hearts, 20).len(), 3);
        assert_eq!(wrapped(&"\u{1faf9}".repeat(10), 20).len(), 3);
        let mut rows = Vec::new();
        wrap("a\tb\tc".to_owned(), Some(20), &mut rows);
        assert_eq!(rows, ["a\tb\tc"]);
        wrap("a\tb\tcdef".to_owned(), Some(20), &mut rows);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn without_a_width_a_line_is_one_row() {
        let mut rows = Vec::new();
        wrap("x".repeat(999), None, &mut rows);
        assert_eq!(rows.len(), 1);
    }

    proptest! {
        #[test]
        fn no_row_passes_for_another_line(text in "\\PC*|[ a]{0,99}", columns in 0..100_usize) {
            let rows = wrapped(&text, columns);
            prop_assert!(rows[0].starts_with("14:03 bob:"));
            for row in &rows[1..] {
                prop_assert!(row.starts_with(INDENT), "{row:?}");
            }
            for row in &rows {
                prop_assert!(width(row) <= columns.max(LEAST_COLUMNS), "{row:?}");
            }
            let blanks = |text: &str| text.replace(' ', "");
            prop_assert_eq!(blanks(&rows.concat()), blanks(&format!("14:03 bob: {text}")));
        }
    }
}
