//! The memory that the links of an endpoint need, lent by its owner.

use crate::{
    storage::{Bucket, Index, Slab, SlabHead, Slot},
    timers::{TimerCell, Timers},
};

use super::{
    initiator::OutgoingHandshakes,
    link::{Link, Role, SentFrame},
    links::{Links, LinksState},
    outgoing::OutgoingHandshake,
    prefixes::{PrefixShare, Prefixes},
    recovery::Sent,
    responder::Responder,
    schedule::Schedule,
    table::Table,
};

/// One packet in flight of some link.
pub type SentPacket<R> = Sent<SentFrame<<R as Role>::Token>>;

/// The slices that the links of one endpoint live in.
#[allow(missing_debug_implementations)] // megabytes
pub struct LinkTables<'a, R: Role> {
    /// Sessions; [`super::unconfirmed`] of them are for those that are not confirmed yet.
    pub links: &'a mut [Slot<Link<R>>],
    /// [`Index::buckets`] for the links.
    pub by_session: &'a mut [Bucket],
    /// [`Index::buckets`] for the links.
    pub by_key: &'a mut [Bucket],
    /// Packets in flight, of all links together.
    pub sent: &'a mut [Slot<SentPacket<R>>],
    /// As many as links.
    pub timers: &'a mut [TimerCell],
    /// Handshakes that this side began.
    pub outgoing: &'a mut [Slot<OutgoingHandshake>],
    /// [`Index::buckets`] for the handshakes that this side began.
    pub by_outgoing: &'a mut [Bucket],
    /// As many as handshakes that this side began.
    pub outgoing_timers: &'a mut [TimerCell],
    /// [`Index::buckets`] for the links.
    pub by_ephemeral: &'a mut [Bucket],
    /// What each source prefix holds: with twice as many places as there are prefixes at a time, hardly
    /// any two share one.
    pub prefixes: &'a mut [PrefixShare<R>],
}

/// What goes with the slices.
#[derive(Debug)]
pub(crate) struct LinkHeads {
    links: SlabHead,
    outgoing: SlabHead,
    sent: SlabHead,
    timers: u32,
    outgoing_timers: u32,
    hash: [u8; 16],
}

impl LinkHeads {
    /// Of untouched memory; indexes hash under `hash`.
    pub(crate) fn new(hash: [u8; 16]) -> Self {
        Self {
            links: SlabHead::NEW,
            outgoing: SlabHead::NEW,
            sent: SlabHead::NEW,
            timers: 0,
            outgoing_timers: 0,
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
        let links = Slab::new(tables.links, &mut heads.links);
        let by_session = Index::new(tables.by_session, heads.hash);
        let by_key = Index::new(tables.by_key, heads.hash);
        let timers = Timers::new(tables.timers, &mut heads.timers);
        let outgoing = Slab::new(tables.outgoing, &mut heads.outgoing);
        let by_outgoing = Index::new(tables.by_outgoing, heads.hash);
        let outgoing_timers = Timers::new(tables.outgoing_timers, &mut heads.outgoing_timers);
        let by_ephemeral = Index::new(tables.by_ephemeral, heads.hash);
        let indexes = [by_session, by_key, by_ephemeral];
        let prefixes = Prefixes::new(tables.prefixes, &mut state.spare, heads.hash);
        Self {
            local: &mut state.local,
            config: &state.config,
            statistics: &mut state.statistics,
            table: Table::new(links, indexes, prefixes, &mut state.counts, &mut state.closing),
            schedule: Schedule::new(&mut state.lists, timers),
            outgoing: OutgoingHandshakes::new(
                outgoing,
                by_outgoing,
                outgoing_timers,
                &mut state.due,
            ),
            responder: Responder::new(&mut state.cookies),
            sent: Slab::new(tables.sent, &mut heads.sent),
        }
    }
}
