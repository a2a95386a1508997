//! Address proofs.

use core::net::SocketAddr;
use core::time::Duration;

use super::*;
use crate::session::derive::mac;
use crate::time::Instant;
use crate::wire::{Datagram, MAX_DATAGRAM};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_cookie_is_for_one_address_and_one_hello() {
    let random = &mut random(1);
    let now = Instant::from_micros(5);
    let mut cookies = Cookies::new(random, now);
    let server = server_hello();
    let hellos = [
        server,
        Hello { version: 2, ..server },
        Hello { size: 301, ..server },
        Hello { random: [6; 16], ..server },
        Hello { to: HelloTo::Peer { mac: [0; 16] }, ..server },
        Hello { to: HelloTo::Peer { mac: [1; 16] }, ..server },
    ];
    let addresses =
        ["10.0.0.1:7", "10.0.0.2:7", "10.0.0.1:8", "[::a00:1]:7", "[fe80::1%1]:7", "[fe80::1%2]:7"];
    let cases: Vec<_> =
        hellos.iter().flat_map(|hello| addresses.map(|from| (hello, address(from)))).collect();
    for (hello, from) in &cases {
        let cookie = cookies.cookie(&Portable, random, now, *from, hello);
        for (other, at) in &cases {
            let same = (hello, from) == (other, at);
            assert_eq!(cookies.verify(&Portable, random, now, *at, other, &cookie), same);
        }
        for (bit, flipped) in flips(&cookie) {
            let flipped = flipped.try_into().unwrap();
            let taken = cookies.verify(&Portable, random, now, *from, hello, &flipped);
            assert!(!taken, "bit {bit}");
        }
        let mut others = Cookies::new(random, now);
        assert!(!others.verify(&Portable, random, now, *from, hello, &cookie));
    }
}

#[test]
fn a_cookie_lives_for_one_to_two_rotations() {
    let (hello, from) = (server_hello(), address("10.0.0.1:7"));
    let start = Instant::from_micros(123_456_789);
    let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
    // `steps`: when something else happens in between.
    for steps in [&[][..], &[14.0, 16.0, 29.0, 31.0, 44.0, 46.0, 59.0], &[20.0], &[100.0]] {
        for made in [0.0, 7.0, 14.9, 15.0, 22.0, 31.0, 200.0] {
            for age in [0.0, 1.0, 14.9, 15.0, 30.0, 45.0, 3600.0] {
                let random = &mut random(1);
                let mut cookies = Cookies::new(random, start);
                let busy = |cookies: &mut Cookies, random: &mut Random, from: f64, to: f64| {
                    for step in steps.iter().filter(|step| (from..to).contains(*step)) {
                        let other = address("10.9.9.9:9");
                        let now = after(*step);
                        let cookie = cookies.cookie(&Portable, random, now, other, &hello);
                        assert!(cookies.verify(&Portable, random, now, other, &hello, &cookie));
                    }
                };
                busy(&mut cookies, random, 0.0, made);
                let cookie = cookies.cookie(&Portable, random, after(made), from, &hello);
                busy(&mut cookies, random, made, made + age);
                let now = after(made + age);
                let taken = cookies.verify(&Portable, random, now, from, &hello, &cookie);
                assert_eq!(taken, age <= 15.0, "{made} {age} {steps:?}");
            }
        }
    }
    assert_eq!(Cookies::LIFETIME, Cookies::ROTATION * 2);
}

#[test]
fn every_bit_of_a_retry_counts() {
    let hello = server_hello();
    for key in [None, Some(identity(2).public())] {
        let retry = retry(&Portable, &hello, [9; 16], key);
        let mut out = [0; MAX_DATAGRAM];
        let wire = retry.encode(&mut out);
        let checks = |wire: &mut [u8], hello: &Hello| match Datagram::parse(wire) {
            Ok(Datagram::Retry(retry)) => check_retry(&Portable, hello, &retry),
            _ => false,
        };
        for (bit, mut flipped) in flips(wire) {
            assert!(!checks(&mut flipped, &hello), "bit {bit}");
        }
        assert!(!checks(wire, &Hello { random: [6; 16], ..hello }));
        assert!(checks(wire, &hello));

        // By one who saw the Hello, but answers another.
        let mut other = Retry { random: [6; 16], ..retry };
        let key = [[7; 16], [0; 16]].concat().try_into().unwrap();
        let checked = other.checked(&mut out).to_vec();
        other.check = mac(&Portable, &key, [b"udpchat 1 retry", &checked]);
        assert!(!check_retry(&Portable, &hello, &other));
        assert!(check_retry(&Portable, &hello, &retry));
    }
}

#[test]
fn every_bit_of_a_peers_hello_counts() {
    let responder = identity(2).public();
    let hello = peer_hello(&responder);
    let mut out = [0; MAX_DATAGRAM];
    let wire = hello.encode(&mut out);
    let checks = |wire: &mut [u8]| match Datagram::parse(wire) {
        Ok(Datagram::Hello(hello)) => check_hello(&Portable, &responder, &hello),
        _ => false,
    };
    for (bit, mut flipped) in flips(wire).take_while(|(bit, _)| *bit < 36 * 8) {
        assert!(!checks(&mut flipped), "bit {bit}");
    }
    assert!(checks(wire));
    assert!(!check_hello(&Portable, &identity(3).public(), &hello));
    assert!(!check_hello(&Portable, &responder, &server_hello()));
}
