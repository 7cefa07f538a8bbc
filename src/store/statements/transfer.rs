//! Everything out of the database, and into it.
//!
//! Owns: the order in which an import writes. Leaves judging to `store::transfer`.

use futures_util::TryStreamExt;
use tokio::sync::mpsc;

use super::{Connection, credentials, damaged, documents, insert_numbers, lock_accounts, store_error};
use crate::store::transfer::{Verdict, judge_credential, judge_document, numbers_to_write};
use crate::store::{
    CredentialRecord, DocumentRecord, Exported, ImportError, Imported, Refusal, StoreError, WriteError,
};

/// Sends everything that this transaction sees.
pub(in super::super) async fn send_all(
    connection: &mut Connection,
    to: &mpsc::Sender<Exported>,
) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query_as(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents ORDER BY id",
    )
    .fetch(&mut *connection);
    while let Some(document) = rows.try_next().await? {
        if to.send(Exported::Document(document)).await.is_err() {
            return Ok(());
        }
    }
    drop(rows);
    // No key came from a key, so this order is enough.
    let mut rows = sqlx::query_as(
        "SELECT id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked
         FROM credentials ORDER BY issued_by IS NOT NULL, created, id",
    )
    .fetch(&mut *connection);
    while let Some(credential) = rows.try_next().await? {
        if to.send(Exported::Credential(credential)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Writes a batch, in a transaction that is there already.
pub(in super::super) async fn import(
    connection: &mut Connection,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
    lock_accounts(connection, batch).await?;
    let mut imported = Vec::with_capacity(batch.len());
    for (index, one) in batch.iter().enumerate() {
        let written = match one {
            Exported::Document(document) => import_document(connection, document, replace).await,
            Exported::Credential(credential) => import_credential(connection, credential, replace).await,
        };
        imported.push(written.map_err(|stopped| stopped.at(index))?);
    }
    // Only now: a number may have been given up by a document that came later.
    for (index, document) in numbers_to_write(batch, &imported) {
        import_numbers(connection, document).await.map_err(|stopped| stopped.at(index))?;
    }
    Ok(imported)
}

/// Why one of a batch was not written.
enum Stopped {
    Refused(Refusal),
    Failed(StoreError),
}

impl Stopped {
    fn at(self, index: usize) -> ImportError {
        match self {
            Self::Refused(reason) => ImportError::Refused { index, reason },
            Self::Failed(error) => ImportError::Store(error),
        }
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(store_error(error))
    }
}

async fn import_document(
    connection: &mut Connection,
    document: &DocumentRecord,
    replace: bool,
) -> Result<Imported, Stopped> {
    let stored = sqlx::query_as(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents WHERE id = $1",
    )
    .bind(&document.id)
    .fetch_optional(&mut *connection)
    .await?;
    match judge_document(stored.as_ref(), document, replace).map_err(Stopped::Refused)? {
        Verdict::Leave => Ok(Imported::Unchanged),
        Verdict::Insert => {
            documents::add(connection, document).await?;
            Ok(Imported::New)
        }
        Verdict::Replace(document) => {
            // Its numbers go with it.
            sqlx::query("DELETE FROM documents WHERE id = $1")
                .bind(&document.id)
                .execute(&mut *connection)
                .await?;
            documents::add(connection, &document).await?;
            Ok(Imported::Replaced)
        }
    }
}

async fn import_numbers(connection: &mut Connection, document: &DocumentRecord) -> Result<(), Stopped> {
    match insert_numbers(connection, document).await {
        Ok(()) => Ok(()),
        Err(WriteError::NumberInUse(number)) => {
            let holder =
                sqlx::query_scalar("SELECT document_id FROM numbers WHERE account_id = $1 AND number = $2")
                    .bind(document.account.as_str())
                    .bind(&number)
                    .fetch_one(connection)
                    .await?;
            Err(Stopped::Refused(Refusal::NumberInUse { number, document: holder }))
        }
        Err(WriteError::Store(error)) => Err(Stopped::Failed(error)),
        Err(other) => Err(Stopped::Failed(damaged(other))),
    }
}

async fn import_credential(
    connection: &mut Connection,
    credential: &CredentialRecord,
    replace: bool,
) -> Result<Imported, Stopped> {
    let stored = sqlx::query_as(
        "SELECT id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked
         FROM credentials WHERE id = $1",
    )
    .bind(&credential.id)
    .fetch_optional(&mut *connection)
    .await?;
    let verdict = judge_credential(stored.as_ref(), credential, replace).map_err(Stopped::Refused)?;
    let (written, imported) = match verdict {
        Verdict::Leave => return Ok(Imported::Unchanged),
        Verdict::Insert => (credentials::add(connection, credential).await, Imported::New),
        Verdict::Replace(credential) => {
            (credentials::replace(connection, &credential).await, Imported::Replaced)
        }
    };
    match written {
        Ok(()) => Ok(imported),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
            Err(Stopped::Refused(Refusal::KeyMissing(credential.issued_by.clone().unwrap_or_default())))
        }
        // Nobody has its id, or it would have been found.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(Stopped::Refused(Refusal::HashInUse))
        }
        Err(error) => Err(error.into()),
    }
}
