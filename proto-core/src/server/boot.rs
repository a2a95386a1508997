//! What the server reads of its own accord: at its start, who and what there is; then,
//! over and over, what has expired.

use core::time::Duration;

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Account, MAX_INDEX, Position, Room},
    record::{self, AccountRecord, AccountState, MailRecord, MemberRecord, RoomRecord, Standing},
    storage::Id,
    time::Instant,
};

use super::{
    accounts::Accounts,
    ctx::Ctx,
    event::Event,
    mailboxes,
    rooms::{RoomRequests, RoomRow, Rooms},
    roster::Roster,
    store::{Asker, READ_AHEAD, Single},
    submit::Submissions,
};

/// The shortest and the longest pause between two looks for what expired.
const SWEEP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));

/// A reading of the store from one end to the other.
#[derive(Debug)]
pub(super) struct Boot {
    what: What,
    ask: Ask,
    /// When it is looked again for what expired.
    again: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// The next account.
    Accounts { from: u64 },
    /// The next room.
    Rooms { from: u64 },
    /// The beginning of a room's log.
    Beginning { of: Id<RoomRow> },
    /// The last line of a room's log.
    End { of: Id<RoomRow> },
    /// The next member of a room.
    Members { of: Id<RoomRow>, from: u64 },
    /// What is left of a room that was deleted is being forgotten: its log, then its members.
    Deleted { room: Room, log: bool },
    /// The first entry of a mailbox.
    Mail { of: Account },
    /// An expired entry is being forgotten.
    Expired { of: Account, upto: u64 },
}

/// What is read goes into the components that it is of.
#[derive(Debug)]
pub(super) struct Restored<'r, 'a> {
    pub(super) accounts: &'r mut Accounts<'a>,
    pub(super) roster: &'r mut Roster<'a>,
    pub(super) rooms: &'r mut Rooms<'a>,
    pub(super) submissions: &'r mut Submissions<'a>,
}

impl Boot {
    /// Of all there is, from the first account on; [`Single::Boot`] is to be asked for.
    pub(super) fn start() -> Self {
        Self { what: What::Accounts { from: 1 }, ask: Ask::Owed, again: None }
    }

    /// All there is was read.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.what, What::Mail { .. } | What::Expired { .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again
    }

    /// Looks again for what expired when the pause is over.
    pub(super) fn timeout(&mut self, cx: &mut Ctx<'_>) {
        if self.again.is_some_and(|at| at <= cx.now) {
            self.again = None;
            self.go_on(cx, self.what);
        }
    }

    pub(super) fn request(&mut self, cx: &mut Ctx<'_>, rooms: &Rooms<'_>) -> Request {
        cx.requests.settle_single(Single::Boot);
        let ticket = cx.ticket(Asker::Boot, 0);
        self.ask = Ask::Asked(ticket.serial);
        let table = &rooms.table;
        let (log, from) = match self.what {
            What::Accounts { from } => (Log::Accounts, from),
            What::Rooms { from } => (Log::Rooms, from),
            What::Beginning { of } => (Log::Room(table.number(of)), 1),
            What::End { of } => (Log::Room(table.number(of)), table.head(of)),
            What::Members { of, from } => (Log::Members(table.number(of)), from),
            What::Mail { of } => (Log::Mailbox(of), 0),
            What::Deleted { room, log } => {
                let log = if log { Log::Room(room) } else { Log::Members(room) };
                return Request::Trim { ticket, log, upto: u64::MAX };
            }
            What::Expired { of, upto } => {
                return Request::Trim { ticket, log: Log::Mailbox(of), upto };
            }
        };
        let is_many = matches!(self.what, What::Accounts { .. } | What::Members { .. });
        Request::Read { ticket, log, from, most: if is_many { READ_AHEAD } else { 1 } }
    }

    /// What the store has of what was asked for.
    pub(super) fn read(
        &mut self,
        cx: &mut Ctx<'_>,
        to: &mut Restored<'_, '_>,
        ticket: Ticket,
        records: Option<Records<'_>>,
    ) {
        if !self.ask.answer(ticket.serial) {
            return;
        }
        let from = match self.what {
            What::Accounts { from } | What::Rooms { from } | What::Members { from, .. } => from,
            What::Beginning { .. } => 1,
            What::End { .. } | What::Mail { .. } | What::Deleted { .. } | What::Expired { .. } => 0,
        };
        let Some(records) = records.and_then(|records| records.checked(from)) else {
            cx.tell(Event::StoreFailed);
            self.ask_again(cx);
            return;
        };
        let next = match self.what {
            What::Accounts { .. } | What::Rooms { .. } => self.read_table(cx, to, &records),
            What::Beginning { of } => {
                if !to.rooms.table.restore_log(of, records.first(), records.last) {
                    cx.tell(Event::Damaged);
                }
                Some(match records.first() {
                    Some(_) => What::End { of },
                    None => What::Members { of, from: 1 },
                })
            }
            What::End { of } => {
                if let Some((_, bytes)) = records.first() {
                    to.rooms.table.restore_last(of, bytes);
                }
                Some(What::Members { of, from: 1 })
            }
            What::Members { of, .. } => {
                for (number, bytes) in records.records {
                    if !to.restore_member(of, *number, bytes) {
                        cx.tell(Event::Damaged);
                    }
                }
                Some(match records.records.last() {
                    Some((last, _)) => What::Members { of, from: last + 1 },
                    None => What::Rooms { from: u64::from(to.rooms.table.number(of).0) + 2 },
                })
            }
            What::Mail { of } => return self.read_mail(cx, to, of, records.first()),
            What::Deleted { .. } | What::Expired { .. } => None,
        };
        if let Some(what) = next {
            self.go_on(cx, what);
        }
    }

    /// What was expired is forgotten by the store.
    pub(super) fn forgotten(&mut self, cx: &mut Ctx<'_>, ticket: Ticket) {
        if !self.ask.answer(ticket.serial) {
            return;
        }
        match self.what {
            What::Expired { of, .. } => self.go_on(cx, What::Mail { of }),
            What::Deleted { room, log: true } => self.go_on(cx, What::Deleted { room, log: false }),
            What::Deleted { room, .. } => {
                self.go_on(cx, What::Rooms { from: u64::from(room.0) + 2 });
            }
            _ => debug_assert!(false, "nothing else is forgotten"),
        }
    }

    /// Takes in accounts, or a room: what is read next.
    fn read_table(
        &mut self,
        cx: &mut Ctx<'_>,
        to: &mut Restored<'_, '_>,
        records: &Records<'_>,
    ) -> Option<What> {
        let first = records.first();
        Some(match (self.what, first) {
            (What::Accounts { .. }, Some(_)) => {
                let mut from = 0;
                for (number, bytes) in records.records {
                    if !to.restore_account(cx, *number, bytes) {
                        cx.tell(Event::Damaged);
                    }
                    from = number + 1;
                }
                What::Accounts { from }
            }
            (What::Accounts { .. }, None) => match to.rooms.table.lobby() {
                Some(of) => What::Beginning { of },
                None => What::Rooms { from: 1 },
            },
            (_, Some((number, bytes))) => match to.restore_room(cx, number, bytes) {
                Ok(Some(of)) => What::Beginning { of },
                // The last run may have ended before that was done.
                Ok(None) => {
                    What::Deleted { room: Room(number.saturating_sub(1) as u32), log: true }
                }
                Err(()) => {
                    cx.tell(Event::Damaged);
                    What::Rooms { from: number + 1 }
                }
            },
            (_, None) => {
                cx.tell(Event::Ready);
                self.sweep_later(cx, to, 0);
                return None;
            }
        })
    }

    /// Takes in the first entry of a mailbox: whether it has expired.
    fn read_mail(
        &mut self,
        cx: &mut Ctx<'_>,
        to: &mut Restored<'_, '_>,
        of: Account,
        first: Option<(u64, &[u8])>,
    ) {
        // Those who are online are read to by their own cursor.
        let is_offline = to.accounts.is_offline(of);
        let first = first.filter(|_| is_offline);
        let mail = first.and_then(|(at, bytes)| Some((at, record::decode::<MailRecord>(bytes)?.0)));
        match mail {
            // Its author has it back.
            Some((upto, mail)) if !to.accounts.is_readable(of, mail.key) => {
                self.go_on(cx, What::Expired { of, upto });
            }
            Some((upto, mail)) if mailboxes::is_expired(cx, mail.received) => {
                let position = Position::new(mail.epoch, mail.number);
                if to.submissions.expired(cx, to.accounts, (mail.from, of), position) {
                    self.go_on(cx, What::Expired { of, upto });
                } else {
                    self.ask_again(cx);
                }
            }
            _ => self.sweep_later(cx, to, of.place() + 1),
        }
    }

    fn go_on(&mut self, cx: &mut Ctx<'_>, what: What) {
        (self.what, self.ask) = (what, Ask::Owed);
        cx.requests.ask_single(Single::Boot);
    }

    /// The store failed, or is to save something first: it is asked again later.
    fn ask_again(&mut self, cx: &mut Ctx<'_>) {
        self.ask = Ask::Owed;
        cx.requests.fail_single(Single::Boot, cx.now);
    }

    /// Looks for what expired again after a pause, in the mailbox of the next account from a place
    /// on; between the last and the first, in all rooms.
    fn sweep_later(&mut self, cx: &mut Ctx<'_>, to: &mut Restored<'_, '_>, from: u32) {
        let table = &to.accounts.table;
        let (used, count) = (table.used(), table.count());
        let next = (from..used).find_map(|place| table.at(place));
        let of = next.or_else(|| (0..used).find_map(|place| table.at(place)));
        if next.is_none() {
            to.rooms.sweep(cx);
        }
        self.what = What::Mail { of: of.unwrap_or(Account(0)) };
        let pause = cx.config.mail / (count + 1) / 8;
        self.again = Some(cx.now + pause.clamp(SWEEP.0, SWEEP.1));
    }
}

impl Restored<'_, '_> {
    fn restore_account(&mut self, cx: &Ctx<'_>, number: u64, bytes: &[u8]) -> bool {
        let account = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Account);
        let decoded = record::decode::<AccountRecord>(bytes);
        let (Some(account), Some((record, _))) = (account, decoded) else { return false };
        if !self.accounts.restore(account, &record) {
            return false;
        }
        let since = Some(record.since.min(MAX_INDEX));
        let is_gone = record.state == AccountState::Removed;
        let is_in = is_gone || RoomRequests::new(self.rooms).admit(self.accounts, account, since);
        self.roster.change(cx, account);
        is_in
    }

    /// The room that a record is of, unless it has given way; an error if the record is damaged or
    /// does not go with the others.
    fn restore_room(
        &mut self,
        cx: &Ctx<'_>,
        number: u64,
        bytes: &[u8],
    ) -> Result<Option<Id<RoomRow>>, ()> {
        let room = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Room);
        let (room, (record, _)) = room.zip(record::decode::<RoomRecord>(bytes)).ok_or(())?;
        if record.removed {
            self.rooms.table.pass_over(room);
            return Ok(None);
        }
        let mut rooms = RoomRequests::new(self.rooms);
        rooms.restore_room(cx, self.accounts, room, &record).map(Some).ok_or(())
    }

    fn restore_member(&mut self, of: Id<RoomRow>, number: u64, bytes: &[u8]) -> bool {
        let account = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Account);
        let decoded = record::decode::<MemberRecord>(bytes);
        let (Some(account), Some((record, _))) = (account, decoded) else { return false };
        if record.standing == Standing::Nobody || !self.accounts.is_there(account) {
            return true;
        }
        let place = (record.since.min(MAX_INDEX), record.standing);
        RoomRequests::new(self.rooms).restore(self.accounts, of, account, place)
    }
}
