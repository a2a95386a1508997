//! Giving the server the password of one's nick: the one that the program was started
//! with, or what someone types without its being shown.

use std::time::Duration;

use proto_core::wire::PasswordWant;

use crate::{
    notice::{AskedPassword, Notice},
    password::Password,
};

use super::{Chat, Moment, display::Display};

/// The passwords at hand, and what the user is asked.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    /// The one that the program was started with.
    given: Option<Password>,
    asking: Asking,
}

#[derive(Debug, Default)]
enum Asking {
    /// None is asked for.
    #[default]
    Nothing,
    /// Someone is to type the one that the nick has.
    Known,
    /// Someone is to type a new one, and then again, so that no slip becomes the password.
    New { first: Option<Password> },
    /// Someone who wants another one is to type the one that the account has.
    Old,
    /// And then the other one, and again.
    Replacement { old: Password, first: Option<Password> },
}

/// There is nobody who could give a better password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivesUp;

impl Passwords {
    /// Gives this password when one is asked for, rather than asking a person.
    pub(super) fn with(given: Option<Password>) -> Self {
        Self { given, asking: Asking::Nothing }
    }

    /// Whether the next line is a password, not to be shown while it is typed.
    pub(super) fn are_typed(&self) -> bool {
        !matches!(self.asking, Asking::Nothing)
    }

    /// The server gives the nick to who has its password. In a script, nobody can be asked.
    pub(super) fn wanted(
        &mut self,
        chat: &mut impl Chat,
        (display, at): (&mut Display, Moment),
        (why, wait): (PasswordWant, Duration),
        scripted: bool,
    ) -> Result<(), GivesUp> {
        let mut tell = |asked| display.show(at, Notice::Password(asked));
        let is_wrong = why == PasswordWant::Wrong;
        if let Some(password) = self.given.take_if(|_| !is_wrong) {
            return match chat.authenticate(&password) {
                Ok(()) => {
                    self.given = Some(password);
                    Ok(())
                }
                Err(why) => {
                    tell(AskedPassword::Unusable(why));
                    Err(GivesUp)
                }
            };
        }
        let given = self.given.is_some();
        if scripted || given {
            tell(AskedPassword::Unavailable { given, wait });
            return Err(GivesUp);
        }
        self.asking = match why {
            PasswordWant::New => Asking::New { first: None },
            _ => Asking::Known,
        };
        tell(AskedPassword::Typed { why, wait });
        if why == PasswordWant::Known && wait > Duration::from_secs(1) {
            tell(AskedPassword::HeldUp { wait, key: chat.key() });
        }
        Ok(())
    }

    /// The user wants another password.
    pub(super) fn change(&mut self, (display, at): (&mut Display, Moment)) {
        self.asking = Asking::Old;
        display.show(at, Notice::Password(AskedPassword::Old));
    }

    /// A password was typed.
    pub(super) fn typed(
        &mut self,
        chat: &mut impl Chat,
        (display, at): (&mut Display, Moment),
        typed: Password,
    ) {
        let mut tell = |asked| display.show(at, Notice::Password(asked));
        match std::mem::take(&mut self.asking) {
            Asking::Nothing => {}
            Asking::New { first: None } => {
                self.asking = Asking::New { first: Some(typed) };
                tell(AskedPassword::Again);
            }
            Asking::New { first: Some(first) } if first != typed => {
                self.asking = Asking::New { first: None };
                tell(AskedPassword::Different);
            }
            Asking::Old => {
                self.asking = Asking::Replacement { old: typed, first: None };
                tell(AskedPassword::Replacement);
            }
            Asking::Replacement { old, first: None } => {
                self.asking = Asking::Replacement { old, first: Some(typed) };
                tell(AskedPassword::Again);
            }
            Asking::Replacement { old, first: Some(first) } if first != typed => {
                self.asking = Asking::Replacement { old, first: None };
                tell(AskedPassword::Different);
            }
            Asking::Replacement { old, .. } => {
                if let Err(why) = chat.change_password(&old, &typed) {
                    tell(AskedPassword::Unusable(why));
                }
            }
            asking @ (Asking::Known | Asking::New { .. }) => {
                if let Err(why) = chat.authenticate(&typed) {
                    self.asking = match asking {
                        Asking::New { .. } => Asking::New { first: None },
                        other => other,
                    };
                    tell(AskedPassword::Unusable(why));
                }
            }
        }
    }

    /// There is no question of a password any more.
    pub(super) fn forget_question(&mut self) {
        self.asking = Asking::Nothing;
    }

    /// The nick is had: its key needs no password from now on, and none is kept.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
