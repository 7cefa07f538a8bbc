//! All changes to the one who sorts them, in order: as many as come at once, up to a bound.
//!
//! A list of a node that has been away is a hundred thousand changes in a moment; the ring for other listeners would
//! lose most of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// So many may wait. Each is some 250 octets.
pub(super) const MOST: usize = 262_144;

#[derive(Debug, Default)]
struct Level {
    waiting: AtomicUsize,
    /// There were more.
    lost: AtomicBool,
}

/// Where changes are put in.
#[derive(Debug)]
pub(super) struct FeedIn<T> {
    changes: mpsc::UnboundedSender<Arc<T>>,
    level: Arc<Level>,
    most: usize,
}

/// Where they come out.
#[derive(Debug)]
pub struct Feed<T> {
    changes: mpsc::UnboundedReceiver<Arc<T>>,
    level: Arc<Level>,
}

/// What comes next.
#[derive(Debug)]
pub enum Fed<T> {
    /// One of them.
    Change(Arc<T>),
    /// There were too many, and some were lost; those that still waited have been thrown away with them.
    Lost,
}

/// Both ends of one in which so many may wait.
pub(super) fn feed<T>(most: usize) -> (FeedIn<T>, Feed<T>) {
    let (sender, changes) = mpsc::unbounded_channel();
    let level = Arc::<Level>::default();
    (FeedIn { changes: sender, level: level.clone(), most }, Feed { changes, level })
}

impl<T> FeedIn<T> {
    /// Whether somebody takes them.
    pub(super) fn is_open(&self) -> bool {
        !self.changes.is_closed()
    }

    pub(super) fn put(&self, change: &Arc<T>) {
        if self.level.waiting.fetch_add(1, Ordering::AcqRel) < self.most {
            // That nobody takes it any more is no error.
            let _ = self.changes.send(change.clone());
        } else {
            self.level.waiting.fetch_sub(1, Ordering::AcqRel);
            self.level.lost.store(true, Ordering::Release);
        }
    }
}

impl<T> Feed<T> {
    /// Waits for the next one; `None`: there will be none.
    pub async fn next(&mut self) -> Option<Fed<T>> {
        if self.level.lost.swap(false, Ordering::AcqRel) {
            while self.changes.try_recv().is_ok() {
                self.level.waiting.fetch_sub(1, Ordering::AcqRel);
            }
            return Some(Fed::Lost);
        }
        let change = self.changes.recv().await?;
        self.level.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(Fed::Change(change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_told_and_it_goes_on_behind_it() {
        let (put, mut feed) = feed::<u32>(3);
        let all: Vec<_> = (0..6).map(Arc::new).collect();
        let next = async |feed: &mut Feed<u32>| match feed.next().await.expect("there is one") {
            Fed::Change(change) => Some(*change),
            Fed::Lost => None,
        };
        put.put(&all[0]);
        assert_eq!(next(&mut feed).await, Some(0));
        all[1..=4].iter().for_each(|change| put.put(change));
        assert_eq!(next(&mut feed).await, None);
        put.put(&all[5]);
        assert_eq!(next(&mut feed).await, Some(5));
        assert!(put.is_open());
        drop(feed);
        assert!(!put.is_open());
    }
}
