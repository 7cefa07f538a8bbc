//! The clock that is never set: for how long something has lasted.
//!
//! Owns: reading it, and that a test can say what it shows. Leaves the time of day to `store::Clock`:
//! an end that is stored is one of the day, a window or a block is one of this clock.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Tells instants that only grow.
#[derive(Clone)]
pub struct MonotonicClock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl MonotonicClock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Instant::now)
    }

    /// A clock that shows what `now` answers.
    pub fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.0)()
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for MonotonicClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MonotonicClock({:?})", self.now())
    }
}
