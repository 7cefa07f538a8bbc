//! Who is behind a proxy: `X-Forwarded-For`, as far as it can be believed.
//!
//! Each proxy adds the address that it was asked from at the right end, and what a client sent itself
//! stands left of that. So it is read from the right, for as long as whoever wrote it is trusted. What
//! is left of the first address that is not trusted is that client's own claim and is not even looked
//! at: garbage there changes nothing.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::config::Network;
use crate::peer::{Client, Peer};

/// The proxies whose word is taken for who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    pub(super) fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whose request this is. The peer's own, if it is no trusted proxy, or if that has told of none but proxies.
    /// [`Client::Hidden`] if it has told of somebody and that cannot be understood: he is not the proxy, which may be
    /// trusted with more. An IPv4 address in an IPv6 one is told as the IPv4 address.
    pub(super) fn client_of(&self, peer: Peer, headers: &HeaderMap) -> Client {
        let peer = peer.client();
        if self.trusts(peer) { self.forwarded(headers).unwrap_or(peer) } else { peer }
    }

    /// Lines of one name are one list (RFC 9110, 5.3), in which an item may be empty.
    fn forwarded(&self, headers: &HeaderMap) -> Option<Client> {
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        for line in lines.into_iter().rev() {
            // What is left of a character that is no text cannot be told from what is right of it.
            let Ok(line) = line.to_str() else { return Some(Client::Hidden) };
            for item in line.rsplit(',').map(str::trim).filter(|item| !item.is_empty()) {
                let client = address(item).map_or(Client::Hidden, Client::from);
                if !self.trusts(client) {
                    return Some(client);
                }
            }
        }
        None
    }

    fn trusts(&self, client: Client) -> bool {
        self.0.iter().any(|network| network.contains(client))
    }
}

/// Some proxies tell the port as well.
fn address(item: &str) -> Option<IpAddr> {
    let with_port = || item.parse::<SocketAddr>().ok().map(|address| address.ip());
    item.parse::<IpAddr>().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Whose request it is that came from this peer with these lines, if 10.0.0.0/8 and fd00::1 are
    /// proxies.
    fn client(peer: &str, lines: &[&[u8]]) -> String {
        let networks = ["10.0.0.0/8", "fd00::1"].map(|text| text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
        }
        let proxies = TrustedProxies::new(networks.to_vec());
        let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
        proxies.client_of(peer.into(), &headers).to_string()
    }

    #[test]
    fn behind_a_trusted_proxy_the_rightmost_address_that_is_no_proxy_asks() {
        for (lines, expected) in [
            (&[&b"192.0.2.1"[..]][..], "192.0.2.1"),
            (&[b"192.0.2.1, 192.0.2.2"], "192.0.2.2"),
            (&[b"192.0.2.1, 192.0.2.2,10.0.0.7 ,fd00::1"], "192.0.2.2"),
            (&[b"192.0.2.1", b"192.0.2.2"], "192.0.2.2"),
            (&[b"192.0.2.1", b"192.0.2.2", b"10.0.0.7"], "192.0.2.2"),
            (&[b"192.0.2.1:4711"], "192.0.2.1"),
            (&[b"[2001:db8::1]:4711"], "2001:db8::1"),
            (&[b"2001:db8::1"], "2001:db8::1"),
            (&[b"::ffff:192.0.2.1"], "192.0.2.1"),
            (&[b"192.0.2.1,, ,"], "192.0.2.1"),
            // The claim of whoever is at 192.0.2.2.
            (&[b"garbage, 192.0.2.2"], "192.0.2.2"),
            (&[b"\xff", b"192.0.2.2"], "192.0.2.2"),
        ] {
            for peer in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1"] {
                assert_eq!(client(peer, lines), expected, "{lines:?}");
            }
        }
    }

    #[test]
    fn a_proxy_that_tells_no_client_asks_itself() {
        for lines in [&[][..], &[&b""[..]], &[b" , "], &[b"10.0.0.7"], &[b"10.0.0.7", b"10.0.0.8"]] {
            assert_eq!(client("10.0.0.1", lines), "10.0.0.1", "{lines:?}");
        }
    }

    #[test]
    fn who_is_told_in_a_way_that_nobody_understands_is_not_the_proxy() {
        for lines in [
            &[&b"192.0.2.1, unknown"[..]][..],
            &[b"unknown"],
            &[b"unknown, 10.0.0.7"],
            &[b"_hidden", b"10.0.0.7"],
            &[b"192.0.2.1, 192.0.2.300"],
            &[b"192.0.2.1, \xff"],
            &[b"192.0.2.1", b"garbage"],
            &[b"192.0.2.1 192.0.2.2"],
        ] {
            assert_eq!(client("10.0.0.1", lines), "unknown", "{lines:?}");
        }
        for network in ["0.0.0.0/0", "::/0", "unix"] {
            assert!(!network.parse::<Network>().unwrap().contains(Client::Hidden), "{network}");
        }
    }

    #[test]
    fn a_proxy_on_a_unix_socket_is_believed_if_it_is_named() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        let nginx = Peer::Unix { uid: Some(33) };
        let named = TrustedProxies::new(vec![Network::Unix]);
        assert_eq!(named.client_of(nginx, &headers).to_string(), "192.0.2.1");
        assert_eq!(named.client_of(nginx, &HeaderMap::new()).to_string(), "unix, user 33");
        let others = TrustedProxies::new(vec!["0.0.0.0/0".parse().unwrap()]);
        assert_eq!(others.client_of(nginx, &headers).to_string(), "unix, user 33");
    }

    #[test]
    fn who_is_no_trusted_proxy_is_not_believed() {
        assert_eq!(client("192.0.2.9", &[b"192.0.2.1"]), "192.0.2.9");
        assert_eq!(client("::ffff:192.0.2.9", &[b"10.0.0.1"]), "192.0.2.9");
        assert_eq!(client("fd00::2", &[b"192.0.2.1"]), "fd00::2");
    }
}
