//! Whole endpoints that begin sessions with each other, and the numbers that those are
//! found by.

mod abuse;
mod rekey;

use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::{collections::VecDeque, vec, vec::Vec};

use super::{
    Admit, Arrival, Expired, Grant, Link, LinkConfig, LinkHeads, LinkStatistics, LinkTables, Links,
    LinksState, OutgoingHandshake, PrefixShare, REKEY_LEAST, REKEY_PACKETS, RekeyConfig, Role,
    SentPacket, Target, take_rekey,
};
use crate::{
    id::{PublicKey, SecretKey},
    random::tests::fixed,
    session::{Identity, Portable},
    storage::{Bucket, Slot},
    time::Instant,
    timers::TimerCell,
    wire::{Frame, Frames, MAX_DATAGRAM},
};

/// Nobody who has anything to say.
#[derive(Debug)]
struct Silent;

impl Role for Silent {
    type Token = ();
    type State = ();
}

/// Links that an endpoint has room for.
const LINKS: usize = 8;

/// An endpoint with all that it is lent.
struct Endpoint {
    at: SocketAddr,
    now: Instant,
    /// Answers without a state, and to whom.
    replies: VecDeque<(SocketAddr, Vec<u8>)>,
    /// It acknowledges nothing.
    is_deaf: bool,
    state: LinksState<Silent>,
    heads: LinkHeads,
    links: Vec<Slot<Link<Silent>>>,
    outgoing: Vec<Slot<OutgoingHandshake>>,
    by_outgoing: Vec<Bucket>,
    by_session: Vec<Bucket>,
    by_key: Vec<Bucket>,
    sent: Vec<Slot<SentPacket<Silent>>>,
    timers: Vec<TimerCell>,
    outgoing_timers: Vec<TimerCell>,
    by_ephemeral: Vec<Bucket>,
    prefixes: Vec<PrefixShare<Silent>>,
}

impl Endpoint {
    /// A server's, or a client's, with the key and the port of this number.
    fn new(number: u8, serves: bool) -> Self {
        Self::sized(number, serves, LINKS, 8 * LINKS)
    }

    /// With room for so many links and packets in flight.
    fn sized(number: u8, serves: bool, links: usize, packets: usize) -> Self {
        let config = LinkConfig {
            initial_rtt: Duration::from_millis(100),
            keep_alive: None,
            idle: Duration::from_mins(1),
            datagram: 1200,
            credit: Grant { bytes: 1000, messages: 8 },
            dial_cap: Duration::from_secs(10),
            reserved: 0,
            rekey: RekeyConfig {
                after: Duration::from_mins(15),
                least: REKEY_LEAST,
                packets: REKEY_PACKETS,
            },
            serves,
        };
        let identity = Identity::new(SecretKey([number; 32]), &Portable);
        let (random, now) = (fixed(number), Instant::default());
        Self {
            at: SocketAddr::from((Ipv4Addr::LOCALHOST, number.into())),
            now,
            replies: VecDeque::new(),
            state: LinksState::new(identity, random, 1, config, now),
            heads: LinkHeads::new([number; 16]),
            is_deaf: false,
            links: (0..links).map(|_| Slot::EMPTY).collect(),
            outgoing: (0..links).map(|_| Slot::EMPTY).collect(),
            by_outgoing: vec![None; 2 * links],
            by_session: vec![None; 2 * links],
            by_key: vec![None; 2 * links],
            sent: (0..packets).map(|_| Slot::EMPTY).collect(),
            timers: vec![TimerCell::EMPTY; links],
            outgoing_timers: vec![TimerCell::EMPTY; links],
            by_ephemeral: vec![None; 2 * links],
            prefixes: (0..64).map(|_| PrefixShare::EMPTY).collect(),
        }
    }

    fn links(&mut self) -> Links<'_, Silent> {
        let tables = LinkTables {
            links: &mut self.links,
            outgoing: &mut self.outgoing,
            by_outgoing: &mut self.by_outgoing,
            by_session: &mut self.by_session,
            by_key: &mut self.by_key,
            sent: &mut self.sent,
            timers: &mut self.timers,
            outgoing_timers: &mut self.outgoing_timers,
            by_ephemeral: &mut self.by_ephemeral,
            prefixes: &mut self.prefixes,
        };
        Links::new(&mut self.state, &mut self.heads, tables)
    }

    /// Its source of randomness gives the same again as the last time that this was called.
    fn repeat_itself(&mut self) {
        self.state.set_random(fixed(77));
    }

    fn key(&self) -> PublicKey {
        self.state.identity().public()
    }

    fn dial(&mut self, other: &Endpoint) {
        let (now, is_server) = (self.now, other.state.config.serves);
        let target =
            if is_server { Target::Server(Some(other.key())) } else { Target::Peer(other.key()) };
        self.links().begin_handshake(now, other.at, target).unwrap();
    }

    /// Something is to be said in every session.
    fn ping(&mut self) {
        let mut links = self.links();
        let all: Vec<_> = links.slab_mut().iter().map(|(id, _)| id).collect();
        for id in all {
            links.get_mut(id).unwrap().ping = true;
            links.wake(id);
        }
    }

    fn next_datagram(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(reply);
        }
        let (now, mut scratch) = (self.now, [0; MAX_DATAGRAM]);
        let mut links = self.links();
        if let Some((to, length)) = links.next_handshake(&mut scratch) {
            return Some((to, scratch[..length].to_vec()));
        }
        while let Some((id, packet)) = links.begin(now, &mut scratch) {
            if let Some((to, length)) = links.finish(id, packet, now) {
                return Some((to, scratch[..length].to_vec()));
            }
        }
        None
    }

    /// Whose packet this is, if it is one.
    fn receive(&mut self, from: SocketAddr, mut datagram: Vec<u8>) -> Option<PublicKey> {
        let (now, is_deaf) = (self.now, self.is_deaf);
        let mut links = self.links();
        match links.receive(now, from, &mut datagram, &mut |_| Admit::Yes { outgoing: None }) {
            Arrival::Packet { link, number, plaintext, .. } => {
                let mut eliciting = false;
                for frame in Frames::new(plaintext) {
                    match frame.unwrap() {
                        Frame::Ack(ack) => {
                            links.acknowledged(link, &ack, now, &mut |(), (), _| {}).unwrap();
                        }
                        Frame::Close(_) => {
                            links.remove(link);
                        }
                        frame @ (Frame::Rekey(_) | Frame::Rekeyed(_)) => {
                            eliciting = true;
                            take_rekey(&mut links, link, &frame, now).unwrap();
                        }
                        _ => eliciting = true,
                    }
                }
                if !is_deaf {
                    links.accept(link, number, eliciting, now);
                }
                links.get(link).map(|link| link.peer)
            }
            Arrival::Reply(reply) => {
                let reply = (from, reply.to_vec());
                self.replies.push_back(reply);
                None
            }
            Arrival::Nothing | Arrival::Established { .. } => None,
        }
    }

    fn let_pass(&mut self, span: Duration) {
        self.now = self.now + span;
        let now = self.now;
        while let Some(expired) = self.links().timeout(now, &mut |(), (), _| {}) {
            if let Expired::Dead(id) = expired {
                self.links().remove(id);
            }
        }
    }
}

/// Datagrams go to and fro until none is left: whose packets each of them got.
fn exchange(one: &mut Endpoint, other: &mut Endpoint) -> [Vec<PublicKey>; 2] {
    let mut heard = [Vec::new(), Vec::new()];
    loop {
        let (from_one, from_other) = (one.next_datagram(), other.next_datagram());
        if from_one.is_none() && from_other.is_none() {
            return heard;
        }
        if let Some((_, datagram)) = from_one.filter(|(to, _)| *to == other.at) {
            heard[1].extend(other.receive(one.at, datagram));
        }
        if let Some((_, datagram)) = from_other.filter(|(to, _)| *to == one.at) {
            heard[0].extend(one.receive(other.at, datagram));
        }
    }
}

#[test]
fn a_server_gives_no_two_clients_one_session_id() {
    let mut server = Endpoint::new(1, true);
    let mut clients = [Endpoint::new(2, false), Endpoint::new(3, false)];
    for client in &mut clients {
        server.repeat_itself();
        client.dial(&server);
        exchange(client, &mut server);
    }
    for client in &mut clients {
        client.ping();
        let [_, heard] = exchange(client, &mut server);
        assert_eq!(heard.first(), Some(&client.key()));
        assert!(heard.iter().all(|by| *by == client.key()));
    }
}

#[test]
fn a_client_uses_no_session_id_twice() {
    let mut client = Endpoint::new(1, false);
    let mut servers = [Endpoint::new(2, true), Endpoint::new(3, true)];
    for server in &mut servers {
        client.repeat_itself();
        client.dial(server);
        for _ in 0..10 {
            exchange(&mut client, server);
            client.let_pass(Duration::from_millis(500));
            server.let_pass(Duration::from_millis(500));
        }
    }
    for server in &mut servers {
        server.ping();
        let [heard, _] = exchange(&mut client, server);
        assert_eq!(heard.first(), Some(&server.key()));
        assert!(heard.iter().all(|by| *by == server.key()));
    }
}

/// Peers begin handshakes with a client and leave it at that.
#[test]
fn whoever_is_flooded_with_handshakes_still_reaches_its_server() {
    let mut client = Endpoint::new(1, false);
    for number in 10..10 + 2 * LINKS as u8 {
        let mut peer = Endpoint::new(number, false);
        peer.dial(&client);
        for _ in 0..2 {
            // A Hello and its Retry, an Init and its Accept.
            let (_, datagram) = peer.next_datagram().unwrap();
            client.receive(peer.at, datagram);
            if let Some((_, datagram)) = client.next_datagram() {
                peer.receive(client.at, datagram);
            }
        }
    }
    let mut server = Endpoint::new(2, true);
    client.dial(&server);
    exchange(&mut client, &mut server);
    server.ping();
    let [heard, _] = exchange(&mut client, &mut server);
    assert_eq!(heard.first(), Some(&server.key()));
}
