//! What is checked with which JSON Schema.
//!
//! * `GET /v2/schemas`: the names of all.
//! * `GET /v2/schemas/conferences`: that of documents.
//! * `GET /v2/schemas/{conferences,participants,participant}.ACTION`: that of an action's arguments.
//! * `GET /v2/asyncapi.json`: the messages of websocket, server-sent events and AMQP, as an AsyncAPI document.
//! * `GET /v2/openapi.json`: all paths, as an OpenAPI document.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::ETAG;
use http::{HeaderValue, Method};
use sha2::{Digest, Sha256};

use super::{Caller, Context, openapi};
use crate::actions::{Scope, names, schema};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::documents;
use crate::store::hex;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![
        Route::new(Method::GET, "/v2/schemas", "list_schemas", Access::Open, list),
        Route::new(Method::GET, "/v2/schemas/{S}", "get_schema", Access::Open, get),
        Route::new(Method::GET, "/v2/asyncapi.json", "get_asyncapi", Access::Open, asyncapi),
        Route::new(Method::GET, "/v2/openapi.json", "get_openapi", Access::Open, paths),
    ]
}

/// The names of all schemas.
async fn list(_context: Arc<Context>, _caller: Caller, _request: Request) -> Result<Response, ApiError> {
    let actions = Scope::ALL
        .into_iter()
        .flat_map(|scope| names(scope).map(move |action| format!("{}.{action}", scope.name())));
    let all: Vec<_> = std::iter::once("conferences".to_owned()).chain(actions).collect();
    Response::ok(&all)
}

async fn get(_context: Arc<Context>, _caller: Caller, request: Request) -> Result<Response, ApiError> {
    let wanted = request.param("S")?;
    if wanted == "conferences" {
        return Response::ok(documents::schema());
    }
    let found = wanted.split_once('.').and_then(|(scope, action)| {
        let scope = Scope::ALL.into_iter().find(|known| known.name() == scope)?;
        schema(scope, action)
    });
    Response::ok(found.ok_or_else(|| ApiError::not_found(wanted))?)
}

/// A document that is sent as it is: tools that read such documents know of no envelope.
struct Page {
    text: Bytes,
    /// Its name among all versions of it.
    tag: String,
}

static ASYNCAPI: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("../../../docs/asyncapi.json").into()));
static OPENAPI: LazyLock<Page> = LazyLock::new(|| Page::new(openapi::document().to_string().into()));

impl Page {
    fn new(text: Bytes) -> Self {
        let hash = Sha256::digest(&text);
        Self { tag: hex::encode(&hash[..16]), text }
    }

    fn answer(&self, request: &Request) -> Response {
        if request.if_none_match().is_some_and(|known| known.matches_weakly(&self.tag)) {
            return Response::not_modified(self.tag.as_str());
        }
        let page = Response::plain("application/json", self.text.clone());
        match HeaderValue::try_from(format!("\"{}\"", self.tag)) {
            Ok(tag) => page.header(ETAG, tag),
            Err(_) => page,
        }
    }
}

async fn asyncapi(_context: Arc<Context>, _caller: Caller, request: Request) -> Result<Response, ApiError> {
    Ok(ASYNCAPI.answer(&request))
}

async fn paths(_context: Arc<Context>, _caller: Caller, request: Request) -> Result<Response, ApiError> {
    Ok(OPENAPI.answer(&request))
}
