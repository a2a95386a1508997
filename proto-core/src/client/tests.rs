//! A client among others that do what no honest one does.

use std::{boxed::Box, collections::VecDeque, net::SocketAddr, vec::Vec};

use crate::{
    action::{Action, Loaded, Ticket},
    id::{Nick, SecretKey},
    record::record_bound,
    server::{self, Resume, Server},
    session::{Identity, Portable},
    time::{Instant, UnixTime, WallClock},
    wire::MAX_DATAGRAM,
};

use super::{Client, Config, Event, Fixed};

/// Its records have bodies of at most 600 bytes.
type Small = Fixed<4, 8, 16, 64, 32, { record_bound(600) }>;
type Large = Fixed<4, 8, 16, 64, 32, 4096>;
type ServerMemory = server::Fixed<8, 8, 16, 64, 64, 4096>;

/// Datagrams under way: from, to, bytes.
type Wire = VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn resume() -> Resume {
    Resume { boot: 1, clock: WallClock { at: Instant::default(), unix: UnixTime(0) } }
}

/// Does what is owed; what is asked of the store is answered next, by a store that keeps nothing.
fn perform<E>(
    action: Action<'_, E>,
    from: SocketAddr,
    wire: &mut Wire,
    asked: &mut VecDeque<(Ticket, bool)>,
) -> Option<E> {
    match action {
        Action::Send { to, datagram } => wire.push_back((from, to, datagram.to_vec())),
        Action::Put { ticket, .. } | Action::Forget { ticket, .. } => {
            asked.push_back((ticket, false));
        }
        Action::Load { ticket, .. } => asked.push_back((ticket, true)),
        Action::Authenticate { .. } => {}
        Action::Event(event) => return Some(event),
    }
    None
}

/// Feeds `input` to a role, and then the answers to what it asks for.
macro_rules! drive {
    ($role:expr, $now:expr, $from:expr, $wire:expr, $input:expr) => {{
        let (mut scratch, mut asked, mut told) = ([0; MAX_DATAGRAM], VecDeque::new(), Vec::new());
        let mut actions = $input;
        loop {
            while let Some(action) = actions.next(&mut scratch) {
                told.extend(perform(action, $from, $wire, &mut asked));
            }
            let Some((ticket, loads)) = asked.pop_front() else { break };
            actions = if loads {
                $role.handle_loaded($now, ticket, Ok(Loaded { record: None, head: 0 }))
            } else {
                $role.handle_stored($now, ticket, Ok(()))
            };
        }
        told
    }};
}

#[test]
fn a_body_longer_than_can_be_saved_takes_no_place() {
    let mut now = Instant::default();
    let identity = |n| Identity::new(SecretKey([n; 32]), &Portable);
    let memory = Box::leak(Box::new(ServerMemory::new()));
    let mut server =
        Server::new(server::Config::default(), identity(1), [1; 32], resume(), now, memory);
    let config = |nick| Config::new(Nick::new(nick).unwrap(), at(1), Some(server.key()));
    let (alice_config, bob_config) = (config("alice"), config("bob"));
    let memory = Box::leak(Box::new(Large::new()));
    let mut alice = Client::new(alice_config, identity(2), [2; 32], resume(), now, memory);
    let memory = Box::leak(Box::new(Small::new()));
    let mut bob = Client::new(bob_config, identity(3), [3; 32], resume(), now, memory);
    // So that Alice oversteps what Bob meant to grant.
    bob.state.links.config.credit = 81_920;

    let wire = &mut Wire::new();
    drive!(alice, now, at(2), wire, alice.register(now).unwrap());
    drive!(bob, now, at(3), wire, bob.register(now).unwrap());
    let (mut said, mut heard) = (0, Vec::new());
    let long = "la ".repeat(500);
    let texts = ["before", &long, "after"];
    while now < Instant::from_micros(5_000_000) {
        drive!(server, now, at(1), wire, server.poll_timeout(now));
        drive!(alice, now, at(2), wire, alice.poll_timeout(now));
        heard.extend(drive!(bob, now, at(3), wire, bob.poll_timeout(now)));
        while let Some((from, to, mut bytes)) = wire.pop_front() {
            match to.port() {
                1 => {
                    drive!(server, now, to, wire, server.handle_datagram(now, from, &mut bytes));
                }
                2 => {
                    drive!(alice, now, to, wire, alice.handle_datagram(now, from, &mut bytes));
                }
                _ => heard.extend(drive!(
                    bob,
                    now,
                    to,
                    wire,
                    bob.handle_datagram(now, from, &mut bytes)
                )),
            }
        }
        if let Some(text) = texts.get(said)
            && let Ok((_, actions)) = alice.say(now, Nick::new("bob").unwrap(), text)
        {
            said += 1;
            drive!(alice, now, at(2), wire, actions);
        }
        let deadlines = [server.deadline(), alice.deadline(), bob.deadline()];
        now = deadlines.into_iter().flatten().min().unwrap_or(now).max(now);
    }
    assert_eq!(said, texts.len());
    let is_first = |event: &Event| matches!(event, Event::Message { .. });
    assert!(heard.iter().any(is_first), "{heard:?}");
    assert_eq!(bob.usage().messages.0, 0, "nothing waits in memory for what cannot be");
}
