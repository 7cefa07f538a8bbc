//! Credentials: what is one transaction.

use sqlx::PgConnection;

use super::super::{CredentialRecord, StoreError};
use super::connection::Connections;
use super::failure::store_error;
use super::statements::credentials;

pub(super) async fn create(
    connections: &Connections,
    credential: &CredentialRecord,
    forget: i64,
) -> Result<(), StoreError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.within(insert(transaction.connection(), credential, forget)).await;
    transaction.finish(outcome).await
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
    credentials::add(connection, credential).await.map_err(store_error)
}

pub(super) async fn by_hash(
    connections: &Connections,
    hash: &[u8; 32],
) -> Result<Option<CredentialRecord>, StoreError> {
    let mut session = connections.session().await?;
    let found = connections.query(credentials::by_hash(session.connection(), hash)).await;
    session.finish(found)
}

pub(super) async fn list(connections: &Connections) -> Result<Vec<CredentialRecord>, StoreError> {
    let mut session = connections.session().await?;
    let found = connections.query(credentials::all(session.connection())).await;
    session.finish(found)
}

pub(super) async fn revoke(connections: &Connections, id: &str, now: i64) -> Result<bool, StoreError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.within(credentials::revoke(transaction.connection(), id, now)).await;
    transaction.finish(outcome).await
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
    let outcome = connections.query(done).await;
    transaction.finish(outcome.map(drop)).await
}
