//! The audit log and idempotency keys: what is one transaction, and who waits for whom.
//!
//! Several daemons delete what is old at the same hour: each takes the rows that no other has.

use super::super::{
    AccountId, AuditPage, AuditQuery, AuditRecord, KeyClaim, KeyUse, StoreError, StoreErrorKind,
};
use super::connection::Connections;
use super::documents::can_be_an_id;
use super::failure::store_error;
use super::statements::ledger;

pub(super) async fn append(connections: &Connections, records: &[AuditRecord]) -> Result<(), StoreError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.query(ledger::append(transaction.connection(), records)).await;
    transaction.finish(outcome).await
}

pub(super) async fn page(
    connections: &Connections,
    account: &AccountId,
    conference_id: &str,
    query: &AuditQuery,
) -> Result<AuditPage, StoreError> {
    let filters = [query.action.as_deref(), query.call_id.as_deref(), Some(conference_id)];
    if filters.into_iter().flatten().any(|text| !can_be_an_id(text)) {
        return Ok(AuditPage::default());
    }
    let mut session = connections.session().await?;
    let found = connections.query(ledger::page(session.connection(), account, conference_id, query)).await;
    session.finish(found)
}

pub(super) async fn age_out(connections: &Connections, before: i64, limit: u32) -> Result<u64, StoreError> {
    const OLD: &str = "DELETE FROM audit WHERE id IN (
           SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    delete_old(connections, OLD, before, limit).await
}

pub(super) async fn forget_keys(
    connections: &Connections,
    before: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    const OLD: &str = "DELETE FROM idempotency_keys WHERE (account_id, credential, key) IN (
           SELECT account_id, credential, key FROM idempotency_keys WHERE began < $1
           ORDER BY began LIMIT $2 FOR UPDATE SKIP LOCKED)";
    delete_old(connections, OLD, before, limit).await
}

async fn delete_old(
    connections: &Connections,
    statement: &'static str,
    before: i64,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut transaction = connections.begin().await?;
    let work = ledger::delete_old(transaction.connection(), statement, before, limit);
    let outcome = connections.query(work).await;
    transaction.finish(outcome).await
}

pub(super) async fn claim(
    connections: &Connections,
    claim: &KeyClaim,
    forgotten: i64,
) -> Result<Option<KeyUse>, StoreError> {
    let mut transaction = connections.begin().await?;
    let connection = transaction.connection();
    let work = async {
        // What refused the claim may be given back before it is looked at: once more then.
        for _ in 0..10 {
            if ledger::claim(connection, claim, forgotten).await.map_err(store_error)? {
                return Ok(None);
            }
            if let Some(found) = ledger::key_use(connection, claim).await.map_err(store_error)? {
                return Ok(Some(found));
            }
        }
        Err(StoreError::new(StoreErrorKind::Busy, "the key is taken and given back all the time"))
    };
    let outcome = connections.within(work).await;
    transaction.finish(outcome).await
}

pub(super) async fn answer(
    connections: &Connections,
    claim: &KeyClaim,
    answer: &str,
) -> Result<(), StoreError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.query(ledger::answer(transaction.connection(), claim, answer)).await;
    transaction.finish(outcome).await
}

pub(super) async fn free(connections: &Connections, claim: &KeyClaim) -> Result<(), StoreError> {
    let mut transaction = connections.begin().await?;
    let outcome = connections.query(ledger::free(transaction.connection(), claim)).await;
    transaction.finish(outcome).await
}
