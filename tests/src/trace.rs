//! What happened, as a fingerprint to compare runs by and as lines to read.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

use proto_core::wire::{Datagram, Frame, Frames, HelloTo};

use crate::{
    clock::{Moment, SECOND},
    dice::{fingerprint, mix},
    role::Effect,
    store::Request,
    suite::Seals,
};

/// How many lines are kept for the report of a failure.
const KEPT: usize = 80;

thread_local! {
    static LINES: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
}

/// How much of a world is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Nothing but the fingerprint.
    #[default]
    Silent,
    /// The last lines are kept for whoever asks [`last_lines`].
    Kept,
    /// Every line is printed.
    Printed,
}

/// What a fingerprint is made of: all that roles do, with its content, but nothing that only the
/// role can read, like the tickets of its requests.
#[derive(Clone, Copy, Debug)]
pub enum Mark<'a> {
    /// A role starts.
    Starts,
    /// A role ends.
    Ends,
    /// A role owes something, and its host does it.
    Owes(&'a Effect),
}

/// A world's story.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    telling: Telling,
}

/// The last lines of this thread's last world that kept them.
pub fn last_lines() -> Vec<String> {
    LINES.with_borrow(|lines| lines.iter().cloned().collect())
}

impl Trace {
    /// A story that begins.
    pub fn new(telling: Telling) -> Self {
        LINES.with_borrow_mut(VecDeque::clear);
        Self { hash: 0, telling }
    }

    /// The fingerprint of all that happened so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Something happened at a node: in any case it goes into the fingerprint.
    pub fn mark(&mut self, at: Moment, place: usize, what: Mark<'_>) {
        match what {
            Mark::Ends => self.add(1, at, place, &[]),
            Mark::Starts => self.add(2, at, place, &[]),
            Mark::Owes(Effect::Send { to, datagram }) => {
                self.add(3, at, place, &[&address(*to), datagram]);
            }
            Mark::Owes(Effect::Ask(_, request)) => match request {
                Request::Put { log, number, record } => {
                    let number = number.to_le_bytes();
                    self.add(4, at, place, &[&log.to_bytes(), &number, record]);
                }
                Request::Trim { log, upto } => {
                    self.add(5, at, place, &[&log.to_bytes(), &upto.to_le_bytes()]);
                }
                Request::Read { log, from, most } => {
                    let (from, most) = (from.to_le_bytes(), (*most as u64).to_le_bytes());
                    self.add(6, at, place, &[&log.to_bytes(), &from, &most]);
                }
            },
            Mark::Owes(Effect::Authenticate(_, judged)) => {
                self.add(7, at, place, &[format!("{judged:?}").as_bytes()]);
            }
            Mark::Owes(Effect::Tell(event, text)) => {
                self.add(8, at, place, &[format!("{event:?}").as_bytes(), text]);
            }
            Mark::Owes(Effect::Note(event)) => {
                self.add(9, at, place, &[format!("{event:?}").as_bytes()]);
            }
        }
    }

    fn add(&mut self, kind: u8, at: Moment, place: usize, parts: &[&[u8]]) {
        let salt = at ^ ((place as u64) << 48) ^ (u64::from(kind) << 56);
        let start = self.hash.rotate_left(5) ^ salt;
        self.hash = parts.iter().fold(mix(start), |hash, part| fingerprint(hash, part));
    }

    /// Lines are wanted.
    pub fn is_wanted(&self) -> bool {
        self.telling != Telling::Silent
    }

    /// A line, made only if it is wanted.
    pub fn line(&self, at: Moment, line: impl FnOnce() -> String) {
        if self.telling == Telling::Silent {
            return;
        }
        let line = format!("{:>6}.{:06} {}", at / SECOND, at % SECOND, line());
        if self.telling == Telling::Printed {
            println!("{line}");
        }
        LINES.with_borrow_mut(|lines| {
            if lines.len() == KEPT {
                lines.pop_front();
            }
            lines.push_back(line);
        });
    }
}

fn address(of: SocketAddr) -> [u8; 18] {
    let ip = match of.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut bytes = [0; 18];
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..].copy_from_slice(&of.port().to_le_bytes());
    bytes
}

/// A datagram in words; a packet's frames too, if this world keeps plaintexts.
pub fn describe(datagram: &[u8]) -> String {
    let length = datagram.len();
    let mut bytes = datagram.to_vec();
    match Datagram::parse(&mut bytes) {
        Err(why) => format!("{length} B of no datagram ({why:?})"),
        Ok(Datagram::Hello(hello)) => {
            let to = if hello.to == HelloTo::Server { "server" } else { "peer" };
            format!("Hello to a {to}, {length} B")
        }
        Ok(Datagram::Retry(_)) => "Retry".into(),
        Ok(Datagram::Init(_)) => "Init".into(),
        Ok(Datagram::Accept(accept)) => format!("Accept {:08x}, {length} B", accept.session.0),
        Ok(Datagram::Packet(header, sealed)) => {
            let tag = sealed.len().saturating_sub(16);
            let plain = Seals::plaintext(sealed.get(tag..).unwrap_or_default());
            let frames = plain.map_or_else(|| "?".into(), |plain| frames(&plain));
            format!("{:08x}#{} [{frames}] {length} B", header.session.0, header.counter)
        }
    }
}

fn frames(plaintext: &[u8]) -> String {
    let mut text = String::new();
    for frame in Frames::new(plaintext) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Writing to a String does not fail.
        let _ = match frame {
            Ok(frame) => write!(text, "{}", brief(&frame)),
            Err(why) => write!(text, "{why}"),
        };
    }
    text
}

fn brief(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Ack(ack) => {
            let ranges: Vec<_> = ack.ranges().collect();
            format!("Ack {ranges:?}")
        }
        Frame::Roster(page) => {
            let entries: Vec<_> = page
                .entries()
                .flatten()
                .map(|e| format!("{}:{:?}@{:?}", e.nick, e.presence, e.candidates[0]))
                .collect();
            format!(
                "Roster {}..{} {}-{} {entries:?}",
                page.base, page.upto, page.low.0, page.high.0
            )
        }
        Frame::Message(say) => format!(
            "Say {}.{} skip {} {}+{}/{}",
            say.epoch.0,
            say.number.0,
            say.skip,
            say.offset,
            say.piece.len(),
            say.total
        ),
        Frame::Submit(d) => format!(
            "Submit to {:?} {}.{} skip {} {}+{}/{}",
            d.to,
            d.epoch.0,
            d.number.0,
            d.skip,
            d.offset,
            d.piece.len(),
            d.total
        ),
        Frame::Mail(mail) => format!(
            "Mail {}<{} from {} {}.{} {}+{}/{}",
            mail.previous,
            mail.index,
            mail.from.0,
            mail.epoch.0,
            mail.number.0,
            mail.offset,
            mail.piece.len(),
            mail.total
        ),
        Frame::MailAck(ack) => format!("MailAck {}", ack.index),
        Frame::DeliveryStatus(p) => format!(
            "DeliveryStatus to {:?} stored {:?} received {:?} expired {:?} online {}",
            p.to, p.stored, p.received, p.expired, p.online
        ),
        other => format!("{other:?}"),
    }
}
