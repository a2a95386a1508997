//! What names a request, and where one stands.

/// Names one request to the host. An answer with a ticket that is no longer waited for is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Which table of the role the asker is in, and where.
    pub(crate) asker: u8,
    pub(crate) slot: u32,
    /// Which of its requests this is.
    pub(crate) serial: u32,
}

/// Where something that asks the host stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ask {
    /// It wants nothing.
    #[default]
    Idle,
    /// It is to be asked for.
    Owed,
    /// It was asked for under this serial number.
    Asked(u32),
}

impl Ask {
    /// Takes the answer with this serial number; `false` if none is waited for.
    pub(crate) fn answer(&mut self, serial: u32) -> bool {
        let waited = *self == Self::Asked(serial);
        if waited {
            *self = Self::Idle;
        }
        waited
    }
}
