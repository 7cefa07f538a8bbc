//! The time of day, passed in, so that a test can say what time it is.
//!
//! Owns: reading the clock and the counts of seconds and milliseconds that are stored. Leaves timers to tokio.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds between 1 January of year 0, from which Kazoo counts, and of 1970.
const GREGORIAN_TO_UNIX: i64 = 62_167_219_200;

/// Tells the time of day.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(SystemTime::now)
    }

    /// A clock that shows what `now` answers.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Seconds since 1970; 0 for a clock that stands before it.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        let since = (self.0)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX - GREGORIAN_TO_UNIX)
    }

    /// Milliseconds since 1970; 0 for a clock that stands before it.
    #[must_use]
    pub fn unix_ms(&self) -> i64 {
        let since = (self.0)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Seconds since the year 0, as in Kazoo's documents.
    #[must_use]
    pub fn gregorian_seconds(&self) -> i64 {
        self.unix_seconds().saturating_add(GREGORIAN_TO_UNIX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.unix_seconds())
    }
}
