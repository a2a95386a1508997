//! Sealed mail and receipts.

use super::*;
use crate::{
    id::{Epoch, MessageName, Number, Position},
    received::Received,
};

const PREVIOUS: Position = Position::new(Epoch(3), Number(9));

fn name() -> MessageName {
    let position = Position::new(Epoch(3), Number(12));
    MessageName { author: identity(1).public(), recipient: identity(2).public(), position }
}

/// Names that differ from [`name`] in one place each.
fn other_names() -> [MessageName; 5] {
    let (name, third) = (name(), identity(3).public());
    let at = |epoch, number| Position::new(Epoch(epoch), Number(number));
    [
        MessageName { author: third, ..name },
        MessageName { recipient: third, ..name },
        MessageName { position: at(4, 12), ..name },
        MessageName { position: at(3, 13), ..name },
        MessageName { author: name.recipient, recipient: name.author, ..name },
    ]
}

fn sealed(name: &MessageName, text: &[u8], seed: u8, boot: u64) -> Vec<u8> {
    let mut buffer = [text, &[0xee; MAIL_OVERHEAD + 3]].concat();
    let length =
        seal_mail(&identity(1), name, PREVIOUS, &mut random(seed), boot, &mut buffer, text.len());
    assert_eq!(length, Some(text.len() + MAIL_OVERHEAD));
    assert_eq!(buffer.split_off(text.len() + MAIL_OVERHEAD), [0xee; 3]);
    buffer
}

#[test]
fn mail_opens_for_its_recipient_under_its_name_only() {
    let mail = sealed(&name(), b"good morning", 3, 0);
    for other in other_names() {
        for reader in [identity(1), identity(2), identity(3)] {
            assert_eq!(open_mail(&reader, &other, &mut mail.clone()), None, "{other:?}");
        }
    }
    assert_eq!(open_mail(&identity(1), &name(), &mut mail.clone()), None);
    assert_eq!(open_mail(&identity(3), &name(), &mut mail.clone()), None);
    let mut opened = mail.clone();
    let (previous, text) = open_mail(&identity(2), &name(), &mut opened).unwrap();
    assert_eq!((previous, &*text), (PREVIOUS, &b"good morning"[..]));
}

#[test]
fn every_bit_of_a_mail_counts() {
    let mail = sealed(&name(), b"0123456789", 3, 0);
    for (bit, mut flipped) in flips(&mail) {
        assert_eq!(open_mail(&identity(2), &name(), &mut flipped), None, "bit {bit}");
    }
    for length in 0..mail.len() {
        let mut cut = mail[..length].to_vec();
        assert_eq!(open_mail(&identity(2), &name(), &mut cut), None, "{length} bytes");
    }
}

/// Whoever writes mail cannot say that it is another's: the sealed static key decides.
#[test]
fn an_author_writes_under_their_own_key_only() {
    let mut buffer = [0; 200];
    let mut seal = |author: u8, name: &MessageName, text| {
        seal_mail(&identity(author), name, PREVIOUS, &mut random(3), 0, &mut buffer, text)
    };
    assert_eq!(seal(3, &name(), 5), None);
    assert_eq!(seal(1, &MessageName { recipient: PublicKey([0; 32]), ..name() }, 5), None);
    assert_eq!(seal(1, &name(), 200 - MAIL_OVERHEAD + 1), None);
    assert_eq!(seal(1, &name(), usize::MAX), None);
    assert_eq!(seal(1, &name(), 200 - MAIL_OVERHEAD), Some(200));

    // A forger who skips that check: all of Noise X is right but the author.
    let (claimed, forger) = (name(), secret(3));
    let prologue = [
        b"udpchat 1 mail",
        &claimed.author.0[..],
        &claimed.recipient.0,
        &[3, 0, 0, 0],
        &[12, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    for (writer, genuine) in [(forger, false), (secret(1), true)] {
        let mut snow = snow::Builder::new("Noise_X_25519_ChaChaPoly_BLAKE2s".parse().unwrap())
            .local_private_key(&writer)
            .and_then(|builder| builder.prologue(&prologue))
            .and_then(|builder| builder.remote_public_key(&claimed.recipient.0))
            .and_then(snow::Builder::build_initiator)
            .unwrap();
        let length = snow.write_message(b"\0\0\0\0\0\0\0\0trust me", &mut buffer).unwrap();
        let opened = open_mail(&identity(2), &claimed, &mut buffer[..length]);
        assert_eq!(opened.is_some(), genuine);
    }
}

#[test]
fn a_repeated_seed_never_repeats_a_mails_key_for_other_content() {
    let ephemeral = |name, text, boot| sealed(name, text, 3, boot)[..32].to_vec();
    assert_eq!(sealed(&name(), b"x", 3, 0), sealed(&name(), b"x", 3, 0));
    let [_, recipient, epoch, number, _] = other_names();
    let mut all = std::vec![
        ephemeral(&name(), b"x", 0),
        ephemeral(&name(), b"y", 0),
        ephemeral(&name(), b"", 0),
        ephemeral(&name(), b"x", 1),
        ephemeral(&recipient, b"x", 0),
        ephemeral(&epoch, b"x", 0),
        ephemeral(&number, b"x", 0),
        sealed(&name(), b"x", 4, 0)[..32].to_vec(),
    ];
    let made = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), made);
}

#[test]
fn an_author_names_only_what_comes_before() {
    let after = Position::new(Epoch(3), Number(12));
    let mut buffer = [0; 200];
    let length = seal_mail(&identity(1), &name(), after, &mut random(3), 0, &mut buffer, 5);
    assert_eq!(open_mail(&identity(2), &name(), &mut buffer[..length.unwrap()]), None);
}

#[test]
fn a_receipt_is_between_two_for_what_one_of_them_received() {
    let (author, recipient, third) = (identity(1), identity(2), identity(3));
    let at = |number| Position::new(Epoch(3), Number(number));
    let received = Received { first: at(1), gap: (at(4), at(7)), last: at(12) };
    let [a, r, t] = [&author, &recipient, &third].map(Identity::public);
    let made = receipt(&recipient, &a, &r, &received).unwrap();
    let checks =
        |received: &Received, mac: &[u8; 16]| check_receipt(&author, &a, &r, received, mac);
    assert!(checks(&received, &made));
    for other in [
        Received { first: at(2), ..received },
        Received { gap: (at(3), at(7)), ..received },
        Received { gap: (at(4), at(6)), ..received },
        Received { last: at(13), ..received },
    ] {
        assert!(!checks(&other, &made), "{other:?}");
    }
    for (bit, flipped) in flips(&made) {
        assert!(!checks(&received, &flipped.try_into().unwrap()), "bit {bit}");
    }
    // A third can make one for itself only, and one for the other way round is another.
    assert_eq!(receipt(&third, &a, &r, &received), None);
    assert!(!checks(&received, &receipt(&third, &a, &t, &received).unwrap()));
    assert!(!checks(&received, &receipt(&recipient, &r, &a, &received).unwrap()));
    assert_eq!(receipt(&author, &a, &PublicKey([0; 32]), &received), None);
}
