//! What someone with keys does things with: their sessions, and what they know of the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    net::SocketAddr,
};

use proto_core::{
    Received,
    id::{Account, Incarnation, Nick, Number, PublicKey, Recipient},
    random::{Random, Seed},
    session::Suite,
    wire::{CloseReason, Frame, Frames, MailAck, Read, Register, Registered},
};

use crate::{
    clock::{Moment, SECOND},
    dice::Dice,
};

use super::session::{Contact, Heard, Session};

/// The first byte of a Retry.
const RETRY: u8 = 3;

/// How long an answer of the server is waited for.
const PATIENCE: Moment = SECOND;

/// Handshakes that lead nowhere are forgotten, the oldest first, beyond so many sessions.
const SESSIONS: usize = 4_096;

/// What someone does as everyone should, whatever else they do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// They acknowledge packets.
    pub(super) acknowledges: bool,
    /// They confirm mail and entries of rooms.
    pub(super) confirms: bool,
}

/// Whom there is to speak to.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(super) suite: &'static dyn Suite,
    pub(super) server: Contact,
    pub(super) clients: Vec<Contact>,
}

impl Surroundings {
    /// A server, and its honest clients, who are where that says and have these keys.
    pub(crate) fn new(
        suite: &'static dyn Suite,
        server: (SocketAddr, PublicKey),
        clients: impl Iterator<Item = (SocketAddr, PublicKey)>,
    ) -> Self {
        let contact = |(to, key), serves| Contact { to, key, serves };
        let clients = clients.map(|client| contact(client, false)).collect();
        Self { suite, server: contact(server, true), clients }
    }
}

/// What they sent and were sent, in bytes, and how often the server closed their session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes that they sent.
    pub sent: u64,
    /// Bytes that came to their address.
    pub came: u64,
    /// Sessions that were closed on them, for another reason than their own leaving.
    pub closed: u64,
    /// Nicks that they got.
    pub registered: u64,
}

/// What someone with keys does things with.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) dice: Dice,
    pub(super) around: Surroundings,
    pub(super) tally: Tally,
    /// How often it was their turn.
    pub(super) turns: u64,
    manners: Manners,
    nick: Nick,
    secret: [u8; 32],
    random: Random,
    sessions: BTreeMap<u32, Session>,
    /// In the order in which they were begun.
    begun: Vec<u32>,
    /// The session that their nick is registered through, and since when it is being begun.
    home: Option<(u32, Moment)>,
    registered: Option<Registered>,
    people: BTreeMap<Account, PublicKey>,
    number: u64,
    /// Keys that nobody was told of yet.
    keys: BTreeSet<PublicKey>,
    out: Vec<(SocketAddr, Vec<u8>)>,
}

impl Hand {
    pub(super) fn new(around: Surroundings, manners: Manners, nick: Nick, mut dice: Dice) -> Self {
        let Ok(seed) = Seed::draw(|bytes| {
            dice.fill(bytes);
            Ok::<_, Infallible>(())
        });
        Self {
            secret: dice.bytes(),
            dice,
            around,
            tally: Tally::default(),
            turns: 0,
            manners,
            nick,
            random: Random::new(seed),
            sessions: BTreeMap::new(),
            begun: Vec::new(),
            home: None,
            registered: None,
            people: BTreeMap::new(),
            number: 0,
            keys: BTreeSet::new(),
            out: Vec::new(),
        }
    }

    /// What they sent since this was asked before.
    pub(super) fn take_out(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }

    /// The keys that they used, of those that nobody was told of.
    pub(super) fn take_keys(&mut self) -> BTreeSet<PublicKey> {
        std::mem::take(&mut self.keys)
    }

    pub(super) fn send(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        self.tally.sent += datagram.len() as u64;
        self.out.push((to, datagram));
    }

    // ---- sessions

    /// Begins a session under a key of their own, or under one that nobody has used.
    pub(super) fn dial(&mut self, with: Contact, fresh: bool) -> u32 {
        let secret = if fresh { self.dice.bytes() } else { self.secret };
        self.keys.insert(PublicKey(self.around.suite.public(&secret)));
        let session = Session::new(self.around.suite, secret, with, &mut self.dice);
        let id = session.id();
        self.send(with.to, session.hello());
        self.sessions.insert(id, session);
        self.begun.push(id);
        if self.begun.len() > SESSIONS {
            let oldest = self.begun.remove(0);
            self.sessions.remove(&oldest);
        }
        id
    }

    pub(super) fn is_live(&self, id: u32) -> bool {
        self.sessions.get(&id).is_some_and(Session::is_live)
    }

    /// Live sessions.
    pub(super) fn live(&self) -> Vec<u32> {
        self.begun.iter().copied().filter(|id| self.is_live(*id)).collect()
    }

    /// The newest session that is not live and whose address is proven.
    pub(super) fn proven(&self) -> Option<u32> {
        let last = self.sessions.get(self.begun.last()?)?;
        (!last.init().is_empty()).then(|| last.id())
    }

    /// A live session with someone.
    pub(super) fn session_with(&self, with: Contact) -> Option<u32> {
        let mut live = self.sessions.values().filter(|session| session.is_live());
        live.find(|session| session.with() == with).map(Session::id)
    }

    /// Handshake message 1 of a session, again.
    pub(super) fn repeat_init(&mut self, id: u32) {
        let init = self.sessions.get(&id).map(|session| (session.with().to, session.init()));
        if let Some((to, init)) = init.filter(|(_, init)| !init.is_empty()) {
            self.send(to, init.to_vec());
        }
    }

    /// Sends frames in a session, if it is live.
    pub(super) fn say(&mut self, id: u32, frames: &[Frame<'_>]) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (to, packets) = (session.with().to, session.packets(frames));
        for packet in packets {
            self.send(to, packet);
        }
    }

    /// Ends a session, as everyone does who leaves.
    pub(super) fn hang_up(&mut self, id: u32) {
        self.say(id, &[Frame::Close(CloseReason::Leaving)]);
        self.forget(id);
    }

    fn forget(&mut self, id: u32) {
        self.sessions.remove(&id);
        self.begun.retain(|one| *one != id);
        if self.home.is_some_and(|(home, _)| home == id) {
            (self.home, self.registered) = (None, None);
        }
    }

    // ---- at home

    /// What they are registered as.
    pub(super) fn registered(&self) -> Option<Registered> {
        self.registered
    }

    /// The session that they are registered through.
    pub(super) fn home(&self) -> Option<u32> {
        self.registered.and(self.home).map(|(id, _)| id)
    }

    /// Sends frames to the server, in the session that they are registered through.
    pub(super) fn say_at_home(&mut self, frames: &[Frame<'_>]) {
        if let Some(id) = self.home() {
            self.say(id, frames);
        }
    }

    /// Goes on with getting their nick; `true` once they have it.
    pub(super) fn settle_in(&mut self, now: Moment) -> bool {
        match self.home {
            Some(_) if self.registered.is_some() => return true,
            Some((_, since)) if now < since + PATIENCE => {}
            Some((id, _)) if self.is_live(id) => {
                self.home = Some((id, now));
                self.ask_for_nick(id, self.nick);
            }
            old => {
                if let Some((id, _)) = old {
                    self.forget(id);
                }
                self.home = Some((self.dial(self.around.server, false), now));
            }
        }
        false
    }

    /// Asks for a nick in a session.
    pub(super) fn ask_for_nick(&mut self, id: u32, nick: Nick) {
        let run = Incarnation([7; 8]);
        let register = Register { nick, epoch: None, run, server: Incarnation::NONE, roster: 0 };
        self.say(id, &[Frame::Register(register)]);
    }

    /// The nick that they go by.
    pub(super) fn nick(&self) -> Nick {
        self.nick
    }

    /// Honest people's accounts, as far as they know them.
    pub(super) fn victims(&self) -> Vec<Recipient> {
        let is_client = |key| self.around.clients.iter().any(|client| client.key == key);
        let known = self.people.iter().filter(|(_, key)| is_client(**key));
        known.map(|(of, _)| Recipient::Account(*of)).collect()
    }

    /// One of them.
    pub(super) fn victim(&mut self) -> Option<Recipient> {
        let known = self.victims();
        known.get(self.dice.index(known.len())).copied()
    }

    /// The next number of a message of theirs.
    pub(super) fn number(&mut self) -> Number {
        self.number += 1;
        Number(self.number)
    }

    /// Uses credit of the server's for a message of so many bytes, if there is enough.
    pub(super) fn spends(&mut self, bytes: u64) -> bool {
        let home = self.home().and_then(|id| self.sessions.get_mut(&id));
        home.is_some_and(|session| session.spend(bytes))
    }

    // ---- what comes

    /// A datagram came; a session that is live since, if one is.
    pub(super) fn hear(&mut self, datagram: Vec<u8>) -> Option<u32> {
        self.tally.came += datagram.len() as u64;
        // After its first byte, or after a version behind that, each names the session.
        let at = 1 + usize::from(datagram.first() == Some(&RETRY));
        let id = u32::from_le_bytes(*datagram.get(at..)?.first_chunk()?);
        match self.sessions.get_mut(&id)?.hear(datagram, &mut self.random) {
            Heard::Nothing => None,
            Heard::Proof => {
                self.repeat_init(id);
                None
            }
            Heard::Accept => {
                if self.home.is_some_and(|(home, _)| home == id) {
                    self.ask_for_nick(id, self.nick);
                }
                Some(id)
            }
            Heard::Packet(plain) => {
                self.read(id, &plain);
                None
            }
        }
    }

    fn read(&mut self, id: u32, plain: &[u8]) {
        let (mut is_owed, mut answers) = (false, Vec::new());
        for frame in Frames::new(plain).flatten() {
            is_owed |= !matches!(frame, Frame::Ack(_));
            match frame {
                Frame::Close(_) => {
                    self.tally.closed += 1;
                    return self.forget(id);
                }
                Frame::Registered(registered) => {
                    self.tally.registered += u64::from(self.registered.is_none());
                    if self.home.is_some_and(|(home, _)| home == id) {
                        self.registered = Some(registered);
                    } else {
                        return self.hang_up(id);
                    }
                }
                Frame::Deregistered(()) => self.registered = None,
                Frame::Credit(limit) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.grant(limit);
                    }
                }
                Frame::Roster(page) => {
                    self.people.extend(page.entries().flatten().map(|one| (one.account, one.key)));
                }
                Frame::Joined(joined) => {
                    let (room, upto) = (joined.room, joined.since);
                    answers.push(Frame::Read(Read { room, upto, rewinds: 0 }));
                }
                Frame::RoomEntry(entry)
                    if usize::from(entry.offset) + entry.piece.len() == entry.total.into() =>
                {
                    let (room, upto) = (entry.room, entry.index);
                    answers.push(Frame::Read(Read { room, upto, rewinds: 0 }));
                }
                Frame::Mail(mail)
                    if usize::from(mail.offset) + mail.piece.len() == mail.total.into() =>
                {
                    let (index, received, receipt) = (mail.index, Received::default(), [0; 16]);
                    answers.push(Frame::MailAck(MailAck { index, received, receipt }));
                }
                _ => {}
            }
        }
        if !self.manners.confirms {
            answers.clear();
        }
        if self.manners.acknowledges && is_owed {
            answers.extend(self.sessions.get(&id).and_then(Session::ack));
        }
        self.say(id, &answers);
    }
}
