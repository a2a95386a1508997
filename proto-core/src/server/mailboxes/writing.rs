//! What a client is sent of its mailbox.

use crate::{
    link::Packet,
    storage::Id,
    wire::{Frame, KeyHistory, Mail as MailFrame},
};

use super::{
    super::{
        ctx::Ctx,
        role::{SentFrame, ServerLink, ServerRole},
        roster::Roster,
    },
    reader::Empty,
};

/// Bytes of a `Mail` frame's body that are not the piece.
const MAIL_HEADER: usize = 3 * 10 + 3 * 5 + 3 * 3;

/// Writes what a client is to be sent of its mailbox.
pub(crate) fn write(
    cx: &mut Ctx<'_>,
    roster: &Roster<'_>,
    link: Id<ServerLink>,
    packet: &mut Packet<'_, ServerRole>,
) {
    let Some(found) = cx.links.get_mut(link).filter(|link| link.is_live()) else { return };
    let reader = &mut found.role.mailbox;
    if reader.empty == Empty::Owed && packet.push(&Frame::MailboxEmpty(()), SentFrame::Empty) {
        reader.empty = Empty::Known;
    }
    while let Some(id) = reader.sending.front() {
        let Some(entry) = cx.messages.get_mut(id) else { return };
        if roster.version_of(entry.from()) > found.role.roster.base() {
            // Its reader cannot take it in before it knows who wrote it.
            return;
        }
        let (from, index, position) = (entry.from(), entry.index(), entry.position());
        let total = entry.body().len();
        let Some(mail) = entry.mail_mut() else {
            debug_assert!(false, "a mailbox has mail only");
            return;
        };
        if mail.former {
            // One such message at a time, so that its reader keeps one such key at a time.
            if reader.queue.front() != Some(id) {
                return;
            }
            let former = KeyHistory { account: from, key: mail.by, nick: mail.author };
            if !packet.push(&Frame::KeyHistory(former), SentFrame::KeyHistory(id)) {
                return;
            }
            mail.former = false;
        }
        let Some(run) = packet.next_run(mail.todo, total, MAIL_HEADER) else {
            if !mail.todo.is_empty() {
                return;
            }
            reader.sending.pop_front(cx.messages.rows());
            continue;
        };
        if !mail.credited {
            if !found.credit.spend(total) {
                return;
            }
            mail.credited = true;
        }
        let frame = MailFrame {
            index,
            previous: mail.previous,
            from,
            key: mail.by.tag(),
            epoch: position.epoch,
            number: position.number,
            total: total as u16,
            offset: 0,
            piece: &[],
        };
        mail.todo.remove(run);
        let written = packet.push_piece(
            (&cx.pool, entry.body()),
            (total, run),
            |offset, piece| Frame::Mail(MailFrame { offset, piece, ..frame }),
            SentFrame::Piece(id, run),
        );
        if !written {
            if let Some(mail) = entry.mail_mut() {
                mail.todo.insert(run);
            }
            return;
        }
    }
}
