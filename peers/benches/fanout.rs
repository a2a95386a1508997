//! What someone says to everyone, in memory: what a delivery costs the server, alone and in a
//! burst, beside QUIC with a stream for each.
//!
//! `cargo bench --bench fanout`, in `peers/`

use std::time::Duration;

use peers::{BYTES, Host, Quic, Selection, Setting, Side, World};
use proto_core::client::{
    Event, To,
    fixed::{Blocks, Fixed, Incoming, Links, Outgoing, Packets, Peers, Work},
};
use quinn_proto::{Connection, Dir, StreamEvent};
use transport_mio::memory::ServerSizes;

const MEMBERS: [usize; 2] = [1_000, 10_000];
/// The peer is measured with no more than these: its handshakes and connections are large.
const MOST_CONNECTIONS: usize = 1_000;
/// Messages in a burst.
const BURST: usize = 10;
/// Rounds, of which the cheapest counts.
const ROUNDS: usize = 7;
/// Members that come at a time.
const CROWD: usize = 250;

/// A small client: of the others it remembers a few.
type Memory =
    Fixed<Links<4>, Peers<8>, Outgoing<32>, Incoming<32>, Blocks<64>, Packets<64>, Work<1024>>;

fn main() {
    let Some(selection) = Selection::of_arguments() else { return };
    println!(
        "{BYTES} bytes from one to all others, in memory: CPU time of the server and its host for a"
    );
    println!("delivery, acknowledgements and cursors taken in; best of {ROUNDS} rounds:");
    println!();
    println!("                     |      one at a time |    {BURST} in a burst   |");
    println!("             members |      ns  datagrams |      ns  datagrams | one / burst");
    for members in selection.levels(&MEMBERS) {
        let mut lobby = Lobby::of(members);
        let mut peer = (!selection.is_alone() && members <= MOST_CONNECTIONS)
            .then(|| Broadcast { quic: Quic::new(members, true) });
        let mut best = [[None; 2]; 2];
        for _ in 0..ROUNDS {
            for (at, count) in [1, BURST].into_iter().enumerate() {
                better(&mut best[0][at], lobby.say(count));
                if let Some(peer) = &mut peer {
                    better(&mut best[1][at], peer.say(count, members));
                }
            }
        }
        let ours = row("udpchat", members, best[0]);
        let theirs = row("quinn-proto", members, best[1]);
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            let ratio = |at: usize| ours[at].nanos / theirs[at].nanos;
            println!("             ns / ns | {:>6.2}x {:11}| {:>6.2}x", ratio(0), "", ratio(1));
        }
    }
}

/// What a delivery takes.
#[derive(Clone, Copy)]
struct Delivery {
    nanos: f64,
    datagrams: f64,
}

impl Delivery {
    fn of(cpu: Duration, datagrams: u64, deliveries: usize) -> Self {
        let deliveries = deliveries as f64;
        Self { nanos: cpu.as_nanos() as f64 / deliveries, datagrams: datagrams as f64 / deliveries }
    }

    fn columns(&self) -> String {
        format!("{:>7.0} {:>10.2}", self.nanos, self.datagrams)
    }
}

fn better(best: &mut Option<Delivery>, new: Delivery) {
    if best.is_none_or(|best| new.nanos < best.nanos) {
        *best = Some(new);
    }
}

fn row(name: &str, members: usize, best: [Option<Delivery>; 2]) -> Option<[Delivery; 2]> {
    let [one, burst] = best;
    let (one, burst) = (one?, burst?);
    println!(
        "{name:>13} {members:>6} | {} | {} | {:.1}x",
        one.columns(),
        burst.columns(),
        one.nanos / burst.nanos
    );
    Some([one, burst])
}

/// A server and its members.
struct Lobby {
    world: World<Box<Memory>>,
    members: usize,
}

impl Lobby {
    fn of(members: usize) -> Self {
        let mut sizes = ServerSizes::for_clients(members);
        sizes.packets = 4 * members;
        // No roster changes are pushed: they are not what is measured.
        let setting = Setting { server: sizes, commit: None, pushes: false, timed: true };
        let mut world = World::new(setting);
        let mut online = 0;
        for member in 0..members {
            // The lobby must have its place before the roster has taken all.
            let like = (member > 0).then_some(0);
            world.join(&format!("m{member}"), Box::new(Memory::new()), true, like);
            if member == 0 || member % CROWD == CROWD - 1 || member == members - 1 {
                world.settle(|_, _, _, event| {
                    online += usize::from(matches!(event, Event::Registered { .. }));
                });
            }
        }
        assert_eq!(online, members, "all are online");
        Self { world, members }
    }

    /// The first member says so much at once.
    fn say(&mut self, count: usize) -> Delivery {
        let datagrams = self.world.datagrams();
        self.world.take_server_cpu();
        self.world.command(0, |client, now| {
            for _ in 0..count {
                client.send_message(now, To::Lobby, TEXT).expect("it is a member");
            }
        });
        let mut came = 0;
        self.world.settle(|_, _, _, event| {
            came += usize::from(matches!(event, Event::RoomMessage { .. }));
        });
        assert_eq!(came, count * (self.members - 1), "all others hear it");
        let cpu = self.world.take_server_cpu();
        Delivery::of(cpu, self.world.datagrams() - datagrams, came)
    }
}

/// What is said.
const TEXT: &str = match str::from_utf8(&[b'm'; BYTES]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

/// An endpoint with many connections, and what comes at their other ends.
struct Broadcast {
    quic: Quic,
}

impl Broadcast {
    fn say(&mut self, count: usize, members: usize) -> Delivery {
        let datagrams = self.quic.datagrams();
        self.quic.take_server_cpu();
        self.quic.command(Side::Server, |connection| {
            for _ in 0..count {
                Quic::say(connection, Dir::Uni, TEXT.as_bytes());
            }
        });
        let mut ears = Ears { came: 0 };
        self.quic.settle(&mut ears);
        assert_eq!(ears.came, count * members, "all others hear it");
        let cpu = self.quic.take_server_cpu();
        Delivery::of(cpu, self.quic.datagrams() - datagrams, ears.came)
    }
}

struct Ears {
    came: usize,
}

impl Host for Ears {
    fn on_event(&mut self, side: Side, connection: &mut Connection, event: quinn_proto::Event) {
        if side == Side::Server {
            return;
        }
        match event {
            quinn_proto::Event::Stream(StreamEvent::Opened { dir }) => {
                while let Some(stream) = connection.streams().accept(dir) {
                    self.came += usize::from(Quic::read(connection, stream));
                }
            }
            quinn_proto::Event::Stream(StreamEvent::Readable { id }) => {
                self.came += usize::from(Quic::read(connection, id));
            }
            _ => {}
        }
    }
}
