//! Damage, mix-ups and repetitions in a handshake.

use super::*;
use crate::wire::{Accept, Datagram, Init, MAX_DATAGRAM, PacketHeader};

/// Message 2 to the scene's message 1, and the responder's keys.
fn accept(scene: &Scene, size: usize, offer: Offer, n: u8, boot: u64) -> (Keys, AcceptMemo) {
    let init = Init { hello: scene.hello, cookie: scene.retry.cookie, noise: &scene.message };
    let opened = Opened::open(&scene.server, &init, scene.retry.key).unwrap();
    opened.accept(&scene.server, offer, size, &mut random(n), boot).unwrap()
}

fn encoded(memo: &AcceptMemo) -> Vec<u8> {
    let mut out = [0xff; MAX_DATAGRAM];
    let length = memo.encode(&Portable, &mut out).unwrap();
    out[..length].to_vec()
}

/// Seals `text` and opens it at the other side.
fn passes(seal: &mut SealKey, open: &mut OpenKey, text: &[u8]) {
    let mut packet = [&[0; 13][..], text, &[0; 16]].concat();
    let (counter, length) =
        seal.seal(&Portable, SERVER_OFFER.session, &mut packet, text.len()).unwrap();
    assert_eq!(length, packet.len());
    let Ok(Datagram::Packet(header, sealed)) = Datagram::parse(&mut packet) else {
        panic!("no packet");
    };
    assert_eq!(header, PacketHeader { session: SERVER_OFFER.session, counter });
    assert_eq!(open.open(&Portable, header, sealed).unwrap(), text);
}

#[test]
fn both_sides_talk() {
    for peer in [false, true] {
        let scene = Scene::new(peer);
        let (mut server, memo) = accept(&scene, 300, SERVER_OFFER, 4, 0);
        let mut noise = encoded(&memo);
        assert_eq!(Accept::length(noise.len()), 300);
        let (mut client, offer) = scene.initiator.finish(&scene.client, &mut noise).unwrap();
        assert_eq!(offer, SERVER_OFFER);
        for text in [&b"first"[..], b"", &[3; 900]] {
            passes(&mut client.seal, &mut server.open, text);
            passes(&mut server.seal, &mut client.open, text);
        }
    }
}

#[test]
fn every_bit_of_an_init_counts() {
    for peer in [false, true] {
        let scene = Scene::new(peer);
        let init = Init { hello: scene.hello, cookie: scene.retry.cookie, noise: &scene.message };
        let mut out = [0; MAX_DATAGRAM];
        let wire = init.encode(&mut out);
        let opens = |wire: &mut [u8]| match Datagram::parse(wire) {
            Ok(Datagram::Init(init)) => {
                Opened::open(&scene.server, &init, scene.retry.key).is_some()
            }
            _ => false,
        };
        for (bit, mut flipped) in flips(wire) {
            assert!(!opens(&mut flipped), "bit {bit}");
        }
        for length in 0..wire.len() {
            assert!(!opens(&mut wire[..length].to_vec()), "{length} bytes");
        }
        assert!(opens(wire));
    }
}

#[test]
fn an_init_is_for_one_responder_and_one_retry() {
    let scene = Scene::new(false);
    let init = Init { hello: scene.hello, cookie: scene.retry.cookie, noise: &scene.message };
    assert!(Opened::open(&scene.server, &init, None).is_none());
    assert!(Opened::open(&identity(3), &init, scene.retry.key).is_none());
    assert_eq!(Opened::ephemeral(&init), scene.message.first_chunk().copied());
    let long = [&scene.message[..], &[0]].concat();
    let init = Init { noise: &long, ..init };
    assert!(Opened::open(&scene.server, &init, scene.retry.key).is_none());
    assert_eq!(Opened::ephemeral(&init), None);
}

#[test]
fn every_bit_of_an_accept_counts_and_a_forged_one_changes_nothing() {
    let scene = Scene::new(false);
    let (mut server, memo) = accept(&scene, 300, SERVER_OFFER, 4, 0);
    let noise = encoded(&memo);
    let finish = |noise: &mut [u8]| scene.initiator.finish(&scene.client, noise);
    for (bit, mut flipped) in flips(&noise) {
        assert!(finish(&mut flipped).is_none(), "bit {bit}");
    }
    for length in 0..noise.len() {
        assert!(finish(&mut noise[..length].to_vec()).is_none(), "{length} bytes");
    }
    let mut zeros = noise.clone();
    zeros[..32].fill(0);
    assert!(finish(&mut zeros).is_none(), "a point of small order");

    let mut other = Scene::new(false);
    other.message = {
        let (other, retry) = (&other, &other.retry);
        let key = other.server.public();
        let made = Initiator::new(
            &other.client,
            &key,
            &other.hello,
            retry,
            CLIENT_OFFER,
            &mut random(5),
            0,
        );
        made.unwrap().1
    };
    let (_, foreign) = accept(&other, 300, SERVER_OFFER, 4, 0);
    assert!(finish(&mut encoded(&foreign)).is_none(), "another handshake's");

    let (mut client, _) = finish(&mut noise.clone()).expect("the genuine one, after all that");
    passes(&mut client.seal, &mut server.open, b"still");
}

#[test]
fn an_accept_is_padded_within_bounds() {
    let scene = Scene::new(false);
    for (size, length) in
        [(0, 63), (63, 63), (64, 64), (1200, 1200), (1472, 1472), (usize::MAX, 1472)]
    {
        let (_, memo) = accept(&scene, size, SERVER_OFFER, 4, 0);
        let mut noise = encoded(&memo);
        assert_eq!(Accept::length(noise.len()), length);
        assert_eq!(memo.encode(&Portable, &mut [0; MAX_DATAGRAM][..length - 6]), None);
        assert!(scene.initiator.finish(&scene.client, &mut noise).is_some());
    }
}

#[test]
fn a_repeated_message_1_gets_the_same_bytes() {
    let scene = Scene::new(false);
    let (_, memo) = accept(&scene, 1200, SERVER_OFFER, 4, 0);
    let once = encoded(&memo);
    let mut dirty = [0x55; MAX_DATAGRAM];
    assert_eq!(memo.encode(&Portable, &mut dirty), Some(once.len()));
    assert_eq!(dirty[..once.len()], once);
    // The memo is all it takes; the same inputs make the same memo.
    assert_eq!(encoded(&accept(&scene, 1200, SERVER_OFFER, 4, 0).1), once);
}

#[test]
fn a_repeated_seed_never_repeats_a_key_for_other_content() {
    let scene = Scene::new(false);
    let first = |offer, hello: &Hello, cookie, to: &PublicKey, from: &Identity, boot| -> [u8; 32] {
        let retry = retry(&Portable, hello, cookie, scene.retry.key);
        let made = Initiator::new(from, to, hello, &retry, offer, &mut random(3), boot);
        *made.unwrap().1.first_chunk().unwrap()
    };
    let Scene { client, server, hello, .. } = &scene;
    let (to, other) = (&server.public(), Hello { random: [8; 16], ..*hello });
    let again = first(CLIENT_OFFER, hello, [9; 16], to, client, 0);
    assert_eq!(again, scene.message[..32], "same inputs, same bytes");
    let mut all = std::vec![
        again,
        first(SERVER_OFFER, hello, [9; 16], to, client, 0),
        first(CLIENT_OFFER, &other, [9; 16], to, client, 0),
        first(CLIENT_OFFER, hello, [8; 16], to, client, 0),
        first(CLIENT_OFFER, hello, [9; 16], &identity(3).public(), client, 0),
        first(CLIENT_OFFER, hello, [9; 16], to, &identity(3), 0),
        first(CLIENT_OFFER, hello, [9; 16], to, client, 1),
    ];
    let second = |size, offer, boot| -> [u8; 32] {
        *encoded(&accept(&scene, size, offer, 3, boot).1).first_chunk().unwrap()
    };
    all.push(second(300, SERVER_OFFER, 0));
    all.push(second(301, SERVER_OFFER, 0));
    all.push(second(300, CLIENT_OFFER, 0));
    all.push(second(300, SERVER_OFFER, 1));
    let made = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), made);
}

#[test]
fn a_responder_key_of_small_order_is_refused() {
    let Scene { client, hello, retry, .. } = Scene::new(false);
    let bad = PublicKey([0; 32]);
    let made = Initiator::new(&client, &bad, &hello, &retry, CLIENT_OFFER, &mut random(3), 0);
    assert!(made.is_none());
}
