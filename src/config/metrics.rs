//! `[metrics]`: what is counted, for Prometheus.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use super::Network;
use crate::peer::Client;

/// `GET /metrics`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether there is such a path at all.
    pub enabled: bool,
    /// Who needs no token; everybody else needs that of a superuser.
    pub allow: Vec<Network>,
}

impl Default for Metrics {
    fn default() -> Self {
        let v4 = Network::prefix(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
        let v6 = Network::prefix(IpAddr::V6(Ipv6Addr::LOCALHOST), 128);
        Self { enabled: true, allow: v4.into_iter().chain(v6).chain([Network::Unix]).collect() }
    }
}

impl Metrics {
    /// Whether a client needs no token.
    #[must_use]
    pub fn allows(&self, client: Client) -> bool {
        self.allow.iter().any(|network| network.contains(client))
    }
}
