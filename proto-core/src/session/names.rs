//! Names that nobody else can choose: of rooms among keys, and of runs.

use crate::{
    id::{Incarnation, MAX_NAME, PublicKey, Room, RoomName},
    random::Random,
    time::UnixTime,
};

use super::Suite;

/// The name of a room among keys, which tells rooms of different servers apart.
/// Nobody has the secret of it.
pub fn room_key(
    suite: &dyn Suite,
    server: &PublicKey,
    room: Room,
    name: Option<&RoomName>,
) -> PublicKey {
    let name = name.map_or([0; MAX_NAME], RoomName::folded);
    PublicKey(suite.hash(&[b"udpchat 1 room", &server.0, &room.0.to_le_bytes(), &name]))
}

/// The run that begins now, the host's `boot`-th. The time and the boot number make it
/// another one where the seed of `random` was used before.
pub(crate) fn new_run(
    suite: &dyn Suite,
    random: &mut Random,
    boot: u64,
    now: UnixTime,
) -> Incarnation {
    let fresh: [u8; 32] = random.bytes();
    let (boot, now) = (boot.to_le_bytes(), now.0.to_le_bytes());
    let hash = suite.hash(&[b"udpchat 1 run", &fresh, &boot, &now]);
    Incarnation(*hash.first_chunk().unwrap_or(&[0; 8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rooms_of_any_servers_have_one_name() {
        let rooms = ["tea", "Tea", "den"].map(|name| RoomName::new(name).unwrap());
        let name = |server, room, name: usize| {
            let server = PublicKey([server; 32]);
            room_key(&super::super::Portable, &server, Room(room), rooms.get(name))
        };
        let [tea, upper, den, none] = [0, 1, 2, 3];
        assert_eq!(name(1, 1, tea), name(1, 1, upper));
        let names = [
            name(1, 0, none),
            name(2, 0, none),
            name(1, 1, tea),
            name(2, 1, tea),
            name(1, 2, tea),
            // A server that began anew gives numbers anew.
            name(1, 1, den),
        ];
        for (at, one) in names.iter().enumerate() {
            assert!(!names[..at].contains(one));
        }
    }
}
