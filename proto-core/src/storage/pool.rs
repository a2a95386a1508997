//! The pool of message bodies: blocks of 256 bytes, chained.

/// Bytes in one block.
const BLOCK: usize = 256;

/// One block of a [`Pool`].
#[derive(Debug)]
pub struct Block {
    next: u32,
    bytes: [u8; BLOCK],
}

impl Block {
    /// A block that was never used. All zeros, so that a static of them takes no room in
    /// a program's image.
    pub const EMPTY: Self = Self { next: 0, bytes: [0; BLOCK] };
}

const NONE: u32 = u32::MAX;

/// What a [`Pool`] remembers beside its blocks.
#[derive(Debug)]
pub struct PoolHead {
    free: u32,
    untouched: u32,
    used: u32,
}

impl PoolHead {
    /// Of an empty pool.
    pub const NEW: Self = Self { free: NONE, untouched: 0, used: 0 };
}

/// A body in a [`Pool`]. Not `Copy`: it goes back with [`Pool::free`].
#[derive(Debug, Default)]
pub struct Body {
    first: Option<u32>,
    length: u32,
}

impl Body {
    /// No bytes at all.
    pub const EMPTY: Self = Self { first: None, length: 0 };

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// A pool over lent blocks.
#[derive(Debug)]
pub struct Pool<'a> {
    blocks: &'a mut [Block],
    head: &'a mut PoolHead,
}

impl<'a> Pool<'a> {
    /// Over lent memory. `head` must be the one that has gone with `blocks` from the start.
    pub fn new(blocks: &'a mut [Block], head: &'a mut PoolHead) -> Self {
        Self { blocks, head }
    }

    /// Blocks that hold `bytes` bytes.
    pub const fn blocks(bytes: usize) -> usize {
        bytes.div_ceil(BLOCK)
    }

    /// Bytes that `blocks` blocks hold.
    pub const fn bytes(blocks: usize) -> usize {
        blocks.saturating_mul(BLOCK)
    }

    /// Blocks in use.
    pub fn used(&self) -> usize {
        self.head.used as usize
    }

    /// Blocks in all.
    pub fn capacity(&self) -> usize {
        self.blocks.len()
    }

    /// A body of `length` bytes of whatever was there; `None` if the pool has no room.
    pub fn allocate(&mut self, length: usize) -> Option<Body> {
        let needed = Self::blocks(length);
        if needed > self.capacity() - self.used() {
            return None;
        }
        let mut first = NONE;
        for _ in 0..needed {
            let at = if self.head.free == NONE {
                self.head.untouched += 1;
                self.head.untouched - 1
            } else {
                self.head.free
            };
            let block = self.blocks.get_mut(at as usize)?;
            if at == self.head.free {
                self.head.free = block.next;
            }
            block.next = first;
            first = at;
            self.head.used += 1;
        }
        Some(Body { first: (needed > 0).then_some(first), length: length as u32 })
    }

    /// A body with these bytes; `None` if the pool has no room.
    pub fn store(&mut self, bytes: &[u8]) -> Option<Body> {
        let mut body = self.allocate(bytes.len())?;
        self.write(&mut body, 0, bytes);
        Some(body)
    }

    /// Gives a body's blocks back.
    pub fn free(&mut self, body: Body) {
        let mut at = body.first.unwrap_or(NONE);
        while let Some(block) = self.blocks.get_mut(at as usize) {
            let next = core::mem::replace(&mut block.next, self.head.free);
            self.head.free = at;
            self.head.used -= 1;
            at = next;
        }
    }

    /// Overwrites from `offset`, as far as the body goes.
    pub fn write(&mut self, body: &mut Body, offset: usize, bytes: &[u8]) {
        let room = body.len().saturating_sub(offset);
        let mut rest = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        let (mut at, mut within) = self.locate(body, offset);
        while let (false, Some(block)) = (rest.is_empty(), self.blocks.get_mut(at as usize)) {
            let target = block.bytes.get_mut(within..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(target.len()));
            for (to, from) in target.iter_mut().zip(now) {
                *to = *from;
            }
            (rest, at, within) = (later, block.next, 0);
        }
    }

    /// Copies from `offset` into `out`; how many bytes there were.
    pub fn read(&self, body: &Body, offset: usize, out: &mut [u8]) -> usize {
        let wanted = body.len().saturating_sub(offset).min(out.len());
        let mut rest = out.get_mut(..wanted).unwrap_or_default();
        let (mut at, mut within) = self.locate(body, offset);
        while let (false, Some(block)) = (rest.is_empty(), self.blocks.get(at as usize)) {
            let source = block.bytes.get(within..).unwrap_or_default();
            let (now, later) = rest.split_at_mut(rest.len().min(source.len()));
            for (to, from) in now.iter_mut().zip(source) {
                *to = *from;
            }
            (rest, at, within) = (later, block.next, 0);
        }
        wanted
    }

    /// The block that `offset` is in, and where in it.
    fn locate(&self, body: &Body, offset: usize) -> (u32, usize) {
        let mut at = body.first.unwrap_or(NONE);
        for _ in 0..offset / BLOCK {
            at = self.blocks.get(at as usize).map_or(NONE, |block| block.next);
        }
        (at, offset % BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bodies_keep_their_bytes_until_freed(
            steps in prop::collection::vec((any::<bool>(), 0..1500usize, any::<u8>(), 0..1500usize), 1..60),
        ) {
            let mut blocks = [const { Block::EMPTY }; 16];
            let mut head = PoolHead::NEW;
            let mut pool = Pool::new(&mut blocks, &mut head);
            let mut live: Vec<(Body, Vec<u8>)> = Vec::new();
            for (add, length, fill, offset) in steps {
                if add {
                    let room = pool.capacity() - pool.used();
                    match pool.allocate(length) {
                        None => prop_assert!(Pool::blocks(length) > room),
                        Some(mut body) => {
                            let mut model = vec![0; length];
                            pool.write(&mut body, 0, &model);
                            let piece = vec![fill; 300];
                            pool.write(&mut body, offset, &piece);
                            model.iter_mut().skip(offset).take(300).for_each(|b| *b = fill);
                            live.push((body, model));
                        }
                    }
                } else if !live.is_empty() {
                    let (body, _) = live.swap_remove(length % live.len());
                    pool.free(body);
                }
                prop_assert_eq!(pool.used(), live.iter().map(|(b, _)| Pool::blocks(b.len())).sum::<usize>());
                for (body, model) in &live {
                    let mut out = vec![0; 2000];
                    let read = pool.read(body, offset, &mut out);
                    prop_assert_eq!(&out[..read], model.get(offset..).unwrap_or_default());
                }
            }
        }
    }
}
