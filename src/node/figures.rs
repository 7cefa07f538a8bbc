//! What a node counts: how much it tells, how fast it answers, how often a list had to repair.
//!
//! Owns: the counters and what is reckoned from them. Written by the node's tasks at the cost of a few
//! relaxed stores, read by whoever asks how the node is doing. The time is passed in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::Moment;

/// The rate of events is that of the last one to two of these, in milliseconds.
const WINDOW_MS: u64 = 10_000;

/// The weight of one more answer in the mean, as a power of two: 1/16.
const MEAN_SHIFT: u32 = 4;

/// The counters of a node.
#[derive(Debug, Default)]
pub(super) struct Figures {
    events: AtomicU64,
    last_event_unix_ms: AtomicU64,
    drifts: AtomicU64,
    /// When the switch was started, by its own word; 0 while it has not said.
    started_unix_ms: AtomicU64,
    /// The mean time to an answer, in microseconds; 0 while there was none.
    latency_us: AtomicU64,
    rate: Mutex<Rate>,
}

/// How many events there were at two earlier moments.
#[derive(Debug, Default)]
struct Rate {
    before: (u64, u64),
    last: (u64, u64),
}

impl Figures {
    /// One more conference event was applied.
    pub(super) fn event(&self, now: Moment) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.last_event_unix_ms.store(now.unix_ms, Ordering::Relaxed);
    }

    /// A list has shown so many differences that no event had told.
    pub(super) fn drifted(&self, differences: u32) {
        self.drifts.fetch_add(differences.into(), Ordering::Relaxed);
    }

    /// The switch has said for how long it has been running.
    pub(super) fn up_for(&self, uptime_ms: u64, now: Moment) {
        self.started_unix_ms.store(now.unix_ms.saturating_sub(uptime_ms).max(1), Ordering::Relaxed);
    }

    /// What the run before has said does not hold any more.
    pub(super) fn started_anew(&self) {
        self.started_unix_ms.store(0, Ordering::Relaxed);
    }

    /// A command was answered after this time.
    pub(super) fn answered(&self, after: Duration) {
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX >> MEAN_SHIFT).max(1);
        let old = self.latency_us.load(Ordering::Relaxed);
        // Two answers at the same moment may lose one of the two: it is a mean.
        let mean = if old == 0 { us } else { (old * ((1 << MEAN_SHIFT) - 1) + us) >> MEAN_SHIFT };
        self.latency_us.store(mean.max(1), Ordering::Relaxed);
    }

    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
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
        figures.event(now);
        assert_eq!(figures.uptime(now), Some(Duration::from_secs(5)));
        assert_eq!(figures.last_event_ago(now), Some(Duration::ZERO));
    }
}
