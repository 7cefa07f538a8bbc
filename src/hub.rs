//! Changes from the registry to everybody who listens.
//!
//! A bounded ring: a listener that falls behind loses the oldest changes and is told how many
//! ([`tokio::sync::broadcast::error::RecvError::Lagged`]); nobody waits for him. Whoever missed something
//! reads the registry again.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::registry::{Change, Publish};

/// Changes kept for listeners that are not up to date.
const RING: usize = 16_384;

/// Hands changes to listeners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    changes: broadcast::Sender<Arc<Change>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { changes: broadcast::Sender::new(RING) }
    }
}

impl Hub {
    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }
}

impl Publish for Hub {
    fn publish(&self, change: Change) {
        // That nobody listens any more is no error.
        let _ = self.changes.send(Arc::new(change));
    }

    fn is_heard(&self) -> bool {
        self.changes.receiver_count() > 0
    }
}
