//! New keys for a session that goes on, after RFC 9001 §6: who asks for them and when, and which keys
//! there are meanwhile. A link's packet numbers, and all else that it consists of, stay as they are.

use core::time::Duration;

use crate::{
    random::Random,
    session::{
        FormerKey, KeyPair, Keys, NextKeys, OpenError, REKEY_NOISE, REKEYED_NOISE, RekeyRequest,
        Suite, answer_rekey,
    },
    storage::Id,
    time::Instant,
    violation::Violation,
    wire::{Frame, PacketHeader, Rekey, Rekeyed},
};

use super::{
    Fate, Links,
    config::{Local, RekeyConfig},
    link::{EphemeralName, Link, Phase, Role, SentFrame},
};

/// The former key stays for so many PTOs after something came under the present ones: longer than any
/// packet takes that is not taken for lost (RFC 9001 §6.5).
const LATE: u32 = 3;

/// How old a session's keys are, and how far their replacement is.
#[derive(Debug)]
pub(super) struct Rekeying {
    stage: Stage,
    /// At the session's initiator, when it asks, or asks again; at the other side, the time before
    /// which it must not ask.
    at: Instant,
    /// The packet numbers, of what is sealed and of what is opened, at which the present keys began: the
    /// lower halves, to count from.
    since: [u32; 2],
}

/// How far the replacement of keys is. Each stage has the keys that there are beside the present ones.
#[derive(Debug)]
enum Stage {
    /// Not begun.
    Settled,
    /// This side has asked. `owed`: it is to be said, or said again.
    Asked { request: RekeyRequest, owed: bool },
    /// This side has answered, and takes the next keys into use when something comes under them.
    Answered { next: NextKeys, answer: [u8; REKEYED_NOISE], request: EphemeralName, owed: bool },
    /// The present keys are new, and what is late may be under the former one: until a while
    /// after something came under the present ones. `request` tells repetitions of what was answered.
    Replaced { former: FormerKey, until: Option<Instant>, request: Option<EphemeralName> },
}

impl Rekeying {
    /// Of a session that has just got its first keys.
    pub(super) fn new(at: Instant) -> Self {
        Self { stage: Stage::Settled, at, since: [0; 2] }
    }

    /// When the initiator is to ask for other keys that it gets now: some time before the latest, so
    /// that the sessions that began together are not rekeyed together, but never near the least,
    /// since the other side's clock may be slower.
    pub(super) fn due(config: &RekeyConfig, random: &mut Random, now: Instant) -> Instant {
        let jitter = config.after / 4 * (random.u32() >> 16) / (1 << 16);
        now + config.after.saturating_sub(jitter).max(config.least * 2)
    }

    /// When it is to be looked at again.
    pub(super) fn deadline(&self, is_initiator: bool) -> Option<Instant> {
        match &self.stage {
            Stage::Settled | Stage::Asked { .. } => is_initiator.then_some(self.at),
            Stage::Answered { .. } => None,
            Stage::Replaced { until, .. } => *until,
        }
    }

    /// The initiator asks for new keys, if it is time; what had its time is wiped.
    pub(super) fn advance(
        &mut self,
        keys: &Keys,
        is_initiator: bool,
        (config, random): (&RekeyConfig, &mut Random),
        now: Instant,
    ) {
        if let Stage::Replaced { until: Some(until), .. } = &self.stage
            && *until <= now
        {
            self.stage = Stage::Settled;
        }
        if !is_initiator {
            return;
        }
        let is_used_up = self.is_used_up(keys, config);
        match &mut self.stage {
            Stage::Settled if self.at <= now || is_used_up => {
                self.stage = Stage::Asked { request: RekeyRequest::new(random), owed: true };
            }
            Stage::Asked { owed, .. } if self.at <= now => *owed = true,
            _ => return,
        }
        // The old keys serve as long as there is no answer.
        self.at = now + config.least;
    }

    /// A link is about to end: only what the other side may have begun to use is kept.
    pub(super) fn stop(&mut self) {
        if !matches!(self.stage, Stage::Answered { .. }) {
            self.stage = Stage::Settled;
        }
    }

    /// A frame is to be sent.
    pub(super) fn is_owed(&self) -> bool {
        matches!(self.stage, Stage::Asked { owed: true, .. } | Stage::Answered { owed: true, .. })
    }

    /// What was sent may be lost.
    pub(super) fn settle(&mut self, fate: Fate) {
        if let (Fate::Lost, Stage::Asked { owed, .. } | Stage::Answered { owed, .. }) =
            (fate, &mut self.stage)
        {
            *owed = true;
        }
    }

    fn is_used_up(&self, keys: &Keys, config: &RekeyConfig) -> bool {
        let mut counts = numbers(keys).into_iter().zip(self.since);
        counts.any(|(number, since)| number.wrapping_sub(since) >= config.packets)
    }

    fn replaced(keys: &Keys, at: Instant, stage: Stage) -> Self {
        Self { stage, at, since: numbers(keys) }
    }
}

/// How many packets were sealed, and which was the newest to be opened: the lower halves.
fn numbers(keys: &Keys) -> [u32; 2] {
    [keys.seal.next(), keys.open.highest()].map(|number| number as u32)
}

impl<R: Role> Link<R> {
    /// This side sent message 1 of the handshake.
    pub(super) fn is_initiator(&self) -> bool {
        self.ephemeral.is_none()
    }

    /// Opens a packet under the keys that its id tells. The first one under the next keys puts
    /// them into use.
    pub(super) fn open<'d>(
        &mut self,
        suite: &dyn Suite,
        header: PacketHeader,
        sealed: &'d mut [u8],
        now: Instant,
    ) -> Result<&'d mut [u8], OpenError> {
        let late = now + self.pto() * LATE;
        let Self { keys, rekeying, ours, .. } = self;
        if header.session == *ours {
            let text = keys.open.open(suite, header, sealed)?;
            if let Stage::Replaced { until: until @ None, .. } = &mut rekeying.stage {
                *until = Some(late);
            }
            return Ok(text);
        }
        match &rekeying.stage {
            Stage::Settled | Stage::Asked { .. } => Err(OpenError::Unauthentic),
            Stage::Replaced { former, .. } => keys.open.open_former(former, suite, header, sealed),
            Stage::Answered { next, .. } => {
                let next = next.split(suite);
                let text = keys.open.open_next(&next, suite, header, sealed)?;
                self.use_next(next, late);
                Ok(text)
            }
        }
    }

    /// The other side has the next keys.
    fn use_next(&mut self, next: KeyPair, late: Instant) {
        let request = match self.rekeying.stage {
            Stage::Answered { request, .. } => Some(request),
            _ => None,
        };
        let former = self.change_keys(next);
        self.rekeying.stage = Stage::Replaced { former, until: Some(late), request };
    }

    fn change_keys(&mut self, next: KeyPair) -> FormerKey {
        (self.ours, self.theirs) = (self.ours.other_phase(), self.theirs.other_phase());
        self.keys.replace(next)
    }

    fn pto(&self) -> Duration {
        match &self.phase {
            Phase::Live(flow) => flow.recovery.pto(),
            Phase::Unconfirmed { .. } | Phase::Closing { .. } => Duration::ZERO,
        }
    }

    /// Writes the frame that is owed by `put`, which says whether there was room.
    pub(super) fn write_rekey(
        &mut self,
        local: &Local,
        put: impl FnOnce(&Frame<'_>, SentFrame<R::Token>) -> bool,
    ) {
        let Self { rekeying, keys, peer, .. } = self;
        match &mut rekeying.stage {
            Stage::Asked { request, owed: owed @ true } => {
                let noise = request.encode((&local.identity, local.boot), peer, keys);
                debug_assert!(noise.is_some(), "a session was begun with that key");
                let Some(noise) = noise else { return };
                *owed = !put(&Frame::Rekey(Rekey { noise: &noise }), SentFrame::Rekey);
            }
            Stage::Answered { answer, owed: owed @ true, .. } => {
                *owed = !put(&Frame::Rekeyed(Rekeyed { noise: answer }), SentFrame::Rekey);
            }
            _ => {}
        }
    }

    /// The session's initiator asks for new keys.
    fn rekey(
        &mut self,
        noise: &[u8],
        local: &mut Local,
        config: &RekeyConfig,
        now: Instant,
    ) -> Result<(), Violation> {
        if self.is_initiator() {
            return Err(Violation::UnexpectedFrame);
        }
        let name: EphemeralName = *noise.first_chunk().ok_or(Violation::BadRekey)?;
        match &mut self.rekeying.stage {
            Stage::Answered { request, owed, .. } if *request == name => {
                *owed = true;
                return Ok(());
            }
            Stage::Answered { .. } => return Err(Violation::BadRekey),
            Stage::Replaced { request, .. } if *request == Some(name) => return Ok(()),
            Stage::Settled | Stage::Replaced { .. } => {}
            Stage::Asked { .. } => {
                debug_assert!(false, "only a session's initiator asks");
                return Ok(());
            }
        }
        if now < self.rekeying.at && !self.rekeying.is_used_up(&self.keys, config) {
            return Err(Violation::EarlyRekey);
        }
        let Local { identity, random, boot } = local;
        let answered = answer_rekey((identity, random, *boot), &self.peer, &self.keys, noise);
        let (next, answer) = answered.ok_or(Violation::BadRekey)?;
        let stage = Stage::Answered { next, answer, request: name, owed: true };
        // From here on, since the initiator counts from its receipt of the answer.
        self.rekeying = Rekeying::replaced(&self.keys, now + config.least, stage);
        Ok(())
    }

    /// The other side answers.
    fn rekeyed(
        &mut self,
        noise: &[u8],
        local: &mut Local,
        config: &RekeyConfig,
        now: Instant,
    ) -> Result<bool, Violation> {
        let request = match &self.rekeying.stage {
            Stage::Asked { request, .. } => request,
            Stage::Replaced { .. } if self.is_initiator() => return Ok(false),
            _ => return Err(Violation::UnexpectedFrame),
        };
        let finished = request.finish((&local.identity, local.boot), &self.peer, &self.keys, noise);
        let former = self.change_keys(finished.ok_or(Violation::BadRekey)?);
        let at = Rekeying::due(config, &mut local.random, now);
        let stage = Stage::Replaced { former, until: None, request: None };
        self.rekeying = Rekeying::replaced(&self.keys, at, stage);
        Ok(true)
    }
}

/// Takes in a half of a rekey.
///
/// # Errors
/// It is not one, or comes too early.
pub(crate) fn take_rekey<R: Role>(
    links: &mut Links<'_, R>,
    id: Id<Link<R>>,
    frame: &Frame<'_>,
    now: Instant,
) -> Result<(), Violation> {
    let Some(link) = links.table.get_mut(id).filter(|link| link.is_live()) else {
        return Ok(());
    };
    let (local, config) = (&mut *links.local, &links.config.rekey);
    match frame {
        Frame::Rekey(Rekey { noise }) => link.rekey(noise, local, config, now)?,
        Frame::Rekeyed(Rekeyed { noise }) => {
            links.statistics.rekeys += u64::from(link.rekeyed(noise, local, config, now)?);
        }
        _ => debug_assert!(false, "nothing else is handed over"),
    }
    links.wake(id);
    links.reschedule(id, now);
    Ok(())
}

const _: () = assert!(REKEY_NOISE > size_of::<EphemeralName>(), "it begins with the ephemeral key");
