//! A session with a client that does as the test says.

use std::time::Duration;

use proto_core::{
    client::{
        CommandError, Correspondent, Event, MessageId, OpenMessages, PasswordError, PeerView,
        RoomView, SendError, Status, SubmitReason, To, TrustError, Verdict,
    },
    id::{Epoch, Nick, Number, Position, PublicKey},
    time::{Instant, UnixTime},
    wire::{Limits, Presence, Retention, RoomAction, RoomRefusal},
};

use transport_mio::store::{Line, Place, Spoken, Unread};

use crate::{
    notice::{Face, UnprovenServer},
    password::{Given, Password},
    words,
};

use super::super::{Chat, Exit, Moment, Script, Session};

/// 2017-06-14 02:40:17.501063.
pub(super) const TIME: UnixTime = UnixTime(1_497_408_017_501_063);

pub(super) fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

pub(super) fn key(of: &str) -> PublicKey {
    PublicKey([of.as_bytes()[0]; 32])
}

#[derive(Default)]
pub(super) struct FakeChat {
    /// Who is on the roster.
    pub(super) roster: Vec<(&'static str, bool)>,
    /// What everyone says of being away.
    pub(super) away: &'static str,
    /// What was asked, in words.
    pub(super) asked: Vec<String>,
    pub(super) online: bool,
    pub(super) refuse_say: Option<SendError>,
    pub(super) refuse_bind: bool,
    pub(super) open: OpenMessages,
    /// Which rooms x is in.
    pub(super) rooms: Vec<To>,
    /// What was said before, 20 hours between any two.
    pub(super) past: Vec<(To, Spoken)>,
    /// The server's key is neither given nor remembered.
    pub(super) unproven: bool,
    said: u64,
}

/// Something that came.
pub(super) fn came(author: Option<&str>, text: &str, unread: bool) -> Spoken {
    let (author, text) = (author.map(nick), text.as_bytes().to_vec());
    Spoken::Came { number: 7, author, time: TIME, text, unread }
}

/// Something that x said.
pub(super) fn said(verdict: Option<Verdict>, text: &str) -> Spoken {
    Spoken::Said { verdict, text: text.as_bytes().to_vec() }
}

impl Chat for FakeChat {
    fn register(&mut self) -> Result<(), String> {
        if self.refuse_bind {
            return Err("UDP port 6061 is in use".to_owned());
        }
        self.asked.push("register".to_owned());
        self.online = true;
        Ok(())
    }

    fn deregister(&mut self) -> Result<(), CommandError> {
        if !self.online {
            return Err(CommandError::Offline);
        }
        self.asked.push("deregister".to_owned());
        Ok(())
    }

    fn authenticate(&mut self, password: &Password) -> Result<(), PasswordError> {
        if password.as_bytes().is_empty() {
            return Err(PasswordError::Empty);
        }
        self.asked.push(format!("authenticate {}", String::from_utf8_lossy(password.as_bytes())));
        Ok(())
    }

    fn unproven_server(&mut self) -> Option<UnprovenServer> {
        let (address, key) = ("192.168.1.5:12345".to_owned(), "its key".to_owned());
        self.unproven.then_some(UnprovenServer { address, key })
    }

    fn trust_server(&mut self) -> Result<(), String> {
        self.asked.push("trust".to_owned());
        self.unproven = false;
        Ok(())
    }

    fn change_password(&mut self, old: &Password, new: &Password) -> Result<(), PasswordError> {
        let [old, new] = [old, new].map(|one| String::from_utf8_lossy(one.as_bytes()).into_owned());
        self.asked.push(format!("change {old} to {new}"));
        Ok(())
    }

    fn endorse(&mut self, key: PublicKey) -> Result<(), CommandError> {
        self.asked.push(format!("endorse {key:?}"));
        Ok(())
    }

    fn key(&mut self) -> PublicKey {
        key("x")
    }

    fn trust(&mut self, nick: &Nick, _: &PublicKey) -> Result<(), TrustError> {
        self.asked.push(format!("trust {nick}"));
        Ok(())
    }

    fn verify(&mut self, nick: &Nick, _: &PublicKey) -> Result<(), TrustError> {
        self.asked.push(format!("verify {nick}"));
        Ok(())
    }

    fn safety_number(&mut self, _: &PublicKey) -> [u32; 12] {
        [1; 12]
    }

    fn release(&mut self) {
        self.online = false;
        self.asked.push("release".to_owned());
    }

    fn say(&mut self, to: To, text: &str) -> Result<MessageId, SendError> {
        if let Some(why) = self.refuse_say {
            return Err(why);
        }
        let to = words::whom(&to);
        self.asked.push(format!("say {to} {text}"));
        self.said += 1;
        Ok(id(&to, self.said))
    }

    fn request(&mut self, action: RoomAction) -> Result<(), CommandError> {
        self.asked.push(format!("{action:?}"));
        Ok(())
    }

    fn set_away(&mut self, text: &str) -> Result<(), CommandError> {
        self.asked.push(format!("away {text}"));
        if text.len() > 48 { Err(CommandError::TooLong { limit: 48 }) } else { Ok(()) }
    }

    fn status(&mut self) -> Status {
        if self.online { Status::Online } else { Status::Offline }
    }

    fn open_messages(&mut self) -> OpenMessages {
        self.open
    }

    fn peers(&mut self) -> Vec<PeerView> {
        let view = |&(name, online): &(&str, bool)| PeerView {
            log: key(name),
            nick: nick(name),
            key: key(name),
            known: true,
            verified: false,
            presence: if online { Presence::Online } else { Presence::Offline },
            address: None,
            seen: UnixTime(0),
            away: self.away.try_into().unwrap(),
        };
        self.roster.iter().map(view).collect()
    }

    fn rooms(&mut self) -> Vec<RoomView> {
        self.rooms.iter().map(|&room| RoomView { room, key: key(&words::whom(&room)) }).collect()
    }

    fn store_failure(&self) -> String {
        "the disk is full".to_owned()
    }

    fn data_directory(&self) -> String {
        "/data/x".to_owned()
    }

    fn key_advice(&self) -> String {
        "Ask its operator".to_owned()
    }

    fn conversation(&mut self, with: &To) -> Option<PublicKey> {
        Some(key(&words::whom(with)))
    }

    fn conversations(&mut self) -> Result<Vec<Correspondent>, String> {
        let with = self.past.iter().map(|(with, _)| *with);
        let of = |with: To| {
            let key = key(&words::whom(&with));
            Correspondent { log: key, key, with }
        };
        let mut all: Vec<_> = with.map(of).collect();
        all.dedup();
        Ok(all)
    }

    fn lines(
        &mut self,
        of: Option<PublicKey>,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Line>, String> {
        let line = |(number, (with, spoken)): (usize, &(To, Spoken))| {
            let (hours, line) = (Duration::from_hours(20 * number as u64), number as u64);
            let place = Place { time: TIME + hours, line };
            Line { conversation: key(&words::whom(with)), place, spoken: spoken.clone() }
        };
        let lines = self.past.iter().enumerate().map(line);
        let mut lines: Vec<_> = lines
            .filter(|it| of.is_none_or(|of| of == it.conversation))
            .filter(|it| before.is_none_or(|before| it.place < before))
            .collect();
        lines.drain(..lines.len().saturating_sub(limit));
        Ok(lines)
    }

    fn unread(&mut self) -> Result<Vec<Unread>, String> {
        let mut unread: Vec<Unread> = Vec::new();
        for (with, spoken) in &self.past {
            let conversation = key(&words::whom(with));
            if matches!(spoken, Spoken::Came { unread: true, .. }) {
                match unread.iter_mut().find(|it| it.conversation == conversation) {
                    Some(it) => it.lines += 1,
                    None => unread.push(Unread { conversation, lines: 1 }),
                }
            }
        }
        Ok(unread)
    }
}

/// The message that was said as number `number` in all.
pub(super) fn id(to: &str, number: u64) -> MessageId {
    MessageId { recipient: key(to), position: Position::new(Epoch(1), Number(number)) }
}

/// A session at x's screen, and its time.
pub(super) struct World {
    pub(super) chat: FakeChat,
    pub(super) session: Session,
    pub(super) millis: u64,
    reported: Vec<String>,
}

impl World {
    pub(super) fn new(face: Box<dyn Face>, scripted: bool) -> Self {
        Self::with_password(face, scripted, None)
    }

    /// With a password that the program was started with.
    pub(super) fn with_password(
        face: Box<dyn Face>,
        scripted: bool,
        password: Option<Given>,
    ) -> Self {
        Self::with_script(face, scripted.then(Script::default), password)
    }

    /// With a script that ends as it says.
    pub(super) fn with_script(
        face: Box<dyn Face>,
        script: Option<Script>,
        password: Option<Given>,
    ) -> Self {
        let session = Session::new(nick("x"), face, script, password, Instant::default());
        let chat = FakeChat { online: true, rooms: vec![To::Lobby], ..FakeChat::default() };
        Self { chat, session, millis: 0, reported: Vec::new() }
    }

    /// Online, with these on the roster, and nothing left to read on the screen.
    pub(super) fn online(mut self, roster: &[(&'static str, bool)]) -> Self {
        self.registered(false);
        self.roster(roster);
        self.seen();
        self
    }

    pub(super) fn at(&self) -> Moment {
        Moment { now: Instant::from_micros(self.millis * 1000), unix: TIME }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.message_event(event, "");
    }

    fn message_event(&mut self, event: Event, text: &str) {
        let at = self.at();
        self.session.handle_event(&mut self.chat, at, &event, text.as_bytes());
        let at = self.at();
        self.session.advance(&mut self.chat, at);
    }

    pub(super) fn registered(&mut self, mail: bool) {
        let room = Retention { entries: 100, bytes: 1024 * 1024, age: 30 * 24 * 3600 };
        let limits = Limits { text: 1000, mail: 1000, room };
        let server = PublicKey([9; 32]);
        self.event(Event::Registered { returning: false, mail, server, limits });
    }

    pub(super) fn roster(&mut self, roster: &[(&'static str, bool)]) {
        self.chat.roster = roster.to_vec();
        self.event(Event::RosterChanged);
    }

    pub(super) fn message(&mut self, from: &str, text: &str, waited: bool) {
        let position = Position::new(Epoch(1), Number(1));
        let event = Event::Message {
            from: nick(from),
            position,
            time: TIME,
            by_server: waited,
            waited,
            known: true,
        };
        self.message_event(event, text);
    }

    pub(super) fn accepted(&mut self, to: &str, number: u64) {
        self.event(Event::Accepted { id: id(to, number), to: nick(to).into() });
    }

    pub(super) fn submitted(&mut self, to: &str, number: u64, why: SubmitReason) {
        self.event(Event::Submitted { id: id(to, number), to: nick(to).into(), why });
    }

    pub(super) fn verdict(&mut self, to: &str, number: u64, verdict: Verdict) {
        self.event(Event::Verdict { id: id(to, number), to: nick(to).into(), verdict });
    }

    pub(super) fn stored(&mut self, to: To, number: u64) {
        let id = id(&words::whom(&to), number);
        self.event(Event::Verdict { id, to, verdict: Verdict::Stored });
    }

    pub(super) fn outcome(&mut self, action: RoomAction, result: Result<(), RoomRefusal>) {
        self.event(Event::RoomResponse { action, result });
    }

    pub(super) fn names(&mut self, action: RoomAction, names: &str, last: bool) {
        self.message_event(Event::Names { action, last }, names);
    }

    pub(super) fn room_message(&mut self, room: To, from: &str, text: &str) {
        let event = Event::RoomMessage { room, index: 1, from: nick(from), time: TIME };
        self.message_event(event, text);
    }

    pub(super) fn line(&mut self, line: &str) {
        assert!(self.session.wants_line());
        let at = self.at();
        self.session.handle_line(&mut self.chat, at, line);
    }

    pub(super) fn end(&mut self) {
        let at = self.at();
        self.session.handle_end(&mut self.chat, at);
    }

    pub(super) fn interrupt(&mut self) {
        let at = self.at();
        self.session.handle_interrupt(&mut self.chat, at);
    }

    /// Time passes, stopping at every deadline on the way.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = Instant::from_micros(self.millis * 1000) + span;
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            let due = due.as_micros().div_ceil(1000);
            assert!(due >= self.millis, "a deadline that has passed makes the loop spin");
            self.millis = due;
            let before = self.session.deadline();
            let at = self.at();
            self.session.advance(&mut self.chat, at);
            if self.session.exit().is_some() {
                return;
            }
            assert_ne!(self.session.deadline(), before, "nothing was done about the deadline");
        }
        self.millis = end.as_micros() / 1000;
        let at = self.at();
        self.session.advance(&mut self.chat, at);
    }

    /// The lines since the last time.
    pub(super) fn seen(&mut self) -> Vec<String> {
        let (lines, reports) = self.session.take_lines();
        self.reported.extend(reports);
        lines
    }

    /// The lines for standard error since the last time.
    pub(super) fn reports(&mut self) -> Vec<String> {
        let (lines, mut reports) = self.session.take_lines();
        assert_eq!(lines, [""; 0], "look at the others first");
        reports.splice(..0, self.reported.drain(..));
        reports
    }

    /// What was asked of the client since the last time.
    pub(super) fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.chat.asked)
    }

    pub(super) fn exit(&self) -> Option<Exit> {
        self.session.exit()
    }
}
