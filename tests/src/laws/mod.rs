//! The judges of a world: told what happens in it, they say whether that may be.

pub(crate) mod conduct;
pub mod messages;
pub mod progress;
pub(crate) mod restored;
pub mod rooms;
pub(crate) mod trust;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use proto_core::{
    client::{self, MessageId, To},
    host::Log,
    id::{Nick, PublicKey, Room},
    server,
    session::Suite,
    time::UnixTime,
    wire::RoomAction,
};

use crate::{
    clock::Moment,
    faults::Regime,
    judgement::{Judgement, Party, law},
    place::{Place, SERVER},
    store::{Change, Store},
};

use self::{
    conduct::{Conduct, Turn},
    messages::{Laws, Run},
    restored::{Letters, RestoredLaws},
    trust::TrustLaws,
};

/// All laws of a world.
#[derive(Debug)]
pub(crate) struct Judges {
    laws: Laws,
    /// What the user of each node knows of its run.
    runs: BTreeMap<Place, Run>,
    /// How many runs there were.
    started: u64,
    /// Those that hold instead, where stores go back.
    restored: Option<RestoredLaws>,
    /// Those that hold instead, where the server is dishonest.
    trust: Option<TrustLaws>,
    conduct: Conduct,
}

impl Judges {
    /// Of a world of this regime.
    pub(crate) fn new(laws: Laws, regime: Regime) -> Self {
        Self {
            laws,
            runs: BTreeMap::new(),
            started: 0,
            restored: (regime == Regime::Restores).then(RestoredLaws::default),
            trust: (regime == Regime::Dishonest).then(TrustLaws::default),
            conduct: Conduct::default(),
        }
    }

    /// What was ever durable, where no store goes back.
    pub(crate) fn laws(&self) -> &Laws {
        &self.laws
    }

    /// The laws that hold where stores go back.
    pub(crate) fn restored(&self) -> Option<&RestoredLaws> {
        self.restored.as_ref()
    }

    // ---- who there is

    /// There is a server with this key.
    pub(crate) fn introduce_server(&mut self, suite: &'static dyn Suite, key: &PublicKey) {
        self.laws.rooms_mut().introduce(suite, key);
    }

    /// These keys belong to people who take what they can get: nobody writes down what they say.
    pub(crate) fn introduce_strangers(&mut self, keys: BTreeSet<PublicKey>) {
        self.laws.introduce_strangers(keys);
    }

    /// Someone with this key lies.
    pub(crate) fn introduce_liar(&mut self, key: PublicKey) {
        if let Some(laws) = &mut self.trust {
            laws.introduce_liar(key);
        }
    }

    /// What the server goes by. Where wall clocks jump, mail may be of any age.
    pub(crate) fn server_goes_by(&mut self, config: &server::Config, jumps: bool) {
        let mail_kept = if jumps { 0 } else { config.mail.as_micros() as u64 };
        self.laws.server_keeps(mail_kept, config.room);
    }

    /// A key is that of another device of someone.
    pub(crate) fn relate(&mut self, key: PublicKey, first: PublicKey) {
        self.laws.relate(key, first);
    }

    // ---- what becomes of stores

    /// The server's store is lost: who has which account is decided anew.
    pub(crate) fn server_begins_anew(&mut self) {
        self.laws.server_begins_anew();
    }

    /// An entry of a room is spoiled from now on.
    pub(crate) fn spoil(&mut self, room: Room, index: u64) {
        self.laws.rooms_mut().spoil(room, index);
    }

    /// What a store has in its outbox, to be kept with a copy of it.
    pub(crate) fn letters(&self, at: Place) -> Letters {
        self.restored.as_ref().map(|laws| laws.letters(at)).unwrap_or_default()
    }

    /// A store is another from now on.
    pub(crate) fn went_back(&mut self, at: &Party<'_>, letters: Letters, now: Moment) {
        if let Some(laws) = &mut self.restored {
            laws.went_back(at, letters, now);
        }
    }

    // ---- what happens

    /// A node starts.
    pub(crate) fn started(&mut self, at: Place) {
        self.started += 1;
        self.runs.insert(at, Run::new(self.started));
        self.conduct.started(at);
        if let Some(laws) = &mut self.restored {
            laws.started(at);
        }
        if let Some(laws) = &mut self.trust {
            laws.started(at);
        }
    }

    /// A role has had its turn.
    ///
    /// # Errors
    /// It is not to do what it did.
    pub(crate) fn turned(turn: &Turn) -> Judgement {
        conduct::judge(turn)
    }

    /// A datagram came to a node.
    pub(crate) fn came(&mut self, at: Place, from: SocketAddr, datagram: &[u8]) {
        self.conduct.came(at, from, datagram);
    }

    /// A node, which may be a client that is offline, sends a datagram.
    ///
    /// # Errors
    /// It is not to send that.
    pub(crate) fn sends(
        &mut self,
        at: (Place, bool),
        to: SocketAddr,
        datagram: &[u8],
        now: Moment,
    ) -> Judgement {
        self.conduct.sends(at, to, datagram, now)
    }

    /// A user said something, and the client took it.
    ///
    /// # Errors
    /// A number was given twice in one run.
    pub(crate) fn said(&mut self, at: &Party<'_>, id: &MessageId, to: To, text: &str) -> Judgement {
        if let Some(laws) = &mut self.trust {
            laws.said(at, id, to, text);
            return Ok(());
        }
        match &mut self.restored {
            Some(laws) => laws.said(at, id, to, text),
            None => self.runs.entry(at.place).or_default().said(id, text),
        }
    }

    /// A user accepts the key that claims a nick.
    pub(crate) fn trusted(&mut self, at: Place, nick: &Nick, key: PublicKey) {
        if let Some(laws) = &mut self.trust {
            laws.trusted(at, nick, key);
        }
    }

    /// The client did nothing about that.
    pub(crate) fn trusted_in_vain(&mut self) {
        if let Some(laws) = &mut self.trust {
            laws.trusted_in_vain();
        }
    }

    /// A user writes to whoever has a nick, which for the client is this key.
    ///
    /// # Errors
    /// It is another one than before.
    pub(crate) fn meets(&mut self, at: Place, nick: &Nick, key: PublicKey) -> Judgement {
        self.trust.as_mut().map_or(Ok(()), |laws| laws.meets(at, nick, key))
    }

    /// A client has a key for a nick.
    ///
    /// # Errors
    /// It is another one than before.
    pub(crate) fn knows(&self, at: Place, nick: &Nick, key: PublicKey) -> Judgement {
        self.trust.as_ref().map_or(Ok(()), |laws| laws.knows(at, nick, key))
    }

    /// A liar with this key could read a text.
    ///
    /// # Errors
    /// Its author did not mean them.
    pub(crate) fn opened(&self, liar: PublicKey, text: &[u8]) -> Judgement {
        self.trust.as_ref().map_or(Ok(()), |laws| laws.opened(liar, text))
    }

    /// A user asks for something of the server's rooms.
    pub(crate) fn wished(&mut self, key: PublicKey, action: &RoomAction) {
        self.laws.rooms_mut().wished(key, action);
    }

    /// Something became durable at a node, by whose clock it is so late.
    ///
    /// # Errors
    /// A law was broken.
    pub(crate) fn changed(&mut self, at: &Party<'_>, time: UnixTime, change: &Change) -> Judgement {
        if let Some(laws) = &mut self.trust {
            return laws.changed(at, change);
        }
        if at.place == SERVER {
            self.laws.rooms_mut().set_time(time);
        }
        match &mut self.restored {
            Some(laws) => laws.changed(at, change),
            None => {
                let run = self.runs.entry(at.place).or_default();
                self.laws.changed(at, run, time, change)
            }
        }
    }

    /// A client tells its user something, with a text, while the server has this store, and by its
    /// clock it is so late.
    ///
    /// # Errors
    /// It is not so.
    pub(crate) fn told(
        &mut self,
        at: &Party<'_>,
        event: &client::Event,
        text: &[u8],
        (server, time): (&Store, UnixTime),
        now: Moment,
    ) -> Judgement {
        if let Some(laws) = &mut self.trust {
            return laws.told(at, event, text);
        }
        match &mut self.restored {
            Some(laws) => laws.told(at, server, event, text, now),
            None => {
                self.laws.rooms_mut().set_time(time);
                let run = self.runs.entry(at.place).or_default();
                self.laws.told(at, run, event, text)
            }
        }
    }

    /// The server tells its operator something.
    ///
    /// # Errors
    /// It is not so.
    pub(crate) fn noted(&self, event: server::Event) -> Judgement {
        let sound = match event {
            server::Event::Damaged => false,
            server::Event::PutBack => {
                // Whoever lies may say that they know of more.
                self.trust.is_some()
                    || self.restored.as_ref().is_some_and(RestoredLaws::server_went_back)
            }
            server::Event::EntryDamaged { room, index, .. } => {
                self.laws.rooms().is_spoiled(room, index)
            }
            _ => true,
        };
        law(sound, || format!("it notes {event:?}"))
    }

    // ---- how it stands

    /// Whether a log is the inbox of a room.
    pub(crate) fn is_of_room(&self, log: &Log) -> bool {
        matches!(log, Log::Inbox(of) if self.laws.rooms().room(of).is_some())
    }

    /// Messages that a client took in this run and said nothing about yet.
    pub(crate) fn unanswered(&self, at: Place) -> usize {
        match &self.restored {
            Some(laws) => laws.unanswered(at),
            None => self.runs.get(&at).map_or(0, Run::unanswered),
        }
    }

    /// Messages of someone's outbox without a last word: whether each is stored.
    pub(crate) fn open(&self, at: &Party<'_>) -> Vec<bool> {
        match &self.restored {
            Some(laws) => laws.open(at.place).map(|(.., stored)| stored).collect(),
            None => {
                let of_key = |(author, _, _, stored)| (author == at.key).then_some(stored);
                self.laws.open().filter_map(of_key).collect()
            }
        }
    }
}
