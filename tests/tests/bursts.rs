//! Bursts that arrive in every order at tables that are smaller than they: what waits must
//! not take the place of what it waits for.

use simulation::{
    chat::{Chat, SHORTLY},
    clock::{Moment, SECOND},
    letter::Letter,
    memory::Room,
};

/// Whose tables are small, and how a burst reaches them.
#[derive(Clone, Copy, Debug)]
enum Way {
    Directly,
    FromTheMailbox,
    InARoom,
    ToTheServer,
}

const WAYS: [Way; 4] = [Way::Directly, Way::FromTheMailbox, Way::InARoom, Way::ToTheServer];

/// A burst, and the room that it has to get through.
struct Burst {
    texts: Vec<String>,
    room: fn(Room) -> Room,
}

impl Burst {
    /// More messages than there are places, each in a packet of its own.
    fn many() -> Self {
        let texts = (0..10).map(|at| Chat::long(&format!("no. {at}"), 900)).collect();
        Self { texts, room: |room| Room { messages: 8, ..room } }
    }

    /// A long one ahead of short ones, which would fill the pool without it.
    fn long_and_short() -> Self {
        let length = |at| if at == 0 { 6000 } else { 900 };
        let texts = (0..8).map(|at| Chat::long(&format!("no. {at}"), length(at))).collect();
        Self { texts, room: |room| Room { blocks: 44, ..room } }
    }

    /// Alice and Bob, who have met, just before the burst.
    fn begin(&self, way: Way) -> Chat {
        let mut chat = Chat::online(&["alice", "bob"]);
        let small = if matches!(way, Way::ToTheServer) { "server" } else { "bob" };
        let place = chat.at(small);
        chat.world.nodes[place].plan.room = (self.room)(chat.world.nodes[place].plan.room);
        chat.crash(small);
        chat.start(small);
        chat.run(60 * SECOND);
        chat.say("bob", "alice", "are you there?");
        chat.say("alice", "bob", "I am");
        chat.run(SHORTLY);
        for who in ["alice", "bob"] {
            chat.hears(who);
        }
        match way {
            Way::Directly => {}
            Way::FromTheMailbox => {
                chat.deregister("bob");
                chat.run(SHORTLY);
                self.say(&mut chat, "bob");
                chat.run(SHORTLY);
            }
            Way::InARoom => chat.gather("tea", &["alice", "bob"]),
            Way::ToTheServer => {
                chat.deregister("bob");
                chat.run(SHORTLY);
            }
        }
        chat.hears("bob");
        chat
    }

    fn say(&self, chat: &mut Chat, to: &str) {
        for text in &self.texts {
            chat.say("alice", to, text);
        }
    }

    /// Tells of the burst: its first datagrams are held for a moment, and those of them arrive
    /// that `order` picks. How many were held, and what Bob heard.
    fn tell(&self, way: Way, order: &[usize]) -> (usize, Vec<String>) {
        let mut chat = self.begin(way);
        let (from, to, moment): (_, _, Moment) = match way {
            Way::Directly => ("alice", "bob", SECOND / 20),
            Way::FromTheMailbox => ("server", "bob", SECOND / 4),
            Way::InARoom => ("server", "bob", SECOND / 10),
            Way::ToTheServer => ("alice", "server", SECOND / 20),
        };
        let [from, to] = [from, to].map(|who| chat.world.network.address(chat.at(who)));
        let is_packet = move |letter: &Letter| letter.bytes[0] == 6;
        chat.world
            .network
            .hold(move |letter| (letter.from, letter.to) == (from, to) && is_packet(letter));
        match way {
            Way::Directly | Way::ToTheServer => self.say(&mut chat, "bob"),
            Way::FromTheMailbox => chat.register("bob"),
            Way::InARoom => self.say(&mut chat, "#tea"),
        }
        chat.run(moment);
        let held = chat.world.network.held();
        for letter in order.iter().filter_map(|at| held.get(*at)) {
            chat.world.deliver(letter);
        }
        chat.run(15 * SECOND);
        if matches!(way, Way::ToTheServer) {
            chat.register("bob");
            chat.run(SHORTLY);
        }
        let news = chat.hears("bob").into_iter().filter(|line| line.contains("no. "));
        (held.len(), news.collect())
    }

    /// It arrives in whatever order its first datagrams do.
    fn arrives_in_every_order(&self, way: Way) {
        let (sent, heard) = self.tell(way, &[]);
        assert!(sent >= 4, "{sent} datagrams are no burst");
        assert!(said(&heard) == self.texts, "{} arrive after a loss", heard.len());
        for order in orders(sent) {
            let (_, heard) = self.tell(way, &order);
            assert!(said(&heard) == self.texts, "{order:?}: {} arrive", heard.len());
        }
    }
}

/// The texts alone of what someone heard.
fn said(heard: &[String]) -> Vec<&str> {
    heard.iter().map(|line| &line[line.find("no. ").unwrap_or(0)..]).collect()
}

/// One is lost, and the others begin at any of them, forwards or backwards.
fn orders(sent: usize) -> impl Iterator<Item = Vec<usize>> {
    let each = (0..sent).flat_map(move |lost| (1..sent).map(move |from| (lost, from)));
    each.flat_map(move |(lost, from)| {
        let place = |at| (lost + 1 + (from + at) % (sent - 1)) % sent;
        let forwards: Vec<_> = (1..sent).map(place).collect();
        let backwards = forwards.iter().rev().copied().collect();
        [forwards, backwards]
    })
}

#[test]
fn what_is_said_directly_arrives_when_it_is_more_than_there_are_places() {
    Burst::many().arrives_in_every_order(Way::Directly);
}

#[test]
fn what_is_said_directly_arrives_when_it_is_longer_than_what_is_behind_it() {
    Burst::long_and_short().arrives_in_every_order(Way::Directly);
}

#[test]
fn mail_arrives_when_it_is_more_than_there_are_places() {
    Burst::many().arrives_in_every_order(Way::FromTheMailbox);
}

#[test]
fn mail_arrives_when_it_is_longer_than_what_is_behind_it() {
    Burst::long_and_short().arrives_in_every_order(Way::FromTheMailbox);
}

#[test]
fn what_is_said_in_a_room_arrives_when_it_is_more_than_there_are_places() {
    Burst::many().arrives_in_every_order(Way::InARoom);
}

#[test]
fn what_is_said_in_a_room_arrives_when_it_is_longer_than_what_is_behind_it() {
    Burst::long_and_short().arrives_in_every_order(Way::InARoom);
}

#[test]
fn what_is_deposited_arrives_when_it_is_more_than_there_are_places() {
    Burst::many().arrives_in_every_order(Way::ToTheServer);
}

#[test]
fn what_is_deposited_arrives_when_it_is_longer_than_what_is_behind_it() {
    Burst::long_and_short().arrives_in_every_order(Way::ToTheServer);
}

#[test]
fn the_first_of_more_than_may_wait_still_finds_a_place() {
    let texts = (0..150).map(|at| Chat::long(&format!("no. {at}"), 30)).collect();
    let burst = Burst { texts, room: |room| room };
    for way in WAYS {
        let (sent, _) = burst.tell(way, &[]);
        let all_but_the_first: Vec<_> = (1..sent).collect();
        let (_, heard) = burst.tell(way, &all_but_the_first);
        assert!(said(&heard) == burst.texts, "{way:?}: {} arrive", heard.len());
        let is_direct = |line: &String| line.starts_with("alice: ");
        assert!(!matches!(way, Way::Directly) || heard.iter().all(is_direct), "{heard:?}");
    }
}
