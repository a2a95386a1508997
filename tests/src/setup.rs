//! How a world is made, and by what its nodes go.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use proto_core::{
    client,
    id::{Nick, PublicKey},
    record::MAX_RECORD,
    server::{self, Logins},
    session::Suite,
    wire::Retention,
};

use crate::{
    clock::SECOND,
    ctx::Ctx,
    dice::Dice,
    faults::Faults,
    memory::Room,
    node::{Kind, Plan},
    suite::{REAL, STAND_IN},
    trace::Telling,
};

/// Within this no session gets new keys twice, where they do so often.
const REKEY_LEAST: Duration = Duration::from_secs(2);

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Decides everything that is not set here.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// One client for each; two may want the same nick.
    pub nicks: Vec<String>,
    /// On the real suite rather than on the stand-in.
    pub real: bool,
    /// Who gets a nick from the server.
    pub logins: Logins,
    /// How much is written down.
    pub telling: Telling,
}

impl Setup {
    /// Where the server is.
    pub(crate) fn server_address() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(198, 51, 100, 1), 12345))
    }

    /// Where one of the clients is.
    pub(crate) fn client_address(at: usize) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(198, 51, 100, 10 + at as u8), 40_000))
    }

    /// What its nodes compute with.
    pub(crate) fn suite(&self) -> &'static dyn Suite {
        if self.real { &REAL } else { &STAND_IN }
    }

    /// What the server goes by.
    pub(crate) fn server(&self, nick: Nick, cx: &mut Ctx) -> Plan {
        let Ctx { faults, dice, .. } = cx;
        let mut config = server::Config::default();
        config.logins = self.logins;
        if faults.rekeys {
            (config.rekey_least, config.rekey_packets) = (REKEY_LEAST, self.rekey().1);
        }
        if faults.expiry {
            config.mail = Duration::from_mins(5);
        }
        if faults.brief {
            let (entries, bytes) = (1 + dice.below(20) as u32, 500 + dice.below(30_000));
            // Nor does a wall clock that jumps say how old an entry is.
            let age = if faults.jumps { config.room.age } else { 20 + dice.below(400) as u32 };
            config.room = Retention { entries, bytes, age };
        }
        if faults.tiny {
            config.members = 2 + dice.below(3) as u32;
        }
        let room = server_room(self.nicks.len(), faults.tiny);
        Plan { nick, kind: Kind::Server(config), suite: self.suite(), room }
    }

    /// After how long and how many packets sessions get new keys, where they do so often.
    fn rekey(&self) -> (Duration, u32) {
        let mut dice = Dice::new(self.seed);
        let after = [SECOND * 5..SECOND * 20, SECOND * 20..SECOND * 300][dice.index(2)].clone();
        (Duration::from_micros(dice.between(after)), 20 + dice.below(500) as u32)
    }

    /// What a client of a server with this key goes by.
    pub(crate) fn client(&self, nick: Nick, server: PublicKey, cx: &mut Ctx) -> Plan {
        let pinned = cx.dice.chance(500).then_some(server);
        let mut config = client::Config::new(nick, Self::server_address(), pinned);
        if cx.faults.rekeys {
            let (after, packets) = self.rekey();
            config.rekey_after = after;
            (config.rekey_least, config.rekey_packets) = (REKEY_LEAST, packets);
        }
        if cx.faults.expiry {
            config.expiry = Duration::from_mins(6);
        }
        let room = client_room(self.nicks.len(), cx.faults.tiny);
        Plan { nick, kind: Kind::Client(config), suite: self.suite(), room }
    }
}

fn server_room(people: usize, tiny: bool) -> Room {
    let work = MAX_RECORD;
    if tiny {
        let (links, rooms) = (people + 3, people);
        Room { links, dials: 0, people, rooms, messages: 6, blocks: 140, sent: 24, work }
    } else {
        let (links, people) = (4 * people + 8, 2 * people);
        let (rooms, messages) = (people, 256);
        Room { links, dials: 0, people, rooms, messages, blocks: 4096, sent: 1024, work }
    }
}

fn client_room(people: usize, tiny: bool) -> Room {
    let (work, rooms) = (MAX_RECORD, 0);
    if tiny {
        let people = people + 5;
        Room { links: 4, dials: 3, people, rooms, messages: 12, blocks: 280, sent: 24, work }
    } else {
        let (people, messages) = (32, 256);
        Room { links: 32, dials: 16, people, rooms, messages, blocks: 4096, sent: 512, work }
    }
}
