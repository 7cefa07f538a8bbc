//! Lists: everything after each connect, single conferences where something was odd, and each of them
//! once in a while: what FreeSWITCH changes without telling, or a lost event that nothing followed, shows
//! in no other way. How it is listed is the business of [`super::inquiry`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

use super::address::conference_word;
use super::commands::CommandError;
use super::handle::Node;
use super::inquiry::{ListError, list_everything, look_at_unknown};
use super::look::Wanted;
use crate::registry::NodeCondition;

/// One conference is not listed more often, nor is everything.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// A conference that FreeSWITCH does not list in time is not left alone for longer than this.
const LONGEST_ALONE: Duration = Duration::from_secs(600);
/// A list that may have missed somebody who has just joined is taken again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(2_100);
/// What audits are behind by more is not caught up: it would come all at once.
const BEHIND: Duration = Duration::from_millis(500);

/// The task that lists what has to be listed.
pub(super) struct Lister {
    node: Node,
    /// Conferences to be listed at a later time.
    postponed: BTreeMap<(Instant, Arc<str>), ()>,
    /// When each was listed last; forgotten after a while.
    listed: HashMap<Arc<str>, Instant>,
    /// Conferences that FreeSWITCH did not list in time: how long they were left alone after that, and until when.
    hung: HashMap<Arc<str>, (Duration, Instant)>,
    /// When the next conference is audited, and those of this round that are still to come, the last one
    /// first.
    audit: Instant,
    round: Vec<Arc<str>>,
    /// How many there were at the beginning of the round.
    in_round: u32,
    /// Everything is not listed before, on behalf of a conference that cannot be listed by itself.
    everything_from: Instant,
    /// There is such a conference, or everything was listed just before it was wanted again.
    everything_wanted: bool,
    /// The last turn was the clock's; the next one is that of what looked odd.
    odd_first: bool,
    /// On which event connection everything was listed last, and from when on it may be again.
    everything_again: (u64, Instant),
    chance: StdRng,
}

impl Lister {
    pub(super) fn new(node: Node) -> Self {
        let audit = Instant::now() + node.shared.settings.audit_every;
        let (postponed, listed) = (BTreeMap::new(), HashMap::new());
        let chance = StdRng::seed_from_u64(node.shared.outside.seed());
        let everything_from = Instant::now();
        let (everything_wanted, everything_again) = (false, (0, everything_from));
        let round = Vec::new();
        Self {
            node,
            postponed,
            listed,
            hung: HashMap::new(),
            audit,
            round,
            in_round: 0,
            everything_from,
            everything_wanted,
            odd_first: false,
            everything_again,
            chance,
        }
    }

    pub(super) async fn run(mut self) {
        let node = self.node.clone();
        let mut failures = node.shared.backoff();
        loop {
            let next = self.postponed.keys().next().map(|(at, _)| *at);
            let odd_first = std::mem::take(&mut self.odd_first);
            let wanted = tokio::select! {
                // What has its time goes before what is always wanted, and neither twice in a row: an audit of
                // more conferences than the switch can list in time does not keep the odd ones waiting.
                biased;
                wanted = node.shared.look.wanted(), if odd_first => wanted,
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.due(),
                () = tokio::time::sleep_until(self.audit) => self.audit(),
                () = tokio::time::sleep_until(self.everything_from), if self.everything_wanted => {
                    // When there are no events everything is asked for anyway, later.
                    self.everything_wanted = false;
                    Wanted { everything: true, ..Wanted::default() }
                }
                wanted = node.shared.look.wanted() => wanted,
            };
            node.shared.commands.connected().await;
            let connection = node.shared.connection.load(Ordering::Acquire);
            if connection == 0 {
                // Everything will be asked for when the events are back.
                continue;
            }
            if !wanted.everything && !self.is_listed() {
                // What an outage has lost is no drift, and the list of everything shows it.
                continue;
            }
            if wanted.everything && self.is_too_soon(connection) {
                continue;
            }
            if wanted.everything {
                if self.everything().await {
                    failures.reset();
                } else {
                    tokio::time::sleep(failures.step()).await;
                    node.shared.look.at_everything();
                }
                continue;
            }
            // What cannot be asked for by its name is found by listing everything, but not more often than
            // conferences are audited: one that is about to end is in no list and goes on telling of itself.
            self.everything_wanted |= wanted.misnamed;
            if wanted.unknown {
                look_at_unknown(&node).await;
            }
            for conference in wanted.conferences {
                self.one(conference).await;
            }
        }
    }

    /// Whether everything has been listed since the events came last.
    fn is_listed(&self) -> bool {
        let known = self.node.registry.node(self.node.name());
        known.is_some_and(|(condition, _)| condition == NodeCondition::Followed)
    }

    fn due(&mut self) -> Wanted {
        self.odd_first = true;
        let now = Instant::now();
        let mut wanted = Wanted::default();
        while let Some(first) = self.postponed.first_entry()
            && first.key().0 <= now
        {
            let ((_, conference), ()) = first.remove_entry();
            wanted.conferences.insert(conference);
        }
        wanted
    }

    /// The next conference in the round, and when the one after it is due. A round takes `audit_every`,
    /// however many conferences there are, unless the switch is slower.
    fn audit(&mut self) -> Wanted {
        self.odd_first = true;
        let begins = self.round.is_empty();
        if begins {
            let (all, node) = (self.node.registry.conferences(), self.node.name());
            let here = all.iter().filter(|known| known.node == *node);
            self.round = here.map(|known| known.name.clone()).collect();
            // Instances of one name stand side by side.
            self.round.dedup();
            self.in_round = u32::try_from(self.round.len()).unwrap_or(u32::MAX);
        }
        let pause = self.node.shared.settings.audit_every / self.in_round.max(1);
        // From when it was due and not from now: timers are late by up to a millisecond, and thousands of them add up.
        let due = self.audit.max(Instant::now().checked_sub(BEHIND).unwrap_or(self.audit));
        self.audit = due + pause.mul_f64(self.chance.random_range(0.5..=1.5));
        Wanted { unknown: begins, conferences: self.round.pop().into_iter().collect(), ..Wanted::default() }
    }

    /// A switch that gives reason for it all the time would do nothing but list. A new connection is listed at once.
    fn is_too_soon(&mut self, connection: u64) -> bool {
        let (before, from) = self.everything_again;
        let too_soon = before == connection && Instant::now() < from;
        if too_soon {
            self.everything_from = if self.everything_wanted { self.everything_from.min(from) } else { from };
            self.everything_wanted = true;
        }
        too_soon
    }

    fn postpone(&mut self, conference: Arc<str>, by: Duration) {
        self.postponed.insert((Instant::now() + by, conference), ());
    }

    async fn everything(&mut self) -> bool {
        let began = Instant::now();
        let connection = self.node.shared.connection.load(Ordering::Acquire);
        let name = self.node.name().clone();
        match list_everything(&self.node).await {
            Ok(result) => {
                self.everything_from = Instant::now() + self.node.shared.settings.audit_every;
                self.everything_wanted = false;
                self.everything_again = (connection, Instant::now() + AT_MOST_EVERY.max(began.elapsed()));
                self.postponed.clear();
                for conference in result.unsure {
                    self.postpone(conference, LOOK_AGAIN);
                }
                let known = self.node.registry.conferences();
                let known: Vec<_> = known.iter().filter(|conference| conference.node == name).collect();
                tracing::info!(
                    node = &*name,
                    conferences = known.len(),
                    participants = known.iter().map(|conference| conference.len()).sum::<usize>(),
                    differences = result.repaired,
                    ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "listed"
                );
                true
            }
            Err(ListError::Superseded) => true,
            Err(error) => {
                tracing::warn!(node = &*name, "cannot list the conferences: {error}; trying again");
                false
            }
        }
    }

    /// Answers come in the order of commands: a conference that FreeSWITCH cannot list, because it is stuck in it,
    /// keeps everybody waiting who asks for something behind it. It is asked for less and less often.
    fn leave_alone(&mut self, conference: Arc<str>) {
        let now = Instant::now();
        self.hung.retain(|_, (_, until)| now < *until + LONGEST_ALONE);
        let before = self.hung.get(&conference).map(|(by, _)| *by);
        let by = before.map_or(LOOK_AGAIN, |by| (by * 4).min(LONGEST_ALONE));
        let (node, name) = (&**self.node.name(), &*conference);
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(node, conference = name, again_in_ms = ms, "its list did not come in time");
        self.hung.insert(conference.clone(), (by, now + by));
        self.postpone(conference, by);
    }

    async fn one(&mut self, conference: Arc<str>) {
        let now = Instant::now();
        if let Some(before) = self.listed.get(&conference)
            && now.duration_since(*before) < AT_MOST_EVERY
        {
            let by = AT_MOST_EVERY.saturating_sub(now.duration_since(*before));
            self.postpone(conference, by);
            return;
        }
        if self.hung.get(&conference).is_some_and(|(_, until)| now < *until) {
            return;
        }
        self.listed.retain(|_, at| now.duration_since(*at) < AT_MOST_EVERY);
        self.listed.insert(conference.clone(), now);
        let node = self.node.name().clone();
        match self.node.list_conference(&conference).await {
            Ok(result) => {
                self.hung.remove(&conference);
                if result.repaired > 0 {
                    self.node.shared.figures.drifted(result.repaired);
                    tracing::info!(
                        node = &*node,
                        conference = &*conference,
                        differences = result.repaired,
                        what = result.differences.join(", "),
                        "repaired by its list"
                    );
                }
                for unsure in result.unsure {
                    self.postpone(unsure, LOOK_AGAIN);
                }
            }
            Err(ListError::Command(CommandError::Timeout)) => self.leave_alone(conference),
            Err(ListError::Command(_) | ListError::Superseded) => self.postpone(conference, LOOK_AGAIN),
            Err(ListError::Unaddressable(_)) => self.everything_wanted = true,
            // Called like a command, and it does not run: only the list of everything says so.
            Err(_) if conference_word(&conference).is_err() => self.everything_wanted = true,
            Err(error) => {
                tracing::warn!(node = &*node, conference = &*conference, "cannot be listed: {error}")
            }
        }
    }
}
