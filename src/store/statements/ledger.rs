//! The rows of the audit log and of idempotency keys.

use sqlx::QueryBuilder;

use super::Connection;
use crate::store::{AccountId, AuditPage, AuditQuery, AuditRecord, KeyClaim, KeyUse, rows};

/// The database of the engine around this file.
type Engine = <Connection as sqlx::Connection>::Database;

/// So many rows a statement: 14 values each, of the 32,766 that a statement may have in SQLite.
const AT_ONCE: usize = 500;

/// Adds rows, in their order.
pub(in super::super) async fn append(
    connection: &mut Connection,
    records: &[AuditRecord],
) -> Result<(), sqlx::Error> {
    for some in records.chunks(AT_ONCE) {
        let mut insert = QueryBuilder::<Engine>::new(
            "INSERT INTO audit (at, account_id, conference_id, request_id, token_id, token_name, client,
               action, arguments, participant_id, call_id, node, result, reason) ",
        );
        insert.push_values(some, |mut row, record| {
            row.push_bind(record.at)
                .push_bind(record.account.as_str())
                .push_bind(&record.conference_id)
                .push_bind(&record.request_id)
                .push_bind(&record.token_id)
                .push_bind(&record.token_name)
                .push_bind(&record.client)
                .push_bind(&record.action)
                .push_bind(&record.arguments)
                .push_bind(record.participant_id)
                .push_bind(&record.call_id)
                .push_bind(&record.node)
                .push_bind(&record.result)
                .push_bind(&record.reason);
        });
        // Statements of other lengths than the usual ones are not worth being remembered.
        let remembered = some.len() == 1 || some.len() == AT_ONCE;
        insert.build().persistent(remembered).execute(&mut *connection).await?;
    }
    Ok(())
}

/// One page of what was done to a conference, the newest first.
pub(in super::super) async fn page(
    connection: &mut Connection,
    account: &AccountId,
    conference_id: &str,
    query: &AuditQuery,
) -> Result<AuditPage, sqlx::Error> {
    let mut select = select_page(account, conference_id, query);
    let found = select.build().fetch_all(connection).await?;
    rows::read_audit(found, query.page_size)
}

/// The statement for one page; one row more than the page, which tells where the next one begins.
pub(in super::super) fn select_page(
    account: &AccountId,
    conference_id: &str,
    query: &AuditQuery,
) -> QueryBuilder<Engine> {
    let mut select = QueryBuilder::new(
        "SELECT id, at, account_id, conference_id, request_id, token_id, token_name, client, action,
           arguments, participant_id, call_id, node, result, reason
         FROM audit WHERE account_id = ",
    );
    select.push_bind(account.as_str().to_owned());
    select.push(" AND conference_id = ").push_bind(conference_id.to_owned());
    // Only what is asked for is in the statement, so that the planner sees which index serves it.
    if let Some(call_id) = &query.call_id {
        select.push(" AND call_id = ").push_bind(call_id.clone());
    }
    if let Some(action) = &query.action {
        select.push(" AND action = ").push_bind(action.clone());
    }
    if let Some(from) = query.from {
        select.push(" AND at >= ").push_bind(from);
    }
    if let Some(to) = query.to {
        select.push(" AND at <= ").push_bind(to);
    }
    if let Some(start) = query.start_key {
        select.push(" AND (at, id) <= (").push_bind(start.at).push(", ").push_bind(start.id).push(")");
    }
    select.push(" ORDER BY at DESC, id DESC LIMIT ").push_bind(i64::from(query.page_size) + 1);
    select
}

/// Takes a key for a claim, also from one that is older than `forgotten`; whether it is taken now. The
/// primary key is what decides it.
pub(in super::super) async fn claim(
    connection: &mut Connection,
    claim: &KeyClaim,
    forgotten: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query(
        "INSERT INTO idempotency_keys (account_id, credential, key, request, claim, began)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (account_id, credential, key) DO UPDATE
         SET request = excluded.request, claim = excluded.claim, began = excluded.began, answer = NULL
         WHERE idempotency_keys.began < $7",
    )
    .bind(claim.account_text())
    .bind(&claim.credential)
    .bind(&claim.key)
    .bind(claim.request.as_slice())
    .bind(&claim.claim)
    .bind(claim.began)
    .bind(forgotten)
    .execute(connection)
    .await
    .map(|done| done.rows_affected() > 0)
}

/// What the key of a claim was used for.
pub(in super::super) async fn key_use(
    connection: &mut Connection,
    claim: &KeyClaim,
) -> Result<Option<KeyUse>, sqlx::Error> {
    sqlx::query_as(
        "SELECT request, claim, began, answer FROM idempotency_keys
         WHERE account_id = $1 AND credential = $2 AND key = $3",
    )
    .bind(claim.account_text())
    .bind(&claim.credential)
    .bind(&claim.key)
    .fetch_optional(connection)
    .await
}

/// Notes the answer of a claim, unless the key is somebody else's meanwhile.
pub(in super::super) async fn answer(
    connection: &mut Connection,
    claim: &KeyClaim,
    answer: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE idempotency_keys SET answer = $1
         WHERE account_id = $2 AND credential = $3 AND key = $4 AND claim = $5",
    )
    .bind(answer)
    .bind(claim.account_text())
    .bind(&claim.credential)
    .bind(&claim.key)
    .bind(&claim.claim)
    .execute(connection)
    .await
    .map(drop)
}

/// Gives the key of a claim back, unless it is somebody else's meanwhile, or has an answer.
pub(in super::super) async fn free(connection: &mut Connection, claim: &KeyClaim) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM idempotency_keys
         WHERE account_id = $1 AND credential = $2 AND key = $3 AND claim = $4 AND answer IS NULL",
    )
    .bind(claim.account_text())
    .bind(&claim.credential)
    .bind(&claim.key)
    .bind(&claim.claim)
    .execute(connection)
    .await
    .map(drop)
}

/// Deletes some of what is old, by that statement; how many.
pub(in super::super) async fn delete_old(
    connection: &mut Connection,
    statement: &'static str,
    before: i64,
    limit: u32,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(statement).bind(before).bind(i64::from(limit)).execute(connection).await?;
    Ok(deleted.rows_affected())
}
