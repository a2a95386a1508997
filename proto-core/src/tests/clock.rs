//! Hosts without a wall clock.

use core::time::Duration;

use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn set_clocks(world: &mut World<Box<ClientMemory>>, clock: WallClock) {
    world.server.set_clock(clock);
    world.alice.set_clock(clock);
    world.bob.set_clock(clock);
}

fn run(world: &mut World<Box<ClientMemory>>, steps: u32) {
    (0..steps).for_each(|_| world.step());
}

#[test]
fn mail_of_an_unknown_time_arrives_as_such_and_does_not_expire_once_the_time_is_known() {
    let mut world = World::new(1, Default::default(), Box::new(ClientMemory::new()), 0);
    set_clocks(&mut world, WallClock::UNKNOWN);
    world.register();
    let bob = Nick::new("bob").unwrap();
    assert!(world.say(bob, "now", 100));
    run(&mut world, 10);
    world.bob.deregister(world.outside.now).unwrap();
    run(&mut world, 10);
    world.alice.send_message(world.outside.now, bob, "for later").unwrap();
    run(&mut world, 10);
    // The server looks for what is too old every hour.
    let at = world.outside.now;
    set_clocks(&mut world, WallClock { at, unix: UnixTime(1 << 50) });
    while world.outside.now < at + 3 * HOUR {
        world.step();
    }
    world.bob.register(world.outside.now).unwrap();
    run(&mut world, 10);
    let times: Vec<_> = world
        .heard
        .iter()
        .filter_map(|event| match event {
            Event::Message { time, waited, .. } => Some((*time, *waited)),
            _ => None,
        })
        .collect();
    assert_eq!(times, [(UnixTime::UNKNOWN, false), (UnixTime::UNKNOWN, true)]);
}
