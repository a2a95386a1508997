//! Receiver credit: how many bytes of entries may be sent in one session, so
//! that a slow reader bounds its writer. Counted in whole bodies, each once,
//! however often its pieces are sent. The reader gives it back with a new limit; of
//! entries of rooms, which may be given up on their way, its cursor does.

/// Both directions of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credit {
    /// Bytes that the other side has granted since the session began, and those used.
    limit: u64,
    used: u64,
    /// Bytes granted to the other side, and how many of those it was told of.
    granted: u64,
    announced: u64,
    window: u32,
    /// The other side's window: no longer body can ever be sent to it.
    their_window: u32,
}

impl Credit {
    /// With `ours` bytes granted in the handshake, and `theirs` by the other side.
    pub(crate) fn new(ours: u32, theirs: u32) -> Self {
        Self {
            limit: theirs.into(),
            used: 0,
            granted: ours.into(),
            announced: ours.into(),
            window: ours,
            their_window: theirs,
        }
    }

    /// The longest body that the other side can ever take, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.their_window as usize
    }

    /// There is enough now for a body of `bytes` bytes.
    pub(crate) fn suffices(&self, bytes: usize) -> bool {
        self.used.saturating_add(bytes as u64) <= self.limit
    }

    /// Uses credit for a body of `bytes` bytes; `false` if there is not enough now.
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        let enough = self.suffices(bytes);
        if enough {
            self.used = self.used.saturating_add(bytes as u64);
        }
        enough
    }

    /// So much of what was used is free again, by other word than the other side's limit.
    pub(crate) fn refund(&mut self, used: u32) {
        self.used = self.used.saturating_sub(used.into());
    }

    /// The other side may now send up to `limit` bytes in all; `true` if that is more.
    pub(crate) fn raise(&mut self, limit: u64) -> bool {
        let more = limit > self.limit;
        self.limit = self.limit.max(limit);
        more
    }

    /// A body of `bytes` bytes was read to its end: as many may follow.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.granted = self.granted.saturating_add(bytes as u64);
    }

    /// Half of the window is free that the other side does not know of.
    pub(crate) fn is_owed(&self) -> bool {
        self.granted.saturating_sub(self.announced) * 2 >= u64::from(self.window.max(1))
    }

    /// The limit to tell; it counts as told.
    pub(crate) fn announce(&mut self) -> u64 {
        self.announced = self.granted;
        self.granted
    }

    /// What was told got lost.
    pub(crate) fn forget_announcement(&mut self) {
        self.announced = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_used_than_was_granted() {
        let (mut author, mut reader) = (Credit::new(0, 100), Credit::new(100, 0));
        assert!(author.spend(60) && !author.spend(41) && author.spend(40) && !author.spend(1));
        reader.release(40);
        assert!(!reader.is_owed(), "it is not worth a word");
        reader.release(10);
        assert!(reader.is_owed());
        assert!(author.raise(reader.announce()) && !reader.is_owed());
        assert!(!author.spend(51) && author.spend(50));
        // The word got lost, or came late.
        reader.forget_announcement();
        assert!(reader.is_owed() && !author.raise(120) && !author.spend(1));
        author.refund(30);
        assert!(!author.spend(31) && author.spend(30));
    }
}
