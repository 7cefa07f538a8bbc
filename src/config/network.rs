//! An IP address, a prefix of addresses, or the unix sockets, as operators write them.
//!
//! Owns: what can be meant by the text. A prefix with bits beyond its length is refused: whether
//! `10.0.0.5/8` is one machine or sixteen million is not for us to guess.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::peer::Client;

/// How unix sockets are written.
const UNIX: &str = "unix";

/// Whom a setting means: neighbouring IP addresses, often just one, or who comes over a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// These addresses.
    Prefix(IpNet),
    /// `unix`: the processes of this machine that come over a unix socket.
    Unix,
}

/// The text is no address and no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// It is something else.
    #[error("expected an IP address, a prefix such as 10.1.0.0/16 or fd00::/8, or unix, found `{0}`")]
    NotAPrefix(String),
    /// It has bits beyond its length.
    #[error("`{found}` has bits beyond its prefix: write {prefix}, or {address} if one address is meant")]
    BitsBeyond {
        /// What was written.
        found: String,
        /// The whole prefix.
        prefix: IpNet,
        /// The one address.
        address: IpAddr,
    },
}

impl Network {
    /// The addresses whose first bits are these; `None` if no address has so many.
    pub(super) fn prefix(address: IpAddr, bits: u8) -> Option<Self> {
        IpNet::new(address, bits).ok().map(|net| Self::Prefix(canonical(net.trunc())))
    }

    /// Whether it means this client. An IPv4 address in an IPv6 one is the IPv4 address.
    #[must_use]
    pub fn contains(&self, client: Client) -> bool {
        match (self, client) {
            (Self::Prefix(net), Client::Ip(address)) => net.contains(&address.to_canonical()),
            (Self::Unix, Client::Unix { .. }) => true,
            (_, Client::Hidden) | (Self::Prefix(_), Client::Unix { .. }) | (Self::Unix, Client::Ip(_)) => {
                false
            }
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        if text == UNIX {
            return Ok(Self::Unix);
        }
        let not_a_prefix = || InvalidNetwork::NotAPrefix(text.to_owned());
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| not_a_prefix())?,
        };
        if net != net.trunc() {
            let (prefix, address) = (net.trunc(), net.addr());
            return Err(InvalidNetwork::BitsBeyond { found: text.to_owned(), prefix, address });
        }
        Ok(Self::Prefix(canonical(net)))
    }
}

/// IPv4 in IPv6 as IPv4, as addresses are compared.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(net, IpNet::V4)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Prefix(net) => net.fmt(f),
            Self::Unix => f.write_str(UNIX),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: Network = network.parse().unwrap_or_else(|error| panic!("{error}"));
        network.contains(address.parse::<IpAddr>().unwrap().into())
    }

    #[test]
    fn an_address_is_in_its_prefix_however_it_is_written() {
        for (network, inside, outside) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1"),
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("::ffff:10.1.0.0/112", "10.1.2.3", "10.2.0.0"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("0.0.0.0/0", "255.0.0.1", "::1"),
            ("::/0", "::1", "127.0.0.1"),
        ] {
            assert!(contains(network, inside), "{inside} is in {network}");
            assert!(!contains(network, outside), "{outside} is not in {network}");
        }
    }

    #[test]
    fn what_may_be_a_slip_of_the_pen_is_refused() {
        for wrong in ["", " ", "proxy", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.1:80", "10.0.0.1 "] {
            let error = wrong.parse::<Network>().expect_err(wrong);
            assert_eq!(error, InvalidNetwork::NotAPrefix(wrong.into()));
        }
        let error = "10.0.0.5/8".parse::<Network>().expect_err("bits").to_string();
        assert_eq!(
            error,
            "`10.0.0.5/8` has bits beyond its prefix: write 10.0.0.0/8, or 10.0.0.5 if one address is meant"
        );
    }

    #[test]
    fn who_comes_over_a_socket_has_no_address() {
        let unix: Network = "unix".parse().unwrap();
        assert!(unix.contains(Client::Unix { uid: Some(33) }) && unix.contains(Client::Unix { uid: None }));
        assert!(!contains("unix", "127.0.0.1"));
        let everybody: Network = "0.0.0.0/0".parse().unwrap();
        assert!(!everybody.contains(Client::Unix { uid: Some(33) }));
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        for text in ["10.0.0.1", "10.1.0.0/16", "::1", "fd00::/8", "unix"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }
}
