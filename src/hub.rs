//! Changes from the registry to everybody who listens.
//!
//! ```text
//! registry ─▶ Hub ─┬─▶ Watch     one conference for a while: whoever acts on it
//!                  └─▶ Sorter ─▶ Streams ─▶ subscribers, each at his own place
//! ```
//!
//! A bounded ring: a listener that falls behind loses the oldest changes and is told how many
//! ([`tokio::sync::broadcast::error::RecvError::Lagged`]); nobody waits for him. Whoever missed something
//! reads the registry again.
//!
//! Beside them go [`Notice`]s, which are no changes of anything that could be read again.

mod binding;
mod feed;
mod sorter;
mod stream;
mod streams;
mod told;
mod watch;

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;

use crate::model::Notice;
use crate::registry::{Change, Publish};

pub use binding::{Binding, NoBinding, routing_key, word};
use feed::FeedIn;
pub use feed::{Fed, Feed};
pub use sorter::{Owner, Sorter, Whose};
pub use stream::{Gap, Stream};
pub use streams::Streams;
pub use told::{News, Origin, Told};
pub use watch::Watch;
use watch::Watchers;

/// The names of all events, as clients know them.
pub const EVENTS: [&str; 28] = [
    "add-member",
    "del-member",
    "start-talking",
    "stop-talking",
    "mute-member",
    "unmute-member",
    "deaf-member",
    "undeaf-member",
    "conference-create",
    "conference-destroy",
    "lock",
    "unlock",
    "floor-change",
    "hold-member",
    "unhold-member",
    "participant-update",
    "conference-stale",
    "conference-recovered",
    "recording-started",
    "recording-failed",
    "recording-stopped",
    "recording-paused",
    "recording-resumed",
    "dial-ringing",
    "dial-answered",
    "dial-failed",
    "dial-unknown",
    "caller-rejected",
];

/// Changes kept for listeners that are not up to date.
const RING: usize = 16_384;
/// Notices likewise.
const NOTICES: usize = 4_096;

/// Hands changes to listeners. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    changes: broadcast::Sender<Arc<Change>>,
    watchers: Arc<Watchers>,
    feed: Arc<OnceLock<FeedIn<Change>>>,
    notices: broadcast::Sender<Arc<Notice>>,
}

impl Default for Hub {
    fn default() -> Self {
        let (changes, notices) = (broadcast::Sender::new(RING), broadcast::Sender::new(NOTICES));
        Self { changes, watchers: Arc::default(), feed: Arc::default(), notices }
    }
}

impl Hub {
    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Takes all changes from now on, for one who keeps up with them; `None` if somebody does already.
    pub fn feed(&self) -> Option<Feed<Change>> {
        let (sender, feed) = feed::feed(feed::MOST);
        self.feed.set(sender).ok().map(|()| feed)
    }

    /// Looks at one conference from now on.
    #[must_use]
    pub fn watch(&self, instance: &Arc<str>) -> Watch {
        self.watchers.clone().add(instance.clone())
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
        let change = Arc::new(change);
        self.watchers.tell(&change);
        if let Some(feed) = self.feed.get() {
            feed.put(&change);
        }
        // That nobody listens any more is no error.
        let _ = self.changes.send(change);
    }

    fn is_heard(&self) -> bool {
        let is_fed = || self.feed.get().is_some_and(FeedIn::is_open);
        self.changes.receiver_count() > 0 || self.watchers.any() || is_fed()
    }
}
