//! Who has arrived in a conference: told to whoever has sent him there.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::registry::Change;

/// Calls that are waited for in conferences, by node and call: an id may be used on two nodes.
#[derive(Debug, Default)]
pub(super) struct Arrivals(DashMap<(Arc<str>, Arc<str>), Awaited>);

#[derive(Debug)]
struct Awaited {
    conference: Box<str>,
    /// Dropped, it says: look yourself.
    told: oneshot::Sender<Arc<Change>>,
}

impl Arrivals {
    /// Waits for a call from now on.
    pub(super) fn await_call(
        &self,
        node: &Arc<str>,
        call: &Arc<str>,
        conference: &str,
    ) -> oneshot::Receiver<Arc<Change>> {
        let (told, arrives) = oneshot::channel();
        self.0.insert((node.clone(), call.clone()), Awaited { conference: conference.into(), told });
        arrives
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self, node: &Arc<str>, call: &Arc<str>) {
        self.0.remove(&(node.clone(), call.clone()));
    }

    /// Somebody has joined a conference.
    pub(super) fn joined(&self, call: &Arc<str>, change: &Arc<Change>) {
        let key = (change.conference.node.clone(), call.clone());
        let found = self.0.remove_if(&key, |_, awaited| *awaited.conference == *change.conference.name);
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
