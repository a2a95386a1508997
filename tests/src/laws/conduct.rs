//! The laws of what a role does, whatever it is about: that it owes nothing to strangers, reacts to
//! nothing that is not sound, and comes to an end.

use std::{collections::BTreeMap, net::SocketAddr};

use proto_core::{link::Drops, time::Instant};

use crate::{
    clock::{Moment, SECOND},
    judgement::{Judgement, law},
    network::attacker,
    place::Place,
    role::{Effect, RoomResponse},
    suite::Seals,
    trace,
};

/// How long after it went offline a client still answers on links that it closed.
const CLOSING: Moment = 5 * SECOND;

/// The first byte of a Retry, and of an Accept.
const RETRY: u8 = 3;
const ACCEPT: u8 = 5;

/// How a role stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// What it dropped so far.
    pub(crate) drops: Drops,
    /// When it wants to be asked at the latest.
    pub(crate) deadline: Option<Instant>,
}

/// What a role made of an input, and how it stood then.
#[derive(Debug)]
pub(crate) struct Turn {
    /// When, by its clock.
    pub(crate) now: Instant,
    /// What came of it.
    pub(crate) outcome: RoomResponse,
    /// How it stands.
    pub(crate) after: Standing,
    /// It was asked before its deadline, and for nothing.
    pub(crate) was_idle: bool,
    /// Its host did not ask for all that it owes.
    pub(crate) is_cut_short: bool,
    /// How it stood before, if that was at rest and a datagram came; whether that was changed on
    /// its way, or forged.
    pub(crate) watched: Option<(Standing, bool)>,
}

/// What is known of how roles conduct themselves.
#[derive(Debug, Default)]
pub(super) struct Conduct {
    /// Bytes that came from and went to addresses of nobody.
    victims: BTreeMap<(Place, SocketAddr), (usize, usize)>,
    /// Since when a client is offline.
    offline: BTreeMap<Place, Moment>,
}

impl Conduct {
    /// A node starts.
    pub(super) fn started(&mut self, at: Place) {
        self.offline.remove(&at);
    }

    /// A datagram came to a node.
    pub(super) fn came(&mut self, at: Place, from: SocketAddr, datagram: &[u8]) {
        if attacker::is_victim(from) {
            self.victims.entry((at, from)).or_default().0 += datagram.len();
        }
    }

    /// A node sends a datagram.
    ///
    /// # Errors
    /// A client that is offline sends nothing but farewells. S7 and S14: an address that proved
    /// nothing gets Retries only, half as much as came from it.
    pub(super) fn sends(
        &mut self,
        (at, is_offline): (Place, bool),
        to: SocketAddr,
        datagram: &[u8],
        now: Moment,
    ) -> Judgement {
        if is_offline {
            let since = *self.offline.entry(at).or_insert(now);
            law(now - since <= CLOSING, || "an offline client sends".into())?;
        } else {
            self.offline.remove(&at);
        }
        if !attacker::is_victim(to) {
            return Ok(());
        }
        let (came, went) = self.victims.entry((at, to)).or_default();
        *went += datagram.len();
        law(datagram.first() == Some(&RETRY) && *went * 2 <= *came, || {
            let what = trace::describe(datagram);
            format!("S7: {what} to an unproven address; {went} bytes went for {came}")
        })
    }
}

/// A role has had its turn.
///
/// # Errors
/// S6: what was dropped or damaged changed something. S8: a nonce was used for two texts. S12: it
/// does not come to an end. Or it does not go by its own deadline.
pub(super) fn judge(turn: &Turn) -> Judgement {
    let Turn { now, outcome, after, was_idle, is_cut_short, watched } = turn;
    law(outcome.complete || *is_cut_short, || {
        format!("S12: a drain gave {} actions and was not through", outcome.effects.len())
    })?;
    let quiet = after.deadline.is_none_or(|at| at > *now);
    law(quiet || !outcome.complete, || {
        let deadline = after.deadline;
        format!("the deadline {deadline:?} is not after {now:?} although the drain is through")
    })?;
    law(!was_idle || outcome.effects.is_empty(), || {
        format!("it did something before its deadline: {:?}", outcome.effects)
    })?;
    let twice = Seals::twice();
    law(twice.is_none(), || format!("S8: nonce {twice:?} was used for two texts"))?;
    match watched {
        Some((before, damaged)) => leaves_no_trace(before, after, outcome, *damaged),
        None => Ok(()),
    }
}

/// S6: what was dropped or damaged changed nothing.
fn leaves_no_trace(
    before: &Standing,
    after: &Standing,
    outcome: &RoomResponse,
    damaged: bool,
) -> Judgement {
    let mut others = after.drops;
    others.no_room = before.drops.no_room;
    let dropped = others != before.drops;
    if !(dropped || damaged) {
        return Ok(());
    }
    let answers = |effect: &Effect| matches!(effect, Effect::Send { datagram, .. } if matches!(datagram.first(), Some(&(RETRY | ACCEPT))));
    let silent = if dropped {
        outcome.effects.is_empty()
    } else {
        outcome.effects.len() <= 1 && outcome.effects.iter().all(answers)
    };
    let (was, is) = (before.deadline, after.deadline);
    law(silent && (was == is || !outcome.complete), || {
        format!(
            "S6: a datagram that was {} had effects {:?}, deadline {was:?} -> {is:?}",
            if dropped { "dropped" } else { "damaged" },
            outcome.effects
        )
    })
}
