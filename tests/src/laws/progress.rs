//! The laws of those who share a server with people who take what they can get: L5 and L3, that
//! they get on in time; S9, that no table holds more than it has room for.

use proto_core::{client, server};

use crate::{
    clock::{Moment, SECOND},
    judgement::law,
};

/// How long honest people wait at most, on a quiet network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Until a message has come, or is stored if nobody is there.
    pub message: Moment,
    /// Until someone new has a nick.
    pub newcomer: Moment,
}

impl Bounds {
    /// Of a server with the default sizes.
    pub const DEFAULT: Self = Self { message: SECOND + SECOND / 10, newcomer: 2 * SECOND };

    /// Of a server with room for hardly more than the honest: whoever waits for a place or a row
    /// may wait until what holds it has had all the time there is to make progress.
    pub const TINY: Self = Self { message: 90 * SECOND, newcomer: 90 * SECOND };
}

/// L5: what someone honest wants was done, after so long, in time.
///
/// # Errors
/// It was not.
pub fn in_time(what: &str, took: Option<Moment>, most: Moment) -> Result<(), String> {
    law(took.is_some_and(|took| took <= most), || {
        let (most, ms) = (most / 1000, took.map(|took| took / 1000));
        match ms {
            Some(ms) => format!("L5: {what} took {ms} ms, and should take {most}"),
            None => format!("L5: {what} did not come to be, and should within {most} ms"),
        }
    })
}

/// S9: no table of a server holds more than it has room for.
///
/// # Errors
/// One does.
pub fn server_fits(usage: &server::Usage) -> Result<(), String> {
    let server::Usage { accounts, entries, blocks, pairs, rooms, members, .. } = *usage;
    let all = [accounts, entries, blocks, pairs, rooms, members];
    law(all.iter().all(|(used, room)| used <= room), || format!("S9: {usage:?}"))
}

/// S9: no table of a client holds more than it has room for.
///
/// # Errors
/// One does.
pub fn client_fits(usage: &client::Usage) -> Result<(), String> {
    let client::Usage { outgoing, incoming, blocks, .. } = *usage;
    let all = [outgoing, incoming, blocks];
    law(all.iter().all(|(used, room)| used <= room), || format!("S9: {usage:?}"))
}
