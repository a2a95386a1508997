//! The session with the server: registering, staying registered, and leaving.

mod account;
pub(super) mod link;
mod password;
pub(super) mod standing;

use core::time::Duration;

use crate::{
    id::{Epoch, Incarnation, PublicKey},
    link::{OutgoingHandshake, Packet, Target},
    role::FrameOutcome,
    storage::Id,
    time::Instant,
    violation::Violation,
    wire::{
        AccountResponse, CloseReason, Frame, PasswordWanted, Register, RegisterRefusal, Registered,
    },
};

use super::{
    ctx::Ctx,
    error::{CommandError, PasswordError},
    event::Event,
    role::{ClientLink, ClientRole},
    sent::SentFrame,
};
use account::Account;
use password::Login;
use standing::{Leaving, Phase};

/// Tries with a wrong key after which the server counts as another one.
const WRONG_KEY_TRIES: u32 = 3;

/// The session with the server, whichever link it is in.
#[derive(Debug, Default)]
pub(super) struct ServerSession {
    dial: Option<Id<OutgoingHandshake>>,
    /// The user asked to register, and is told when it is done.
    announce: bool,
    /// The user was told that mail waits, and is told when it was handed over.
    mail: bool,
    login: Login,
    account: Account,
}

/// What the rest of the client is to do when the session with the server changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// What is open is to be submitted.
    SubmitReason,
    /// To go offline, and tell the user.
    Offline(Event),
}

impl ServerSession {
    /// When something is to be done without any input.
    pub(super) fn deadline(&self, cx: &Ctx<'_>) -> Option<Instant> {
        [cx.server.asked, self.login.deadline(), self.account.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The user wants to be online. While the durable state is being read, that waits.
    pub(super) fn register(
        &mut self,
        cx: &mut Ctx<'_>,
        is_loaded: bool,
    ) -> Result<(), CommandError> {
        if cx.server.phase != Phase::Offline || cx.server.wanted {
            return Err(CommandError::Online);
        }
        self.announce = true;
        cx.server.wanted = true;
        if is_loaded {
            self.set_out(cx);
        }
        Ok(())
    }

    /// Sets out to register, if the user wants that.
    pub(super) fn set_out(&mut self, cx: &mut Ctx<'_>) {
        if core::mem::take(&mut cx.server.wanted) {
            cx.server.phase = Phase::Reaching;
            cx.expect_answer();
            self.reach(cx);
        }
    }

    /// The user wants to be offline.
    pub(super) fn deregister(cx: &mut Ctx<'_>) -> Result<Change, CommandError> {
        if cx.server.phase == Phase::Offline && !cx.server.wanted {
            return Err(CommandError::Offline);
        }
        if core::mem::take(&mut cx.server.wanted) {
            cx.news.tell(Event::Deregistered { answered: false });
            return Ok(Change::None);
        }
        cx.server.leaving = cx.server.leaving.or(Some(Leaving::Submitting));
        cx.expect_answer();
        Ok(Change::SubmitReason)
    }

    /// The user gives a password.
    pub(super) fn authenticate(
        &mut self,
        cx: &mut Ctx<'_>,
        password: &[u8],
    ) -> Result<(), PasswordError> {
        self.login.give(password)?;
        self.send_password(cx);
        Ok(())
    }

    /// The user wants another password.
    pub(super) fn change_password(
        &mut self,
        cx: &mut Ctx<'_>,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), PasswordError> {
        self.account.change_password(cx, old, new)
    }

    /// The user wants another device to be let in.
    pub(super) fn endorse(&mut self, cx: &mut Ctx<'_>, key: PublicKey) -> Result<(), CommandError> {
        self.account.endorse(cx, key)
    }

    /// What came of a request about the account.
    pub(super) fn account_response(
        &mut self,
        cx: &mut Ctx<'_>,
        response: &AccountResponse,
    ) -> FrameOutcome {
        self.account.answered(cx, response);
        FrameOutcome::Done
    }

    /// The server gives the nick to who has its password only.
    pub(super) fn password_wanted(
        &mut self,
        cx: &mut Ctx<'_>,
        wanted: &PasswordWanted,
    ) -> FrameOutcome {
        if cx.server.is_registering() {
            if self.login.wanted(wanted, cx.now) {
                let wait = Duration::from_millis(wanted.wait.into());
                cx.news.tell(Event::PasswordWanted { why: wanted.why, wait });
            }
            self.send_password(cx);
        }
        FrameOutcome::Done
    }

    /// Does what is due now.
    pub(super) fn timeout(&mut self, cx: &mut Ctx<'_>) -> Change {
        self.send_password(cx);
        self.account.timeout(cx);
        if cx.server.asked.is_none_or(|at| at > cx.now) {
            return Change::None;
        }
        cx.server.asked = None;
        if cx.server.leaving.is_some() {
            return Change::Offline(Event::Deregistered { answered: false });
        }
        cx.server.silent = true;
        cx.news.tell(Event::ServerSilent);
        Change::None
    }

    /// The link to the server is silent: perhaps it has started anew and knows nothing of it. A
    /// Hello goes beside the probes if it stays so.
    pub(super) fn probing(&mut self, cx: &mut Ctx<'_>, again: bool) {
        cx.expect_answer();
        if again {
            self.reach(cx);
        }
    }

    /// The handshake with the server is through; `false` if the user wants none any more.
    pub(super) fn reached(&mut self, cx: &mut Ctx<'_>, link: Id<ClientLink>) -> bool {
        self.dial = None;
        if cx.server.phase == Phase::Offline {
            return false;
        }
        // From now on, this is the server.
        cx.config.server_key = cx.links.get(link).map(|link| link.peer);
        cx.server.link = Some(link);
        cx.server.phase = Phase::Registering;
        heard_again(cx);
        cx.expect_answer();
        cx.ask_server();
        true
    }

    /// Something authentic came from the server.
    pub(super) fn heard(&mut self, cx: &mut Ctx<'_>, link: Id<ClientLink>) {
        if cx.server.link != Some(link) {
            return;
        }
        if let Some(dial) = self.dial.take() {
            cx.links.end_handshake(dial);
        }
        heard_again(cx);
    }

    /// A try to reach the server got no answer.
    pub(super) fn unanswered(tries: u32, wrong_key: bool) -> Change {
        if wrong_key && tries >= WRONG_KEY_TRIES {
            Change::Offline(Event::WrongServerKey)
        } else {
            Change::None
        }
    }

    /// The link to the server is gone; the client goes on trying.
    pub(super) fn lost(&mut self, cx: &mut Ctx<'_>) {
        if cx.server.phase != Phase::Offline {
            cx.server.phase = Phase::Reaching;
            cx.expect_answer();
            self.reach(cx);
        }
    }

    /// The server ended the link, or what it said could not be understood.
    pub(super) fn closed(&mut self, cx: &mut Ctx<'_>, reason: CloseReason) -> Change {
        if cx.server.phase == Phase::Offline {
            return Change::None;
        }
        match reason {
            CloseReason::Leaving => {
                self.lost(cx);
                Change::None
            }
            CloseReason::Displaced => Change::Offline(Event::Displaced),
            reason => Change::Offline(Event::ServerClosed(reason)),
        }
    }

    /// The nick is the client's. Whether it has an epoch that it did not have before; `None` if
    /// nothing is new.
    pub(super) fn registered(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        registered: &Registered,
    ) -> Result<Option<bool>, Violation> {
        let Registered { epoch, returning, mailbox, limits, .. } = *registered;
        if cx.server.leaving == Some(Leaving::Saying) {
            // The request to be online may have come after the good-bye, and undone it.
            cx.ask_server();
        }
        if cx.server.phase != Phase::Registering {
            return Ok(None);
        }
        // In an epoch that was used before, numbers would be given twice.
        if epoch < cx.server.epoch || epoch <= cx.server.former {
            return Err(Violation::UsedEpoch);
        }
        cx.server.phase = Phase::Online;
        self.login.forget();
        self.account.resume(cx);
        cx.server.limits = Some(limits);
        cx.server.waiting = mailbox;
        if core::mem::take(&mut self.announce)
            && let Some(server) = cx.links.get(link).map(|link| link.peer)
        {
            self.mail = mailbox != 0;
            cx.news.tell(Event::Registered { returning, mail: self.mail, server, limits });
        }
        if mailbox == 0 && core::mem::take(&mut self.mail) {
            // All was handed over before the server was lost, which could say so no more.
            cx.news.tell(Event::MailboxEmpty);
        }
        let new_epoch = epoch != cx.server.epoch;
        cx.server.epoch = epoch;
        Ok(Some(new_epoch))
    }

    /// The nick is not the client's.
    pub(super) fn refused(cx: &Ctx<'_>, reason: RegisterRefusal) -> Change {
        if cx.server.phase == Phase::Registering {
            return Change::Offline(Event::RegisterRefused(reason));
        }
        // A request that came after the good-bye changed nothing.
        Self::deregistered(cx)
    }

    /// The server knows that the client is offline.
    pub(super) fn deregistered(cx: &Ctx<'_>) -> Change {
        if cx.server.leaving == Some(Leaving::Saying) {
            Change::Offline(Event::Deregistered { answered: true })
        } else {
            Change::None
        }
    }

    /// All mail that waited was handed over.
    pub(super) fn mailbox_empty(&mut self, cx: &mut Ctx<'_>) -> FrameOutcome {
        if cx.server.is_registering() {
            // What says that mail waits at all is on its way.
            return FrameOutcome::NoRoom;
        }
        if core::mem::take(&mut self.mail) {
            cx.news.tell(Event::MailboxEmpty);
        }
        FrameOutcome::Done
    }

    /// Nothing is sent or taken in any more.
    pub(super) fn go_offline(&mut self, cx: &mut Ctx<'_>) {
        cx.server.go_offline();
        self.login.forget();
        self.account.forget();
        if let Some(dial) = self.dial.take() {
            cx.links.end_handshake(dial);
        }
    }

    /// Writes what the client wants of the server into a packet for it: to be online or offline.
    /// `roster` is what it has of the roster.
    pub(super) fn write_request(
        &self,
        cx: &mut Ctx<'_>,
        roster: (Incarnation, u64),
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        self.account.write(cx, link, packet);
        if !cx.contact(link).is_some_and(|contact| contact.session.request) {
            return;
        }
        let server = &cx.server;
        let epoch = Some(server.epoch.max(server.former));
        let epoch = epoch.filter(|epoch| *epoch != Epoch(0));
        let frame = match (server.phase, server.leaving) {
            (_, Some(Leaving::Saying)) => Frame::Deregister(()),
            (Phase::Registering, _) => {
                let (nick, (server, roster)) = (cx.config.nick, roster);
                let register = Register { nick, epoch, run: cx.server.run, server, roster };
                match self.login.frame(register) {
                    Some(frame) => frame,
                    // The user is asked, or the time has not come.
                    None => return,
                }
            }
            _ => return,
        };
        if packet.push(&frame, SentFrame::Request)
            && let Some(contact) = cx.contact(link)
        {
            contact.session.request = false;
        }
    }

    /// A Hello to the server, unless one is under way.
    fn reach(&mut self, cx: &mut Ctx<'_>) {
        if self.dial.is_none() {
            let target = Target::Server(cx.config.server_key);
            self.dial = cx.links.begin_handshake(cx.now, cx.config.server, target);
        }
    }

    /// Sends the password when its time has come.
    fn send_password(&mut self, cx: &mut Ctx<'_>) {
        if self.login.is_due(cx.now) {
            cx.expect_answer();
            cx.ask_server();
        }
    }
}

/// Nothing is left that the server could save: it is told good-bye.
pub(super) fn say_good_bye(cx: &mut Ctx<'_>) {
    cx.server.say_good_bye();
    cx.expect_answer();
    cx.ask_server();
}

/// A link ends, which may be the server's.
pub(super) fn forget_link(cx: &mut Ctx<'_>, link: Id<ClientLink>) {
    cx.server.forget(link);
}

/// The server is there.
fn heard_again(cx: &mut Ctx<'_>) {
    cx.server.asked = None;
    if core::mem::take(&mut cx.server.silent) {
        cx.news.tell(Event::ServerBack);
    }
}

#[cfg(test)]
mod tests {
    use crate::client::{fixture::Fixture, view::Status};

    use super::*;

    #[test]
    fn the_user_hears_of_a_server_that_says_nothing_and_that_it_is_back() {
        let mut fixture = Fixture::new();
        fixture.server.go_offline();
        let mut session = ServerSession::default();
        let mut cx = fixture.cx();
        assert_eq!(session.register(&mut cx, false), Ok(()));
        assert_eq!(cx.server.status(), Status::Loading);
        assert_eq!(session.register(&mut cx, true), Err(CommandError::Online));
        session.set_out(&mut cx);
        assert_eq!(cx.server.status(), Status::Registering);
        let patience = cx.config.patience;
        assert_eq!(session.deadline(&cx), Some(cx.now + patience));
        fixture.now = fixture.now + patience;
        let mut cx = fixture.cx();
        assert_eq!(session.timeout(&mut cx), Change::None);
        assert_eq!(cx.news.next_event(), Some(Event::ServerSilent));
        heard_again(&mut cx);
        assert_eq!(cx.news.next_event(), Some(Event::ServerBack));
    }

    #[test]
    fn who_leaves_is_offline_in_the_end_whether_the_server_answers_or_not() {
        let mut fixture = Fixture::new();
        let mut session = ServerSession::default();
        let mut cx = fixture.cx();
        assert_eq!(ServerSession::deregister(&mut cx), Ok(Change::SubmitReason));
        assert_eq!(ServerSession::deregistered(&cx), Change::None, "it was not told yet");
        say_good_bye(&mut cx);
        let offline = |answered| Change::Offline(Event::Deregistered { answered });
        assert_eq!(ServerSession::deregistered(&cx), offline(true));
        fixture.now = fixture.now + Duration::from_mins(1);
        let mut cx = fixture.cx();
        assert_eq!(session.timeout(&mut cx), offline(false));
        session.go_offline(&mut cx);
        assert_eq!(cx.server.status(), Status::Offline);
    }
}
