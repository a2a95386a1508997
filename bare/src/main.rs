//! A server and two clients in one program without std, without an allocator and
//! without an operating system's help: they live in statics and exchange one message.
//! It exits with 0 when the message was delivered.
#![no_std]
#![no_main]

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use heapless::{Deque, Vec};
use proto_core::{
    action::{Action, Loaded, Ticket},
    client::{self, Client, Verdict},
    id::{Nick, SecretKey},
    record::record_bound,
    server::{self, Resume, Server},
    session::{Identity, Portable},
    time::{Instant, UnixTime, WallClock},
    wire::MAX_DATAGRAM,
};

/// Texts of up to 200 bytes.
const WORK: usize = record_bound(200 + 8 + 96);

static mut SERVER: server::Fixed<8, 8, 8, 32, 32, WORK> = server::Fixed::new();
static mut ALICE: client::Fixed<4, 8, 8, 32, 16, WORK> = client::Fixed::new();
static mut BOB: client::Fixed<4, 8, 8, 32, 16, WORK> = client::Fixed::new();

/// A datagram under way: from, to, bytes.
type Datagram = (SocketAddr, SocketAddr, Vec<u8, MAX_DATAGRAM>);

/// What happens outside the roles: datagrams, and requests that a host without a
/// store answers at once.
struct Outside {
    wire: Deque<Datagram, 16>,
    asked: Deque<(Ticket, bool), 16>,
    delivered: bool,
}

impl Outside {
    fn perform<E>(&mut self, action: Action<'_, E>, at: SocketAddr, is_delivery: fn(&E) -> bool) {
        match action {
            Action::Send { to, datagram } => {
                // A wire that is full loses what comes; the core sends it again.
                if let Ok(bytes) = Vec::from_slice(datagram) {
                    let _ = self.wire.push_back((at, to, bytes));
                }
            }
            Action::Put { ticket, .. } | Action::Forget { ticket, .. } => {
                let _ = self.asked.push_back((ticket, false));
            }
            Action::Load { ticket, .. } => {
                let _ = self.asked.push_back((ticket, true));
            }
            Action::Authenticate { .. } => {}
            Action::Event(event) => self.delivered |= is_delivery(&event),
        }
    }
}

/// Feeds an input to a role, and then the answers to what it asks for.
macro_rules! drive {
    ($role:ident, $now:expr, $at:expr, $outside:ident, $is_delivery:expr, $input:expr) => {{
        let mut scratch = [0; MAX_DATAGRAM];
        let mut actions = $input;
        loop {
            while let Some(action) = actions.next(&mut scratch) {
                $outside.perform(action, $at, $is_delivery);
            }
            let Some((ticket, load)) = $outside.asked.pop_front() else { break };
            let nothing = Loaded { record: None, head: 0 };
            actions = if load {
                $role.handle_loaded($now, ticket, Ok(nothing))
            } else {
                $role.handle_stored($now, ticket, Ok(()))
            };
        }
    }};
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

fn exchange() -> Option<bool> {
    let identity = |secret| Identity::new(SecretKey([secret; 32]), &Portable);
    let mut now = Instant::from_micros(0);
    let resume = Resume { boot: 1, clock: WallClock { at: now, unix: UnixTime(0) } };
    // SAFETY: this function runs once, on the program's one thread, and nothing else
    // names the three statics.
    let (memory, alices, bobs) =
        unsafe { (&mut *(&raw mut SERVER), &mut *(&raw mut ALICE), &mut *(&raw mut BOB)) };
    let config = server::Config::default();
    let mut server = Server::new(config, identity(1), [1; 32], resume, now, memory);
    let key = Some(server.key());
    let config = |nick| Some(client::Config::new(Nick::new(nick).ok()?, at(1), key));
    let mut alice = Client::new(config("alice")?, identity(2), [2; 32], resume, now, alices);
    let mut bob = Client::new(config("bob")?, identity(3), [3; 32], resume, now, bobs);

    let nobody: fn(&server::Event) -> bool = |_| false;
    let told: fn(&client::Event) -> bool =
        |event| matches!(event, client::Event::Verdict { verdict: Verdict::Delivered, .. });
    let mut outside = Outside { wire: Deque::new(), asked: Deque::new(), delivered: false };
    drive!(alice, now, at(2), outside, told, alice.register(now).ok()?);
    drive!(bob, now, at(3), outside, told, bob.register(now).ok()?);
    let mut said = false;
    while now < Instant::from_micros(5_000_000) && !outside.delivered {
        drive!(server, now, at(1), outside, nobody, server.poll_timeout(now));
        drive!(alice, now, at(2), outside, told, alice.poll_timeout(now));
        drive!(bob, now, at(3), outside, told, bob.poll_timeout(now));
        while let Some((from, to, mut bytes)) = outside.wire.pop_front() {
            let bytes = &mut bytes;
            match to.port() {
                1 => drive!(
                    server,
                    now,
                    at(1),
                    outside,
                    nobody,
                    server.handle_datagram(now, from, bytes)
                ),
                2 => drive!(
                    alice,
                    now,
                    at(2),
                    outside,
                    told,
                    alice.handle_datagram(now, from, bytes)
                ),
                _ => drive!(bob, now, at(3), outside, told, bob.handle_datagram(now, from, bytes)),
            }
        }
        if !said && let Ok((_, actions)) = alice.say(now, &Nick::new("bob").ok()?, "hello") {
            said = true;
            drive!(alice, now, at(2), outside, told, actions);
        }
        let next = [server.deadline(), alice.deadline(), bob.deadline()];
        now = next.into_iter().flatten().min()?.max(now);
    }
    Some(outside.delivered)
}

/// What the C runtime calls; nothing else of it is used.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    i32::from(exchange() != Some(true))
}

#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `core` comes compiled for unwinding; with `panic = "abort"` nobody calls this.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
