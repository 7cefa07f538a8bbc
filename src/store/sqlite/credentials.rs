//! Credentials: what is one transaction.

use sqlx::sqlite::SqlitePool;

use super::super::{CredentialRecord, StoreError};
use super::connection::Reader;
use super::failure::store_error;
use super::statements::credentials;
use super::writer::Writer;

pub(super) async fn create(
    writer: &Writer,
    credential: &CredentialRecord,
    forget: i64,
) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let connection = transaction.connection();
    let outcome = async {
        sqlx::query("DELETE FROM credentials WHERE issued_by IS NOT NULL AND expires < $1")
            .bind(forget)
            .execute(&mut *connection)
            .await?;
        credentials::add(connection, credential).await
    };
    let outcome = outcome.await.map_err(store_error);
    transaction.finish(outcome).await
}

pub(super) async fn by_hash(
    pool: &SqlitePool,
    hash: &[u8; 32],
) -> Result<Option<CredentialRecord>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = credentials::by_hash(reader.connection(), hash).await;
    reader.finish(found)
}

pub(super) async fn list(pool: &SqlitePool) -> Result<Vec<CredentialRecord>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = credentials::all(reader.connection()).await;
    reader.finish(found)
}

pub(super) async fn revoke(writer: &Writer, id: &str, now: i64) -> Result<bool, StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = credentials::revoke(transaction.connection(), id, now).await;
    transaction.finish(outcome).await
}

pub(super) async fn note_used(writer: &Writer, uses: &[(String, i64)]) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let connection = transaction.connection();
    let outcome = async {
        for (id, when) in uses {
            sqlx::query(
                "UPDATE credentials SET last_used = $1 WHERE id = $2 AND coalesce(last_used, 0) < $1",
            )
            .bind(when)
            .bind(id)
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    };
    let outcome = outcome.await.map_err(store_error);
    transaction.finish(outcome).await
}
