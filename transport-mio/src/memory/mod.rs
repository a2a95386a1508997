//! Memory for the roles from the heap, its size chosen when the program starts.

mod client;
mod server;

use std::iter;

use proto_core::{
    link::{Link, PrefixShare, Role, SentPacket},
    storage::{Bucket, Index},
};

pub use client::{ClientMemory, ClientSizes};
pub use server::{ServerMemory, ServerSizes};

/// How many bytes one table takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableBytes {
    /// The table.
    pub table: &'static str,
    /// Its places.
    pub places: usize,
    /// Bytes of one place.
    pub each: usize,
}

impl TableBytes {
    fn of<T>(table: &'static str, slice: &[T]) -> Self {
        Self { table, places: slice.len(), each: size_of::<T>() }
    }

    /// Bytes of the whole table.
    pub const fn total(self) -> usize {
        self.places * self.each
    }
}

/// A packet in flight on a link; the core keeps the names of its roles to itself.
type PacketOf<L> = SentPacket<<L as OfRole>::Role>;

/// What source prefixes hold of such links.
type PrefixOf<L> = PrefixShare<<L as OfRole>::Role>;

/// Places for source prefixes, which share them when there are more at a time; all are looked at when
/// links run out.
const PREFIXES: usize = 1024;

trait OfRole {
    type Role: Role;
}

impl<R: Role> OfRole for Link<R> {
    type Role = R;
}

/// A table that was never used.
fn table<T>(places: usize, empty: impl FnMut() -> T) -> Box<[T]> {
    iter::repeat_with(empty).take(places).collect()
}

/// An index over `entries` places.
fn buckets(entries: usize) -> Box<[Bucket]> {
    vec![None; Index::buckets(entries)].into()
}
