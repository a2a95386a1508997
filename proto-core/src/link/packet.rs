//! A packet while it is being written.

use core::net::SocketAddr;

use crate::{
    random::Random,
    session::Suite,
    time::Instant,
    wire::{Frame, FrameWriter, MAX_DATAGRAM, PacketHeader, TAG_LENGTH},
};

use super::{
    config::{LinkConfig, Local},
    link::{Link, Phase, Role, SentFrame},
    recovery::{Carried, Sent},
};
use crate::storage::Slab;

/// A packet for one link, filled frame by frame, then sealed.
pub(crate) struct Packet<'b, R: Role> {
    writer: FrameWriter<'b>,
    frames: Carried<SentFrame<R::Token>>,
    /// Something in it asks for an acknowledgement.
    eliciting: bool,
    may_elicit: bool,
    acks: bool,
    closing: bool,
}

/// Bytes that stay free in a packet so that an Ack or Ping always fits a full one.
const SMALLEST_USE: usize = 8;

impl<'b, R: Role> Packet<'b, R> {
    /// Begins a packet with what the link itself owes; `None` if it may not send.
    pub(super) fn begin(
        link: &mut Link<R>,
        sent: &Slab<'_, Sent<SentFrame<R::Token>>>,
        (local, config): (&mut Local, &LinkConfig),
        now: Instant,
        scratch: &'b mut [u8; MAX_DATAGRAM],
    ) -> Option<Self> {
        let size = usize::from(link.datagram);
        let writer = FrameWriter::new(scratch, PacketHeader::LENGTH, size - TAG_LENGTH);
        let mut packet = Self {
            writer,
            frames: Carried::new(),
            eliciting: false,
            may_elicit: false,
            acks: false,
            closing: false,
        };
        match &mut link.phase {
            Phase::Unconfirmed { .. } | Phase::Closing { owed: false, .. } => return None,
            Phase::Closing { reason, owed, .. } => {
                *owed = false;
                packet.closing = true;
                return packet.writer.push(&Frame::Close(*reason)).then_some(packet);
            }
            Phase::Live(flow) => packet.may_elicit = flow.recovery.can_send(sent, size),
        }
        let (is_initiator, rekey) = (link.is_initiator(), (&config.rekey, &mut local.random));
        link.rekeying.advance(&link.keys, is_initiator, rekey, now);
        if packet.may_elicit && link.rekeying.is_owed() {
            // First of all: beside the longest Ack it would not fit the smallest packet.
            link.write_rekey(local, |frame, sent| packet.put(frame, sent));
        }
        if let Phase::Live(flow) = &link.phase
            && flow.received.is_owed()
        {
            let ack = flow.received.ack(now);
            packet.acks = ack.is_some_and(|ack| packet.writer.push(&Frame::Ack(ack)));
        }
        if packet.may_elicit && link.credit.is_owed() {
            let limit = link.credit.announce();
            if !packet.put(&Frame::Credit(limit), SentFrame::Credit) {
                link.credit.forget_announcement();
            }
        }
        Some(packet)
    }

    /// The last word on a link: nothing else belongs into it.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// The longest body that one more frame can have; 0 if none may be added.
    pub(crate) fn room(&self) -> usize {
        let room = self.writer.room();
        if self.may_elicit && !self.frames.is_full() && room > SMALLEST_USE { room } else { 0 }
    }

    /// Adds a frame; `token` tells what became of it. `false` if there is no room
    /// or nothing more may be sent now.
    #[must_use]
    pub(crate) fn push(&mut self, frame: &Frame<'_>, token: R::Token) -> bool {
        self.put(frame, SentFrame::Role(token))
    }

    fn put(&mut self, frame: &Frame<'_>, sent: SentFrame<R::Token>) -> bool {
        if self.room() == 0 || !self.writer.push(frame) {
            return false;
        }
        self.eliciting = true;
        self.frames.push(sent).is_ok()
    }

    /// Seals the packet: to whom it goes, and how long it is. `None` if there was
    /// nothing to send.
    pub(super) fn finish(
        mut self,
        link: &mut Link<R>,
        sent: &mut Slab<'_, Sent<SentFrame<R::Token>>>,
        (suite, random): (&dyn Suite, &mut Random),
        now: Instant,
    ) -> Option<(SocketAddr, usize)> {
        if let Phase::Live(flow) = &link.phase {
            let ping = link.ping || flow.recovery.is_probing();
            if ping && !self.eliciting && self.may_elicit {
                self.eliciting = self.writer.push(&Frame::Ping(()));
            }
            // An Ack goes by itself only when it is due; else it rides along later.
            let ack_due = flow.received.deadline().is_some_and(|at| at <= now);
            if !(self.eliciting || self.acks && ack_due) {
                return None;
            }
        }
        let length = self.writer.length();
        let packet = self.writer.into_inner();
        if let Phase::Live(flow) = &mut link.phase
            && flow.skips.take(link.keys.seal.next(), random)
        {
            link.keys.seal.skip();
        }
        let (number, size) = link.keys.seal.seal(suite, link.theirs, packet, length)?;
        let Phase::Live(flow) = &mut link.phase else { return Some((link.address, size)) };
        if self.acks {
            flow.received.acked();
        }
        if self.eliciting {
            link.ping = false;
            link.asked = now;
            let recorded = flow.recovery.sent(sent, number, now, size, self.frames);
            debug_assert!(recorded.is_ok(), "there was a record for it when the packet began");
        }
        Some((link.address, size))
    }
}
