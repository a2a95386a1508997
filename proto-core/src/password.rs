//! A password on its way through memory: bounded, never shown, wiped when dropped.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The longest password, in bytes: the old one and the new one fit one frame.
pub const MAX_PASSWORD: usize = 100;

/// The place of a password. It is written and wiped where it is: what is moved leaves a copy behind.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Password {
    length: u8,
    bytes: [u8; MAX_PASSWORD],
}

/// Why bytes are no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordLength {
    /// There are none.
    Empty,
    /// There are more than [`MAX_PASSWORD`].
    TooLong,
}

impl Password {
    /// None.
    pub(crate) const EMPTY: Self = Self { length: 0, bytes: [0; MAX_PASSWORD] };

    /// These bytes are the password from now on.
    ///
    /// # Errors
    /// [`PasswordLength`] says which bound they break; nothing has changed then.
    pub(crate) fn set(&mut self, bytes: &[u8]) -> Result<(), PasswordLength> {
        Self::check(bytes)?;
        self.wipe();
        if let Some(place) = self.bytes.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
            self.length = bytes.len() as u8;
        }
        Ok(())
    }

    /// Whether bytes can be a password.
    ///
    /// # Errors
    /// [`PasswordLength`] says which bound they break.
    pub(crate) fn check(bytes: &[u8]) -> Result<(), PasswordLength> {
        match bytes.len() {
            0 => Err(PasswordLength::Empty),
            1..=MAX_PASSWORD => Ok(()),
            _ => Err(PasswordLength::TooLong),
        }
    }

    /// It is gone from memory.
    pub(crate) fn wipe(&mut self) {
        self.zeroize();
    }

    /// The bytes; empty for none.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Default for Password {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn a_password_is_bounded_never_shown_and_wiped_where_it_is() {
        let mut password = Password::EMPTY;
        password.set(b"open sesame").unwrap();
        assert_eq!(password.as_bytes(), b"open sesame");
        assert_eq!(format!("{password:?}"), "Password(…)");
        password.set(b"sesame").unwrap();
        assert_eq!(password.bytes[..9], *b"sesame\0\0\0", "nothing is left of the one before");
        assert_eq!(password.set(&[]), Err(PasswordLength::Empty));
        assert_eq!(password.set(&[7; MAX_PASSWORD + 1]), Err(PasswordLength::TooLong));
        assert_eq!(password.as_bytes(), b"sesame");
        password.wipe();
        assert_eq!((password.length, password.bytes), (0, [0; MAX_PASSWORD]));
        assert!(password.set(&[7; MAX_PASSWORD]).is_ok());
    }
}
