//! The world's clock: the real one, set to another time and perhaps running faster.

use std::time::Duration;
use tokio::time::Instant;

/// Says what time it is in the world.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// This moment ...
    began: Instant,
    /// ... is this time in the world, in microseconds since 1970.
    began_at: u64,
    speed: f64,
}

impl Clock {
    /// A clock that runs as fast as the real one.
    pub(crate) fn running(began_at: u64) -> Self {
        Self::new(began_at, 1.0)
    }

    /// A clock that runs `speed` times as fast.
    pub(crate) fn new(began_at: u64, speed: f64) -> Self {
        Self { began: Instant::now(), began_at, speed }
    }

    /// Begins again at the time it was set to.
    pub(crate) fn restart(&mut self) {
        self.began = Instant::now();
    }

    pub(crate) fn now(&self) -> u64 {
        let passed = self.began.elapsed().mul_f64(self.speed);
        self.began_at + u64::try_from(passed.as_micros()).unwrap_or_default()
    }

    /// When it will be that time in the world.
    pub(crate) fn moment(&self, at: u64) -> Instant {
        let after = Duration::from_micros(at.saturating_sub(self.began_at)).div_f64(self.speed);
        self.began + after
    }
}
