//! The index that readers come in by: conferences by name and by account, and what is known of the nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use dashmap::DashMap;

use super::conference::Conference;
use crate::model::{AccountTag, Moment};

type Hasher = foldhash::fast::RandomState;
/// Name, node, instance: sorted by name.
type Key = (Arc<str>, Arc<str>, Arc<str>);
type ByName = imbl::OrdMap<Key, Arc<Conference>>;

fn key(conference: &Conference) -> Key {
    (conference.name.clone(), conference.node.clone(), conference.instance.clone())
}

/// How far a node's conferences are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodeCondition {
    /// Not listed since the daemon was started: what runs there is not known.
    #[default]
    Unlisted,
    /// Listed and followed.
    Followed,
    /// Was followed and is out of reach: what is known is old.
    Lost,
    /// Likewise, for so long that its conferences are marked as stale.
    Stale,
    /// Likewise, for so long that its conferences are taken for gone.
    Gone,
}

/// How far each node is known, and since when; all of one moment.
#[derive(Debug, Clone, Default)]
struct Nodes {
    conditions: Arc<BTreeMap<Arc<str>, NodeCondition>>,
    /// In milliseconds since 1970.
    since: BTreeMap<Arc<str>, u64>,
}

/// All running conferences of all nodes, for reading.
#[derive(Debug, Default)]
pub struct Registry {
    names: DashMap<Arc<str>, Arc<[Arc<Conference>]>, Hasher>,
    accounts: DashMap<AccountTag, ByName, Hasher>,
    all: ArcSwap<ByName>,
    nodes: ArcSwap<Nodes>,
}

impl Registry {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The instances of that name, oldest first; none if it does not run.
    pub fn conference(&self, name: &str) -> Arc<[Arc<Conference>]> {
        self.names.get(name).map(|found| found.clone()).unwrap_or_default()
    }

    /// The conferences with that tag, by name.
    pub fn conferences_tagged(&self, tag: &AccountTag) -> Vec<Arc<Conference>> {
        let found = self.accounts.get(tag).map(|found| found.clone());
        found.map(|conferences| conferences.values().cloned().collect()).unwrap_or_default()
    }

    /// All conferences, by name.
    pub fn conferences(&self) -> Vec<Arc<Conference>> {
        self.all.load().values().cloned().collect()
    }

    /// How far each node is known, by name.
    pub fn nodes(&self) -> Arc<BTreeMap<Arc<str>, NodeCondition>> {
        self.nodes.load().conditions.clone()
    }

    /// How far a node is known, and since when, in milliseconds since 1970.
    pub fn node(&self, node: &str) -> Option<(NodeCondition, u64)> {
        let nodes = self.nodes.load();
        Some((*nodes.conditions.get(node)?, *nodes.since.get(node)?))
    }

    /// Whether everything that runs is known: each node listed and followed.
    pub fn is_complete(&self) -> bool {
        self.nodes.load().conditions.values().all(|condition| *condition == NodeCondition::Followed)
    }

    /// Notes how far a node is known from now on.
    pub fn set_node(&self, node: &Arc<str>, condition: NodeCondition, now: Moment) {
        self.nodes.rcu(|nodes| {
            let mut nodes = Nodes::clone(nodes);
            if nodes.conditions.get(node) != Some(&condition) {
                Arc::make_mut(&mut nodes.conditions).insert(node.clone(), condition);
                nodes.since.insert(node.clone(), now.unix_ms);
            }
            nodes
        });
    }

    /// The node is not followed any more.
    pub(super) fn forget_node(&self, node: &str) {
        self.nodes.rcu(|nodes| {
            let mut nodes = Nodes::clone(nodes);
            Arc::make_mut(&mut nodes.conditions).remove(node);
            nodes.since.remove(node);
            nodes
        });
    }

    pub(super) fn insert(&self, conference: &Arc<Conference>) {
        let mut instances = self.names.entry(conference.name.clone()).or_default();
        let mut all: Vec<_> = instances.iter().cloned().chain([conference.clone()]).collect();
        all.sort_by_key(|conference| conference.began_unix_ms);
        *instances = all.into();
        drop(instances);
        self.insert_tagged(conference);
        self.all.rcu(|all| all.update(key(conference), conference.clone()));
    }

    fn insert_tagged(&self, conference: &Arc<Conference>) {
        let mut conferences = self.accounts.entry(conference.account_tag()).or_default();
        conferences.insert(key(conference), conference.clone());
    }

    pub(super) fn remove(&self, conference: &Arc<Conference>) {
        if let Some(mut instances) = self.names.get_mut(&conference.name) {
            *instances = instances.iter().filter(|other| !Arc::ptr_eq(other, conference)).cloned().collect();
        }
        self.names.remove_if(&conference.name, |_, instances| instances.is_empty());
        self.remove_tagged(&conference.account_tag(), conference);
        self.all.rcu(|all| all.without(&key(conference)));
    }

    fn remove_tagged(&self, tag: &AccountTag, conference: &Arc<Conference>) {
        if let Some(mut conferences) = self.accounts.get_mut(tag) {
            conferences.remove(&key(conference));
        }
        self.accounts.remove_if(tag, |_, conferences| conferences.is_empty());
    }

    /// The switch has told whose it is: the conference moves to that account.
    pub(super) fn retag(&self, conference: &Arc<Conference>, tag: AccountTag) {
        let before = conference.account_tag();
        if before != tag {
            conference.set_tag(tag);
            self.insert_tagged(conference);
            self.remove_tagged(&before, conference);
        }
    }

    /// Whether the conference is where its name and its tag say, and nowhere else by that name.
    pub(super) fn holds(&self, conference: &Arc<Conference>) -> bool {
        let named =
            self.conference(&conference.name).iter().filter(|other| Arc::ptr_eq(other, conference)).count();
        let tagged = self
            .accounts
            .get(&conference.account_tag())
            .is_some_and(|all| all.contains_key(&key(conference)));
        named == 1 && tagged && self.all.load().contains_key(&key(conference))
    }
}
