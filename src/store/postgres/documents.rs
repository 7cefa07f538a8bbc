//! The statements for documents and their numbers.
//!
//! Owns: what is one transaction, and who waits for whom. Leaves sessions to `connection`.
//!
//! Numbers are inserted in their order, so that two creates cannot each hold a number that the other
//! waits for. A replace also gives numbers up, in whatever order: two documents that swap theirs would
//! wait for each other, which PostgreSQL finds out after a second by failing one of them. So a replace
//! takes the account's advisory lock for itself, and creates share it. A delete waits for nobody's
//! numbers and needs none.

use std::collections::{BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres};

use super::super::{
    AccountId, DocumentPage, DocumentQuery, DocumentRecord, Exported, NumberRole, NumberUse, StoreError,
    WriteError, rows,
};
use super::connection::Connections;
use super::failure::{damaged, store_error};
use super::statements::documents;

/// The first half of our advisory locks' keys ("conv"); the second is of the account.
const LOCK_CLASS: i32 = 0x636f_6e76;

pub(super) async fn create(connections: &Connections, document: &DocumentRecord) -> Result<(), WriteError> {
    let mut transaction = match document.numbers.is_empty() {
        true => connections.begin().await?,
        false => connections.begin_with(&lock(&document.account, "pg_advisory_xact_lock_shared")).await?,
    };
    let outcome = connections.within(insert(transaction.connection(), document)).await;
    transaction.finish(outcome).await
}

async fn insert(connection: &mut PgConnection, document: &DocumentRecord) -> Result<(), WriteError> {
    documents::add(connection, document).await.map_err(store_error)?;
    insert_numbers(connection, document).await
}

/// The statement that takes the account's lock, to the end of the transaction. Two accounts with the
/// same key only take turns needlessly.
fn lock(account: &AccountId, function: &str) -> String {
    format!("SELECT {function}({LOCK_CLASS}, {})", key_of(account.as_str()))
}

/// Locks those of a batch, all at the beginning and in one order.
pub(super) async fn lock_accounts(
    connection: &mut PgConnection,
    batch: &[Exported],
) -> Result<(), StoreError> {
    let accounts = batch.iter().filter_map(|one| match one {
        Exported::Document(document) => Some(document.account.as_str()),
        Exported::Credential(_) => None,
    });
    let keys: BTreeSet<i32> = accounts.map(key_of).collect();
    for key in keys {
        sqlx::query("SELECT pg_advisory_xact_lock($1, $2)")
            .bind(LOCK_CLASS)
            .bind(key)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
    }
    Ok(())
}

fn key_of(account: &str) -> i32 {
    let hash = Sha256::digest(account);
    i32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// All in one statement; the first that did not get in is the one to name.
pub(super) async fn insert_numbers(
    connection: &mut PgConnection,
    document: &DocumentRecord,
) -> Result<(), WriteError> {
    if document.numbers.is_empty() {
        return Ok(());
    }
    let numbers: Vec<&str> = document.numbers.iter().map(|used| used.number.as_str()).collect();
    let roles: Vec<&str> = document.numbers.iter().map(|used| used.role.as_str()).collect();
    let inserted: Vec<String> = sqlx::query_scalar(
        "INSERT INTO numbers (account_id, number, document_id, role)
         SELECT $1, u.number, $2, u.role FROM unnest($3::text[], $4::text[]) AS u (number, role)
         ORDER BY u.number
         ON CONFLICT DO NOTHING RETURNING number",
    )
    .bind(document.account.as_str())
    .bind(&document.id)
    .bind(numbers)
    .bind(roles)
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    if inserted.len() == document.numbers.len() {
        return Ok(());
    }
    let mut inserted: HashSet<String> = inserted.into_iter().collect();
    // Removed as they are met: a number that stands twice in the document got in once.
    let refused = document.numbers.iter().find(|used| !inserted.remove(&used.number));
    match refused {
        Some(NumberUse { number, .. }) => Err(WriteError::NumberInUse(number.clone())),
        None => Err(damaged("fewer numbers were stored than are missing").into()),
    }
}

pub(super) async fn replace(
    connections: &Connections,
    document: &DocumentRecord,
    expected: &str,
) -> Result<(), WriteError> {
    // Also if it has no numbers now: it may have had some.
    let mut transaction = connections.begin_with(&lock(&document.account, "pg_advisory_xact_lock")).await?;
    let work = documents::update(transaction.connection(), document, expected);
    let outcome = connections.within(work).await;
    transaction.finish(outcome).await
}

pub(super) async fn delete(
    connections: &Connections,
    account: &AccountId,
    id: &str,
    expected: Option<&str>,
) -> Result<DocumentRecord, WriteError> {
    if !can_be_an_id(id) {
        return Err(WriteError::Missing);
    }
    let mut transaction = connections.begin().await?;
    let work = documents::delete(transaction.connection(), account, id, expected);
    let outcome = connections.within(work).await;
    transaction.finish(outcome).await
}

pub(super) async fn get(
    connections: &Connections,
    account: &AccountId,
    id: &str,
) -> Result<Option<DocumentRecord>, StoreError> {
    if !can_be_an_id(id) {
        return Ok(None);
    }
    let mut session = connections.session().await?;
    let found = connections.query(documents::get(session.connection(), account, id)).await;
    session.finish(found)
}

pub(super) async fn page(
    connections: &Connections,
    account: &AccountId,
    query: &DocumentQuery,
) -> Result<DocumentPage, StoreError> {
    let asked_for = [&query.name, &query.owner_id, &query.start_key];
    if asked_for.into_iter().flatten().any(|text| !can_be_an_id(text)) {
        return Ok(DocumentPage::default());
    }
    let mut select = rows::select_page::<Postgres>(account, query);
    let mut session = connections.session().await?;
    let found = select.build_query_as().fetch(session.connection());
    let page = connections.query(rows::read_page(found, query.page_size)).await;
    session.finish(page)
}

pub(super) async fn owners_of(
    connections: &Connections,
    ids: &[String],
) -> Result<HashMap<String, AccountId>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).filter(|id| can_be_an_id(id)).collect();
    let mut session = connections.session().await?;
    let found =
        sqlx::query_as::<_, (String, String)>("SELECT id, account_id FROM documents WHERE id = ANY ($1)")
            .bind(ids)
            .fetch_all(session.connection());
    let found = connections.query(found).await;
    let found = session.finish(found)?;
    found.into_iter().map(|(id, account)| Ok((id, account.parse().map_err(damaged)?))).collect()
}

pub(super) async fn by_number(
    connections: &Connections,
    account: &AccountId,
    number: &str,
) -> Result<Option<(DocumentRecord, NumberRole)>, StoreError> {
    if !can_be_an_id(number) {
        return Ok(None);
    }
    let mut session = connections.session().await?;
    let found = connections.query(documents::by_number(session.connection(), account, number)).await;
    session.finish(found)
}

pub(super) async fn by_number_anywhere(
    connections: &Connections,
    number: &str,
    limit: u32,
) -> Result<Vec<(DocumentRecord, NumberRole)>, StoreError> {
    if !can_be_an_id(number) {
        return Ok(Vec::new());
    }
    let mut session = connections.session().await?;
    let found = connections.query(documents::by_number_anywhere(session.connection(), number, limit)).await;
    session.finish(found)
}

/// No text in PostgreSQL has a NUL, and asking for one is an error.
pub(super) fn can_be_an_id(text: &str) -> bool {
    !text.contains('\0')
}

/// Whether the server answers.
pub(super) async fn check(connections: &Connections) -> Result<(), StoreError> {
    let mut session = connections.session().await?;
    let found = sqlx::query("SELECT 1 FROM documents LIMIT 1").fetch_optional(session.connection());
    let found = connections.query(found).await;
    session.finish(found).map(drop)
}
