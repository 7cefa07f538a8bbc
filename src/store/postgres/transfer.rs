//! The statements that move everything out of the database, and into it.
//!
//! Owns: that an export sees one moment, and what is one transaction of an import. Leaves judging to
//! the `transfer` that all engines share.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::super::transfer::{Verdict, judge_credential, judge_document, numbers_to_write};
use super::super::{
    CredentialRecord, DocumentRecord, Exported, ImportError, Imported, Refusal, StoreError, WriteError,
};
use super::connection::Connections;
use super::failure::store_error;
use super::{credentials, documents};

pub(super) async fn export(connections: &Connections, to: mpsc::Sender<Exported>) -> Result<(), StoreError> {
    let mut reader = connections.apart().await?;
    let outcome = send_all(&mut reader, &to).await;
    reader.close().await.ok();
    outcome.map_err(store_error)
}

async fn send_all(reader: &mut PgConnection, to: &mpsc::Sender<Exported>) -> Result<(), sqlx::Error> {
    // A statement runs as long as its rows are taken, which may be slow for good reasons.
    sqlx::raw_sql(
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    )
    .execute(&mut *reader)
    .await?;
    let mut rows = sqlx::query_as::<_, DocumentRecord>(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents ORDER BY id",
    )
    .fetch(&mut *reader);
    while let Some(document) = rows.try_next().await? {
        if to.send(Exported::Document(document)).await.is_err() {
            return Ok(());
        }
    }
    drop(rows);
    // No key came from a key, so this order is enough.
    let mut rows = sqlx::query_as::<_, CredentialRecord>(
        "SELECT id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked
         FROM credentials ORDER BY issued_by IS NOT NULL, created, id",
    )
    .fetch(&mut *reader);
    while let Some(credential) = rows.try_next().await? {
        if to.send(Exported::Credential(credential)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) async fn import(
    connections: &Connections,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.within_longer(write_all(transaction.connection(), batch, replace)).await;
    transaction.finish(outcome).await
}

async fn write_all(
    connection: &mut PgConnection,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
    let mut accounts = BTreeSet::new();
    for one in batch {
        if let Exported::Document(document) = one {
            accounts.insert(document.account.as_str());
        }
    }
    // All at the beginning and in one order; see `documents` for what they prevent.
    documents::lock_all(connection, accounts).await?;
    let mut imported = Vec::with_capacity(batch.len());
    for (index, one) in batch.iter().enumerate() {
        let written = match one {
            Exported::Document(document) => write_document(connection, document, replace).await,
            Exported::Credential(credential) => write_credential(connection, credential, replace).await,
        };
        imported.push(written.map_err(|stopped| stopped.at(index))?);
    }
    // Only now: a number may have been given up by a document that came later.
    for (index, document) in numbers_to_write(batch, &imported) {
        write_numbers(connection, document).await.map_err(|stopped| stopped.at(index))?;
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

async fn write_document(
    connection: &mut PgConnection,
    document: &DocumentRecord,
    replace: bool,
) -> Result<Imported, Stopped> {
    let stored = sqlx::query_as(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents WHERE id = $1 FOR UPDATE",
    )
    .bind(&document.id)
    .fetch_optional(&mut *connection)
    .await?;
    match judge_document(stored.as_ref(), document, replace).map_err(Stopped::Refused)? {
        Verdict::Leave => return Ok(Imported::Unchanged),
        Verdict::Insert => {
            documents::add(connection, document).await?;
            return Ok(Imported::New);
        }
        Verdict::Replace(document) => {
            // Its numbers go with it.
            sqlx::query("DELETE FROM documents WHERE id = $1")
                .bind(&document.id)
                .execute(&mut *connection)
                .await?;
            documents::add(connection, &document).await?;
        }
    }
    Ok(Imported::Replaced)
}

async fn write_numbers(connection: &mut PgConnection, document: &DocumentRecord) -> Result<(), Stopped> {
    match documents::insert_numbers(connection, document).await {
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
        Err(other) => Err(Stopped::Failed(super::failure::damaged(other))),
    }
}

async fn write_credential(
    connection: &mut PgConnection,
    credential: &CredentialRecord,
    replace: bool,
) -> Result<Imported, Stopped> {
    let stored = sqlx::query_as(
        "SELECT id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked
         FROM credentials WHERE id = $1 FOR UPDATE",
    )
    .bind(&credential.id)
    .fetch_optional(&mut *connection)
    .await?;
    let verdict = judge_credential(stored.as_ref(), credential, replace).map_err(Stopped::Refused)?;
    let (written, imported) = match verdict {
        Verdict::Leave => return Ok(Imported::Unchanged),
        Verdict::Insert => (credentials::add(connection, credential).await, Imported::New),
        Verdict::Replace(credential) => (rewrite(connection, &credential).await, Imported::Replaced),
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

/// Not deleted and added again: what came from a key goes with it.
async fn rewrite(connection: &mut PgConnection, credential: &CredentialRecord) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE credentials SET kind = $1, hash = $2, name = $3, account_id = $4, scopes = $5,
           issued_by = $6, created = $7, expires = $8, last_used = $9, revoked = $10
         WHERE id = $11",
    )
    .bind(credential.kind.as_str())
    .bind(credential.hash.as_slice())
    .bind(&credential.name)
    .bind(credential.account.as_ref().map(AsRef::<str>::as_ref))
    .bind(&credential.scopes)
    .bind(&credential.issued_by)
    .bind(credential.created)
    .bind(credential.expires)
    .bind(credential.last_used)
    .bind(credential.revoked)
    .bind(&credential.id)
    .execute(connection)
    .await
    .map(drop)
}
