//! The statements for documents and their numbers.
//!
//! Owns: what is one transaction. Leaves settings and turns to `connection` and `writer`.

use std::collections::HashMap;

use sqlx::sqlite::SqlitePool;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::super::{
    AccountId, DocumentPage, DocumentQuery, DocumentRecord, NumberRole, NumberUse, StoreError, WriteError,
    rows,
};
use super::connection::Reader;
use super::failure::{damaged, store_error};
use super::writer::Writer;

pub(super) async fn create(writer: &Writer, document: &DocumentRecord) -> Result<(), WriteError> {
    let mut transaction = writer.begin().await?;
    let outcome = insert(transaction.connection(), document).await;
    transaction.finish(outcome).await
}

async fn insert(connection: &mut SqliteConnection, document: &DocumentRecord) -> Result<(), WriteError> {
    add(connection, document).await.map_err(store_error)?;
    insert_numbers(connection, document).await
}

/// One row, as it is, without its numbers.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    document: &DocumentRecord,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO documents (id, account_id, revision, created, modified, name, owner_id, text)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
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

/// One by one, so that a refusal tells which number it was.
async fn insert_numbers(
    connection: &mut SqliteConnection,
    document: &DocumentRecord,
) -> Result<(), WriteError> {
    for NumberUse { number, role } in &document.numbers {
        sqlx::query("INSERT INTO numbers (account_id, number, document_id, role) VALUES (?, ?, ?, ?)")
            .bind(document.account.as_str())
            .bind(number)
            .bind(&document.id)
            .bind(role.as_str())
            .execute(&mut *connection)
            .await
            .map_err(|error| match &error {
                sqlx::Error::Database(inner) if inner.is_unique_violation() => {
                    WriteError::NumberInUse(number.clone())
                }
                _ => store_error(error).into(),
            })?;
    }
    Ok(())
}

pub(super) async fn replace(
    writer: &Writer,
    document: &DocumentRecord,
    expected: &str,
) -> Result<(), WriteError> {
    let mut transaction = writer.begin().await?;
    let outcome = update(transaction.connection(), document, expected).await;
    transaction.finish(outcome).await
}

async fn update(
    connection: &mut SqliteConnection,
    document: &DocumentRecord,
    expected: &str,
) -> Result<(), WriteError> {
    let done = sqlx::query(
        "UPDATE documents SET revision = ?, modified = ?, name = ?, owner_id = ?, text = ?
         WHERE id = ? AND account_id = ? AND revision = ?",
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
    sqlx::query("DELETE FROM numbers WHERE document_id = ?")
        .bind(&document.id)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    insert_numbers(connection, document).await
}

/// Nothing was written: because it is not there, or because it has another revision.
async fn why_not(connection: &mut SqliteConnection, account: &AccountId, id: &str) -> WriteError {
    let current = sqlx::query_scalar("SELECT revision FROM documents WHERE id = ? AND account_id = ?")
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

pub(super) async fn delete(
    writer: &Writer,
    account: &AccountId,
    id: &str,
    expected: Option<&str>,
) -> Result<DocumentRecord, WriteError> {
    let mut transaction = writer.begin().await?;
    let outcome = remove(transaction.connection(), account, id, expected).await;
    transaction.finish(outcome).await
}

/// Its numbers go with it, by the foreign key.
async fn remove(
    connection: &mut SqliteConnection,
    account: &AccountId,
    id: &str,
    expected: Option<&str>,
) -> Result<DocumentRecord, WriteError> {
    let deleted = QueryBuilder::new("DELETE FROM documents WHERE id = ")
        .push_bind(id)
        .push(" AND account_id = ")
        .push_bind(account.as_str())
        .push(" AND revision = coalesce(")
        .push_bind(expected)
        .push(", revision) RETURNING ")
        .push(rows::DOCUMENT_COLUMNS)
        .build_query_as()
        .fetch_optional(&mut *connection)
        .await
        .map_err(store_error)?;
    match deleted {
        Some(document) => Ok(document),
        None => Err(why_not(connection, account, id).await),
    }
}

pub(super) async fn get(
    pool: &SqlitePool,
    account: &AccountId,
    id: &str,
) -> Result<Option<DocumentRecord>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = sqlx::query_as(
        "SELECT id, account_id, revision, created, modified, name, owner_id, text
         FROM documents WHERE id = ? AND account_id = ?",
    )
    .bind(id)
    .bind(account.as_str())
    .fetch_optional(reader.connection())
    .await;
    reader.finish(found)
}

pub(super) async fn page(
    pool: &SqlitePool,
    account: &AccountId,
    query: &DocumentQuery,
) -> Result<DocumentPage, StoreError> {
    let mut select = rows::select_page::<Sqlite>(account, query);
    let mut reader = Reader::acquire(pool).await?;
    let found = select.build_query_as().fetch(reader.connection());
    let page = rows::read_page(found, query.page_size).await;
    reader.finish(page)
}

pub(super) async fn owners_of(
    pool: &SqlitePool,
    ids: &[String],
) -> Result<HashMap<String, AccountId>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    // One parameter for all ids: the number of parameters of a statement is limited.
    let ids = serde_json::to_string(ids).map_err(damaged)?;
    let mut reader = Reader::acquire(pool).await?;
    let found = sqlx::query_as::<_, (String, String)>(
        "SELECT id, account_id FROM documents WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(ids)
    .fetch_all(reader.connection())
    .await;
    let found = reader.finish(found)?;
    found.into_iter().map(|(id, account)| Ok((id, account.parse().map_err(damaged)?))).collect()
}

pub(super) async fn by_number(
    pool: &SqlitePool,
    account: &AccountId,
    number: &str,
) -> Result<Option<(DocumentRecord, NumberRole)>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = sqlx::query(
        "SELECT d.id, d.account_id, d.revision, d.created, d.modified, d.name, d.owner_id, d.text, n.role
         FROM numbers n JOIN documents d ON d.id = n.document_id
         WHERE n.account_id = ? AND n.number = ?",
    )
    .bind(account.as_str())
    .bind(number)
    .fetch_optional(reader.connection())
    .await
    .and_then(|row| {
        let Some(row) = row else { return Ok(None) };
        Ok(Some((DocumentRecord::from_row(&row)?, rows::role_of(&row)?)))
    });
    reader.finish(found)
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Executor, Row};

    use super::*;

    #[tokio::test]
    async fn every_filter_reads_an_index_in_order_and_sorts_nothing() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("a database");
        let schema = include_str!("migrations/0001_documents_and_credentials.sql");
        connection.execute(schema).await.expect("a schema");
        let account: AccountId = "a".parse().expect("an account");
        let text = Some("x".to_owned());
        for (name, owner_id, index) in [
            (None, None, "documents_by_account"),
            (text.clone(), None, "documents_by_name"),
            (None, text.clone(), "documents_by_owner"),
            (text.clone(), text.clone(), "documents_by_"),
        ] {
            let query = DocumentQuery { start_key: text.clone(), page_size: 50, name, owner_id };
            let select = rows::select_page::<Sqlite>(&account, &query);
            let explain = format!("EXPLAIN QUERY PLAN {}", select.sql().as_str());
            let plan = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await.expect("a plan");
            let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            assert_eq!(plan.len(), 1, "{plan:?}");
            assert!(plan[0].starts_with("SEARCH") && plan[0].contains(index), "{query:?}: {plan:?}");
        }
    }
}
