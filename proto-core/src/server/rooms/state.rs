//! The rooms as one: their tables, and the lists of those that wait.

use crate::storage::List;

use super::{
    member::{Member, Turn},
    row::RoomRow,
    table::{RoomTables, Table, TableHead},
    waits::Waiting,
};

/// The rooms.
#[derive(Debug)]
pub(crate) struct Rooms<'a> {
    pub(crate) table: Table<'a>,
    /// Rooms with submissions that wait for readers, in the order in which they are looked at.
    pub(super) waiting: &'a mut List<RoomRow, Waiting>,
    /// Members whose room moved on.
    pub(super) moved: &'a mut List<Member, Turn>,
}

/// What goes with the tables of rooms.
#[derive(Debug)]
pub(crate) struct RoomsHead {
    table: TableHead,
    waiting: List<RoomRow, Waiting>,
    moved: List<Member, Turn>,
}

impl RoomsHead {
    pub(crate) const NEW: Self =
        Self { table: TableHead::NEW, waiting: List::NEW, moved: List::NEW };
}

impl<'a> Rooms<'a> {
    pub(crate) fn new(tables: RoomTables<'a>, head: &'a mut RoomsHead, hash: [u8; 16]) -> Self {
        Self {
            table: Table::new(tables, &mut head.table, hash),
            waiting: &mut head.waiting,
            moved: &mut head.moved,
        }
    }
}
