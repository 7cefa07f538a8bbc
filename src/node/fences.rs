//! Fences: own events that divide what arrived before from what arrives after.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::registry::Mark;

/// The subclass that the events of fences have.
pub(super) const SUBCLASS: &str = "convened::fence";

/// Fences that have been sent and not been seen.
#[derive(Debug)]
pub(super) struct Fences {
    /// Tells the fences of this daemon from those of another one on the same switch.
    daemon: String,
    next: AtomicU64,
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Mark>>>,
}

/// One fence on its way. Forgotten when dropped.
pub(super) struct Fence<'a> {
    pub(super) id: String,
    seen: oneshot::Receiver<Mark>,
    fences: &'a Fences,
}

impl Fences {
    /// Fences with ids that begin with `daemon`, which should be nobody else's.
    pub(super) fn new(daemon: u64) -> Self {
        Self { daemon: format!("{daemon:016x}"), next: AtomicU64::new(1), waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, oneshot::Sender<Mark>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up a fence, before it is sent.
    pub(super) fn put_up(&self) -> Fence<'_> {
        let id = format!("{}-{}", self.daemon, self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, seen) = oneshot::channel();
        self.waiting().insert(id.clone(), sender);
        Fence { id, seen, fences: self }
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

impl Fence<'_> {
    /// Waits until it comes by; `None` if the event connection is lost first.
    pub(super) async fn wait(&mut self) -> Option<Mark> {
        (&mut self.seen).await.ok()
    }
}

impl Drop for Fence<'_> {
    fn drop(&mut self) {
        self.fences.waiting().remove(&self.id);
    }
}
