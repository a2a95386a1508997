//! Where a server is, and which key it must have: as it is typed, and as it is
//! printed for others to type.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    str::FromStr,
};

use proto_core::id::PublicKey;
use transport_mio::key_text::{self, KeyTextError};

/// The port of an address that names none.
pub(crate) const DEFAULT_PORT: u16 = 12345;

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// An IP address or a name.
    host: String,
    port: u16,
    /// The key that the server must have.
    pub(crate) key: Option<PublicKey>,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// There is nothing before the port or the key.
    #[error("there is no host in it; an address is like 192.168.1.5 or chat.example:9000#<key>")]
    NoHost,
    /// The port is none.
    #[error("its port is none; a port is a number from 1 to 65535")]
    Port,
    /// An IPv6 address with a port needs brackets.
    #[error("an IPv6 address with a port is written like [::1]:9000")]
    Brackets,
    /// The key is none.
    #[error("{0}")]
    Key(#[from] KeyTextError),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (place, key) = match text.split_once('#') {
            Some((place, key)) => (place, Some(key_text::parse(key)?)),
            None => (text, None),
        };
        let (host, port) = split_port(place)?;
        let is_blank = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.contains(is_blank) {
            return Err(AddressError::NoHost);
        }
        Ok(Self { host: host.to_owned(), port, key })
    }
}

fn split_port(place: &str) -> Result<(&str, u16), AddressError> {
    if place.parse::<Ipv6Addr>().is_ok() {
        return Ok((place, DEFAULT_PORT));
    }
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or(AddressError::Port);
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        host.parse::<Ipv6Addr>().map_err(|_| AddressError::Brackets)?;
        return match rest.strip_prefix(':') {
            Some(text) => Ok((host, port(text)?)),
            None if rest.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err(AddressError::Brackets),
        };
    }
    match place.split_once(':') {
        None => Ok((place, DEFAULT_PORT)),
        Some((_, text)) if text.contains(':') => Err(AddressError::Brackets),
        Some((host, text)) => Ok((host, port(text)?)),
    }
}

impl Address {
    /// That of a server whose IP address is known.
    pub(crate) fn new(address: SocketAddr, key: Option<PublicKey>) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), key }
    }

    /// Looks the name up. An IPv4 address is preferred, for it is reached by more.
    ///
    /// # Errors
    /// What the system says of a name that it does not know.
    pub(crate) fn resolve(&self) -> io::Result<SocketAddr> {
        let found: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        first.copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// By what name the server is remembered: without the key.
    pub(crate) fn name(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match &self.key {
            Some(key) => write!(f, "#{}", key_text::encode(key)),
            None => Ok(()),
        }
    }
}

/// The address that others reach a server at which listens at `bound`: that
/// itself, or, if it listens at all of this computer's, the one that the way out
/// leads through, or any that others may know.
pub(crate) fn reachable(bound: SocketAddr) -> SocketAddr {
    let outward = bound.ip().is_unspecified().then(|| outward(bound.ip())).flatten();
    let ip = outward.unwrap_or_else(|| transport_mio::address::reachable_address(bound));
    (ip, bound.port()).into()
}

/// Which of this computer's addresses the way out leads through. Nothing is sent:
/// connecting a UDP socket only asks the routing table.
fn outward(bound: IpAddr) -> Option<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): nobody is there.
    let elsewhere: IpAddr = match bound {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((bound, 0)).ok()?;
    socket.connect((elsewhere, 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified() && !own.is_loopback()).then_some(own)
}

/// Where a client binds that talks to `server`, unless told otherwise.
pub(crate) fn client_side(server: IpAddr) -> IpAddr {
    match server {
        server if server.is_loopback() => loopback(server),
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn loopback(family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_printed() {
        let key = PublicKey([7; 32]);
        let text = key_text::encode(&key);
        for (typed, host, port, key) in [
            ("192.168.1.5".to_owned(), "192.168.1.5", 12345, None),
            ("chat.example:9000".to_owned(), "chat.example", 9000, None),
            (format!("10.0.0.1:9000#{text}"), "10.0.0.1", 9000, Some(key)),
            (format!("10.0.0.1#{text}"), "10.0.0.1", 12345, Some(key)),
            ("::1".to_owned(), "::1", 12345, None),
            ("[::1]".to_owned(), "::1", 12345, None),
            (format!("[2001:db8::1]:1#{text}"), "2001:db8::1", 1, Some(key)),
        ] {
            let address: Address = typed.parse().unwrap();
            assert_eq!(address, Address { host: host.to_owned(), port, key }, "{typed}");
            assert_eq!(address.to_string().parse(), Ok(address), "{typed}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (typed, why) in [
            ("", AddressError::NoHost),
            (":9000", AddressError::NoHost),
            ("a b", AddressError::NoHost),
            ("a:", AddressError::Port),
            ("a:0", AddressError::Port),
            ("a:65536", AddressError::Port),
            ("1::2::3", AddressError::Brackets),
            ("[a]:1", AddressError::Brackets),
            ("[::1]1", AddressError::Brackets),
            ("a#abc", AddressError::Key(KeyTextError::Length { found: 3 })),
        ] {
            assert_eq!(typed.parse::<Address>(), Err(why), "{typed}");
        }
    }

    #[test]
    fn a_client_of_loopback_stays_there() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (server, client) in [
            ("127.0.0.5", "127.0.0.1"),
            ("10.0.0.1", "0.0.0.0"),
            ("::1", "::1"),
            ("2001:db8::1", "::"),
        ] {
            assert_eq!(client_side(ip(server)), ip(client));
        }
        let reached = |text: &str| reachable(text.parse().unwrap());
        assert_eq!(reached("127.0.0.1:5"), "127.0.0.1:5".parse().unwrap());
        assert!(!reached("0.0.0.0:5").ip().is_unspecified());
    }
}
