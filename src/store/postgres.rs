//! The engine for a PostgreSQL server, which several daemons may share.
//!
//! Owns: the pool and the settings of its sessions. Leaves the statements to `documents`,
//! `credentials` and `transfer` beside it.
//!
//! * Nothing of the database is kept in memory, so each daemon sees the others' writes at once.
//! * `READ COMMITTED`: a write compares and sets in one statement, and a unique index decides about
//!   numbers. Writers of one account take turns by an advisory lock, so that two documents that swap
//!   numbers cannot wait for each other.
//! * A server that is away, at the start or later, is no reason to stop: calls fail at once, and one
//!   after the other tries whether it is back.
//! * Only the answer to `COMMIT` is proof of a write. Without it the error is
//!   [`StoreErrorKind::Unconfirmed`](super::StoreErrorKind::Unconfirmed).

mod connection;
mod credentials;
mod documents;
mod failure;
mod ledger;
mod open;
mod outage;
#[path = "statements.rs"]
#[allow(clippy::duplicate_mod, reason = "it is typed by the engine around it")]
mod statements;
mod transfer;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::{
    AccountId, Answer, AuditPage, AuditQuery, AuditRecord, CredentialRecord, DocumentPage, DocumentQuery,
    DocumentRecord, Exported, ImportError, Imported, KeyClaim, KeyUse, NumberRole, OpenError, SchemaVersion,
    Store, WriteError,
};
use crate::secret::Secret;
use connection::Connections;
use documents::{insert_numbers, lock_accounts};
use failure::{damaged, store_error};

/// What the shared statements run on.
type Connection = sqlx::PgConnection;

/// How a PostgreSQL database is opened.
#[derive(Clone)]
pub struct PostgresSettings {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...`; `?host=/DIRECTORY` for a socket.
    pub url: String,
    /// The password, in place of the one in the URL.
    pub password: Option<Secret>,
    /// Connections at most.
    pub connections: u32,
    /// How long connecting, waiting for a free connection, and a call may each take.
    pub timeout: Duration,
}

impl PostgresSettings {
    /// The usual settings for this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), password: None, connections: 8, timeout: Duration::from_secs(5) }
    }

    /// Whether the URL makes sense; asks nobody.
    ///
    /// # Errors
    /// [`OpenError::BadUrl`], without any part of it that may be secret.
    pub fn check(&self) -> Result<(), OpenError> {
        open::options(self).map(drop)
    }

    /// The URL as it may be shown.
    fn shown(&self) -> String {
        super::url::without_secrets(&self.url)
    }
}

impl std::fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresSettings").field("url", &self.shown()).finish_non_exhaustive()
    }
}

/// Documents and credentials on a PostgreSQL server.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
}

impl PostgresStore {
    /// Opens the database and brings its schema up to date. Several processes may have it open.
    ///
    /// # Errors
    /// [`OpenError`], which names the URL without its password.
    pub async fn open(settings: &PostgresSettings) -> Result<Self, OpenError> {
        let options = open::options(settings)?;
        let schema = open::bring_up(&options, &settings.shown(), settings.timeout).await?;
        Self::on(options, settings, Some(schema))
    }

    /// The same, but a server that does not answer is waited for later: until it does, every call
    /// fails with [`StoreErrorKind::Unreachable`](super::StoreErrorKind::Unreachable).
    ///
    /// # Errors
    /// [`OpenError`] if it answers and the database is not as it should be.
    pub async fn open_or_wait(settings: &PostgresSettings) -> Result<Self, OpenError> {
        let options = open::options(settings)?;
        let schema = match open::bring_up(&options, &settings.shown(), settings.timeout).await {
            Ok(schema) => Some(schema),
            Err(OpenError::Failed { database, source }) if source.is_unavailable() => {
                tracing::warn!("{database}: {source}; starting without it");
                None
            }
            Err(error) => return Err(error),
        };
        Self::on(options, settings, schema)
    }

    fn on(
        options: sqlx::postgres::PgConnectOptions,
        settings: &PostgresSettings,
        schema: Option<SchemaVersion>,
    ) -> Result<Self, OpenError> {
        let connections = Connections::new(options, settings, schema);
        let failed = |source| OpenError::Failed { database: settings.shown(), source };
        Ok(Self { connections: connections.map_err(failed)? })
    }
}

impl Store for PostgresStore {
    fn create_document<'a>(&'a self, document: &'a DocumentRecord) -> Answer<'a, (), WriteError> {
        Box::pin(documents::create(&self.connections, document))
    }

    fn replace_document<'a>(
        &'a self,
        document: &'a DocumentRecord,
        expected: &'a str,
    ) -> Answer<'a, (), WriteError> {
        Box::pin(documents::replace(&self.connections, document, expected))
    }

    fn delete_document<'a>(
        &'a self,
        account: &'a AccountId,
        id: &'a str,
        expected: Option<&'a str>,
    ) -> Answer<'a, DocumentRecord, WriteError> {
        Box::pin(documents::delete(&self.connections, account, id, expected))
    }

    fn document<'a>(&'a self, account: &'a AccountId, id: &'a str) -> Answer<'a, Option<DocumentRecord>> {
        Box::pin(documents::get(&self.connections, account, id))
    }

    fn documents<'a>(&'a self, account: &'a AccountId, query: &'a DocumentQuery) -> Answer<'a, DocumentPage> {
        Box::pin(documents::page(&self.connections, account, query))
    }

    fn owners_of<'a>(&'a self, ids: &'a [String]) -> Answer<'a, HashMap<String, AccountId>> {
        Box::pin(documents::owners_of(&self.connections, ids))
    }

    fn document_by_number<'a>(
        &'a self,
        account: &'a AccountId,
        number: &'a str,
    ) -> Answer<'a, Option<(DocumentRecord, NumberRole)>> {
        Box::pin(documents::by_number(&self.connections, account, number))
    }

    fn documents_by_number<'a>(
        &'a self,
        number: &'a str,
        limit: u32,
    ) -> Answer<'a, Vec<(DocumentRecord, NumberRole)>> {
        Box::pin(documents::by_number_anywhere(&self.connections, number, limit))
    }

    fn create_credential<'a>(&'a self, credential: &'a CredentialRecord, forget: i64) -> Answer<'a, ()> {
        Box::pin(credentials::create(&self.connections, credential, forget))
    }

    fn credential_by_hash<'a>(&'a self, hash: &'a [u8; 32]) -> Answer<'a, Option<CredentialRecord>> {
        Box::pin(credentials::by_hash(&self.connections, hash))
    }

    fn credentials(&self) -> Answer<'_, Vec<CredentialRecord>> {
        Box::pin(credentials::list(&self.connections))
    }

    fn revoke_credential<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, bool> {
        Box::pin(credentials::revoke(&self.connections, id, now))
    }

    fn note_credentials_used<'a>(&'a self, uses: &'a [(String, i64)]) -> Answer<'a, ()> {
        Box::pin(credentials::note_used(&self.connections, uses))
    }

    fn append_audit<'a>(&'a self, records: &'a [AuditRecord]) -> Answer<'a, ()> {
        Box::pin(ledger::append(&self.connections, records))
    }

    fn audit<'a>(
        &'a self,
        account: &'a AccountId,
        conference_id: &'a str,
        query: &'a AuditQuery,
    ) -> Answer<'a, AuditPage> {
        Box::pin(ledger::page(&self.connections, account, conference_id, query))
    }

    fn age_out_audit(&self, before: i64, limit: u32) -> Answer<'_, u64> {
        Box::pin(ledger::age_out(&self.connections, before, limit))
    }

    fn claim_key<'a>(&'a self, claim: &'a KeyClaim, forgotten: i64) -> Answer<'a, Option<KeyUse>> {
        Box::pin(ledger::claim(&self.connections, claim, forgotten))
    }

    fn answer_key<'a>(&'a self, claim: &'a KeyClaim, answer: &'a str) -> Answer<'a, ()> {
        Box::pin(ledger::answer(&self.connections, claim, answer))
    }

    fn free_key<'a>(&'a self, claim: &'a KeyClaim) -> Answer<'a, ()> {
        Box::pin(ledger::free(&self.connections, claim))
    }

    fn forget_keys(&self, before: i64, limit: u32) -> Answer<'_, u64> {
        Box::pin(ledger::forget_keys(&self.connections, before, limit))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn export(&self, to: mpsc::Sender<Exported>) -> Answer<'_, ()> {
        Box::pin(transfer::export(&self.connections, to))
    }

    fn import<'a>(&'a self, batch: &'a [Exported], replace: bool) -> Answer<'a, Vec<Imported>, ImportError> {
        Box::pin(transfer::import(&self.connections, batch, replace))
    }

    fn schema_version(&self) -> SchemaVersion {
        self.connections.schema()
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(documents::check(&self.connections))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.connections.close() })
    }
}
