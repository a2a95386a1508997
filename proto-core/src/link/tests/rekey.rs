//! Sessions that get new keys while they go on.

use std::collections::BTreeSet;

use super::*;
use crate::{
    id::SessionId,
    storage::Id,
    violation::Violation,
    wire::{Datagram, PacketHeader, Rekey, Rekeyed},
};

const MINUTE: Duration = Duration::from_mins(1);

/// What a packet that was sent and not delivered is kept as.
type Datagrams = Vec<Vec<u8>>;

impl Endpoint {
    fn only(&mut self) -> Id<Link<Silent>> {
        self.links().slab_mut().iter().map(|(id, _)| id).next().expect("there is a session")
    }

    fn peek<T>(&mut self, look: impl FnOnce(&Link<Silent>) -> T) -> T {
        let id = self.only();
        look(self.links().get(id).unwrap())
    }

    /// The present keys, as what they open with.
    fn ours(&mut self) -> SessionId {
        self.peek(|link| link.ours)
    }

    fn owed(&mut self) -> Datagrams {
        let mut all = Vec::new();
        while let Some((_, datagram)) = self.next_datagram() {
            all.push(datagram);
        }
        all
    }

    fn rekeys(&mut self) -> u64 {
        self.links().statistics().rekeys
    }

    fn dropped(&mut self) -> (u64, u64) {
        let dropped = self.links().statistics().dropped;
        (dropped.unauthentic, dropped.replayed)
    }

    fn say(&mut self) -> Datagrams {
        self.ping();
        self.owed()
    }

    fn take(&mut self, from: SocketAddr, datagrams: impl IntoIterator<Item = Vec<u8>>) {
        for datagram in datagrams {
            self.receive(from, datagram);
        }
    }
}

/// A client and its server, with a session.
fn pair() -> [Endpoint; 2] {
    let mut pair = [Endpoint::new(2, false), Endpoint::new(1, true)];
    begin(&mut pair);
    pair
}

fn begin([client, server]: &mut [Endpoint; 2]) {
    client.dial(server);
    settle(client, server);
}

/// Nothing is under way any more, nor held back.
fn settle(client: &mut Endpoint, server: &mut Endpoint) {
    for _ in 0..3 {
        exchange(client, server);
        client.let_pass(Duration::from_millis(25));
        server.let_pass(Duration::from_millis(25));
    }
    exchange(client, server);
}

/// Both let time pass, and say what they have to say then.
fn pass(client: &mut Endpoint, server: &mut Endpoint, span: Duration) {
    let mut rest = span;
    while !rest.is_zero() {
        let step = rest.min(Duration::from_secs(20));
        rest -= step;
        client.let_pass(step);
        server.let_pass(step);
        client.ping();
        settle(client, server);
    }
}

/// Until the client owes a Rekey.
fn until_due(client: &mut Endpoint, server: &mut Endpoint) {
    pass(client, server, Duration::from_secs(40));
    let due = client.peek(|link| link.rekeying.deadline(true)).expect("it is settled");
    pass(client, server, due.since(client.now).saturating_sub(Duration::from_secs(5)));
    for end in [&mut *client, server] {
        end.let_pass(due.since(end.now));
    }
    assert!(client.peek(|link| link.rekeying.is_owed()));
}

fn header(datagram: &[u8]) -> PacketHeader {
    let mut copy = datagram.to_vec();
    match Datagram::parse(&mut copy) {
        Ok(Datagram::Packet(header, _)) => header,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_goes_on_under_new_keys_and_new_ids() {
    let [mut client, mut server] = pair();
    let before = (client.ours(), server.ours());
    let packets = |end: &mut Endpoint| end.peek(|link| link.keys.seal.next());
    until_due(&mut client, &mut server);
    let sent = packets(&mut client);
    settle(&mut client, &mut server);
    assert_eq!((client.rekeys(), server.rekeys()), (1, 0));
    let after = (before.0.other_phase(), before.1.other_phase());
    assert_eq!((client.ours(), server.ours()), after);
    assert!(packets(&mut client) > sent, "the numbers go on");
    for _ in 0..3 {
        until_due(&mut client, &mut server);
        settle(&mut client, &mut server);
    }
    assert_eq!(client.rekeys(), 4);
    assert_eq!((client.dropped(), server.dropped()), ((0, 0), (0, 0)));
    assert_eq!(client.links().statistics().links.used, 1);
}

/// RFC 9001 §6.1, §6.2: nobody seals under keys that the other side may not have.
#[test]
fn each_side_seals_under_the_new_keys_once_the_other_has_them() {
    let [mut client, mut server] = pair();
    until_due(&mut client, &mut server);
    let (old, new) = (server.ours(), server.ours().other_phase());
    let back = client.ours();
    let asked = client.owed();
    assert!(asked.iter().all(|packet| header(packet).session == old));
    server.take(client.at, asked);
    let answered = server.owed();
    assert!(!answered.is_empty() && answered.iter().all(|packet| header(packet).session == back));
    // It has the next keys and does not know that the client has them too.
    assert_eq!(server.ours(), old);
    assert_eq!(header(&server.say()[0]).session, back);
    client.take(server.at, answered);
    let confirmed = client.say();
    assert!(confirmed.iter().all(|packet| header(packet).session == new), "from here on");
    server.take(client.at, confirmed);
    assert_eq!(header(&server.say()[0]).session, back.other_phase());
}

#[test]
fn a_late_packet_under_the_old_keys_is_opened_for_a_while_and_never_twice() {
    let [mut client, mut server] = pair();
    until_due(&mut client, &mut server);
    let (mut late, mut later) = (client.say(), client.say());
    // It asks in the first of them.
    server.take(client.at, late.drain(..1));
    let (copy, before) = (later.clone(), server.ours());
    exchange(&mut client, &mut server);
    client.ping();
    exchange(&mut client, &mut server);
    assert_eq!((client.rekeys(), server.dropped()), (1, (0, 0)));
    assert_eq!(server.ours(), before.other_phase());
    let received = server.peek(|link| link.statistics().unwrap().packets_received);
    server.take(client.at, later.drain(..1));
    let news = server.peek(|link| link.statistics().unwrap().packets_received) - received;
    assert_eq!((news, server.dropped()), (1, (0, 0)), "it is opened");
    server.take(client.at, copy.clone());
    assert_eq!(server.dropped(), (0, 1), "once");

    // Under the key that was wiped, nothing opens: neither what was seen nor what was not.
    let [mut client, mut server] = pair();
    until_due(&mut client, &mut server);
    let mut packets = client.say();
    packets.extend(client.say());
    server.take(client.at, packets.drain(..1));
    settle(&mut client, &mut server);
    server.let_pass(Duration::from_secs(2));
    server.take(client.at, packets);
    assert_eq!(server.dropped(), (1, 0), "the former key is gone");
}

/// Of both halves and of what confirms them, some are lost, come twice or late.
#[test]
fn whatever_is_lost_doubled_or_late_the_session_goes_on() {
    for fault in 0..3_u64.pow(6) {
        let [mut client, mut server] = pair();
        until_due(&mut client, &mut server);
        let (mut rest, mut held) = (fault, VecDeque::new());
        for step in 0..1_000 {
            let mut under_way = Vec::new();
            for (to_server, end) in [(true, &mut client), (false, &mut server)] {
                under_way.extend(end.owed().into_iter().map(|packet| (to_server, packet)));
            }
            for (to_server, packet) in under_way {
                let fate = rest % 3;
                rest /= 3;
                match fate {
                    0 => held.push_back((step, to_server, packet)),
                    1 => {}
                    _ => {
                        held.push_back((step, to_server, packet.clone()));
                        held.push_back((step + 13, to_server, packet));
                    }
                }
            }
            let (due, wait) = held.into_iter().partition(|(at, _, _)| *at <= step);
            held = wait;
            let due: VecDeque<_> = due;
            for (_, to_server, packet) in due {
                if to_server {
                    server.receive(client.at, packet);
                } else {
                    client.receive(server.at, packet);
                }
            }
            for end in [&mut client, &mut server] {
                end.let_pass(Duration::from_millis(5));
            }
        }
        assert_eq!(client.rekeys(), 1, "{fault}");
        let [ours, theirs] = [&mut client, &mut server].map(Endpoint::only);
        assert!(client.links().get(ours).is_some() && server.links().get(theirs).is_some());
        client.ping();
        server.ping();
        let [back, forth] = exchange(&mut client, &mut server);
        assert!(!back.is_empty() && !forth.is_empty(), "{fault}");
        assert_eq!(client.peek(|link| link.theirs), server.ours(), "{fault}");
        assert_eq!(server.peek(|link| link.theirs), client.ours(), "{fault}");
    }
}

#[test]
fn a_rekey_that_is_sent_again_is_the_same_and_so_is_its_answer() {
    let [mut client, mut server] = pair();
    until_due(&mut client, &mut server);
    let halves = |end: &mut Endpoint, peer: &mut Endpoint| {
        let mut all = BTreeSet::new();
        for _ in 0..4 {
            for datagram in end.owed() {
                all.extend(noise_in(&datagram, peer));
            }
            // A probe.
            end.let_pass(Duration::from_secs(2));
        }
        all
    };
    let asked = halves(&mut client, &mut server);
    assert_eq!(asked.len(), 1, "one and the same");
    let mut answered = BTreeSet::new();
    for _ in 0..3 {
        let (now, id) = (server.now, server.only());
        let frame = Frame::Rekey(Rekey { noise: asked.first().unwrap() });
        take_rekey(&mut server.links(), id, &frame, now).unwrap();
        answered.extend(halves(&mut server, &mut client));
    }
    assert_eq!(answered.len(), 1, "one and the same");
}

/// What halves of a rekey a packet to `to` has, which is not to take it in.
fn noise_in(datagram: &[u8], to: &mut Endpoint) -> Vec<Vec<u8>> {
    let (now, mut copy) = (to.now, datagram.to_vec());
    let mut links = to.links();
    let Arrival::Packet { plaintext, .. } =
        links.receive(now, SocketAddr::from(([1, 1, 1, 1], 1)), &mut copy, &mut |_| Admit::No)
    else {
        panic!("it opens");
    };
    let noise = |frame| match frame {
        Ok(Frame::Rekey(Rekey { noise }) | Frame::Rekeyed(Rekeyed { noise })) => Some(noise),
        _ => None,
    };
    Frames::new(plaintext).filter_map(noise).map(<[u8]>::to_vec).collect()
}

#[test]
fn who_asks_too_early_otherwise_or_unasked_breaks_a_rule() {
    let [mut client, mut server] = pair();
    let ask = |server: &mut Endpoint, noise: &[u8]| {
        let (now, id) = (server.now, server.only());
        take_rekey(&mut server.links(), id, &Frame::Rekey(Rekey { noise }), now)
    };
    let answer = |client: &mut Endpoint, noise: &[u8]| {
        let (now, id) = (client.now, client.only());
        take_rekey(&mut client.links(), id, &Frame::Rekeyed(Rekeyed { noise }), now)
    };
    assert_eq!(ask(&mut server, &[1; 96]), Err(Violation::EarlyRekey));
    assert_eq!(ask(&mut client, &[1; 96]), Err(Violation::UnexpectedFrame), "no server asks");
    assert_eq!(answer(&mut client, &[1; 48]), Err(Violation::UnexpectedFrame), "nothing was asked");
    assert_eq!(answer(&mut server, &[1; 48]), Err(Violation::UnexpectedFrame));

    until_due(&mut client, &mut server);
    for noise in [&[][..], &[1; 95], &[1; 96], &[1; 97]] {
        assert_eq!(ask(&mut server, noise), Err(Violation::BadRekey));
    }
    for noise in [&[][..], &[1; 47], &[1; 48], &[1; 49]] {
        client.owed();
        assert_eq!(answer(&mut client, noise), Err(Violation::BadRekey));
    }
    // A Rekey of another session of the same two, and then a second one beside the first.
    let mut pair = [Endpoint::new(2, false), Endpoint::new(1, true)];
    pair[0].repeat_itself();
    begin(&mut pair);
    let [mut other, mut elsewhere] = pair;
    until_due(&mut other, &mut elsewhere);
    let noise = |client: &mut Endpoint, server: &mut Endpoint| {
        let all: Vec<_> = client.owed().iter().flat_map(|sent| noise_in(sent, server)).collect();
        all.into_iter().next()
    };
    let foreign = noise(&mut other, &mut elsewhere).unwrap();
    assert_eq!(ask(&mut server, &foreign), Err(Violation::BadRekey), "of another session");
    client.let_pass(Duration::from_secs(2));
    let own = noise(&mut client, &mut server).unwrap();
    assert_eq!(ask(&mut server, &own), Ok(()));
    assert_eq!(ask(&mut server, &own), Ok(()), "a repetition");
    assert_eq!(ask(&mut server, &foreign), Err(Violation::BadRekey), "a second one");
}

#[test]
fn many_packets_make_it_due_as_well() {
    let [mut client, mut server] = pair();
    for end in [&mut client, &mut server] {
        end.state.config.rekey.packets = 300;
    }
    for number in 1..=5 {
        while client.rekeys() < number {
            // Only what this side sends, and then what comes, is much.
            if number % 2 == 0 {
                client.ping();
            } else {
                server.ping();
            }
            exchange(&mut client, &mut server);
            for end in [&mut client, &mut server] {
                end.let_pass(Duration::from_millis(2));
            }
            assert!(client.peek(|link| link.keys.seal.next()) < 2000 * number);
        }
    }
    assert!(client.now < Instant::default() + MINUTE, "within the time of one");
    assert_eq!(server.links().statistics().links.used, 1);
}

#[test]
fn without_an_answer_the_session_goes_on_and_it_is_asked_again() {
    let [mut client, mut server] = pair();
    until_due(&mut client, &mut server);
    let mut asked = 0;
    for _ in 0..10 * 60 {
        for datagram in client.owed() {
            // A server that acknowledges the question and does not answer it.
            let (at, now) = (client.at, server.now);
            asked += u64::from(datagram.len() > 120);
            let mut datagram = datagram;
            let mut links = server.links();
            if let Arrival::Packet { link, number, .. } =
                links.receive(now, at, &mut datagram, &mut |_| Admit::No)
            {
                links.accept(link, number, true, now);
            }
        }
        client.ping();
        for span in [25, 975] {
            for datagram in server.owed() {
                client.receive(server.at, datagram);
            }
            client.let_pass(Duration::from_millis(span));
            server.let_pass(Duration::from_millis(span));
        }
    }
    assert!((9..=11).contains(&asked), "{asked}: once a minute");
    assert_eq!((client.rekeys(), client.links().statistics().links.used), (0, 1));
    exchange(&mut client, &mut server);
    pass(&mut client, &mut server, 2 * MINUTE);
    assert_eq!(client.rekeys(), 1, "it does answer");
}

/// RFC 9001 §6.6 bounds forgeries by the key's life; none of them ends a session here.
#[test]
fn forgeries_change_nothing() {
    let [mut client, mut server] = pair();
    let mut dice = fixed(9);
    let mut forge = |end: &mut Endpoint, other: SocketAddr, packets: usize| {
        let owing = end.links().is_owing();
        for _ in 0..packets {
            let session =
                if dice.u32().is_multiple_of(2) { end.ours() } else { end.ours().other_phase() };
            let length = 16 + dice.u32() as usize % 200;
            let mut packet = vec![0; PacketHeader::LENGTH + length];
            dice.fill(&mut packet[PacketHeader::LENGTH..]);
            let counter = u64::from(dice.u32() % 4000);
            packet[..PacketHeader::LENGTH]
                .copy_from_slice(&PacketHeader { session, counter }.encode());
            assert_eq!(end.receive(other, packet), None);
        }
        assert_eq!(end.links().is_owing(), owing, "no answer");
    };
    let mut forge_both = |client: &mut Endpoint, server: &mut Endpoint| {
        let addresses = (client.at, server.at);
        forge(server, addresses.0, 1_000);
        forge(client, addresses.1, 1_000);
    };
    // Before, and then with one half said and the other not, and late ones under way.
    forge_both(&mut client, &mut server);
    until_due(&mut client, &mut server);
    let asked = client.owed();
    forge_both(&mut client, &mut server);
    server.take(client.at, asked);
    let answered = server.owed();
    forge_both(&mut client, &mut server);
    client.take(server.at, answered);
    let confirmed = client.say();
    forge_both(&mut client, &mut server);
    server.take(client.at, confirmed);
    let both = server.say();
    forge_both(&mut client, &mut server);
    client.take(server.at, both);
    for end in [&mut client, &mut server] {
        let (unauthentic, replayed) = end.dropped();
        assert_eq!(unauthentic + replayed, 5_000);
    }
    assert_eq!(client.rekeys(), 1);
    pass(&mut client, &mut server, 20 * MINUTE);
    assert_eq!(client.rekeys(), 2);
    assert_eq!(server.links().statistics().links.used, 1);
}
