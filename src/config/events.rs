//! `[events]`: what is told to websocket, server-sent events and AMQP.

use serde::Deserialize;

use super::check::Found;
use crate::hub::EVENTS;

/// What is told, and how much of it to whom.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// The names of the events that are told; none: all of them.
    pub publish_participant_event: Option<Vec<String>>,
    /// The names of those that are told over websockets; none: those of `publish_participant_event`.
    pub websocket_events: Option<Vec<String>>,
    /// Likewise as server-sent events.
    pub sse_events: Option<Vec<String>>,
    /// Channel variables whose names begin so are told as `custom_channel_vars`.
    pub channel_variable_prefixes: Vec<String>,
    /// The name of this daemon in events; none: the host's.
    pub node_name: Option<String>,
    /// Bindings of one websocket at most.
    pub max_bindings: usize,
    /// Websockets and event streams of one token at most.
    pub max_connections_per_token: usize,
    /// A websocket that answers no ping for so long is closed, in seconds.
    pub idle_timeout_s: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            publish_participant_event: None,
            websocket_events: None,
            sse_events: None,
            channel_variable_prefixes: vec!["ecallmgr_".into()],
            node_name: None,
            max_bindings: 100,
            max_connections_per_token: 1_000,
            idle_timeout_s: 60,
        }
    }
}

/// How subscribers of the API are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over a websocket.
    Websocket,
    /// As server-sent events.
    Sse,
}

impl Events {
    /// Whether an event of that name is told that way.
    #[must_use]
    pub fn tells(&self, way: Way, event: &str) -> bool {
        let own = match way {
            Way::Websocket => &self.websocket_events,
            Way::Sse => &self.sse_events,
        };
        let told = own.as_ref().or(self.publish_participant_event.as_ref());
        told.is_none_or(|told| told.iter().any(|name| name == event))
    }
}

pub(super) fn check(events: &Events, found: &mut Found) {
    for (key, names) in [
        ("events.publish_participant_event", &events.publish_participant_event),
        ("events.websocket_events", &events.websocket_events),
        ("events.sse_events", &events.sse_events),
    ] {
        check_names(key, names.as_deref(), found);
    }
    for (at, prefix) in events.channel_variable_prefixes.iter().enumerate() {
        if prefix.is_empty() {
            found.add(
                format!("events.channel_variable_prefixes[{at}]"),
                "an empty one would take all variables".to_owned(),
            );
        }
    }
    found.range("events.max_bindings", events.max_bindings as u64, 1, 10_000);
    found.range("events.max_connections_per_token", events.max_connections_per_token as u64, 1, 1_000_000);
    found.range("events.idle_timeout_s", events.idle_timeout_s, 5, 86_400);
}

/// A list of events that are told.
pub(super) fn check_names(key: &str, names: Option<&[String]>, found: &mut Found) {
    for (at, name) in names.unwrap_or_default().iter().enumerate() {
        if !EVENTS.contains(&&**name) {
            let known = EVENTS.join(", ");
            found.add(format!("{key}[{at}]"), format!("there is no event `{name}`; there are {known}"));
        }
    }
}
