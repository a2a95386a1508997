//! Datagrams that are taken off the network.

use std::fmt;

use crate::letter::Letter;

/// Datagrams that are wanted are held: the next one, or all.
pub(super) struct Interception {
    wanted: Box<dyn Fn(&Letter) -> bool>,
    most: usize,
    held: Vec<Letter>,
}

impl fmt::Debug for Interception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interception").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Interception {
    /// Up to `most` that are wanted are held.
    pub(super) fn new(wanted: impl Fn(&Letter) -> bool + 'static, most: usize) -> Self {
        Self { wanted: Box::new(wanted), most, held: Vec::new() }
    }

    /// Whether a datagram is held.
    pub(super) fn takes(&mut self, letter: &Letter) -> bool {
        let taken = self.held.len() < self.most && (self.wanted)(letter);
        if taken {
            self.held.push(letter.clone());
        }
        taken
    }

    /// The one that was held last.
    pub(super) fn pop(&mut self) -> Option<Letter> {
        self.held.pop()
    }

    /// All that are held.
    pub(super) fn into_held(self) -> Vec<Letter> {
        self.held
    }
}
