//! `GET /v2/nodes`: how the FreeSWITCH nodes are doing; for superusers.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::registry::NodeCondition;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![Route::new(Method::GET, "/v2/nodes", "list_nodes", Access::Superuser, list)]
}

/// The word for how far a node is known.
pub(super) fn word(condition: NodeCondition) -> &'static str {
    match condition {
        NodeCondition::Unlisted => "unlisted",
        NodeCondition::Followed => "followed",
        NodeCondition::Lost => "lost",
        NodeCondition::Stale => "stale",
        NodeCondition::Gone => "gone",
    }
}

/// With a tenth of a microsecond's worth of digits nobody is served: two places.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

async fn list(context: Arc<Context>, _caller: Caller, _request: Request) -> Result<Response, ApiError> {
    let running = context.registry.conferences();
    let nodes: Vec<_> = context
        .switchboard
        .nodes()
        .values()
        .map(|node| {
            let status = node.status();
            let (condition, since_ms) = context.registry.node(node.name()).unwrap_or_default();
            let here: Vec<_> = running.iter().filter(|conference| conference.node == *node.name()).collect();
            json!({
                "name": **node.name(),
                "state": word(condition),
                "since": context.time(since_ms / 1_000),
                "events_connected": status.events_connected,
                "commands_connected": status.commands_connected,
                "version": status.version.map(|version| version.to_string()),
                "core_uuid": status.core,
                "connections": status.connections,
                "reconnects": status.connections.saturating_sub(1),
                "uptime_s": status.uptime.map(|uptime| uptime.as_secs()),
                "events": status.events,
                "events_per_s": (status.events_per_s * 10.0).round() / 10.0,
                "last_event_ago_ms": status.last_event_ago.map(milliseconds),
                "command_latency_ms": status.command_latency.map(milliseconds),
                "drifts": status.drifts,
                "trouble": status.trouble,
                "conferences": here.len(),
                "participants": here.iter().map(|conference| conference.len()).sum::<usize>(),
            })
        })
        .collect();
    Response::ok(&nodes)
}
