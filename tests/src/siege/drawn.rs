//! A drawn world of honest people and others: who comes, what they do, and how it ends.

use crate::{
    clock::SECOND, dice::Dice, faults::Faults, greedy::Behaviour, laws::progress::Bounds,
    life::finish, memory::Room, place::SERVER, setup::Setup, world::World,
};

use super::{Siege, Way};

/// How many people come at most who take what they can get; and where tables are tiny, as yet.
const MOST: u64 = 100;
const MOST_AT_TINY: u64 = 8;

/// The default sizes, but for nicks, so that some take so many of them that few are left.
const LARGE: Room = Room { people: 1_024, ..Room::DEFAULT_SERVER };

/// Tables that are tiny: room for a few more than the honest.
const TINY: Room = Room {
    links: 24,
    dials: 0,
    // Of the last quarter, each address has one at once and one a minute.
    people: 48,
    rooms: 4,
    messages: 16,
    blocks: 200,
    sent: 48,
    work: Room::DEFAULT_SERVER.work,
};

/// How many of them do at most what everyone is told of: a hundred times a hundred is slow to tell.
const LOUD: usize = 2;

/// How often the honest try to get through.
const ROUNDS: usize = 3;

/// How such a world is made.
pub(crate) fn draw(dice: &mut Dice) -> Setup {
    let faults = Faults::beside_greed(dice);
    Siege::setup(dice.u64(), faults, ROUNDS)
}

/// Lives such a world through to its end.
///
/// # Panics
/// When a law is broken.
pub(crate) fn live(setup: &Setup) -> World {
    let tiny = setup.faults.tiny;
    let (room, bounds) = if tiny { (TINY, Bounds::TINY) } else { (LARGE, Bounds::DEFAULT) };
    let mut place = 0;
    let world = World::prepared(setup, |plan| {
        if place == SERVER {
            plan.room = room;
        } else {
            plan.room.people = LARGE.people;
        }
        place += 1;
    });
    let mut siege = Siege::begin(world, bounds);
    for (behaviour, one_address) in drawn(&mut siege.world.cx.dice, tiny) {
        siege.beset_from(behaviour, one_address);
    }
    for _ in 0..ROUNDS {
        let span = siege.world.cx.dice.below(10 * SECOND);
        siege.run(span);
        for way in Way::ALL {
            pass(&mut siege, |siege| siege.passes(way));
        }
        pass(&mut siege, Siege::newcomer);
        if siege.world.cx.dice.chance(500) {
            siege.remove_some();
        }
    }
    siege.count_reused();
    let Siege { mut world, .. } = siege;
    world.relieve();
    world.heal();
    finish::conclude(&mut world);
    world
}

/// Who comes: each behaviour in about half of the worlds, and each world with some.
fn drawn(dice: &mut Dice, tiny: bool) -> Vec<(Behaviour, bool)> {
    let possible = Behaviour::GREEDY;
    let mut some: Vec<_> = possible.iter().copied().filter(|_| dice.chance(500)).collect();
    if some.is_empty() {
        some.push(possible[dice.index(possible.len())]);
    }
    // As often a few as many.
    let most = if tiny { MOST_AT_TINY } else { MOST };
    let count = most >> dice.below(7);
    let one_address = dice.chance(500);
    let mut loud = 0;
    let all = (0..count.max(1)).filter_map(|_| some.get(dice.index(some.len())).copied());
    let all = all.map(|behaviour| {
        loud += usize::from(behaviour.is_loud());
        let too_loud = behaviour.is_loud() && loud > LOUD;
        (if too_loud { Behaviour::NeverConfirms } else { behaviour }, one_address)
    });
    all.collect()
}

fn pass<T>(siege: &mut Siege, how: impl FnOnce(&mut Siege) -> Result<T, String>) {
    let passed = how(siege);
    siege.world.cx.counts.passed += u64::from(passed.is_ok());
    siege.world.cx.judge(SERVER, passed.map(drop));
}
