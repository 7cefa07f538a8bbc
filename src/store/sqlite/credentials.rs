//! The statements for credentials.
//!
//! Owns: what is one transaction, and that a token dies with the key it came from.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;

use super::super::{CredentialRecord, StoreError, WriteError};
use super::connection::Reader;
use super::failure::store_error;
use super::writer::Writer;

pub(super) async fn create(
    writer: &Writer,
    credential: &CredentialRecord,
    forget: i64,
) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = insert(transaction.connection(), credential, forget).await;
    failed(transaction.finish(outcome).await)
}

async fn insert(
    connection: &mut SqliteConnection,
    credential: &CredentialRecord,
    forget: i64,
) -> Result<(), WriteError> {
    sqlx::query("DELETE FROM credentials WHERE issued_by IS NOT NULL AND expires < ?")
        .bind(forget)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    add(connection, credential).await.map_err(|error| store_error(error).into())
}

/// One row, as it is.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    credential: &CredentialRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO credentials
           (id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&credential.id)
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
    .execute(connection)
    .await
    .map(drop)
}

pub(super) async fn by_hash(
    pool: &SqlitePool,
    hash: &[u8; 32],
) -> Result<Option<CredentialRecord>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    // The key is asked as well rather than its tokens revoked with it: an exchange that races with
    // the revocation would leave a token behind.
    let found = sqlx::query_as(
        "SELECT c.id, c.kind, c.hash, c.name, c.account_id, c.scopes, c.issued_by, c.created, c.expires,
                c.last_used, coalesce(c.revoked, k.revoked) AS revoked
         FROM credentials c LEFT JOIN credentials k ON k.id = c.issued_by
         WHERE c.hash = ?",
    )
    .bind(hash.as_slice())
    .fetch_optional(reader.connection())
    .await;
    reader.finish(found)
}

pub(super) async fn list(pool: &SqlitePool) -> Result<Vec<CredentialRecord>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = sqlx::query_as(
        "SELECT c.id, c.kind, c.hash, c.name, c.account_id, c.scopes, c.issued_by, c.created, c.expires,
                c.last_used, coalesce(c.revoked, k.revoked) AS revoked
         FROM credentials c LEFT JOIN credentials k ON k.id = c.issued_by
         ORDER BY c.created, c.id",
    )
    .fetch_all(reader.connection())
    .await;
    reader.finish(found)
}

pub(super) async fn revoke(writer: &Writer, id: &str, now: i64) -> Result<bool, StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = sqlx::query("UPDATE credentials SET revoked = coalesce(revoked, ?) WHERE id = ?")
        .bind(now)
        .bind(id)
        .execute(transaction.connection())
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(|error| store_error(error).into());
    failed(transaction.finish(outcome).await)
}

pub(super) async fn note_used(writer: &Writer, uses: &[(String, i64)]) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let mut outcome = Ok(());
    for (id, when) in uses {
        outcome = sqlx::query(
            "UPDATE credentials SET last_used = ?1 WHERE id = ?2 AND coalesce(last_used, 0) < ?1",
        )
        .bind(when)
        .bind(id)
        .execute(transaction.connection())
        .await
        .map(drop)
        .map_err(|error| store_error(error).into());
        if outcome.is_err() {
            break;
        }
    }
    failed(transaction.finish(outcome).await)
}

/// Nothing here is ever refused, so what is left of a [`WriteError`] is the failure.
fn failed<T>(outcome: Result<T, WriteError>) -> Result<T, StoreError> {
    outcome.map_err(|error| match error {
        WriteError::Store(error) => error,
        refusal => super::failure::damaged(refusal),
    })
}
