//! Signs of life of the loops that do the work.
//!
//! ```text
//! loop ── beats now and then ─▶ Pulse ◀── looks ── whoever feeds a watchdog
//! ```
//!
//! A loop that waits for its socket turns all the same, once in a while, only to say so. One that is stuck does not:
//! it waits in the middle for something that does not come, or its thread does. A loop that has ended, and dropped its
//! pulse, is not waited for; one that has panicked is.
//!
//! Invariant: without a watchdog there are no beats and no timers for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A loop that has nothing to do turns so often, or more often if somebody is in a hurry.
const EVERY: Duration = Duration::from_secs(1);

/// All loops that say that they live. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Option<Arc<All>>);

#[derive(Debug)]
struct All {
    began: Instant,
    every: Duration,
    beats: Mutex<Vec<Arc<Beat>>>,
}

/// The last turn of a loop.
#[derive(Debug)]
struct Beat {
    name: Box<str>,
    /// In milliseconds since the beginning of all.
    at_ms: AtomicU64,
}

impl Pulses {
    /// Nobody looks: nobody beats.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Somebody is going to look who bites after that time.
    #[must_use]
    pub fn on(watchdog: Duration) -> Self {
        let every = EVERY.min(watchdog / 8);
        Self(Some(Arc::new(All { began: Instant::now(), every, beats: Mutex::default() })))
    }

    /// The pulse of a loop; from now on it has to beat.
    #[must_use]
    pub fn of(&self, name: impl Into<Box<str>>) -> Pulse {
        Pulse(self.0.as_ref().map(|all| {
            let beat = Arc::new(Beat { name: name.into(), at_ms: AtomicU64::new(all.now_ms()) });
            all.beats().push(beat.clone());
            Own { all: all.clone(), beat }
        }))
    }

    /// The loops that have not turned for longer than that, with the time since their last turn.
    #[must_use]
    pub fn stuck(&self, within: Duration) -> Vec<(Box<str>, Duration)> {
        let Some(all) = &self.0 else { return Vec::new() };
        let now_ms = all.now_ms();
        let since = |beat: &Arc<Beat>| {
            Duration::from_millis(now_ms.saturating_sub(beat.at_ms.load(Ordering::Relaxed)))
        };
        let beats = all.beats();
        beats
            .iter()
            .map(|beat| (beat.name.clone(), since(beat)))
            .filter(|(_, since)| *since > within)
            .collect()
    }
}

impl All {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn beats(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Beat>>> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last turn of what need not turn: always just now.
const ALWAYS: u64 = u64::MAX;

/// What a loop says by that it lives. Dropped, it is not asked any more, unless its loop has panicked.
#[derive(Debug, Default)]
pub struct Pulse(Option<Own>);

#[derive(Debug)]
struct Own {
    all: Arc<All>,
    beat: Arc<Beat>,
}

impl Pulse {
    /// Nobody looks at this one.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// The loop turns.
    pub fn beat(&self) {
        if let Some(own) = &self.0 {
            own.beat.at_ms.store(own.all.now_ms(), Ordering::Relaxed);
        }
    }

    /// One beside it for a task that waits for others without a limit: it is missed only if it panics.
    #[must_use]
    pub fn of_task(&self, name: impl Into<Box<str>>) -> Self {
        Self(self.0.as_ref().map(|own| {
            let beat = Arc::new(Beat { name: name.into(), at_ms: AtomicU64::new(ALWAYS) });
            own.all.beats().push(beat.clone());
            Own { all: own.all.clone(), beat }
        }))
    }

    /// Waits until it is time to turn, though there is nothing to do; for ever if nobody looks. May be dropped at any
    /// moment.
    pub async fn due(&self) {
        let Some(own) = &self.0 else { return std::future::pending().await };
        let last = Duration::from_millis(own.beat.at_ms.load(Ordering::Relaxed));
        tokio::time::sleep_until(own.all.began + last + own.all.every).await;
        self.beat();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.beat.at_ms.fetch_min(self.all.now_ms(), Ordering::Relaxed);
        } else {
            self.all.beats().retain(|beat| !Arc::ptr_eq(beat, &self.beat));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn stuck(pulses: &Pulses) -> Vec<String> {
        pulses.stuck(LIMIT).into_iter().map(|(name, _)| name.into_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_only_waits_lives_and_one_that_is_stuck_does_not() {
        let pulses = Pulses::on(LIMIT * 2);
        let (waits, sticks) = (pulses.of("waits"), pulses.of("sticks"));
        let waiting = tokio::spawn(async move {
            loop {
                waits.due().await;
            }
        });
        tokio::time::sleep(LIMIT * 3).await;
        assert_eq!(stuck(&pulses), ["sticks"]);
        sticks.beat();
        assert_eq!(stuck(&pulses), [""; 0]);
        waiting.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_ended_is_not_missed_and_one_that_has_panicked_is() {
        let pulses = Pulses::on(LIMIT * 2);
        drop(pulses.of("ended"));
        let panics = pulses.of("panics");
        let panicked = tokio::spawn(async move {
            panics.beat();
            panic!("as it is told to");
        });
        assert!(panicked.await.is_err());
        tokio::time::sleep(LIMIT * 2).await;
        assert_eq!(stuck(&pulses), ["panics"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_may_wait_for_long_is_missed_if_it_panics() {
        let pulses = Pulses::on(LIMIT * 2);
        let beside = pulses.of("loop");
        let (waits, panics, ended) =
            (beside.of_task("waits"), beside.of_task("panics"), beside.of_task("ended"));
        tokio::time::sleep(LIMIT * 3).await;
        beside.beat();
        assert_eq!(stuck(&pulses), [""; 0]);
        let panicked = tokio::spawn(async move {
            let _pulse = panics;
            panic!("as it is told to");
        });
        assert!(panicked.await.is_err());
        drop(ended);
        tokio::time::sleep(LIMIT * 2).await;
        beside.beat();
        assert_eq!(stuck(&pulses), ["panics"]);
        drop(waits);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_beats_for_nobody() {
        let pulse = Pulses::off().of("loop");
        assert!(tokio::time::timeout(LIMIT, pulse.due()).await.is_err());
        assert_eq!(stuck(&Pulses::off()), [""; 0]);
    }
}
