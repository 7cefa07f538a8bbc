//! What has to be listed: everything, or conferences where something was odd.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Beyond so many odd conferences everything is listed at once.
const MANY: usize = 1_000;

/// What waits to be listed. Filled on the event path: filling returns at once.
#[derive(Debug, Default)]
pub(super) struct Look {
    wanted: Mutex<Wanted>,
    asked: Notify,
}

/// What to list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) everything: bool,
    /// Some conference cannot be listed by its name: everything, if that was not done just before.
    pub(super) misnamed: bool,
    /// Conferences that nothing is known of.
    pub(super) unknown: bool,
    pub(super) conferences: BTreeSet<Arc<str>>,
}

impl Look {
    pub(super) fn at(&self, conference: &str) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if !wanted.everything && !wanted.conferences.contains(conference) {
            wanted.conferences.insert(conference.into());
            if wanted.conferences.len() > MANY {
                *wanted = Wanted { everything: true, ..Wanted::default() };
            }
            self.asked.notify_one();
        }
    }

    pub(super) fn at_misnamed(&self) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).misnamed = true;
        self.asked.notify_one();
    }

    /// Whether something runs of which nothing is known; it shows at the same time whether events come.
    pub(super) fn at_unknown(&self) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).unknown = true;
        self.asked.notify_one();
    }

    pub(super) fn at_everything(&self) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) =
            Wanted { everything: true, ..Wanted::default() };
        self.asked.notify_one();
    }

    /// Waits until there is something to list and takes it.
    pub(super) async fn wanted(&self) -> Wanted {
        loop {
            let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
            if wanted != Wanted::default() {
                return wanted;
            }
            self.asked.notified().await;
        }
    }
}
