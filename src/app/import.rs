//! `convened import`: reads an export into the database, beside a running daemon.
//!
//! Owns: batches, what is said about them, and that it can be run again after whatever ended it.
//! Leaves a line's form to `transfer`, what it may say to `documents`, writing to `store`.
//!
//! ```text
//! file ─▶ a thread that reads and checks ─▶ channel of batches ─▶ store, a transaction each
//! ```

mod input;
mod reader;
mod rehearsal;

use indicatif::HumanCount;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::database;
use super::run::Signals;
use super::transfer::Counts;
use crate::cli::{Failure, Import, Printed};
use crate::config::Config;
use crate::store::{Exported, ImportError, Imported, Refusal, Store};
use input::Input;
use reader::{Batch, Problem, Reader};
use rehearsal::Rehearsal;

/// Batches that wait for the one that is being written.
const WAITING: usize = 2;

/// Reads an export.
///
/// # Errors
/// If the database cannot be opened or written, or the file not read, or a line of it is wrong.
pub async fn import(config: Config, import: Import) -> Result<Printed, Failure> {
    let mut signals = Signals::new()?;
    let input = Input::open(import.file.as_deref())?;
    let name = input.name().to_owned();
    let store = database::open_beside(&config).await?;
    let done = if import.dry_run {
        let rehearsal = tokio::select! {
            rehearsal = Rehearsal::of(&*store) => rehearsal,
            signal = signals.received() => Err(anyhow::anyhow!("stopped by {signal}")),
        };
        match rehearsal {
            Ok(rehearsal) => into(rehearsal.store(), input, import.replace, &mut signals).await,
            Err(error) => Err((Problem::of_all(format!("{error:#}")), Tally::default())),
        }
    } else {
        into(&*store, input, import.replace, &mut signals).await
    };
    store.close().await;
    match done {
        Ok((counts, tally)) => {
            let rehearsed = if import.dry_run { "a dry run, nothing is written: " } else { "" };
            Ok(Printed { stdout: String::new(), stderr: format!("{rehearsed}{counts}: {tally}") })
        }
        Err((problem, tally)) => {
            let safe = if import.dry_run { "a dry run, nothing is written".into() } else { tally.safe() };
            Err(Failure::Other(anyhow::anyhow!("{name}: {problem}\n{safe}")))
        }
    }
}

/// What became of the lines so far.
#[derive(Debug, Default)]
struct Tally {
    new: u64,
    unchanged: u64,
    replaced: u64,
    /// The last line that is in the database.
    last_line: Option<u64>,
}

impl Tally {
    fn add(&mut self, batch: &Batch, imported: &[Imported]) {
        for one in imported {
            match one {
                Imported::New => self.new += 1,
                Imported::Unchanged => self.unchanged += 1,
                Imported::Replaced => self.replaced += 1,
            }
        }
        self.last_line = Some(batch.last_line());
    }

    /// What somebody needs to know after a failure.
    fn safe(&self) -> String {
        match self.last_line {
            None => "nothing is imported; the import can be run again".to_owned(),
            Some(last) => {
                format!("lines 2 to {last} are in the database; the import can be run again")
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [new, unchanged, replaced] = [self.new, self.unchanged, self.replaced].map(HumanCount);
        write!(f, "{new} new, {unchanged} unchanged, {replaced} replaced")
    }
}

/// Reads all of the input into this store, batch by batch.
async fn into(
    store: &dyn Store,
    input: Input,
    replace: bool,
    signals: &mut Signals,
) -> Result<(Counts, Tally), (Problem, Tally)> {
    let (to, mut from) = mpsc::channel(WAITING);
    let reading = spawn_blocking(move || Reader::new(input).run(&to));
    let mut tally = Tally::default();
    loop {
        // Not while a batch is written: whether it is in would be unknown.
        let batch = tokio::select! {
            batch = from.recv() => batch,
            signal = signals.received() => {
                return Err((Problem::of_all(format!("stopped by {signal}")), tally));
            }
        };
        let Some(batch) = batch else { break };
        match store.import(&batch.entries, replace).await {
            Ok(imported) => tally.add(&batch, &imported),
            Err(error) => return Err((problem(&batch, error), tally)),
        }
    }
    match reading.await {
        Ok(Ok(counts)) => Ok((counts, tally)),
        Ok(Err(problem)) => Err((problem, tally)),
        Err(error) => Err((Problem::of_all(error.to_string()), tally)),
    }
}

fn problem(batch: &Batch, error: ImportError) -> Problem {
    let (index, reason) = match error {
        ImportError::Refused { index, reason } => (index, reason),
        ImportError::Store(error) => {
            let error = anyhow::Error::new(error);
            let (first, last) = (batch.first_line, batch.last_line());
            return Problem::of_all(format!("lines {first} to {last}: {error:#}"));
        }
    };
    let what = match batch.entries.get(index) {
        Some(Exported::Document(document)) => format!("document {}", document.id),
        Some(Exported::Credential(credential)) => format!("credential {}", credential.id),
        None => String::new(),
    };
    let help = match &reason {
        Refusal::Differs(_) => "; --replace writes over what is there",
        Refusal::NumberInUse { .. } => "; give one of the two another number, or delete it",
        Refusal::HashInUse => "; revoke that and leave this out",
        Refusal::KeyMissing(_) => "; it must stand before",
    };
    Problem::of_line(batch.first_line + index as u64, format!("{what}: {reason}{help}"))
}
