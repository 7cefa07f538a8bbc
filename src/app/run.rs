//! `convened run`: a daemon until it is told to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Daemon, NodeChanges, Reloaded, service};
use crate::cli::{Again, Failure};
use crate::config::Config;
use crate::pulse::Pulses;

/// Runs the daemon until SIGTERM or SIGINT; SIGHUP has it read its configuration again.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: Config, again: Again) -> Result<(), Failure> {
    let mut stopping = Signals::new()?;
    let mut reloading = caught(SignalKind::hangup())?;
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    let watchdog = service::watchdog();
    let pulses = watchdog.map_or_else(Pulses::off, Pulses::on);
    let mut daemon = Daemon::start_beating(&config, &pulses).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %daemon.places().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        database = config.database.url_without_password(),
        nodes = config.node.len(),
        "serving"
    );
    let context = daemon.context().clone();
    let attending = tokio::spawn(async move {
        service::ready(&context).await;
        service::say_ready(&context).await;
        service::attend(context, pulses, watchdog).await;
    });
    let signal = loop {
        tokio::select! {
            signal = stopping.received() => break signal,
            Some(()) = reloading.recv() => reload(&mut daemon, &again).await,
        }
    };
    tracing::info!(signal, "stopping");
    service::say_stopping().await;
    let stopped = daemon.stop().await;
    attending.abort();
    tracing::info!(connections = stopped.connections, cut_off = stopped.aborted_requests, "stopped");
    Ok(())
}

/// Reads the configuration again. A broken one changes nothing.
async fn reload(daemon: &mut Daemon, again: &Again) {
    tracing::info!(signal = "SIGHUP", file = %again.file.display(), "reading the configuration again");
    service::say_reloading().await;
    match Config::load(&again.file, &again.environment) {
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
    service::say_ready(daemon.context()).await;
}

async fn take_over(daemon: &mut Daemon, config: &Config, again: &Again) {
    if let Err(error) = again.level.set(&config.log.level) {
        tracing::error!("log.level: {error}");
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
