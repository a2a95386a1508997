//! Two clients, one of whom has something to say to the other.

use std::time::Duration;

use proto_core::{
    client::{Client, Event, SendError, Verdict},
    id::Nick,
    time::Instant,
};
use transport_mio::memory::{ClientMemory, ClientSizes, ServerSizes};

use crate::{
    BYTES,
    cost::{Cost, cpu, cpu_since},
    world::{Setting, World},
};

/// What is said.
const TEXT: &str = match str::from_utf8(&[b'm'; BYTES]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

/// Messages that wait for the server's word while a mailbox is filled.
const DEPOSITS: u64 = 64;

/// An author, a recipient, and the server that they met at.
#[allow(missing_debug_implementations)] // megabytes
pub struct Pair {
    world: World<ClientMemory>,
    author: usize,
    recipient: usize,
    way: Way,
}

/// How messages get to their recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In the clients' own session.
    Direct,
    /// By way of the server: the author knows of no address of the recipient's.
    Server,
}

impl Pair {
    /// Two clients that are online, and have exchanged a message. `commit` is how long a commit
    /// of a store takes; without a time, all stores answer at once.
    pub fn new(way: Way, commit: Option<Duration>) -> Self {
        let setting = Setting {
            server: ServerSizes::for_clients(8),
            commit,
            pushes: true,
            timed: way == Way::Server,
        };
        let mut world = World::new(setting);
        let memory = || ClientMemory::new(&ClientSizes::for_peers(8));
        let author = world.join("author", memory(), true, None);
        let recipient = world.join("recipient", memory(), way == Way::Direct, None);
        world.settle(|_, _, _, _| {});
        let mut pair = Self { world, author, recipient, way };
        pair.say(1, 1);
        pair
    }

    /// The author says so many `messages`, so many of them `under_way` at a time, until it knows
    /// that each is delivered.
    ///
    /// # Panics
    /// If something else becomes of one.
    pub fn say(&mut self, messages: u64, under_way: u64) -> Cost {
        self.until(messages, under_way, Verdict::Delivered)
    }

    /// The recipient is offline while so many messages are left for it, and comes back then: what
    /// their handing over takes, from its coming on.
    ///
    /// # Panics
    /// If the server does not take them, or does not hand them over.
    pub fn leave(&mut self, messages: u64) -> Cost {
        let Self { recipient, .. } = *self;
        let going = |client: &mut Client<ClientMemory>, now| client.deregister(now);
        self.world.command(recipient, going).expect("it is online");
        self.world.settle(|_, _, _, _| {});
        self.until(messages, DEPOSITS, Verdict::Stored);
        self.world.settle(|_, _, _, _| {});

        let coming = |client: &mut Client<ClientMemory>, now| client.register(now);
        self.world.command(recipient, coming).expect("it is offline");
        let mut came = 0;
        let cost = self.measured(messages, |world| {
            world.step(|client, _, _, event| {
                let is_mail = client == recipient && matches!(event, Event::Message { .. });
                came += u64::from(is_mail);
            });
            came == messages
        });
        self.world.settle(|_, _, _, _| {});
        cost
    }

    fn until(&mut self, messages: u64, under_way: u64, last: Verdict) -> Cost {
        let Self { author, recipient, way, .. } = *self;
        let (mut said, mut settled, mut strays) = (0, 0, 0);
        let say = move |client: &mut Client<ClientMemory>, now, said: &mut u64, settled| {
            while *said < messages && *said - settled < under_way && is_said(client, now) {
                *said += 1;
            }
        };
        self.world.command(author, |client, now| say(client, now, &mut said, settled));
        let cost = self.measured(messages, |world| {
            world.step(|client, role, now, event| match event {
                Event::Verdict { verdict, .. }
                    if verdict == last || verdict == Verdict::Expired =>
                {
                    settled += 1;
                    strays += u64::from(verdict == Verdict::Expired);
                    say(role, now, &mut said, settled);
                }
                Event::Verdict { verdict: Verdict::Stored | Verdict::Delivered, .. } => {}
                Event::Verdict { verdict, .. } => panic!("{verdict:?}"),
                Event::Message { by_server, .. } if client == recipient => {
                    strays += u64::from(by_server != (way == Way::Server));
                }
                _ => {}
            });
            settled == messages
        });
        Cost { strays, ..cost }
    }

    fn measured(
        &mut self,
        messages: u64,
        mut step: impl FnMut(&mut World<ClientMemory>) -> bool,
    ) -> Cost {
        let world = &mut self.world;
        let (start, then, datagrams) = (cpu(), world.now(), world.datagrams());
        world.take_server_cpu();
        while !step(world) {}
        Cost {
            messages,
            cpu: cpu_since(start),
            server: world.take_server_cpu(),
            waited: world.now().since(then),
            datagrams: world.datagrams() - datagrams,
            strays: 0,
        }
    }
}

/// Whether there was room to say it.
fn is_said(client: &mut Client<ClientMemory>, now: Instant) -> bool {
    let to = Nick::new("recipient").expect("a nick");
    match client.send_message(now, to, TEXT) {
        Ok(_) => true,
        Err(SendError::Full) => false,
        Err(error) => panic!("{error}"),
    }
}
