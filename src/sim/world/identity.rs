//! Who a switch says it is.

/// How a switch calls itself in each of its events.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `FreeSWITCH-Hostname`.
    pub hostname: String,
    /// `FreeSWITCH-Switchname`.
    pub switchname: String,
    /// `FreeSWITCH-IPv4`.
    pub ipv4: String,
    /// `FreeSWITCH-IPv6`.
    pub ipv6: String,
    /// `Conference-Domain`.
    pub domain: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            hostname: "sim".to_owned(),
            switchname: "fs1".to_owned(),
            ipv4: "192.0.2.2".to_owned(),
            ipv6: "fd00::2".to_owned(),
            domain: "fs1.example.com".to_owned(),
        }
    }
}
