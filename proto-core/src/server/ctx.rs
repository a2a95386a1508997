//! What every component of the server may use, for the length of one input.

use heapless::Deque;
use serde::Serialize;

use crate::{
    host::{Log, Request, Ticket},
    id::{Account, Incarnation},
    link::Links,
    record::{self, BODY_HEADER, record_bound},
    session::MAIL_OVERHEAD,
    storage::{Body, Id, Pool},
    time::{Instant, UnixTime, WallClock},
    wire::MAX_BODY,
};

use super::{
    config::Config,
    event::Event,
    role::{ClientSession, ServerLink, ServerRole},
    store::{Asker, Requests},
    submit::Messages,
};

/// How many events wait for the host at most; the oldest that nobody waits for give way.
const EVENTS: usize = 32;

/// The last number that the wall clock makes, in the year 2097: a clock that is wrong must not
/// use up those that are left.
const LATEST: u32 = 0xf000_0000;

/// Links, messages in memory, the store's queue, events and the time.
pub(super) struct Ctx<'a> {
    pub(super) links: Links<'a, ServerRole>,
    pub(super) messages: Messages<'a>,
    pub(super) pool: Pool<'a>,
    pub(super) work: &'a mut [u8],
    pub(super) requests: &'a mut Requests,
    pub(super) events: &'a mut Events,
    pub(super) config: &'a Config,
    pub(super) now: Instant,
    pub(super) clock: WallClock,
    /// This run of the server.
    pub(super) run: Incarnation,
}

impl Ctx<'_> {
    pub(super) fn tell(&mut self, event: Event) {
        self.events.tell(event);
    }

    pub(super) fn unix(&self) -> UnixTime {
        self.clock.unix(self.now)
    }

    /// Seconds since 1970 by the wall clock: where numbers go on that must not be given twice,
    /// not even by a server whose store was put back.
    pub(super) fn seconds(&self) -> u32 {
        let seconds = self.unix().0 / 1_000_000;
        u32::try_from(seconds).map_or(LATEST, |seconds| seconds.min(LATEST))
    }

    /// The client at the other end of a link that is live.
    pub(super) fn session(&mut self, link: Id<ServerLink>) -> Option<&mut ClientSession> {
        self.links.get_mut(link).filter(|link| link.is_live()).map(|link| &mut link.role)
    }

    /// The account behind a link, if it is registered.
    pub(super) fn online(&self, link: Id<ServerLink>) -> Option<Account> {
        self.links.get(link)?.role.seat.online()
    }

    /// The longest body that may come: what was granted, and can be saved.
    pub(super) fn longest_body(&self) -> usize {
        MAX_BODY.min(self.config.credit as usize)
    }

    /// The longest text taken, in bytes: no longer than there is room to save.
    pub(super) fn text_limit(&self) -> u32 {
        let room = self.work.len().saturating_sub(record_bound(MAIL_OVERHEAD + BODY_HEADER));
        self.config.text.min(room as u32)
    }

    pub(super) fn ticket(&mut self, asker: Asker, slot: u32) -> Ticket {
        self.requests.ticket(asker, slot)
    }

    /// The request to put a record without a body.
    pub(super) fn put(
        &mut self,
        ticket: Ticket,
        log: Log,
        number: u64,
        header: &impl Serialize,
    ) -> Option<Request> {
        let length = record::encode(self.work, header, &self.pool, &Body::EMPTY, 0)?;
        Some(Request::Put { ticket, log, number, length })
    }

    /// Makes room in memory for one more submission; see [`Self::make_room`].
    pub(super) fn make_room_to_submit(&mut self, bytes: usize, early: bool) -> bool {
        let longest = self.longest_body();
        self.messages.leaves_room(&self.pool, bytes, longest) && self.make_room(bytes, early)
    }

    /// Makes room in memory for one more message with a body of `bytes` bytes. `early` is one that
    /// waits for others to come, and leaves the last of the room to them. `false` if there is no
    /// room.
    pub(super) fn make_room(&mut self, bytes: usize, early: bool) -> bool {
        let longest = self.longest_body();
        self.messages.make_room(&mut self.pool, bytes, early.then_some(longest))
    }
}

/// What the host's user is to be told.
#[derive(Debug)]
pub(super) struct Events {
    queue: Deque<Event, EVENTS>,
    /// The user was told that clients know more than the store.
    put_back: bool,
}

impl Events {
    pub(super) const NEW: Self = Self { queue: Deque::new(), put_back: false };

    pub(super) fn tell(&mut self, event: Event) {
        if self.queue.is_full() {
            // Those that are kept are fewer than there is room for: each comes once, or when asked.
            for _ in 0..EVENTS {
                let Some(oldest) = self.queue.pop_front().filter(Event::is_awaited) else { break };
                let _ = self.queue.push_back(oldest);
            }
        }
        let told = self.queue.push_back(event);
        debug_assert!(told.is_ok(), "one just gave way");
    }

    /// A client knows more of this server than its store.
    pub(super) fn notice_put_back(&mut self) {
        if !core::mem::replace(&mut self.put_back, true) {
            self.tell(Event::PutBack);
        }
    }

    pub(super) fn next(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
