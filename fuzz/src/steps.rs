//! The bytes of a target as steps, and back: for the targets and for their seeds.

/// Something that happens at a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The other side of the live session sends these frames.
    Frames(&'a [u8]),
    /// This comes over UDP.
    Datagram(&'a [u8]),
    /// So many milliseconds pass.
    Time(u16),
    /// The host did the oldest thing it was asked for, or could not.
    Stored(bool),
    /// The host found this record under the number asked for.
    Loaded(&'a [u8]),
    /// The user says something, at a client.
    Say(u8),
    /// The user goes offline or online, at a client.
    Register(bool),
}

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
        Some(match self.byte()? % 7 {
            0 => Step::Frames(self.bytes()?),
            1 => Step::Datagram(self.bytes()?),
            2 => Step::Time(u16::from_le_bytes([self.byte()?, self.byte()?])),
            3 => Step::Stored(self.byte()? % 2 == 0),
            4 => Step::Loaded(self.bytes()?),
            5 => Step::Say(self.byte()?),
            _ => Step::Register(self.byte()? % 2 == 0),
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
    match step {
        Step::Frames(frames) => bytes(0, frames),
        Step::Datagram(datagram) => bytes(1, datagram),
        Step::Loaded(record) => bytes(4, record),
        Step::Time(time) => {
            out.push(2);
            out.extend(time.to_le_bytes());
        }
        Step::Stored(done) => out.extend([3, u8::from(!done)]),
        Step::Say(length) => out.extend([5, *length]),
        Step::Register(online) => out.extend([6, u8::from(!online)]),
    }
}
