//! The server: a [`World`] behind an Event Socket, and the handle a test or the demo drives it with.
//!
//! One lock holds the world and the list of connections; whoever changes the world also hands its events
//! to the connections before letting go, so every client sees the same order. A driver task wakes when
//! something is due in the world. Per connection there is one task (`connection`) and one bounded queue.
//! Clients come over TCP or, to a switch in memory, by [`Switch::dial`]; then nothing but tokio's clock and
//! the seed decides what happens.

mod clock;
mod connection;
mod handle;
mod queue;
mod tape;

pub(crate) use clock::Clock;
pub use handle::{Seen, Which};
pub(crate) use tape::Numbers;

use super::events::Event;
use super::faults::Faults;
use super::session::Doorkeeper;
use super::world::{World, WorldOptions};
use connection::{Connection, Mode};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// What a switch begins with.
#[derive(Debug, Clone)]
pub struct SwitchOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The password of `auth`.
    pub password: String,
    /// `user@domain` and password for `userauth`.
    pub users: Vec<(String, String)>,
    /// The world behind it. Its clock begins at `started` and runs with the real one.
    pub world: WorldOptions,
    /// Time between two `HEARTBEAT` events; none if `None`.
    pub heartbeat: Option<Duration>,
    /// How many events wait for one client before they are lost.
    pub queue: usize,
}

impl Default for SwitchOptions {
    fn default() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = u64::try_from(started.as_micros()).unwrap_or_default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            password: "ClueCon".to_owned(),
            users: Vec::new(),
            world: WorldOptions { started, ..WorldOptions::default() },
            heartbeat: Some(Duration::from_secs(20)),
            queue: 100_000,
        }
    }
}

/// A running FreeSWITCH look-alike. It ends when it is dropped.
pub struct Switch {
    shared: Arc<Shared>,
    /// `None`: in memory.
    addr: Option<SocketAddr>,
    listener: Mutex<Option<JoinHandle<()>>>,
    driver: JoinHandle<()>,
}

/// What the tasks of a switch have in common.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something is due earlier than the driver knows.
    wake: Notify,
    /// Counts up with everything that happens.
    changes: watch::Sender<u64>,
    pub(crate) queue: usize,
    heartbeat: Option<Duration>,
}

/// Sees what is fired, before any fault.
type Witness = Box<dyn FnMut(&Event) + Send>;

pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) keeper: Doorkeeper,
    pub(crate) faults: Faults,
    connections: BTreeMap<u64, Arc<Connection>>,
    witness: Option<Witness>,
    /// Whether a switch in memory takes clients in.
    listening: bool,
    next_connection: u64,
    seen: VecDeque<Seen>,
    clock: Clock,
}

/// What waits in a connection in memory, in bytes: as much as in a socket.
const PIPE: usize = 256 << 10;
/// Commands remembered for [`Switch::commands`]; the oldest are forgotten.
const REMEMBERED: usize = 100_000;

impl State {
    pub(crate) fn remember(&mut self, seen: Seen) {
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    /// Tells connections what to do.
    pub(crate) fn tell(&self, which: Which, mode: Mode) {
        for connection in self.connections.values() {
            let meant = match which {
                Which::All => true,
                Which::Events => connection.listens(),
                Which::Commands => !connection.listens(),
                Which::Only(id) => connection.id == id,
            };
            if meant {
                // What is about to end cannot be called back.
                connection.mode.send_if_modified(|before| {
                    let lives = matches!(before, Mode::Run | Mode::Stall);
                    if lives {
                        *before = mode;
                    }
                    lives
                });
            }
        }
    }

    /// Hands an event to those who listen to it.
    fn deliver(&self, event: &Event) {
        let mut frames = connection::Frames::new(event);
        for connection in self.connections.values() {
            connection.offer(event, &mut frames);
        }
    }

    /// All events of the world, through the faults, to those who listen.
    fn publish(&mut self) {
        for event in self.world.drain() {
            self.send(event);
        }
    }

    /// An event, through the faults, to those who listen.
    fn send(&mut self, event: Event) {
        if let Some(witness) = &mut self.witness {
            witness(&event);
        }
        if self.faults.loses(&event) {
            return;
        }
        let again = self.faults.repeats().then(|| event.clone());
        for event in [Some(event), again].into_iter().flatten() {
            match &mut self.faults.disorder {
                Some(disorder) => {
                    if let Some(event) = disorder.push(event) {
                        self.deliver(&event);
                    }
                }
                None => self.deliver(&event),
            }
        }
    }

    /// Lets go what the disorder holds: nothing is held longer than the 20 ms between two looks of a real
    /// listener at its queue.
    fn flush(&mut self) {
        let held = self.faults.disorder.as_mut().map(|disorder| disorder.flush()).unwrap_or_default();
        for event in held {
            self.deliver(&event);
        }
    }
}

impl Shared {
    /// Nothing behind the lock is left half-done by a panic that matters to a look-alike.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, hands its events on, wakes whoever waits.
    pub(crate) fn act<R>(&self, change: impl FnOnce(&mut State, u64) -> R) -> R {
        let mut state = self.lock();
        let now = state.clock.now();
        let result = change(&mut state, now);
        state.publish();
        drop(state);
        self.wake.notify_one();
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Lets the world go on by itself.
    async fn drive(self: Arc<Self>) {
        let poll = Duration::from_millis(20);
        let mut beat = self.heartbeat.map(|period| Instant::now() + period);
        let mut flush = None;
        loop {
            let (due, held) = {
                let state = self.lock();
                (state.world.next_due().map(|at| state.clock.moment(at)), state.faults.disorder.is_some())
            };
            flush = held.then(|| flush.unwrap_or_else(|| Instant::now() + poll));
            let next = [due, beat, flush].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = self.wake.notified() => continue,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            let beats = beat.is_some_and(|at| at <= Instant::now());
            if beats {
                beat = self.heartbeat.map(|period| Instant::now() + period);
            }
            let flushes = flush.is_some_and(|at| at <= Instant::now());
            if flushes {
                flush = None;
            }
            self.act(|state, now| {
                state.world.advance(now);
                if beats {
                    state.world.heartbeat(now);
                }
                if flushes {
                    state.flush();
                }
            });
        }
    }
}

impl Switch {
    /// Starts a switch.
    pub async fn start(options: SwitchOptions) -> std::io::Result<Self> {
        let clock = Clock::running(options.world.started);
        let world = World::new(options.world.clone());
        Self::with_world(options, world, clock).await
    }

    /// Starts a switch around a world that is there already.
    pub(crate) async fn with_world(
        options: SwitchOptions,
        world: World,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let listener = bind(options.listen)?;
        let addr = listener.local_addr()?;
        let (shared, driver) = begin(options, world, clock);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, addr: Some(addr), listener: Mutex::new(Some(accepting)), driver })
    }

    /// Starts a switch that listens nowhere: see [`dial`](Self::dial).
    pub fn in_memory(options: SwitchOptions) -> Self {
        let clock = Clock::running(options.world.started);
        let world = World::new(options.world.clone());
        let (shared, driver) = begin(options, world, clock);
        Self { shared, addr: None, listener: Mutex::new(None), driver }
    }

    /// A client's end of a new connection in memory.
    pub fn dial(&self) -> std::io::Result<DuplexStream> {
        if !self.shared.lock().listening {
            return Err(std::io::ErrorKind::ConnectionRefused.into());
        }
        let (client, server) = tokio::io::duplex(PIPE);
        Connection::open(server, &self.shared);
        Ok(client)
    }
}

/// The heart of a switch, without a way to it.
fn begin(options: SwitchOptions, world: World, clock: Clock) -> (Arc<Shared>, JoinHandle<()>) {
    let keeper =
        Doorkeeper { password: options.password.clone(), users: options.users.clone(), refuse: false };
    let state = State {
        clock,
        world,
        keeper,
        faults: Faults::default(),
        connections: BTreeMap::new(),
        listening: true,
        witness: None,
        next_connection: 1,
        seen: VecDeque::new(),
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        wake: Notify::new(),
        changes: watch::Sender::new(0),
        queue: options.queue.max(1),
        heartbeat: options.heartbeat,
    });
    let driver = tokio::spawn(Arc::clone(&shared).drive());
    (shared, driver)
}

fn bind(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tracing::debug!(%peer, "sim: a client connects");
                Connection::open(stream, &shared);
            }
            // No more files, for instance: a moment later there may be some.
            Err(error) => {
                tracing::warn!(%error, "sim: cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
