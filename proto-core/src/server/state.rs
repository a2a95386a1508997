//! What a server keeps between inputs beside its tables.

use core::time::Duration;

use crate::{
    host::Resume,
    id::Incarnation,
    link::{Grant, LinkConfig, LinkHeads, LinksState, RekeyConfig},
    random::{Random, Seed},
    session::{self as crypto, Identity},
    storage::PoolHead,
    time::{Instant, WallClock},
};

use super::{
    accounts::AccountsHead,
    boot::Boot,
    config::Config,
    ctx::Events,
    operator::Operator,
    passwords::Passwords,
    role::ServerRole,
    rooms::RoomsHead,
    roster::RosterHead,
    store::{Requests, Single},
    submit::{MessagesHead, PairsHead},
};

/// The heads of the tables, and what is in none.
#[derive(Debug)]
pub(super) struct State {
    pub(super) config: Config,
    pub(super) now: Instant,
    pub(super) clock: WallClock,
    pub(super) links: LinksState<ServerRole>,
    pub(super) run: Incarnation,
    pub(super) hash: [u8; 16],
    pub(super) link_heads: LinkHeads,
    pub(super) pool: PoolHead,
    pub(super) events: Events,
    pub(super) requests: Requests,
    pub(super) messages: MessagesHead,
    pub(super) pairs: PairsHead,
    pub(super) accounts: AccountsHead,
    pub(super) roster: RosterHead,
    pub(super) rooms: RoomsHead,
    /// The last place given out in any mailbox.
    pub(super) mail: u64,
    pub(super) passwords: Passwords,
    pub(super) boot: Boot,
    pub(super) operator: Operator,
}

impl State {
    pub(super) fn new(
        (config, credit): (Config, Grant),
        identity: Identity,
        seed: Seed,
        resume: Resume,
        now: Instant,
    ) -> Self {
        let mut random = Random::new(seed);
        let hash = random.bytes();
        let unix = resume.clock.unix(now);
        let run = crypto::new_run(identity.suite(), &mut random, resume.boot, unix);
        let link_config = LinkConfig {
            initial_rtt: config.initial_rtt,
            keep_alive: None,
            idle: config.idle,
            datagram: config.datagram,
            credit,
            dial_cap: Duration::ZERO,
            reserved: 0,
            rekey: RekeyConfig {
                after: Duration::MAX,
                least: config.rekey_least,
                packets: config.rekey_packets,
            },
            serves: true,
        };
        // A run's numbers are above those of all runs before it, without asking the store.
        let first = resume.boot << 40;
        let mut requests = Requests::NEW;
        requests.ask_single(Single::Boot);
        Self {
            config,
            now,
            clock: resume.clock,
            links: LinksState::new(identity, random, resume.boot, link_config, now),
            run,
            hash,
            link_heads: LinkHeads::new(hash),
            pool: PoolHead::NEW,
            events: Events::NEW,
            requests,
            messages: MessagesHead::NEW,
            pairs: PairsHead::NEW,
            accounts: AccountsHead::default(),
            roster: RosterHead::new(first),
            rooms: RoomsHead::NEW,
            mail: first,
            passwords: Passwords::NEW,
            boot: Boot::start(),
            operator: Operator::IDLE,
        }
    }
}
