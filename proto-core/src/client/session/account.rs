//! What the user asks for about their own account: another password, and that another device may
//! log in.

use core::time::Duration;

use crate::{
    client::{
        ctx::Ctx,
        error::{CommandError, PasswordError},
        event::{AccountChange, Event},
        role::{ClientLink, ClientRole},
        sent::SentFrame,
    },
    id::PublicKey,
    link::Packet,
    password::Password,
    storage::Id,
    time::Instant,
    wire::{AccountAction, AccountRefusal, AccountRequest, AccountResponse, Frame, Secret},
};

/// What the server cannot look at for so long at the most is sent again; else the user is told.
const SHORT: Duration = Duration::from_secs(2);

/// The last thing that the user asked for about the account, until it is answered.
#[derive(Debug, Default)]
pub(in crate::client) struct Account {
    open: Option<Open>,
    /// Wiped when it is answered.
    old: Password,
    new: Password,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    serial: u64,
    change: AccountChange,
    /// When it is sent again.
    at: Option<Instant>,
}

impl Account {
    /// When it is to be sent again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open?.at
    }

    /// The user wants another password.
    pub(super) fn change_password(
        &mut self,
        cx: &mut Ctx<'_>,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), PasswordError> {
        Password::check(old)?;
        Password::check(new)?;
        self.begin(cx, AccountChange::Password).map_err(|why| match why {
            CommandError::Busy => PasswordError::Busy,
            _ => PasswordError::Offline,
        })?;
        self.old.set(old)?;
        self.new.set(new)?;
        Ok(())
    }

    /// The user wants another device to be let in.
    pub(super) fn endorse(&mut self, cx: &mut Ctx<'_>, key: PublicKey) -> Result<(), CommandError> {
        self.begin(cx, AccountChange::Endorsement { key })
    }

    /// The time has come to send it again.
    pub(super) fn timeout(&mut self, cx: &mut Ctx<'_>) {
        let open = self.open.as_mut();
        if open.is_some_and(|open| open.at.take_if(|at| *at <= cx.now).is_some()) {
            owe(cx);
        }
    }

    /// The client is online again: what was not answered is asked again.
    pub(super) fn resume(&mut self, cx: &mut Ctx<'_>) {
        if let Some(open) = &mut self.open {
            open.at = None;
            owe(cx);
        }
    }

    /// The user goes offline: what was asked for is wanted no more.
    pub(super) fn forget(&mut self) {
        self.open = None;
        self.old.wipe();
        self.new.wipe();
    }

    /// The server answers.
    pub(super) fn answered(&mut self, cx: &mut Ctx<'_>, response: &AccountResponse) {
        let Some(open) = self.open.as_mut().filter(|open| open.serial == response.serial) else {
            return;
        };
        if let Err(AccountRefusal::Busy { wait }) = response.result {
            let wait = Duration::from_millis(wait.into());
            if wait <= SHORT {
                open.at = Some(cx.now + wait);
                return;
            }
        }
        let change = open.change;
        self.forget();
        cx.news.tell(Event::AccountResponse { change, result: response.result });
    }

    pub(super) fn write(
        &self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        if cx.server.online() != Some(link) {
            return;
        }
        let Some(contact) = cx.contact(link).filter(|contact| contact.session.account) else {
            return;
        };
        let Some(Open { serial, change, at: None }) = self.open else { return };
        let action = match change {
            AccountChange::Password => AccountAction::ChangePassword {
                old: Secret(self.old.as_bytes()),
                new: Secret(self.new.as_bytes()),
            },
            AccountChange::Endorsement { key } => AccountAction::Endorse { key },
        };
        let frame = Frame::AccountRequest(AccountRequest { serial, action });
        contact.session.account = !packet.push(&frame, SentFrame::AccountRequest);
    }

    fn begin(&mut self, cx: &mut Ctx<'_>, change: AccountChange) -> Result<(), CommandError> {
        if !cx.server.was_online() || cx.server.is_leaving() {
            return Err(CommandError::Offline);
        }
        if self.open.is_some() {
            return Err(CommandError::Busy);
        }
        // Zero names no request.
        let serial = u64::from_le_bytes(cx.links.identity_and_random().1.bytes()).max(1);
        self.open = Some(Open { serial, change, at: None });
        owe(cx);
        cx.expect_answer();
        Ok(())
    }
}

/// The server is to be asked.
fn owe(cx: &mut Ctx<'_>) {
    let Some(link) = cx.server.online() else { return };
    if let Some(contact) = cx.contact(link) {
        contact.session.account = true;
        cx.links.wake(link);
    }
}

#[cfg(test)]
mod tests {
    use crate::client::fixture::Fixture;

    use super::*;

    #[test]
    fn both_passwords_are_wiped_once_the_server_has_answered() {
        let mut fixture = Fixture::new();
        let (mut cx, mut account) = (fixture.cx(), Account::default());
        assert_eq!(account.change_password(&mut cx, b"", b"new"), Err(PasswordError::Empty));
        assert_eq!(account.change_password(&mut cx, b"old", b"new"), Ok(()));
        assert_eq!(account.change_password(&mut cx, b"x", b"y"), Err(PasswordError::Busy));
        let serial = account.open.unwrap().serial;
        let response = |result| AccountResponse { serial, result };
        account.answered(&mut cx, &response(Err(AccountRefusal::Busy { wait: 1000 })));
        assert_eq!(account.deadline(), Some(cx.now + Duration::from_secs(1)));
        assert_eq!((account.old.as_bytes(), account.new.as_bytes()), (&b"old"[..], &b"new"[..]));
        account.answered(&mut cx, &AccountResponse { serial: serial ^ 1, result: Ok(()) });
        assert_eq!(cx.news.next_event(), None, "it is not about this one");
        let result = Err(AccountRefusal::Wrong { wait: 1000 });
        account.answered(&mut cx, &response(result));
        let change = AccountChange::Password;
        assert_eq!(cx.news.next_event(), Some(Event::AccountResponse { change, result }));
        assert_eq!((account.old.as_bytes(), account.new.as_bytes()), (&b""[..], &b""[..]));
    }
}
