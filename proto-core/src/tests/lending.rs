//! Memory lent to roles, once and a second time, and what a role shows.

use std::{format, string::String};

use super::*;

macro_rules! shown {
    ($tables:expr, [$($field:ident$(.$of:ident)?),* $(,)?]) => {{
        let tables = $tables;
        let mut all = String::new();
        $(all += &format!("{:?}", tables.$field$(.$of)?);)*
        all
    }};
}

/// What is in every table of a client but its scratch.
fn of_client(memory: &mut ClientMemory) -> String {
    shown!(
        client::Storage::tables(memory),
        [
            links.links,
            links.dials,
            links.by_session,
            links.by_key,
            links.sent,
            links.timers,
            links.dial_timers,
            links.ephemerals,
            links.by_ephemeral,
            peers,
            peer_timers,
            by_key,
            by_nick,
            by_account,
            outgoing,
            incoming,
            blocks,
        ]
    )
}

/// What is in every table of a server but its scratch.
fn of_server(memory: &mut ServerMemory) -> String {
    shown!(
        server::Storage::tables(memory),
        [
            links.links,
            links.by_session,
            links.by_key,
            links.sent,
            links.timers,
            links.ephemerals,
            links.by_ephemeral,
            accounts,
            by_nick,
            by_key,
            versions,
            entries,
            entry_timers,
            pairs,
            by_pair,
            rooms.rooms,
            rooms.by_number,
            rooms.by_name,
            rooms.members,
            rooms.by_member,
            by_place,
            blocks,
        ]
    )
}

fn resume() -> Resume {
    Resume { boot: 2, clock: WallClock { at: Instant::default(), unix: UnixTime(1 << 50) } }
}

fn start_client<S: client::Storage>(memory: S) -> Result<Client<S>, StartError> {
    let identity = Identity::new(SecretKey([3; 32]), &Portable);
    let config = client::Config::new(Nick::new("bob").unwrap(), at(SERVER), None);
    Client::new(config, identity, seed_of(1), resume(), Instant::default(), memory)
}

fn start_server<S: server::Storage>(memory: S) -> Result<Server<S>, StartError> {
    let identity = Identity::new(SecretKey([1; 32]), &Portable);
    let config = server::Config::default();
    Server::new(config, identity, seed_of(1), resume(), Instant::default(), memory)
}

/// Takes up to `most` actions out of a role, and answers them; `false` if there are no more.
fn take<M: Machine>(role: &mut M, store: &Store, most: usize) -> bool {
    let (now, mut dice) = (Instant::default(), Random::new(seed_of(2)));
    let mut scratch = [0; MAX_DATAGRAM];
    for _ in 0..most {
        match role.poll(now, &mut scratch) {
            Some(Action::Put { ticket, .. } | Action::Trim { ticket, .. }) => {
                role.handle_stored(now, ticket, Ok(()));
            }
            Some(Action::Read { ticket, log, from, .. }) => {
                let (record, last) = store.read(log, from, &mut dice);
                let record = record.as_ref().map(|(at, bytes)| (*at, bytes.as_slice()));
                role.handle_read(now, ticket, Ok(Records { records: record.as_slice(), last }));
            }
            Some(_) => {}
            None => return false,
        }
    }
    true
}

/// What a server and its clients have stored that said something to each other.
fn stores() -> [Store; 3] {
    let mut world = World::new(1, Default::default(), Box::new(ClientMemory::new()), 0);
    world.register();
    assert!(world.say(Nick::new("bob").unwrap(), "hello", 100));
    (0..20).for_each(|_| world.step());
    world.outside.stores
}

fn is_used<R>(started: Result<R, StartError>) -> bool {
    matches!(started.err(), Some(StartError::Used { .. }))
}

#[test]
fn a_role_can_be_shown_whatever_its_memory_is() {
    let (mut of_client, mut of_server) =
        (Box::new(ClientMemory::new()), Box::new(ServerMemory::new()));
    let shown = format!("{of_client:?}");
    assert!(shown.contains("links: Links<4>, peers: Peers<8>"), "{shown}");
    let shown = format!("{:?}", start_client(&mut *of_client).unwrap());
    assert!(shown.starts_with("Client { config: Config { nick: bob, "), "{shown}");
    let shown = format!("{:?}", start_server(&mut *of_server).unwrap());
    assert!(shown.starts_with("Server { config: Config { "), "{shown}");
}

#[test]
fn requests_that_are_not_answered_are_counted() {
    let mut scratch = [0; MAX_DATAGRAM];
    let mut world = World::new(1, Default::default(), Box::new(ClientMemory::new()), 0);
    world.register();
    assert!(world.say(To::Lobby, "hello", 100));
    (0..10).for_each(|_| world.step());
    assert_eq!((world.server.unanswered(), world.alice.unanswered()), (0, 0));
    let (now, mut asked) = (world.outside.now, Vec::new());
    for text in ["one", "two", "three"] {
        world.alice.send_message(now, To::Lobby, text).unwrap();
    }
    while let Some(action) = world.alice.poll(now, &mut scratch) {
        if let Action::Put { ticket, .. } = action {
            asked.push(ticket);
        }
    }
    assert_eq!(world.alice.unanswered(), 3);
    for (left, ticket) in (0..3).rev().zip(asked) {
        world.alice.handle_stored(now, ticket, Ok(()));
        assert_eq!(world.alice.unanswered(), left);
    }
}

#[test]
fn memory_that_a_client_used_is_refused() {
    let fresh = of_client(&mut ClientMemory::new());
    let [.., stored] = stores();
    for (store, registers) in [(&stored, false), (&Store::default(), true)] {
        let (mut goes_on, mut most, mut refused) = (true, 0, false);
        while goes_on {
            let mut memory = Box::new(ClientMemory::new());
            let mut client = start_client(&mut *memory).unwrap();
            if registers {
                client.register(Instant::default()).unwrap();
            }
            goes_on = take(&mut client, store, most);
            drop(client);
            refused = is_used(start_client(&mut *memory));
            assert_eq!(refused, of_client(&mut memory) != fresh, "after {most} actions");
            most += 1;
            *memory = ClientMemory::new();
            assert!(start_client(&mut *memory).is_ok());
        }
        assert!(refused, "it was never used");
    }
}

#[test]
fn memory_that_a_server_used_is_refused() {
    let fresh = of_server(&mut ServerMemory::new());
    let [stored, ..] = stores();
    for store in [&stored, &Store::default()] {
        let (mut goes_on, mut most, mut refused) = (true, 0, false);
        while goes_on {
            let mut memory = Box::new(ServerMemory::new());
            let mut server = start_server(&mut *memory).unwrap();
            goes_on = take(&mut server, store, most);
            drop(server);
            refused = is_used(start_server(&mut *memory));
            assert_eq!(refused, of_server(&mut memory) != fresh, "after {most} actions");
            most += 1;
            *memory = ServerMemory::new();
            assert!(start_server(&mut *memory).is_ok());
        }
        assert!(refused, "it was never used");
    }
}
