//! Whose keys the user takes for the right ones.

use proto_core::{
    client::TrustError,
    id::{NameError, Nick},
};

use crate::notice::{KeyWord, Notice};

use super::{Chat, Moment, Session, commands::Done};

/// The user takes whoever has a nick now for the one whom they know by it.
pub(super) fn trust(
    session: &mut Session,
    chat: &mut impl Chat,
    at: Moment,
    nick: Result<Nick, NameError>,
) -> Done {
    let Ok(nick) = nick else { return session.refuse(at, Notice::Key(KeyWord::Nobody)) };
    let claim = session.claims.iter().find(|(claimed, _)| *claimed == nick).map(|(_, key)| *key);
    let Some(key) = claim else { return session.refuse(at, Notice::Key(KeyWord::NoClaim(nick))) };
    match chat.trust(&nick, &key) {
        Ok(()) => {
            session.claims.retain(|(claimed, _)| *claimed != nick);
            session.tell(at, Notice::Key(KeyWord::Trusted(nick)));
            Done::Yes
        }
        Err(why) => session.refuse(at, Notice::Key(refusal(nick, why))),
    }
}

/// The user compares keys with someone, or has compared them.
pub(super) fn verify(
    session: &mut Session,
    chat: &mut impl Chat,
    at: Moment,
    nick: Result<Nick, NameError>,
    compared: bool,
) -> Done {
    let Ok(nick) = nick else { return session.refuse(at, Notice::Key(KeyWord::Nobody)) };
    let peers = chat.peers();
    let Some(peer) = peers.iter().find(|peer| peer.nick == nick && peer.known) else {
        let is_claimed = session.claims.iter().any(|(claimed, _)| *claimed == nick);
        let why = if is_claimed { KeyWord::Claimed(nick) } else { KeyWord::Nobody };
        return session.refuse(at, Notice::Key(why));
    };
    if !compared {
        let number = chat.safety_number(&peer.key);
        let verified = peer.verified;
        session.tell(at, Notice::Key(KeyWord::Compare { nick, number, verified }));
        return Done::Yes;
    }
    match chat.verify(&nick, &peer.key) {
        Ok(()) => {
            session.tell(at, Notice::Key(KeyWord::Verified(nick)));
            Done::Yes
        }
        Err(why) => session.refuse(at, Notice::Key(refusal(nick, why))),
    }
}

fn refusal(nick: Nick, why: TrustError) -> KeyWord {
    match why {
        TrustError::OtherKey => KeyWord::NoClaim(nick),
        TrustError::Full => KeyWord::Full,
        _ => KeyWord::Nobody,
    }
}
