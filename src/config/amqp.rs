//! `[amqp]`: the broker that events are published to.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::check::{DAY_MS, Found};
use super::events::check_names;
use super::password;
use crate::amqp::Broker;
use crate::store::url::without_secrets;

/// The broker that events are published to.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Amqp {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`; none: nothing is published.
    pub url: Option<Secret>,
    /// A file whose only line is the password, instead of one in the URL.
    pub password_file: Option<PathBuf>,
    /// The exchange; a durable topic exchange is made if there is none of that name.
    pub exchange: String,
    /// Events that wait for the broker at most; beyond them the oldest are dropped.
    pub buffer: usize,
    /// Whether the broker is to keep them on its disk, as far as its queues are durable.
    pub persistent: bool,
    /// The names of the events that are published; none: those of `[events]`.
    pub publish_participant_event: Option<Vec<String>>,
    /// The first pause before a new attempt to connect, in milliseconds.
    pub reconnect_min_ms: u64,
    /// The longest pause, in milliseconds.
    pub reconnect_max_ms: u64,
}

impl Default for Amqp {
    fn default() -> Self {
        Self {
            url: None,
            password_file: None,
            exchange: "conference".into(),
            buffer: 100_000,
            persistent: true,
            publish_participant_event: None,
            reconnect_min_ms: 200,
            reconnect_max_ms: 15_000,
        }
    }
}

impl Amqp {
    /// The broker, with its password; `None` if none is configured.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub fn broker(&self) -> Result<Option<Broker>, (&'static str, String)> {
        let broker = self.url.as_ref().map(Broker::parse).transpose();
        let broker = broker.map_err(|error| ("amqp.url", error.to_string()))?;
        let Some(file) = &self.password_file else { return Ok(broker) };
        let password = password::read(file).map_err(|error| ("amqp.password_file", error.to_string()))?;
        Ok(broker.map(|broker| broker.with_password(&password)))
    }
}

/// The URL may carry a password.
impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp")
            .field("url", &self.url.as_ref().map(|url| without_secrets(url.expose())))
            .field("password_file", &self.password_file)
            .field("exchange", &self.exchange)
            .field("buffer", &self.buffer)
            .field("persistent", &self.persistent)
            .field("publish_participant_event", &self.publish_participant_event)
            .field("reconnect_min_ms", &self.reconnect_min_ms)
            .field("reconnect_max_ms", &self.reconnect_max_ms)
            .finish()
    }
}

pub(super) fn check(amqp: &Amqp, found: &mut Found) {
    if let Err((key, error)) = amqp.broker() {
        found.add(key, error);
    }
    // A short string of AMQP; the exchange without a name is one that nobody else can bind to.
    if !(1..=255).contains(&amqp.exchange.len()) {
        found.add("amqp.exchange", "expected a name of 1 to 255 octets");
    }
    found.range("amqp.buffer", amqp.buffer as u64, 1, 10_000_000);
    check_names("amqp.publish_participant_event", amqp.publish_participant_event.as_deref(), found);
    found.range("amqp.reconnect_min_ms", amqp.reconnect_min_ms, 1, DAY_MS);
    found.range("amqp.reconnect_max_ms", amqp.reconnect_max_ms, 1, DAY_MS);
    if amqp.reconnect_min_ms > amqp.reconnect_max_ms {
        found.add(
            "amqp.reconnect_min_ms",
            format!("{} is more than reconnect_max_ms, {}", amqp.reconnect_min_ms, amqp.reconnect_max_ms),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Environment};

    fn parsed(keys: &str, variables: &[(&str, &str)]) -> Config {
        let environment = Environment::from_variables(variables.iter().copied());
        Config::parse(&format!("[amqp]\n{keys}\n"), Path::new("conf.toml"), &environment).unwrap()
    }

    #[test]
    fn what_cannot_work_stops_the_start_and_is_named() {
        for (keys, named) in [
            ("url = \"http://me:hunter2@mq\"", "amqp.url: expected amqp://USER:PASSWORD@HOST:PORT/VHOST"),
            ("url = \"amqps://me:hunter2@mq\"", "amqp.url: amqps:// is not supported"),
            ("exchange = \"\"", "amqp.exchange: expected a name of 1 to 255 octets"),
            ("buffer = 0", "amqp.buffer: expected 1 to 10000000, found 0"),
            (
                "publish_participant_event = [\"lock\", \"dance\"]",
                "amqp.publish_participant_event[1]: there is no event `dance`",
            ),
            ("reconnect_min_ms = 0", "amqp.reconnect_min_ms: expected 1 to 86400000, found 0"),
            ("reconnect_max_ms = 100", "amqp.reconnect_min_ms: 200 is more than reconnect_max_ms, 100"),
        ] {
            let found: Vec<_> = parsed(keys, &[]).check().iter().map(ToString::to_string).collect();
            assert!(found.len() == 1 && found[0].starts_with(named), "{keys}: {found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
    }

    #[test]
    fn the_url_may_come_from_the_environment_and_its_password_is_not_shown() {
        let config = parsed("", &[("CONVENED__AMQP__URL", "amqp://me:hunter2@mq/v")]);
        assert_eq!(config.check(), []);
        let shown = format!("{config:?}");
        assert!(shown.contains("amqp://me:***@mq/v") && !shown.contains("hunter2"), "{shown}");
    }
}
