//! Text that came from elsewhere, made safe to show.

use std::fmt;

use unicode_width::UnicodeWidthChar;

/// The most marks that may pile up on one character. Every living script needs
/// fewer; more of them run over the lines above and below.
const MAX_MARKS: usize = 8;

/// Text that can do nothing to a terminal and hides nothing from its reader: the
/// only form in which anything received reaches a screen.
///
/// A character that would act on the terminal, reorder the line, break it or stay
/// invisible is shown as its number, such as `\u{1b}`; a byte that is no UTF-8 as
/// `\x80`. So one text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafeText {
    shown: String,
    /// What came, if it is shown as anything else.
    exact: Option<String>,
}

impl SafeText {
    /// Takes in text as it came.
    pub(crate) fn new(received: &[u8]) -> Self {
        let mut shown = String::with_capacity(received.len());
        for chunk in received.utf8_chunks() {
            push_text(&mut shown, chunk.valid());
            for byte in chunk.invalid() {
                push(&mut shown, format_args!("\\x{byte:02x}"));
            }
        }
        let came = String::from_utf8_lossy(received);
        let exact = (came != shown).then(|| came.into_owned());
        Self { shown, exact }
    }

    /// The text as it came, for programs: bytes that are no UTF-8 are replaced.
    pub(crate) fn exact(&self) -> &str {
        self.exact.as_ref().unwrap_or(&self.shown)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.shown
    }

    /// The beginning of the text, up to `width` columns of a screen.
    pub(crate) fn excerpt(&self, width: usize) -> Self {
        let mut columns = 0;
        let cut = self.shown.char_indices().find(|(_, c)| {
            columns += c.width().unwrap_or_default();
            columns > width
        });
        match cut.and_then(|(at, _)| self.shown.get(..at)) {
            Some(front) => Self { shown: format!("{front}…"), exact: None },
            None => self.clone(),
        }
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn push_text(shown: &mut String, text: &str) {
    // The character that the next mark would be put on, and the marks on it already.
    let mut base = None;
    let mut marks = 0;
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_picture_selector(c) && base.is_some_and(|base: char| !base.is_ascii()) => {
                shown.push(c);
                // A second one in a row says nothing.
                base = None;
                continue;
            }
            _ if is_hidden(c) => push(shown, format_args!("{}", c.escape_unicode())),
            _ if c.width() == Some(0) => {
                marks += 1;
                if base.is_none() || marks > MAX_MARKS {
                    push(shown, format_args!("{}", c.escape_unicode()));
                } else {
                    shown.push(c);
                }
                continue;
            }
            _ => {
                shown.push(c);
                base = Some(c);
                marks = 0;
                continue;
            }
        }
        base = None;
        marks = 0;
    }
}

fn push(shown: &mut String, what: fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = fmt::Write::write_fmt(shown, what);
}

/// Asks for the coloured or the plain form of the picture before it.
fn is_picture_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Whether a character is a control or format character, breaks lines, or is
/// ignored by whoever does not know it (`Default_Ignorable_Code_Point`).
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            // Zero-width characters, bidi marks, line separators, bidi overrides.
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            // Word joiners, bidi isolates.
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            // Tags and further selectors: whole texts can be hidden in them.
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(received: &str) -> String {
        SafeText::new(received.as_bytes()).to_string()
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in [
            "hello, y! (it's 5 o'clock) \\o/",
            "Grüße, naïve façade, e\u{301}",
            "שלום عليكم नमस्ते สวัสดี 你好",
            "❤\u{fe0f} 👍🏽",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_acts_on_a_terminal_is_shown_as_its_number() {
        for (received, seen) in [
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{7f}\u{0}", "\\u{7f}\\u{0}"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("pay\u{200b}pal\u{feff}\u{ad}", "pay\\u{200b}pal\\u{feff}\\u{ad}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("x\u{e0041}\u{fe0f}", "x\\u{e0041}\\u{fe0f}"),
        ] {
            assert_eq!(shown(received), seen);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_numbers() {
        assert_eq!(SafeText::new(b"a\xff\x9b2Jb\xc3").to_string(), "a\\xff\\x9b2Jb\\xc3");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let piled = format!("a{}", "\u{301}".repeat(40));
        let seen = shown(&piled);
        assert_eq!(seen.matches('\u{301}').count(), MAX_MARKS);
        assert_eq!(seen.matches("\\u{301}").count(), 40 - MAX_MARKS);
        assert_eq!(
            shown("\u{301}"),
            "\\u{301}",
            "a mark on nothing would sit on what is not received"
        );
    }

    #[test]
    fn an_excerpt_says_that_it_is_one() {
        let text = SafeText::new("a你好b".as_bytes());
        assert_eq!(text.excerpt(6).to_string(), "a你好b");
        assert_eq!(text.excerpt(4).to_string(), "a你…");
        assert_eq!(text.excerpt(0).to_string(), "…");
    }

    proptest! {
        #[test]
        fn nothing_harmful_gets_through(received: Vec<u8>, text in "\\PC*|.*") {
            for received in [&received[..], text.as_bytes()] {
                let seen = shown_bytes(received);
                prop_assert!(!seen.chars().any(|c| is_hidden(c) && !is_picture_selector(c)));
            }
        }
    }

    fn shown_bytes(received: &[u8]) -> String {
        SafeText::new(received).to_string()
    }
}
