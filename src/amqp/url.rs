//! The address of a broker: `amqp://USER:PASSWORD@HOST:PORT/VHOST`.

use std::fmt;

use lapin::uri::{AMQPScheme, AMQPUri};

use crate::secret::Secret;
use crate::store::url::without_secrets;

/// Seconds between signs of life, if the URL says nothing; a connection that is silent for two of them is given up.
const HEARTBEAT_S: u16 = 10;

/// Why a URL names no broker. It may carry a password, so none of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is something else.
    #[error("expected amqp://USER:PASSWORD@HOST:PORT/VHOST, where / in the name of a virtual host is %2F")]
    Form,
    /// It asks for TLS.
    #[error("amqps:// is not supported: use amqp:// and a tunnel, or a broker on the same machine")]
    Tls,
}

/// Where the broker is, and who we are there.
#[derive(Clone)]
pub struct Broker {
    pub(super) uri: AMQPUri,
    shown: Box<str>,
}

impl Broker {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`BadUrl`] says why it is none.
    pub fn parse(url: &Secret) -> Result<Self, BadUrl> {
        let text = url.expose();
        let mut uri: AMQPUri = text.parse().map_err(|_| BadUrl::Form)?;
        if uri.scheme == AMQPScheme::AMQPS {
            return Err(BadUrl::Tls);
        }
        let rest = text.strip_prefix("amqp://").ok_or(BadUrl::Form)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.is_empty() || host.starts_with(':') {
            return Err(BadUrl::Form);
        }
        // The parser takes an IPv6 address for no host, and that for `localhost`.
        if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            uri.authority.host = address.to_owned();
        }
        // Likewise `amqp://host/`, for a virtual host without a name.
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        Ok(Self { uri, shown: without_secrets(text).into() })
    }

    /// The same with another password than that of the URL.
    #[must_use]
    pub fn with_password(mut self, password: &Secret) -> Self {
        password.expose().clone_into(&mut self.uri.authority.userinfo.password);
        self
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Broker, BadUrl> {
        Broker::parse(&Secret::new(url))
    }

    #[test]
    fn a_url_names_host_port_user_and_virtual_host() {
        let broker = parsed("amqp://me:p%40ss@mq.example.com:5673/conf%2Ferences?heartbeat=3").unwrap();
        let uri = &broker.uri;
        assert_eq!((&*uri.authority.host, uri.authority.port), ("mq.example.com", 5673));
        assert_eq!((&*uri.authority.userinfo.username, &*uri.authority.userinfo.password), ("me", "p@ss"));
        assert_eq!((&*uri.vhost, uri.query.heartbeat), ("conf/erences", Some(3)));
        for (url, host, port) in [
            ("amqp://mq", "mq", 5672),
            ("amqp://mq/", "mq", 5672),
            ("amqp://10.0.0.1:1", "10.0.0.1", 1),
            ("amqp://u:p@[fd00::1]:5673/%2F", "fd00::1", 5673),
        ] {
            let uri = parsed(url).unwrap().uri;
            assert_eq!((&*uri.authority.host, uri.authority.port, &*uri.vhost), (host, port, "/"), "{url}");
            assert_eq!(uri.query.heartbeat, Some(HEARTBEAT_S));
        }
    }

    #[test]
    fn what_is_no_url_of_a_broker_is_refused() {
        for url in ["", "mq", "mq:5672", "http://mq", "amqp:mq", "amqp://", "amqp://:5672", "amqp://mq:port"]
        {
            assert_eq!(parsed(url).unwrap_err(), BadUrl::Form, "{url}");
        }
        assert_eq!(parsed("amqps://mq").unwrap_err(), BadUrl::Tls);
    }

    #[test]
    fn the_password_is_not_shown() {
        let broker = parsed("amqp://me:hunter2@mq/v?heartbeat=5").unwrap();
        assert_eq!(format!("{broker}"), "amqp://me:***@mq/v?heartbeat=***");
        assert!(!format!("{broker:?}").contains("hunter2"));
    }
}
