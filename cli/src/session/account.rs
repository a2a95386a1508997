//! What the user asks for about their own account.

use proto_core::id::PublicKey;

use crate::notice::{AskedPassword, Notice};

use super::{Chat, Moment, Phase, Session, commands::Done};

/// The user wants another password, and is asked for both.
pub(super) fn change_password(session: &mut Session, at: Moment) -> Done {
    if session.phase == Phase::Offline {
        return session.refuse(at, Notice::YouAreOffline);
    }
    if session.script.is_some() {
        return session.refuse(at, Notice::Password(AskedPassword::NotInScripts));
    }
    session.passwords.change((&mut session.display, at));
    Done::Yes
}

/// The user wants another device to be let in.
pub(super) fn endorse(
    session: &mut Session,
    chat: &mut impl Chat,
    at: Moment,
    key: PublicKey,
) -> Done {
    match chat.endorse(key) {
        Ok(()) => Done::Yes,
        Err(_) => session.refuse(at, Notice::YouAreOffline),
    }
}
