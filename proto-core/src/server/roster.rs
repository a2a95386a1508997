//! The roster: a log of who is there, pushed to everyone online as deltas.

use core::net::{IpAddr, SocketAddr};

use crate::{
    id::Account,
    link::Packet,
    storage::Id,
    wire::{Frame, MAX_AWAY, MAX_DATAGRAM, Presence, Roster, RosterEntry},
};

use super::{
    ServerLink,
    engine::Engine,
    member::{ServerRole, Token},
};

/// Bytes of a page's body that are not entries: two versions, two accounts, a
/// flag and a length.
const PAGE_HEADER: usize = 2 * 10 + 2 * 5 + 1 + 3;

impl Engine<'_> {
    /// Something about an account changed that everyone is to know.
    pub(super) fn change(&mut self, account: Account) {
        self.state.version += 1;
        self.versions.set(account.0, self.state.version);
        let at = self.state.now + self.state.config.push;
        self.state.push_at.get_or_insert(at);
    }

    /// Those who were caught up are no longer: one splice, however many they are.
    pub(super) fn push_roster(&mut self) {
        self.state.push_at = None;
        self.state.moved_on.append(self.links.slab_mut(), &mut self.state.caught_up);
    }

    /// A reader goes through the accounts for what is new to it.
    pub(super) fn begin_pass(&mut self, link: Id<ServerLink>) {
        let version = self.state.version;
        let Some(member) = self.member(link).filter(|m| m.registration.online().is_some()) else {
            return;
        };
        if member.reader.is_idle() {
            member.reader.begin(version);
        }
        self.links.wake(link);
    }

    /// A reader whose pages all arrived is caught up, or goes on.
    pub(super) fn settle_reader(&mut self, link: Id<ServerLink>) {
        let version = self.state.version;
        let Some(member) = self.member(link).filter(|m| m.registration.online().is_some()) else {
            return;
        };
        if member.caught_up.is_linked() || !member.reader.settle() {
            return;
        }
        let behind = member.reader.base < version;
        // Mail may have waited for its author's entry.
        self.links.wake(link);
        if behind && self.state.push_at.is_none() {
            self.begin_pass(link);
        } else {
            self.state.caught_up.push_back(self.links.slab_mut(), link);
        }
    }

    pub(super) fn write_roster(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        loop {
            let Some((address, reader)) = self.links.get(link).map(|l| (l.address, l.role.reader))
            else {
                return;
            };
            let (Some(low), Some(serial)) = (reader.at, reader.next_page()) else { return };
            if packet.room() < PAGE_HEADER + RosterEntry::SIZE_BOUND {
                return;
            }
            let mut buffer = [0; MAX_DATAGRAM];
            let limit = (packet.room() - PAGE_HEADER).min(MAX_DATAGRAM);
            let (written, next) = self.write_entries(low, reader.base, address, &mut buffer, limit);
            let page = Roster {
                base: reader.base,
                upto: reader.upto,
                low: Account(low),
                high: Account(next.unwrap_or(u32::MAX)),
                last: next.is_none(),
                entries: buffer.get(..written).unwrap_or_default(),
            };
            if !packet.push(&Frame::Roster(page), Token::Page { serial, low }) {
                return;
            }
            if let Some(member) = self.member(link) {
                member.reader.sent(next);
            }
        }
    }

    /// Writes entries that changed after `base` from account `low` on, as many
    /// as fit; how many bytes, and which account is the next, if any.
    fn write_entries(
        &self,
        low: u32,
        base: u64,
        reader: SocketAddr,
        buffer: &mut [u8; MAX_DATAGRAM],
        limit: usize,
    ) -> (usize, Option<u32>) {
        let mut written = 0;
        let mut from = low;
        while let Some(at) = self.versions.next_after(from, base) {
            let mut away = [0; MAX_AWAY];
            if let Some(entry) = self.roster_entry(Account(at), reader, &mut away) {
                let room = buffer.get_mut(written..limit).unwrap_or_default();
                let Some(encoded) = entry.encode(room) else { return (written, Some(at)) };
                written += encoded.len();
            }
            from = at + 1;
        }
        (written, None)
    }

    fn roster_entry<'a>(
        &self,
        account: Account,
        reader: SocketAddr,
        away: &'a mut [u8; MAX_AWAY],
    ) -> Option<RosterEntry<'a>> {
        let row = self.accounts.known(account)?;
        let said = self.pool.read(&row.away, 0, away);
        let away = away.get(..said).and_then(|text| core::str::from_utf8(text).ok());
        let online = row.presence == Presence::Online;
        let address = row.link.and_then(|link| self.links.get(link)).map(|link| link.address);
        let candidate = address.filter(|to| online && is_reachable(*to, reader));
        Some(RosterEntry {
            account,
            version: self.versions.get(account.0),
            nick: row.nick,
            key: row.key,
            key_number: row.key_number,
            presence: row.presence,
            candidates: [candidate, None],
            seen: row.seen,
            away: away.filter(|text| !text.is_empty()),
        })
    }
}

/// Whether a reader at `from` can be expected to reach `to`: addresses of one
/// machine or of a private network mean something else elsewhere.
fn is_reachable(to: SocketAddr, from: SocketAddr) -> bool {
    scope(from.ip()) <= scope(to.ip()) && to.is_ipv4() == from.is_ipv4()
}

/// How far an address means the same: 0 on one machine, 1 in a private network, 2 everywhere.
fn scope(address: IpAddr) -> u8 {
    let (machine, private) = match address.to_canonical() {
        IpAddr::V4(v4) => (v4.is_loopback(), v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => (v6.is_loopback(), v6.is_unique_local() || v6.is_unicast_link_local()),
    };
    if machine { 0 } else { 2 - u8::from(private) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reachable_addresses_are_told() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
        let reach = |to, from| is_reachable(at(to), at(from));
        assert!(reach("127.0.0.1", "127.0.0.1"));
        assert!(!reach("127.0.0.1", "192.168.1.2"));
        assert!(!reach("127.0.0.1", "8.8.8.8"));
        assert!(reach("192.168.1.3", "192.168.1.2"));
        assert!(reach("192.168.1.3", "127.0.0.1"));
        assert!(!reach("192.168.1.3", "8.8.8.8"));
        assert!(reach("8.8.8.8", "192.168.1.2"));
        assert!(!reach("8.8.8.8", "2001:db8::1"));
    }
}
