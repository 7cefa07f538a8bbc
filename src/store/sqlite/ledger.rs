//! The audit log and idempotency keys: what is one transaction.

use sqlx::sqlite::SqlitePool;

use super::super::{AccountId, AuditPage, AuditQuery, AuditRecord, KeyClaim, KeyUse, StoreError};
use super::connection::Reader;
use super::failure::store_error;
use super::statements::ledger;
use super::writer::Writer;

pub(super) async fn append(writer: &Writer, records: &[AuditRecord]) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = ledger::append(transaction.connection(), records).await.map_err(store_error);
    transaction.finish(outcome).await
}

pub(super) async fn page(
    pool: &SqlitePool,
    account: &AccountId,
    conference_id: &str,
    query: &AuditQuery,
) -> Result<AuditPage, StoreError> {
    let mut reader = Reader::acquire(pool).await?;
    let found = ledger::page(reader.connection(), account, conference_id, query).await;
    reader.finish(found)
}

pub(super) async fn age_out(writer: &Writer, before: i64, limit: u32) -> Result<u64, StoreError> {
    const OLD: &str =
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";
    delete_old(writer, OLD, before, limit).await
}

pub(super) async fn forget_keys(writer: &Writer, before: i64, limit: u32) -> Result<u64, StoreError> {
    const OLD: &str = "DELETE FROM idempotency_keys WHERE (account_id, credential, key) IN (
           SELECT account_id, credential, key FROM idempotency_keys WHERE began < $1 ORDER BY began LIMIT $2)";
    delete_old(writer, OLD, before, limit).await
}

async fn delete_old(
    writer: &Writer,
    statement: &'static str,
    before: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = ledger::delete_old(transaction.connection(), statement, before, limit).await;
    transaction.finish(outcome.map_err(store_error)).await
}

pub(super) async fn claim(
    writer: &Writer,
    claim: &KeyClaim,
    forgotten: i64,
) -> Result<Option<KeyUse>, StoreError> {
    let mut transaction = writer.begin().await?;
    let connection = transaction.connection();
    let outcome = async {
        if ledger::claim(connection, claim, forgotten).await? {
            return Ok(None);
        }
        // Nobody else writes just now: what refused the claim is there.
        ledger::key_use(connection, claim).await
    };
    let outcome = outcome.await.map_err(store_error);
    transaction.finish(outcome).await
}

pub(super) async fn answer(writer: &Writer, claim: &KeyClaim, answer: &str) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = ledger::answer(transaction.connection(), claim, answer).await.map_err(store_error);
    transaction.finish(outcome).await
}

pub(super) async fn free(writer: &Writer, claim: &KeyClaim) -> Result<(), StoreError> {
    let mut transaction = writer.begin().await?;
    let outcome = ledger::free(transaction.connection(), claim).await.map_err(store_error);
    transaction.finish(outcome).await
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection};

    use super::super::super::AuditKey;
    use super::*;

    #[tokio::test]
    async fn every_page_reads_an_index_from_its_end_and_sorts_nothing() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("a database");
        let schema = include_str!("migrations/0003_audit_and_idempotency.sql");
        connection.execute(schema).await.expect("a schema");
        let account: AccountId = "a".parse().expect("an account");
        let start_key = Some(AuditKey { at: 1, id: 1 });
        for (call_id, from, index) in [
            (None, None, "audit_by_conference"),
            (None, Some(1), "audit_by_conference"),
            (Some("x".to_owned()), Some(1), "audit_by_call"),
        ] {
            let query = AuditQuery { start_key, call_id, from, to: from, ..AuditQuery::default() };
            let select = ledger::select_page(&account, "c", &query);
            let explain = format!("EXPLAIN QUERY PLAN {}", select.sql().as_str());
            let plan = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await.expect("a plan");
            let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            assert!(plan.len() == 1 && plan[0].starts_with("SEARCH") && plan[0].contains(index), "{plan:?}");
            assert!(plan[0].contains("at"), "{plan:?}");
        }
    }
}
