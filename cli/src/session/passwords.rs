//! Giving the server the password of one's nick: the one that the program was started
//! with, or what someone types without its being shown.

use std::time::Duration;

use proto_core::wire::PasswordWant;

use crate::{
    notice::{AskedPassword, Notice},
    password::Password,
};

use super::{Chat, Exit, Moment, Phase, Session};

/// Where the session is with the password.
#[derive(Debug, Default)]
pub(super) enum Asking {
    /// None is asked for.
    #[default]
    Nothing,
    /// Someone is to type the one that the nick has.
    Known,
    /// Someone is to type a new one, and then again, so that no slip becomes the password.
    New { first: Option<Password> },
}

impl Session {
    /// Gives this password when one is asked for, rather than asking a person.
    pub(crate) fn with_password(mut self, password: Option<Password>) -> Self {
        self.password = password;
        self
    }

    /// Whether the next line is a password, not to be shown while it is typed.
    pub(crate) fn wants_password(&self) -> bool {
        !matches!(self.asking, Asking::Nothing)
    }

    /// The server gives the nick to who has its password.
    pub(super) fn password_wanted(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        why: PasswordWant,
        wait: Duration,
    ) {
        let is_new = why == PasswordWant::New;
        let is_wrong = why == PasswordWant::Wrong;
        if let Some(password) = self.password.take_if(|_| !is_wrong) {
            match chat.authenticate(&password) {
                Ok(()) => self.password = Some(password),
                Err(why) => {
                    self.tell(at, Notice::Password(AskedPassword::Unusable(why)));
                    self.give_up_nick(chat, at);
                }
            }
            return;
        }
        if self.scripted || self.password.is_some() {
            let given = self.password.is_some();
            self.tell(at, Notice::Password(AskedPassword::Unavailable { given, wait }));
            self.give_up_nick(chat, at);
            return;
        }
        self.asking = if is_new { Asking::New { first: None } } else { Asking::Known };
        self.tell(at, Notice::Password(AskedPassword::Typed { why, wait }));
    }

    /// A password was typed.
    pub(crate) fn handle_password(&mut self, chat: &mut impl Chat, at: Moment, typed: Password) {
        match std::mem::take(&mut self.asking) {
            Asking::Nothing => {}
            Asking::New { first: None } => {
                self.asking = Asking::New { first: Some(typed) };
                self.tell(at, Notice::Password(AskedPassword::Again));
            }
            Asking::New { first: Some(first) } if first != typed => {
                self.asking = Asking::New { first: None };
                self.tell(at, Notice::Password(AskedPassword::Different));
            }
            asking @ (Asking::Known | Asking::New { .. }) => {
                if let Err(why) = chat.authenticate(&typed) {
                    self.asking = match asking {
                        Asking::New { .. } => Asking::New { first: None },
                        other => other,
                    };
                    self.tell(at, Notice::Password(AskedPassword::Unusable(why)));
                }
            }
        }
        self.advance(chat, at);
    }

    /// There is no question of a password any more.
    pub(super) fn forget_password_question(&mut self) {
        self.asking = Asking::Nothing;
    }

    /// There is nobody who could give a better password.
    fn give_up_nick(&mut self, chat: &mut impl Chat, at: Moment) {
        // It is not registered, so there is nothing to wait for.
        let _ = chat.deregister();
        chat.release();
        self.phase = Phase::Offline;
        self.end(chat, at, Some(Exit::NickRefused));
    }
}
