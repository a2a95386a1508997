//! A server and clients in one process, over real sockets.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use proto_core::{
    client::{self, Event, Verdict},
    id::{Nick, PublicKey},
    server,
};
use transport_mio::{
    endpoint::{BindError, ClientEndpoint, Ended, Handle, Running, ServerEndpoint, StartError},
    memory::{ClientMemory, ClientSizes, ServerMemory, ServerSizes},
};

type Server = proto_core::server::Server<ServerMemory>;
type Client = proto_core::client::Client<ClientMemory>;

/// How long anything may take; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Host {
    running: Running<Server>,
    address: SocketAddr,
    key: PublicKey,
}

impl Host {
    fn start(directory: &Path, bind: SocketAddr) -> Self {
        let sizes = ServerSizes::for_clients(8);
        let endpoint = ServerEndpoint::open(
            &sub(directory, "server"),
            bind,
            &sizes,
            server::Config::default(),
        );
        let running = endpoint.unwrap().spawn(|_, _| {}).unwrap();
        let ask = |endpoint: &mut ServerEndpoint| (endpoint.address(), endpoint.machine().key());
        let (address, key) = running.handle().ask(ask).unwrap();
        Self { running, address: address.unwrap(), key }
    }
}

struct Person {
    running: Running<Client>,
    events: Receiver<(Event, String)>,
}

impl Person {
    fn start(directory: &Path, nick: &str, host: &Host) -> Self {
        let config = client::Config::new(Nick::new(nick).unwrap(), host.address, Some(host.key));
        let sizes = ClientSizes::for_peers(8);
        let endpoint = ClientEndpoint::open(&sub(directory, nick), ANY_PORT, &sizes, config);
        let (events, received) = mpsc::channel();
        let on_event = move |event, text: &[u8]| {
            // A test that has seen enough does not listen any more.
            let _ = events.send((event, String::from_utf8(text.to_vec()).unwrap()));
        };
        let running = endpoint.unwrap().spawn(on_event).unwrap();
        let person = Self { running, events: received };
        person.register();
        person
    }

    fn handle(&self) -> &Handle<Client> {
        self.running.handle()
    }

    #[track_caller]
    fn register(&self) {
        let register = |endpoint: &mut ClientEndpoint| {
            endpoint.command(|client, now| client.register(now).map(drop))
        };
        self.handle().ask(register).unwrap().unwrap();
        self.wait(|event, _| matches!(event, Event::Registered { .. }));
    }

    #[track_caller]
    fn deregister(&self) {
        let deregister = |endpoint: &mut ClientEndpoint| {
            endpoint.command(|client, now| client.deregister(now).map(drop))
        };
        self.handle().ask(deregister).unwrap().unwrap();
        self.wait(|event, _| matches!(event, Event::Deregistered { answered: true }));
    }

    /// Says `text`, as soon as the roster has `to`.
    fn say(&self, to: &str, text: &'static str) {
        let to = Nick::new(to).unwrap();
        let say = move |endpoint: &mut ClientEndpoint| {
            endpoint.command(|client, now| client.send_message(now, to, text).map(drop))
        };
        loop {
            match self.handle().ask(say).unwrap() {
                Ok(()) => return,
                Err(client::SendError::Unknown) => {}
                Err(error) => panic!("{error}"),
            }
            self.wait(|event, _| *event == Event::RosterChanged);
        }
    }

    #[track_caller]
    fn hear(&self, from: &str, text: &str) {
        let from = Nick::new(from).unwrap();
        let is_it = |event: &Event, said: &str| {
            matches!(event, Event::Message { from: author, .. } if *author == from) && said == text
        };
        self.wait(is_it);
    }

    #[track_caller]
    fn verdict(&self, wanted: Verdict) {
        let is_it = |event: &Event, _: &str| matches!(event, Event::Verdict { verdict, .. } if *verdict == wanted);
        self.wait(is_it);
    }

    /// Waits for an event; those before it are lost.
    #[track_caller]
    fn wait(&self, mut is_it: impl FnMut(&Event, &str) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((event, text)) = self.events.recv_timeout(left) else {
                panic!("the event never came, but {others:#?}");
            };
            if is_it(&event, &text) {
                return;
            }
            others.push(event);
        }
    }
}

fn sub(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn two_clients_talk() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(directory.path(), ANY_PORT);
    let x = Person::start(directory.path(), "x", &host);
    let y = Person::start(directory.path(), "y", &host);
    x.say("y", "hello");
    y.hear("x", "hello");
    x.verdict(Verdict::Delivered);
    y.say("x", "hello yourself");
    x.hear("y", "hello yourself");
    y.verdict(Verdict::Delivered);
}

#[test]
fn mail_waits_through_a_restart_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(directory.path(), ANY_PORT);
    let x = Person::start(directory.path(), "x", &host);
    let y = Person::start(directory.path(), "y", &host);
    y.deregister();
    x.say("y", "for later");
    x.verdict(Verdict::Stored);

    let (address, key) = (host.address, host.key);
    host.running.stop().unwrap();
    let host = Host::start(directory.path(), address);
    assert_eq!((host.address, host.key), (address, key));
    y.register();
    y.hear("x", "for later");
    x.verdict(Verdict::Delivered);
}

#[test]
fn a_port_is_free_while_its_client_is_offline() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(directory.path(), ANY_PORT);
    let port = UdpSocket::bind(ANY_PORT).unwrap().local_addr().unwrap();
    let config = client::Config::new(Nick::new("x").unwrap(), host.address, Some(host.key));
    let sizes = ClientSizes::for_peers(8);
    let mut x = ClientEndpoint::open(&sub(directory.path(), "x"), port, &sizes, config).unwrap();
    assert_eq!(x.address(), Some(port));
    assert!(UdpSocket::bind(port).is_err());

    x.unbind();
    assert_eq!(x.address(), None);
    let other = UdpSocket::bind(port).unwrap();
    let refused = x.bind().unwrap_err();
    assert!(matches!(refused, BindError::InUse { address } if address == port), "{refused}");
    drop(other);
    x.bind().unwrap();

    x.command(|client, now| client.register(now).map(drop)).unwrap();
    let (mut is_registered, until) = (false, Instant::now() + PATIENCE);
    while !is_registered && Instant::now() < until {
        let on_event = |event, _: &[u8]| {
            is_registered |= matches!(event, Event::Registered { .. });
        };
        x.turn(Some(Duration::from_millis(100)), on_event).unwrap();
    }
    assert!(is_registered);
}

#[test]
fn a_second_server_on_a_port_is_told_so_and_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(directory.path(), ANY_PORT);
    let (other, sizes) = (sub(directory.path(), "other"), ServerSizes::for_clients(8));
    let refused = ServerEndpoint::open(&other, host.address, &sizes, server::Config::default());
    let Err(refused) = refused else { panic!("two have the port") };
    assert!(matches!(refused, StartError::Bind(BindError::InUse { .. })), "{refused}");
    assert!(refused.to_string().contains(&host.address.port().to_string()), "{refused}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
}

#[test]
fn whoever_asks_an_endpoint_that_ended_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::start(directory.path(), ANY_PORT);
    let handle = host.running.handle().clone();
    host.running.stop().unwrap();
    assert_eq!(handle.ask(|_| ()), Err(Ended));
    // Its port is free at once.
    UdpSocket::bind(host.address).unwrap();
}
