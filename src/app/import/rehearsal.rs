//! A copy of the database for a dry run.
//!
//! Owns: that a dry run finds what the import would find, also between lines of the file, without a
//! lock on the database: it is the import, into a copy that is thrown away.

use anyhow::Context;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::documents;
use crate::store::{Exported, ImportError, SqliteSettings, SqliteStore, Store};

/// Rows that are copied at once; a document has at most 128 KiB.
const BATCH: usize = 100;

/// A copy; it goes when it is dropped.
pub(super) struct Rehearsal {
    store: SqliteStore,
    _directory: TempDir,
}

impl Rehearsal {
    /// Copies everything.
    pub(super) async fn of(original: &dyn Store) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("no directory for a dry run")?;
        let settings = SqliteSettings::new(directory.path().join("dry-run.db"));
        let store = SqliteStore::open(settings).await.context("no copy for a dry run")?;
        let (to, from) = mpsc::channel(BATCH);
        let (read, written) = tokio::join!(original.export(to), copy(&store, from));
        // An end of the writing is the reason for an end of the reading.
        written?;
        read?;
        Ok(Self { store, _directory: directory })
    }

    pub(super) fn store(&self) -> &dyn Store {
        &self.store
    }
}

async fn copy(store: &SqliteStore, mut from: mpsc::Receiver<Exported>) -> anyhow::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(one) = from.recv().await {
        batch.push(with_numbers(one)?);
        if batch.len() == BATCH {
            store.import(&batch, false).await.map_err(not_copied)?;
            batch.clear();
        }
    }
    store.import(&batch, false).await.map(drop).map_err(not_copied)
}

/// An export does not tell them.
fn with_numbers(one: Exported) -> anyhow::Result<Exported> {
    let Exported::Document(document) = one else { return Ok(one) };
    let id = document.id.clone();
    let document = documents::imported(document)
        .map_err(|errors| anyhow::anyhow!("the database has a document {id} that is not valid: {errors}"))?;
    Ok(Exported::Document(document))
}

fn not_copied(error: ImportError) -> anyhow::Error {
    anyhow::Error::new(error).context("the database cannot be copied for a dry run")
}
