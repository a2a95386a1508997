//! The bytes of a target as steps, and back: for the targets and for their seeds.

/// Who is at the other end of a session with the role: the fuzzer, both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A server's first client, a client's server.
    First,
    /// A server's second client, a client's peer.
    Second,
    /// A third client, a peer that has not called yet.
    Third,
    /// An honest client of a server, which no step is of: it comes when all steps are taken.
    Honest,
    /// Another one, to whom that one writes.
    Friend,
}

impl End {
    /// All ends that steps are of, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    /// All there are, in the same order.
    pub(crate) const EVERY: [Self; 5] =
        [Self::First, Self::Second, Self::Third, Self::Honest, Self::Friend];

    /// The end that a byte stands for.
    pub fn of(byte: u8) -> Self {
        Self::ALL[usize::from(byte) % Self::ALL.len()]
    }
}

/// Something that happens at a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// This end of a live session sends these frames, sealed.
    Frames(End, &'a [u8]),
    /// This comes over UDP.
    Datagram(&'a [u8]),
    /// So many milliseconds pass.
    Time(u16),
    /// The host does the oldest thing it was asked for, or cannot.
    Host(bool),
    /// The host finds this instead of the oldest record it was asked for.
    Found(&'a [u8]),
    /// The user says something to this end, at a client.
    Say(End, u8),
    /// The user goes offline or online, at a client.
    Register(bool),
    /// This end says Hello and follows the Retry, cookie and all. These bytes, unless
    /// there are none, take the place of handshake message 1.
    Call(End, &'a [u8]),
    /// This end answers the last handshake datagram that it was sent. These bytes,
    /// unless there are none, take the place of handshake message 2.
    Answer(End, &'a [u8]),
    /// This end acknowledges the last packet that it was sent, and so many before it.
    Acknowledge(End, u8),
    /// The user says something to everyone, or in the room, at a client.
    Tell(bool, u8),
    /// The user asks for something of the server's rooms, at a client.
    RoomAction(u8),
    /// The user is away, with so long a text, at a client.
    Away(u8),
    /// The user gives a password of this length, at a client.
    Password(u8),
    /// The host judges the oldest password that it was given.
    Judge(u8),
    /// The operator does something to this end's account, at a server.
    Operate(End, u8),
    /// This end answers what it was asked last of rooms, at a client.
    Grant(End, u8),
    /// The role is started anew, from what is durable.
    Restart,
}

/// How many kinds of steps there are.
const KINDS: u8 = 18;

/// Reads steps until the bytes end.
pub struct Steps<'a>(pub &'a [u8]);

impl<'a> Steps<'a> {
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let byte = self.byte()?;
        let (kind, end) = (byte % KINDS, End::of(byte / KINDS));
        Some(match kind {
            0 => Step::Frames(end, self.bytes()?),
            1 => Step::Datagram(self.bytes()?),
            2 => Step::Time(u16::from_le_bytes([self.byte()?, self.byte()?])),
            3 => Step::Host(self.byte()? % 2 == 0),
            4 => Step::Found(self.bytes()?),
            5 => Step::Say(end, self.byte()?),
            6 => Step::Register(self.byte()? % 2 == 0),
            7 => Step::Call(end, self.bytes()?),
            8 => Step::Answer(end, self.bytes()?),
            9 => Step::Acknowledge(end, self.byte()?),
            10 => Step::Tell(end == End::First, self.byte()?),
            11 => Step::RoomAction(self.byte()?),
            12 => Step::Away(self.byte()?),
            13 => Step::Password(self.byte()?),
            14 => Step::Judge(self.byte()?),
            15 => Step::Operate(end, self.byte()?),
            16 => Step::Grant(end, self.byte()?),
            _ => Step::Restart,
        })
    }
}

/// Writes a step the way [`Steps`] reads it.
pub fn write(step: &Step<'_>, out: &mut Vec<u8>) {
    let mut bytes = |kind: u8, bytes: &[u8]| {
        out.push(kind);
        out.extend((bytes.len() as u16).to_le_bytes());
        out.extend(bytes);
    };
    let by = |end: &End| *end as u8 * KINDS;
    match step {
        Step::Frames(end, frames) => bytes(by(end), frames),
        Step::Datagram(datagram) => bytes(1, datagram),
        Step::Time(time) => {
            out.push(2);
            out.extend(time.to_le_bytes());
        }
        Step::Host(done) => out.extend([3, u8::from(!done)]),
        Step::Found(record) => bytes(4, record),
        Step::Say(end, length) => out.extend([by(end) + 5, *length]),
        Step::Register(online) => out.extend([6, u8::from(!online)]),
        Step::Call(end, noise) => bytes(by(end) + 7, noise),
        Step::Answer(end, noise) => bytes(by(end) + 8, noise),
        Step::Acknowledge(end, run) => out.extend([by(end) + 9, *run]),
        Step::Tell(everyone, length) => {
            let by = if *everyone { by(&End::First) } else { by(&End::Second) };
            out.extend([by + 10, *length]);
        }
        Step::RoomAction(which) => out.extend([11, *which]),
        Step::Away(length) => out.extend([12, *length]),
        Step::Password(length) => out.extend([13, *length]),
        Step::Judge(how) => out.extend([14, *how]),
        Step::Operate(end, what) => out.extend([by(end) + 15, *what]),
        Step::Grant(end, what) => out.extend([by(end) + 16, *what]),
        Step::Restart => out.push(17),
    }
}
