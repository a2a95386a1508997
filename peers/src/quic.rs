//! The peer: QUIC, as quinn has it, on a network in memory and a simulated clock.

use std::{
    collections::VecDeque,
    mem,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, Event, ServerConfig,
    StreamId, TransportConfig, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    version::TLS13,
};

use crate::{
    cost::{cpu, cpu_since},
    inbox::Inbox,
};

/// Streams that one side may have open at a time.
const STREAMS: u32 = 4096;

/// One of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that opened the connections.
    Client,
    /// The one that accepted them.
    Server,
}

/// An application at both endpoints.
pub trait Host {
    /// Something happened at a side of a connection, which it may use.
    fn on_event(&mut self, side: Side, connection: &mut Connection, event: Event);
}

/// Two endpoints with any number of connections between them. A datagram arrives at once, and time
/// goes on only when nobody has anything to do.
#[allow(missing_debug_implementations)] // megabytes
pub struct Quic {
    now: Instant,
    client: Node,
    server: Node,
    server_cpu: Duration,
    timed: bool,
}

/// An endpoint and its host.
struct Node {
    side: Side,
    at: SocketAddr,
    endpoint: Endpoint,
    /// By handle.
    connections: Vec<Connection>,
    /// Connections that have something to do.
    ready: VecDeque<usize>,
    is_ready: Vec<bool>,
    inbox: Inbox,
    out: Vec<u8>,
    datagrams: u64,
}

impl Node {
    fn new(side: Side, port: u16, config: Option<ServerConfig>) -> Self {
        // No path is looked for that takes larger datagrams: the core does not, either.
        let endpoint =
            Endpoint::new(Arc::default(), config.map(Arc::new), false, Some([side as u8; 32]));
        Self {
            side,
            at: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            endpoint,
            connections: Vec::new(),
            ready: VecDeque::new(),
            is_ready: Vec::new(),
            inbox: Inbox::default(),
            out: Vec::new(),
            datagrams: 0,
        }
    }

    fn add(&mut self, handle: ConnectionHandle, connection: Connection) {
        assert_eq!(handle.0, self.connections.len(), "none is ever closed");
        self.connections.push(connection);
        self.is_ready.push(false);
        self.wake(handle.0);
    }

    fn wake(&mut self, connection: usize) {
        if !mem::replace(&mut self.is_ready[connection], true) {
            self.ready.push_back(connection);
        }
    }

    fn has_work(&self) -> bool {
        !self.inbox.is_empty() || !self.ready.is_empty()
    }

    /// Hands over what has arrived, and only then does what the connections owe.
    fn turn(&mut self, now: Instant, arrived: &mut Inbox, other: &mut Inbox, host: &mut impl Host) {
        arrived.drain(|from, datagram| {
            let datagram = BytesMut::from(&*datagram);
            match self.endpoint.handle(now, from, None, None, datagram, &mut self.out) {
                Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                    self.connections[handle.0].handle_event(event);
                    self.wake(handle.0);
                }
                Some(DatagramEvent::NewConnection(incoming)) => {
                    match self.endpoint.accept(incoming, now, &mut self.out, None) {
                        Ok((handle, connection)) => self.add(handle, connection),
                        Err(error) => panic!("{}", error.cause),
                    }
                }
                Some(DatagramEvent::Response(_)) => unreachable!("nothing is refused"),
                None => {}
            }
        });
        while let Some(at) = self.ready.pop_front() {
            self.is_ready[at] = false;
            let connection = &mut self.connections[at];
            if connection.poll_timeout().is_some_and(|due| due <= now) {
                connection.handle_timeout(now);
            }
            while let Some(event) = connection.poll() {
                host.on_event(self.side, connection, event);
            }
            while let Some(event) = connection.poll_endpoint_events() {
                if let Some(event) = self.endpoint.handle_event(ConnectionHandle(at), event) {
                    connection.handle_event(event);
                }
            }
            self.out.clear();
            while let Some(transmit) = connection.poll_transmit(now, 1, &mut self.out) {
                self.datagrams += 1;
                other.push(self.at, &self.out[..transmit.size]);
                self.out.clear();
            }
        }
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.connections.iter_mut().filter_map(Connection::poll_timeout).min()
    }

    fn wake_due(&mut self, now: Instant) {
        for at in 0..self.connections.len() {
            if self.connections[at].poll_timeout().is_some_and(|due| due <= now) {
                self.wake(at);
            }
        }
    }
}

impl Quic {
    /// Two endpoints with so many connections, the handshakes done. With `timed`, the server's CPU
    /// time is measured.
    ///
    /// # Panics
    /// If the libraries do not take what they are given.
    pub fn new(connections: usize, timed: bool) -> Self {
        let (client_config, server_config) = configs();
        let mut quic = Self {
            now: Instant::now(),
            client: Node::new(Side::Client, 1, None),
            server: Node::new(Side::Server, 2, Some(server_config)),
            server_cpu: Duration::ZERO,
            timed,
        };
        for _ in 0..connections {
            let (handle, connection) = quic
                .client
                .endpoint
                .connect(quic.now, client_config.clone(), quic.server.at, NAME)
                .expect("it can be tried");
            quic.client.add(handle, connection);
            quic.settle(&mut Nothing);
        }
        assert_eq!(quic.server.connections.len(), connections, "all are connected");
        assert!(quic.client.connections.iter().all(|connection| !connection.is_handshaking()));
        quic
    }

    /// Lets an endpoint that has something to do take a turn; if none has, time goes on.
    ///
    /// # Panics
    /// If neither waits for anything.
    pub fn step(&mut self, host: &mut impl Host) {
        if !self.client.has_work() && !self.server.has_work() {
            let next = self.next_deadline().expect("someone waits for something");
            self.pass(next);
        }
        self.turn(host);
    }

    /// Takes turns until nobody has anything to do for a while.
    pub fn settle(&mut self, host: &mut impl Host) {
        const WHILE: Duration = Duration::from_secs(1);
        loop {
            while self.client.has_work() || self.server.has_work() {
                self.turn(host);
            }
            match self.next_deadline() {
                Some(next) if next < self.now + WHILE => self.pass(next),
                _ => return,
            }
        }
    }

    fn turn(&mut self, host: &mut impl Host) {
        let Self { now, client, server, .. } = self;
        if client.has_work() {
            let mut arrived = mem::take(&mut client.inbox);
            client.turn(*now, &mut arrived, &mut server.inbox, host);
            client.inbox = arrived;
        }
        if server.has_work() {
            let start = self.timed.then(cpu);
            let mut arrived = mem::take(&mut server.inbox);
            server.turn(*now, &mut arrived, &mut client.inbox, host);
            server.inbox = arrived;
            self.server_cpu += start.map_or(Duration::ZERO, cpu_since);
        }
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        self.client.deadline().into_iter().chain(self.server.deadline()).min()
    }

    fn pass(&mut self, next: Instant) {
        self.now = self.now.max(next);
        self.client.wake_due(self.now);
        self.server.wake_due(self.now);
    }

    /// Gives a command to one side of each connection.
    pub fn command(&mut self, side: Side, mut command: impl FnMut(&mut Connection)) {
        let start = (self.timed && side == Side::Server).then(cpu);
        let node = if side == Side::Client { &mut self.client } else { &mut self.server };
        for at in 0..node.connections.len() {
            command(&mut node.connections[at]);
            node.wake(at);
        }
        self.server_cpu += start.map_or(Duration::ZERO, cpu_since);
    }

    /// Opens a stream and says `text` on it, and nothing more.
    ///
    /// # Panics
    /// If too much is open already.
    pub fn say(connection: &mut Connection, dir: Dir, text: &[u8]) {
        let stream = connection.streams().open(dir).expect("fewer are open than may be");
        Self::answer(connection, stream, text);
    }

    /// Says `text` on a stream, and nothing more.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn answer(connection: &mut Connection, stream: StreamId, text: &[u8]) {
        let mut stream = connection.send_stream(stream);
        assert_eq!(stream.write(text), Ok(text.len()), "the window is larger");
        stream.finish().expect("it is open");
    }

    /// Reads what has come on a stream; whether that was the last of it.
    ///
    /// # Panics
    /// If the stream was reset.
    pub fn read(connection: &mut Connection, stream: StreamId) -> bool {
        let mut stream = connection.recv_stream(stream);
        let Ok(mut chunks) = stream.read(true) else { return false };
        let ended = loop {
            match chunks.next(usize::MAX) {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(quinn_proto::ReadError::Blocked) => break false,
                Err(error) => panic!("{error}"),
            }
        };
        // Whatever that allows the other side is sent in this turn, anyway.
        let _ = chunks.finalize();
        ended
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many datagrams were sent so far.
    pub fn datagrams(&self) -> u64 {
        self.client.datagrams + self.server.datagrams
    }

    /// The CPU time of the server since this was asked last, its host's included.
    pub fn take_server_cpu(&mut self) -> Duration {
        mem::take(&mut self.server_cpu)
    }
}

/// What the certificate is for.
const NAME: &str = "localhost";

fn configs() -> (ClientConfig, ServerConfig) {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    let certificate = CertificateDer::from(certified.cert);
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let provider = Arc::new(ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .expect("it has it")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("they fit");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("it is sound");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("it has it")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS))
        .max_idle_timeout(None)
        .mtu_discovery_config(None);
    let transport = Arc::new(transport);
    let server = QuicServerConfig::try_from(server).expect("it has the suite");
    let mut server = ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(Arc::clone(&transport));
    let client = QuicClientConfig::try_from(client).expect("it has the suite");
    let mut client = ClientConfig::new(Arc::new(client));
    client.transport_config(transport);
    (client, server)
}

/// Does nothing.
struct Nothing;

impl Host for Nothing {
    fn on_event(&mut self, _: Side, _: &mut Connection, _: Event) {}
}
