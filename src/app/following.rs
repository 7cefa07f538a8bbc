//! The nodes that are followed: which they are is what the configuration says, also while the daemon runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::esl;
use crate::hub::Hub;
use crate::node::{self, Node, Running};
use crate::pulse::Pulses;
use crate::registry::Registry;

/// The nodes that are followed.
pub(super) struct Following {
    registry: Arc<Registry>,
    hub: Hub,
    pulses: Pulses,
    stop: CancellationToken,
    nodes: BTreeMap<String, (config::Node, Running)>,
}

/// What another configuration means for the nodes; by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeChanges {
    /// Followed from now on.
    pub added: Vec<String>,
    /// Not any more.
    pub removed: Vec<String>,
    /// Connected to anew, because something about them is another.
    pub changed: Vec<String>,
}

impl Following {
    /// Begins to follow the nodes of a configuration.
    pub(super) fn start(
        config: &Config,
        registry: &Arc<Registry>,
        hub: &Hub,
        pulses: &Pulses,
        stop: &CancellationToken,
    ) -> Self {
        let (registry, hub) = (registry.clone(), hub.clone());
        let (pulses, stop, nodes) = (pulses.clone(), stop.clone(), BTreeMap::new());
        let mut following = Self { registry, hub, pulses, stop, nodes };
        for node in &config.node {
            following.begin(config, node);
        }
        following
    }

    fn begin(&mut self, config: &Config, node: &config::Node) {
        let pulse = self.pulses.of(format!("the events of node {}", node.name));
        let settings = settings(config, node);
        let (registry, hub) = (self.registry.clone(), self.hub.clone());
        let running = Node::start_beating(settings, registry, hub, pulse, &self.stop);
        self.nodes.insert(node.name.clone(), (node.clone(), running));
    }

    /// All of them.
    pub(super) fn nodes(&self) -> Vec<Node> {
        self.nodes.values().map(|(_, running)| running.node.clone()).collect()
    }

    /// What would change with these nodes instead.
    pub(super) fn changes(&self, wanted: &[config::Node]) -> NodeChanges {
        let mut changes = NodeChanges::default();
        for node in wanted {
            match self.nodes.get(&node.name) {
                None => changes.added.push(node.name.clone()),
                Some((known, _)) if known != node => changes.changed.push(node.name.clone()),
                Some(_) => {}
            }
        }
        let is_wanted = |name: &String| wanted.iter().any(|node| node.name == *name);
        changes.removed = self.nodes.keys().filter(|name| !is_wanted(name)).cloned().collect();
        changes
    }

    /// Ends following what is removed or changed; its conferences are gone then. The others notice nothing.
    pub(super) async fn take_away(&mut self, changes: &NodeChanges) {
        for name in changes.removed.iter().chain(&changes.changed) {
            if let Some((_, running)) = self.nodes.remove(name) {
                running.take_away().await;
            }
        }
    }

    /// Follows what is not followed yet; gives those.
    pub(super) fn follow(&mut self, config: &Config) -> Vec<Node> {
        let new: Vec<_> = config.node.iter().filter(|node| !self.nodes.contains_key(&node.name)).collect();
        for node in &new {
            self.begin(config, node);
        }
        let begun = new.iter().filter_map(|node| self.nodes.get(&node.name));
        begun.map(|(_, running)| running.node.clone()).collect()
    }

    /// Waits until all have ended; they do when their token is cancelled.
    pub(super) async fn ended(self) {
        for (_, running) in self.nodes.into_values() {
            running.ended().await;
        }
    }
}

fn settings(config: &Config, node: &config::Node) -> node::Settings {
    let limits = esl::Limits {
        header: config.esl.max_header_bytes,
        event: config.esl.max_event_bytes,
        response: config.esl.max_response_bytes,
    };
    node::Settings {
        node: node.clone(),
        limits,
        audit_every: Duration::from_secs(config.conference.audit_interval_s),
        variable_prefixes: config.events.channel_variable_prefixes.clone(),
    }
}
