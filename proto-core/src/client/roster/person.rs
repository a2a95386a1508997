//! Someone whom the client knows.

use core::net::SocketAddr;

use crate::{
    client::{
        event::Event,
        headers::{ConversationRecord, Naming},
        role::ClientLink,
    },
    id::{Account, Nick, PublicKey},
    link::OutgoingHandshake,
    storage::{Body, Id, Pool},
    time::UnixTime,
    wire::{Presence, RosterEntry, SubmitRefusal},
};

/// Someone whom the client knows, from the roster or from before, and how to reach them.
#[derive(Debug)]
pub(in crate::client) struct Person {
    /// How many keys they had before, as the server counts.
    pub(super) key_number: u32,
    /// The key before and its number, while it is not known what became of what was sealed
    /// to it.
    former: Option<(PublicKey, u32)>,
    /// The account, and the tag of its server's key: who has that is the same person, whatever
    /// the key.
    account: Option<(Account, u32)>,
    presence: Presence,
    address: Option<SocketAddr>,
    /// Of the roster's entry that this is from.
    pub(super) version: u64,
    seen: UnixTime,
    /// What they say of being away.
    away: Body,
    pub(super) link: Option<Id<ClientLink>>,
    pub(super) dial: Option<Id<OutgoingHandshake>>,
    pub(super) naming: Naming,
    /// Their user compared keys with them by another way.
    verified: bool,
    /// Who has their nick at the server now, by its word: until the user says that it is them,
    /// nothing goes to either.
    claim: Option<Claim>,
    /// The user is to hear of that.
    is_news: bool,
}

/// Another key that holds a nick at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Claim {
    pub(in crate::client) key: PublicKey,
    /// How many keys its account had before.
    pub(super) number: u32,
    pub(super) account: Account,
}

impl Person {
    /// Of whom nothing is known yet.
    pub(super) const NEW: Self = Self {
        key_number: 0,
        former: None,
        account: None,
        presence: Presence::Offline,
        address: None,
        version: 0,
        seen: UnixTime(0),
        away: Body::EMPTY,
        link: None,
        dial: None,
        naming: Naming::Unknown,
        verified: false,
        claim: None,
        is_news: false,
    };

    /// As the store has them.
    pub(super) fn restore(record: &ConversationRecord) -> Self {
        let ConversationRecord { home, key_number, former, naming, verified, .. } = *record;
        Self { key_number, former, account: home, naming, verified, ..Self::NEW }
    }

    /// What their key is to their nick.
    pub(in crate::client) fn naming(&self) -> Naming {
        self.naming
    }

    /// Their user compared keys with them by another way.
    pub(in crate::client) fn is_verified(&self) -> bool {
        self.verified
    }

    /// Their key is the right one, by the user's word.
    pub(super) fn verify(&mut self) {
        self.verified = true;
    }

    /// Another key holds their nick at the server.
    pub(in crate::client) fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// Why nothing is to go to them any more, if so; `holds` says that the user may yet accept a key.
    pub(in crate::client) fn refusal(&self, holds: bool) -> Option<SubmitRefusal> {
        let is_refused = self.verified || !holds;
        let has_other_key = self.naming == Naming::Unknown || is_refused && self.claim.is_some();
        match self.presence {
            _ if has_other_key => Some(SubmitRefusal::KeyChanged),
            Presence::Removed if self.claim.is_none() => Some(SubmitRefusal::NoRecipient),
            _ => None,
        }
    }

    /// Another key holds their nick at the server, or none does but their own.
    pub(super) fn set_claim(&mut self, claim: Option<Claim>) {
        self.is_news |= claim.is_some() && self.claim.map(|it| it.key) != claim.map(|it| it.key);
        self.is_news &= claim.is_some();
        self.claim = claim;
        if claim.is_some() {
            self.address = None;
            if self.presence != Presence::Removed {
                self.presence = Presence::Offline;
            }
        }
    }

    /// They are where another row said that its holder is.
    pub(super) fn follow(&mut self, other: &mut Self) {
        self.presence = core::mem::replace(&mut other.presence, Presence::Offline);
        (self.address, self.version, self.seen) = (other.address, other.version, other.seen);
        other.address = None;
        core::mem::swap(&mut self.away, &mut other.away);
    }

    /// They have this account, at the server with this tag.
    pub(super) fn set_account(&mut self, account: Account, server: u32) {
        self.account = Some((account, server));
    }

    /// The account, and the tag of its server's key.
    pub(in crate::client) fn account(&self) -> Option<(Account, u32)> {
        self.account
    }

    /// How many keys they had before.
    pub(in crate::client) fn key_number(&self) -> u32 {
        self.key_number
    }

    /// The key before and its number, while it is not known what became of what was sealed to it.
    pub(in crate::client) fn former(&self) -> Option<(PublicKey, u32)> {
        self.former
    }

    /// Nothing is sealed to the key before any more.
    pub(in crate::client) fn forget_former(&mut self) {
        self.former = None;
    }

    pub(in crate::client) fn presence(&self) -> Presence {
        self.presence
    }

    pub(in crate::client) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// When they were last online.
    pub(in crate::client) fn seen(&self) -> UnixTime {
        self.seen
    }

    /// What they say of being away.
    pub(in crate::client) fn away(&self) -> &Body {
        &self.away
    }

    /// The session with them.
    pub(in crate::client) fn link(&self) -> Option<Id<ClientLink>> {
        self.link
    }

    /// The handshake that is to lead to one.
    pub(in crate::client) fn dial(&self) -> Option<Id<OutgoingHandshake>> {
        self.dial
    }

    /// There is no session with them, none is being begun, and they had no other key.
    pub(super) fn is_out_of_touch(&self) -> bool {
        self.link.is_none() && self.dial.is_none() && self.former.is_none()
    }

    /// They are forgotten: what they say of being away.
    pub(super) fn into_away(self) -> Body {
        self.away
    }

    /// They go on under another key than this one, which nobody compared.
    pub(super) fn renew(&mut self, before: PublicKey, number: u32) {
        self.former = self.former.or(Some((before, self.key_number)));
        (self.key_number, self.verified) = (number, false);
        self.set_claim(None);
    }

    /// Takes in a newer entry of the roster; `true` if people see a difference.
    pub(super) fn update(
        &mut self,
        entry: &RosterEntry<'_>,
        server: u32,
        pool: &mut Pool<'_>,
    ) -> bool {
        let changed = self.presence != entry.presence;
        self.account = Some((entry.account, server));
        self.key_number = entry.key_number;
        self.presence = entry.presence;
        self.address = entry.candidates.into_iter().flatten().next();
        self.version = entry.version;
        self.seen = entry.seen;
        pool.free(core::mem::replace(&mut self.away, Body::EMPTY));
        if let Some(text) = entry.away {
            // Without room for it, they are online and no more.
            self.away = pool.store(text.as_bytes()).unwrap_or(Body::EMPTY);
        }
        changed
    }

    /// Their account is no more.
    pub(super) fn remove(&mut self, version: u64) {
        (self.version, self.presence, self.address) = (version, Presence::Removed, None);
    }

    /// There is something that the user is to hear of them.
    pub(in crate::client) fn has_news(&self) -> bool {
        self.is_news
    }

    /// What the user is to hear of them.
    pub(in crate::client) fn next_event(&mut self, nick: Nick) -> Option<Event> {
        let claim = self.claim.filter(|_| core::mem::take(&mut self.is_news))?;
        Some(Event::KeyChanged { nick, key: claim.key, verified: self.verified })
    }
}
