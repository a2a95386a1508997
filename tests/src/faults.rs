//! What goes wrong in a world: classes of faults, each of which is off in about
//! half of the seeds, so that every pair of them meets alone, too.

use crate::{
    clock::{Moment, SECOND},
    dice::Dice,
};

/// What goes wrong in a world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a list of switches is what it is
pub struct Faults {
    /// At most so many of a thousand datagrams are lost in each direction of a path.
    pub loss: u32,
    /// Every path has this loss exactly, rather than something up to it.
    pub even_loss: bool,
    /// At times, nothing gets through for up to ten seconds.
    pub bursts: bool,
    /// Whatever takes its time takes the same time whenever it happens: no datagram overtakes
    /// another.
    pub steady: bool,
    /// How long a datagram is under way at most; within that, datagrams overtake each other.
    pub delay: Moment,
    /// So many of a thousand datagrams come twice.
    pub duplicates: u32,
    /// Some datagrams come again much later, up to an hour.
    pub replays: bool,
    /// So many of a thousand datagrams are damaged: flipped bits, cut, spliced.
    pub damage: u32,
    /// Each path has a largest datagram, between what 576 and 1,500 bytes of IP leave.
    pub narrow: bool,
    /// At times, a path is cut in one direction or in both, or a node off from everyone.
    pub partitions: bool,
    /// Clients move to other addresses, also to some that were others' before.
    pub rebinding: bool,
    /// Clocks run up to a twentieth fast or slow.
    pub drift: bool,
    /// Wall clocks jump.
    pub jumps: bool,
    /// Nodes stand still for a while.
    pub pauses: bool,
    /// Nodes crash and start again.
    pub crashes: bool,
    /// A crash may come in the middle of a drain.
    pub torn: bool,
    /// The randomness that a host seeds its role with repeats after a crash.
    pub stale_seed: bool,
    /// Stores are slow.
    pub slow_store: bool,
    /// Stores fail now and then.
    pub failing_store: bool,
    /// Stores are full for a while.
    pub full_store: bool,
    /// Someone forges, mutates and replays.
    pub attacker: bool,
    /// Hosts stop a drain early, or are late with a timeout.
    pub sloppy: bool,
    /// Hosts take in several things before they ask what is owed.
    pub hoards: bool,
    /// Tables are tiny.
    pub tiny: bool,
    /// Mail is kept for minutes only, and messages expire.
    pub expiry: bool,
    /// Rooms keep little.
    pub brief: bool,
    /// Sessions get new keys every few seconds to minutes, and after few packets.
    pub rekeys: bool,
    /// Stores are put back to what they were, begun anew, and copied with their identities.
    pub restores: bool,
    /// The server has its keys and says what it likes.
    pub dishonest: bool,
}

/// Which laws hold in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    /// All who have keys are honest, and no store goes back.
    Honest,
    /// Stores go back.
    Restores,
    /// The server says what it likes.
    Dishonest,
}

impl Faults {
    /// Which laws hold.
    pub(crate) fn regime(&self) -> Regime {
        match self {
            Self { dishonest: true, .. } => Regime::Dishonest,
            Self { restores: true, .. } => Regime::Restores,
            _ => Regime::Honest,
        }
    }

    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self { delay: 10_000, ..Self::default() }
    }

    /// Nothing goes wrong, and nothing is up to chance.
    pub fn steady() -> Self {
        Self { steady: true, ..Self::none() }
    }

    /// 30 % loss, 20 % duplication and reordering, and nothing else.
    pub fn lossy() -> Self {
        Self { loss: 300, even_loss: true, delay: 300_000, duplicates: 200, ..Self::default() }
    }

    /// Each class is in about half of the worlds.
    pub fn draw(dice: &mut Dice) -> Self {
        let mut some = |most: u64| if dice.chance(500) { dice.below(most + 1) } else { 0 };
        let (loss, duplicates, damage) = (some(300), some(500), some(100));
        let delay = 1_000 + some(2 * SECOND);
        let mut on = || dice.chance(500);
        Self {
            loss: loss as u32,
            even_loss: false,
            steady: false,
            bursts: on(),
            delay,
            duplicates: duplicates as u32,
            replays: on(),
            damage: damage as u32,
            narrow: on(),
            partitions: on(),
            rebinding: on(),
            drift: on(),
            jumps: on(),
            pauses: on(),
            crashes: on(),
            torn: on(),
            stale_seed: on(),
            slow_store: on(),
            failing_store: on(),
            full_store: on(),
            attacker: on(),
            sloppy: on(),
            hoards: on(),
            tiny: on(),
            expiry: on(),
            brief: on(),
            rekeys: on(),
            restores: false,
            dishonest: false,
        }
    }

    /// Stores go back, and the network and the hosts fail a little.
    ///
    /// What tells two runs apart that begin with the same durable state is fresh randomness and
    /// the wall clock: of a host whose randomness repeats, or whose clock goes back together with
    /// its store, nothing is promised, so neither is here.
    pub fn restored(dice: &mut Dice) -> Self {
        let mut some = |most: u64| if dice.chance(500) { dice.below(most + 1) } else { 0 };
        let (loss, duplicates) = (some(200) as u32, some(200) as u32);
        let delay = 1_000 + some(SECOND / 2);
        let mut on = || dice.chance(500);
        Self {
            loss,
            duplicates,
            delay,
            crashes: on(),
            torn: on(),
            hoards: on(),
            slow_store: on(),
            rekeys: on(),
            restores: true,
            ..Self::default()
        }
    }

    /// A good network; only clocks drift and hosts hoard, and tables are tiny in a quarter of the
    /// worlds. Rooms keep much: in one that keeps little, a member that reads nothing may hold up
    /// the others for a while (`reader_wait`).
    pub fn beside_greed(dice: &mut Dice) -> Self {
        let mut on = || dice.chance(500);
        let (drift, hoards) = (on(), on());
        Self { drift, hoards, tiny: dice.chance(250), ..Self::none() }
    }

    /// The network heals and the hosts behave; what is the world's nature stays.
    pub fn heal(&mut self) {
        *self = Self {
            narrow: self.narrow,
            drift: self.drift,
            tiny: self.tiny,
            expiry: self.expiry,
            brief: self.brief,
            rekeys: self.rekeys,
            stale_seed: self.stale_seed,
            steady: self.steady,
            ..Self::none()
        };
    }

    /// The most that people and slow things may tarry, where chance has it that they do up to `most`.
    pub fn tarries(&self, most: Moment) -> Moment {
        if self.steady { 0 } else { most }
    }

    /// Something happens from time to time, rather than to single datagrams.
    pub fn has_incidents(&self) -> bool {
        self.bursts
            || self.partitions
            || self.rebinding
            || self.jumps
            || self.pauses
            || self.crashes
            || self.failing_store
            || self.full_store
            || self.slow_store
            || self.restores
    }
}
