//! Conference documents with what runs of them.
//!
//! * `GET /v2/accounts/{A}/conferences`: documents by id, then ad-hoc conferences by name; `page_size`,
//!   `start_key`, `filter_name`, `filter_owner_id`, `paginate=false`.
//! * `PUT /v2/accounts/{A}/conferences`: creates one.
//! * `GET|POST|PATCH|DELETE /v2/accounts/{A}/conferences/{C}`: reads, replaces, merges, deletes.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use http::Method;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::SemaphorePermit;

use super::view::{Playing, Realtime, with_sequence};
use super::whose::Found;
use super::{Caller, Context};
use crate::api::{Access, ApiError, Items, Page, Query, Request, Response, Route, parse_data};
use crate::documents::{Condition, Document, DocumentQuery, MAX_BYTES};
use crate::model::Moment;

const LIST: &str = "/v2/accounts/{A}/conferences";
const ONE: &str = "/v2/accounts/{A}/conferences/{C}";

/// Items of a page, unless the client asks for another number.
const PAGE: u32 = 50;
/// Items of a page at most.
const LARGEST_PAGE: u32 = 500;
/// The filters there are, each with an index of its own.
const FILTERS: [&str; 2] = ["filter_name", "filter_owner_id"];
/// No text of a document is longer, with whatever spaces and escapes: four times what is kept.
const MOST_TEXT: usize = 4 * MAX_BYTES;
/// So many documents are parsed and written at a time.
pub const DOCUMENT_TURNS: usize = 4;
/// What the key of an ad-hoc conference begins with: no id of a document does.
const AD_HOC: char = '~';

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![
        Route::new(Method::GET, LIST, "list_conferences", Access::Read, list),
        Route::new(Method::PUT, LIST, "create_conference", Access::Write, create),
        Route::new(Method::GET, ONE, "get_conference", Access::Read, get),
        Route::new(Method::POST, ONE, "replace_conference", Access::Write, replace),
        Route::new(Method::PATCH, ONE, "patch_conference", Access::Write, patch),
        Route::new(Method::DELETE, ONE, "delete_conference", Access::Write, delete),
    ]
}

async fn list(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::of(request.query())?;
    let page = context.page(&caller, &asked).await?;
    if asked.paginate {
        let about = Page {
            page_size: page.lines.len(),
            start_key: asked.start_key,
            next_start_key: page.next_start_key,
        };
        return Ok(Response::ok(&page.lines)?.page(about));
    }
    // One page at a time is in memory, however many there are and however slowly they are taken.
    let rest = Rest { context, caller, asked: Asked { start_key: page.next_start_key, ..asked } };
    let first = stream::once(async move { Items::of(&page.lines) });
    Ok(Response::list(first.chain(stream::unfold(Some(rest), Rest::next))))
}

/// A page of the list, and where the next one begins.
struct Lines {
    lines: Vec<Box<RawValue>>,
    next_start_key: Option<String>,
}

/// What follows the first page of a list that is wanted whole.
struct Rest {
    context: Arc<Context>,
    caller: Caller,
    asked: Asked,
}

impl Rest {
    async fn next(rest: Option<Self>) -> Option<(Result<Items, ApiError>, Option<Self>)> {
        let mut rest = rest.filter(|rest| rest.asked.start_key.is_some())?;
        match rest.context.page(&rest.caller, &rest.asked).await {
            Ok(page) => {
                rest.asked.start_key = page.next_start_key;
                Some((Items::of(&page.lines), Some(rest)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }
}

impl Context {
    async fn page(&self, caller: &Caller, asked: &Asked) -> Result<Lines, ApiError> {
        let now = Moment::now();
        let mut page = Lines { lines: Vec::new(), next_start_key: None };
        if !asked.begins_with_ad_hoc() {
            let found = self.documents.texts(caller.account()?, &asked.documents()).await?;
            page.next_start_key = found.next_start_key;
            for document in found.documents {
                page.lines.push(self.conference_line(&self.documented(document), now)?);
            }
        }
        if page.next_start_key.is_some() || asked.owner_id.is_some() {
            return Ok(page);
        }
        for found in self.ad_hoc_conferences(caller).await? {
            if !asked.wants_ad_hoc(&found.id) {
                continue;
            }
            if page.lines.len() >= asked.page_size as usize {
                page.next_start_key = Some(format!("{AD_HOC}{}", found.id));
                break;
            }
            page.lines.push(self.conference_line(&found, now)?);
        }
        Ok(page)
    }
}

/// What a list was asked for.
struct Asked {
    start_key: Option<String>,
    page_size: u32,
    /// Whether only one page is wanted.
    paginate: bool,
    name: Option<String>,
    owner_id: Option<String>,
}

impl Asked {
    fn of(query: &Query) -> Result<Self, ApiError> {
        // To leave a filter out would be to answer with what was not asked for.
        if let Some(unknown) =
            query.iter().map(|(key, _)| key).find(|key| is_a_filter(key) && !FILTERS.contains(key))
        {
            return Err(ApiError::invalid_request(format!(
                "there is no filter {unknown}, only {}",
                FILTERS.join(" and ")
            )));
        }
        let size = page_size(query)?;
        let text = |key| query.get(key).filter(|text| !text.is_empty()).map(str::to_owned);
        let paginate = query.get("paginate") != Some("false");
        Ok(Self {
            start_key: text("start_key"),
            page_size: if paginate { size } else { LARGEST_PAGE },
            paginate,
            name: text("filter_name"),
            owner_id: text("filter_owner_id"),
        })
    }

    fn begins_with_ad_hoc(&self) -> bool {
        self.start_key.as_ref().is_some_and(|key| key.starts_with(AD_HOC))
    }

    fn documents(&self) -> DocumentQuery {
        DocumentQuery {
            start_key: self.start_key.clone(),
            page_size: self.page_size,
            name: self.name.clone(),
            owner_id: self.owner_id.clone(),
        }
    }

    fn wants_ad_hoc(&self, name: &str) -> bool {
        let begun = self.start_key.as_ref().and_then(|key| key.strip_prefix(AD_HOC));
        begun.is_none_or(|first| name >= first) && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// How many items a page is to have.
pub(super) fn page_size(query: &Query) -> Result<u32, ApiError> {
    match query.get("page_size").map(str::parse::<u32>) {
        None => Ok(PAGE),
        Some(Ok(size)) if size > 0 => Ok(size.min(LARGEST_PAGE)),
        Some(_) => Err(ApiError::invalid_request("page_size is not a number from 1 to 500")),
    }
}

/// Kazoo's names of parameters that leave items out.
pub(super) fn is_a_filter(key: &str) -> bool {
    let others =
        ["has_key", "key_missing", "has_value", "created_from", "created_to", "modified_from", "modified_to"];
    key.starts_with("filter_") || others.contains(&key)
}

impl Context {
    /// The document in a request, parsed where it delays nobody, and the turn to write it.
    ///
    /// Parsed, a document may take a hundred times the memory of its text until it is written: so many at a
    /// time, the others wait with their texts.
    async fn document_of(&self, request: &Request) -> Result<(SemaphorePermit<'_>, Value), ApiError> {
        let turn = self.document_turns.acquire().await.map_err(ApiError::internal)?;
        let data = request.data_text()?;
        if data.get().len() > MOST_TEXT {
            return Err(ApiError::body_too_large(MOST_TEXT));
        }
        let parsed = tokio::task::spawn_blocking(move || parse_data(&data)).await;
        Ok((turn, Value::Object(parsed.map_err(ApiError::internal)??)))
    }
}

async fn create(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let (_turn, data) = context.document_of(&request).await?;
    let document = context.documents.create(caller.account()?, data).await?;
    answer(&context, document, Response::created)
}

async fn get(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let found = context.find(&caller, request.param("C")?).await?;
    if let Some(document) = &found.document
        && found.instances.is_empty()
        && context.registry.is_complete()
        && request.if_none_match().is_some_and(|known| known.matches_weakly(&document.revision))
    {
        return Ok(Response::not_modified(document.revision.as_str()));
    }
    // Nobody else knows it; where it does not run, or nothing was played, nobody is asked.
    let playing = context.switchboard.playing(&found.instances).await;
    show(&context, &found, Playing::Asked(playing), Response::ok)
}

async fn replace(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let (_turn, data) = context.document_of(&request).await?;
    let (id, condition) = (request.param("C")?, condition(&request));
    let document = context.documents.replace(caller.account()?, id, data, &condition).await?;
    answer(&context, document, Response::ok)
}

async fn patch(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let (_turn, data) = context.document_of(&request).await?;
    let (id, condition) = (request.param("C")?, condition(&request));
    let document = context.documents.patch(caller.account()?, id, data, &condition).await?;
    answer(&context, document, Response::ok)
}

async fn delete(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let condition = condition(&request);
    let document = context.documents.delete(caller.account()?, request.param("C")?, &condition).await?;
    let found = context.documented(document.to_record());
    context.owners.orphan(caller.account()?, &found.instances, &context.registry);
    show(&context, &found, Playing::NotAsked, Response::ok)
}

fn condition(request: &Request) -> Condition {
    Condition { if_match: request.if_match(), revision: request.revision().map(str::to_owned) }
}

fn answer(
    context: &Context,
    document: Document,
    response: impl FnOnce(&RawValue) -> Result<Response, ApiError>,
) -> Result<Response, ApiError> {
    show(context, &context.documented(document.to_record()), Playing::NotAsked, response)
}

fn show(
    context: &Context,
    found: &Found,
    playing: Playing,
    response: impl FnOnce(&RawValue) -> Result<Response, ApiError>,
) -> Result<Response, ApiError> {
    let now = Moment::now();
    let realtime = Realtime::of(&found.instances, now);
    let response = response(&context.conference_view(found, &realtime, &playing, now)?)?;
    let response = match &found.document {
        Some(document) => response.revision(document.revision.as_str()),
        None => response,
    };
    Ok(with_sequence(response, &realtime.sequence))
}
