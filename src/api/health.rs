//! Whether the process lives.
//!
//! `GET /healthz`: 200 as long as requests are served. Whether the daemon can do its work is
//! `/readyz`, which knows nodes and database and is not here.

use std::sync::Arc;

use http::Method;
use serde_json::json;

use super::{Access, ApiError, Gate, Request, Response, Route};

/// The routes of this file.
pub fn routes<C: Gate>() -> Vec<Route<C>> {
    vec![Route::new(Method::GET, "/healthz", "healthz", Access::Open, healthz)]
}

async fn healthz<C: Gate>(
    _context: Arc<C>,
    _caller: C::Caller,
    _request: Request,
) -> Result<Response, ApiError> {
    Response::ok(&json!({ "alive": true }))
}
