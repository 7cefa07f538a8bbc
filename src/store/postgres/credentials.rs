//! The statements for credentials.
//!
//! Owns: what is one transaction, and that a token dies with the key it came from.

use sqlx::PgConnection;

use super::super::{CredentialRecord, StoreError, WriteError};
use super::connection::{Connections, Transaction};
use super::failure::store_error;

/// A credential with what revokes it. The key is asked as well rather than its tokens revoked with it:
/// an exchange that races with the revocation would leave a token behind.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.kind, c.hash, c.name, c.account_id, c.scopes, c.issued_by, c.created,
                    c.expires, c.last_used, coalesce(c.revoked, k.revoked) AS revoked
             FROM credentials c LEFT JOIN credentials k ON k.id = c.issued_by ",
            $rest
        )
    };
}

pub(super) async fn create(
    connections: &Connections,
    credential: &CredentialRecord,
    forget: i64,
) -> Result<(), StoreError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.within(insert(transaction.connection(), credential, forget)).await;
    finish(transaction, outcome).await
}

async fn insert(
    connection: &mut PgConnection,
    credential: &CredentialRecord,
    forget: i64,
) -> Result<(), StoreError> {
    // What another daemon forgets just now is left to it.
    sqlx::query(
        "DELETE FROM credentials WHERE id IN (
           SELECT id FROM credentials WHERE issued_by IS NOT NULL AND expires < $1
           ORDER BY id FOR UPDATE SKIP LOCKED)",
    )
    .bind(forget)
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    add(connection, credential).await.map_err(store_error)
}

/// One row, as it is.
pub(super) async fn add(
    connection: &mut PgConnection,
    credential: &CredentialRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO credentials
           (id, kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
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
    connections: &Connections,
    hash: &[u8; 32],
) -> Result<Option<CredentialRecord>, StoreError> {
    let mut session = connections.session().await?;
    let found = sqlx::query_as(select!("WHERE c.hash = $1"))
        .bind(hash.as_slice())
        .fetch_optional(session.connection());
    let found = connections.within(async { found.await.map_err(store_error) }).await;
    session.finish(found)
}

pub(super) async fn list(connections: &Connections) -> Result<Vec<CredentialRecord>, StoreError> {
    let mut session = connections.session().await?;
    let found = sqlx::query_as(select!("ORDER BY c.created, c.id")).fetch_all(session.connection());
    let found = connections.within(async { found.await.map_err(store_error) }).await;
    session.finish(found)
}

pub(super) async fn revoke(connections: &Connections, id: &str, now: i64) -> Result<bool, StoreError> {
    let mut transaction = connections.begin().await?;
    let done = sqlx::query("UPDATE credentials SET revoked = coalesce(revoked, $1) WHERE id = $2")
        .bind(now)
        .bind(id)
        .execute(transaction.connection());
    let done = connections.within(async { done.await.map_err(store_error) }).await;
    finish(transaction, done.map(|done| done.rows_affected() > 0)).await
}

pub(super) async fn note_used(connections: &Connections, uses: &[(String, i64)]) -> Result<(), StoreError> {
    let (ids, times): (Vec<&str>, Vec<i64>) = uses.iter().map(|(id, when)| (id.as_str(), *when)).unzip();
    let mut transaction = connections.begin().await?;
    // In order of ids: two daemons that note the same tokens must not wait for each other.
    let done = sqlx::query(
        "WITH used AS (SELECT id, max(at) AS at FROM unnest($1::text[], $2::bigint[]) AS u (id, at) GROUP BY id),
              held AS (SELECT c.id FROM credentials c JOIN used u ON u.id = c.id
                       WHERE coalesce(c.last_used, 0) < u.at ORDER BY c.id FOR UPDATE OF c)
         UPDATE credentials c SET last_used = u.at FROM used u JOIN held h ON h.id = u.id
         WHERE c.id = u.id AND coalesce(c.last_used, 0) < u.at",
    )
    .bind(ids)
    .bind(times)
    .execute(transaction.connection());
    let done = connections.within(async { done.await.map_err(store_error) }).await;
    finish(transaction, done.map(drop)).await
}

/// Nothing here is ever refused, so what is left of a [`WriteError`] is the failure.
async fn finish<T>(transaction: Transaction<'_>, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
    transaction.finish(outcome.map_err(WriteError::from)).await.map_err(|error| match error {
        WriteError::Store(error) => error,
        refusal => super::failure::damaged(refusal),
    })
}
