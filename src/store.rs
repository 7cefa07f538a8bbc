//! Where documents, credentials and the audit log are kept: one trait, an engine per database.
//!
//! Owns: what must outlive a call, its atomicity and its durability. A write that was answered with
//! `Ok` survives `kill -9` and a power cut; one answered with an error changed nothing that was
//! acknowledged before.
//! Leaves to `documents`: schema, defaults, revisions, retries. Leaves to `auth`: secrets and scopes.
//! Here a document is text with a few columns beside it, a credential a row with a hash.
//!
//! ```text
//! documents, auth ──▶ Store (trait) ─┬▶ sqlite: one writer connection, a few readers
//!                                    └▶ postgres: a pool, shared with other daemons
//! ```
//!
//! Invariant: nothing is looked up in order to be written. That a number is used once is decided by a
//! unique index, that a revision is current by the write itself. Only an import looks first, in the
//! transaction that writes.

mod clock;
mod error;
pub(crate) mod hex;
mod ids;
mod ledger;
mod postgres;
mod record;
mod rows;
mod sqlite;
mod transfer;
pub mod url;

use std::collections::HashMap;
use std::fmt::Debug;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

pub use clock::Clock;
pub use error::{OpenError, StoreError, StoreErrorKind, WriteError};
pub use ids::{AccountId, InvalidAccountId};
pub use ledger::{AuditKey, AuditPage, AuditQuery, AuditRecord, InvalidAuditKey, KeyClaim, KeyUse};
pub use postgres::{PostgresSettings, PostgresStore};
pub use record::{
    CredentialKind, CredentialRecord, DocumentPage, DocumentQuery, DocumentRecord, NumberRole, NumberUse,
};
pub use sqlite::{SqliteSettings, SqliteStore};
pub use transfer::{Exported, ImportError, Imported, Refusal};

/// The version of a database's schema: the number of the last change that was made to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SchemaVersion {
    /// As it was found when the store was opened; 0 in a database that was new.
    pub was: i64,
    /// As it is since.
    pub is: i64,
}

/// What a store's method answers, some time later.
pub type Answer<'a, T, E = StoreError> = BoxFuture<'a, Result<T, E>>;

/// A place for documents, credentials, the audit log, and the answers to requests with a key.
///
/// Object-safe: it is held as `Arc<dyn Store>`. Dropping a future is safe at any moment; whether a
/// write that was under way happened is then unknown, but it happened whole or not at all.
pub trait Store: Debug + Send + Sync {
    /// Stores a new document and its numbers.
    ///
    /// # Errors
    /// [`WriteError::NumberInUse`] with the first of its numbers that another document of the account
    /// has; [`WriteError::Store`].
    fn create_document<'a>(&'a self, document: &'a DocumentRecord) -> Answer<'a, (), WriteError>;

    /// Replaces the document of that account and id, but only while its revision is `expected`.
    /// `created` is kept as it was.
    ///
    /// # Errors
    /// [`WriteError::Missing`], [`WriteError::Revision`] with the current one,
    /// [`WriteError::NumberInUse`], [`WriteError::Store`].
    fn replace_document<'a>(
        &'a self,
        document: &'a DocumentRecord,
        expected: &'a str,
    ) -> Answer<'a, (), WriteError>;

    /// Deletes a document, whatever its revision or only while it is `expected`, frees its numbers and
    /// answers what was deleted.
    ///
    /// # Errors
    /// [`WriteError::Missing`], [`WriteError::Revision`], [`WriteError::Store`].
    fn delete_document<'a>(
        &'a self,
        account: &'a AccountId,
        id: &'a str,
        expected: Option<&'a str>,
    ) -> Answer<'a, DocumentRecord, WriteError>;

    /// The document of that account and id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn document<'a>(&'a self, account: &'a AccountId, id: &'a str) -> Answer<'a, Option<DocumentRecord>>;

    /// One page of an account's documents, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn documents<'a>(&'a self, account: &'a AccountId, query: &'a DocumentQuery) -> Answer<'a, DocumentPage>;

    /// Which account owns each of these documents. Ids without a document are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn owners_of<'a>(&'a self, ids: &'a [String]) -> Answer<'a, HashMap<String, AccountId>>;

    /// Which document of the account has this number, and for whom it is.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn document_by_number<'a>(
        &'a self,
        account: &'a AccountId,
        number: &'a str,
    ) -> Answer<'a, Option<(DocumentRecord, NumberRole)>>;

    /// Which documents of all accounts have this number, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn documents_by_number<'a>(
        &'a self,
        number: &'a str,
        limit: u32,
    ) -> Answer<'a, Vec<(DocumentRecord, NumberRole)>>;

    /// Stores a new credential, and forgets tokens that came from a key and expired before `forget`
    /// (Unix seconds): clients fetch a new one each time, so nothing else would ever end their number.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn create_credential<'a>(&'a self, credential: &'a CredentialRecord, forget: i64) -> Answer<'a, ()>;

    /// The credential with this SHA-256 hash. One that came from a key that was revoked since is
    /// answered as revoked itself.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn credential_by_hash<'a>(&'a self, hash: &'a [u8; 32]) -> Answer<'a, Option<CredentialRecord>>;

    /// All credentials, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn credentials(&self) -> Answer<'_, Vec<CredentialRecord>>;

    /// Revokes a credential at `now` (Unix seconds). False if there is none with this id; true also if
    /// it was revoked before, and then the first time stays.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn revoke_credential<'a>(&'a self, id: &'a str, now: i64) -> Answer<'a, bool>;

    /// Notes when credentials were used last. A time older than the one stored changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn note_credentials_used<'a>(&'a self, uses: &'a [(String, i64)]) -> Answer<'a, ()>;

    /// Adds rows to the audit log, in their order: all of them, or none. Nothing ever changes one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn append_audit<'a>(&'a self, records: &'a [AuditRecord]) -> Answer<'a, ()>;

    /// One page of what was done to a conference of that account, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    fn audit<'a>(
        &'a self,
        account: &'a AccountId,
        conference_id: &'a str,
        query: &'a AuditQuery,
    ) -> Answer<'a, AuditPage>;

    /// Deletes at most so many rows of the audit log that are older than `before` (Unix milliseconds), and
    /// answers how many. It is the only way in which one goes.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn age_out_audit(&self, before: i64, limit: u32) -> Answer<'_, u64>;

    /// Takes an idempotency key, unless somebody has it; then answers what it was used for. A use from
    /// before `forgotten` (Unix milliseconds) does not count.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn claim_key<'a>(&'a self, claim: &'a KeyClaim, forgotten: i64) -> Answer<'a, Option<KeyUse>>;

    /// Keeps what was answered under the key of this claim, as long as it is its own.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn answer_key<'a>(&'a self, claim: &'a KeyClaim, answer: &'a str) -> Answer<'a, ()>;

    /// Gives the key of this claim back, as long as it is its own and nothing was answered under it.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn free_key<'a>(&'a self, claim: &'a KeyClaim) -> Answer<'a, ()>;

    /// Deletes at most so many uses of keys from before then (Unix milliseconds), and answers how many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    fn forget_keys(&self, before: i64, limit: u32) -> Answer<'_, u64>;

    /// Whether other daemons may work with the database at the same time.
    fn is_shared(&self) -> bool;

    /// Sends all there is as it is at one moment, whatever is written meanwhile: all documents by id,
    /// then all credentials, each after the key it came from, otherwise the oldest first. The audit log
    /// and idempotency keys stay where they are.
    ///
    /// Rows are sent as they are read, so that memory does not grow with their number; a receiver that
    /// is slow slows the reading, and one that goes away ends it with `Ok`. No other call has to wait
    /// for it. `revoked` of a credential is what is stored with it, not what its key says.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read; what was sent before is not all then.
    fn export(&self, to: mpsc::Sender<Exported>) -> Answer<'_, ()>;

    /// Writes what was exported, as it is, in one transaction, and answers what became of each.
    ///
    /// What is there under the same id and equal is left alone, what is there and different is
    /// refused, or with `replace` replaced. Nothing takes a revocation back, and of two times of last
    /// use neither is a difference. A number may move between documents of one batch, whatever
    /// their order. Keys come before what came from them.
    ///
    /// # Errors
    /// [`ImportError::Refused`] with the first that cannot be written; then none of them is.
    /// [`ImportError::Store`].
    fn import<'a>(&'a self, batch: &'a [Exported], replace: bool) -> Answer<'a, Vec<Imported>, ImportError>;

    /// The version of the schema, before and after this store was opened.
    fn schema_version(&self) -> SchemaVersion;

    /// Whether the database can be read just now; for readiness.
    ///
    /// # Errors
    /// [`StoreError`] if not.
    fn check(&self) -> Answer<'_, ()>;

    /// Waits for the write under way, closes all connections and lets another daemon have the database;
    /// every later call answers [`StoreErrorKind::Closed`].
    fn close(&self) -> BoxFuture<'_, ()>;
}
