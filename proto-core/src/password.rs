//! A password on its way through memory: bounded, never shown, wiped when dropped.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The longest password, in bytes.
pub const MAX_PASSWORD: usize = 128;

/// A password.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
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
    /// Of these bytes.
    ///
    /// # Errors
    /// [`PasswordLength`] says which bound they break.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, PasswordLength> {
        if bytes.is_empty() {
            return Err(PasswordLength::Empty);
        }
        let mut password = Self { length: bytes.len() as u8, bytes: [0; MAX_PASSWORD] };
        let place = password.bytes.get_mut(..bytes.len()).ok_or(PasswordLength::TooLong)?;
        place.copy_from_slice(bytes);
        Ok(password)
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
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
    fn a_password_is_bounded_and_never_shown() {
        let password = Password::new(b"open sesame").unwrap();
        assert_eq!(password.as_bytes(), b"open sesame");
        assert_eq!(format!("{password:?}"), "Password(…)");
        assert!(Password::new(&[7; MAX_PASSWORD]).is_ok());
        assert_eq!(Password::new(&[]).unwrap_err(), PasswordLength::Empty);
        assert_eq!(Password::new(&[7; MAX_PASSWORD + 1]).unwrap_err(), PasswordLength::TooLong);
    }
}
