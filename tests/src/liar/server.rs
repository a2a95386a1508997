//! What a lying server says.

use proto_core::{
    Received,
    id::{Account, Epoch, Nick, Number, Position, Recipient},
    session,
    time::UnixTime,
    wire::{
        DeliveryStatus, Frame, Frames, KeyHistory, MAX_DATAGRAM, Mail, Presence, Registered,
        Roster, RosterEntry, SubmitRefusal, SubmitRefused,
    },
};

use crate::place::Place;

use super::{Attack, Liar, Written, chain::Fate, overheard::Known, written};

/// How much rarer it makes something up than it changes what it was to say.
const RARER: u64 = 4;

impl Liar {
    /// A client says something to the server: what the server is to hear.
    pub(super) fn take(&mut self, from: Place, frame: &Frame<'_>, out: &mut Vec<Written>) {
        match frame {
            Frame::MailAck(ack) => {
                out.extend(self.chains.ack(from, *ack).map(|ack| written(&Frame::MailAck(ack))));
                return;
            }
            Frame::Submit(submit) => {
                self.overheard.submit(from, submit, self.keys[from], &self.identity);
            }
            _ => {}
        }
        out.push(written(frame));
    }

    /// The server says something to a client: what that hears.
    pub(super) fn serve(&mut self, to: (Place, u32), frame: &Frame<'_>, out: &mut Vec<Written>) {
        self.overheard.frame(to.0, frame);
        match frame {
            Frame::Roster(page) => out.push(self.page(page)),
            Frame::Mail(mail) => self.mail(to, mail, out),
            Frame::DeliveryStatus(status) if matches!(status.to, Recipient::Account(_)) => {
                let told = self.status(to.0, *status);
                out.push(written(&Frame::DeliveryStatus(told)));
            }
            Frame::Registered(registered) if self.tries(Attack::Epoch) => {
                let near = Position::new(registered.epoch, Number(1));
                let epochs = [Epoch(0), Epoch(u32::MAX - 1), self.position(near).epoch];
                let epoch = epochs[self.dice.index(3)];
                let mailbox = [registered.mailbox, 0, u64::MAX][self.dice.index(3)];
                let told = Registered { epoch, mailbox, ..*registered };
                out.push(written(&Frame::Registered(told)));
            }
            _ => out.push(written(frame)),
        }
    }

    /// The server has something to send to a client, and says more than it has to.
    pub(super) fn make_up(&mut self, to: (Place, u32), out: &mut Vec<Written>) {
        if self.dice.below(RARER) > 0 {
            return;
        }
        let somebody = |liar: &mut Self| {
            let reader = liar.keys[to.0];
            let others: Vec<_> = liar.overheard.people().to_vec();
            let others: Vec<_> = others.into_iter().filter(|known| known.key != reader).collect();
            others.get(liar.dice.index(others.len().max(1))).copied()
        };
        let Some(known) = somebody(self) else { return };
        for attack in [Attack::OtherKey, Attack::KeyNumber, Attack::Renamed, Attack::Replaced] {
            if self.tries(attack) {
                out.push(self.news(known, attack));
            }
        }
        if self.tries(Attack::OwnMail) {
            let key = self.identity.public();
            let history = KeyHistory { account: known.account, key, nick: known.nick };
            out.push(written(&Frame::KeyHistory(history)));
            out.extend(self.own_mail(to, known.account, key.tag()));
        }
        if self.tries(Attack::FalseMail) {
            out.extend(self.own_mail(to, known.account, known.key.tag()));
        }
        if self.tries(Attack::Elsewhere) {
            let others = self.overheard.mails().iter().filter(|(reader, _)| *reader != to.0);
            let others: Vec<_> = others.map(|(_, mail)| mail.clone()).collect();
            let mail = others.get(self.dice.index(others.len().max(1)));
            out.extend(mail.and_then(|mail| self.again(to, mail)));
        }
        if self.tries(Attack::OldStatus) {
            let all = self.overheard.statuses();
            out.extend(all.get(self.dice.index(all.len().max(1))).map(|(_, it)| it.clone()));
        }
        if self.tries(Attack::Replay) {
            let all = self.overheard.frames();
            out.extend(all.get(self.dice.index(all.len().max(1))).map(|(_, it)| it.clone()));
        }
        if self.tries(Attack::Refusal) {
            out.extend(self.refusal(to.0));
        }
    }

    /// A page of the roster, with lies among its entries.
    fn page(&mut self, page: &Roster<'_>) -> Written {
        let mut entries = Vec::new();
        for entry in page.entries().flatten() {
            let ways = [Attack::OtherKey, Attack::KeyNumber, Attack::Renamed];
            let way = ways[self.dice.index(3)];
            let entry = if self.tries(way) { self.changed(entry, way) } else { entry };
            let mut out = [0; MAX_DATAGRAM];
            entries.extend_from_slice(entry.encode(&mut out).expect("it fits a packet"));
        }
        written(&Frame::Roster(Roster { entries: &entries, ..*page }))
    }

    fn changed<'a>(&mut self, entry: RosterEntry<'a>, attack: Attack) -> RosterEntry<'a> {
        match attack {
            Attack::OtherKey => {
                let key_number = entry.key_number + self.dice.below(2) as u32;
                let candidates = [Some(self.address), None];
                RosterEntry { key: self.identity.public(), key_number, candidates, ..entry }
            }
            Attack::KeyNumber => {
                let numbers = [entry.key_number + 1, entry.key_number.wrapping_sub(1), u32::MAX];
                RosterEntry { key_number: numbers[self.dice.index(3)], ..entry }
            }
            _ => {
                let people = self.overheard.people();
                let other = people.get(self.dice.index(people.len() + 1)).map(|known| known.nick);
                let nobody = Nick::new("nobody").expect("a nick");
                RosterEntry { nick: other.unwrap_or(nobody), ..entry }
            }
        }
    }

    /// A page of the roster that nobody is owed, about someone.
    fn news(&mut self, known: Known, attack: Attack) -> Written {
        let version = known.version + self.dice.below(3);
        let presences = [Presence::Online, Presence::Offline, Presence::Lost];
        let entry = RosterEntry {
            account: known.account,
            version,
            nick: known.nick,
            key: known.key,
            key_number: known.key_number,
            presence: presences[self.dice.index(3)],
            candidates: [None; 2],
            seen: UnixTime(0),
            away: None,
        };
        let entries = if attack == Attack::Replaced {
            // The next account at that place, or any.
            let accounts = [known.account.0.wrapping_add(1 << 20), self.dice.below(64) as u32];
            let account = Account(accounts[self.dice.index(2)]);
            let gone = RosterEntry { presence: Presence::Removed, ..entry };
            let key = self.identity.public();
            let (version, candidates) = (version + 1, [Some(self.address), None]);
            vec![gone, RosterEntry { account, key, version, candidates, ..entry }]
        } else {
            vec![self.changed(entry, attack)]
        };
        let mut bytes = Vec::new();
        for entry in entries {
            let mut out = [0; MAX_DATAGRAM];
            bytes.extend_from_slice(entry.encode(&mut out).expect("it fits a packet"));
        }
        let (low, high, last) = (Account(0), Account(0), self.dice.chance(500));
        written(&Frame::Roster(Roster { base: 0, upto: 0, low, high, last, entries: &bytes }))
    }

    fn mail(&mut self, to: (Place, u32), mail: &Mail<'_>, out: &mut Vec<Written>) {
        let mut fate = Fate::Told;
        if self.tries(Attack::Omitted) {
            fate = Fate::Omitted;
        } else if self.tries(Attack::Reordered) {
            fate = Fate::Held;
        }
        let mut told = *mail;
        let is_whole = mail.piece.len() == usize::from(mail.total);
        if is_whole && self.tries(Attack::Position) {
            let at = self.position(Position::new(mail.epoch, mail.number));
            (told.epoch, told.number) = (at.epoch, at.number);
        }
        out.extend(self.chains.pass(to, &told, || fate));
        if is_whole && self.tries(Attack::Twice) {
            out.push(self.chains.place(to, mail, None));
        }
    }

    /// A mail that was written down, at the end of a mailbox.
    fn again(&mut self, to: (Place, u32), mail: &Written) -> Option<Written> {
        let Some(Ok(Frame::Mail(mail))) = Frames::new(mail).next() else { return None };
        Some(self.chains.place(to, &mail, None))
    }

    /// A mail by the liar's own key, said to be from an account and by a key of that tag.
    fn own_mail(&mut self, to: (Place, u32), from: Account, tag: u32) -> Option<Written> {
        let near = Position::new(Epoch(1 + self.dice.below(3) as u32), Number(1));
        let position = self.position(near);
        let sealed = self.sealed(self.keys[to.0], position)?;
        let mail = Mail {
            index: 0,
            previous: 0,
            from,
            key: tag,
            epoch: position.epoch,
            number: position.number,
            total: sealed.len() as u16,
            offset: 0,
            piece: &sealed,
        };
        Some(self.chains.place(to, &mail, None))
    }

    fn status(&mut self, reader: Place, status: DeliveryStatus) -> DeliveryStatus {
        let mut told = status;
        let seen = self.overheard.submissions().iter().rev();
        let last = seen.copied().find(|it| it.author == reader && it.to == status.to);
        let last = last.map_or(status.stored, |it| it.position);
        if self.tries(Attack::Status) {
            told.stored = self.position(last);
            told.online = self.dice.chance(500);
            match self.dice.below(4) {
                0 => told.expired = (Position::new(last.epoch, Number(1)), self.position(last)),
                1 => told.key = self.dice.below(3) as u32,
                _ => {}
            }
        }
        if self.tries(Attack::Receipt) {
            told.received = match self.dice.below(3) {
                0 => Received::only(last),
                1 => {
                    Received { first: Position::new(last.epoch, Number(1)), ..Received::only(last) }
                }
                _ => Received { gap: (self.position(last), self.position(last)), ..told.received },
            };
            let (own, author) = (self.identity.public(), self.keys[reader]);
            let receipt = session::receipt(&self.identity, &author, &own, &told.received);
            told.receipt = match self.dice.below(3) {
                0 => self.dice.bytes(),
                1 => status.receipt,
                _ => receipt.unwrap_or_default(),
            };
        }
        told
    }

    fn refusal(&mut self, reader: Place) -> Option<Written> {
        let seen = self.overheard.submissions().iter().rev();
        let of = seen.copied().find(|it| it.author == reader)?;
        let position = if self.dice.chance(800) { of.position } else { self.position(of.position) };
        let reasons = [
            SubmitRefusal::NoRecipient,
            SubmitRefusal::TooLong,
            SubmitRefusal::Store,
            SubmitRefusal::Superseded,
            SubmitRefusal::KeyChanged,
        ];
        let reason = reasons[self.dice.index(reasons.len())];
        let (to, epoch, number) = (of.to, position.epoch, position.number);
        Some(written(&Frame::SubmitRefused(SubmitRefused { to, epoch, number, reason })))
    }
}
