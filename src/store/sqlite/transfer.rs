//! The statements that move everything out of the database, and into it.
//!
//! Owns: that an export sees one moment, and what is one transaction of an import. Leaves judging to
//! the `transfer` that all engines share.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::mpsc;

use super::super::transfer::{Verdict, judge_credential, judge_document, numbers_to_write};
use super::super::{
    CredentialRecord, DocumentRecord, Exported, ImportError, Imported, NumberUse, Refusal, StoreError,
    StoreErrorKind,
};
use super::failure::store_error;
use super::writer::Writer;
use super::{credentials, documents};

pub(super) async fn export(pool: &SqlitePool, to: mpsc::Sender<Exported>) -> Result<(), StoreError> {
    if pool.is_closed() {
        return Err(StoreError::new(StoreErrorKind::Closed, "the store was closed"));
    }
    // A connection of its own: an export may take minutes, and one that is given up half-way takes
    // its transaction along.
    let options = SqliteConnectOptions::clone(&pool.connect_options());
    let mut reader = options.connect().await.map_err(store_error)?;
    let outcome = send_all(&mut reader, &to).await;
    reader.close().await.ok();
    outcome.map_err(store_error)
}

async fn send_all(reader: &mut SqliteConnection, to: &mpsc::Sender<Exported>) -> Result<(), sqlx::Error> {
    // The first statement that reads fixes the moment, the end of the connection ends it.
    sqlx::query("BEGIN").execute(&mut *reader).await?;
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
    writer: &Writer,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
    let mut transaction = writer.begin().await?;
    let outcome = write_all(transaction.connection(), batch, replace).await;
    transaction.finish(outcome).await
}

async fn write_all(
    connection: &mut SqliteConnection,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
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
    Failed(sqlx::Error),
}

impl Stopped {
    fn at(self, index: usize) -> ImportError {
        match self {
            Self::Refused(reason) => ImportError::Refused { index, reason },
            Self::Failed(error) => ImportError::Store(store_error(error)),
        }
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

async fn write_document(
    connection: &mut SqliteConnection,
    document: &DocumentRecord,
    replace: bool,
) -> Result<Imported, Stopped> {
    let stored = sqlx::query_as(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents WHERE id = ?",
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
            sqlx::query("DELETE FROM documents WHERE id = ?")
                .bind(&document.id)
                .execute(&mut *connection)
                .await?;
            documents::add(connection, &document).await?;
        }
    }
    Ok(Imported::Replaced)
}

async fn write_numbers(connection: &mut SqliteConnection, document: &DocumentRecord) -> Result<(), Stopped> {
    for NumberUse { number, role } in &document.numbers {
        let done = sqlx::query(
            "INSERT INTO numbers (account_id, number, document_id, role) VALUES (?, ?, ?, ?)
             ON CONFLICT (account_id, number) DO NOTHING",
        )
        .bind(document.account.as_str())
        .bind(number)
        .bind(&document.id)
        .bind(role.as_str())
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            let holder =
                sqlx::query_scalar("SELECT document_id FROM numbers WHERE account_id = ? AND number = ?")
                    .bind(document.account.as_str())
                    .bind(number)
                    .fetch_one(connection)
                    .await?;
            let number = number.clone();
            return Err(Stopped::Refused(Refusal::NumberInUse { number, document: holder }));
        }
    }
    Ok(())
}

async fn write_credential(
    connection: &mut SqliteConnection,
    credential: &CredentialRecord,
    replace: bool,
) -> Result<Imported, Stopped> {
    let stored = sqlx::query_as(
        "SELECT id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked
         FROM credentials WHERE id = ?",
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
async fn rewrite(
    connection: &mut SqliteConnection,
    credential: &CredentialRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE credentials SET kind = ?, hash = ?, name = ?, account_id = ?, scopes = ?, issued_by = ?,
           created = ?, expires = ?, last_used = ?, revoked = ?
         WHERE id = ?",
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
