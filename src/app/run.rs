//! `convened run`: a daemon until it is told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::service::{self, Begun, Systemd};
use super::{Daemon, NodeChanges, Reloaded};
use crate::cli::{Again, Failure};
use crate::config::Config;
use crate::pulse::Pulses;

/// Runs the daemon until SIGTERM or SIGINT; SIGHUP has it read its configuration again.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: Config, mut again: Again) -> Result<(), Failure> {
    let mut stopping = Signals::new()?;
    let mut reloading = caught(SignalKind::hangup())?;
    // Shells often give 1024 descriptors, as many as there may be clients; the rest is for switches and the database.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::debug!(%error, "the number of file descriptors stays as it is");
    }
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    let (systemd, watchdog) = (Systemd::of_process(), service::watchdog());
    let pulses = watchdog.map_or_else(Pulses::off, Pulses::on);
    let begun = Begun::default();
    // From now on: the database and the nodes may take longer than the watchdog waits.
    let attending = service::attend(systemd.clone(), begun.clone(), pulses.clone(), watchdog);
    let attending = tokio::spawn(attending);
    let mut daemon = tokio::select! {
        started = Daemon::start_beating(&config, &pulses) => started?,
        signal = stopping.received() => {
            tracing::info!(signal, "stopping before it has started");
            systemd.stopping();
            systemd.heard().await;
            return Ok(());
        }
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %daemon.places().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        database = config.database.url_without_password(),
        nodes = config.node.len(),
        "serving"
    );
    let context = daemon.context().clone();
    let _ = begun.set(context.clone());
    let watching = tokio::spawn(service::watch_database(context.clone()));
    let getting_ready = tokio::spawn({
        let systemd = systemd.clone();
        async move {
            service::ready(&context).await;
            systemd.ready(&service::status(&context));
        }
    });
    let signal = loop {
        tokio::select! {
            signal = stopping.received() => break signal,
            Some(()) = reloading.recv() => reload(&mut daemon, &mut again, &systemd).await,
        }
    };
    tracing::info!(signal, "stopping");
    getting_ready.abort();
    watching.abort();
    systemd.stopping();
    let stopped = daemon.stop().await;
    attending.abort();
    systemd.heard().await;
    tracing::info!(connections = stopped.connections, cut_off = stopped.aborted_requests, "stopped");
    Ok(())
}

/// Reads the configuration again. A broken one changes nothing.
async fn reload(daemon: &mut Daemon, again: &mut Again, systemd: &Systemd) {
    tracing::info!(signal = "SIGHUP", file = %again.file.display(), "reading the configuration again");
    let is_told = systemd.reloading();
    let read = Config::load(&again.file, &again.environment);
    daemon.context().standing.configuration_read(read.is_ok());
    match read {
        Ok(config) => {
            take_over(daemon, &config, again).await;
            for remark in config.remarks() {
                tracing::warn!("{remark}");
            }
        }
        Err(error) => {
            for problem in error.to_string().lines() {
                tracing::error!("{problem}");
            }
            tracing::error!("the configuration cannot work and changes nothing");
        }
    }
    if is_told {
        systemd.reloaded(&service::status(daemon.context()));
    }
}

async fn take_over(daemon: &mut Daemon, config: &Config, again: &mut Again) {
    if let Err(error) = again.level.set(&config.log.level) {
        tracing::error!("log.level: {error}");
    }
    for (key, variable) in again.written.renew(&again.file, &again.environment) {
        tracing::warn!(
            key,
            variable,
            "has another value in the file now, over which that of the environment stands"
        );
    }
    let Reloaded { nodes: NodeChanges { added, removed, changed }, for_restart } =
        daemon.reload(config).await;
    for key in for_restart {
        tracing::warn!(key, "has another value now, which counts after a restart");
    }
    tracing::info!(?added, ?removed, ?changed, "the configuration is taken over");
}

fn caught(kind: SignalKind) -> Result<Signal, Failure> {
    Ok(signal(kind).map_err(|error| anyhow::Error::new(error).context("signals cannot be caught"))?)
}

/// The signals that end a daemon.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { terminate: caught(SignalKind::terminate())?, interrupt: caught(SignalKind::interrupt())? })
    }

    /// Waits for the first one; its name.
    pub(super) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
