//! What a liar knows from what it was sent, and from what it passed on.

use std::collections::BTreeMap;

use proto_core::{
    id::{Account, MessageName, Nick, Position, PublicKey, Recipient},
    session::{self, Identity},
    wire::{Frame, Presence, Submit},
};

use crate::place::Place;

use super::{BODY_HEADER, Written, written};

/// How many frames are remembered.
const REMEMBERED: usize = 96;

/// Someone on the roster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) account: Account,
    pub(super) nick: Nick,
    pub(super) key: PublicKey,
    pub(super) key_number: u32,
    pub(super) version: u64,
}

/// A submission that was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submission {
    pub(super) author: Place,
    pub(super) to: Recipient,
    pub(super) position: Position,
}

/// A submission: its author, its recipient, the record number of its position, and the key number.
type Submitted = (Place, Recipient, u64, u32);

/// What a liar knows.
#[derive(Debug, Default)]
pub(super) struct Overheard {
    people: Vec<Known>,
    /// Any frames that say something, and to whom they went.
    frames: Vec<(Place, Written)>,
    statuses: Vec<(Place, Written)>,
    mails: Vec<(Place, Written)>,
    submissions: Vec<Submission>,
    /// Bodies of which pieces came.
    pieces: BTreeMap<Submitted, (Vec<u8>, usize)>,
    opened: Vec<(Place, Vec<u8>)>,
}

fn remember<T>(all: &mut Vec<T>, one: T) {
    if all.len() == REMEMBERED {
        all.remove(0);
    }
    all.push(one);
}

impl Overheard {
    /// Everyone on the roster, as the server truly had them last.
    pub(super) fn people(&self) -> &[Known] {
        &self.people
    }

    pub(super) fn frames(&self) -> &[(Place, Written)] {
        &self.frames
    }

    pub(super) fn statuses(&self) -> &[(Place, Written)] {
        &self.statuses
    }

    pub(super) fn mails(&self) -> &[(Place, Written)] {
        &self.mails
    }

    pub(super) fn submissions(&self) -> &[Submission] {
        &self.submissions
    }

    pub(super) fn opened(&mut self) -> Vec<(Place, Vec<u8>)> {
        std::mem::take(&mut self.opened)
    }

    /// A frame goes to someone.
    pub(super) fn frame(&mut self, to: Place, frame: &Frame<'_>) {
        match frame {
            Frame::Roster(page) => {
                for entry in page.entries().flatten() {
                    self.people.retain(|known| known.account != entry.account);
                    if entry.presence != Presence::Removed {
                        let (account, nick, key) = (entry.account, entry.nick, entry.key);
                        let (key_number, version) = (entry.key_number, entry.version);
                        self.people.push(Known { account, nick, key, key_number, version });
                    }
                }
            }
            Frame::DeliveryStatus(_) => remember(&mut self.statuses, (to, written(frame))),
            Frame::Mail(mail) if mail.piece.len() == usize::from(mail.total) => {
                remember(&mut self.mails, (to, written(frame)));
            }
            _ => {}
        }
        let is_of_session = matches!(
            frame,
            Frame::Ack(_) | Frame::Ping(()) | Frame::Close(_) | Frame::Rekey(_) | Frame::Rekeyed(_)
        );
        let is_of_room =
            matches!(frame, Frame::Joined(_) | Frame::RoomEntry(_) | Frame::Trimmed(_));
        if !is_of_session && !is_of_room {
            remember(&mut self.frames, (to, written(frame)));
        }
    }

    /// Someone submits a piece; the liar opens what it can.
    pub(super) fn submit(
        &mut self,
        author: Place,
        submit: &Submit<'_>,
        key: PublicKey,
        own: &Identity,
    ) {
        let position = Position::new(submit.epoch, submit.number);
        remember(&mut self.submissions, Submission { author, to: submit.to, position });
        let total = usize::from(submit.total);
        let name = (author, submit.to, position.to_record_number(), submit.key);
        let (body, have) = self.pieces.entry(name).or_insert_with(|| (vec![0; total], 0));
        let from = usize::from(submit.offset);
        if let Some(place) = body.get_mut(from..from + submit.piece.len()) {
            place.copy_from_slice(submit.piece);
            *have += submit.piece.len();
        }
        if *have < body.len() {
            return;
        }
        let mut sealed = self.pieces.remove(&name).map(|(body, _)| body).unwrap_or_default();
        let name = MessageName { author: key, recipient: own.public(), position };
        if let Some((_, body)) = session::open_mail(own, &name, &mut sealed) {
            self.opened.push((author, body.get(BODY_HEADER..).unwrap_or_default().to_vec()));
        }
    }
}
