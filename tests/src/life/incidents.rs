//! What befalls a world from time to time.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    agenda::Alarm,
    clock::{Moment, SECOND},
    ctx::Ctx,
    place::{Place, SERVER},
    store::Manners,
    world::World,
};

use super::restores::Restores;

/// The longest that a path is cut.
const CUT: Moment = 90 * SECOND;

/// A class of incidents that a world may have.
#[derive(Clone, Copy)]
enum Class {
    Burst,
    Partition,
    Rebinding,
    Jump,
    Pause,
    Crash,
    Torn,
    Store,
    Restore,
}

/// One of this world's classes strikes; and again, later.
pub(super) fn strike(world: &mut World, restores: &mut Restores) {
    let f = &world.cx.faults;
    let classes = [
        (f.bursts, Class::Burst),
        (f.partitions, Class::Partition),
        (f.rebinding, Class::Rebinding),
        (f.jumps, Class::Jump),
        (f.pauses, Class::Pause),
        (f.crashes, Class::Crash),
        (f.crashes && f.torn, Class::Torn),
        (f.slow_store || f.failing_store || f.full_store, Class::Store),
        (f.restores, Class::Restore),
        (f.restores, Class::Restore),
    ];
    let possible: Vec<_> = classes.into_iter().filter(|(on, _)| *on).collect();
    if possible.is_empty() {
        return;
    }
    let World { nodes, network, cx, .. } = world;
    let (_, class) = possible[cx.dice.index(possible.len())];
    let place = cx.dice.index(nodes.len());
    match class {
        Class::Burst => network.cut_off(cx, place, 10 * SECOND),
        Class::Partition if cx.dice.chance(300) => network.cut_off(cx, place, CUT),
        Class::Partition => network.partition(cx, CUT),
        Class::Rebinding => rebind(world, place),
        Class::Jump => {
            let hour = (3600 * SECOND).cast_signed();
            let by = cx.dice.below(7200 * SECOND).cast_signed() - hour;
            nodes[place].set_clock(cx, by);
        }
        Class::Pause => {
            let most = if cx.dice.chance(200) { 100 * SECOND } else { 5 * SECOND };
            let span = cx.dice.below(most);
            nodes[place].pause(cx, span);
        }
        Class::Crash => {
            let pause = cx.dice.below(30 * SECOND);
            nodes[place].crash_for(cx, pause);
        }
        Class::Torn => nodes[place].crash_after(cx.dice.index(6)),
        Class::Store => upset_store(world, place),
        Class::Restore => restores.strike(world),
    }
    let pause = world.cx.dice.below(20 * SECOND);
    world.cx.alarm(pause, Alarm::Incident);
}

/// A client is seen at another address from now on: a new one, or another client's.
fn rebind(world: &mut World, place: Place) {
    if place == SERVER {
        return;
    }
    let World { nodes, network, cx, .. } = world;
    let other = 1 + cx.dice.index(nodes.len() - 1);
    if other != place && cx.dice.chance(300) {
        let (here, there) = (network.address(place), network.address(other));
        network.move_to(place, SocketAddr::from((Ipv4Addr::new(198, 51, 100, 250), 1)));
        network.move_to(other, here);
        network.move_to(place, there);
        cx.line(|names| format!("{} and {} change places", names[place], names[other]));
    } else {
        let port = 1024 + cx.dice.below(60_000) as u16;
        let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 100 + place as u8), port));
        network.move_to(place, address);
        cx.line(|names| format!("{} is now at {address}", names[place]));
    }
}

fn upset_store(world: &mut World, place: Place) {
    let Ctx { dice, faults, .. } = &mut world.cx;
    let mut manners = Manners::default();
    if faults.slow_store && dice.chance(500) {
        let most = if dice.chance(100) { 15 * SECOND } else { 2 * SECOND };
        manners.slow = 1000 + dice.below(most);
    }
    if faults.failing_store && dice.chance(500) {
        manners.fails = dice.below(300) as u32;
    }
    manners.full = faults.full_store && dice.chance(300);
    world.nodes[place].store.behave(manners);
    world.cx.line(|names| format!("{}'s store: {manners:?}", names[place]));
}
