//! Logging in with a password: asked for by the server, given by the user, and kept
//! only until the server has judged it.

use core::time::Duration;

use crate::{
    client::error::PasswordError,
    password::Password,
    time::Instant,
    wire::{Frame, Login as LoginFrame, PasswordWant, PasswordWanted, Register, Secret},
};

/// How long a password waits at the most until it is sent again: whoever was let in by another
/// device meanwhile does not wait for what strangers' guesses cost.
const AGAIN: Duration = Duration::from_secs(15);

/// Where the client is with the password of its nick.
#[derive(Debug, Default)]
pub(super) struct Login {
    stage: Stage,
    /// The one that the user gave, while there is one.
    password: Password,
    /// How many passwords the user gave.
    attempts: u32,
}

#[derive(Debug, Default)]
enum Stage {
    /// None is wanted, as far as is known.
    #[default]
    None,
    /// The user is asked for one, which is not looked at before then.
    Wanted(Instant),
    /// The user gave one, which goes to the server at this time, or has gone.
    Given { at: Option<Instant> },
}

impl Login {
    /// When a password is to be sent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if let Stage::Given { at } = self.stage { at } else { None }
    }

    /// The password's time has come: it is to be sent.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        match &mut self.stage {
            Stage::Given { at } => at.take_if(|at| *at <= now).is_some(),
            Stage::None | Stage::Wanted(_) => false,
        }
    }

    /// There is no question of a password any more. What was given is wiped.
    pub(super) fn forget(&mut self) {
        self.stage = Stage::None;
        self.password.wipe();
    }

    /// The frame that asks for the nick, once a password is to be sent with it or none is wanted.
    pub(super) fn frame(&self, register: Register) -> Option<Frame<'_>> {
        match &self.stage {
            Stage::None => Some(Frame::Register(register)),
            Stage::Wanted(_) | Stage::Given { at: Some(_) } => None,
            Stage::Given { at: None } => Some(Frame::Login(LoginFrame {
                register,
                attempt: self.attempts,
                password: Secret(self.password.as_bytes()),
            })),
        }
    }

    /// The user gives a password.
    pub(super) fn give(&mut self, password: &[u8]) -> Result<(), PasswordError> {
        let Stage::Wanted(at) = self.stage else { return Err(PasswordError::NotWanted) };
        self.password.set(password)?;
        self.attempts = self.attempts.wrapping_add(1).max(1);
        self.stage = Stage::Given { at: Some(at) };
        Ok(())
    }

    /// The server gives the nick to who has its password only; `true` if the user is to be asked.
    pub(super) fn wanted(&mut self, wanted: &PasswordWanted, now: Instant) -> bool {
        let until = now + Duration::from_millis(wanted.wait.into()).min(AGAIN);
        let about_given = wanted.attempt == self.attempts;
        match (&mut self.stage, wanted.why) {
            // It has not judged what was given, on this link or before.
            (Stage::Given { at }, PasswordWant::New | PasswordWant::Known) => {
                at.get_or_insert(until);
            }
            (Stage::Given { at }, PasswordWant::Busy) if about_given => *at = Some(until),
            (Stage::Given { .. }, PasswordWant::Wrong) if !about_given => {}
            // Answers to what was given earlier, and what the user was told already.
            (Stage::Given { .. }, PasswordWant::Busy) | (Stage::Wanted(_), _) => {}
            (Stage::None, _) | (Stage::Given { .. }, PasswordWant::Wrong) => {
                self.stage = Stage::Wanted(until);
                self.password.wipe();
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(why: PasswordWant, attempt: u32, wait: u32) -> PasswordWanted {
        PasswordWanted { why, wait, attempt }
    }

    #[test]
    fn the_user_is_asked_once_and_again_only_when_the_last_one_was_wrong() {
        let (mut login, now) = (Login::default(), Instant::from_micros(0));
        assert_eq!(login.give(b"early"), Err(PasswordError::NotWanted));
        assert!(login.wanted(&wanted(PasswordWant::Known, 0, 2000), now));
        assert!(!login.wanted(&wanted(PasswordWant::Known, 0, 2000), now), "asked already");
        assert_eq!(login.give(b""), Err(PasswordError::Empty));
        login.give(b"hunter2").unwrap();
        let then = now + Duration::from_secs(2);
        assert_eq!(login.deadline(), Some(then), "the server looks at none before");
        assert!(!login.is_due(now) && login.is_due(then) && !login.is_due(then));
        assert!(!login.wanted(&wanted(PasswordWant::Wrong, 0, 0), then), "not about this one");
        assert!(login.wanted(&wanted(PasswordWant::Wrong, 1, 300_000), then));
        assert!(login.password.as_bytes().is_empty(), "what was judged is wiped");
        login.give(b"hunter3").unwrap();
        assert_eq!(login.deadline(), Some(then + AGAIN), "it may have been let in by then");
        login.forget();
        assert!(login.password.as_bytes().is_empty(), "what is not wanted is wiped");
    }
}
