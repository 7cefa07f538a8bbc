//! Tells a trouble once, and once when it is over: a switch that is down for a night is two lines.

use std::sync::{Mutex, PoisonError};

/// What was said last about a node's connections.
#[derive(Debug, Default)]
pub(super) struct Report {
    trouble: Mutex<Option<String>>,
}

impl Report {
    /// Whether this is news.
    pub(super) fn is_new(&self, trouble: &str) -> bool {
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let new = last.as_deref() != Some(trouble);
        if new {
            *last = Some(trouble.to_owned());
        }
        new
    }

    /// All is well. Gives the trouble there was.
    pub(super) fn clear(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The trouble there is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
