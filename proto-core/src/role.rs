//! What both roles do alike: what they start with, the frames of a packet, taken in one after
//! the other, and the room that is kept for what is next.

use core::fmt;

use crate::{
    host::Resume,
    link::{Begun, Credit, Dropped, Grant, Link, LinkTables, Links, Role, take_rekey},
    record::{BODY_HEADER, record_bound},
    session::MAIL_OVERHEAD,
    storage::{Id, Index, Pool, Slab},
    time::Instant,
    violation::Violation,
    wire::{Frame, FrameError, Frames, MAX_BODY},
};

/// Why a role does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// A table that its host lends is too short for the others.
    Short {
        /// The name of its field.
        table: &'static str,
        /// How many places it has.
        length: usize,
        /// How many it needs at least.
        least: usize,
    },
    /// Another role, or this one before, has used a table: what is left in it would be taken for
    /// this one's own. A role needs memory of its own, or such that was made new again.
    Used {
        /// The name of its field.
        table: &'static str,
    },
    /// The boot number has more than 24 bits: nothing would be above what earlier runs used.
    Boot(u64),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { table, length, least } => {
                write!(f, "the table `{table}` has {length} places and needs {least}")
            }
            Self::Used { table } => write!(f, "the table `{table}` was used by a role before"),
            Self::Boot(boot) => {
                write!(f, "the boot number {boot} is too large: the durable state is damaged")
            }
        }
    }
}

impl core::error::Error for StartError {}

/// A table: its name, its length, and how long it must be at least.
pub(crate) type Need = (&'static str, usize, usize);

/// The most bytes of a record with a text of up to `text` bytes, its author's time and a seal: what
/// a role's working memory needs.
pub const fn text_bound(text: usize) -> usize {
    record_bound(BODY_HEADER + text + MAIL_OVERHEAD)
}

/// The least length of `work`: some text fits.
pub(crate) const LEAST_WORK: usize = text_bound(1);

/// A table's name, and whether it was never used.
pub(crate) type Untouched = (&'static str, bool);

/// Checks what a role starts with.
pub(crate) fn check_start(
    resume: &Resume,
    needs: &[&[Need]],
    untouched: &[&[Untouched]],
) -> Result<(), StartError> {
    if resume.boot >> 24 != 0 {
        return Err(StartError::Boot(resume.boot));
    }
    let short = needs.iter().copied().flatten().find(|(_, length, least)| length < least);
    if let Some(&(table, length, least)) = short {
        return Err(StartError::Short { table, length, least });
    }
    let used = untouched.iter().copied().flatten().find(|(_, untouched)| !untouched);
    used.map_or(Ok(()), |&(table, _)| Err(StartError::Used { table }))
}

/// Which of the tables of links were never used. The others are used only with one of these.
pub(crate) fn untouched_links<R: Role>(tables: &LinkTables<'_, R>) -> [Untouched; 2] {
    [
        ("links.links", Slab::is_untouched(tables.links)),
        ("links.outgoing", Slab::is_untouched(tables.outgoing)),
    ]
}

/// What the tables of links need; `links` of them at least.
pub(crate) fn link_needs<R: Role>(tables: &LinkTables<'_, R>, links: usize) -> [Need; 9] {
    let (all, outgoing) = (tables.links.len(), tables.outgoing.len());
    [
        ("links.links", all, links),
        ("links.by_session", tables.by_session.len(), Index::buckets(all)),
        ("links.by_key", tables.by_key.len(), Index::buckets(all)),
        ("links.sent", tables.sent.len(), 1),
        ("links.timers", tables.timers.len(), all),
        ("links.by_outgoing", tables.by_outgoing.len(), Index::buckets(outgoing)),
        ("links.outgoing_timers", tables.outgoing_timers.len(), outgoing),
        ("links.by_ephemeral", tables.by_ephemeral.len(), Index::buckets(all)),
        ("links.prefixes", tables.prefixes.len(), 1),
    ]
}

/// The messages that one other may begin: a quarter of the places for them, within these bounds.
pub(crate) const ARRIVING: (usize, usize) = (16, 512);

/// The credit to grant in bytes: nobody is to send what there is no room to save, or to hold.
pub(crate) fn grant(credit: u32, work: usize, blocks: usize) -> u32 {
    let longest = work.saturating_sub(record_bound(0)).min(Pool::bytes(blocks));
    if longest < MAX_BODY { credit.min(longest as u32) } else { credit }
}

/// The credit to grant to each other side, `bytes` of it, with so many `places` for messages.
pub(crate) fn credit(bytes: u32, places: usize) -> Grant {
    let messages = (places / 4).clamp(ARRIVING.0, ARRIVING.1).min(places);
    Grant { bytes, messages: messages as u16 }
}

/// What becomes of the frame that begins a message of `bytes` bytes beyond the credit that its
/// sender has; `None` if it is within it.
pub(crate) fn overrun(credit: &Credit, bytes: usize) -> Option<FrameOutcome> {
    match credit.check(bytes) {
        Begun::Granted => None,
        Begun::NoRoom => Some(FrameOutcome::NoRoom),
        Begun::Overrun(rule) => Some(FrameOutcome::Broken(rule)),
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameOutcome {
    /// It was taken in.
    Done,
    /// There is no room for it now: its packet does not count as received.
    NoRoom,
    /// The other side broke a rule, and the link is over.
    Broken(Violation),
}

/// Whether there is a place and room for a body of `bytes` bytes beside what is kept free for
/// bodies of up to `longest` bytes that are next in their order: a quarter, and enough for one.
/// What waits for another must leave that room, or the other might find none, and both wait
/// for ever.
pub(crate) fn is_room_to_wait<T>(
    slab: &Slab<'_, T>,
    pool: &Pool<'_>,
    bytes: usize,
    longest: usize,
) -> bool {
    let places = slab.capacity() - slab.len();
    let blocks = pool.capacity() - pool.used();
    let spare = (pool.capacity() / 4).max(Pool::blocks(longest));
    places > (slab.capacity() / 4).max(1) && blocks >= Pool::blocks(bytes) + spare
}

/// A role at work, to which packets come.
pub(crate) trait Receiver<'a> {
    /// What it uses links for.
    type Role: Role + 'a;

    /// All its links, and the time.
    fn links(&mut self) -> (&mut Links<'a, Self::Role>, Instant);

    /// Takes in a frame of the packet `number`. It may be one that was taken in before.
    fn take_frame(
        &mut self,
        link: Id<Link<Self::Role>>,
        number: u64,
        frame: &Frame<'_>,
    ) -> FrameOutcome;

    /// Ends a link whose other side broke the rules.
    fn end(&mut self, link: Id<Link<Self::Role>>, broken: Violation);

    /// Takes in a half of a rekey, which is the link's affair.
    fn take_rekey(&mut self, link: Id<Link<Self::Role>>, frame: &Frame<'_>) -> FrameOutcome {
        let (links, now) = self.links();
        let taken = take_rekey(links, link, frame, now);
        taken.map_or_else(FrameOutcome::Broken, |()| FrameOutcome::Done)
    }

    /// Takes in a packet.
    fn take_packet(&mut self, link: Id<Link<Self::Role>>, number: u64, plaintext: &[u8]) {
        let contents = take_frames(plaintext, |frame| self.take_frame(link, number, frame));
        let (links, now) = self.links();
        match contents {
            Contents::Whole { eliciting } => links.accept(link, number, eliciting, now),
            Contents::Partly => links.counters().dropped.count(Dropped::NoRoom),
            Contents::Broken(broken) => {
                links.counters().violations.count(broken);
                self.end(link, broken);
            }
        }
    }
}

/// What became of a packet's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// All were taken in. `eliciting`: one of them asks for an Ack.
    Whole { eliciting: bool },
    /// Some found no room: the whole packet comes again.
    Partly,
    /// One is against the rules, and nothing behind it was looked at.
    Broken(Violation),
}

/// Takes in the frames of a packet, one after the other. When one finds no room, those behind
/// it are taken in all the same: it may be them that the room is kept for.
fn take_frames(plaintext: &[u8], mut take: impl FnMut(&Frame<'_>) -> FrameOutcome) -> Contents {
    let (mut eliciting, mut whole) = (false, true);
    let mut frames = Frames::new(plaintext);
    for frame in frames.by_ref() {
        let taken = match frame {
            Ok(frame) => {
                eliciting |= !matches!(frame, Frame::Ack(_) | Frame::Close(_));
                take(&frame)
            }
            Err(FrameError::Unsupported(_)) => FrameOutcome::Broken(Violation::UnknownFrame),
            Err(FrameError::Length | FrameError::Body) => FrameOutcome::Broken(Violation::BadFrame),
        };
        match taken {
            FrameOutcome::Done => {}
            FrameOutcome::NoRoom => whole = false,
            FrameOutcome::Broken(rule) => return Contents::Broken(rule),
        }
    }
    eliciting |= frames.skipped();
    if whole { Contents::Whole { eliciting } } else { Contents::Partly }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    /// The frames of three Credits, which only some have room for, and what became of them.
    fn taken(rest: &[u8], answer: impl Fn(u64) -> FrameOutcome) -> (Vec<u64>, Contents) {
        let credits = [[4, 2, 0, 1, 0], [4, 2, 0, 2, 0], [4, 2, 0, 3, 0]];
        let mut plaintext = credits.as_flattened().to_vec();
        plaintext.extend_from_slice(rest);
        let mut seen = Vec::new();
        let contents = take_frames(&plaintext, |frame| match frame {
            Frame::Credit(limit) => {
                seen.push(limit.bytes);
                answer(limit.bytes)
            }
            _ => FrameOutcome::Done,
        });
        (seen, contents)
    }

    #[test]
    fn what_finds_no_room_stops_nothing_behind_it_and_what_is_wrong_does() {
        let whole = (vec![1, 2, 3], Contents::Whole { eliciting: true });
        assert_eq!(taken(&[], |_| FrameOutcome::Done), whole);
        let full = |limit| if limit == 1 { FrameOutcome::NoRoom } else { FrameOutcome::Done };
        assert_eq!(taken(&[], full), (vec![1, 2, 3], Contents::Partly));
        let broken = |rule| Contents::Broken(rule);
        let wrong = |limit| {
            if limit == 2 { FrameOutcome::Broken(Violation::BadCursor) } else { full(limit) }
        };
        assert_eq!(taken(&[], wrong), (vec![1, 2], broken(Violation::BadCursor)));
        assert_eq!(taken(&[2, 9, 0], full), (vec![1, 2, 3], broken(Violation::BadFrame)));
        let unknown = broken(Violation::UnknownFrame);
        assert_eq!(taken(&[0x7f, 0, 0], full), (vec![1, 2, 3], unknown));
    }
}
