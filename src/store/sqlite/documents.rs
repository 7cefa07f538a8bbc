//! Documents and their numbers: what is one transaction.
//!
//! Leaves settings and turns to `connection` and `writer`.

use std::collections::HashMap;

use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection};

use super::super::{
    AccountId, DocumentPage, DocumentQuery, DocumentRecord, Exported, NumberRole, NumberUse, StoreError,
    WriteError, rows,
};
use super::connection::Reader;
use super::failure::{damaged, store_error};
use super::statements::documents;
use super::writer::Writer;

pub(super) async fn create(writer: &Writer, document: &DocumentRecord) -> Result<(), WriteError> {
    let mut transaction = writer.begin().await?;
    let outcome = insert(transaction.connection(), document).await;
    transaction.finish(outcome).await
}

async fn insert(connection: &mut SqliteConnection, document: &DocumentRecord) -> Result<(), WriteError> {
    documents::add(connection, document).await.map_err(store_error)?;
    insert_numbers(connection, document).await
}

/// One by one, so that a refusal tells which number it was.
pub(super) async fn insert_numbers(
    connection: &mut SqliteConnection,
    document: &DocumentRecord,
) -> Result<(), WriteError> {
    for NumberUse { number, role } in &document.numbers {
        sqlx::query("INSERT INTO numbers (account_id, number, document_id, role) VALUES ($1, $2, $3, $4)")
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

/// There is one writer only.
pub(super) async fn lock_accounts(_: &mut SqliteConnection, _: &[Exported]) -> Result<(), StoreError> {
    Ok(())
}

pub(super) async fn replace(
    writer: &Writer,
    document: &DocumentRecord,
    expected: &str,
) -> Result<(), WriteError> {
    let mut transaction = writer.begin().await?;
    let outcome = documents::update(transaction.connection(), document, expected).await;
    transaction.finish(outcome).await
}

pub(super) async fn delete(
    writer: &Writer,
    account: &AccountId,
    id: &str,
    expected: Option<&str>,
) -> Result<DocumentRecord, WriteError> {
    let mut transaction = writer.begin().await?;
    let outcome = documents::delete(transaction.connection(), account, id, expected).await;
    transaction.finish(outcome).await
}

pub(super) async fn get(
    pool: &SqlitePool,
    account: &AccountId,
    id: &str,
) -> Result<Option<DocumentRecord>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = documents::get(reader.connection(), account, id).await;
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
    let found = documents::by_number(reader.connection(), account, number).await;
    reader.finish(found)
}

pub(super) async fn by_number_anywhere(
    pool: &SqlitePool,
    number: &str,
    limit: u32,
) -> Result<Vec<(DocumentRecord, NumberRole)>, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = documents::by_number_anywhere(reader.connection(), number, limit).await;
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
