//! While the server is away: who finds out that it is back, and what the others are told.
//!
//! Owns: one rule. Without it each request would wait for the whole time limit of its own, and what
//! goes on without the database (who is in which conference) would be as slow as the database is dead.
//!
//! ```text
//!        began                      ask, after PAUSE: one caller tries
//! Up ───────────▶ Down, until ───────────────────────────────────────▶ is_over ─▶ Up
//!                  ▲   ask: refused at once                          │
//!                  └────────────────────────── began ◀───────────────┘
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::{StoreError, StoreErrorKind};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether the server is away.
#[derive(Debug)]
pub(super) struct Outage {
    /// How long a try may take.
    limit: Duration,
    /// When the next try may be made, while it is away.
    until: Mutex<Option<Instant>>,
}

impl Outage {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, until: Mutex::new(None) }
    }

    /// Whether to try now.
    pub(super) fn ask(&self, now: Instant) -> Result<(), StoreError> {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = *until else { return Ok(()) };
        if now < next {
            return Err(StoreError::new(StoreErrorKind::Unreachable, "it did not answer a moment ago"));
        }
        // This one tries; the others are refused until it knows more, or gave up.
        *until = Some(now + self.limit);
        Ok(())
    }

    /// The server did not answer.
    pub(super) fn began(&self, now: Instant, error: &StoreError) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.replace(now + PAUSE).is_none() {
            tracing::warn!("the database is away: {error}; documents are unavailable until it is back");
        }
    }

    /// The server answered.
    pub(super) fn is_over(&self) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.take().is_some() {
            tracing::info!("the database is back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone() -> StoreError {
        StoreError::new(StoreErrorKind::Unreachable, "gone")
    }

    #[test]
    fn while_it_is_away_one_tries_at_a_time_and_the_others_are_told_at_once() {
        let (outage, start) = (Outage::new(Duration::from_secs(5)), Instant::now());
        outage.ask(start).expect("up");
        outage.began(start, &gone());
        outage.ask(start).expect_err("down");
        let later = start + PAUSE;
        outage.ask(later).expect("the one that tries");
        outage.ask(later).expect_err("the others");
        outage.began(later, &gone());
        outage.ask(later).expect_err("down still");
        outage.ask(later + PAUSE).expect("the next try");
        outage.is_over();
        outage.ask(later + PAUSE).expect("up again");
        outage.ask(later + PAUSE).expect("and for everybody");
    }

    #[test]
    fn a_try_that_is_given_up_does_not_keep_the_next_one_from_trying() {
        let (outage, start) = (Outage::new(Duration::from_secs(5)), Instant::now());
        outage.began(start, &gone());
        outage.ask(start + PAUSE).expect("tries, and is dropped");
        outage.ask(start + Duration::from_secs(5)).expect_err("it may be trying");
        outage.ask(start + PAUSE + Duration::from_secs(5)).expect("the next one");
    }
}
