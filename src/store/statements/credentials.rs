//! The rows of credentials.

use super::{Connection, store_error};
use crate::store::{CredentialRecord, StoreError};

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

/// The credential with that hash.
pub(in super::super) async fn by_hash(
    connection: &mut Connection,
    hash: &[u8; 32],
) -> Result<Option<CredentialRecord>, sqlx::Error> {
    let select = sqlx::query_as(select!("WHERE c.hash = $1"));
    select.bind(hash.as_slice()).fetch_optional(connection).await
}

/// All credentials, the oldest first.
pub(in super::super) async fn all(connection: &mut Connection) -> Result<Vec<CredentialRecord>, sqlx::Error> {
    sqlx::query_as(select!("ORDER BY c.created, c.id")).fetch_all(connection).await
}

/// One row, as it is.
pub(in super::super) async fn add(
    connection: &mut Connection,
    credential: &CredentialRecord,
) -> Result<(), sqlx::Error> {
    write(
        connection,
        "INSERT INTO credentials
           (kind, hash, name, account_id, scopes, issued_by, created, expires, last_used, revoked, id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        credential,
    )
    .await
}

/// Not deleted and added again: what came from a key goes with it.
pub(in super::super) async fn replace(
    connection: &mut Connection,
    credential: &CredentialRecord,
) -> Result<(), sqlx::Error> {
    write(
        connection,
        "UPDATE credentials SET kind = $1, hash = $2, name = $3, account_id = $4, scopes = $5,
           issued_by = $6, created = $7, expires = $8, last_used = $9, revoked = $10
         WHERE id = $11",
        credential,
    )
    .await
}

async fn write(
    connection: &mut Connection,
    statement: &'static str,
    credential: &CredentialRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement)
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

/// Revokes it, unless it is revoked; whether it is there.
pub(in super::super) async fn revoke(
    connection: &mut Connection,
    id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    sqlx::query("UPDATE credentials SET revoked = coalesce(revoked, $1) WHERE id = $2")
        .bind(now)
        .bind(id)
        .execute(connection)
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(store_error)
}
