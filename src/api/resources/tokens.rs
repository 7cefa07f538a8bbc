//! `PUT /v2/api_auth`: an API key for a short-lived token; what Kazoo's clients do first.

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Caller, Context, not_let_in};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::secret::Secret;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![Route::new(Method::PUT, "/v2/api_auth", "api_auth", Access::Open, exchange)]
}

#[derive(Deserialize)]
struct ApiKey {
    api_key: Secret,
}

async fn exchange(context: Arc<Context>, _caller: Caller, request: Request) -> Result<Response, ApiError> {
    let ApiKey { api_key } = request.data_as()?;
    let client = request.client();
    let issued =
        context.guard.exchange(api_key.expose(), client).await.map_err(|error| not_let_in(error, client))?;
    let account = issued.credential.account.as_ref();
    let data = json!({ "account_id": account, "is_superuser": account.is_none() });
    Ok(Response::created(&data)?.auth_token(issued.secret))
}
