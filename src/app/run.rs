//! `convened run`: a daemon until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};

use super::Daemon;
use crate::cli::Failure;
use crate::config::Config;

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// If it cannot start.
pub async fn run(config: Config) -> Result<(), Failure> {
    let mut stopping = Signals::new()?;
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    let daemon = Daemon::start(&config).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %daemon.address(),
        database = config.database.url_without_password(),
        nodes = config.node.len(),
        "serving"
    );
    let signal = stopping.received().await;
    tracing::info!(signal, "stopping");
    let stopped = daemon.stop().await;
    tracing::info!(connections = stopped.connections, cut_off = stopped.aborted_requests, "stopped");
    Ok(())
}

/// The signals that end a daemon.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Catches them from now on.
    pub(super) fn new() -> Result<Self, Failure> {
        let catch = |kind| {
            signal(kind).map_err(|error| anyhow::Error::new(error).context("signals cannot be caught"))
        };
        Ok(Self { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// Waits for the first one; its name.
    pub(super) async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
