//! A daemon with all its parts, running.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::following::{Following, NodeChanges};
use super::{database, sweep};
use crate::actions::Dialling;
use crate::actions::words::Places;
use crate::amqp::{self, Broker, Publisher};
use crate::api::resources::{self, Context, Events, Ledger, Owners, Sources, Standing};
use crate::api::{self, Api, Server, Stopped};
use crate::auth::{AccountId, Authenticator, Guard, MonotonicClock, Pace};
use crate::callin::{self, CallIn, Waiting};
use crate::cli::Failure;
use crate::config::{Config, Listen};
use crate::documents::Documents;
use crate::hub::{Hub, Origin, Sorter, Streams};
use crate::pulse::Pulses;
use crate::registry::Registry;
use crate::store::{Clock, Store};
use crate::switchboard::{Dials, Switchboard};
use crate::tls::Certificate;

/// So long a stop waits for the rows of what was done last.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// And for subscribers to hear that it ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// A running daemon. Dropping it leaves its tasks running: [`Daemon::stop`] ends them.
pub struct Daemon {
    listening: Vec<Listen>,
    certificate: Option<Arc<Certificate>>,
    context: Arc<Context>,
    hub: Hub,
    /// As it is in force.
    config: Config,
    following: Following,
    store: Arc<dyn Store>,
    stop_serving: CancellationToken,
    stop_following: CancellationToken,
    serving: JoinHandle<Stopped>,
    sweeping: JoinHandle<()>,
    sorting: JoinHandle<()>,
    publishing: Option<Publisher>,
    callin: Option<CallIn>,
}

/// What reading the configuration again has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The nodes.
    pub nodes: NodeChanges,
    /// Keys that have another value in the file, and keep theirs until the daemon is started again.
    pub for_restart: Vec<&'static str>,
}

impl Daemon {
    /// Starts everything. Does not wait for the nodes: what is not known yet is said to be.
    ///
    /// # Errors
    /// If the database cannot be opened, or the address is taken.
    pub async fn start(config: &Config) -> Result<Self, Failure> {
        Self::start_by(config, MonotonicClock::system()).await
    }

    /// Likewise; its loops have pulses.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub async fn start_beating(config: &Config, pulses: &Pulses) -> Result<Self, Failure> {
        Self::start_all(config, MonotonicClock::system(), pulses).await
    }

    /// Likewise; the clock tells how long wrong credentials count and how long the database failed.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub async fn start_by(config: &Config, monotonic: MonotonicClock) -> Result<Self, Failure> {
        Self::start_all(config, monotonic, &Pulses::off()).await
    }

    async fn start_all(config: &Config, monotonic: MonotonicClock, pulses: &Pulses) -> Result<Self, Failure> {
        // Everything that may fail comes before the first task.
        let default_account = default_account(config)?;
        let dialling = dialling(config)?;
        let broker = broker(config)?;
        let router = resources::router(&config.metrics).map_err(anyhow::Error::new)?;
        let store = database::open(config).await?;
        let server = match Server::bind(&config.api).await {
            Ok(server) => server.beating(pulses.of("accepting connections")),
            Err(error) => {
                store.close().await;
                return Err(anyhow::Error::new(error).into());
            }
        };
        let (listening, certificate) = (server.places(), server.certificate().cloned());
        let (hub, registry, clock) = (Hub::default(), Arc::new(Registry::new()), Clock::system());
        // Before the nodes begin: nothing is missed.
        let changes = hub.feed().ok_or_else(|| anyhow::anyhow!("the hub feeds somebody already"))?;
        let notices = hub.listen_to_notices();
        let daemon = config.events.node_name.clone().unwrap_or_else(host_name);
        let streams = Arc::new(Streams::new(Origin { daemon: daemon.as_str().into() }));
        let publishing =
            broker.map(|broker| Publisher::start(broker, &config.amqp, &config.events, &streams));
        let stop_following = CancellationToken::new();
        let following = Following::start(config, &registry, &hub, pulses, &stop_following);
        let switchboard = Arc::new(Switchboard::new(
            registry.clone(),
            following.nodes(),
            hub.clone(),
            config.conference.kick_sound,
            effect_within(config),
        ));
        let documents = Documents::new(store.clone(), clock.clone());
        let waiting = Arc::new(Waiting::default());
        let keep_days = config.database.audit_keep_days;
        let sweeping = sweep::start(store.clone(), clock.clone(), keep_days, stop_following.clone());
        let limits = api::Limits::from(&config.api);
        let places = Places {
            roots: config.media.roots.clone(),
            schemes: config.media.schemes.clone(),
            recordings: config.media.recordings.clone(),
        };
        let context = Arc::new(Context {
            registry: registry.clone(),
            switchboard: switchboard.clone(),
            documents: documents.clone(),
            document_turns: Semaphore::new(resources::DOCUMENT_TURNS),
            guard: Guard::new(
                Authenticator::with_clocks(store.clone(), clock.clone(), monotonic),
                Pace::new(NonZeroU32::new(config.api.max_requests_per_s)),
            ),
            store: store.clone(),
            default_account: default_account.clone(),
            owners: Owners::default(),
            standing: Standing::new(clock.clone()),
            ledger: Ledger::new(clock, limits.answer_timeout),
            places: places.clone(),
            dialling: dialling.clone(),
            waiting: waiting.clone(),
            dials: Dials::new(config.dial.max_pending as usize, Dials::BEYOND),
            events: Arc::new(Events::new(streams.clone(), config.events.clone())),
            silence_allowed: limits.idle_timeout,
            metrics: config.metrics.clone(),
            sources: OnceLock::new(),
            timestamps: config.conference.timestamps,
        });
        let whose = Arc::new(resources::Asking(context.clone()));
        let sorter = Sorter::new(streams, whose).beating(pulses.of("sorting what happens"));
        let sorter = sorter.run(changes, notices, stop_following.clone());
        let sorting = tokio::spawn(sorter);
        let api = Api::new(context.clone(), router, limits);
        let api = api.behind(config.api.trusted_proxies.clone()).for_origins(config.api.cors_origins.clone());
        let api = Arc::new(api);
        let callin = config.callin.enabled.then(|| {
            let parts = callin::Parts {
                registry,
                documents,
                switchboard,
                hub: hub.clone(),
                media: places,
                uri: dialling.uri,
                default_account,
                daemon,
                waiting,
            };
            CallIn::start(parts, config, &following.nodes(), &stop_following)
        });
        let (traffic, published) = (api.traffic().clone(), publishing.as_ref().map(Publisher::reader));
        let sources = Sources { traffic, published, callin: callin.clone() };
        let _ = context.sources.set(sources);
        let stop_serving = CancellationToken::new();
        let serving = tokio::spawn(server.serve(api, stop_serving.clone().cancelled_owned()));
        Ok(Self {
            listening,
            certificate,
            context,
            hub,
            config: config.clone(),
            following,
            store,
            stop_serving,
            stop_following,
            serving,
            sweeping,
            sorting,
            publishing,
            callin,
        })
    }

    /// The configuration that is in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the API listens, with the real ports; one place at least.
    pub fn places(&self) -> &[Listen] {
        &self.listening
    }

    /// The first of them that is an address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listening.iter().find_map(Listen::tcp)
    }

    /// What its handlers work with.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// What happens, as it happens.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// How it is going with the broker, if one is configured.
    pub fn published(&self) -> Option<amqp::Figures> {
        self.publishing.as_ref().map(Publisher::figures)
    }

    /// Who lets callers in, if that is configured.
    pub fn callin(&self) -> Option<&CallIn> {
        self.callin.as_ref()
    }

    /// Takes over what may change while it runs: the nodes, `callin.banned`; the rest stays. Nodes about which nothing
    /// is another are not touched. The configuration was checked.
    pub async fn reload(&mut self, new: &Config) -> Reloaded {
        let for_restart = self.config.changed_for_restart(new);
        let nodes = self.following.changes(&new.node);
        // What stays is what was read at the start.
        self.config.node.clone_from(&new.node);
        self.config.callin.banned.clone_from(&new.callin.banned);
        self.config.log.level.clone_from(&new.log.level);
        let gone: Vec<_> = nodes.removed.iter().chain(&nodes.changed).collect();
        let board = &self.context.switchboard;
        // Nothing is sent any more to what is going to be away.
        let stay = self.following.nodes().into_iter();
        board.set_nodes(stay.filter(|node| !gone.iter().any(|gone| **gone == **node.name())));
        self.following.take_away(&nodes).await;
        let begun = self.following.follow(&self.config);
        board.set_nodes(self.following.nodes());
        if let Some(callin) = &self.callin {
            callin.configure(&self.config);
            begun.iter().for_each(|node| callin.follow(node));
        }
        self.look_at_certificate().await;
        Reloaded { nodes, for_restart }
    }

    /// Takes over a new certificate at once; it is looked at now and then anyway.
    async fn look_at_certificate(&self) {
        let Some(certificate) = self.certificate.clone() else { return };
        let looking = tokio::task::spawn_blocking(move || {
            let look = certificate.look();
            certificate.tell(&look);
        });
        if let Err(error) = looking.await {
            tracing::error!("the certificate of the API was not looked at: {error}");
        }
    }

    /// Stops everything: requests in flight are finished, within the configured grace.
    pub async fn stop(self) -> Stopped {
        self.stop_serving.cancel();
        if timeout(FAREWELL, self.context.events.stop()).await.is_err() {
            tracing::warn!("some subscribers have not heard that the daemon stops");
        }
        let stopped = self.serving.await.unwrap_or_else(|error| {
            tracing::error!("the API ended by itself: {error}");
            Stopped::default()
        });
        self.stop_following.cancel();
        self.following.ended().await;
        if let Some(callin) = self.callin {
            callin.stopped().await;
        }
        // The nodes are gone: what was asked of them ends by itself.
        if timeout(SETTLED_WITHIN, self.context.ledger.settled()).await.is_err() {
            tracing::error!("what is still being done on the switch is not in the audit log");
        }
        self.context.dials.stop().await;
        if let Err(error) = self.sweeping.await {
            tracing::error!("the deletion of what is old ended by itself: {error}");
        }
        if let Err(error) = self.context.guard.authenticator().flush_last_used().await {
            tracing::warn!("when tokens were used last is not noted: {error}");
        }
        if let Err(error) = self.sorting.await {
            tracing::error!("the sorting of what happens ended by itself: {error}");
        }
        if let Some(publishing) = self.publishing {
            publishing.stop().await;
        }
        self.store.close().await;
        stopped
    }
}

fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match told.trim() {
        "" => "convened".to_owned(),
        name => name.to_owned(),
    }
}

/// Seeing the effect of a command may take as long as its reply, and together they end before the
/// request does.
fn effect_within(config: &Config) -> Duration {
    let slowest = config.node.iter().map(|node| node.command_timeout_ms).max().unwrap_or(10_000);
    Duration::from_millis(slowest.min(config.api.answer_timeout_ms / 3))
}

fn broker(config: &Config) -> Result<Option<Broker>, Failure> {
    config.amqp.broker().map_err(|(key, why)| Failure::Config(format!("{key}: {why}")))
}

fn dialling(config: &Config) -> Result<Dialling, Failure> {
    Dialling::new(&config.dial).map_err(|wrong| {
        let wrong = wrong.into_iter().map(|(key, why)| format!("{key}: {why}"));
        Failure::Config(wrong.collect::<Vec<_>>().join("\n"))
    })
}

fn default_account(config: &Config) -> Result<Option<AccountId>, Failure> {
    let parse = |account: &String| {
        account.parse().map_err(|error| Failure::Config(format!("conference.default_account: {error}")))
    };
    config.conference.default_account.as_ref().map(parse).transpose()
}
