//! `convened export`: everything in the database as lines of JSON, beside a running daemon.
//!
//! Owns: that what looks whole is whole: the last line is written after the database has given
//! everything, and a file gets its name after that.
//!
//! ```text
//! store ─▶ channel ─▶ a thread that writes ─▶ all given? ─▶ last line ─▶ name
//!                                          └▶ otherwise the file goes
//! ```
//!
//! The thread is there because a pipe may block for ever, and a signal must be heard even so.

mod sink;

use std::io;
use std::path::Path;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::database;
use super::run::Signals;
use super::transfer::{Counts, Header, Line, LineError, counting};
use crate::cli::{Export, Failure, Printed};
use crate::config::Config;
use crate::store::{Clock, Exported, Store};
use sink::Sink;

/// Rows that wait to be written. A document has at most 128 KiB.
const WAITING: usize = 64;

/// Writes an export.
///
/// # Errors
/// If the database cannot be opened or read, or the output not written.
pub async fn export(config: Config, export: Export) -> Result<Printed, Failure> {
    let mut signals = Signals::new()?;
    let output = export.output.as_deref().filter(|path| *path != Path::new("-"));
    let sink = Sink::open(output)?;
    let store = database::open_beside(&config).await?;
    let (to, from) = mpsc::channel(WAITING);
    let written = write(sink, from, export.no_credentials);
    let exported = tokio::select! {
        exported = exported(&*store, to, written) => exported,
        signal = signals.received() => Err(Failure::Other(anyhow::anyhow!("{signal}: the export was stopped"))),
    };
    store.close().await;
    let counts = exported?;
    let to = output.map(|path| format!(" to {}", path.display())).unwrap_or_default();
    Ok(Printed { stdout: String::new(), stderr: format!("{counts} exported{to}") })
}

/// What can end the writing early.
enum Stopped {
    Output(io::Error),
    Row(LineError),
}

type Written = Result<(Sink, Counts), (Sink, Stopped)>;

async fn exported(
    store: &dyn Store,
    to: mpsc::Sender<Exported>,
    written: JoinHandle<Written>,
) -> Result<Counts, Failure> {
    let read = store.export(to).await;
    let written = written.await.map_err(anyhow::Error::new)?;
    let (mut sink, counts) = written.map_err(|(sink, stopped)| match stopped {
        Stopped::Output(error) => sink.failed(error),
        Stopped::Row(error) => Failure::Other(anyhow::Error::new(error).context("nothing is exported")),
    })?;
    read.map_err(|error| anyhow::Error::new(error).context("nothing is exported"))?;
    let finished = spawn_blocking(move || match sink.line(&Line::End(counts)) {
        Ok(()) => sink.finish(),
        Err(error) => Err(sink.failed(error)),
    });
    finished.await.map_err(anyhow::Error::new)??;
    Ok(counts)
}

/// Writes what comes until nothing comes any more, whatever the reason.
fn write(mut sink: Sink, mut from: mpsc::Receiver<Exported>, no_credentials: bool) -> JoinHandle<Written> {
    spawn_blocking(move || {
        let progress = if sink.is_shown() { indicatif::ProgressBar::hidden() } else { counting() };
        let mut counts = Counts::default();
        if let Err(error) = sink.line(&Header::new(Clock::system().unix_seconds())) {
            return Err((sink, Stopped::Output(error)));
        }
        while let Some(row) = from.blocking_recv() {
            match &row {
                Exported::Document(_) => counts.documents += 1,
                // They come last.
                Exported::Credential(_) if no_credentials => break,
                Exported::Credential(_) => counts.credentials += 1,
            }
            let line = match Line::of(&row) {
                Ok(line) => line,
                Err(error) => return Err((sink, Stopped::Row(error))),
            };
            if let Err(error) = sink.line(&line) {
                return Err((sink, Stopped::Output(error)));
            }
            progress.inc(1);
        }
        Ok((sink, counts))
    })
}
