//! Accepts, counts and stops connections. Knows no HTTP.

mod accept;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::connection::{say_goodbye, serve};
use super::dispatch::Tasks;
use super::{Api, ApiError, Gate};
use crate::pulse::Pulse;
use accept::Backoff;

/// Connections beyond the limit that are told so at the same time; the others are closed at once.
const MAX_FAREWELLS: usize = 64;
/// For tasks that were told to end; only one that blocks its thread takes longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// The address could not be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The address as it was configured.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, source } = self;
        match source.kind() {
            io::ErrorKind::AddrInUse => write!(f, "{address}: the port is taken by another program"),
            io::ErrorKind::AddrNotAvailable => write!(f, "{address}: this machine does not have the address"),
            io::ErrorKind::PermissionDenied => write!(f, "{address}: not allowed to listen on this port"),
            _ => write!(f, "{address}: cannot be listened on: {source}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

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

/// A listening socket.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    pulse: Pulse,
}

impl Server {
    /// Listens; connections wait until [`Server::serve`]. Port 0 takes a free one.
    ///
    /// # Errors
    /// Names the address and what is the matter with it.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let refused = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, pulse: Pulse::off() })
    }

    /// The same; its loop has that pulse.
    #[must_use]
    pub fn beating(self, pulse: Pulse) -> Self {
        Self { pulse, ..self }
    }

    /// The address with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves. Then new connections are refused, idle ones closed and requests
    /// in flight finished, all within the grace; what is left after it is cut off.
    pub async fn serve<C: Gate>(self, api: Arc<Api<C>>, stop: impl Future<Output = ()>) -> Stopped {
        let (stopping, tasks, connections) = (CancellationToken::new(), Tasks::default(), TaskTracker::new());
        let counts = Arc::new(Counts::default());
        let door = Door {
            places: Arc::new(Semaphore::new(api.limits().max_connections)),
            farewells: Arc::new(Semaphore::new(MAX_FAREWELLS)),
            connections: connections.clone(),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
            counts: Arc::clone(&counts),
            api: Arc::clone(&api),
        };
        info!(address = %self.address, "the API listens");
        let mut stop = pin!(stop);
        let mut backoff = Backoff::default();
        loop {
            self.pulse.beat();
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.pulse.due() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    backoff = Backoff::default();
                    door.enter(stream, peer);
                }
                Err(error) if accept::is_of_one_connection(&error) => debug!(%error, "a connection was lost"),
                Err(error) => {
                    // Out of file descriptors, most likely: it would fail again at once.
                    let pause = backoff.next_pause();
                    warn!(%error, ?pause, "no connection can be accepted");
                    tokio::select! {
                        biased;
                        () = &mut stop => break,
                        () = sleep(pause) => {}
                    }
                }
            }
        }
        // What is in flight has its own time.
        drop(self.pulse);
        // Closes the socket: who comes now is refused by the system.
        drop(self.listener);
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
    places: Arc<Semaphore>,
    farewells: Arc<Semaphore>,
    connections: TaskTracker,
    tasks: Tasks,
    stopping: CancellationToken,
    counts: Arc<Counts>,
    api: Arc<Api<C>>,
}

impl<C: Gate> Door<C> {
    fn enter(&self, stream: TcpStream, peer: SocketAddr) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.counts.served.fetch_add(1, Ordering::Relaxed);
            self.api.traffic().connections.inc();
            let (api, tasks, stopping) = (Arc::clone(&self.api), self.tasks.clone(), self.stopping.clone());
            self.connections.spawn(serve(stream, peer, place, api, tasks, stopping));
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
            let full = ApiError::too_many_connections();
            tokio::select! {
                () = say_goodbye(stream, &full) => {}
                () = kill.cancelled() => {}
            }
            drop(turn);
        });
    }
}
