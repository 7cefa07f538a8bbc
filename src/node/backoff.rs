//! How long to wait before the next attempt: doubled each time, jittered, bounded.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The waiting times of one connection.
#[derive(Debug)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    next: Duration,
    chance: StdRng,
}

impl Backoff {
    pub(crate) fn new(shortest: Duration, longest: Duration, seed: u64) -> Self {
        Self { shortest, longest, next: shortest, chance: StdRng::seed_from_u64(seed) }
    }

    /// It worked: the next failure begins anew.
    pub(crate) fn reset(&mut self) {
        self.next = self.shortest;
    }

    /// The next time to wait: between a half and the whole of the current step.
    pub(crate) fn step(&mut self) -> Duration {
        let whole = self.next.min(self.longest);
        self.next = (whole * 2).min(self.longest);
        whole.mul_f64(self.chance.random_range(0.5..=1.0))
    }

    /// The longest time, for failures that do not heal by themselves soon.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_the_longest_and_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(15), 1);
        let within = |step: Duration, whole: u64| {
            let whole = Duration::from_millis(whole);
            assert!(step >= whole / 2 && step <= whole, "{step:?} is not within the last half of {whole:?}");
        };
        for whole in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000] {
            within(backoff.step(), whole);
        }
        backoff.reset();
        within(backoff.step(), 200);
    }
}
