//! What came of callers, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::dialogue::Refusal;

/// Counts since the start of the daemon.
#[derive(Debug, Default)]
pub struct Figures {
    /// Calls that were taken.
    pub taken: AtomicU64,
    /// Those that were seen in their conference.
    pub joined: AtomicU64,
    /// Those that went to another node.
    pub bridged: AtomicU64,
    /// Those that ended before.
    pub hung_up: AtomicU64,
    /// Those with which the switch did not do what it was asked.
    pub stuck: AtomicU64,
    /// Those that somebody has sent elsewhere in the middle.
    pub taken_away: AtomicU64,
    /// Those that another daemon has taken.
    pub of_others: AtomicU64,
    /// Wrong PINs.
    pub wrong_pins: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Figures {
    /// How many were not let in for that reason.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        count(&self.refused[refusal as usize]);
    }
}

pub(super) fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}
