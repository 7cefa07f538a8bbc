//! Fences: own events that divide what arrived before from what arrives after.
//!
//! A fence that the switch has sent and that does not come by is a sign, too: of an event connection that
//! has died without a word, behind a firewall for instance. It is one only if nothing else has come either
//! since it was sent. A connection that is merely slow delivers other bytes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::registry::Mark;

/// The subclass that the events of fences have.
pub(super) const SUBCLASS: &str = "convened::fence";

/// A moment of an event connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// The number of the connection; 0 if there is none.
    pub(super) connection: u64,
    /// How often something had been read then.
    pub(super) reads: u64,
}

/// Fences that have been sent and not been seen.
#[derive(Debug)]
pub(super) struct Fences {
    /// Tells the fences of this daemon from those of another one on the same switch.
    daemon: String,
    next: AtomicU64,
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Mark>>>,
    /// How often something was read on event connections.
    reads: AtomicU64,
    unseen: mpsc::Sender<Heard>,
}

/// One fence on its way. Forgotten when dropped.
pub(super) struct Fence {
    pub(super) id: String,
    seen: oneshot::Receiver<Mark>,
    fences: Arc<Fences>,
}

impl Fences {
    /// Fences with ids that begin with `daemon`, which should be nobody else's. The other end takes the
    /// moments since which a fence is missing.
    pub(super) fn new(daemon: u64) -> (Self, mpsc::Receiver<Heard>) {
        // One is enough: whoever misses another one too has nothing to add.
        let (unseen, missed) = mpsc::channel(1);
        let fences = Self {
            daemon: format!("{daemon:016x}"),
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            reads: AtomicU64::new(0),
            unseen,
        };
        (fences, missed)
    }

    /// Something was read on the event connection.
    pub(super) fn heard(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something has been read on all event connections.
    pub(super) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// A fence that was sent after that moment has not come by, and should have; or the switch cannot be reached
    /// for anything else.
    pub(super) fn missed(&self, since: Heard) {
        // Full: the follower has one to look at already.
        let _ = self.unseen.try_send(since);
    }

    /// A name that no conference has.
    pub(super) fn nobody(&self) -> String {
        format!("nobody-{}-{}", self.daemon, self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, oneshot::Sender<Mark>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up a fence, before it is sent.
    pub(super) fn put_up(self: &Arc<Self>) -> Fence {
        let id = format!("{}-{}", self.daemon, self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, seen) = oneshot::channel();
        self.waiting().insert(id.clone(), sender);
        Fence { id, seen, fences: Arc::clone(self) }
    }

    /// A fence came by on the event connection.
    pub(super) fn seen(&self, id: &str, mark: Mark) {
        if let Some(waiting) = self.waiting().remove(id) {
            let _ = waiting.send(mark);
        }
    }

    /// The event connection is gone: no fence will be seen.
    pub(super) fn give_up(&self) {
        self.waiting().clear();
    }
}

impl Fence {
    /// Waits until it comes by; `None` if the event connection is lost first.
    pub(super) async fn wait(&mut self) -> Option<Mark> {
        (&mut self.seen).await.ok()
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.fences.waiting().remove(&self.id);
    }
}
