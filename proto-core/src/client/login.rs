//! Logging in with a password: asked for by the server, given by the user, and kept
//! only until the server has judged it.

use core::time::Duration;

use crate::{
    password::{Password, PasswordLength},
    time::Instant,
    wire::{Frame, Login as LoginFrame, PasswordWant, PasswordWanted, Register, Secret},
};

use super::{
    Event, PasswordError,
    engine::{Engine, FrameOutcome},
};

/// Where the client is with the password of its nick.
#[derive(Debug, Default)]
pub(super) struct Login {
    stage: Stage,
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
    Given { password: Password, at: Option<Instant> },
}

impl Login {
    /// When a password is to be sent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if let Stage::Given { at, .. } = self.stage { at } else { None }
    }

    /// There is no question of a password any more. What was given is wiped.
    pub(super) fn forget(&mut self) {
        self.stage = Stage::None;
    }

    /// The frame that asks for the nick, once a password is to be sent with it or none is wanted.
    pub(super) fn frame(&self, register: Register) -> Option<Frame<'_>> {
        match &self.stage {
            Stage::None => Some(Frame::Register(register)),
            Stage::Wanted(_) | Stage::Given { at: Some(_), .. } => None,
            Stage::Given { password, at: None } => Some(Frame::Login(LoginFrame {
                register,
                attempt: self.attempts,
                password: Secret(password.as_bytes()),
            })),
        }
    }
}

impl Engine<'_> {
    /// The user gives a password.
    pub(super) fn authenticate(&mut self, password: &[u8]) -> Result<(), PasswordError> {
        let login = &mut self.state.home.login;
        let Stage::Wanted(at) = login.stage else { return Err(PasswordError::NotWanted) };
        let password = Password::new(password).map_err(|why| match why {
            PasswordLength::Empty => PasswordError::Empty,
            PasswordLength::TooLong => PasswordError::TooLong,
        })?;
        login.attempts = login.attempts.wrapping_add(1).max(1);
        login.stage = Stage::Given { password, at: Some(at) };
        self.login_timeout();
        Ok(())
    }

    /// The server gives the nick to who has its password only.
    pub(super) fn password_wanted(&mut self, wanted: &PasswordWanted) -> FrameOutcome {
        if !self.state.home.is_registering() {
            return FrameOutcome::Done;
        }
        let wait = Duration::from_millis(wanted.wait.into());
        let until = self.state.now + wait;
        let login = &mut self.state.home.login;
        let about_given = wanted.attempt == login.attempts;
        match (&mut login.stage, wanted.why) {
            // It has not judged what was given, on this link or before.
            (Stage::Given { at, .. }, PasswordWant::New | PasswordWant::Known) => {
                at.get_or_insert(until);
            }
            (Stage::Given { at, .. }, PasswordWant::Busy) if about_given => *at = Some(until),
            (Stage::Given { .. }, PasswordWant::Wrong) if !about_given => {}
            // Answers to what was given earlier, and what the user was told already.
            (Stage::Given { .. }, PasswordWant::Busy) | (Stage::Wanted(_), _) => {}
            (Stage::None, why) | (Stage::Given { .. }, why @ PasswordWant::Wrong) => {
                login.stage = Stage::Wanted(until);
                self.state.home.tell(Event::PasswordWanted { why, wait });
            }
        }
        self.login_timeout();
        FrameOutcome::Done
    }

    /// Sends the password when its time has come.
    pub(super) fn login_timeout(&mut self) {
        let now = self.state.now;
        if let Stage::Given { at, .. } = &mut self.state.home.login.stage
            && at.take_if(|at| *at <= now).is_some()
        {
            self.expect_answer();
            self.request();
        }
    }
}
