//! The address that others reach this computer by.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address to tell others for a socket bound to `bind`: that itself, or,
/// when it is bound to all interfaces, the first one's that is not the
/// computer's alone. Nothing is sent to find it out; whether a router or a
/// firewall lets others through is not known.
pub fn reachable_address(bind: SocketAddr) -> IpAddr {
    if !bind.ip().is_unspecified() {
        return bind.ip();
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let is_of_use = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        // Addresses of a link mean nothing without the name of the interface.
        IpAddr::V6(v6) => bind.is_ipv6() && !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let addresses = interfaces.iter().filter(|one| one.is_oper_up()).map(if_addrs::Interface::ip);
    // People can read the older ones to each other.
    addresses
        .filter(is_of_use)
        .min_by_key(IpAddr::is_ipv6)
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_address_is_the_one() {
        for address in ["192.0.2.1:5", "127.0.0.1:5", "[::1]:5"] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(reachable_address(address), address.ip());
        }
    }

    #[test]
    fn all_interfaces_are_reached_by_one_of_them() {
        let found = reachable_address("0.0.0.0:5".parse().unwrap());
        assert!(found.is_ipv4() && !found.is_unspecified());
    }
}
