//! What is checked with which JSON Schema.
//!
//! * `GET /v2/schemas`: the names of all.
//! * `GET /v2/schemas/conferences`: that of documents.
//! * `GET /v2/schemas/{conferences,participants,participant}.ACTION`: that of an action's arguments.
//! * `GET /v2/asyncapi.json`: the messages of websocket, server-sent events and AMQP, as an AsyncAPI document.

use std::sync::Arc;

use http::Method;

use super::{Caller, Context};
use crate::actions::{Scope, names, schema};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::documents;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![
        Route::new(Method::GET, "/v2/schemas", "list_schemas", Access::Open, list),
        Route::new(Method::GET, "/v2/schemas/{S}", "get_schema", Access::Open, get),
        Route::new(Method::GET, "/v2/asyncapi.json", "get_asyncapi", Access::Open, asyncapi),
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

/// As it is: tools that read such documents know of no envelope.
async fn asyncapi(_context: Arc<Context>, _caller: Caller, _request: Request) -> Result<Response, ApiError> {
    Ok(Response::plain("application/json", include_str!("../../../docs/asyncapi.json")))
}
