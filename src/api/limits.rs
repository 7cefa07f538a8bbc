//! The numbers that bound a connection and a request.

use std::time::Duration;

use crate::config;

/// What one client may take. The configuration checks the ranges; see `conf/convened.toml` for what
/// happens at each limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at the same time.
    pub max_connections: usize,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// The largest head, in bytes; at least 8192.
    pub max_header_bytes: usize,
    /// From the first byte of a request to the end of its head.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// For the answer to be made, once the request is read.
    pub answer_timeout: Duration,
    /// For a connection without a request.
    pub idle_timeout: Duration,
    /// At a stop, for requests in flight.
    pub shutdown_grace: Duration,
}

impl From<&config::Api> for Limits {
    fn from(api: &config::Api) -> Self {
        Self {
            max_connections: api.max_connections,
            max_body_bytes: api.max_body_bytes,
            max_header_bytes: api.max_header_bytes,
            header_timeout: Duration::from_millis(api.header_timeout_ms),
            body_timeout: Duration::from_millis(api.body_timeout_ms),
            answer_timeout: Duration::from_millis(api.answer_timeout_ms),
            idle_timeout: Duration::from_secs(api.idle_timeout_s),
            shutdown_grace: Duration::from_secs(api.shutdown_grace_s),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&config::Api::default())
    }
}
