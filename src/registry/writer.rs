//! The one writer of a node: events and lists in, state and changes out. Pure: time comes in.

mod outage;

pub use outage::{Aged, Graces};

use std::collections::VecDeque;
use std::sync::Arc;

use super::change::{ChangeKind, Publish, Reason};
use super::conference::Conference;
use super::index::Registry;
use super::noting::Noting;
use super::room::{Room, Step};
use super::{Map, Set};
use crate::model::{AccountTag, ConferenceEvent, EventKind, ListedConference, Moment};

use outage::Outage;

/// Something that should not be: the conference has to be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// An event of a conference whose beginning was not seen.
    UnknownConference,
    /// An event of a member whose joining was not seen.
    UnknownMember,
    /// Somebody came back, and some of what was told of him since had come before that.
    Overtaken,
    /// An event of a conference that a list did not have: its name cannot be read from its events.
    Misnamed,
    /// `Conference-Size` is not the number of members known.
    SizeDisagrees,
}

/// The moment before a list was asked for, taken when its fence came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// How many events had arrived.
    pub arrival: u64,
    /// The fence's own sequence number; 0 if it is not known.
    pub sequence: u64,
    /// When the fence came by, in milliseconds on the monotonic clock: the list is not older than this.
    pub at_ms: u64,
}

/// What a list is a list of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everything that runs on the node.
    Node,
    /// The conference of that name; an empty list says that it does not run.
    Conference(&'a str),
}

/// What comparing with a list came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// How many differences there were; all of them have been published.
    pub repaired: u32,
    /// The first few of them in words, as `mute-member 7 (call id)`.
    pub differences: Vec<String>,
    /// Conferences whose list may have missed somebody who has just joined: to be listed again.
    pub unsure: Vec<Arc<str>>,
}

/// How long it is remembered that a conference ended.
const REMEMBER_MS: u64 = 600_000;
/// How many ended conferences are remembered at most.
const REMEMBER: usize = 100_000;

/// What a conference goes on with if it is found again.
#[derive(Default)]
struct Kept {
    /// The number of its last change.
    changes: u64,
    /// Whose it is: a list does not tell what its first member's channel did.
    account: AccountTag,
    account_is_variable: bool,
}

/// How a conference ended.
struct Ended {
    reason: Reason,
    kept: Kept,
    /// When that was, on the monotonic clock.
    at_ms: u64,
}

impl Ended {
    /// Whether the switch itself has not said so: it may run, and a list may bring it in again.
    fn may_run(&self) -> bool {
        matches!(self.reason, Reason::List | Reason::NodeLost)
    }
}

/// Writes what happens on one node. There is one for each node, and nobody else writes.
pub struct Writer<P> {
    registry: Arc<Registry>,
    node: Arc<str>,
    publish: P,
    rooms: Map<Arc<str>, Room>,
    /// Conferences that are over, and who said so: what only a list missed may be found again.
    ended: Map<Arc<str>, Ended>,
    ended_at: VecDeque<(u64, Arc<str>)>,
    core: Option<Box<str>>,
    arrivals: u64,
    graces: Graces,
    /// The event connection was lost, and everything has not been listed since.
    outage: Option<Outage>,
}

impl<P: Publish> Writer<P> {
    /// Nothing is known of the node yet.
    pub fn new(registry: Arc<Registry>, node: Arc<str>, publish: P) -> Self {
        Self {
            registry,
            node,
            publish,
            rooms: Map::default(),
            ended: Map::default(),
            ended_at: VecDeque::new(),
            core: None,
            arrivals: 0,
            graces: Graces::default(),
            outage: None,
        }
    }

    /// The same with other times after which a node that is out of reach counts as stale and as gone.
    #[must_use]
    pub fn with_graces(self, graces: Graces) -> Self {
        Self { graces, ..self }
    }

    /// A connection has told which run of the switch it is connected to. If it is another than before,
    /// everything that ran there is gone. Gives whether it was another.
    pub fn begin_core(&mut self, core: &str, now: Moment) -> bool {
        if self.core.as_deref() == Some(core) {
            return false;
        }
        let restarted = self.core.replace(core.into()).is_some();
        if restarted {
            self.end_all(Reason::NodeRestarted, now);
            self.ended.clear();
            self.ended_at.clear();
        }
        restarted
    }

    /// Ends every conference of the node.
    pub fn end_all(&mut self, reason: Reason, now: Moment) {
        let mut instances: Vec<_> = self.rooms.keys().cloned().collect();
        instances.sort_unstable();
        for instance in instances {
            self.end(&instance, reason, 0, now);
        }
    }

    /// Applies one event, in the order of arrival.
    pub fn apply(&mut self, event: &ConferenceEvent<'_>, now: Moment) -> Option<Odd> {
        self.arrivals += 1;
        let step = Step::of_event(&self.publish, self.arrivals, event.sequence, now);
        if let Some(room) = self.rooms.get_mut(&*event.instance) {
            if event.kind == EventKind::Destroyed {
                self.end(&event.instance, Reason::Event, event.sequence, now);
                return None;
            }
            let odd = room.apply(event, &step);
            if !room.account_is_variable {
                learn_account(&self.registry, room, event);
            }
            return odd;
        }
        self.apply_to_unknown(event, now)
    }

    fn apply_to_unknown(&mut self, event: &ConferenceEvent<'_>, now: Moment) -> Option<Odd> {
        if let Some(ended) = self.ended.get_mut(&*event.instance) {
            return match (ended.reason, event.kind) {
                // Now it is over for good, whatever an older list says.
                (_, EventKind::Destroyed) if ended.may_run() => {
                    ended.reason = Reason::Event;
                    None
                }
                // FreeSWITCH lets go of the name first: the last ones leave a conference that no list has.
                (_, EventKind::Left) => None,
                // A list did not have it and it goes on: the name in its events may not be its own.
                (Reason::List, _) => Some(Odd::Misnamed),
                // It has outlasted the node's absence.
                (Reason::NodeLost, _) => Some(Odd::UnknownConference),
                _ => None,
            };
        }
        match event.kind {
            EventKind::Created | EventKind::Joined => {
                let step = Step::of_event(&self.publish, self.arrivals, event.sequence, now);
                let mut room = begin(
                    &self.registry,
                    &self.node,
                    (&event.instance, &event.conference),
                    (now.unix_ms, Kept::default()),
                    &step,
                );
                if event.kind == EventKind::Joined {
                    // Its beginning was not seen, and it may be an old one.
                    room.conference.count_play();
                }
                let odd = room.apply(event, &step);
                learn_account(&self.registry, &mut room, event);
                self.rooms.insert(room.conference.instance.clone(), room);
                odd
            }
            EventKind::Destroyed => {
                self.remember_ended((&*event.instance).into(), Reason::Event, Kept::default(), now);
                None
            }
            EventKind::Left if event.size.is_none_or(|size| size == 0) => None,
            _ => Some(Odd::UnknownConference),
        }
    }

    fn end(&mut self, instance: &str, reason: Reason, sequence: u64, now: Moment) {
        let Some(mut room) = self.rooms.remove(instance) else { return };
        let step = Step { sequence, ..Step::of(&self.publish, self.arrivals, reason, now) };
        // Out of the index first: whoever reads after the change does not find it any more.
        self.registry.remove(&room.conference);
        room.end(&step);
        let Room { conference, account, account_is_variable, .. } = room;
        let kept = Kept { changes: conference.change_number(), account, account_is_variable };
        self.remember_ended(conference.instance.clone(), reason, kept, now);
    }

    fn remember_ended(&mut self, instance: Arc<str>, reason: Reason, kept: Kept, now: Moment) {
        let at_ms = now.monotonic_ms;
        // As long as the node is out of reach nothing is found again, and nothing is too old for it.
        let is_old = |then: u64| self.outage.is_none() && at_ms.saturating_sub(then) > REMEMBER_MS;
        while let Some((then, _)) = self.ended_at.front()
            && (self.ended_at.len() >= REMEMBER || is_old(*then))
        {
            // What has ended once more since is remembered for its later end.
            if let Some((then, old)) = self.ended_at.pop_front()
                && self.ended.get(&old).is_some_and(|ended| ended.at_ms == then)
            {
                self.ended.remove(&old);
            }
        }
        self.ended_at.push_back((at_ms, instance.clone()));
        self.ended.insert(instance, Ended { reason, kept, at_ms });
    }

    /// The fence before a list has come by.
    pub fn mark(&self, sequence: u64, now: Moment) -> Mark {
        Mark { arrival: self.arrivals, sequence, at_ms: now.monotonic_ms }
    }

    /// Compares what is known with a list that was asked for after `mark`, and publishes the differences.
    pub fn reconcile(
        &mut self,
        scope: Scope<'_>,
        listed: &[ListedConference],
        mark: Mark,
        now: Moment,
    ) -> Reconciled {
        let mut result = Reconciled::default();
        for conference in listed {
            if matches!(scope, Scope::Conference(name) if name != conference.name) {
                continue;
            }
            self.reconcile_conference(conference, mark, now, &mut result);
        }
        for instance in self.missing(scope, listed, mark) {
            result.repaired += 1;
            if result.differences.len() < Noting::MOST {
                result.differences.push(format!("{} {instance}", ChangeKind::ConferenceDestroyed.name()));
            }
            self.end(&instance, Reason::List, 0, now);
        }
        result
    }

    fn reconcile_conference(
        &mut self,
        listed: &ListedConference,
        mark: Mark,
        now: Moment,
        result: &mut Reconciled,
    ) {
        if self.ended.get(&*listed.instance).is_some_and(|ended| !ended.may_run()) {
            return;
        }
        let kept = self.ended.remove(&*listed.instance).map(|ended| ended.kept).unwrap_or_default();
        let noting = Noting::new(&self.publish, &mut result.differences);
        let step = Step::of(&noting, mark.arrival, Reason::List, now);
        let is_new = !self.rooms.contains_key(&*listed.instance);
        if is_new {
            if listed.ending {
                return;
            }
            let began = now.unix_ms.saturating_sub(listed.run_time_s.saturating_mul(1_000));
            let room =
                begin(&self.registry, &self.node, (&listed.instance, &listed.name), (began, kept), &step);
            self.rooms.insert(room.conference.instance.clone(), room);
            result.repaired += 1;
        }
        let Some(room) = self.rooms.get_mut(&*listed.instance) else { return };
        if let Some(account) = &listed.account {
            room.account = AccountTag::Tagged((**account).into());
            room.account_is_variable = true;
            self.registry.retag(&room.conference, room.account.clone());
        }
        let (repaired, unsure) = room.reconcile(listed, mark, &step);
        if is_new || repaired > 0 {
            // What has not been told may have been a play, too.
            room.conference.count_play();
        }
        result.repaired += repaired;
        if unsure {
            result.unsure.push(room.conference.name.clone());
        }
    }

    /// The channel of a conference's first member has been asked for its tag. What an event has told goes before.
    pub fn tagged(&mut self, instance: &str, call_id: &str, account: Option<&str>) {
        let Some(room) = self.rooms.get_mut(instance) else { return };
        if room.account != AccountTag::Unknown || !room.is_first(call_id) {
            return;
        }
        room.account = account.map_or(AccountTag::Untagged, |account| AccountTag::Tagged(account.into()));
        self.registry.retag(&room.conference, room.account.clone());
    }

    /// What is known and not in the list, and has not been heard of since it was asked for.
    fn missing(&self, scope: Scope<'_>, listed: &[ListedConference], mark: Mark) -> Vec<Arc<str>> {
        let in_list: Set<&str> = listed.iter().map(|conference| &*conference.instance).collect();
        let mut missing: Vec<_> = self
            .rooms
            .iter()
            .filter(|(instance, room)| {
                let asked = match scope {
                    Scope::Node => true,
                    Scope::Conference(name) => name == &*room.conference.name,
                };
                asked && !in_list.contains(&***instance) && room.touched() <= mark.arrival
            })
            .map(|(instance, _)| instance.clone())
            .collect();
        missing.sort_unstable();
        missing
    }

    /// What must hold after each step; the text says what does not. For tests.
    pub fn check(&self) -> Result<(), String> {
        for (instance, room) in &self.rooms {
            room.check()?;
            if !self.registry.holds(&room.conference) {
                return Err(format!("{instance} is not in the index"));
            }
            if self.ended.contains_key(instance) {
                return Err(format!("{instance} runs and has ended"));
            }
            if room.conference.is_stale() && self.outage.is_none() {
                return Err(format!("{instance} is stale and its node is followed"));
            }
        }
        Ok(())
    }
}

/// A conference comes into being, or is found.
fn begin(
    registry: &Registry,
    node: &Arc<str>,
    (instance, name): (&str, &str),
    (began_unix_ms, kept): (u64, Kept),
    step: &Step<'_>,
) -> Room {
    // What was known of it before goes on from there.
    let is_found = step.reason == Reason::List && kept.changes == 0;
    let conference = Conference::new(instance, name, node.clone(), began_unix_ms, kept.changes);
    let conference = Arc::new(if is_found { conference.found() } else { conference });
    conference.set_tag(kept.account.clone());
    registry.insert(&conference);
    let mut room = Room::new(conference);
    room.account = kept.account;
    room.account_is_variable = kept.account_is_variable;
    room.publish(ChangeKind::ConferenceCreated, None, step);
    room
}

/// Learns whose conference it is: the conference's own variable, else the first member's channel.
fn learn_account(registry: &Registry, room: &mut Room, event: &ConferenceEvent<'_>) {
    room.account_is_variable = event.account.is_some();
    let tag = match (&event.account, &event.member) {
        (Some(account), _) => AccountTag::Tagged((&**account).into()),
        (None, Some(facts)) if room.account == AccountTag::Unknown && room.is_first(&facts.call_id) => {
            match &facts.account {
                Some(account) => AccountTag::Tagged((&**account).into()),
                None => AccountTag::Untagged,
            }
        }
        _ => return,
    };
    registry.retag(&room.conference, tag.clone());
    room.account = tag;
}
