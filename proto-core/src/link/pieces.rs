//! Bodies cut into pieces, and put together again.

use crate::{
    storage::{Body, Pool},
    wire::{FRAGMENT_UNIT, Frame},
};

use super::{
    link::Role,
    packet::Packet,
    units::{Run, Units},
};

/// The longest piece that is cut, in bytes: more than fits a datagram.
const LONGEST: usize = 8 * FRAGMENT_UNIT;

/// A piece of a body, as a frame brings it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    total: usize,
    run: Run,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// `bytes` at `offset` of a body of `total` bytes; `None` if they do not begin and end where
    /// pieces do.
    pub(crate) fn new(total: u16, offset: u16, bytes: &'a [u8]) -> Option<Self> {
        let total = usize::from(total);
        let run = Units::run(offset.into(), bytes.len(), total)?;
        Some(Self { total, run, bytes })
    }

    /// Bytes of the whole body.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Puts it in its place in a body of which there is `have`. Whether the body is whole then;
    /// `None` if it is a piece of another one. What is there already stays as it is.
    pub(crate) fn put(
        &self,
        pool: &mut Pool<'_>,
        body: &mut Body,
        have: &mut Units,
    ) -> Option<bool> {
        if body.len() != self.total {
            return None;
        }
        if !have.contains(self.run) {
            pool.write(body, self.run.offset(), self.bytes);
            have.insert(self.run);
        }
        Some(*have == Units::all(self.total))
    }
}

impl<R: Role> Packet<'_, R> {
    /// The next of the units `todo` of a body of `total` bytes that fit a frame with `header`
    /// bytes beside them; `None` if not one does.
    pub(crate) fn next_run(&self, todo: Units, total: usize, header: usize) -> Option<Run> {
        todo.first_run(total, self.room().saturating_sub(header).min(LONGEST))
    }

    /// Adds the frame with a run of a body of `total` bytes, as [`Self::push`] does.
    #[must_use]
    pub(crate) fn push_piece(
        &mut self,
        (pool, body): (&Pool<'_>, &Body),
        (total, run): (usize, Run),
        frame: impl for<'p> FnOnce(u16, &'p [u8]) -> Frame<'p>,
        token: R::Token,
    ) -> bool {
        let mut piece = [0; LONGEST];
        let piece = piece.get_mut(..run.len(total)).unwrap_or_default();
        let length = pool.read(body, run.offset(), piece);
        let piece = piece.get(..length).unwrap_or_default();
        self.push(&frame(run.offset() as u16, piece), token)
    }
}
