//! The embedded engine: one SQLite file.
//!
//! Owns: the file, its lock, its connections and their settings. Leaves the statements to `documents`,
//! `credentials` and `transfer` beside it.
//!
//! * WAL, so that readers and the writer never wait for each other.
//! * `synchronous=FULL`: in WAL mode `NORMAL` syncs only at checkpoints, and what was acknowledged
//!   since would be lost in a power cut. A write costs one fsync; documents are written rarely.
//! * One connection writes, first come first served; each transaction begins with `BEGIN IMMEDIATE`.
//!   So no writer of this process ever meets `SQLITE_BUSY`, and none has to upgrade a lock it cannot
//!   get. The command line writes from another process: for that there is the busy timeout.

mod connection;
mod credentials;
mod documents;
mod failure;
mod ledger;
mod lock;
mod open;
#[path = "statements.rs"]
#[allow(clippy::duplicate_mod, reason = "it is typed by the engine around it")]
mod statements;
mod transfer;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqlitePool;
use tokio::sync::mpsc;

use super::{
    AccountId, Answer, AuditPage, AuditQuery, AuditRecord, CredentialRecord, DocumentPage, DocumentQuery,
    DocumentRecord, Exported, ImportError, Imported, KeyClaim, KeyUse, NumberRole, OpenError, SchemaVersion,
    Store, WriteError,
};
use documents::{insert_numbers, lock_accounts};
use failure::{damaged, store_error};
use lock::FileLock;
use writer::Writer;

/// What the shared statements run on.
type Connection = sqlx::SqliteConnection;

/// How an SQLite database is opened.
#[derive(Debug, Clone)]
pub struct SqliteSettings {
    /// The file. It is created if its directory exists.
    pub path: PathBuf,
    /// Connections that only read.
    pub readers: u32,
    /// How long to wait for another process that writes.
    pub busy_timeout: Duration,
    /// A ceiling for the file in pages of 4 KiB; beyond it writes fail as if the disk were full.
    pub max_pages: Option<u32>,
}

impl SqliteSettings {
    /// The usual settings for this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers: 4, busy_timeout: Duration::from_secs(5), max_pages: None }
    }
}

/// Documents and credentials in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    schema: SchemaVersion,
    writer: Writer,
    readers: SqlitePool,
    /// Held until the store is closed or dropped; none beside a daemon.
    lock: Mutex<Option<FileLock>>,
}

impl SqliteStore {
    /// Opens the database for a daemon: alone, and with its schema brought up to date.
    ///
    /// "Alone" is an advisory lock on `FILE.lock`, which holds our pid. The kernel releases it however
    /// the process ends, so a stale file is no obstacle.
    ///
    /// # Errors
    /// [`OpenError`], which names the file; [`OpenError::InUse`] if another daemon has it.
    pub async fn open(settings: SqliteSettings) -> Result<Self, OpenError> {
        open::for_daemon(settings).await
    }

    /// Opens the database for a command that may run while a daemon has it.
    ///
    /// SQLite's own locks keep the two apart. The schema is brought up to date only if no daemon runs.
    ///
    /// # Errors
    /// [`OpenError`], which names the file; [`OpenError::Older`] if the schema must be changed while a
    /// daemon runs.
    pub async fn open_beside(settings: SqliteSettings) -> Result<Self, OpenError> {
        open::beside_a_daemon(settings).await
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store for SqliteStore {
    fn create_document<'a>(&'a self, document: &'a DocumentRecord) -> Answer<'a, (), WriteError> {
        Box::pin(documents::create(&self.writer, document))
    }

    fn replace_document<'a>(
        &'a self,
        document: &'a DocumentRecord,
        expected: &'a str,
    ) -> Answer<'a, (), WriteError> {
        Box::pin(documents::replace(&self.writer, document, expected))
    }

    fn delete_document<'a>(
        &'a self,
        account: &'a AccountId,
        id: &'a str,
        expected: Option<&'a str>,
    ) -> Answer<'a, DocumentRecord, WriteError> {
        Box::pin(documents::delete(&self.writer, account, id, expected))
    }

    fn document<'a>(&'a self, account: &'a AccountId, id: &'a str) -> Answer<'a, Option<DocumentRecord>> {
        Box::pin(documents::get(&self.readers, account, id))
    }

    fn documents<'a>(&'a self, account: &'a AccountId, query: &'a DocumentQuery) -> Answer<'a, DocumentPage> {
        Box::pin(documents::page(&self.readers, account, query))
    }

    fn owners_of<'a>(&'a self, ids: &'a [String]) -> Answer<'a, HashMap<String, AccountId>> {
        Box::pin(documents::owners_of(&self.readers, ids))
    }

    fn document_by_number<'a>(
        &'a self,
        account: &'a AccountId,
        number: &'a str,
    ) -> Answer<'a, Option<(DocumentRecord, NumberRole)>> {
        Box::pin(documents::by_number(&self.readers, account, number))
    }

    fn documents_by_number<'a>(
        &'a self,
        number: &'a str,
        limit: u32,
    ) -> Answer<'a, Vec<(DocumentRecord, NumberRole)>> {
        Box::pin(documents::by_number_anywhere(&self.readers, number, limit))
    }

    fn create_credential<'a>(&'a self, credential: &'a CredentialRecord, forget: i64) -> Answer<'a, ()> {
        Box::pin(credentials::create(&self.writer, credential, forget))
    }

    fn credential_by_hash<'a>(&'a self, hash: &'a [u8; 32]) -> Answer<'a, Option<CredentialRecord>> {
        Box::pin(credentials::by_hash(&self.readers, hash))
    }

    fn credentials(&self) -> Answer<'_, Vec<CredentialRecord>> {
        Box::pin(credentials::list(&self.readers))
    }

    fn revoke_credential<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, bool> {
        Box::pin(credentials::revoke(&self.writer, id, now))
    }

    fn note_credentials_used<'a>(&'a self, uses: &'a [(String, i64)]) -> Answer<'a, ()> {
        Box::pin(credentials::note_used(&self.writer, uses))
    }

    fn append_audit<'a>(&'a self, records: &'a [AuditRecord]) -> Answer<'a, ()> {
        Box::pin(ledger::append(&self.writer, records))
    }

    fn audit<'a>(
        &'a self,
        account: &'a AccountId,
        conference_id: &'a str,
        query: &'a AuditQuery,
    ) -> Answer<'a, AuditPage> {
        Box::pin(ledger::page(&self.readers, account, conference_id, query))
    }

    fn age_out_audit(&self, before: i64, limit: u32) -> Answer<'_, u64> {
        Box::pin(ledger::age_out(&self.writer, before, limit))
    }

    fn claim_key<'a>(&'a self, claim: &'a KeyClaim, forgotten: i64) -> Answer<'a, Option<KeyUse>> {
        Box::pin(ledger::claim(&self.writer, claim, forgotten))
    }

    fn answer_key<'a>(&'a self, claim: &'a KeyClaim, answer: &'a str) -> Answer<'a, ()> {
        Box::pin(ledger::answer(&self.writer, claim, answer))
    }

    fn free_key<'a>(&'a self, claim: &'a KeyClaim) -> Answer<'a, ()> {
        Box::pin(ledger::free(&self.writer, claim))
    }

    fn forget_keys(&self, before: i64, limit: u32) -> Answer<'_, u64> {
        Box::pin(ledger::forget_keys(&self.writer, before, limit))
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn export(&self, to: mpsc::Sender<Exported>) -> Answer<'_, ()> {
        Box::pin(transfer::export(&self.readers, to))
    }

    fn import<'a>(&'a self, batch: &'a [Exported], replace: bool) -> Answer<'a, Vec<Imported>, ImportError> {
        Box::pin(transfer::import(&self.writer, batch, replace))
    }

    fn schema_version(&self) -> SchemaVersion {
        self.schema
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(connection::check(&self.readers))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Readers first: the last connection to close is the writer's, which can checkpoint.
            self.readers.close().await;
            self.writer.close().await;
            self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        })
    }
}
