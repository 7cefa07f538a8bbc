//! What the engines have in common: rows to records, and the statement of a list.
//!
//! Owns: the names of the columns, and the shape of a list's statement, which the indexes of each
//! engine must serve. Leaves placeholders, transactions and everything that writes to the engines.

use futures_util::{Stream, TryStreamExt};
use sqlx::{ColumnIndex, Database, Decode, Encode, FromRow, QueryBuilder, Row, Type};

use super::{
    AccountId, AuditKey, AuditPage, AuditRecord, CredentialKind, CredentialRecord, DocumentPage,
    DocumentQuery, DocumentRecord, KeyUse, NumberRole,
};

/// A page ends with the document that makes it longer than this, in bytes of text: hundreds of large
/// documents at a time would be a way to use up the memory.
const PAGE_BYTES: usize = 1 << 20;

/// The columns of a document, in the order of nothing in particular: they are read by name.
pub(super) const DOCUMENT_COLUMNS: &str = "id, account_id, revision, created, modified, name, owner_id, text";

/// The statement for one page of an account's documents; one more than the page, which tells where
/// the next one begins.
pub(super) fn select_page<'q, DB>(account: &AccountId, query: &DocumentQuery) -> QueryBuilder<DB>
where
    DB: Database,
    String: Encode<'q, DB> + Type<DB>,
    i64: Encode<'q, DB> + Type<DB>,
{
    let mut select = QueryBuilder::new("SELECT ");
    select.push(DOCUMENT_COLUMNS).push(" FROM documents WHERE account_id = ");
    select.push_bind(account.as_str().to_owned());
    // Only what is asked for is in the statement, so that the planner sees which index serves it.
    if let Some(name) = &query.name {
        select.push(" AND name = ").push_bind(name.clone());
    }
    if let Some(owner_id) = &query.owner_id {
        select.push(" AND owner_id = ").push_bind(owner_id.clone());
    }
    if let Some(start_key) = &query.start_key {
        select.push(" AND id >= ").push_bind(start_key.clone());
    }
    select.push(" ORDER BY id LIMIT ").push_bind(i64::from(query.page_size) + 1);
    select
}

/// Reads a page from the rows of that statement, and no more of them than it holds.
pub(super) async fn read_page(
    mut rows: impl Stream<Item = Result<DocumentRecord, sqlx::Error>> + Unpin,
    page_size: u32,
) -> Result<DocumentPage, sqlx::Error> {
    let mut page = DocumentPage::default();
    let mut bytes = 0;
    while let Some(document) = rows.try_next().await? {
        if page.documents.len() >= page_size as usize || bytes > PAGE_BYTES {
            page.next_start_key = Some(document.id);
            break;
        }
        bytes += document.text.len();
        page.documents.push(document);
    }
    Ok(page)
}

impl<'r, R: Row> FromRow<'r, R> for DocumentRecord
where
    for<'c> &'c str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            account: account(&row.try_get::<String, _>("account_id")?)?,
            revision: row.try_get("revision")?,
            created: row.try_get("created")?,
            modified: row.try_get("modified")?,
            name: row.try_get("name")?,
            owner_id: row.try_get("owner_id")?,
            numbers: Vec::new(),
            text: row.try_get("text")?,
        })
    }
}

impl<'r, R: Row> FromRow<'r, R> for CredentialRecord
where
    for<'c> &'c str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let hash: Vec<u8> = row.try_get("hash")?;
        let kind: String = row.try_get("kind")?;
        let account_id: Option<String> = row.try_get("account_id")?;
        Ok(Self {
            id: row.try_get("id")?,
            kind: CredentialKind::parse(&kind).ok_or_else(|| decode("an unknown kind of credential"))?,
            hash: hash.try_into().map_err(|_| decode("a hash that is not 32 bytes long"))?,
            name: row.try_get("name")?,
            account: account_id.as_deref().map(account).transpose()?,
            scopes: row.try_get("scopes")?,
            issued_by: row.try_get("issued_by")?,
            created: row.try_get("created")?,
            expires: row.try_get("expires")?,
            last_used: row.try_get("last_used")?,
            revoked: row.try_get("revoked")?,
        })
    }
}

/// A page from its rows, of which there may be one more than it holds.
pub(super) fn read_audit<R: Row>(found: Vec<R>, page_size: u32) -> Result<AuditPage, sqlx::Error>
where
    for<'c> &'c str: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let mut page = AuditPage::default();
    for row in &found {
        let (id, record) = (row.try_get("id")?, AuditRecord::from_row(row)?);
        if page.rows.len() >= page_size as usize {
            page.next_start_key = Some(AuditKey { at: record.at, id });
            break;
        }
        page.rows.push((id, record));
    }
    Ok(page)
}

impl<'r, R: Row> FromRow<'r, R> for AuditRecord
where
    for<'c> &'c str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            at: row.try_get("at")?,
            account: account(&row.try_get::<String, _>("account_id")?)?,
            conference_id: row.try_get("conference_id")?,
            request_id: row.try_get("request_id")?,
            token_id: row.try_get("token_id")?,
            token_name: row.try_get("token_name")?,
            client: row.try_get("client")?,
            action: row.try_get("action")?,
            arguments: row.try_get("arguments")?,
            participant_id: row.try_get("participant_id")?,
            call_id: row.try_get("call_id")?,
            node: row.try_get("node")?,
            result: row.try_get("result")?,
            reason: row.try_get("reason")?,
        })
    }
}

impl<'r, R: Row> FromRow<'r, R> for KeyUse
where
    for<'c> &'c str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let request: Vec<u8> = row.try_get("request")?;
        Ok(Self {
            request: request.try_into().map_err(|_| decode("a hash that is not 32 bytes long"))?,
            claim: row.try_get("claim")?,
            began: row.try_get("began")?,
            answer: row.try_get("answer")?,
        })
    }
}

/// The role beside a document that was found by a number.
pub(super) fn role_of<'r, R: Row>(row: &'r R) -> Result<NumberRole, sqlx::Error>
where
    for<'c> &'c str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let role: String = row.try_get("role")?;
    NumberRole::parse(&role).ok_or_else(|| decode("an unknown role"))
}

fn account(text: &str) -> Result<AccountId, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn decode(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}
