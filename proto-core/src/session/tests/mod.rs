//! The session layer as a whole: against `snow`, against damage, against repetition.

mod cookie;
mod handshake;
mod interop;
mod mail;

use core::mem::size_of;
use std::vec::Vec;

use super::*;
use crate::id::{PublicKey, SecretKey, SessionId};
use crate::random::{Random, tests::fixed};
use crate::wire::{Hello, HelloTo, Retry, VERSION};

fn secret(n: u8) -> [u8; 32] {
    Portable.hash(&[b"a test's identity", &[n]])
}

fn identity(n: u8) -> Identity {
    Identity::new(SecretKey(secret(n)), &Portable)
}

fn random(n: u8) -> Random {
    fixed(n)
}

fn server_hello() -> Hello {
    Hello { version: VERSION, size: 300, random: [7; 16], to: HelloTo::Server }
}

fn peer_hello(responder: &PublicKey) -> Hello {
    let mut hello = server_hello();
    hello.to = HelloTo::Peer { mac: [0; 16] };
    hello.to = HelloTo::Peer { mac: hello_mac(&Portable, responder, &hello) };
    hello
}

/// All ways to flip one bit of `bytes`, each with the bit's number.
fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

const CLIENT_OFFER: Offer =
    Offer { session: SessionId(0x0a0b_0c0d), credit: 70_000, messages: 300 };
const SERVER_OFFER: Offer = Offer { session: SessionId(0xfffe_fdfc), credit: 5, messages: 2 };

/// A handshake up to message 1.
struct Scene {
    client: Identity,
    server: Identity,
    hello: Hello,
    retry: Retry,
    initiator: Initiator,
    message: [u8; INIT_NOISE],
}

impl Scene {
    /// With a server, or with a peer.
    fn new(peer: bool) -> Self {
        let (client, server) = (identity(1), identity(2));
        let (hello, key) = if peer {
            (peer_hello(&server.public()), None)
        } else {
            (server_hello(), Some(server.public()))
        };
        let retry = retry(&Portable, &hello, [9; 16], key);
        let (initiator, message) = Initiator::new(
            &client,
            &server.public(),
            &hello,
            &retry,
            CLIENT_OFFER,
            &mut random(3),
            0,
        )
        .unwrap();
        Self { client, server, hello, retry, initiator, message }
    }
}

#[test]
fn states_are_small() {
    assert!(size_of::<Keys>() <= 112, "{}", size_of::<Keys>());
    assert!(size_of::<Initiator>() <= 128, "{}", size_of::<Initiator>());
    assert!(size_of::<Opened>() <= 140, "{}", size_of::<Opened>());
    assert!(size_of::<AcceptMemo>() <= 112, "{}", size_of::<AcceptMemo>());
    assert!(size_of::<Cookies>() <= 72, "{}", size_of::<Cookies>());
    assert!(size_of::<Identity>() <= 80, "{}", size_of::<Identity>());
}

#[test]
fn debug_shows_no_secret() {
    let scene = Scene::new(false);
    let shown = std::format!("{:?} {:?}", scene.client, scene.initiator);
    let first: Vec<_> = secret(1)[..4].iter().map(|byte| std::format!("{byte}")).collect();
    assert!(!shown.contains(&first.join(", ")), "{shown}");
    assert!(shown.contains("SecretKey(…)") && shown.contains("Key(…)"));
}
