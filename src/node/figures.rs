//! What a node counts: how much it tells, how fast it answers, how often a list had to repair.
//!
//! Owns: the counters and what is reckoned from them. Written by the node's tasks at the cost of a few
//! relaxed stores, read by whoever asks how the node is doing. The time is passed in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::model::{EventKind, Moment};

/// The rate of events is that of the last one to two of these, in milliseconds.
const WINDOW_MS: u64 = 10_000;

/// The weight of one more answer in the mean, as a power of two: 1/16.
const MEAN_SHIFT: u32 = 4;

/// What could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A conference event that lacks what each of them has.
    Event,
    /// An event that is longer than the limit.
    TooLarge,
    /// What is no Event Socket at all: the connection ended with it.
    Protocol,
    /// A list of conferences.
    List,
}

impl Unreadable {
    /// The words for them, each at its place.
    const WORDS: [&'static str; 4] = ["event", "too_large", "protocol", "list"];
}

/// The counters of a node.
#[derive(Debug)]
pub(super) struct Figures {
    events: [AtomicU64; EventKind::WORDS.len()],
    unreadable: [AtomicU64; Unreadable::WORDS.len()],
    calls_connected: AtomicBool,
    commands: Histogram,
    fences: Histogram,
    last_event_unix_ms: AtomicU64,
    drifts: AtomicU64,
    /// When the switch was started, by its own word; 0 while it has not said.
    started_unix_ms: AtomicU64,
    /// The mean time to an answer, in microseconds; 0 while there was none.
    latency_us: AtomicU64,
    rate: Mutex<Rate>,
}

/// What only metrics tell of a node, as counted since the start.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Conference events that have been applied, by [word](EventKind::WORDS).
    pub events: Vec<(&'static str, u64)>,
    /// What could not be read, by a word for it.
    pub unreadable: Vec<(&'static str, u64)>,
    /// Events of calls arrive; false where nobody lets callers in.
    pub calls_connected: bool,
    /// Seconds from a command to its answer.
    pub commands: Histogram,
    /// Seconds from the answer to a fence until the fence is seen: so far events are behind.
    pub fences: Histogram,
}

impl Default for Figures {
    fn default() -> Self {
        // 1 ms to 16 s: beyond it a command has timed out.
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 15));
        Self {
            events: Default::default(),
            unreadable: Default::default(),
            calls_connected: AtomicBool::new(false),
            commands: seconds(),
            fences: seconds(),
            last_event_unix_ms: AtomicU64::new(0),
            drifts: AtomicU64::new(0),
            started_unix_ms: AtomicU64::new(0),
            latency_us: AtomicU64::new(0),
            rate: Mutex::default(),
        }
    }
}

/// How many events there were at two earlier moments.
#[derive(Debug, Default)]
struct Rate {
    before: (u64, u64),
    last: (u64, u64),
}

impl Figures {
    /// One more conference event was applied.
    pub(super) fn event(&self, kind: EventKind, now: Moment) {
        self.events[kind.place()].fetch_add(1, Ordering::Relaxed);
        self.last_event_unix_ms.store(now.unix_ms, Ordering::Relaxed);
    }

    /// Something could not be read.
    pub(super) fn unreadable(&self, what: Unreadable) {
        self.unreadable[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether events of calls arrive from now on.
    pub(super) fn hears_calls(&self, connected: bool) {
        self.calls_connected.store(connected, Ordering::Relaxed);
    }

    /// A fence came by so long after it had been accepted.
    pub(super) fn fenced(&self, after: Duration) {
        self.fences.observe(after.as_secs_f64());
    }

    /// What only metrics tell.
    pub(super) fn counts(&self) -> Counts {
        fn named(words: &[&'static str], counts: &[AtomicU64]) -> Vec<(&'static str, u64)> {
            words.iter().zip(counts).map(|(word, count)| (*word, count.load(Ordering::Relaxed))).collect()
        }
        Counts {
            events: named(&EventKind::WORDS, &self.events),
            unreadable: named(&Unreadable::WORDS, &self.unreadable),
            calls_connected: self.calls_connected.load(Ordering::Relaxed),
            commands: self.commands.clone(),
            fences: self.fences.clone(),
        }
    }

    /// A list has shown so many differences that no event had told.
    pub(super) fn drifted(&self, differences: u32) {
        self.drifts.fetch_add(differences.into(), Ordering::Relaxed);
    }

    /// The switch has said for how long it has been running.
    pub(super) fn up_for(&self, uptime_ms: u64, now: Moment) {
        self.started_unix_ms.store(now.unix_ms.saturating_sub(uptime_ms).max(1), Ordering::Relaxed);
    }

    /// It is another run of the switch: for how long it has been running it will say.
    pub(super) fn started_anew(&self) {
        self.started_unix_ms.store(0, Ordering::Relaxed);
    }

    /// A command was answered after this time.
    pub(super) fn answered(&self, after: Duration) {
        self.commands.observe(after.as_secs_f64());
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX >> MEAN_SHIFT).max(1);
        let old = self.latency_us.load(Ordering::Relaxed);
        // Two answers at the same moment may lose one of the two: it is a mean.
        let mean = if old == 0 { us } else { (old * ((1 << MEAN_SHIFT) - 1) + us) >> MEAN_SHIFT };
        self.latency_us.store(mean.max(1), Ordering::Relaxed);
    }

    pub(super) fn events(&self) -> u64 {
        self.events.iter().map(|events| events.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn drifts(&self) -> u64 {
        self.drifts.load(Ordering::Relaxed)
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        let us = self.latency_us.load(Ordering::Relaxed);
        (us > 0).then(|| Duration::from_micros(us))
    }

    pub(super) fn last_event_ago(&self, now: Moment) -> Option<Duration> {
        let at = self.last_event_unix_ms.load(Ordering::Relaxed);
        (at > 0).then(|| Duration::from_millis(now.unix_ms.saturating_sub(at)))
    }

    pub(super) fn uptime(&self, now: Moment) -> Option<Duration> {
        let started = self.started_unix_ms.load(Ordering::Relaxed);
        (started > 0).then(|| Duration::from_millis(now.unix_ms.saturating_sub(started)))
    }

    /// Conference events a second. To be called from time to time, by the follower and by who asks.
    pub(super) fn events_per_s(&self, now: Moment) -> f64 {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.at(now.monotonic_ms, self.events())
    }
}

impl Rate {
    fn at(&mut self, now_ms: u64, events: u64) -> f64 {
        if self.before == (0, 0) {
            (self.before, self.last) = ((now_ms, events), (now_ms, events));
        }
        if now_ms.saturating_sub(self.last.0) >= WINDOW_MS {
            (self.before, self.last) = (self.last, (now_ms, events));
        }
        let (since_ms, before) = self.before;
        let passed = now_ms.saturating_sub(since_ms);
        if passed == 0 {
            return 0.0;
        }
        events.saturating_sub(before) as f64 * 1_000.0 / passed as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut rate = Rate::default();
        assert_eq!(rate.at(1_000, 0), 0.0);
        assert_eq!(rate.at(2_000, 50), 50.0);
        assert_eq!(rate.at(11_000, 500), 50.0);
        // From here on the first ten seconds count less and less.
        assert_eq!(rate.at(16_000, 500), 500.0 / 15.0);
        assert_eq!(rate.at(21_000, 500), 0.0);
        assert_eq!(rate.at(500_000, 500), 0.0);
    }

    #[test]
    fn the_mean_goes_to_what_answers_take() {
        let figures = Figures::default();
        assert_eq!(figures.latency(), None);
        figures.answered(Duration::from_micros(800));
        assert_eq!(figures.latency(), Some(Duration::from_micros(800)));
        for _ in 0..200 {
            figures.answered(Duration::from_micros(3_000));
        }
        let mean = figures.latency().expect("there were answers");
        assert!((Duration::from_micros(2_900)..=Duration::from_micros(3_000)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn what_has_not_been_told_is_not_known() {
        let figures = Figures::default();
        let now = Moment::now();
        assert_eq!((figures.uptime(now), figures.last_event_ago(now)), (None, None));
        figures.up_for(5_000, now);
        figures.event(EventKind::Other, now);
        assert_eq!(figures.uptime(now), Some(Duration::from_secs(5)));
        assert_eq!(figures.last_event_ago(now), Some(Duration::ZERO));
    }
}
