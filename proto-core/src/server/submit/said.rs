//! How much an author may say in rooms.

use crate::{rate::Meter, time::Instant};

use super::super::config::Config;

/// An account's part that is about what it says in rooms, all of them together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    messages: Meter,
    bytes: Meter,
}

impl Said {
    /// Nothing was said yet.
    pub(crate) const NOTHING: Self = Self { messages: Meter::FULL, bytes: Meter::FULL };

    /// Says one more message of `bytes` bytes.
    ///
    /// # Errors
    /// It is too early for that: when it is time.
    pub(super) fn add(&mut self, now: Instant, config: &Config, bytes: u32) -> Result<(), Instant> {
        let messages = self.messages.wait(now, config.room_messages, 1);
        let later = messages.max(self.bytes.wait(now, config.room_bytes, bytes));
        if let Some(later) = later {
            return Err(later);
        }
        self.messages.charge(now, config.room_messages, 1);
        self.bytes.charge(now, config.room_bytes, bytes);
        Ok(())
    }
}
