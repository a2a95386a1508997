//! Passwords on their way in: from a file descriptor, from the environment, never from
//! the command line, where everyone on the machine could read them.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
};

use zeroize::Zeroizing;

/// The environment variable that a password may be in.
pub(crate) const VARIABLE: &str = "UDPCHAT_PASSWORD";

/// Where a password comes from without anyone's being asked.
#[derive(Debug)]
pub(crate) enum Given {
    /// The first line at a file descriptor.
    Descriptor(Password),
    /// The environment, which keeps it.
    Environment,
}

impl Given {
    /// What the program was started with; `None` if it was with neither.
    ///
    /// # Errors
    /// Why the file descriptor cannot be read.
    pub(crate) fn find(descriptor: Option<u32>) -> io::Result<Option<Self>> {
        match descriptor {
            Some(number) => Password::from_descriptor(number).map(|it| Some(Self::Descriptor(it))),
            None => Ok(std::env::var_os(VARIABLE).map(|_| Self::Environment)),
        }
    }
}

/// More than any password has, in bytes: a file that is no password is not read to its end.
const LONGEST: usize = 4096;

/// A password as someone gave it; wiped from memory when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// Of this text.
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Its bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The first line at a file descriptor.
    ///
    /// # Errors
    /// Why the file descriptor cannot be read.
    pub(crate) fn from_descriptor(number: u32) -> io::Result<Self> {
        Self::read(File::open(format!("/dev/fd/{number}"))?)
    }

    /// What the environment has.
    pub(crate) fn from_environment() -> Option<Self> {
        std::env::var(VARIABLE).ok().map(Self::new)
    }

    /// The first line, byte by byte: what comes after it may be for others.
    fn read(mut source: impl Read) -> io::Result<Self> {
        let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
        let mut byte = [0];
        while line.len() < LONGEST && source.read(&mut byte)? == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        if line.ends_with(b"\r") {
            line.pop();
        }
        let text = std::str::from_utf8(&line).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "what it has is no UTF-8 text")
        })?;
        Ok(Self::new(text.to_owned()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_is_taken() {
        let mut source: &[u8] = b"open sesame\r\nsend bob hi\n";
        assert_eq!(Password::read(&mut source).unwrap(), Password::new("open sesame".to_owned()));
        assert_eq!(source, b"send bob hi\n");
        assert_eq!(Password::read(&b"no end"[..]).unwrap().as_bytes(), b"no end");
        assert!(Password::read(&b"\xff\n"[..]).is_err());
        assert_eq!(Password::read(&[b'x'; 9999][..]).unwrap().as_bytes().len(), LONGEST);
        assert_eq!(format!("{:?}", Password::new("secret".to_owned())), "Password(…)");
    }
}
