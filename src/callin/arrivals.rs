//! Who has arrived in a conference: told to whoever has sent him there.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::registry::Change;

/// Calls that are waited for in conferences.
#[derive(Debug, Default)]
pub(super) struct Arrivals(DashMap<Arc<str>, Awaited>);

#[derive(Debug)]
struct Awaited {
    conference: Box<str>,
    /// Dropped, it says: look yourself.
    told: oneshot::Sender<Arc<Change>>,
}

impl Arrivals {
    /// Waits for a call from now on.
    pub(super) fn await_call(&self, call: &Arc<str>, conference: &str) -> oneshot::Receiver<Arc<Change>> {
        let (told, arrives) = oneshot::channel();
        self.0.insert(call.clone(), Awaited { conference: conference.into(), told });
        arrives
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self, call: &str) {
        self.0.remove(call);
    }

    /// Somebody has joined a conference.
    pub(super) fn joined(&self, call: &Arc<str>, change: &Arc<Change>) {
        let found = self.0.remove_if(call, |_, awaited| *awaited.conference == *change.conference.name);
        if let Some((_, awaited)) = found {
            // Whoever waited may have stopped.
            let _ = awaited.told.send(change.clone());
        }
    }

    /// Some changes were missed: everybody has to look.
    pub(super) fn missed(&self) {
        self.0.clear();
    }
}
