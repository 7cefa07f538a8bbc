//! The audit log: who did what to a conference.
//!
//! * `GET /v2/accounts/{A}/conferences/{C}/audit`: the newest first; `page_size`, `start_key`,
//!   `filter_action`, `filter_call_id`, `from`, `to`.
//!
//! Owns: what is a row, and that none is lost: one that the database does not take is in the log of the
//! daemon. What was done is answered as such whatever becomes of its rows.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{error, info};

use super::conferences::{is_a_filter, page_size};
use super::ledger::{Carried, Writing};
use super::{Caller, Context};
use crate::api::{Access, ApiError, Page, Query, Request, Response, Route};
use crate::auth::{AccountId, Scope};
use crate::model::Outcome;
use crate::store::{AuditQuery, AuditRecord, Store, StoreError};
use crate::together::Turn;

const AUDIT: &str = "/v2/accounts/{A}/conferences/{C}/audit";

/// The longest arguments that are kept whole, in bytes.
const MOST_ARGUMENTS: usize = 4_096;
/// What arguments end with that were cut.
const CUT: &str = "…";
/// What stands for what nobody is to read.
const MASK: &str = "****";
/// So long an answer waits for its rows to be written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

const FILTERS: [&str; 2] = ["filter_action", "filter_call_id"];

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![Route::new(Method::GET, AUDIT, "list_audit", Access::Read, list)]
}

/// Who asked for what: what the rows of a request have in common.
pub(super) struct Asked {
    account: AccountId,
    request_id: String,
    token_id: String,
    token_name: String,
    client: String,
    arguments: String,
}

impl Asked {
    pub(super) fn of(caller: &Caller, request: &Request) -> Result<Self, ApiError> {
        let principal = caller.principal.as_ref().ok_or_else(ApiError::invalid_credentials)?;
        let arguments = match request.envelope().is_some_and(|envelope| envelope.has_data()) {
            true => cut(request.data_text()?.get()),
            false => "{}".into(),
        };
        Ok(Self {
            account: caller.account()?.clone(),
            request_id: request.id().to_owned(),
            token_id: principal.token_id.to_string(),
            token_name: storable(&principal.name),
            client: request.client().to_string(),
            arguments,
        })
    }

    /// A row for each target.
    pub(super) fn records(&self, carried: &Carried, at: i64) -> Vec<AuditRecord> {
        let arguments = match carried.action {
            "dtmf" => masked(&self.arguments),
            _ => self.arguments.clone(),
        };
        let row = |node: &str, result: &str| AuditRecord {
            at,
            account: self.account.clone(),
            conference_id: storable(&carried.found.id),
            request_id: self.request_id.clone(),
            token_id: self.token_id.clone(),
            token_name: self.token_name.clone(),
            client: self.client.clone(),
            action: carried.action.to_owned(),
            arguments: arguments.clone(),
            participant_id: None,
            call_id: None,
            node: storable(node),
            result: result.to_owned(),
            reason: None,
        };
        if carried.results.is_empty() {
            // It was asked for, and the switch was asked, although nobody was there whom it was for.
            let nobody = |node: &str| AuditRecord {
                reason: Some("nobody was there whom it is for".into()),
                ..row(node, Outcome::Done.name())
            };
            return carried.found.instances.iter().map(|conference| nobody(&conference.node)).collect();
        }
        let results = carried.results.iter().map(|result| AuditRecord {
            participant_id: result.participant_id.map(i64::from),
            call_id: result.call_id.as_deref().map(storable),
            reason: result.problem.as_ref().map(|problem| storable(&problem.to_string())),
            ..row(&result.node, result.outcome.name())
        });
        results.collect()
    }
}

/// Arguments without their digits: whoever presses keys for somebody may press a PIN or the number of a card.
fn masked(arguments: &str) -> String {
    match crate::json::parse(arguments.as_bytes()) {
        Ok(Value::Object(mut arguments)) => {
            if let Some(digits) = arguments.get_mut("digits") {
                *digits = MASK.into();
            }
            Value::Object(arguments).to_string()
        }
        // They were cut, or have a key that cannot be kept: where the digits are is not known.
        _ => Value::from(MASK).to_string(),
    }
}

/// No text in PostgreSQL has a NUL; here the engines are to agree.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The text, or its beginning and a mark.
fn cut(text: &str) -> String {
    if text.len() <= MOST_ARGUMENTS {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MOST_ARGUMENTS - CUT.len());
    format!("{}{CUT}", &text[..end])
}

/// A line of the daemon's log with all that is in a row.
macro_rules! tell {
    ($level:ident, $row:expr, $($words:tt)+) => {
        $level!(
            target: "convened::audit",
            at = $row.at,
            account = $row.account.as_str(),
            conference = $row.conference_id,
            request_id = $row.request_id,
            token_id = $row.token_id,
            token_name = $row.token_name,
            client = $row.client,
            action = $row.action,
            arguments = $row.arguments,
            participant_id = $row.participant_id,
            call_id = $row.call_id.as_deref(),
            node = $row.node,
            result = $row.result,
            reason = $row.reason.as_deref(),
            $($words)+
        )
    };
}

/// Tells what was done, and writes it down.
///
/// A database that hangs is waited for a moment only: the writing goes on without the request.
pub(super) async fn write(context: &Context, rows: Vec<AuditRecord>) {
    for row in &rows {
        tell!(info, row, "what was asked of the switch, and the result");
    }
    let (store, together) = (Arc::clone(&context.store), Arc::clone(&context.ledger.writing));
    let lost = context.ledger.lost_rows.clone();
    let writing = context.ledger.tasks.spawn(async move {
        if let Err(failure) = append(store, &together, rows.clone()).await {
            lost.inc_by(rows.len() as u64);
            for row in &rows {
                tell!(error, row, error = %failure, "a row of the audit log is not written");
            }
        }
    });
    // Late or not, the task tells by itself.
    let _ = timeout(WRITTEN_WITHIN, writing).await;
}

/// Appends rows, with those of others in one transaction. What keeps the rows of one from being written does not
/// keep those of the others.
async fn append(
    store: Arc<dyn Store>,
    together: &Arc<Writing>,
    rows: Vec<AuditRecord>,
) -> Result<(), Arc<StoreError>> {
    let all = Arc::clone(&store);
    let append = move |many: Vec<Vec<AuditRecord>>, turn: Turn| {
        let store = Arc::clone(&all);
        async move {
            let rows: Vec<_> = many.into_iter().flatten().collect();
            let written = store.append_audit(&rows).await.map_err(Arc::new);
            drop(turn);
            written
        }
    };
    let mine = rows.clone();
    match together.ask(rows, append).await {
        Some(Ok(())) => Ok(()),
        // In vain for all: perhaps because of one.
        Some(Err(failure)) if failure.is_unavailable() => Err(failure),
        _ => store.append_audit(&mine).await.map_err(Arc::new),
    }
}

async fn list(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    // Who may look is not by that alone who may see what others do.
    if !caller.principal.as_ref().is_some_and(|principal| principal.scopes.contains(Scope::Control)) {
        return Err(ApiError::forbidden());
    }
    let query = query_of(request.query())?;
    let (account, id) = (caller.account()?, request.param("C")?);
    let page = context.store.audit(account, id, &query).await?;
    if page.rows.is_empty()
        && let Err(missing) = context.find(&caller, id).await
    {
        // It is not there any more, if it was there once.
        let any = AuditQuery { page_size: 1, ..AuditQuery::default() };
        if context.store.audit(account, id, &any).await?.rows.is_empty() {
            return Err(missing);
        }
    }
    let rows: Vec<Value> = page.rows.iter().map(|(id, row)| view(*id, row)).collect();
    let about = Page {
        page_size: rows.len(),
        start_key: query.start_key.map(|key| key.to_string()),
        next_start_key: page.next_start_key.map(|key| key.to_string()),
    };
    Ok(Response::ok(&rows)?.page(about))
}

fn query_of(query: &Query) -> Result<AuditQuery, ApiError> {
    if let Some(unknown) =
        query.iter().map(|(key, _)| key).find(|key| is_a_filter(key) && !FILTERS.contains(key))
    {
        let filters = FILTERS.join(" and ");
        return Err(ApiError::invalid_request(format!("there is no filter {unknown}, only {filters}")));
    }
    let text = |key| query.get(key).filter(|text| !text.is_empty()).map(str::to_owned);
    let start_key = text("start_key").map(|key| key.parse());
    let start_key = start_key.transpose().map_err(|error| {
        ApiError::invalid_request(format!("start_key {error}: take the next_start_key of the page before"))
    })?;
    Ok(AuditQuery {
        start_key,
        page_size: page_size(query)?,
        action: text("filter_action"),
        call_id: text("filter_call_id"),
        from: time(query, "from")?,
        to: time(query, "to")?,
    })
}

fn time(query: &Query, key: &str) -> Result<Option<i64>, ApiError> {
    let wrong = || ApiError::invalid_request(format!("{key} is not a number of Unix milliseconds"));
    query.get(key).map(|text| text.parse::<i64>().map_err(|_| wrong())).transpose()
}

fn view(id: i64, row: &AuditRecord) -> Value {
    json!({
        "id": id,
        "at": row.at,
        "account_id": row.account,
        "conference_id": row.conference_id,
        "request_id": row.request_id,
        "token_id": row.token_id,
        "token_name": row.token_name,
        "client": row.client,
        "action": row.action,
        "arguments": arguments(&row.arguments),
        "participant_id": row.participant_id,
        "call_id": row.call_id,
        "node": row.node,
        "result": row.result,
        "reason": row.reason,
    })
}

/// As they were sent, or a text if only the beginning is there.
fn arguments(text: &str) -> Value {
    crate::json::parse(text.as_bytes()).unwrap_or_else(|_| text.into())
}
