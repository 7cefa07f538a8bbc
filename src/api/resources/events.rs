//! Events out of the API: websocket and server-sent events.
//!
//! ```text
//!              ┌ begins: what was missed, or a snapshot
//! subscription ┤ goes on: what the stream has behind its place
//!              └ falls behind: a gap, and a snapshot again
//! ```
//!
//! A subscription keeps a place in a stream ([`crate::hub::Stream`]) and nothing else; who is slow costs nobody
//! anything. `websocket` and `sse` put what it gives into their frames.

mod message;
mod running;
mod sse;
mod subscription;
mod websocket;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Context;
use crate::api::traffic::Counted;
use crate::api::{ApiError, Route};
use crate::config;
use crate::hub::Streams;

pub(super) use subscription::{Piece, Subscription};

/// How often it is looked whether a token is still good, at least.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// When somebody may have gone who was let in.
const AGAIN_AFTER_S: u32 = 10;

/// What subscribers have in common.
#[derive(Debug)]
pub struct Events {
    pub(super) streams: Arc<Streams>,
    pub(super) settings: config::Events,
    pub(super) tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
    /// Websockets and event streams, by credential.
    open: Mutex<HashMap<Arc<str>, usize>>,
    /// For metrics.
    pub(super) figures: Figures,
}

/// Who is told what happens.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) websockets: Gauge,
    pub(super) event_streams: Gauge,
    /// How often somebody was too slow and began anew.
    pub(super) gaps: Counter,
}

impl Events {
    /// Nobody has subscribed yet.
    #[must_use]
    pub fn new(streams: Arc<Streams>, settings: config::Events) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        Self { streams, settings, tasks, stopping, open: Mutex::default(), figures: Figures::default() }
    }

    /// Tells all subscribers that it ends, and waits until they have heard it.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// How long a subscriber may give no sign of life.
    pub(super) fn idle(&self) -> Duration {
        Duration::from_secs(self.settings.idle_timeout_s)
    }

    /// How often it is looked whether a token is still good.
    pub(super) fn check_every(&self) -> Duration {
        CHECK_EVERY.min(self.idle() / 2)
    }

    /// Lets one more in with that credential.
    ///
    /// # Errors
    /// 429: there are as many as may be.
    pub(super) fn enter(self: &Arc<Self>, credential: &Arc<str>) -> Result<Place, ApiError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(credential.clone()).or_insert(0);
        if *count >= self.settings.max_connections_per_token {
            return Err(ApiError::too_many_requests(AGAIN_AFTER_S)
                .with_data("reason", "events.max_connections_per_token"));
        }
        *count += 1;
        Ok(Place { events: Arc::clone(self), credential: credential.clone() })
    }
}

/// The right to be connected; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    events: Arc<Events>,
    credential: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.events.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.credential) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.credential);
            }
        }
    }
}

pub(super) fn routes() -> Vec<Route<Context>> {
    let mut routes = websocket::routes();
    routes.extend(sse::routes());
    routes
}
