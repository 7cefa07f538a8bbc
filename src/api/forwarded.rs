//! Who is behind a proxy: `X-Forwarded-For`, as far as it can be believed.
//!
//! Each proxy adds the address that it was asked from at the right end, and what a client sent itself
//! stands left of that. So it is read from the right, for as long as whoever wrote it is trusted. What
//! is left of the first address that is not trusted is that client's own claim and is not even looked
//! at: garbage there changes nothing.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::config::Network;

/// The proxies whose word is taken for who asks.
#[derive(Clone, Debug, Default)]
pub(super) struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    pub(super) fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whose request this is. The peer's own, if it is no trusted proxy, or if that has not told one
    /// that can be understood. An IPv4 address in an IPv6 one is told as the IPv4 address.
    pub(super) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.trusts(peer) { self.forwarded(headers).unwrap_or(peer) } else { peer }
    }

    /// Lines of one name are one list (RFC 9110, 5.3), in which an item may be empty.
    fn forwarded(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        for line in lines.into_iter().rev() {
            // What is left of a character that is no text cannot be told from what is right of it.
            let line = line.to_str().ok()?;
            for item in line.rsplit(',').map(str::trim).filter(|item| !item.is_empty()) {
                let address = address(item)?;
                if !self.trusts(address) {
                    return Some(address);
                }
            }
        }
        None
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// Some proxies tell the port as well.
fn address(item: &str) -> Option<IpAddr> {
    let with_port = || item.parse::<SocketAddr>().ok().map(|address| address.ip());
    item.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
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
        proxies.client_of(peer.parse().unwrap(), &headers).to_string()
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
        for lines in [
            &[][..],
            &[&b""[..]],
            &[b" , "],
            &[b"10.0.0.7"],
            &[b"192.0.2.1, unknown"],
            &[b"192.0.2.1, 192.0.2.300"],
            &[b"192.0.2.1, \xff"],
            &[b"192.0.2.1", b"garbage"],
            &[b"192.0.2.1 192.0.2.2"],
        ] {
            assert_eq!(client("10.0.0.1", lines), "10.0.0.1", "{lines:?}");
        }
    }

    #[test]
    fn who_is_no_trusted_proxy_is_not_believed() {
        assert_eq!(client("192.0.2.9", &[b"192.0.2.1"]), "192.0.2.9");
        assert_eq!(client("::ffff:192.0.2.9", &[b"10.0.0.1"]), "192.0.2.9");
        assert_eq!(client("fd00::2", &[b"192.0.2.1"]), "fd00::2");
    }
}
