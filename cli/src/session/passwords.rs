//! Giving the server the password of one's nick: the one that the program was started
//! with, or what someone types without its being shown. None goes to a server that is not known to
//! be the right one, and none is kept once the client has it.

use std::time::Duration;

use proto_core::wire::PasswordWant;

use crate::{
    notice::{AskedPassword, Notice},
    password::{Given, Password},
};

use super::{Chat, Moment, display::Display};

/// The passwords at hand, and what the user is asked.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    /// Where the one that the program was started with comes from.
    given: Option<Given>,
    /// The program was started with one, which is wiped.
    is_spent: bool,
    /// The client has the one that the program was started with, and it is not judged.
    is_tried: bool,
    asking: Asking,
}

/// What the server wants, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Which password.
    pub(super) why: PasswordWant,
    /// How long the server looks at none.
    pub(super) wait: Duration,
    /// There is nobody to ask.
    pub(super) scripted: bool,
}

#[derive(Debug, Default)]
enum Asking {
    /// None is asked for.
    #[default]
    Nothing,
    /// Someone is to say whether it is the right server that wants this.
    Server(Wanted),
    /// Someone is to type the one that the nick has.
    Known,
    /// Someone is to type a new one, and then again, so that no slip becomes the password.
    New { first: Option<Password> },
    /// Someone who wants another one is to type the one that the account has.
    Old,
    /// And then the other one, and again.
    Replacement { old: Password, first: Option<Password> },
}

/// There is nobody who could give a better password, or who wants to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GivesUp;

impl Passwords {
    /// Gives this password when one is asked for, rather than asking a person.
    pub(super) fn with(given: Option<Given>) -> Self {
        Self { given, ..Self::default() }
    }

    /// Whether the next line is a password, not to be shown while it is typed.
    pub(super) fn are_typed(&self) -> bool {
        !matches!(self.asking, Asking::Nothing | Asking::Server(_))
    }

    /// Whether the next line says whether the server is the right one.
    pub(super) fn ask_of_server(&self) -> bool {
        matches!(self.asking, Asking::Server(_))
    }

    /// The server gives the nick to who has its password. In a script, nobody can be asked.
    pub(super) fn wanted(
        &mut self,
        chat: &mut impl Chat,
        (display, at): (&mut Display, Moment),
        wanted: Wanted,
    ) -> Result<(), GivesUp> {
        let mut tell = |asked| display.show(at, Notice::Password(asked));
        if self.is_tried && wanted.why == PasswordWant::Wrong {
            tell(AskedPassword::Unavailable { given: true, wait: wanted.wait });
            return Err(GivesUp);
        }
        match chat.unproven_server() {
            Some(server) if wanted.scripted => {
                tell(AskedPassword::Unproven(server));
                return Err(GivesUp);
            }
            Some(server) => {
                self.asking = Asking::Server(wanted);
                tell(AskedPassword::Trust(server));
                return Ok(());
            }
            None => {}
        }
        self.give(chat, (display, at), wanted)
    }

    /// Someone said whether the server is the right one.
    pub(super) fn answered(
        &mut self,
        chat: &mut impl Chat,
        (display, at): (&mut Display, Moment),
        answer: &str,
    ) -> Result<(), GivesUp> {
        let Asking::Server(wanted) = self.asking else { return Ok(()) };
        match answer.trim().to_ascii_lowercase().as_str() {
            "yes" => {
                self.asking = Asking::Nothing;
                if let Err(why) = chat.trust_server() {
                    display.show(at, Notice::Hint(&why));
                    return Err(GivesUp);
                }
                self.give(chat, (display, at), wanted)
            }
            "no" | "/quit" => {
                self.asking = Asking::Nothing;
                Err(GivesUp)
            }
            _ => {
                display.show(at, Notice::Password(AskedPassword::YesOrNo));
                Ok(())
            }
        }
    }

    /// Gives the one that the program was started with, or asks for one.
    fn give(
        &mut self,
        chat: &mut impl Chat,
        (display, at): (&mut Display, Moment),
        wanted: Wanted,
    ) -> Result<(), GivesUp> {
        let mut tell = |asked| display.show(at, Notice::Password(asked));
        let Wanted { why, wait, scripted } = wanted;
        if let Some(password) = self.take_given() {
            self.is_tried = true;
            // The client has a copy of its own from here on, which it wipes.
            return chat.authenticate(&password).map_err(|why| {
                tell(AskedPassword::Unusable(why));
                GivesUp
            });
        }
        if scripted {
            tell(if self.is_spent {
                AskedPassword::Spent
            } else {
                AskedPassword::Unavailable { given: false, wait }
            });
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

    /// What the environment has can be had again.
    fn take_given(&mut self) -> Option<Password> {
        match self.given.take()? {
            Given::Environment => {
                self.given = Some(Given::Environment);
                Password::from_environment()
            }
            Given::Descriptor(password) => {
                self.is_spent = true;
                Some(password)
            }
        }
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
            // The question was another one when it was asked for.
            asking @ Asking::Server(_) => self.asking = asking,
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

    /// The nick is had: the password that the program was started with was right, or not wanted.
    pub(super) fn settled(&mut self) {
        self.forget_question();
        self.is_tried = false;
        if self.given.take_if(|it| matches!(it, Given::Descriptor(_))).is_some() {
            self.is_spent = true;
        }
    }
}
