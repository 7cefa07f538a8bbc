//! `GET /v2/schemas/conferences`: the JSON Schema that documents are checked with.

use std::sync::Arc;

use http::Method;

use super::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::documents;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![Route::new(Method::GET, "/v2/schemas/conferences", "get_conference_schema", Access::Open, get)]
}

async fn get(_context: Arc<Context>, _caller: Caller, _request: Request) -> Result<Response, ApiError> {
    Response::ok(documents::schema())
}
