//! What clients are answered.

use crate::{
    id::Account,
    link::Packet,
    role::FrameOutcome,
    storage::Id,
    violation::Violation,
    wire::{AccountRefusal, AccountResponse, Away, Frame, Limits, MAX_AWAY, Registered},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        role::{SentFrame, ServerLink, ServerRole},
        rooms::Rooms,
    },
    seat::Registration,
};

/// A link's client is told where it stands.
pub(crate) fn answer(cx: &mut Ctx<'_>, link: Id<ServerLink>, registration: Registration) {
    if let Some(session) = cx.session(link) {
        session.seat.set(registration);
        session.seat.answer_again();
        cx.links.wake(link);
    }
}

/// A link's client is told what came of its request about its account.
pub(crate) fn respond(
    cx: &mut Ctx<'_>,
    link: Id<ServerLink>,
    serial: u64,
    result: Result<(), AccountRefusal>,
) {
    if cx.online(link).is_none() {
        return;
    }
    if let Some(session) = cx.session(link) {
        session.asked.respond(AccountResponse { serial, result });
        cx.links.wake(link);
    }
}

/// The account of a link's client is to be saved; the answer goes on with it.
pub(crate) fn save(cx: &mut Ctx<'_>, link: Id<ServerLink>, registration: Registration) {
    if let Some(session) = cx.session(link) {
        session.seat.set(registration);
        session.seat.owe_save();
        cx.requests.ask(cx.links.slab_mut(), link);
    }
}

/// It is looked whether mail waits for a link's client, which is online once that is known.
pub(crate) fn look(cx: &mut Ctx<'_>, link: Id<ServerLink>, account: Account, returning: bool) {
    if let Some(session) = cx.session(link) {
        session.seat.set(Registration::Looking { account, returning });
    }
}

/// A client is away from its keyboard, or back, says the packet `packet` of its link: the account
/// of which the roster has to tell.
pub(crate) fn away(
    cx: &mut Ctx<'_>,
    accounts: &mut Accounts<'_>,
    link: Id<ServerLink>,
    packet: u64,
    away: &Away<'_>,
) -> Result<Option<Account>, FrameOutcome> {
    let Some(account) = cx.online(link) else { return Ok(None) };
    let text = away.text.unwrap_or_default();
    if text.len() > MAX_AWAY {
        return Err(FrameOutcome::Broken(Violation::AwayTooLong));
    }
    if !cx.session(link).is_some_and(|session| session.seat.is_news_of_away(packet)) {
        return Ok(None);
    }
    if !cx.make_room(text.len(), false) {
        return Err(FrameOutcome::NoRoom);
    }
    let body = cx.pool.store(text.as_bytes()).ok_or(FrameOutcome::NoRoom)?;
    accounts.set_away(&mut cx.pool, account, body);
    Ok(Some(account))
}

pub(crate) fn write(
    cx: &mut Ctx<'_>,
    accounts: &Accounts<'_>,
    rooms: &Rooms<'_>,
    link: Id<ServerLink>,
    packet: &mut Packet<'_, ServerRole>,
) {
    if let Some(session) = cx.session(link)
        && let Some(response) = session.asked.owed()
        && packet.push(&Frame::AccountResponse(response), SentFrame::AccountResponse)
    {
        session.asked.answered();
    }
    let Some(registration) = cx.session(link).and_then(|session| session.seat.owed()) else {
        return;
    };
    let frame = match registration {
        Registration::Online { account, returning, mailbox } => {
            let Some(epoch) = accounts.epoch(account) else { return };
            Frame::Registered(Registered {
                account,
                epoch,
                returning,
                run: cx.run,
                mailbox,
                rooms: rooms.table.count(accounts.places(account)),
                limits: Limits {
                    text: cx.text_limit(),
                    mail: cx.config.mail.as_secs() as u32,
                    room: cx.config.room,
                },
            })
        }
        Registration::Refused(reason) => Frame::RegisterRefused(reason),
        Registration::Wanted(wanted) => Frame::PasswordWanted(wanted),
        Registration::Left => Frame::Deregistered(()),
        Registration::None | Registration::Saving { .. } | Registration::Looking { .. } => {
            return;
        }
    };
    if packet.push(&frame, SentFrame::Answer)
        && let Some(session) = cx.session(link)
    {
        session.seat.answered();
    }
}
