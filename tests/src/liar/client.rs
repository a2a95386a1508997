//! What a lying client says, directly and by way of an honest server.

use proto_core::{
    Received,
    id::{Account, Epoch, Number, Position, Recipient},
    session,
    wire::{Frame, Frames, MailAck, Message, Receipt, Submit},
};

use crate::place::{Place, SERVER};

use super::{Attack, Liar, Written, written};

/// How much rarer it makes something up than it changes what it was to say.
const RARER: u64 = 3;

impl Liar {
    /// The client says something to someone: what that hears.
    pub(super) fn claim(&mut self, to: Place, frame: &Frame<'_>, out: &mut Vec<Written>) {
        match frame {
            Frame::Message(message) if message.piece.len() == usize::from(message.total) => {
                let mut told = *message;
                let body = self.body();
                if self.tries(Attack::Garbage) {
                    told.piece = &body[..self.dice.index(body.len())];
                    told.total = told.piece.len() as u16;
                }
                if self.tries(Attack::Jump) {
                    let at = self.position(Position::new(told.epoch, told.number));
                    (told.epoch, told.number) = (at.epoch, at.number);
                }
                if self.tries(Attack::Previous) {
                    told.skip = [0, 1, u32::MAX, self.dice.below(99) as u32][self.dice.index(4)];
                }
                out.push(written(&Frame::Message(told)));
            }
            Frame::Submit(submit) if submit.piece.len() == usize::from(submit.total) => {
                let mut told = *submit;
                let garbage: Vec<u8> = submit.piece.iter().map(|byte| byte ^ 1).collect();
                if self.tries(Attack::Garbage) {
                    told.piece = &garbage;
                }
                if self.tries(Attack::Jump) {
                    let at = self.position(Position::new(told.epoch, told.number));
                    (told.epoch, told.number) = (at.epoch, at.number);
                }
                out.push(written(&Frame::Submit(told)));
            }
            Frame::Receipt(receipt) if self.tries(Attack::NeverHad) => {
                out.push(written(&Frame::Receipt(self.receipt(*receipt))));
            }
            Frame::MailAck(ack) if self.tries(Attack::NeverHad) => {
                out.push(written(&Frame::MailAck(self.ack(*ack))));
            }
            _ => out.push(written(frame)),
        }
        if to != SERVER && self.tries(Attack::NeverHad) {
            let any = Receipt { epoch: Epoch(1), number: Number(1), run: 1 };
            out.push(written(&Frame::Receipt(self.receipt(any))));
        }
    }

    /// The client has something to send to someone, and says more than it has to.
    pub(super) fn boast(&mut self, to: Place, out: &mut Vec<Written>) {
        if self.dice.below(RARER) > 0 {
            return;
        }
        let near = Position::new(Epoch(1 + self.dice.below(2) as u32), Number(1));
        if to != SERVER {
            if self.tries(Attack::Jump) {
                let body = self.body();
                let Position { epoch, number } = self.position(near);
                let (skip, total) = (self.dice.below(3) as u32, body.len() as u16);
                let (offset, piece) = (0, body.as_slice());
                let message = Message { epoch, number, skip, total, offset, piece };
                out.push(written(&Frame::Message(message)));
            }
            return;
        }
        let own = self.identity.public();
        let people = self.overheard.people();
        let others: Vec<_> = people.iter().copied().filter(|known| known.key != own).collect();
        let Some(known) = others.get(self.dice.index(others.len().max(1))).copied() else { return };
        for attack in [Attack::Previous, Attack::Garbage] {
            if !self.tries(attack) {
                continue;
            }
            let position = self.position(near);
            let Some(mut sealed) = self.sealed(known.key, position) else { continue };
            if attack == Attack::Garbage {
                sealed = self.dice.bytes::<200>().to_vec();
            }
            let skips = [0, u32::MAX, position.number.0 as u32];
            out.push(written(&Frame::Submit(Submit {
                to: Recipient::Account(known.account),
                epoch: position.epoch,
                number: position.number,
                key: known.key_number,
                skip: skips[self.dice.index(3)],
                total: sealed.len() as u16,
                offset: 0,
                piece: &sealed,
            })));
        }
        if self.tries(Attack::Replay) {
            let all = self.overheard.frames();
            out.extend(all.get(self.dice.index(all.len().max(1))).map(|(_, it)| it.clone()));
        }
    }

    fn receipt(&mut self, receipt: Receipt) -> Receipt {
        let at = self.position(Position::new(receipt.epoch, receipt.number));
        let run = [receipt.run, u32::MAX, 0, at.number.0 as u32][self.dice.index(4)];
        Receipt { epoch: at.epoch, number: at.number, run }
    }

    /// With a receipt that its author finds right.
    fn ack(&mut self, ack: MailAck) -> MailAck {
        let author = self.author_at(ack.index).and_then(|account| self.key_of(account));
        let Some(author) = author else { return ack };
        let last = self.position(ack.received.last);
        let first = [ack.received.first, Position::new(last.epoch, Number(1)), Position::NONE];
        let first = first[self.dice.index(3)];
        let received = Received { first, last, ..ack.received };
        let own = self.identity.public();
        let receipt = session::receipt(&self.identity, &author, &own, &received);
        MailAck { received, receipt: receipt.unwrap_or_default(), ..ack }
    }

    fn author_at(&self, index: u64) -> Option<Account> {
        self.overheard.mails().iter().find_map(|(_, mail)| match Frames::new(mail).next() {
            Some(Ok(Frame::Mail(mail))) if mail.index == index => Some(mail.from),
            _ => None,
        })
    }
}
