//! What both roles do alike: the frames of a packet, taken in one after the other.

use crate::{
    link::{Link, Links, Role},
    storage::Id,
    time::Instant,
    wire::{CloseReason, Frame, FrameError, Frames},
};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was taken in.
    Done,
    /// There is no room for it now: its packet does not count as received.
    NoRoom,
    /// The link is over.
    Close(CloseReason),
}

/// A role at work, to which packets come.
pub(crate) trait Receiver<'a> {
    /// What it uses links for.
    type Role: Role + 'a;

    /// All its links, and the time.
    fn links(&mut self) -> (&mut Links<'a, Self::Role>, Instant);

    /// Takes in a frame of the packet `number`. It may be one that was taken in before.
    fn take_frame(&mut self, link: Id<Link<Self::Role>>, number: u64, frame: &Frame<'_>) -> Taken;

    /// Ends a link whose other side broke the rules.
    fn end(&mut self, link: Id<Link<Self::Role>>, reason: CloseReason);

    /// Takes in a packet's frames. When one finds no room, the whole packet comes again. Those
    /// behind it are taken in all the same: it may be them that the room is kept for.
    fn take_packet(&mut self, link: Id<Link<Self::Role>>, number: u64, plaintext: &[u8]) {
        let (mut eliciting, mut whole) = (false, true);
        let mut frames = Frames::new(plaintext);
        for frame in frames.by_ref() {
            let taken = match frame {
                Ok(frame) => {
                    eliciting |= !matches!(frame, Frame::Ack(_) | Frame::Close(_));
                    self.take_frame(link, number, &frame)
                }
                Err(FrameError::Unsupported(_)) => Taken::Close(CloseReason::Unsupported),
                Err(FrameError::Length | FrameError::Body) => Taken::Close(CloseReason::Malformed),
            };
            match taken {
                Taken::Done => {}
                Taken::NoRoom => whole = false,
                Taken::Close(reason) => {
                    self.end(link, reason);
                    return;
                }
            }
        }
        eliciting |= frames.skipped();
        let (links, now) = self.links();
        if whole {
            links.accept(link, number, eliciting, now);
        } else {
            links.state.drops.no_room += 1;
        }
    }
}
