//! A node: a host with its clocks, its store and its address, and the role it runs.

use std::collections::VecDeque;

use proto_core::{
    client,
    host::Resume,
    id::{Nick, PublicKey, SecretKey},
    link::Drops,
    server,
    session::{Identity, Suite},
    time::Instant,
    wire::RegisterRefusal,
};

use crate::{
    clock::{Clock, Moment},
    laws::Run,
    memory::{ClientMemory, Room, ServerMemory},
    place::Place,
    role::{Effect, Input, Role},
    store::Store,
};

/// Datagrams that a socket keeps for a host that stands still.
const SOCKET: usize = 64;

/// What a node runs.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A client, with everything but its server's key.
    Client(client::Config),
    /// A server.
    Server(server::Config),
}

/// Something that a user was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What.
    pub event: client::Event,
    /// The text of a message.
    pub text: String,
}

/// A host and its role.
#[allow(missing_debug_implementations)] // kilobytes
pub struct Node {
    /// Where it is.
    pub place: Place,
    /// What people call it.
    pub name: String,
    /// The nick of its user; a server's is not used.
    pub nick: Nick,
    /// Its key.
    pub key: PublicKey,
    /// What it runs.
    pub kind: Kind,
    /// The role, while it runs.
    pub role: Option<Role>,
    /// Its durable state.
    pub store: Store,
    /// Its clocks.
    pub clock: Clock,
    /// How often it was started, by what is durable: it goes back with that.
    pub boots: u64,
    /// How often it was really started.
    pub life: u64,
    /// What its user knows of this run.
    pub run: Run,
    /// Its user wants to be online.
    pub wants_online: bool,
    /// What its user said last of being away; nothing, since it was offline.
    pub away: String,
    /// Why its nick was refused, if that was the last word.
    pub refused: Option<RegisterRefusal>,
    /// What its user types when asked for a password: the next one after a wrong one.
    pub passwords: Vec<String>,
    /// How many of those were wrong.
    pub wrong: usize,
    /// What its user was told, in this run and before.
    pub told: Vec<Told>,
    /// How often a server said that clients know more than its store.
    pub put_back: u64,
    /// A server has read all there is.
    pub ready: bool,
    /// Datagrams it sent, and times it was woken.
    pub sent: u64,
    /// Times a deadline woke it.
    pub wakes: u64,
    pub(crate) secret: [u8; 32],
    pub(crate) suite: &'static dyn Suite,
    /// How much room its role has, from the next start on.
    pub room: Room,
    pub(crate) seed: [u8; 32],
    pub(crate) wake: Option<(Moment, u64)>,
    /// The last drain came to its end.
    pub(crate) complete: bool,
    pub(crate) paused: bool,
    pub(crate) backlog: VecDeque<Input>,
    /// It crashes in its next drain, after so many actions.
    pub(crate) torn: Option<usize>,
    /// Since when the client is offline.
    pub(crate) offline: Option<Moment>,
}

/// What a receiver made of a datagram.
#[derive(Debug)]
pub struct Reaction {
    /// What it owed then: nothing of it was carried out.
    pub effects: Vec<Effect>,
    /// What it had dropped so far, before and after.
    pub drops: (Drops, Drops),
    /// Its deadline, before and after.
    pub deadline: (Option<Instant>, Option<Instant>),
}

impl Reaction {
    /// Nothing came of it.
    pub fn is_silent(&self) -> bool {
        self.effects.is_empty() && self.is_calm()
    }

    /// It was counted as dropped, and nothing else came of it.
    pub fn is_drop(&self) -> bool {
        self.drops.0 != self.drops.1 && self.is_silent()
    }

    /// One datagram was owed and nothing else changed; that datagram.
    pub fn answer(&self) -> Option<&[u8]> {
        match self.effects.as_slice() {
            [Effect::Send { datagram, .. }] if self.is_calm() => Some(datagram),
            _ => None,
        }
    }

    fn is_calm(&self) -> bool {
        self.deadline.0 == self.deadline.1
    }
}

impl Node {
    /// Starts the role anew, on what is durable. `seed` is what the host's source of
    /// randomness gave.
    ///
    /// # Panics
    /// When the role does not take its tables.
    pub fn boot(&mut self, now: Moment, base: u64, seed: [u8; 32]) {
        self.boots += 1;
        self.life += 1;
        self.clock.restart(now, base);
        self.seed = seed;
        self.run = Run::new(self.life);
        (self.complete, self.paused, self.torn, self.offline) = (false, false, None, None);
        self.ready = false;
        self.backlog.clear();
        let identity = Identity::new(SecretKey(self.secret), self.suite);
        let resume = Resume { boot: self.boots, clock: self.clock.read(now) };
        let now = self.clock.instant(now);
        self.role = Some(match self.kind {
            Kind::Client(config) => {
                let memory = ClientMemory::new(self.room);
                let client = client::Client::new(config, identity, seed, resume, now, memory);
                Role::Client(Box::new(client.expect("its tables fit together")))
            }
            Kind::Server(config) => {
                let memory = ServerMemory::new(self.room);
                let server = server::Server::new(config, identity, seed, resume, now, memory);
                Role::Server(Box::new(server.expect("its tables fit together")))
            }
        });
    }

    /// Everything that is not durable is gone.
    pub fn crash(&mut self) {
        self.role = None;
        self.away.clear();
        self.store.crash();
        self.backlog.clear();
        (self.paused, self.torn) = (false, None);
    }

    /// Keeps an input for when the host runs again. A socket has room for so many datagrams.
    pub(crate) fn keep(&mut self, input: Input) {
        let is_datagram = |input: &Input| matches!(input, Input::Datagram { .. });
        let waiting = self.backlog.iter().filter(|input| is_datagram(input)).count();
        if !is_datagram(&input) || waiting < SOCKET {
            self.backlog.push_back(input);
        }
    }

    /// Names the life that it lives.
    pub(crate) fn life_of(&self) -> (Place, u64) {
        (self.place, self.life)
    }

    /// The client, if it is one that runs.
    pub fn client(&mut self) -> Option<&mut client::Client<ClientMemory>> {
        self.role.as_mut()?.client()
    }

    /// The server, if it is one that runs.
    pub fn server(&mut self) -> Option<&mut server::Server<ServerMemory>> {
        self.role.as_mut()?.server()
    }
}
