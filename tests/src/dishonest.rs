//! A drawn world in which honest people meet, and then the server lies, or one of them does, or
//! someone without keys does what they can. What the honest are promised, they are promised by their
//! own clients: nothing is judged here but that.

use proto_core::{
    client::Event as Told,
    id::{Nick, PublicKey},
    server::Logins,
};

use crate::{
    agenda::{Alarm, Event},
    clock::{Moment, SECOND},
    dice::Dice,
    faults::Faults,
    liar::Liar,
    node::Node,
    place::{Place, SERVER},
    role::Input,
    setup::Setup,
    trace::Telling,
    world::World,
};

/// How long people have to meet.
const MEETING: Moment = 4 * SECOND;

/// How long nothing passes between those who are cut apart: for ever.
const EVER: Moment = 100_000 * SECOND;

/// How long they have in the end.
const ENDING: Moment = 60 * SECOND;

/// How such a world is made.
pub(crate) fn draw(dice: &mut Dice) -> Setup {
    let mut nicks: Vec<_> = ["alice", "bob", "carol"].map(String::from).to_vec();
    nicks.truncate(2 + dice.index(2));
    nicks.push("mallory".into());
    let mut some = |most: u64| if dice.chance(300) { dice.below(most + 1) } else { 0 };
    let (loss, duplicates, delay) = (some(200) as u32, some(200) as u32, 1_000 + some(SECOND / 2));
    let faults = Faults {
        loss,
        duplicates,
        delay,
        hoards: dice.chance(300),
        drift: dice.chance(300),
        rekeys: dice.chance(300),
        replays: dice.chance(300),
        // There is a liar in four of five.
        attacker: dice.chance(200),
        dishonest: true,
        ..Faults::default()
    };
    let (logins, telling) = (Logins::Open, Telling::Silent);
    Setup { seed: dice.u64(), faults, nicks, real: false, logins, telling }
}

/// Lives such a world through to its end.
///
/// # Panics
/// When a law is broken.
pub(crate) fn live(setup: &Setup) -> World {
    let mut story = Story::begin(setup);
    story.meet();
    story.lie();
    let steps = 10 + story.world.cx.dice.below(40);
    for _ in 0..steps {
        story.step();
    }
    for place in story.people() {
        story.world.quit(place);
    }
    story.run(ENDING);
    if let Some(liar) = story.world.network.liar() {
        let tried = liar.tried();
        story.world.cx.counts.tried += tried;
    }
    story.world
}

struct Story {
    world: World,
    /// The last of the clients, who lies, or is a lying server's accomplice.
    mallory: Place,
    words: u64,
    /// The keys that claim nicks, of which users heard.
    claims: Vec<(Place, Nick, PublicKey)>,
}

impl Story {
    fn begin(setup: &Setup) -> Self {
        let mut world = World::new(setup);
        let mallory = world.nodes.len() - 1;
        if world.cx.faults.attacker {
            world.cx.alarm(SECOND, Alarm::Attack);
        } else {
            let liar = if world.cx.dice.chance(500) { SERVER } else { mallory };
            let keys: Vec<_> = world.nodes.iter().map(Node::key).collect();
            world.judges.introduce_liar(keys[mallory]);
            let (secret, dice) = (world.nodes[mallory].secret(), Dice::new(world.cx.dice.u64()));
            let own = (world.network.address(mallory), secret);
            world.network.corrupt(Liar::new(liar, own, keys, dice));
        }
        Self { world, mallory, words: 0, claims: Vec::new() }
    }

    fn people(&self) -> std::ops::RangeInclusive<Place> {
        1..=self.mallory
    }

    /// Honest people meet: most write to each other, some compare keys.
    fn meet(&mut self) {
        for place in self.people() {
            self.world.register(place);
        }
        self.run(MEETING);
        for from in self.people() {
            for to in self.people() {
                let has_a_word = from != to && self.world.cx.dice.chance(700);
                if has_a_word {
                    self.say(from, to);
                }
            }
        }
        self.run(MEETING);
        for at in self.people() {
            for of in self.people() {
                let compares = at != of && self.world.cx.dice.chance(200);
                if compares {
                    let (nick, key) = (self.world.nodes[of].nick(), self.world.nodes[of].key());
                    self.world.input(at, Input::Verify(nick, key));
                }
            }
        }
        self.run(SECOND);
    }

    fn lie(&mut self) {
        if let Some(liar) = self.world.network.liar() {
            liar.lies(true);
        }
        // So that what is said goes by way of the server.
        if self.world.cx.dice.chance(600) {
            for one in self.people() {
                for other in 1..one {
                    self.world.network.part(&mut self.world.cx, one, other, EVER);
                }
            }
        }
    }

    fn step(&mut self) {
        let count = self.mallory as u64;
        let who = 1 + self.world.cx.dice.below(count) as Place;
        match self.world.cx.dice.below(20) {
            0 => self.world.deregister(who),
            1..=3 => self.world.register(who),
            4 => self.world.quit(who),
            5 => {
                self.world.crash(who);
                self.world.boot(who);
            }
            6 => self.trust(),
            7 => {
                let place = SERVER;
                self.world.crash(place);
                self.world.boot(place);
            }
            _ => {
                for _ in 0..=self.world.cx.dice.below(3) {
                    let to = 1 + self.world.cx.dice.below(count) as Place;
                    if to != who {
                        self.say(who, to);
                    }
                }
            }
        }
        let span = self.world.cx.dice.below(3 * SECOND);
        self.run(span);
    }

    fn say(&mut self, from: Place, to: Place) {
        self.words += 1;
        let to = self.world.nodes[to].nick();
        let (text, long) = (format!("word {} to {to} ", self.words), self.world.cx.dice.chance(50));
        let text = if long { text.repeat(100) } else { text };
        // Why nothing was sent is the user's business.
        let _ = self.world.say(from, to, text);
    }

    /// A user believes that a nick has another key.
    fn trust(&mut self) {
        if !self.claims.is_empty() {
            let at = self.world.cx.dice.index(self.claims.len());
            let (who, nick, key) = self.claims.swap_remove(at);
            self.world.trust(who, nick, key);
            self.world.cx.counts.believed += 1;
        }
    }

    fn run(&mut self, span: Moment) {
        let end = self.world.now() + span;
        while let Some(event) = self.world.cx.next(end) {
            match event {
                Event::Alarm(Alarm::Attack) => {
                    let keys: Vec<_> = self.world.nodes.iter().map(Node::key).collect();
                    self.world.network.attack(&mut self.world.cx, &keys);
                }
                other => self.world.happen(other),
            }
        }
        self.world.cx.pass(end);
        self.judge();
    }

    fn judge(&mut self) {
        let liar = self.world.nodes[self.mallory].key();
        let opened = self.world.network.liar().map(Liar::opened).unwrap_or_default();
        for (author, text) in opened {
            self.world.cx.counts.opened += 1;
            self.world.cx.judge(author, self.world.judges.opened(liar, &text));
        }
        for place in self.people() {
            for (nick, key) in self.world.nodes[place].known() {
                self.world.cx.judge(place, self.world.judges.knows(place, &nick, key));
            }
            for told in self.world.nodes[place].user.take_told() {
                if let Told::KeyChanged { nick, key, .. } = told.event {
                    self.claims.push((place, nick, key));
                }
            }
        }
    }
}
