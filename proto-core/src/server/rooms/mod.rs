//! Rooms: each is a log, durable before its author is told, and read by each member through a
//! cursor. The newest lines are in memory for all; whoever is further behind has them read from
//! the store.

mod boot;
mod cursor;
mod line;
mod log;
mod member;
mod moderation;
mod readers;
mod reading;
mod request;
mod requests;
mod retention;
mod row;
mod state;
mod table;
mod turns;
mod waits;

pub use member::Member;
pub use row::RoomRow;
pub use table::RoomTables;

pub(super) use line::Line;
pub(super) use member::{Places, Turn};
pub(super) use request::Requester;
pub(super) use requests::RoomRequests;
pub(super) use state::{Rooms, RoomsHead};
pub(super) use turns::Turns;
