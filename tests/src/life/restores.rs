//! Stores that go back in time: backups that are made and put back, stores that are begun anew,
//! and clients' directories that are copied and used at another address.

use crate::{
    agenda::Task,
    clock::{Moment, SECOND},
    place::{Place, SERVER},
    world::{Backup, World},
};

/// How long it takes at least to put a store back.
const LEAST: Moment = 2 * SECOND;

/// The most copies of clients in a world.
const COPIES: usize = 2;

/// The most backups that are kept of one node, the newest ones.
const KEPT: usize = 4;

/// All that a world has of backups.
#[derive(Debug, Default)]
pub(super) struct Restores {
    /// Of single nodes.
    single: Vec<(Place, Backup)>,
    /// Of the server and some clients, made at the same moment: as of one machine.
    together: Option<Vec<(Place, Backup)>>,
    copies: usize,
}

impl Restores {
    /// A store goes back, or a backup is made for that.
    pub(super) fn strike(&mut self, world: &mut World) {
        let place = world.cx.dice.index(world.nodes.len());
        match world.cx.dice.below(150) {
            0..35 => self.back_up(world, place),
            35..45 => self.back_up_together(world),
            45..75 if !self.single.is_empty() => {
                let at = world.cx.dice.index(self.single.len());
                let (place, backup) = self.single[at].clone();
                world.cx.counts.restores += 1;
                replace(world, place, backup);
            }
            75..85 => {
                for (place, backup) in self.together.clone().unwrap_or_default() {
                    world.cx.counts.restores += 1;
                    replace(world, place, backup);
                }
            }
            85..91 => {
                world.cx.counts.wipes += 1;
                replace(world, place, Backup::default());
            }
            91..100 => self.copy_someone(world, place),
            // What is new needs time to become old.
            _ => {}
        }
    }

    fn back_up(&mut self, world: &World, place: Place) {
        world.cx.line(|names| format!("{} is backed up", names[place]));
        self.single.push((place, world.back_up(place)));
        if self.single.iter().filter(|(of, _)| *of == place).count() > KEPT {
            let oldest = self.single.iter().position(|(of, _)| *of == place);
            oldest.map(|oldest| self.single.remove(oldest));
        }
    }

    fn back_up_together(&mut self, world: &mut World) {
        let mut together = vec![(SERVER, world.back_up(SERVER))];
        for place in 1..world.nodes.len() {
            if world.cx.dice.chance(500) {
                together.push((place, world.back_up(place)));
            }
        }
        world.cx.line(|names| {
            let names = together.iter().map(|(place, _)| &names[*place]);
            format!("backed up together: {:?}", names.collect::<Vec<_>>())
        });
        self.together = Some(together);
    }

    /// A client's directory is copied, and used at another address: beside the original, or
    /// instead of it.
    fn copy_someone(&mut self, world: &mut World, place: Place) {
        if place == SERVER || self.copies == COPIES {
            return;
        }
        self.copies += 1;
        world.cx.counts.copies += 1;
        let name = format!("{}'s copy", world.name(place));
        let copy = world.copy(place, &name);
        world.nodes[copy].user.want_online(true);
        if world.cx.dice.chance(400) {
            world.deregister(place);
        }
        let pause = world.cx.dice.below(60 * SECOND);
        world.cx.task(pause, world.nodes[copy].life(), Task::Boot);
    }
}

/// A node ends, and starts again a little later with another store.
fn replace(world: &mut World, place: Place, backup: Backup) {
    if world.nodes[place].runs() {
        if world.cx.dice.chance(500) {
            world.stop(place);
        } else {
            world.crash(place);
        }
    }
    world.put_back(place, backup);
    // What goes back together with all that knows of the lost time is told from it by the
    // clock, which counts seconds.
    let pause = world.cx.dice.between(LEAST..30 * SECOND);
    world.cx.task(pause, world.nodes[place].life(), Task::Boot);
}
