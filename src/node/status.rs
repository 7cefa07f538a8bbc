//! How a node is doing.

use std::time::Duration;

use super::version::Version;

/// How a node is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Events arrive.
    pub events_connected: bool,
    /// Commands can be sent.
    pub commands_connected: bool,
    /// What runs there, once it has told.
    pub version: Option<Version>,
    /// `Core-UUID`: another one after each start of the switch.
    pub core: Option<String>,
    /// How often the event connection has been made.
    pub connections: u64,
    /// How many conference events have been applied.
    pub events: u64,
    /// How many of them a second, over the last 10 to 40 s.
    pub events_per_s: f64,
    /// How long ago the last one was; `None` before the first.
    pub last_event_ago: Option<Duration>,
    /// For how long the switch has been running, by its own word in a heartbeat.
    pub uptime: Option<Duration>,
    /// How many differences the list of a single conference has shown that no event had told.
    pub drifts: u64,
    /// The mean time from a command to its answer, of the last some 16.
    pub command_latency: Option<Duration>,
    /// What is wrong, in words.
    pub trouble: Option<String>,
}
