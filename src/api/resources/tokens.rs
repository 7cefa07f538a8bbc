//! `PUT /v2/api_auth`: an API key for a short-lived token; what Kazoo's clients do first.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::{Caller, Context, not_let_in};
use crate::api::{Access, ApiError, Request, Response, Route};

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![Route::new(Method::PUT, "/v2/api_auth", "api_auth", Access::Open, exchange)]
}

async fn exchange(context: Arc<Context>, _caller: Caller, request: Request) -> Result<Response, ApiError> {
    let Some(Value::String(key)) = request.data()?.get("api_key") else {
        return Err(ApiError::invalid_request("there is no `api_key` in `data`, or it is no string"));
    };
    let client = request.client();
    let issued = context.guard.exchange(key, client).await.map_err(|error| not_let_in(error, client))?;
    let account = issued.credential.account.as_ref();
    let data = json!({ "account_id": account, "is_superuser": account.is_none() });
    Ok(Response::created(&data)?.auth_token(issued.secret))
}
