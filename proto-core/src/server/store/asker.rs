//! Who asks the store.

use crate::host::Ticket;

/// The list of rows that want something of the store.
#[derive(Debug)]
pub(crate) struct Asking;

/// What a ticket is for, and so which table its slot is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Asker {
    /// A client's account, to be saved: a link's slot.
    Account = 1,
    /// More of a client's mailbox: a link's slot.
    Mailbox,
    /// Mail that was handed over, to be trimmed: a link's slot.
    HandedOver,
    /// A message, to be saved.
    Message,
    /// How far a pair is: to be read, or saved.
    Pair,
    /// What is read at the start, and what is expired: no slot.
    Boot,
    /// How far a room has the author of its last entry: a room's slot.
    Place,
    /// A room, to be saved.
    Room,
    /// A room's oldest entry.
    Oldest,
    /// Entries that a room keeps no longer, to be trimmed: a room's slot.
    Trim,
    /// A place in a room, to be saved.
    Member,
    /// Entries of a room, for a member that is behind.
    Reader,
    /// A password's hash, to be read: the slot of a password being checked.
    Hash,
    /// A password, to be judged.
    CheckPassword,
    /// A password's hash, to be saved.
    Password,
    /// What the operator wants done: no slot.
    Operator,
}

impl Asker {
    /// Who asked with this ticket.
    pub(crate) fn of(ticket: Ticket) -> Option<Self> {
        Some(match ticket.asker {
            1 => Self::Account,
            2 => Self::Mailbox,
            3 => Self::HandedOver,
            4 => Self::Message,
            5 => Self::Pair,
            6 => Self::Boot,
            7 => Self::Place,
            8 => Self::Room,
            9 => Self::Oldest,
            10 => Self::Trim,
            11 => Self::Member,
            12 => Self::Reader,
            13 => Self::Hash,
            14 => Self::CheckPassword,
            15 => Self::Password,
            16 => Self::Operator,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_finds_who_asked() {
        let of = |asker| Asker::of(Ticket { asker, slot: 0, serial: 0 });
        for asker in 1..=Asker::Operator as u8 {
            assert_eq!(of(asker).map(|of| of as u8), Some(asker));
        }
        assert_eq!((of(0), of(Asker::Operator as u8 + 1)), (None, None));
    }
}
