//! The memory that the links of an endpoint need, lent by its owner.

use crate::{
    storage::{Bucket, Index, Slab, SlabHead, Slot},
    timers::{TimerCell, Timers},
};

use super::{
    dial::Dial,
    ephemerals::{Ephemerals, EphemeralsHead, Remembered},
    link::{Carry, Link, Role},
    links::{Links, LinksState},
    recovery::Sent,
};

/// One packet in flight of some link.
pub type SentPacket<R> = Sent<Carry<<R as Role>::Token>>;

/// The slices that the links of one endpoint live in.
#[allow(missing_debug_implementations)] // megabytes
pub struct LinkTables<'a, R: Role> {
    /// Sessions; [`super::unconfirmed`] of them are for those that are not confirmed yet.
    pub links: &'a mut [Slot<Link<R>>],
    /// Handshakes that this side began.
    pub dials: &'a mut [Slot<Dial>],
    /// [`Index::buckets`] for links and dials together.
    pub by_session: &'a mut [Bucket],
    /// [`Index::buckets`] for the links.
    pub by_key: &'a mut [Bucket],
    /// Packets in flight, of all links together.
    pub sent: &'a mut [Slot<SentPacket<R>>],
    /// As many as links.
    pub timers: &'a mut [TimerCell],
    /// As many as dials.
    pub dial_timers: &'a mut [TimerCell],
    /// Handshakes that others may begin in half a minute.
    pub ephemerals: &'a mut [Remembered],
    /// [`Index::buckets`] for the ephemerals.
    pub by_ephemeral: &'a mut [Bucket],
}

/// What goes with the slices.
#[derive(Debug)]
pub(crate) struct LinkHeads {
    links: SlabHead,
    dials: SlabHead,
    sent: SlabHead,
    timers: u32,
    dial_timers: u32,
    ephemerals: EphemeralsHead,
    hash: [u8; 16],
}

impl LinkHeads {
    /// Of untouched memory; indexes hash under `hash`.
    pub(crate) fn new(hash: [u8; 16]) -> Self {
        Self {
            links: SlabHead::NEW,
            dials: SlabHead::NEW,
            sent: SlabHead::NEW,
            timers: 0,
            dial_timers: 0,
            ephemerals: EphemeralsHead::default(),
            hash,
        }
    }
}

impl<'a, R: Role> Links<'a, R> {
    pub(crate) fn new(
        state: &'a mut LinksState<R>,
        heads: &'a mut LinkHeads,
        tables: LinkTables<'a, R>,
    ) -> Self {
        Self {
            state,
            links: Slab::new(tables.links, &mut heads.links),
            dials: Slab::new(tables.dials, &mut heads.dials),
            by_session: Index::new(tables.by_session, heads.hash),
            by_key: Index::new(tables.by_key, heads.hash),
            sent: Slab::new(tables.sent, &mut heads.sent),
            timers: Timers::new(tables.timers, &mut heads.timers),
            dial_timers: Timers::new(tables.dial_timers, &mut heads.dial_timers),
            ephemerals: Ephemerals {
                ring: tables.ephemerals,
                index: Index::new(tables.by_ephemeral, heads.hash),
                head: &mut heads.ephemerals,
            },
        }
    }
}
