//! Honest people in a world with others who take what they can get: whether they still get
//! through, and how long that takes.

pub(crate) mod drawn;

use std::net::{Ipv4Addr, SocketAddr};

use proto_core::{
    client::{Event, SendError, To, Verdict},
    server::{self, Logins, Operation},
};

use crate::{
    clock::{Moment, SECOND},
    faults::Faults,
    greedy::Behaviour,
    judgement::Judgement,
    laws::progress::{self, Bounds},
    memory::Room,
    place::{Place, SERVER},
    setup::Setup,
    trace::Telling,
    user::Told,
    world::World,
};

/// Two people who are always there, and one who never is.
const ALICE: Place = 1;
const BOB: Place = 2;
const CAROL: Place = 3;

/// How often is looked whether something is so.
const LOOK: Moment = SECOND / 200;

/// How long people wait before they say again what found no room.
const AGAIN: Moment = SECOND / 10;

/// How long the operator waits for what it wants done.
const OPERATION: Moment = SECOND / 20;

/// How long honest people take to settle in before anyone else comes.
const SETTLING: Moment = 3 * SECOND;

/// How something that is said gets to whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In the session of the two.
    Direct,
    /// By way of the server, since nothing passes between the two.
    Relayed,
    /// Into the mailbox of someone who is not there.
    Stored,
    /// In the lobby.
    Lobby,
}

impl Way {
    /// Each way there is.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Relayed, Self::Stored, Self::Lobby];
}

/// A world with alice and bob, who are online, carol, who is not, and as many newcomers as there
/// may have to be.
#[allow(missing_debug_implementations)] // megabytes
pub struct Siege {
    /// The world.
    pub world: World,
    /// How long the honest wait at most.
    pub bounds: Bounds,
    /// Who comes next.
    next: Place,
    /// How many addresses others have.
    addresses: u32,
    words: u64,
}

impl Siege {
    /// How a world for that is made, with room for so many newcomers.
    pub fn setup(seed: u64, faults: Faults, newcomers: usize) -> Setup {
        let mut nicks: Vec<_> = ["alice", "bob", "carol"].map(String::from).to_vec();
        nicks.extend((0..newcomers).map(|number| format!("newcomer{number}")));
        let (logins, telling) = (Logins::Open, Telling::Silent);
        Setup { seed, faults, nicks, real: false, logins, telling }
    }

    /// A server with the default sizes, on a network without faults.
    pub fn of_default_size() -> Self {
        Self::with_sizes(Room::DEFAULT_SERVER, |_| {})
    }

    /// A server of that size, and people with that of a client.
    pub fn with_sizes(server: Room, client: impl Fn(&mut Room)) -> Self {
        Self::made(Faults::none(), server, client)
    }

    /// The same on a network that delays each datagram alike, so that none overtakes another.
    pub fn in_order(server: Room, client: impl Fn(&mut Room)) -> Self {
        Self::made(Faults::steady(), server, client)
    }

    fn made(faults: Faults, server: Room, client: impl Fn(&mut Room)) -> Self {
        let mut place = 0;
        let setup = Self::setup(1, faults, 3);
        let world = World::prepared(&setup, |plan| {
            match place {
                SERVER => plan.room = server,
                _ => client(&mut plan.room),
            }
            place += 1;
        });
        Self::begin(world, Bounds::DEFAULT)
    }

    /// In a world that was made by [`Self::setup`].
    ///
    /// # Panics
    /// When the honest do not get through although nobody else is there.
    pub fn begin(mut world: World, bounds: Bounds) -> Self {
        for who in [ALICE, BOB, CAROL] {
            world.register(who);
        }
        world.run(SETTLING);
        world.deregister(CAROL);
        world.run(SETTLING);
        let mut siege = Self { world, bounds, next: CAROL + 1, addresses: 0, words: 0 };
        // The two meet.
        siege.passes(Way::Direct).expect("nobody is in their way");
        siege
    }

    /// So many come who all do that, each from an address of its own.
    pub fn beset(&mut self, behaviour: Behaviour, count: usize) -> Vec<usize> {
        (0..count).map(|_| self.beset_from(behaviour, false)).collect()
    }

    /// Someone comes who does that, from an address of their own, or from one port of the one
    /// address that all of those have.
    pub(crate) fn beset_from(&mut self, behaviour: Behaviour, one_address: bool) -> usize {
        self.addresses += 1;
        let (ip, port) = if one_address { (0, self.addresses as u16) } else { (self.addresses, 0) };
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + ip);
        self.world.beset(behaviour, SocketAddr::from((ip, 40_000 + port)))
    }

    /// The operator removes some of those who take what they can get; their places are for others.
    fn remove_some(&mut self) {
        let mut greedy = Vec::new();
        self.world.nodes[SERVER].server().expect("it runs").for_each_account(|account| {
            if account.nick.as_str().starts_with("greedy") {
                greedy.push(account.nick);
            }
        });
        for _ in 0..self.world.cx.dice.below(32) {
            let Some(nick) = greedy.get(self.world.cx.dice.index(greedy.len().max(1))) else {
                return;
            };
            self.world.operate(*nick, Operation::Remove);
            self.world.run(OPERATION);
            self.world.cx.counts.removed += 1;
        }
    }

    /// Counts who has a place that another had before.
    fn count_reused(&mut self) {
        let mut reused = 0;
        self.world.nodes[SERVER].server().expect("it runs").for_each_account(|account| {
            reused += u64::from(account.account.0 >= 1 << 20);
        });
        self.world.cx.counts.reused += reused;
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Moment) {
        self.world.run(span);
    }

    /// What the server has in its tables.
    ///
    /// # Panics
    /// If it does not run.
    pub fn usage(&mut self) -> server::Usage {
        self.world.nodes[SERVER].server().expect("it runs").usage()
    }

    /// Someone honest says something, and it gets through in time; how long it took.
    ///
    /// # Errors
    /// It did not.
    pub fn passes(&mut self, way: Way) -> Result<Moment, String> {
        self.words += 1;
        let text = format!("no. {}", self.words);
        let nick = |world: &World, who: Place| To::Peer(world.nodes[who].nick());
        let to = match way {
            Way::Direct | Way::Relayed => nick(&self.world, BOB),
            Way::Stored => nick(&self.world, CAROL),
            Way::Lobby => To::Lobby,
        };
        if way == Way::Relayed {
            let most = 2 * self.bounds.message;
            self.world.network.part(&mut self.world.cx, ALICE, BOB, most);
        }
        for who in [ALICE, BOB] {
            self.world.nodes[who].user.take_told();
        }
        let begun = self.world.now();
        let said = loop {
            let said = self.world.say(ALICE, to, text.clone());
            let is_full = matches!(said, Some(Err(SendError::Full)));
            if !is_full || self.world.now() > begun + self.bounds.message {
                break said;
            }
            // Whoever is told that there is no room says it again.
            self.world.run(AGAIN);
        };
        let waited = self.world.now() - begun;
        let is_taken = matches!(said, Some(Ok(_)));
        let is_so = |told: &Told| match told.event {
            Event::Message { .. } | Event::RoomMessage { .. } => told.text == text,
            Event::Verdict { verdict, .. } => way == Way::Stored && verdict == Verdict::Stored,
            _ => false,
        };
        let listener = if way == Way::Stored { ALICE } else { BOB };
        let took = is_taken.then(|| self.until(self.bounds.message, listener, is_so)).flatten();
        let took = took.map(|took| took + waited);
        self.judge(&format!("a message ({way:?}, {said:?})"), took, self.bounds.message)
    }

    /// Someone new comes, from an address of their own, and has a nick in time; how long it took.
    ///
    /// # Errors
    /// They did not get it.
    pub fn newcomer(&mut self) -> Result<Moment, String> {
        let who = self.next;
        self.next += 1;
        self.world.register(who);
        let is_so = |told: &Told| matches!(told.event, Event::Registered { .. });
        let took = self.until(self.bounds.newcomer, who, is_so);
        self.judge("a newcomer's nick", took, self.bounds.newcomer)
    }

    /// How long it takes until someone was told something; nothing, if that is far too long.
    fn until(&mut self, most: Moment, who: Place, is_so: impl Fn(&Told) -> bool) -> Option<Moment> {
        let begun = self.world.now();
        while self.world.now() <= begun + most {
            self.world.run(LOOK);
            if self.world.nodes[who].user.take_told().iter().any(&is_so) {
                return Some(self.world.now() - begun);
            }
        }
        None
    }

    fn judge(&mut self, what: &str, took: Option<Moment>, most: Moment) -> Result<Moment, String> {
        self.fits()?;
        progress::in_time(what, took, most)?;
        Ok(took.unwrap_or_default())
    }

    /// S9: nobody's tables hold more than they have room for.
    fn fits(&mut self) -> Judgement {
        progress::server_fits(&self.usage())?;
        for node in &mut self.world.nodes[1..] {
            if let Some(client) = node.client() {
                progress::client_fits(&client.usage())?;
            }
        }
        Ok(())
    }
}
