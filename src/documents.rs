//! Conference documents: schema, defaults, revisions, numbers.
//!
//! Owns: what a document may say and what becomes of it when it is written. Leaves to `store` that a
//! write is whole and lasting, to `api` the envelope, the status codes and `_read_only`.
//!
//! ```text
//! data ─▶ ignored keys dropped ─▶ defaults or merge ─▶ schema, rules ─▶ compare-and-set on revision
//! ```
//!
//! Invariant: a document is changed only from the revision it was computed from. A conditional write
//! fails if that is no longer the current one; an unconditional one begins again.

mod condition;
mod document;
mod error;
mod field_errors;
mod intake;
mod rules;
mod schema;
mod transfer;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use crate::store::{DocumentPage, DocumentQuery, DocumentRecord, NumberRole};
pub use condition::{Condition, EtagList};
pub use document::{Document, Page};
pub use error::DocumentError;
pub use field_errors::{FieldError, FieldErrors};
pub use intake::{MAX_BYTES, MAX_DEPTH};
pub(crate) use schema::errors_in;
pub use schema::{schema, schema_text};
pub use transfer::imported;

use crate::store::{AccountId, Clock, Store, StoreError, WriteError};

/// From the body that is stored to the one that will be.
type Change = dyn Fn(&Map<String, Value>) -> Result<Map<String, Value>, DocumentError> + Send + Sync;

/// Does what takes its time with a large document where it delays nobody: the threads of the runtime read
/// what switches tell.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DocumentError> + Send + 'static,
) -> Result<T, DocumentError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(StoreError::new(crate::store::StoreErrorKind::Closed, error).into()),
        },
    }
}

/// The documents of all accounts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Documents {
    store: Arc<dyn Store>,
    clock: Clock,
}

impl Documents {
    /// The documents in this store, stamped by this clock.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes a document of `data`, with the defaults filled in and an id of its own.
    ///
    /// # Errors
    /// [`DocumentError::Invalid`], [`DocumentError::NumbersInUse`], [`DocumentError::Store`].
    pub async fn create(&self, account: &AccountId, data: Value) -> Result<Document, DocumentError> {
        let body = aside(move || intake::whole(data)).await?;
        let document = Document::new(account.clone(), body, self.clock.gregorian_seconds());
        match self.store.create_document(&document.to_record()).await {
            Ok(()) => Ok(document),
            Err(error) => Err(DocumentError::of_write(error, &document.id)),
        }
    }

    /// The document of that account and id.
    ///
    /// # Errors
    /// [`DocumentError::NotFound`] also for another account's id; [`DocumentError::Store`].
    pub async fn get(&self, account: &AccountId, id: &str) -> Result<Document, DocumentError> {
        match self.store.document(account, id).await? {
            Some(record) => Ok(Document::from_record(record)?),
            None => Err(DocumentError::NotFound { id: id.to_owned() }),
        }
    }

    /// The same as text: to be shown, a document need not be parsed, which takes fifty times its length.
    ///
    /// # Errors
    /// As [`Documents::get`].
    pub async fn text(&self, account: &AccountId, id: &str) -> Result<DocumentRecord, DocumentError> {
        let found = self.store.document(account, id).await?;
        found.ok_or_else(|| DocumentError::NotFound { id: id.to_owned() })
    }

    /// One page of an account's documents as text, by id.
    ///
    /// # Errors
    /// [`DocumentError::Store`].
    pub async fn texts(
        &self,
        account: &AccountId,
        query: &DocumentQuery,
    ) -> Result<DocumentPage, DocumentError> {
        Ok(self.store.documents(account, query).await?)
    }

    /// One page of an account's documents, by id.
    ///
    /// # Errors
    /// [`DocumentError::Store`].
    pub async fn list(&self, account: &AccountId, query: &DocumentQuery) -> Result<Page, DocumentError> {
        let page = self.store.documents(account, query).await?;
        let documents = page.documents.into_iter().map(Document::from_record).collect::<Result<_, _>>()?;
        Ok(Page { documents, next_start_key: page.next_start_key })
    }

    /// Puts `data` in the place of the document, with the defaults filled in.
    ///
    /// # Errors
    /// [`DocumentError::NotFound`], [`DocumentError::Conflict`], [`DocumentError::PreconditionFailed`],
    /// [`DocumentError::Invalid`], [`DocumentError::NumbersInUse`], [`DocumentError::Store`].
    pub async fn replace(
        &self,
        account: &AccountId,
        id: &str,
        data: Value,
        condition: &Condition,
    ) -> Result<Document, DocumentError> {
        let body = aside(move || intake::whole(data)).await?;
        self.write(account, id, condition, Arc::new(move |_| Ok(body.clone()))).await
    }

    /// Merges `data` into the document as RFC 7386 says: a `null` removes the key. Defaults are not
    /// filled in.
    ///
    /// # Errors
    /// As [`Documents::replace`].
    pub async fn patch(
        &self,
        account: &AccountId,
        id: &str,
        data: Value,
        condition: &Condition,
    ) -> Result<Document, DocumentError> {
        let patch = intake::part(data)?;
        self.write(account, id, condition, Arc::new(move |current| intake::merged(current, &patch))).await
    }

    /// Deletes the document and answers it as it was.
    ///
    /// # Errors
    /// [`DocumentError::NotFound`], [`DocumentError::Conflict`], [`DocumentError::PreconditionFailed`],
    /// [`DocumentError::Store`].
    pub async fn delete(
        &self,
        account: &AccountId,
        id: &str,
        condition: &Condition,
    ) -> Result<Document, DocumentError> {
        loop {
            let expected = if condition.is_unconditional() {
                None
            } else {
                let current = self.get(account, id).await?;
                condition.check(&current.revision)?;
                Some(current.revision)
            };
            match self.store.delete_document(account, id, expected.as_deref()).await {
                Ok(record) => return Ok(Document::from_record(record)?),
                // It was written in between: the condition is judged again.
                Err(WriteError::Revision { .. }) => {}
                Err(error) => return Err(DocumentError::of_write(error, id)),
            }
        }
    }

    /// Which account owns each of these documents; ids without a document are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    pub async fn owners_of(&self, ids: &[String]) -> Result<HashMap<String, AccountId>, StoreError> {
        self.store.owners_of(ids).await
    }

    /// The document a number leads to, and for whom the number is.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    pub async fn by_number(
        &self,
        account: &AccountId,
        number: &str,
    ) -> Result<Option<(Document, NumberRole)>, StoreError> {
        match self.store.document_by_number(account, number).await? {
            Some((record, role)) => Ok(Some((Document::from_record(record)?, role))),
            None => Ok(None),
        }
    }

    /// The documents of all accounts that a number leads to, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    pub async fn by_number_anywhere(
        &self,
        number: &str,
        limit: u32,
    ) -> Result<Vec<(Document, NumberRole)>, StoreError> {
        let found = self.store.documents_by_number(number, limit).await?;
        found.into_iter().map(|(record, role)| Ok((Document::from_record(record)?, role))).collect()
    }

    /// Reads, computes, compares and sets, until nobody came between. Each round that fails is one in
    /// which somebody else's write succeeded, so the rounds of all writers come to an end.
    async fn write(
        &self,
        account: &AccountId,
        id: &str,
        condition: &Condition,
        change: Arc<Change>,
    ) -> Result<Document, DocumentError> {
        loop {
            let current = self.get(account, id).await?;
            condition.check(&current.revision)?;
            let (change, now) = (Arc::clone(&change), self.clock.gregorian_seconds());
            let revision = current.revision.clone();
            let next = aside(move || Ok(current.followed_by(change(&current.body)?, now))).await?;
            match self.store.replace_document(&next.to_record(), &revision).await {
                Ok(()) => return Ok(next),
                Err(WriteError::Revision { .. }) => {}
                Err(error) => return Err(DocumentError::of_write(error, id)),
            }
        }
    }
}
