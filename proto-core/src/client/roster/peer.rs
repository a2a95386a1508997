//! The row of someone whom the client knows, or of a room.

use core::net::SocketAddr;

use crate::client::headers::{ConversationRecord, Naming};
use crate::{
    client::{
        event::{Event, To},
        inbox::author::Author,
        outbox::conversation::Conversation,
        role::ClientLink,
        rooms::membership::Membership,
        saved::Saved,
    },
    id::{PublicKey, Recipient},
    storage::{Id, Linked, Node},
    wire::Presence,
};

use super::person::Person;

/// Someone whom the client knows, or a room, and the conversation with them. Each part belongs
/// to one component, which alone can write it.
#[derive(Debug)]
pub struct Peer {
    /// Their number at the server: of someone, while the roster has them; of a room, once
    /// this client was a member or has something to ask after.
    pub(super) recipient: Option<Recipient>,
    /// Of a room, what stands for a key.
    pub(super) key: PublicKey,
    /// What the logs are named by: the key that was met first.
    log: PublicKey,
    pub(super) with: To,
    pub(in crate::client) who: Who,
    pub(in crate::client) conversation: Conversation,
    pub(in crate::client) author: Author,
    pub(in crate::client) saved: Saved,
    asking: Node<Self>,
    telling: Node<Self>,
    querying: Node<Self>,
    active: Node<Self>,
    reading: Node<Self>,
    fetching: Node<Self>,
    joined: Node<Self>,
}

/// Someone, or a room.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // there is no heap to box in
pub(in crate::client) enum Who {
    Person(Person),
    Room(Membership),
}

impl Peer {
    pub(super) fn new(key: PublicKey, with: To) -> Self {
        let who = match with {
            To::Peer(_) => Who::Person(Person::NEW),
            To::Lobby | To::Room(_) => Who::Room(Membership::default()),
        };
        Self {
            recipient: None,
            key,
            log: key,
            with,
            who,
            conversation: Conversation::new(with.is_room()),
            author: Author::default(),
            saved: Saved::default(),
            asking: Node::UNLINKED,
            telling: Node::UNLINKED,
            querying: Node::UNLINKED,
            active: Node::UNLINKED,
            reading: Node::UNLINKED,
            fetching: Node::UNLINKED,
            joined: Node::UNLINKED,
        }
    }

    /// As the store has it, in record `number`.
    pub(in crate::client) fn restore(&mut self, number: u64, record: ConversationRecord) {
        self.log = record.log;
        self.saved = Saved::restore(number);
        self.conversation.restore(record.stored, record.settled);
        self.who = match self.with {
            To::Peer(_) => Who::Person(Person::restore(&record)),
            To::Lobby | To::Room(_) => Who::Room(Membership::restore(record.room, record.history)),
        };
    }

    /// What the store is to have of it.
    pub(in crate::client) fn record(&self) -> ConversationRecord {
        let (person, room) = (self.person(), self.room());
        ConversationRecord {
            log: self.log,
            key: self.key,
            key_number: person.map_or(0, Person::key_number),
            former: person.and_then(Person::former),
            naming: person.map_or(Naming::Known, Person::naming),
            verified: person.is_some_and(Person::is_verified),
            with: self.with,
            home: person.and_then(Person::account),
            room: room.and_then(Membership::room),
            stored: self.conversation.stored(),
            settled: self.conversation.settled(),
            history: room.map(Membership::history).cloned().unwrap_or_default(),
        }
    }

    /// Their number at the server.
    pub(in crate::client) fn recipient(&self) -> Option<Recipient> {
        self.recipient
    }

    /// Their key, or what stands for a room's.
    pub(in crate::client) fn key(&self) -> PublicKey {
        self.key
    }

    /// What the logs are named by.
    pub(in crate::client) fn log(&self) -> PublicKey {
        self.log
    }

    pub(in crate::client) fn with(&self) -> To {
        self.with
    }

    pub(in crate::client) fn is_room(&self) -> bool {
        self.with.is_room()
    }

    /// The person that this is.
    pub(in crate::client) fn person(&self) -> Option<&Person> {
        if let Who::Person(person) = &self.who { Some(person) } else { None }
    }

    /// The person that this is.
    pub(in crate::client) fn person_mut(&mut self) -> Option<&mut Person> {
        if let Who::Person(person) = &mut self.who { Some(person) } else { None }
    }

    /// The room that this is.
    pub(in crate::client) fn room(&self) -> Option<&Membership> {
        if let Who::Room(room) = &self.who { Some(room) } else { None }
    }

    /// The room that this is.
    pub(in crate::client) fn room_mut(&mut self) -> Option<&mut Membership> {
        if let Who::Room(room) = &mut self.who { Some(room) } else { None }
    }

    /// The session with them; there is none with a room.
    pub(in crate::client) fn link(&self) -> Option<Id<ClientLink>> {
        self.person()?.link()
    }

    pub(in crate::client) fn presence(&self) -> Presence {
        self.person().map_or(Presence::Offline, Person::presence)
    }

    /// Where to reach them directly.
    pub(in crate::client) fn address(&self) -> Option<SocketAddr> {
        self.person()?.address()
    }

    /// What the user is to hear of the person or the room next.
    pub(in crate::client) fn next_event(&mut self) -> Option<Event> {
        match (&mut self.who, self.with) {
            (Who::Person(person), To::Peer(nick)) => person.next_event(nick).or_else(|| {
                self.conversation.take_relayed().then_some(Event::Relayed { to: nick })
            }),
            (Who::Room(room), with) => room.next_event(with),
            (Who::Person(_), To::Lobby | To::Room(_)) => {
                debug_assert!(false, "a person has a nick");
                None
            }
        }
    }

    /// They have another key, and it is not known what became of what was sealed to the one before.
    pub(in crate::client) fn has_former(&self) -> bool {
        self.person().is_some_and(|person| person.former().is_some())
    }

    /// It has messages that are not settled.
    pub(in crate::client) fn is_active(&self) -> bool {
        self.active.is_linked()
    }

    /// Someone with whom nothing was ever exchanged, and whom nothing in memory names.
    pub(super) fn is_stranger(&self) -> bool {
        self.person().is_some_and(Person::is_out_of_touch)
            && self.author.is_unheard()
            && self.conversation.is_untouched()
            && self.saved.number().is_none()
            && !self.is_listed()
    }

    /// Something is to be done about it, or told.
    pub(super) fn is_listed(&self) -> bool {
        let lists = [
            self.asking.is_linked(),
            self.telling.is_linked(),
            self.querying.is_linked(),
            self.active.is_linked(),
            self.reading.is_linked(),
            self.fetching.is_linked(),
            self.joined.is_linked(),
        ];
        lists.contains(&true)
    }

    /// This client is a member of the room.
    pub(in crate::client) fn is_joined(&self) -> bool {
        self.joined.is_linked()
    }
}

/// In the list of those whose records are to be put, or whose outboxes are to be trimmed.
#[derive(Debug)]
pub(in crate::client) struct Asking;
/// In the list of those that there is something to tell about.
#[derive(Debug)]
pub(in crate::client) struct Telling;
/// In the list of those with messages that are not settled.
#[derive(Debug)]
pub(in crate::client) struct Active;
/// In the list of those that the server is to be asked about.
#[derive(Debug)]
pub(in crate::client) struct Querying;
/// In the list of rooms whose server is to be told how far they are in the inbox.
#[derive(Debug)]
pub(in crate::client) struct Reading;
/// In the list of those whose outbox is to be read on.
#[derive(Debug)]
pub(in crate::client) struct Fetching;
/// In the list of rooms that this client is a member of.
#[derive(Debug)]
pub(in crate::client) struct Joined;

impl Linked<Asking> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<Telling> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.telling
    }
}

impl Linked<Querying> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.querying
    }
}

impl Linked<Active> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.active
    }
}

impl Linked<Reading> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.reading
    }
}

impl Linked<Fetching> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.fetching
    }
}

impl Linked<Joined> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.joined
    }
}
