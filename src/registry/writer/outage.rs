//! A node that is out of reach: for how long what is known of it is kept.
//!
//! ```text
//! followed ─▶ lost ─▶ stale ─▶ gone      each step by the time since the loss alone
//!     ▲        │        │        │
//!     └────────┴────────┴────────┘ everything has been listed again
//! ```
//!
//! That the connection is back ends nothing: the clock of the loss runs until everything has been listed
//! and compared. So a connection that is lost again and again neither begins the graces anew nor has
//! conferences change between stale and recovered.
//!
//! A conference recovers after the differences have been told, and not before: up to then a listener has
//! to take what he knows for old, and from then on for the truth. What has ended meanwhile has ended
//! before that, and does not recover.

use super::{Publish, Room, Step, Writer};
use crate::model::Moment;
use crate::registry::change::{ChangeKind, Reason};
use crate::registry::index::NodeCondition;

/// How long what is known of a node is kept after its event connection was lost, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Graces {
    /// Then its conferences are stale.
    pub stale_after_ms: u64,
    /// Then they are gone; counted from the loss too.
    pub gone_after_ms: u64,
}

impl Default for Graces {
    fn default() -> Self {
        Self { stale_after_ms: 10_000, gone_after_ms: 120_000 }
    }
}

/// What the time since the loss has made of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aged {
    /// What the node is now.
    pub condition: NodeCondition,
    /// How many conferences have become so.
    pub conferences: usize,
}

/// The time between a loss and the next list of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    /// When the connection was lost first, on the monotonic clock.
    began_ms: u64,
    /// What has been done about it.
    reached: NodeCondition,
}

impl<P: Publish> Writer<P> {
    /// The event connection is lost. If it was lost before, and everything has not been listed since, the
    /// clock goes on; what began in between is as old as the rest now.
    pub fn lose(&mut self, now: Moment) -> Option<Aged> {
        let began_ms = self.outage.map_or(now.monotonic_ms, |outage| outage.began_ms);
        self.outage = Some(Outage { began_ms, reached: NodeCondition::Lost });
        if self.condition() == Some(NodeCondition::Followed) {
            self.registry.set_node(&self.node, NodeCondition::Lost, now);
        }
        self.age(now)
    }

    /// When [`Writer::age`] has something to do next, on the monotonic clock.
    pub fn ages_at_ms(&self) -> Option<u64> {
        let outage = self.outage?;
        let after = match outage.reached {
            NodeCondition::Gone => return None,
            NodeCondition::Stale => self.graces.gone_after_ms,
            _ => self.graces.stale_after_ms.min(self.graces.gone_after_ms),
        };
        Some(outage.began_ms.saturating_add(after))
    }

    /// Marks the conferences as stale, or ends them, if it is time for that. Gives what has changed.
    pub fn age(&mut self, now: Moment) -> Option<Aged> {
        if self.ages_at_ms()? > now.monotonic_ms {
            return None;
        }
        let outage = self.outage.as_mut()?;
        let lost_for_ms = now.monotonic_ms.saturating_sub(outage.began_ms);
        let is_over = lost_for_ms >= self.graces.gone_after_ms;
        outage.reached = if is_over { NodeCondition::Gone } else { NodeCondition::Stale };
        let condition = outage.reached;
        // A node that has never been listed is that, above all.
        let known = self.condition().filter(|known| *known != NodeCondition::Unlisted);
        if known.is_some() {
            self.registry.set_node(&self.node, condition, now);
        }
        let conferences = if is_over { self.give_up(now) } else { self.mark_stale(now) };
        (conferences > 0 || known.is_some_and(|known| known != condition))
            .then_some(Aged { condition, conferences })
    }

    /// Everything that runs on the node has been listed and compared: what is known is true again.
    pub fn listed(&mut self, now: Moment) {
        if self.outage.take().is_some() {
            // Nobody has told what was played meanwhile.
            self.rooms.values().for_each(|room| room.conference.count_play());
        }
        let recovered = self.rooms_that(|room| room.conference.is_stale());
        for room in &recovered {
            room.conference.set_stale(false);
        }
        // Whoever hears of a recovery finds the whole node followed.
        self.registry.set_node(&self.node, NodeCondition::Followed, now);
        self.tell(&recovered, ChangeKind::ConferenceRecovered, Reason::List, now);
    }

    /// The node is not followed any more: its conferences are gone, and nothing is known of it.
    pub fn take_away(&mut self, now: Moment) {
        for room in self.rooms.values() {
            // As when it is lost: whoever still holds one sees that nobody knows how it ends.
            room.conference.set_stale(true);
        }
        self.end_all(Reason::NodeGone, now);
        self.registry.forget_node(&self.node);
    }

    fn mark_stale(&self, now: Moment) -> usize {
        let stale = self.rooms_that(|room| !room.conference.is_stale());
        for room in &stale {
            room.conference.set_stale(true);
        }
        self.tell(&stale, ChangeKind::ConferenceStale, Reason::NodeLost, now);
        stale.len()
    }

    /// Ends everything, also what has not been stale before: one of both is enough to be told.
    fn give_up(&mut self, now: Moment) -> usize {
        for room in self.rooms.values() {
            // Whoever still holds it sees that nobody knows how it ended.
            room.conference.set_stale(true);
        }
        let conferences = self.rooms.len();
        self.end_all(Reason::NodeLost, now);
        conferences
    }

    /// In the order of their instances, so that the same story is always told in the same way.
    fn rooms_that(&self, are: impl Fn(&Room) -> bool) -> Vec<&Room> {
        let mut rooms: Vec<_> = self.rooms.values().filter(|room| are(room)).collect();
        rooms.sort_unstable_by(|a, b| a.conference.instance.cmp(&b.conference.instance));
        rooms
    }

    fn tell(&self, rooms: &[&Room], kind: ChangeKind, reason: Reason, now: Moment) {
        let step = Step::of(&self.publish, self.arrivals, reason, now);
        for room in rooms {
            room.publish(kind, None, &step);
        }
    }

    fn condition(&self) -> Option<NodeCondition> {
        self.registry.node(&self.node).map(|(condition, _)| condition)
    }
}
