//! Who is at the other end of a connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Over a unix socket: a process of this machine.
    Unix {
        /// Whose process it is, if the system tells (unix(7), `SO_PEERCRED`).
        uid: Option<u32>,
    },
}

/// Who asks: the other end of the connection, or who is behind it if it is a trusted proxy.
///
/// An IPv4 address in an IPv6 one (`::ffff:0:0/96`) is told as the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// At this address.
    Ip(IpAddr),
    /// A process of this machine, over a unix socket.
    Unix {
        /// Whose process it is, if the system tells.
        uid: Option<u32>,
    },
    /// Somebody behind a trusted proxy, which has told what nobody understands. He is in no network, not even in that
    /// of everybody.
    Hidden,
}

impl Peer {
    /// Who asks, if nobody is behind the peer.
    #[must_use]
    pub fn client(self) -> Client {
        match self {
            Self::Tcp(address) => address.ip().into(),
            Self::Unix { uid } => Client::Unix { uid },
        }
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { uid } => unix(f, *uid),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix { uid } => unix(f, *uid),
            // The word that proxies use for it (RFC 7239, 6.2).
            Self::Hidden => f.write_str("unknown"),
        }
    }
}

fn unix(f: &mut fmt::Formatter<'_>, uid: Option<u32>) -> fmt::Result {
    match uid {
        Some(uid) => write!(f, "unix, user {uid}"),
        None => f.write_str("unix"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_by_its_address_or_by_its_user() {
        let tcp = |text: &str| Peer::from(text.parse::<SocketAddr>().unwrap());
        assert_eq!(tcp("192.0.2.1:99").to_string(), "192.0.2.1:99");
        assert_eq!(tcp("192.0.2.1:99").client().to_string(), "192.0.2.1");
        assert_eq!(tcp("[::ffff:192.0.2.1]:99").client().to_string(), "192.0.2.1");
        assert_eq!(Peer::Unix { uid: Some(33) }.client().to_string(), "unix, user 33");
        assert_eq!(Peer::Unix { uid: None }.to_string(), "unix");
    }
}
