//! Tables of a size fixed at compile time that both roles have.

use core::fmt;

use super::Block;

/// `N` blocks of 256 bytes, which hold the texts of messages in memory.
pub struct Blocks<const N: usize>(pub(crate) [Block; N]);

impl<const N: usize> Blocks<N> {
    pub(crate) const NEW: Self = Self([const { Block::EMPTY }; N]);
}

impl<const N: usize> fmt::Debug for Blocks<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocks<{N}>")
    }
}

/// `N` bytes of working memory: one record, on its way to the store or from it. The longest text
/// decides: `Work<{ text_bound(200) }>`, see [`text_bound`](crate::text_bound).
pub struct Work<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Work<N> {
    pub(crate) const NEW: Self = Self([0; N]);
}

impl<const N: usize> fmt::Debug for Work<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Work<{N}>")
    }
}

/// Checks that a table in the docs tells, to within an eighth, what one of something takes.
#[cfg(test)]
pub(crate) fn is_told(docs: &str, name: &str, bytes: usize) {
    if cfg!(not(target_pointer_width = "64")) {
        return;
    }
    let row = std::format!("//! | [`{name}`] | ");
    let told = docs.lines().find_map(|line| line.strip_prefix(&row)?.split(' ').next());
    let told: usize = told.and_then(|told| told.replace(',', "").parse().ok()).unwrap_or(0);
    assert!(
        told.abs_diff(bytes) <= bytes / 8,
        "the docs say that {name} takes {told}, not {bytes}"
    );
}
