//! A client's endpoint, as a session needs it.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use proto_core::{
    client::{
        CommandError, Correspondent, MessageId, OpenMessages, PasswordError, PeerView, RoomView,
        SendError, Status, To, TrustError,
    },
    host::Log,
    id::{Nick, PublicKey},
    session::{Portable, safety_number},
    wire::RoomAction,
};
use transport_mio::{
    endpoint::ClientEndpoint,
    key_text,
    store::{Line, Place, Unread},
};

use crate::{
    notice::UnprovenServer,
    password::Password,
    session::{Chat, Moment},
    words,
};

use super::trust::Trust;

/// How many records are read at a time.
const PAGE: usize = 256;

/// A client's endpoint, and where its known servers stand.
pub(super) struct EndpointChat {
    pub(super) endpoint: ClientEndpoint,
    pub(super) directory: PathBuf,
    pub(super) known_servers: PathBuf,
    pub(super) trust: Trust,
    /// The conversations that were looked up since the roster changed.
    pub(super) known: HashMap<String, PublicKey>,
    /// Those whose names were noted in this run.
    pub(super) named: HashSet<PublicKey>,
}

/// A conversation by its name, of which two spellings are one.
fn whom(with: &To) -> String {
    words::whom(with).to_ascii_lowercase()
}

impl EndpointChat {
    /// What time it is.
    pub(super) fn moment(&mut self) -> Moment {
        let unix = self.endpoint.unix();
        Moment { now: self.endpoint.command(|_, now| now), unix }
    }
}

impl Chat for EndpointChat {
    fn register(&mut self) -> Result<(), String> {
        self.endpoint.bind().map_err(|error| error.to_string())?;
        self.endpoint
            .command(|client, now| client.register(now).map(drop))
            .map_err(|error| error.to_string())
    }

    fn deregister(&mut self) -> Result<(), CommandError> {
        self.endpoint.command(|client, now| client.deregister(now).map(drop))
    }

    fn authenticate(&mut self, password: &Password) -> Result<(), PasswordError> {
        self.endpoint.command(|client, now| client.authenticate(now, password.as_bytes()).map(drop))
    }

    fn unproven_server(&mut self) -> Option<UnprovenServer> {
        if self.trust.expected.is_some() {
            return None;
        }
        let key = self.endpoint.machine().server_key()?;
        Some(UnprovenServer { address: self.trust.name.clone(), key: key_text::encode(&key) })
    }

    fn trust_server(&mut self) -> Result<(), String> {
        let key = self.endpoint.machine().server_key();
        let met = key.map_or(Ok(None), |key| self.trust.met(key));
        met.map(drop).map_err(|error| error.to_string())
    }

    fn change_password(&mut self, old: &Password, new: &Password) -> Result<(), PasswordError> {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        self.endpoint.command(|client, now| client.change_password(now, old, new).map(drop))
    }

    fn endorse(&mut self, key: PublicKey) -> Result<(), CommandError> {
        self.endpoint.command(|client, now| client.endorse(now, key).map(drop))
    }

    fn key(&mut self) -> PublicKey {
        self.endpoint.machine().key()
    }

    fn trust(&mut self, nick: &Nick, key: &PublicKey) -> Result<(), TrustError> {
        self.endpoint.command(|client, now| client.trust(now, nick, key))
    }

    fn verify(&mut self, nick: &Nick, key: &PublicKey) -> Result<(), TrustError> {
        self.endpoint.command(|client, now| client.verify(now, nick, key))
    }

    fn safety_number(&mut self, key: &PublicKey) -> [u32; 12] {
        safety_number(&Portable, &self.endpoint.machine().key(), key)
    }

    fn release(&mut self) {
        self.endpoint.unbind();
    }

    fn say(&mut self, to: To, text: &str) -> Result<MessageId, SendError> {
        self.endpoint.command(|client, now| client.send_message(now, to, text))
    }

    fn request(&mut self, action: RoomAction) -> Result<(), CommandError> {
        self.endpoint.command(|client, now| client.request(now, action).map(drop))
    }

    fn set_away(&mut self, text: &str) -> Result<(), CommandError> {
        self.endpoint.command(|client, now| client.set_away(now, text).map(drop))
    }

    fn status(&mut self) -> Status {
        self.endpoint.machine().status()
    }

    fn open_messages(&mut self) -> OpenMessages {
        self.endpoint.machine().open_messages()
    }

    fn peers(&mut self) -> Vec<PeerView> {
        let mut peers = Vec::new();
        self.endpoint.machine().for_each_peer(|peer| peers.push(peer));
        peers
    }

    fn rooms(&mut self) -> Vec<RoomView> {
        let mut rooms = Vec::new();
        self.endpoint.machine().for_each_room(|room| rooms.push(room));
        rooms
    }

    fn store_failure(&self) -> String {
        self.endpoint.store().last_error().map_or_else(
            || "could not save to the disk; it is tried again".to_owned(),
            |failure| failure.to_string(),
        )
    }

    fn data_directory(&self) -> String {
        self.directory.display().to_string()
    }

    fn key_advice(&self) -> String {
        format!(
            "Ask its operator for the line to join by, and compare the key in it. Only if they say \
             that the key has changed, remove the line of {} from {}",
            self.trust.name,
            self.known_servers.display()
        )
    }

    fn conversation(&mut self, with: &To) -> Option<PublicKey> {
        let known = self.known.get(&whom(with)).copied();
        if known.is_some_and(|key| self.named.contains(&key)) {
            return known;
        }
        // They are gone through once for all that come in a row.
        let peers = self.peers().into_iter().map(|peer| (To::Peer(peer.nick), peer.log));
        let rooms = self.rooms().into_iter().map(|room| (room.room, room.key));
        self.known = peers.chain(rooms).map(|(with, key)| (whom(&with), key)).collect();
        let found = self.known.get(&whom(with)).copied();
        if let Some(key) = found.filter(|key| self.named.insert(*key)) {
            self.endpoint.store().name(key, *with);
        }
        found
    }

    fn conversations(&mut self) -> Result<Vec<Correspondent>, String> {
        let named = self.endpoint.store().named().map_err(|error| error.to_string())?;
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let page = self
                .endpoint
                .store()
                .history(Log::Conversations, from, PAGE)
                .map_err(|error| error.to_string())?;
            // What is damaged was told of when it was read at the start.
            all.extend(page.iter().filter_map(|(_, record)| Correspondent::from_record(record)));
            match page.last() {
                Some((last, _)) if page.len() == PAGE => from = last.saturating_add(1),
                _ => break,
            }
        }
        let recorded: HashSet<_> = all.iter().map(|it| it.log).collect();
        // Who only ever wrote to this user is in no record of the core's.
        all.extend(named.into_iter().filter(|it| !recorded.contains(&it.log)));
        Ok(all)
    }

    fn lines(
        &mut self,
        of: Option<PublicKey>,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Line>, String> {
        self.endpoint.store().lines(of, before, limit).map_err(|error| error.to_string())
    }

    fn unread(&mut self) -> Result<Vec<Unread>, String> {
        self.endpoint.store().unread().map_err(|error| error.to_string())
    }
}
