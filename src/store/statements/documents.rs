//! The rows of documents.

use sqlx::FromRow;

use super::{Connection, insert_numbers, store_error};
use crate::store::{AccountId, DocumentRecord, NumberRole, WriteError, rows};

/// One row, as it is, without its numbers.
pub(in super::super) async fn add(
    connection: &mut Connection,
    document: &DocumentRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO documents (id, account_id, revision, created, modified, name, owner_id, text)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&document.id)
    .bind(document.account.as_str())
    .bind(&document.revision)
    .bind(document.created)
    .bind(document.modified)
    .bind(&document.name)
    .bind(&document.owner_id)
    .bind(&document.text)
    .execute(connection)
    .await
    .map(drop)
}

/// Replaces a document of that revision, and its numbers.
pub(in super::super) async fn update(
    connection: &mut Connection,
    document: &DocumentRecord,
    expected: &str,
) -> Result<(), WriteError> {
    let done = sqlx::query(
        "UPDATE documents SET revision = $1, modified = $2, name = $3, owner_id = $4, text = $5
         WHERE id = $6 AND account_id = $7 AND revision = $8",
    )
    .bind(&document.revision)
    .bind(document.modified)
    .bind(&document.name)
    .bind(&document.owner_id)
    .bind(&document.text)
    .bind(&document.id)
    .bind(document.account.as_str())
    .bind(expected)
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if done.rows_affected() == 0 {
        return Err(why_not(connection, &document.account, &document.id).await);
    }
    sqlx::query("DELETE FROM numbers WHERE document_id = $1")
        .bind(&document.id)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    insert_numbers(connection, document).await
}

/// Deletes a document, of that revision or of any. Its numbers go with it, by the foreign key.
pub(in super::super) async fn delete(
    connection: &mut Connection,
    account: &AccountId,
    id: &str,
    expected: Option<&str>,
) -> Result<DocumentRecord, WriteError> {
    let deleted = sqlx::query_as(
        "DELETE FROM documents WHERE id = $1 AND account_id = $2 AND revision = coalesce($3, revision)
         RETURNING id, account_id, revision, created, modified, name, owner_id, text",
    )
    .bind(id)
    .bind(account.as_str())
    .bind(expected)
    .fetch_optional(&mut *connection)
    .await
    .map_err(store_error)?;
    match deleted {
        Some(document) => Ok(document),
        None => Err(why_not(connection, account, id).await),
    }
}

/// Nothing was written: because it is not there, or because it has another revision.
async fn why_not(connection: &mut Connection, account: &AccountId, id: &str) -> WriteError {
    let current = sqlx::query_scalar("SELECT revision FROM documents WHERE id = $1 AND account_id = $2")
        .bind(id)
        .bind(account.as_str())
        .fetch_optional(connection)
        .await;
    match current {
        Ok(Some(current)) => WriteError::Revision { current },
        Ok(None) => WriteError::Missing,
        Err(error) => store_error(error).into(),
    }
}

/// The document of that account and id.
pub(in super::super) async fn get(
    connection: &mut Connection,
    account: &AccountId,
    id: &str,
) -> Result<Option<DocumentRecord>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents WHERE id = $1 AND account_id = $2",
    )
    .bind(id)
    .bind(account.as_str())
    .fetch_optional(connection)
    .await
}

/// The documents of all accounts with that number, at most so many.
pub(in super::super) async fn by_number_anywhere(
    connection: &mut Connection,
    number: &str,
    limit: u32,
) -> Result<Vec<(DocumentRecord, NumberRole)>, sqlx::Error> {
    let found = sqlx::query(
        "SELECT d.id, d.account_id, d.revision, d.created, d.modified, d.name, d.owner_id, d.text, n.role
         FROM numbers n JOIN documents d ON d.id = n.document_id
         WHERE n.number = $1 ORDER BY n.account_id LIMIT $2",
    )
    .bind(number)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    found.into_iter().map(|row| Ok((DocumentRecord::from_row(&row)?, rows::role_of(&row)?))).collect()
}

/// The document with that number, and for whom the number is.
pub(in super::super) async fn by_number(
    connection: &mut Connection,
    account: &AccountId,
    number: &str,
) -> Result<Option<(DocumentRecord, NumberRole)>, sqlx::Error> {
    let found = sqlx::query(
        "SELECT d.id, d.account_id, d.revision, d.created, d.modified, d.name, d.owner_id, d.text, n.role
         FROM numbers n JOIN documents d ON d.id = n.document_id
         WHERE n.account_id = $1 AND n.number = $2",
    )
    .bind(account.as_str())
    .bind(number)
    .fetch_optional(connection)
    .await?;
    found.map(|row| Ok((DocumentRecord::from_row(&row)?, rows::role_of(&row)?))).transpose()
}
