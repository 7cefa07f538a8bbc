//! Changes from the registry to everybody who listens.
//!
//! A bounded ring: a listener that falls behind loses the oldest changes and is told how many
//! ([`tokio::sync::broadcast::error::RecvError::Lagged`]); nobody waits for him. Whoever missed something
//! reads the registry again.
//!
//! Beside them go [`Notice`]s, which are no changes of anything that could be read again.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::model::Notice;
use crate::registry::{Change, Publish};

/// Changes kept for listeners that are not up to date.
const RING: usize = 16_384;
/// Notices likewise.
const NOTICES: usize = 4_096;

/// Hands changes to listeners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    changes: broadcast::Sender<Arc<Change>>,
    notices: broadcast::Sender<Arc<Notice>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { changes: broadcast::Sender::new(RING), notices: broadcast::Sender::new(NOTICES) }
    }
}

impl Hub {
    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Listens to notices from now on.
    pub fn listen_to_notices(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }

    /// Tells everybody who listens to notices.
    pub fn notify(&self, notice: Notice) {
        // That nobody listens is no error.
        let _ = self.notices.send(Arc::new(notice));
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
