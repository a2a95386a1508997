//! A handshake that this side began, from the first Hello to the Accept.

use core::{net::SocketAddr, time::Duration};

use crate::{
    id::{PublicKey, SessionId},
    session::{self, INIT_NOISE, Initiator, Offer},
    storage::{Linked, List, Node},
    wire::{Hello, HelloTo, Init, MAX_DATAGRAM, Retry, VERSION},
};

use super::{
    config::{LinkConfig, Local},
    credit::Grant,
};

/// Datagram sizes to ask for when larger ones are not answered.
const SMALLER: [u16; 2] = [512, 256];

/// How many Hellos of one size go unanswered before a smaller one is tried.
const TRIES_A_SIZE: u32 = 3;

/// How often one Init is sent before a new Hello replaces it: the cookie in it
/// does not live long.
const INIT_TRIES: u8 = 3;

/// The list of handshakes that have a datagram to send.
#[derive(Debug)]
pub struct Due;

/// A handshake that this side began.
#[derive(Debug)]
pub struct OutgoingHandshake {
    pub(super) to: SocketAddr,
    pub(super) target: Target,
    pub(super) hello: Hello,
    stage: Stage,
    tries: u32,
    /// A Retry came with another key than the one expected.
    pub(super) wrong_key: bool,
    due: Node<Self>,
}

pub(super) type DueList = List<OutgoingHandshake, Due>;

impl Linked<Due> for OutgoingHandshake {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.due
    }
}

/// Whom a handshake is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A server; without a key, whoever answers is believed.
    Server(Option<PublicKey>),
    /// A peer.
    Peer(PublicKey),
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // a handful at a time
enum Stage {
    Hello,
    Init {
        initiator: Initiator,
        responder: PublicKey,
        cookie: [u8; 16],
        noise: [u8; INIT_NOISE],
        sent: u8,
    },
}

impl OutgoingHandshake {
    pub(super) fn new(
        local: &mut Local,
        config: &LinkConfig,
        to: SocketAddr,
        target: Target,
    ) -> Self {
        let hello = hello(local, target, config.datagram);
        Self {
            to,
            target,
            hello,
            stage: Stage::Hello,
            tries: 0,
            wrong_key: false,
            due: Node::UNLINKED,
        }
    }

    /// The id that this side receives under: the start of the Hello's random
    /// bytes, so that one index finds the handshake for a Retry and for an Accept.
    pub(super) fn session(&self) -> SessionId {
        let [a, b, c, d, ..] = self.hello.random;
        SessionId(u32::from_le_bytes([a, b, c, d]))
    }

    /// Datagram bytes asked for.
    pub(super) fn datagram(&self) -> u16 {
        self.hello.size
    }

    /// Some tries went unanswered.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// A Retry from the right address: goes on to the Init. `false` if it is
    /// damaged, of another version or key, or nothing new.
    pub(super) fn retry(&mut self, local: &mut Local, retry: &Retry, credit: Grant) -> bool {
        if !session::check_retry(local.identity.suite(), &self.hello, retry)
            || retry.version != VERSION
            || matches!(self.stage, Stage::Init { cookie, .. } if cookie == retry.cookie)
        {
            return false;
        }
        let responder = match self.target {
            Target::Peer(key) if retry.key.is_none() => key,
            Target::Server(None) if retry.key.is_some() => retry.key.unwrap_or(PublicKey([0; 32])),
            Target::Server(Some(pinned)) if retry.key == Some(pinned) => pinned,
            Target::Server(Some(_)) if retry.key.is_some() => {
                self.wrong_key = true;
                return false;
            }
            _ => return false,
        };
        let offer = offer(self.session(), credit);
        let Some((initiator, noise)) = Initiator::new(
            &local.identity,
            &responder,
            &self.hello,
            retry,
            offer,
            &mut local.random,
            local.boot,
        ) else {
            return false;
        };
        self.wrong_key = false;
        self.stage = Stage::Init { initiator, responder, cookie: retry.cookie, noise, sent: 0 };
        true
    }

    /// The initiator's state and whom it expects to answer, once a Retry came.
    pub(super) fn initiator(&self) -> Option<(&Initiator, PublicKey)> {
        match &self.stage {
            Stage::Init { initiator, responder, .. } => Some((initiator, *responder)),
            Stage::Hello => None,
        }
    }

    /// No answer came in time: sends the same again, or begins anew with a new
    /// Hello. `true` if the session id changed.
    pub(super) fn again(&mut self, local: &mut Local, config: &LinkConfig) -> bool {
        self.tries += 1;
        if matches!(&self.stage, Stage::Init { sent, .. } if *sent < INIT_TRIES) {
            return false;
        }
        let step = self.tries / TRIES_A_SIZE;
        let smaller = SMALLER.get((step as usize).wrapping_sub(1) % (SMALLER.len() + 1));
        let size = match smaller {
            Some(smaller) if step > 0 => (*smaller).min(config.datagram),
            _ => config.datagram,
        };
        self.hello = hello(local, self.target, size);
        self.stage = Stage::Hello;
        true
    }

    /// How long to wait for an answer to what goes out now.
    pub(super) fn patience(&self, config: &LinkConfig) -> Duration {
        let first = config.initial_rtt * 2;
        first.saturating_mul(1 << self.tries.min(10)).min(config.dial_cap)
    }

    pub(super) fn encode<'b>(&mut self, out: &'b mut [u8; MAX_DATAGRAM]) -> &'b mut [u8] {
        match &mut self.stage {
            Stage::Hello => self.hello.encode(out),
            Stage::Init { cookie, noise, sent, .. } => {
                *sent += 1;
                Init { hello: self.hello, cookie: *cookie, noise }.encode(out)
            }
        }
    }
}

/// What this side tells in a handshake.
pub(super) fn offer(session: SessionId, credit: Grant) -> Offer {
    Offer { session, credit: credit.bytes, messages: credit.messages }
}

fn hello(local: &mut Local, target: Target, size: u16) -> Hello {
    let random = local.random.bytes();
    let mut hello = Hello { version: VERSION, size, random, to: HelloTo::Server };
    if let Target::Peer(key) = target {
        hello.to = HelloTo::Peer { mac: [0; 16] };
        let mac = session::hello_mac(local.identity.suite(), &key, &hello);
        hello.to = HelloTo::Peer { mac };
    }
    hello
}
