//! What the rest of the daemon has of a node, and how its three tasks are started.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::backoff::Backoff;
use super::commands::{CommandError, Commands, Doubt, Reply};
use super::fences::{Fence, Fences, Heard, SUBCLASS};
use super::figures::{Counts, Figures};
use super::follow::{Answered, Follower};
use super::inquiry::ListError;
use super::jobs::{Job, Jobs};
use super::keep::keep_commands;
use super::lister::Lister;
use super::look::Look;
use super::outside::{Machine, Outside};
use super::report::Report;
use super::status::Status;
use super::version::Version;
use crate::config;
use crate::esl::{Command, Limits};
use crate::pulse::Pulse;
use crate::registry::{Graces, Mark, NodeCondition, Publish, Reconciled, Registry, Writer};
use crate::together::{Together, Turn};

/// How to reach a node, and within which limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name, address, credentials, times.
    pub node: config::Node,
    /// What it may send at most.
    pub limits: Limits,
    /// Each conference is listed once in about this time, whether anything was odd or not.
    pub audit_every: Duration,
    /// Channel variables whose names begin so are told with who joins.
    pub variable_prefixes: Vec<String>,
}

impl Settings {
    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.node.connect_timeout_ms)
    }

    pub(super) fn command_timeout(&self) -> Duration {
        Duration::from_millis(self.node.command_timeout_ms)
    }

    pub(super) fn heartbeat_timeout(&self) -> Duration {
        Duration::from_secs(self.node.heartbeat_timeout_s)
    }

    fn graces(&self) -> Graces {
        let millis = |seconds: u64| seconds.saturating_mul(1_000);
        Graces {
            stale_after_ms: millis(self.node.stale_after_s),
            gone_after_ms: millis(self.node.gone_after_s),
        }
    }
}

/// What the tasks of a node have in common.
pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) settings: Settings,
    pub(super) outside: Arc<dyn Outside>,
    pub(super) commands: Commands,
    pub(super) fences: Arc<Fences>,
    /// Fences that are asked for at the same moment are one.
    pub(super) fencing: Arc<Together<(), Result<Mark, CommandError>>>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) look: Look,
    /// Answers for the follower, which alone writes.
    pub(super) answers: mpsc::Sender<Answered>,
    /// The number of the event connection; 0 while there is none.
    pub(super) connection: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) figures: Figures,
    pub(super) told: Mutex<Told>,
    pub(super) event_trouble: Report,
    pub(super) command_trouble: Report,
    /// Ends its tasks.
    stop: CancellationToken,
    /// It is not followed any more, though the daemon goes on.
    taken_away: AtomicBool,
}

/// What the switch has told of itself.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) version: Option<Version>,
    pub(super) core: Option<String>,
}

impl Shared {
    /// How much has been heard of the switch.
    pub(super) fn heard(&self) -> Heard {
        Heard { connection: self.connection.load(Ordering::Acquire), reads: self.fences.reads() }
    }

    pub(super) fn backoff(&self) -> Backoff {
        let (millis, node) = (Duration::from_millis, &self.settings.node);
        Backoff::new(millis(node.reconnect_min_ms), millis(node.reconnect_max_ms), self.outside.seed())
    }

    pub(super) fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One FreeSWITCH, as the rest of the daemon sees it. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    pub(super) shared: Arc<Shared>,
    pub(super) registry: Arc<Registry>,
}

/// The tasks of a node.
pub struct Running {
    /// The node.
    pub node: Node,
    tasks: JoinSet<()>,
}

impl Running {
    /// Ends following the node: its conferences are gone, and it is not known any more.
    pub async fn take_away(self) {
        self.node.shared.taken_away.store(true, Ordering::Release);
        self.node.shared.stop.cancel();
        self.ended().await;
    }

    /// Waits until they have ended; they do when the token they were started with is cancelled.
    pub async fn ended(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(node = &*self.node.shared.name, "a task of the node panicked: {error}");
            }
        }
    }
}

impl Node {
    /// Starts to follow a node: events into the registry, changes to `publish`.
    pub fn start<P: Publish + 'static>(
        settings: Settings,
        registry: Arc<Registry>,
        publish: P,
        stop: &CancellationToken,
    ) -> Running {
        Self::start_beating(settings, registry, publish, Pulse::off(), stop)
    }

    /// The same; the event task has that pulse.
    pub fn start_beating<P: Publish + 'static>(
        settings: Settings,
        registry: Arc<Registry>,
        publish: P,
        pulse: Pulse,
        stop: &CancellationToken,
    ) -> Running {
        Self::start_all(Arc::new(Machine), settings, registry, publish, pulse, stop)
    }

    /// The same with another world outside.
    pub fn start_in<P: Publish + 'static>(
        outside: Arc<dyn Outside>,
        settings: Settings,
        registry: Arc<Registry>,
        publish: P,
        stop: &CancellationToken,
    ) -> Running {
        Self::start_all(outside, settings, registry, publish, Pulse::off(), stop)
    }

    fn start_all<P: Publish + 'static>(
        outside: Arc<dyn Outside>,
        settings: Settings,
        registry: Arc<Registry>,
        publish: P,
        pulse: Pulse,
        stop: &CancellationToken,
    ) -> Running {
        let name: Arc<str> = settings.node.name.as_str().into();
        let (commands, pipeline) = Commands::new();
        let (answers, answered) = mpsc::channel(16);
        let (fences, lost) = Fences::new(outside.seed());
        let shared = Arc::new(Shared {
            name: name.clone(),
            settings,
            commands,
            fences: Arc::new(fences),
            fencing: Arc::default(),
            jobs: Arc::default(),
            outside,
            look: Look::default(),
            answers,
            connection: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            figures: Figures::default(),
            told: Mutex::default(),
            event_trouble: Report::default(),
            command_trouble: Report::default(),
            stop: stop.child_token(),
            taken_away: AtomicBool::new(false),
        });
        let stop = shared.stop.clone();
        registry.set_node(&name, NodeCondition::Unlisted, shared.outside.now());
        let node = Self { shared: shared.clone(), registry: registry.clone() };
        let writer = Writer::new(registry, name, publish).with_graces(shared.settings.graces());
        let mut tasks = JoinSet::new();
        // Of the highest level, as all spans here: whatever is logged, it is told of which node.
        let span = |task| tracing::error_span!("node", node = &*node.shared.name, task);
        let asked = pulse.of_task(format!("the commands of node {}", node.shared.name));
        let listed = pulse.of_task(format!("the lists of node {}", node.shared.name));
        let follower = Follower::new(shared.clone(), writer, answered, lost, pulse);
        tasks.spawn(follow(follower, shared.clone()).instrument(span("events")));
        let commands = stop.clone().run_until_cancelled_owned(keep_commands(shared, pipeline));
        tasks.spawn(watched(commands, asked).instrument(span("commands")));
        let lists = stop.run_until_cancelled_owned(Lister::new(node.clone()).run());
        tasks.spawn(watched(lists, listed).instrument(span("lists")));
        Running { node, tasks }
    }

    /// Is cancelled when the node is not followed any more.
    pub fn stopped(&self) -> &CancellationToken {
        &self.shared.stop
    }

    /// The node's name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.shared.name
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        let (shared, now) = (&self.shared, self.shared.outside.now());
        let told = shared.told();
        Status {
            events_connected: shared.connection.load(Ordering::Acquire) != 0,
            commands_connected: shared.commands.is_connected(),
            version: told.version,
            core: told.core.clone(),
            connections: shared.connections.load(Ordering::Relaxed),
            events: shared.figures.events(),
            events_per_s: shared.figures.events_per_s(now),
            last_event_ago: shared.figures.last_event_ago(now),
            uptime: shared.figures.uptime(now),
            drifts: shared.figures.drifts(),
            command_latency: shared.figures.latency(),
            trouble: shared.event_trouble.trouble().or_else(|| shared.command_trouble.trouble()),
        }
    }

    /// What only metrics tell of it.
    pub fn counts(&self) -> Counts {
        self.shared.figures.counts()
    }

    /// Whether members can be addressed by their call.
    pub fn has_uuid_selectors(&self) -> bool {
        self.shared.told().version.is_none_or(|version| version >= Version::UUID_SELECTORS)
    }

    /// Sends an `api` command and gives what it printed.
    ///
    /// # Errors
    /// [`CommandError`] says whether it may have been executed.
    pub async fn api(&self, line: &str) -> Result<Reply, CommandError> {
        self.send(Command::api(line)?).await
    }

    /// Waits until commands can be sent.
    pub async fn commands_connected(&self) {
        self.shared.commands.connected().await;
    }

    /// Waits for a job from now on, before it is [begun](Self::begin_job).
    pub fn watch_job(&self, id: &str) -> Job {
        self.shared.jobs.watch(id)
    }

    /// Has an `api` command executed beside all others, as a `bgapi` job; the reply says only that it was begun.
    ///
    /// # Errors
    /// As [`Node::api`].
    pub async fn begin_job(&self, line: &str, job: &Job) -> Result<Reply, CommandError> {
        self.send(Command::with_headers(&format!("bgapi {line}"), &[("Job-UUID", job.id())])?).await
    }

    pub(super) async fn send(&self, command: Command) -> Result<Reply, CommandError> {
        let (sent, before) = (Instant::now(), self.silence());
        let within = self.shared.settings.command_timeout();
        let reply = self.shared.commands.send(command, within).await;
        match reply {
            Ok(_) => self.shared.figures.answered(sent.elapsed()),
            Err(CommandError::Timeout) => self.waited_in_vain(before),
            Err(_) => {}
        }
        reply
    }

    /// What has been heard on both connections.
    fn silence(&self) -> (Heard, u64) {
        (self.shared.heard(), self.shared.commands.answers())
    }

    /// A command has had its time. A switch that is slow to answer goes on telling, or answers somebody else;
    /// of one that has done neither since the connection may have died. If there is no other one to be had, the
    /// events have died, too: see `keep_commands`.
    fn waited_in_vain(&self, since: (Heard, u64)) {
        if since == self.silence() {
            self.shared.commands.doubt(Doubt::Dead(self.shared.settings.command_timeout()));
        }
    }

    /// Sends a fence and waits until it comes by on the event connection: all that the switch had told
    /// before has been applied then.
    ///
    /// # Errors
    /// If it does not come by: there is no event connection, or not in time.
    pub async fn fence(&self) -> Result<Mark, CommandError> {
        let node = self.clone();
        let asked = self.shared.fencing.ask((), move |_, turn| node.clone().put_up(turn));
        match tokio::time::timeout(self.shared.settings.command_timeout(), asked).await {
            Ok(seen) => seen.unwrap_or(Err(CommandError::Interrupted)),
            // Whoever has sent it draws his conclusions.
            Err(_) => Err(CommandError::Timeout),
        }
    }

    /// Sends a fence and waits for it. Once it is accepted the next one may be sent.
    async fn put_up(self, turn: Turn) -> Result<Mark, CommandError> {
        let began = Instant::now();
        let before = self.silence();
        let mut fence = self.send_fence(before.0).await?;
        drop(turn);
        let accepted = Instant::now();
        let within = self.shared.settings.command_timeout();
        match tokio::time::timeout_at(began + within, fence.wait()).await {
            Ok(seen) => {
                let seen = seen.inspect(|_| self.shared.figures.fenced(accepted.elapsed()));
                seen.ok_or(CommandError::Interrupted)
            }
            Err(_) => {
                // After an answer that came late itself the fence may still be on its way.
                if accepted.elapsed() >= within / 2 {
                    self.shared.fences.missed(before.0);
                }
                Err(CommandError::Timeout)
            }
        }
    }

    async fn send_fence(&self, before: Heard) -> Result<Fence, CommandError> {
        if before.connection == 0 {
            return Err(CommandError::Unavailable);
        }
        let fence = self.shared.fences.put_up();
        let headers = [("Event-Subclass", SUBCLASS), ("Fence-ID", fence.id.as_str())];
        let reply = self.send(Command::with_headers("sendevent CUSTOM", &headers)?).await?;
        if !reply.text().starts_with("+OK") {
            tracing::warn!(node = &**self.name(), "FreeSWITCH does not send the fence: {}", reply.text());
            return Err(CommandError::Unavailable);
        }
        Ok(fence)
    }

    /// Has a conference listed soon: something about it looks odd.
    pub fn look_at(&self, conference: &str) {
        self.shared.look.at(conference);
    }

    /// Lists one conference and compares.
    ///
    /// # Errors
    /// If there is no list, or it came too late to be compared with.
    pub async fn list_conference(&self, name: &str) -> Result<Reconciled, ListError> {
        super::inquiry::list_conference(self, name).await
    }
}

/// Follows a node until it is stopped. Whoever takes it away is told here: the writer is here.
async fn follow<P: Publish>(mut follower: Follower<P>, shared: Arc<Shared>) {
    shared.stop.run_until_cancelled(follower.run()).await;
    if shared.taken_away.load(Ordering::Acquire) {
        follower.take_away();
    }
}

/// Ends as nothing, whether stopped or done; that it panics is missed at its pulse.
async fn watched(task: impl Future, pulse: Pulse) {
    let _pulse = pulse;
    task.await;
}
