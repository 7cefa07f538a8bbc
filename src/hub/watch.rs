//! Looking at one conference for a while.
//!
//! Whoever waits for what an action does is interested in one conference of thousands: its changes are handed to
//! him and no others, so that many who look cost as much as what they look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use tokio::sync::mpsc;

use crate::registry::Change;

/// Changes that wait for one who looks. Beyond them he misses some.
const WAITING: usize = 4_096;

/// All who look, by the instance they look at.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    all: DashMap<Arc<str>, Vec<Watcher>>,
    count: AtomicUsize,
    next: AtomicU64,
}

#[derive(Debug)]
struct Watcher {
    id: u64,
    changes: mpsc::Sender<Arc<Change>>,
    missed: Arc<AtomicBool>,
}

impl Watchers {
    pub(super) fn add(self: Arc<Self>, instance: Arc<str>) -> Watch {
        let (sender, changes) = mpsc::channel(WAITING);
        let (id, missed) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::default());
        self.count.fetch_add(1, Ordering::AcqRel);
        let watcher = Watcher { id, changes: sender, missed: Arc::clone(&missed) };
        self.all.entry(instance.clone()).or_default().push(watcher);
        Watch { changes, missed, instance, id, watchers: self }
    }

    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    pub(super) fn tell(&self, change: &Arc<Change>) {
        let Some(watchers) = self.all.get(&change.conference.instance) else { return };
        for watcher in watchers.iter() {
            if watcher.changes.try_send(change.clone()).is_err() {
                watcher.missed.store(true, Ordering::Release);
            }
        }
    }
}

/// The changes of one conference, from the moment it was made until it is dropped.
#[derive(Debug)]
pub struct Watch {
    changes: mpsc::Receiver<Arc<Change>>,
    missed: Arc<AtomicBool>,
    instance: Arc<str>,
    id: u64,
    watchers: Arc<Watchers>,
}

impl Watch {
    /// The next one, if it has come already.
    pub fn next_now(&mut self) -> Option<Arc<Change>> {
        self.changes.try_recv().ok()
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Arc<Change> {
        match self.changes.recv().await {
            Some(change) => change,
            // The other end lives as long as this one.
            None => std::future::pending().await,
        }
    }

    /// Whether some were missed since this was asked last: more had come than are kept for one who is slow.
    pub fn has_missed(&self) -> bool {
        self.missed.swap(false, Ordering::AcqRel)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(mut watchers) = self.watchers.all.get_mut(&self.instance) {
            watchers.retain(|watcher| watcher.id != self.id);
        }
        self.watchers.all.remove_if(&self.instance, |_, watchers| watchers.is_empty());
        self.watchers.count.fetch_sub(1, Ordering::AcqRel);
    }
}
