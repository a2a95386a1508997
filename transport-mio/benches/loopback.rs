//! Direct messages over loopback, against a bare echo of datagrams of the same size.
//!
//! `cargo bench -p transport-mio --bench loopback`

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant as Stopwatch},
};

use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use proto_core::{
    client::{self, Event, Verdict},
    id::Nick,
    server,
};
use transport_mio::{
    endpoint::{ClientEndpoint, Running, ServerEndpoint},
    memory::{ClientMemory, ClientSizes, ServerMemory, ServerSizes},
};

/// Bytes of text in a message, and of a bare datagram.
const BYTES: usize = 100;
/// Messages, or datagrams, that are on their way at once.
const IN_FLIGHT: u32 = 64;
/// How long one round of each takes, and rounds, of which the best counts.
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: usize = 3;
/// Nothing takes so long on a machine that is not stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a datagram that was not echoed is held to be lost.
const LOST: Duration = Duration::from_millis(100);

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const SOCKET: Token = Token(0);

fn main() {
    // Cargo asks benchmarks for their tests, too.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("direct messages of {BYTES} bytes from one client to another over loopback, until");
    println!("their author has the receipt, against datagrams of {BYTES} bytes to a bare mio echo");
    println!(
        "and back; {IN_FLIGHT} on their way at once, each side on a thread of its own, best of"
    );
    println!(
        "{ROUNDS} rounds of {ROUND:?} each; {cores} cores. Every message is made durable twice"
    );
    println!("before its receipt, at both ends, on the disk of the temporary directory:");

    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut chat = Chat::start(directory.path());
    let mut echo = Echo::start().expect("an echo on loopback");
    let mut best = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        best.0 = best.0.max(chat.round());
        best.1 = best.1.max(echo.round().expect("sockets on loopback"));
    }
    let (messages, echoes) = best;
    println!(
        "  {:.3}x   ({messages:.0} messages/s against {echoes:.0} echoes/s)",
        messages / echoes
    );
    let (direct, by_server) = chat.ways();
    println!("  {direct} messages went directly, {by_server} by way of the server");
}

/// A server and two clients. The author is driven by the thread that measures.
struct Chat {
    author: ClientEndpoint,
    recipient: Nick,
    ways: Arc<Ways>,
    // Dropped in this order: the recipient leaves while there is a server.
    _recipient: Running<client::Client<ClientMemory>>,
    _server: Running<server::Server<ServerMemory>>,
}

/// How messages came to their recipient.
#[derive(Default)]
struct Ways {
    direct: AtomicU64,
    by_server: AtomicU64,
    is_online: AtomicBool,
}

impl Chat {
    fn start(directory: &Path) -> Self {
        let sizes = ServerSizes::for_clients(8);
        let config = server::Config::default();
        let mut server = ServerEndpoint::open(&sub(directory, "server"), ANY_PORT, &sizes, config)
            .expect("a server on loopback");
        let at = server.address().expect("it has a socket");
        let key = server.machine().key();
        let server = server.spawn(|_, _| {}).expect("a thread");

        let open = |name| {
            let nick = Nick::new(name).expect("a nick");
            let config = client::Config::new(nick, at, Some(key));
            let sizes = ClientSizes::for_peers(8);
            let mut client = ClientEndpoint::open(&sub(directory, name), ANY_PORT, &sizes, config)
                .expect("a client on loopback");
            client.command(|client, now| client.register(now).map(drop)).expect("it is offline");
            client
        };
        let ways = Arc::new(Ways::default());
        let seen = Arc::clone(&ways);
        let recipient = open("y").spawn(move |event, _| match event {
            Event::Registered { .. } => seen.is_online.store(true, Ordering::Release),
            Event::Message { by_server: true, .. } => {
                seen.by_server.fetch_add(1, Ordering::Relaxed);
            }
            Event::Message { .. } => {
                seen.direct.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        });
        let mut chat = Self {
            author: open("x"),
            recipient: Nick::new("y").expect("a nick"),
            ways,
            _recipient: recipient.expect("a thread"),
            _server: server,
        };
        chat.meet();
        chat
    }

    /// Waits until both are online and have a session: a first message is delivered.
    fn meet(&mut self) {
        let mut is_online = false;
        let started = Stopwatch::now();
        while !(is_online && self.ways.is_online.load(Ordering::Acquire) && self.say()) {
            assert!(started.elapsed() < PATIENCE, "the clients do not get online");
            let turned = self.author.turn(Some(LOST), |event, _| {
                is_online |= matches!(event, Event::Registered { .. });
            });
            turned.expect("a poll");
        }
        self.settle(1);
    }

    /// Messages a second, from the first one until the last receipt.
    fn round(&mut self) -> f64 {
        let mut open = 0;
        let mut delivered: u64 = 0;
        let started = Stopwatch::now();
        while started.elapsed() < ROUND {
            while open < IN_FLIGHT && self.say() {
                open += 1;
            }
            let done = self.turn();
            open -= done;
            delivered += u64::from(done);
        }
        delivered += u64::from(open);
        self.settle(open);
        delivered as f64 / started.elapsed().as_secs_f64()
    }

    /// Waits until so many more messages are delivered.
    fn settle(&mut self, mut open: u32) {
        let started = Stopwatch::now();
        while open > 0 {
            assert!(started.elapsed() < PATIENCE, "{open} messages have no receipt");
            open -= self.turn();
        }
    }

    /// Says something, if there is room and someone to say it to.
    fn say(&mut self) -> bool {
        const TEXT: &str = match std::str::from_utf8(&[b'm'; BYTES]) {
            Ok(text) => text,
            Err(_) => unreachable!(),
        };
        let to = self.recipient;
        match self.author.command(|client, now| client.send_message(now, to, TEXT).map(drop)) {
            Ok(()) => true,
            Err(client::SendError::Full | client::SendError::Unknown) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// One turn of the author; how many messages were delivered.
    fn turn(&mut self) -> u32 {
        let mut delivered = 0;
        let turned = self.author.turn(Some(LOST), |event, _| match event {
            Event::Verdict { verdict: Verdict::Delivered, .. } => delivered += 1,
            Event::Verdict { verdict: Verdict::Stored, .. } => {}
            Event::Verdict { verdict, .. } => panic!("{verdict:?}"),
            _ => {}
        });
        turned.expect("a poll");
        delivered
    }

    fn ways(&self) -> (u64, u64) {
        let Ways { direct, by_server, .. } = &*self.ways;
        (direct.load(Ordering::Relaxed), by_server.load(Ordering::Relaxed))
    }
}

fn sub(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(&path).expect("a directory");
    path
}

/// A bare echo on a thread of its own, and the socket that speaks to it.
struct Echo {
    poll: Poll,
    socket: UdpSocket,
}

impl Echo {
    /// The echo ends with the program.
    fn start() -> io::Result<Self> {
        let (mut poll, echo) = bound()?;
        let (other, socket) = bound()?;
        socket.connect(echo.local_addr()?)?;
        thread::spawn(move || -> io::Result<()> {
            let mut datagram = [0; BYTES];
            loop {
                wait(&mut poll, None)?;
                while let Some((length, from)) = ready(echo.recv_from(&mut datagram))? {
                    // One that finds no room to leave is lost, as datagrams may be.
                    ready(echo.send_to(&datagram[..length], from))?;
                }
            }
        });
        Ok(Self { poll: other, socket })
    }

    /// Echoes a second.
    fn round(&mut self) -> io::Result<f64> {
        let mut datagram = [b'm'; BYTES];
        let mut open = 0;
        let mut echoed: u64 = 0;
        let started = Stopwatch::now();
        while started.elapsed() < ROUND {
            while open < IN_FLIGHT && ready(self.socket.send(&datagram))?.is_some() {
                open += 1;
            }
            if !wait(&mut self.poll, Some(LOST))? {
                open = 0;
            }
            while ready(self.socket.recv(&mut datagram))?.is_some() {
                open = open.saturating_sub(1);
                echoed += 1;
            }
        }
        let speed = echoed as f64 / started.elapsed().as_secs_f64();
        // What is still on its way is none of the next round's.
        while wait(&mut self.poll, Some(LOST))? {
            while ready(self.socket.recv(&mut datagram))?.is_some() {}
        }
        Ok(speed)
    }
}

fn bound() -> io::Result<(Poll, UdpSocket)> {
    let poll = Poll::new()?;
    let mut socket = UdpSocket::bind(ANY_PORT)?;
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
    Ok((poll, socket))
}

/// Whether anything happened within `limit`.
fn wait(poll: &mut Poll, limit: Option<Duration>) -> io::Result<bool> {
    let mut events = Events::with_capacity(2);
    match poll.poll(&mut events, limit) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        other => other.map(|()| !events.is_empty()),
    }
}

/// `None` if the socket would have had to wait.
fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}
