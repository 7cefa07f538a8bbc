//! What is counted of nodes and of what runs on them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::metrics::counter::ConstCounter;

use super::{Page, gauge};
use crate::api::resources::Context;
use crate::api::resources::nodes::word;
use crate::node::{Counts, Node, Status};
use crate::registry::NodeCondition;

const CONDITIONS: [NodeCondition; 5] = [
    NodeCondition::Followed,
    NodeCondition::Unlisted,
    NodeCondition::Lost,
    NodeCondition::Stale,
    NodeCondition::Gone,
];

/// One node, as it is now.
struct Seen {
    name: Arc<str>,
    condition: NodeCondition,
    status: Status,
    counts: Counts,
}

pub(super) fn write(context: &Context, page: &mut Page<'_>) -> fmt::Result {
    let conditions = context.registry.nodes();
    let seen = |node: &Node| Seen {
        name: node.name().clone(),
        condition: conditions.get(node.name()).copied().unwrap_or_default(),
        status: node.status(),
        counts: node.counts(),
    };
    let nodes: Vec<_> = context.switchboard.nodes().values().map(seen).collect();
    let has_calls = context.sources.get().is_some_and(|sources| sources.callin.is_some());
    conditions_of(&nodes, has_calls, page)?;
    counts_of(&nodes, page)?;
    running(context, &nodes, page)
}

fn conditions_of(nodes: &[Seen], has_calls: bool, page: &mut Page<'_>) -> fmt::Result {
    let up = nodes.iter().flat_map(|node| {
        let calls = has_calls.then_some(("calls", node.counts.calls_connected));
        let kinds = [("events", node.status.events_connected), ("commands", node.status.commands_connected)];
        kinds.into_iter().chain(calls).map(|(connection, is_up)| {
            ([("node", &*node.name), ("connection", connection)], gauge(is_up.into()))
        })
    });
    page.family("convened_node_up", "1 if there is that connection to the node", up)?;
    let conditions = nodes.iter().flat_map(|node| {
        CONDITIONS.map(|condition| {
            let is_now = gauge((condition == node.condition).into());
            ([("node", &*node.name), ("condition", word(condition))], is_now)
        })
    });
    page.family("convened_node_condition", "1 for how far the node is known", conditions)
}

fn counts_of(nodes: &[Seen], page: &mut Page<'_>) -> fmt::Result {
    let counted = |key: &'static str, counts: fn(&Counts) -> &[(&'static str, u64)]| {
        nodes.iter().flat_map(move |node| {
            counts(&node.counts)
                .iter()
                .map(move |(word, count)| ([("node", &*node.name), (key, *word)], ConstCounter::new(*count)))
        })
    };
    let help = "Conference events that were applied";
    page.family("convened_node_events", help, counted("action", |counts| &counts.events))?;
    let help = "What a node sent and could not be read";
    page.family("convened_node_parse_errors", help, counted("kind", |counts| &counts.unreadable))?;
    let each = |count: fn(&Status) -> u64| {
        nodes.iter().map(move |node| ([("node", &*node.name)], ConstCounter::new(count(&node.status))))
    };
    let help = "Differences that a list has shown and no event had told";
    page.family("convened_node_drifts", help, each(|status| status.drifts))?;
    let help = "Event connections after the first one";
    page.family("convened_node_reconnects", help, each(|status| status.connections.saturating_sub(1)))?;
    let help = "From a command to its answer";
    let commands = nodes.iter().map(|node| ([("node", &*node.name)], node.counts.commands.clone()));
    page.family("convened_node_command_duration_seconds", help, commands)?;
    let help = "How far events are behind the answers to commands";
    let fences = nodes.iter().map(|node| ([("node", &*node.name)], node.counts.fences.clone()));
    page.family("convened_node_event_lag_seconds", help, fences)
}

fn running(context: &Context, nodes: &[Seen], page: &mut Page<'_>) -> fmt::Result {
    let mut there: HashMap<Arc<str>, (u64, u64)> = HashMap::new();
    for conference in context.registry.conferences() {
        let (conferences, participants) = there.entry(conference.node.clone()).or_default();
        *conferences += 1;
        *participants += conference.len() as u64;
    }
    let on = |node: &Seen| there.get(&node.name).copied().unwrap_or_default();
    let conferences = nodes.iter().map(|node| ([("node", &*node.name)], gauge(on(node).0)));
    page.family("convened_conferences", "Conferences that run", conferences)?;
    let participants = nodes.iter().map(|node| ([("node", &*node.name)], gauge(on(node).1)));
    page.family("convened_participants", "Participants in them", participants)
}
