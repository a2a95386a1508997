//! Stores that go back in time: backups that are made and put back, stores that are begun anew,
//! and clients' directories that are copied and used at another address.

use crate::{
    agenda::Task,
    clock::{Moment, SECOND},
    place::{Place, SERVER},
    restored::Letters,
    role::Input,
    store::Logs,
    world::World,
};

/// How long it takes at least to put a store back.
const LEAST: Moment = 2 * SECOND;

/// The most copies of clients in a world.
const COPIES: usize = 2;

/// The most backups that are kept of one node, the newest ones.
const KEPT: usize = 4;

/// A durable directory as it was at some moment, without the identity, which never changes.
#[derive(Clone, Debug, Default)]
pub struct Backup {
    boots: u64,
    logs: Logs,
    letters: Letters,
}

/// All that a world has of backups.
#[derive(Debug, Default)]
pub(crate) struct Backups {
    /// Of single nodes.
    single: Vec<(Place, Backup)>,
    /// Of the server and some clients, made at the same moment: as of one machine.
    together: Option<Vec<(Place, Backup)>>,
    copies: usize,
}

impl World {
    /// A store goes back, or a backup is made for that.
    pub(crate) fn go_back(&mut self) {
        let place = self.cx.dice.index(self.nodes.len());
        match self.cx.dice.below(150) {
            0..35 => self.back_up(place),
            35..45 => self.back_up_together(),
            45..75 => {
                let single = self.backups.single.len();
                if single > 0 {
                    let (place, backup) = self.backups.single[self.cx.dice.index(single)].clone();
                    self.cx.counts.restores += 1;
                    self.replace(place, backup);
                }
            }
            75..85 => {
                for (place, backup) in self.backups.together.clone().unwrap_or_default() {
                    self.cx.counts.restores += 1;
                    self.replace(place, backup);
                }
            }
            85..91 => {
                self.cx.counts.wipes += 1;
                self.replace(place, Backup::default());
            }
            91..100 => self.copy_someone(place),
            // What is new needs time to become old.
            _ => {}
        }
    }

    /// What is durable at a node now, whether it runs or not.
    pub fn backup(&self, place: Place) -> Backup {
        let node = &self.nodes[place];
        let letters = self.restored.as_ref().map(|laws| laws.letters(place)).unwrap_or_default();
        Backup { boots: node.boots, logs: node.store.snapshot(), letters }
    }

    fn back_up(&mut self, place: Place) {
        self.cx.line(|names| format!("{} is backed up", names[place]));
        let backup = self.backup(place);
        let single = &mut self.backups.single;
        single.push((place, backup));
        if single.iter().filter(|(of, _)| *of == place).count() > KEPT {
            let oldest = single.iter().position(|(of, _)| *of == place);
            oldest.map(|oldest| single.remove(oldest));
        }
    }

    fn back_up_together(&mut self) {
        let mut together = vec![(SERVER, self.backup(SERVER))];
        for place in 1..self.nodes.len() {
            if self.cx.dice.chance(500) {
                together.push((place, self.backup(place)));
            }
        }
        self.cx.line(|names| {
            let names = together.iter().map(|(place, _)| &names[*place]);
            format!("backed up together: {:?}", names.collect::<Vec<_>>())
        });
        self.backups.together = Some(together);
    }

    /// What is durable at a node, which must not run, is this from now on; of an untouched
    /// backup, nothing. Only worlds with such faults have laws for that.
    pub fn put_back(&mut self, place: Place, backup: Backup) {
        self.cx.line(|names| format!("{} goes back to boot {}", names[place], backup.boots));
        let Backup { boots, logs, letters } = backup;
        let node = &mut self.nodes[place];
        node.boots = boots;
        node.store.put_back(logs);
        let key = (place != SERVER).then_some(node.key);
        if let Some(laws) = &mut self.restored {
            laws.went_back(place, key, letters, self.cx.now());
        }
    }

    /// A client's directory as it is now is also used at an address of its own, once that is
    /// started.
    pub fn copy(&mut self, place: Place, name: &str) -> Place {
        let backup = self.backup(place);
        let copy = self.second(place, name);
        self.put_back(copy, backup);
        copy
    }

    /// A node ends, and starts again a little later with another store.
    fn replace(&mut self, place: Place, backup: Backup) {
        if self.nodes[place].role.is_some() {
            if self.cx.dice.chance(500) {
                self.stop(place);
            } else {
                self.crash(place);
            }
        }
        self.put_back(place, backup);
        // What goes back together with all that knows of the lost time is told from it by the
        // clock, which counts seconds.
        let pause = self.cx.dice.between(LEAST..30 * SECOND);
        self.cx.task(pause, self.nodes[place].life_of(), Task::Boot);
    }

    /// A client's directory is copied, and used at another address: beside the original, or
    /// instead of it.
    fn copy_someone(&mut self, place: Place) {
        if place == SERVER || self.backups.copies == COPIES {
            return;
        }
        self.backups.copies += 1;
        self.cx.counts.copies += 1;
        let copy = self.copy(place, &format!("{}'s copy", self.cx.name(place)));
        self.nodes[copy].wants_online = true;
        if self.cx.dice.chance(400) {
            self.nodes[place].wants_online = false;
            self.input(place, Input::Deregister);
        }
        let pause = self.cx.dice.below(60 * SECOND);
        self.cx.task(pause, self.nodes[copy].life_of(), Task::Boot);
    }
}
