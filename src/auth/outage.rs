//! Whether the database can be asked just now.
//!
//! Owns: what a failed look-up means for the ones after it. Leaves asking, and who is let in without,
//! to `authenticator`. The time is passed in.
//!
//! ```text
//! up ──a look-up fails──▶ down: nobody asks for PROBE_EVERY, then one at a time does
//!  ▲                                                            │
//!  └────────────────────any look-up is answered─────────────────┘
//! ```
//!
//! Without this each request would find out by itself that the database hangs, and wait for its timeout
//! to do so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::StoreErrorKind;

/// So long after a failure nobody asks.
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(1);

/// What is known of the database.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The latest failure since the latest answer.
    failed: Option<(Instant, StoreErrorKind)>,
    /// Whether somebody finds out if it is over.
    probing: bool,
}

/// What somebody may do who wants to ask.
#[derive(Debug)]
pub(super) enum Turn {
    /// Ask.
    Ask,
    /// Ask, and be the only one until this is dropped.
    Probe(Probe),
    /// Do not ask: it failed a moment ago in this way.
    NotNow(StoreErrorKind),
}

/// Held by the one that asks whether the outage is over.
#[derive(Debug)]
pub(super) struct Probe(Arc<Outage>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.state().probing = false;
    }
}

impl Outage {
    /// What to do at this time.
    pub(super) fn turn(self: &Arc<Self>, now: Instant) -> Turn {
        let mut state = self.state();
        match state.failed {
            None => Turn::Ask,
            Some((at, kind)) if state.probing || now.saturating_duration_since(at) < PROBE_EVERY => {
                Turn::NotNow(kind)
            }
            Some(_) => {
                state.probing = true;
                Turn::Probe(Probe(Arc::clone(self)))
            }
        }
    }

    /// A look-up was answered, whatever the answer: it is over.
    pub(super) fn answered(&self) {
        self.state().failed = None;
    }

    /// A look-up failed.
    pub(super) fn failed(&self, kind: StoreErrorKind, now: Instant) {
        self.state().failed = Some((now, kind));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_nobody_asks_for_a_while_and_then_one_at_a_time() {
        let outage = Arc::new(Outage::default());
        let start = Instant::now();
        assert!(matches!(outage.turn(start), Turn::Ask));
        outage.failed(StoreErrorKind::Busy, start);
        let almost = start + PROBE_EVERY - Duration::from_nanos(1);
        assert!(matches!(outage.turn(almost), Turn::NotNow(StoreErrorKind::Busy)));
        let Turn::Probe(probe) = outage.turn(start + PROBE_EVERY) else { panic!("nobody asks") };
        let later = start + 10 * PROBE_EVERY;
        assert!(matches!(outage.turn(later), Turn::NotNow(_)), "a second one asks");
        outage.failed(StoreErrorKind::Io, later);
        drop(probe);
        assert!(matches!(outage.turn(later), Turn::NotNow(StoreErrorKind::Io)));
        let Turn::Probe(probe) = outage.turn(later + PROBE_EVERY) else { panic!("nobody asks") };
        outage.answered();
        drop(probe);
        assert!(matches!(outage.turn(later + PROBE_EVERY), Turn::Ask));
    }

    #[test]
    fn a_probe_that_is_given_up_lets_the_next_one_ask() {
        let outage = Arc::new(Outage::default());
        let start = Instant::now();
        outage.failed(StoreErrorKind::Io, start);
        drop(outage.turn(start + PROBE_EVERY));
        assert!(matches!(outage.turn(start + PROBE_EVERY), Turn::Probe(_)));
    }
}
