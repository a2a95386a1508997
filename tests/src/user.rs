//! A node's user: what it wants, and what it was told.

use proto_core::{
    client::Event,
    id::Nick,
    wire::{PasswordWant, RegisterRefusal},
};

/// Something that a user was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What.
    pub event: Event,
    /// The text of a message.
    pub text: String,
}

/// The user of a client.
#[derive(Debug)]
pub struct User {
    wants_online: bool,
    /// What it said last of being away; nothing, since it was offline.
    away: String,
    /// Why its nick was refused, if that was the last word.
    refused: Option<RegisterRefusal>,
    /// What it types when asked for a password: the next one after a wrong one.
    passwords: Vec<String>,
    /// How many of those were wrong.
    wrong: usize,
    told: Vec<Told>,
}

impl User {
    /// A user who goes by a nick, and does not want to be online.
    pub(crate) fn new(nick: Nick) -> Self {
        Self {
            wants_online: false,
            away: String::new(),
            refused: None,
            passwords: vec![format!("the password of {nick}")],
            wrong: 0,
            told: Vec::new(),
        }
    }

    /// What it was told, in this run of its client and before.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// What it was told since this was asked before.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Why its nick was refused, if that was the last word.
    pub fn refused(&self) -> Option<RegisterRefusal> {
        self.refused
    }

    /// What it types when asked for a password: the next one after a wrong one.
    pub fn types(&mut self, passwords: Vec<String>) {
        self.passwords = passwords;
    }

    /// How many of its passwords were wrong.
    pub fn wrong(&self) -> usize {
        self.wrong
    }

    /// It wants to be online, or it does not.
    pub(crate) fn wants_online(&self) -> bool {
        self.wants_online
    }

    /// From now on it wants to be online, or does not.
    pub(crate) fn want_online(&mut self, wants: bool) {
        self.wants_online = wants;
    }

    /// The server does not want it.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.refused, Some(RegisterRefusal::Taken | RegisterRefusal::OtherNick))
    }

    /// It is, or should be, online.
    pub(crate) fn is_there(&self) -> bool {
        self.wants_online && !self.is_refused()
    }

    /// What it said last of being away; nothing, since it was offline.
    pub(crate) fn away(&self) -> &str {
        &self.away
    }

    /// It says that it is away, or, with no text, back.
    pub(crate) fn goes_away(&mut self, text: String) {
        self.away = text;
    }

    /// The password that it types next, unless there is none left to try.
    pub(crate) fn password(&self) -> Option<&str> {
        self.passwords.get(self.wrong).map(String::as_str)
    }

    /// It is told something, with a text.
    pub(crate) fn hears(&mut self, event: Event, text: String) {
        match event {
            Event::Registered { .. } => self.refused = None,
            Event::RegisterRefused(why) => {
                self.refused = Some(why);
                self.away.clear();
            }
            Event::Deregistered { .. }
            | Event::Displaced
            | Event::ServerClosed(_)
            | Event::WrongServerKey => self.away.clear(),
            Event::PasswordWanted { why: PasswordWant::Wrong, .. } => self.wrong += 1,
            _ => {}
        }
        self.told.push(Told { event, text });
    }
}
