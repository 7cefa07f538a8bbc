//! Accepts, counts and stops connections. Knows no HTTP.

mod accept;
mod listener;
mod socket;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::connection::{FAREWELL, say_goodbye, serve};
use super::dispatch::Tasks;
use super::{Api, ApiError, Gate};
use crate::config::{self, Listen};
use crate::pulse::Pulse;
use crate::tls::Certificate;
use accept::Backoff;
use listener::Listener;
pub(super) use listener::{Arrived, Stream};
pub use listener::{BindError, NotBound};

/// Connections beyond the limit that are told so at the same time; the others are closed at once.
const MAX_FAREWELLS: usize = 64;
/// For tasks that were told to end; only one that blocks its thread takes longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// What a server did in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were served.
    pub connections: u64,
    /// Connections that were refused because as many were open as may be.
    pub refused: u64,
    /// Connections that were cut off at the end of the grace.
    pub aborted_connections: usize,
    /// Requests that were cut off at the end of the grace.
    pub aborted_requests: usize,
}

/// Listening sockets.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    certificate: Option<Arc<Certificate>>,
    pulse: Pulse,
}

impl Server {
    /// Listens; connections wait until [`Server::serve`]. Port 0 takes a free one.
    ///
    /// # Errors
    /// Names the place and what is the matter with it.
    pub async fn bind(settings: &config::Api) -> Result<Self, BindError> {
        let (listeners, certificate) = listener::bind_all(settings).await?;
        Ok(Self { listeners, certificate, pulse: Pulse::off() })
    }

    /// The same; its loop has that pulse.
    #[must_use]
    pub fn beating(self, pulse: Pulse) -> Self {
        Self { pulse, ..self }
    }

    /// Where it listens, with the real ports.
    pub fn places(&self) -> Vec<Listen> {
        self.listeners.iter().map(|listener| listener.place.clone()).collect()
    }

    /// The certificate of those places that speak TLS.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// Serves until `stop` resolves. Then new connections are refused, idle ones closed and requests
    /// in flight finished, all within the grace; what is left after it is cut off.
    pub async fn serve<C: Gate>(self, api: Arc<Api<C>>, stop: impl Future<Output = ()>) -> Stopped {
        let (stopping, tasks, connections) = (CancellationToken::new(), Tasks::default(), TaskTracker::new());
        let counts = Arc::new(Counts::default());
        let door = Door {
            farewells: Arc::new(Semaphore::new(MAX_FAREWELLS)),
            connections: connections.clone(),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
            counts: Arc::clone(&counts),
            api: Arc::clone(&api),
        };
        for listener in &self.listeners {
            info!(address = %listener.place, "the API listens");
        }
        let watching = self.certificate.map(|certificate| tokio::spawn(certificate.watch()));
        // All in one task: one that is stuck is seen at the one pulse.
        let accepting = join_all(self.listeners.iter().map(|listener| door.attend(listener)));
        tokio::select! {
            biased;
            () = stop => {}
            _ = accepting => {}
            () = beat(&self.pulse) => {}
        }
        if let Some(watching) = watching {
            watching.abort();
        }
        // What is in flight has its own time.
        drop(self.pulse);
        // Closes the sockets: who comes now is refused by the system.
        drop(self.listeners);
        stopping.cancel();
        let (aborted_connections, aborted_requests) =
            finish(&connections, &tasks, api.limits().shutdown_grace).await;
        let stopped = Stopped {
            connections: counts.served.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
            aborted_connections,
            aborted_requests,
        };
        info!(?stopped, "the API has stopped");
        stopped
    }
}

/// Says that the task of the listeners lives. Never ends.
async fn beat(pulse: &Pulse) {
    loop {
        pulse.beat();
        pulse.due().await;
    }
}

/// Waits for what is in flight, then ends it. Tells what was cut off.
async fn finish(connections: &TaskTracker, tasks: &Tasks, grace: Duration) -> (usize, usize) {
    connections.close();
    tasks.tracker.close();
    let all = async {
        connections.wait().await;
        tasks.tracker.wait().await;
    };
    let mut all = pin!(all);
    if timeout(grace, &mut all).await.is_ok() {
        return (0, 0);
    }
    let aborted = (connections.len(), tasks.tracker.len());
    tasks.kill.cancel();
    if timeout(KILL_TIMEOUT, all).await.is_err() {
        warn!("a request blocks its thread and was left behind");
    }
    aborted
}

#[derive(Default)]
struct Counts {
    served: AtomicU64,
    refused: AtomicU64,
}

/// Lets connections in, or tells them that it is full.
struct Door<C: Gate> {
    farewells: Arc<Semaphore>,
    connections: TaskTracker,
    tasks: Tasks,
    stopping: CancellationToken,
    counts: Arc<Counts>,
    api: Arc<Api<C>>,
}

impl<C: Gate> Door<C> {
    /// Accepts what comes to one place. Never ends.
    async fn attend(&self, listener: &Listener) {
        let mut backoff = Backoff::default();
        // Its own: when one address is full an operator gets in by another.
        let places = Arc::new(Semaphore::new(self.api.limits().max_connections));
        loop {
            match listener.accept().await {
                Ok(arrived) => {
                    backoff = Backoff::default();
                    self.enter(arrived, &places);
                }
                Err(error) if accept::is_of_one_connection(&error) => debug!(%error, "a connection was lost"),
                Err(error) => {
                    // Out of file descriptors, most likely: it would fail again at once.
                    let pause = backoff.next_pause();
                    warn!(address = %listener.place, %error, ?pause, "no connection can be accepted");
                    sleep(pause).await;
                }
            }
        }
    }

    fn enter(&self, arrived: Arrived, places: &Arc<Semaphore>) {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            self.counts.served.fetch_add(1, Ordering::Relaxed);
            self.api.traffic().connections.inc();
            let (api, tasks, stopping) = (Arc::clone(&self.api), self.tasks.clone(), self.stopping.clone());
            self.connections.spawn(serve(arrived, place, api, tasks, stopping));
            return;
        }
        let refused = self.counts.refused.fetch_add(1, Ordering::Relaxed) + 1;
        self.api.traffic().refused.inc();
        // A flood would fill the log: powers of two are enough to see its size.
        if refused.is_power_of_two() {
            warn!(refused, "as many connections are open as may be (api.max_connections)");
        }
        // Too many refusals at once: closed without a word.
        let Ok(turn) = Arc::clone(&self.farewells).try_acquire_owned() else { return };
        let kill = self.tasks.kill.clone();
        self.connections.spawn(async move {
            let goodbye = async {
                if let Ok(Some(stream)) = timeout(FAREWELL, arrived.open()).await {
                    say_goodbye(stream, &ApiError::too_many_connections()).await;
                }
            };
            tokio::select! {
                () = goodbye => {}
                () = kill.cancelled() => {}
            }
            drop(turn);
        });
    }
}
