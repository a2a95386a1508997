//! What those can take who overstep, alone or by the dozen, and what they cannot take from others.

use super::*;
use crate::{
    storage::Id,
    violation::Violation,
    wire::{Ack, CloseReason},
};

/// A client in a network of its own, or in one that many have in common.
fn client(number: u8, network: u8) -> Endpoint {
    let port = u16::from(number);
    Endpoint { at: SocketAddr::from(([10, 0, 0, network], port)), ..Endpoint::new(number, false) }
}

impl Endpoint {
    fn all(&mut self) -> Vec<Id<Link<Silent>>> {
        self.links().slab_mut().iter().map(|(id, _)| id).collect()
    }

    fn close_all(&mut self, reason: CloseReason) {
        let now = self.now;
        for id in self.all() {
            self.links().close(id, reason, now);
        }
    }

    fn forget_all(&mut self) {
        for id in self.all() {
            self.links().remove(id);
        }
    }

    /// What is known of the first session that there is.
    fn statistics_of_one(&mut self) -> LinkStatistics {
        let id = self.all()[0];
        self.links().get(id).unwrap().statistics().unwrap()
    }

    /// From the Hello to the Init, which is not delivered.
    fn init(&mut self, server: &mut Endpoint) -> Vec<u8> {
        self.dial(server);
        let (_, hello) = self.next_datagram().unwrap();
        server.receive(self.at, hello);
        let (_, retry) = server.replies.pop_back().unwrap();
        self.receive(server.at, retry);
        self.next_datagram().unwrap().1
    }

    /// Whether a session with the server works at once.
    fn is_heard(&mut self, server: &mut Endpoint) -> bool {
        self.ping();
        let [_, heard] = exchange(self, server);
        heard.contains(&self.key())
    }

    /// Whether a session with the server comes about, and works at once.
    fn gets_in(&mut self, server: &mut Endpoint) -> bool {
        self.dial(server);
        exchange(self, server);
        self.is_heard(server)
    }
}

#[test]
fn statistics_tell_what_the_network_did() {
    let (mut server, mut client) = (Endpoint::new(1, true), Endpoint::new(2, false));
    client.dial(&server);
    exchange(&mut client, &mut server);
    let mut lost = 0;
    for number in 0..196 {
        client.ping();
        let (_, datagram) = client.next_datagram().unwrap();
        if number % 7 == 3 {
            lost += 1;
        } else {
            server.receive(client.at, datagram);
        }
        for span in [10, 25] {
            client.let_pass(Duration::from_millis(span));
            server.let_pass(Duration::from_millis(span));
            exchange(&mut server, &mut client);
        }
    }
    let (sent, received) = (client.statistics_of_one(), server.statistics_of_one());
    assert_eq!(sent.packets_lost, lost);
    assert_eq!(sent.datagram_size, 1200);
    assert!(sent.smoothed_rtt < Duration::from_millis(100), "{sent:?}");
    assert_eq!(received.packets_received + lost, sent.packets_sent);
    let [ours, theirs] = [client.links().statistics(), server.links().statistics()];
    assert_eq!((ours.handshakes.begun, ours.handshakes.completed), (1, 1));
    assert_eq!((theirs.handshakes.accepted, theirs.handshakes.completed), (1, 1));
    assert_eq!(theirs.datagrams_received + lost, ours.datagrams_sent);
    assert_eq!((theirs.links.used, theirs.links.capacity), (1, LINKS));
}

#[test]
fn who_acknowledges_what_was_left_out_is_found_out() {
    let (mut server, mut client) = (Endpoint::new(1, true), Endpoint::new(2, false));
    client.dial(&server);
    exchange(&mut client, &mut server);
    let (now, id) = (server.now, server.all()[0]);
    let mut broken = None;
    for _ in 0..128 {
        server.ping();
        // It is acknowledged, though it did not arrive.
        server.next_datagram().unwrap();
        let mut links = server.links();
        let largest = links.get(id).unwrap().keys.seal.next() - 1;
        let ack = Ack { largest, delay: 0, first: largest.min(1), gaps: heapless::Vec::new() };
        if let Err(rule) = links.acknowledged(id, &ack, now, &mut |(), (), _| {}) {
            broken = Some(rule);
            break;
        }
    }
    assert_eq!(broken, Some(Violation::AckOfSkipped));
}

#[test]
fn a_copied_init_makes_no_more_go_out_than_three_times_what_came() {
    for size in [256, 512, 1200, 1472] {
        let (mut server, mut client) = (Endpoint::new(1, true), Endpoint::new(2, false));
        client.state.config.datagram = size;
        let init = client.init(&mut server);
        let (mut came, mut sent) = (usize::from(size), 0);
        for at in 0..300 {
            came += init.len();
            server.receive(client.at, init.clone());
            while let Some((to, datagram)) = server.next_datagram() {
                assert_eq!(to, client.at);
                sent += datagram.len();
            }
            assert!(sent <= 3 * came, "{sent} for {came} with {size}");
            if at % 3 == 0 {
                server.let_pass(Duration::from_millis(250));
            }
        }
        assert!(sent > 0);
    }
}

#[test]
fn a_copied_init_displaces_nobody() {
    let (mut server, mut client) = (Endpoint::sized(1, true, 64, 64), Endpoint::new(2, false));
    let copied = client.init(&mut server);
    server.receive(client.at, copied.clone());
    let (_, accept) = server.next_datagram().unwrap();
    client.receive(server.at, accept);
    exchange(&mut client, &mut server);
    client.forget_all();
    server.forget_all();
    // It begins anew, and the copy comes before its first packet does.
    let init = client.init(&mut server);
    server.receive(client.at, init);
    let (_, accept) = server.next_datagram().unwrap();
    server.receive(client.at, copied);
    client.receive(server.at, accept);
    assert!(client.is_heard(&mut server));
}

#[test]
fn closed_sessions_fill_nothing() {
    for reason in [CloseReason::Leaving, CloseReason::Displaced] {
        let mut server = Endpoint::new(1, true);
        for number in 10..60 {
            assert!(client(number, 7).gets_in(&mut server), "{number} after {reason:?}");
            server.close_all(reason);
            server.let_pass(Duration::from_millis(10));
        }
        assert!(client(2, 8).gets_in(&mut server));
    }
}

#[test]
fn one_key_holds_few_sessions() {
    let mut server = Endpoint::new(1, true);
    let mut copies: Vec<_> = (0..20).map(|network| client(2, network)).collect();
    for copy in &mut copies {
        assert!(copy.gets_in(&mut server));
        server.let_pass(Duration::from_millis(10));
    }
    assert_eq!(server.links().statistics().links.used, 4);
    assert!(copies.last_mut().unwrap().is_heard(&mut server), "the newest is there still");
}

#[test]
fn one_network_holds_all_links_and_a_newcomer_gets_in() {
    let mut server = Endpoint::new(1, true);
    let mut early = client(9, 1);
    assert!(early.gets_in(&mut server));
    for number in 10..40 {
        client(number, 7).gets_in(&mut server);
        server.let_pass(Duration::from_millis(10));
    }
    for network in 2..5 {
        assert!(client(50 + network, network).gets_in(&mut server), "from {network}");
        server.let_pass(Duration::from_millis(10));
    }
    assert!(early.is_heard(&mut server), "who was there is there still");
    assert_eq!(server.links().statistics().evicted, 3);
}

#[test]
fn one_network_holds_all_handshakes_and_a_newcomer_gets_in() {
    let mut server = Endpoint::sized(1, true, 64, 64);
    for number in 10..40 {
        let mut other = client(number, 7);
        let init = other.init(&mut server);
        server.receive(other.at, init);
        while server.next_datagram().is_some() {}
    }
    assert!(client(2, 8).gets_in(&mut server));
}

#[test]
fn a_flood_of_handshakes_costs_what_is_to_spare_and_a_newcomer_gets_in() {
    let mut server = Endpoint::new(1, true);
    // They are right up to the cookie, and open to nothing.
    let mut other = client(10, 7);
    let mut init = other.init(&mut server);
    for at in 0..3000_u32 {
        init[53..57].copy_from_slice(&at.to_le_bytes());
        server.receive(other.at, init.clone());
    }
    let dropped = server.links().statistics().dropped;
    assert!(dropped.unauthentic < 1200, "{dropped:?}");
    assert_eq!(dropped.throttled + dropped.unauthentic, 3000);
    assert!(client(2, 8).gets_in(&mut server));
}

#[test]
fn who_never_acknowledges_pins_little_and_is_closed() {
    const PACKETS: usize = 512;
    let mut server = Endpoint::sized(1, true, 128, PACKETS);
    let mut deaf: Vec<_> = (10..60).map(|number| client(number, number)).collect();
    let mut honest = client(2, 2);
    assert!(honest.gets_in(&mut server));
    for other in &mut deaf {
        assert!(other.gets_in(&mut server));
        other.is_deaf = true;
    }
    for tick in 0..500 {
        // There is something to be said to everyone, all the time, and all of them speak.
        let before = server.links().statistics().datagrams_sent;
        for _ in 0..20 {
            server.ping();
            while let Some((to, datagram)) = server.next_datagram() {
                let all = deaf.iter_mut().chain([&mut honest]);
                if let Some(receiver) = all.into_iter().find(|one| one.at == to) {
                    receiver.receive(server.at, datagram);
                }
            }
        }
        assert!(server.links().statistics().datagrams_sent > before);
        for other in deaf.iter_mut().chain([&mut honest]) {
            if tick % 10 == 0 {
                other.ping();
            }
            while let Some((_, datagram)) = other.next_datagram() {
                server.receive(other.at, datagram);
            }
        }
        let used = server.links().statistics().packets_in_flight.used;
        let most = if (50..100).contains(&tick) { PACKETS * 7 / 8 } else { PACKETS - 1 };
        assert!(used <= most, "{used} in flight after {tick}");
        if tick == 100 {
            assert_eq!(server.links().statistics().links.used, 51);
            assert!(client(3, 3).gets_in(&mut server), "a newcomer");
        }
        for one in deaf.iter_mut().chain([&mut honest, &mut server]) {
            one.let_pass(Duration::from_millis(100));
        }
    }
    assert!(honest.is_heard(&mut server));
    assert!(server.links().statistics().links.used <= 2, "they are closed, though they speak");
}
