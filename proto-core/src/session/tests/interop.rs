//! Both patterns against `snow`, in both directions.

use snow::{Builder, HandshakeState, StatelessTransportState};

use super::*;
use crate::id::{Epoch, MessageName, Number, Position};
use crate::wire::{Init, MAX_DATAGRAM};

const IK: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";
const X: &str = "Noise_X_25519_ChaChaPoly_BLAKE2s";

/// The prologue of a handshake as the documents have it.
fn prologue(hello: &Hello, retry: &Retry) -> Vec<u8> {
    let mac = match hello.to {
        HelloTo::Peer { mac } => mac,
        HelloTo::Server => [0; 16],
    };
    [b"udpchat 1", &hello.header()[..], &mac, retry.encode(&mut [0; MAX_DATAGRAM])].concat()
}

fn snow(pattern: &str, own: u8, other: Option<&PublicKey>, prologue: &[u8]) -> HandshakeState {
    let secret = secret(own);
    let builder = Builder::new(pattern.parse().unwrap());
    let builder = builder.local_private_key(&secret).unwrap().prologue(prologue).unwrap();
    match other {
        Some(other) => builder.remote_public_key(&other.0).unwrap().build_initiator().unwrap(),
        None => builder.build_responder().unwrap(),
    }
}

/// Texts in both directions under the keys of both; `snow` has no associated data.
fn transport_agrees(keys: &Keys, snow: &StatelessTransportState) {
    for nonce in [0, 1, 300, 1 << 40] {
        let mut text = *b"from here to there";
        let tag = Portable.seal(&keys.seal.key.0, nonce, &[], &mut text);
        let mut out = [0; 100];
        let length = snow.read_message(nonce, &[&text[..], &tag].concat(), &mut out).unwrap();
        assert_eq!(&out[..length], b"from here to there");

        let length = snow.write_message(nonce, b"and back", &mut out).unwrap();
        let (text, tag) = out[..length].split_last_chunk_mut().unwrap();
        assert!(Portable.open(&keys.open.key.0, nonce, &[], text, tag));
        assert_eq!(text, b"and back");
    }
}

#[test]
fn snow_accepts_our_handshake() {
    for peer in [false, true] {
        let scene = Scene::new(peer);
        let mut snow = snow(IK, 2, None, &prologue(&scene.hello, &scene.retry));
        let mut out = [0; 1200];
        let length = snow.read_message(&scene.message, &mut out).unwrap();
        assert_eq!(out[..length], [0x0d, 0x0c, 0x0b, 0x0a, 0x70, 0x11, 1, 0, 0x2c, 1]);
        assert_eq!(snow.get_remote_static(), Some(&scene.client.public().0[..]));

        let payload = [&[0xfc, 0xfd, 0xfe, 0xff, 5, 0, 0, 0, 2, 0][..], &[0; 100]].concat();
        let length = snow.write_message(&payload, &mut out).unwrap();
        let (keys, offer) = scene.initiator.finish(&scene.client, &mut out[..length]).unwrap();
        assert_eq!(offer, SERVER_OFFER);
        transport_agrees(&keys, &snow.into_stateless_transport_mode().unwrap());
    }
}

#[test]
fn we_accept_snows_handshake() {
    for peer in [false, true] {
        let Scene { server, hello, retry, .. } = Scene::new(peer);
        let mut snow = snow(IK, 1, Some(&server.public()), &prologue(&hello, &retry));
        let mut noise = [0; 200];
        let offer = [0x0d, 0x0c, 0x0b, 0x0a, 0x70, 0x11, 1, 0, 0x2c, 1];
        let length = snow.write_message(&offer, &mut noise).unwrap();
        let init = Init { hello, cookie: retry.cookie, noise: &noise[..length] };
        let opened = Opened::open(&server, &init, retry.key).unwrap();
        assert_eq!(opened.initiator(), identity(1).public());
        assert_eq!(opened.offer(), CLIENT_OFFER);

        let (keys, memo) = opened.accept(&server, SERVER_OFFER, 256, &mut random(4), 0).unwrap();
        let mut out = [0xff; 300];
        let length = memo.encode(&Portable, &mut out).unwrap();
        let mut payload = [0; 300];
        let length = snow.read_message(&out[..length], &mut payload).unwrap();
        let expected =
            [&[0xfc, 0xfd, 0xfe, 0xff, 5, 0, 0, 0, 2, 0][..], &[0; 256 - 5 - 58]].concat();
        assert_eq!(payload[..length], expected);
        transport_agrees(&keys, &snow.into_stateless_transport_mode().unwrap());
    }
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    let scene = Scene::new(false);
    for padding in [[0, 0], [0, 1], [0x80, 0]] {
        let mut snow = snow(IK, 2, None, &prologue(&scene.hello, &scene.retry));
        let mut out = [0; 200];
        snow.read_message(&scene.message, &mut out).unwrap();
        let length = snow.write_message(&[&[0; 10][..], &padding].concat(), &mut out).unwrap();
        let finished = scene.initiator.finish(&scene.client, &mut out[..length]);
        assert_eq!(finished.is_some(), padding == [0, 0]);
    }
}

#[test]
fn sealed_mail_is_noise_x() {
    let (author, recipient) = (identity(1), identity(2));
    let position = Position::new(Epoch(0x01_0203), Number(0x0b0c_0d0e));
    let name = MessageName { author: author.public(), recipient: recipient.public(), position };
    let prologue = [
        b"udpchat 1 mail",
        &author.public().0[..],
        &recipient.public().0,
        &[3, 2, 1, 0],
        &[0x0e, 0x0d, 0x0c, 0x0b, 0, 0, 0, 0],
    ]
    .concat();
    for text in [&b""[..], b"x", &[0xa5; 3000]] {
        let mut buffer = [text, &[0; MAIL_OVERHEAD]].concat();
        let previous = Position::new(Epoch(0x01_0203), Number(0x0b0c_0d0d));
        let inside = [&previous.to_record_number().to_le_bytes(), text].concat();
        let sealed =
            seal_mail(&author, &name, previous, &mut random(3), 0, &mut buffer, text.len());
        assert_eq!(sealed, Some(buffer.len()));
        let mut out = std::vec![0; buffer.len()];
        let mut reader = snow(X, 2, None, &prologue);
        let length = reader.read_message(&buffer, &mut out).unwrap();
        assert_eq!(&out[..length], inside);
        assert_eq!(reader.get_remote_static(), Some(&author.public().0[..]));

        let mut writer = snow(X, 1, Some(&recipient.public()), &prologue);
        let length = writer.write_message(&inside, &mut buffer).unwrap();
        let (found, opened) = open_mail(&recipient, &name, &mut buffer[..length]).unwrap();
        assert_eq!((found, &*opened), (previous, text));
    }
}
