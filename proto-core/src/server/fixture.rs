//! Components over a little memory that is never given back, without an engine and without links:
//! for their tests.

use core::num::NonZeroU32;

use std::{boxed::Box, vec::Vec};

use crate::{
    host::{Log, Records, Request, Ticket},
    id::{Account, Epoch, Incarnation, Nick, Number, PublicKey, Recipient, SecretKey},
    link::{Grant, LinkConfig, LinkHeads, Links, LinksState, Piece, RekeyConfig},
    random::{Random, Seed},
    record::{Access, AccountRecord, AccountState},
    session::{Identity, Portable},
    storage::{Id, Pool, PoolHead},
    text_bound,
    time::{Instant, WallClock},
    wire::Submit,
};

use super::{
    accounts::{Accounts, AccountsHead},
    config::Config,
    ctx::{Ctx, Events},
    fixed::{self, Fixed},
    mailboxes::{Mail, Mailboxes},
    memory::{Storage, Tables},
    rooms::{Line, RoomRequests, Rooms, RoomsHead},
    roster::{Roster, RosterHead},
    routing::Router,
    store::{Next, Requests},
    submit::{self, Entry, Kind, Messages, MessagesHead, Pairs, PairsHead, Submissions},
};

type Memory = Fixed<
    fixed::Links<2>,
    fixed::Accounts<4>,
    fixed::Rooms<4>,
    fixed::Members<8>,
    fixed::Entries<8>,
    fixed::Blocks<32>,
    fixed::Packets<4>,
    fixed::Work<{ text_bound(400) }>,
>;

/// The components.
pub(crate) struct Fixture {
    pub(crate) cx: Ctx<'static>,
    pub(crate) accounts: Accounts<'static>,
    pub(crate) roster: Roster<'static>,
    pub(crate) submissions: Submissions<'static>,
    pub(crate) mailboxes: Mailboxes<'static>,
    pub(crate) rooms: Rooms<'static>,
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

impl Fixture {
    #[allow(clippy::large_types_passed_by_value)] // as a server takes it
    pub(crate) fn new(config: Config) -> Self {
        let (hash, now) = ([7; 16], Instant::from_micros(1));
        let seed = Seed::draw(|bytes| {
            bytes.fill(9);
            Ok::<_, ()>(())
        });
        let seed = seed.expect("it cannot fail");
        let identity = Identity::new(SecretKey([3; 32]), &Portable);
        let links = LinkConfig {
            initial_rtt: config.initial_rtt,
            keep_alive: None,
            idle: config.idle,
            datagram: config.datagram,
            credit: Grant { bytes: config.credit, messages: 64 },
            dial_cap: config.idle,
            reserved: 0,
            rekey: RekeyConfig {
                after: config.idle,
                least: config.rekey_least,
                packets: config.rekey_packets,
            },
            serves: true,
        };
        let random = Random::new(seed);
        let links = leak(LinksState::new(identity, random, 1, links, now));
        let tables = leak(Memory::new()).tables();
        let names = (tables.by_nick, tables.by_key);
        let versions = Tables::versions(tables.accounts.len(), tables.versions);
        let messages = leak(MessagesHead::NEW);
        Self {
            cx: Ctx {
                links: Links::new(links, leak(LinkHeads::new(hash)), tables.links),
                messages: Messages::new(
                    tables.entries,
                    tables.entry_timers,
                    tables.by_place,
                    messages,
                    hash,
                ),
                pool: Pool::new(tables.blocks, leak(PoolHead::NEW)),
                work: tables.work,
                requests: leak(Requests::NEW),
                events: leak(Events::NEW),
                config: leak(config),
                now,
                clock: WallClock::UNKNOWN,
                run: Incarnation([5; 8]),
            },
            accounts: Accounts::new(tables.accounts, names, leak(AccountsHead::default()), hash),
            roster: Roster::new(versions, leak(RosterHead::new(0))),
            submissions: Submissions {
                pairs: Pairs::new(tables.pairs, tables.by_pair, leak(PairsHead::NEW), hash),
            },
            mailboxes: Mailboxes::new(leak(0)),
            rooms: Rooms::new(tables.rooms, leak(RoomsHead::NEW), hash),
        }
    }

    /// An account that the store has, with a place in the lobby; nobody is online for it.
    pub(crate) fn account(&mut self, nick: &str) -> Account {
        let account = self.accounts.table.next().expect("there is room");
        let record = AccountRecord {
            key: PublicKey([(account.0 + account.0 / Account::PLACES * 100) as u8 + 1; 32]),
            nick: Nick::new(nick).expect("a nick"),
            epoch: Epoch(1),
            run: Incarnation::NONE,
            since: 0,
            access: Access::Key,
            state: AccountState::Active,
            key_number: 0,
        };
        assert!(self.accounts.restore(account, &record), "there is room");
        let mut requests = RoomRequests::new(&mut self.rooms);
        assert!(requests.admit(&mut self.accounts, account, None), "there is room");
        account
    }

    pub(crate) fn router(&mut self) -> Router<'_, 'static> {
        let Self { cx, accounts, roster, submissions, mailboxes, rooms } = self;
        Router { cx, accounts, roster, submissions, mailboxes, rooms }
    }

    /// An author submits a message, which comes in one piece over a link that is gone.
    pub(crate) fn submit(&mut self, author: Account, to: Recipient, number: u64) -> Id<Entry> {
        let Self { cx, accounts, submissions, .. } = self;
        let pair = submissions.pairs.open(cx, author, to).expect("a pair");
        if !submissions.pairs.is_loaded(pair) {
            let Some(Request::Read { ticket, .. }) = submissions.pairs.request(cx, pair) else {
                panic!("the store says how far the pair is");
            };
            let nothing = Some(Records::default());
            let (pair, loaded) =
                submissions.pairs.read(cx, ticket, nothing, |_| None).expect("an answer");
            submissions.loaded(cx, accounts, pair, loaded);
        }
        let text = [b'x'; 200];
        let total = text.len() as u16;
        let (epoch, number) = (Epoch(1), Number(number));
        let submit = Submit { to, epoch, number, key: 0, skip: 0, total, offset: 0, piece: &text };
        let nick = self.accounts.nick(author).expect("it is there");
        let kind = match to {
            Recipient::Account(_) => Kind::Mail(Mail::sealed((nick, PublicKey([0; 32])), 0)),
            Recipient::Room(_) => Kind::Line(Line::by(nick)),
        };
        let link = Id::from_parts(0, NonZeroU32::MIN);
        let id = submissions.add(cx, (link, pair), &submit, kind, false).expect("room for it");
        let piece = Piece::new(total, 0, &text).expect("a piece");
        assert!(submit::put(cx, link, id, 0, &piece, true));
        self.router().take_next(pair);
        id
    }

    /// What the store is asked next, and the ticket.
    pub(crate) fn next_request(&mut self) -> Option<(Asked, Ticket)> {
        loop {
            let request = match self.cx.requests.next()? {
                Next::Entry(entry) => self.router().request(entry),
                Next::Pair(pair) => self.submissions.pairs.request(&mut self.cx, pair),
                Next::Room(room) => self.rooms.request(&mut self.cx, room),
                other => panic!("{other:?}"),
            };
            match request {
                Some(Request::Put { ticket, log, number, .. }) => {
                    return Some((Asked::Put(log, number), ticket));
                }
                Some(Request::Trim { ticket, log, upto }) => {
                    return Some((Asked::Trim(log, upto), ticket));
                }
                Some(Request::Read { ticket, log, from, .. }) => {
                    return Some((Asked::Read(log, from), ticket));
                }
                Some(Request::CheckPassword { .. }) | None => {}
            }
        }
    }

    /// All that the store is asked.
    pub(crate) fn requests(&mut self) -> Vec<(Asked, Ticket)> {
        core::iter::from_fn(|| self.next_request()).collect()
    }
}

/// What the store is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Put(Log, u64),
    Trim(Log, u64),
    Read(Log, u64),
}
