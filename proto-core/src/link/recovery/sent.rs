//! The record of a packet under way.

use heapless::Vec;

use crate::{
    storage::{Linked, Node},
    time::Instant,
};

/// The most tokens that one packet carries.
const MAX_CARRIED: usize = 12;

/// What a packet carried, in its owner's terms: up to 12 tokens.
pub(crate) type Carried<T> = Vec<T, MAX_CARRIED, u8>;

/// An eliciting packet under way: an entry of a pool that all links share.
#[derive(Debug)]
pub struct Sent<T> {
    pub(super) number: u64,
    pub(super) at: Instant,
    pub(super) bytes: u16,
    /// A PTO has given its tokens back already.
    pub(super) given_back: bool,
    pub(super) carried: Carried<T>,
    pub(super) node: Node<Self>,
}

/// The kind of list that a link's packets under way are in, the oldest first.
#[derive(Debug)]
pub(super) struct InFlight;

impl<T> Linked<InFlight> for Sent<T> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.node
    }
}

/// What became of a token that a packet carried.
///
/// Of each packet, every token is visited as `Lost` at most once and as `Acked` at
/// most once, `Acked` being the last word; once at the least before the packet is
/// forgotten. The same token in another packet has a fate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Acked,
    /// It has to be sent again, as far as anyone can tell yet.
    Lost,
}

impl<T: Copy> Sent<T> {
    /// Visits its tokens as lost, unless that has been done.
    pub(super) fn lose(&self, visit: &mut dyn FnMut(T, Fate)) {
        if !self.given_back {
            self.carried.iter().for_each(|token| visit(*token, Fate::Lost));
        }
    }
}
