//! Every refusal of the contract, each with its public and its private half.
//!
//! Handlers return an [`ApiError`]; [`super::dispatch`] logs the private half once and sends the
//! public one.

use std::borrow::Cow;
use std::fmt;

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

/// A refusal: status, message and data for the client, and what only the log is told.
///
/// In a box, since every handler's `Result` has room for one.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    message: Cow<'static, str>,
    data: Value,
    headers: HeaderMap,
    private: Option<Cow<'static, str>>,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<Cow<'static, str>>, data: Value) -> Self {
        let message = message.into();
        Self(Box::new(Inner { status, message, data, headers: HeaderMap::new(), private: None }))
    }

    /// 400: the document breaks its schema. `fields`: dotted path to keyword to explanation.
    pub fn validation(fields: Map<String, Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_error", Value::Object(fields))
    }

    /// 400: the request itself is wrong: no JSON, no `data`, unknown action.
    pub fn invalid_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", json!({ "message": reason.into() }))
    }

    /// 401: no token, an unknown or an expired one.
    pub fn invalid_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", json!({}))
    }

    /// 403: the caller's own account, but not within the token's scopes.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", json!({}))
    }

    /// 404: there is no such thing, or it is another account's, which is not told.
    pub fn not_found(id: impl Into<String>) -> Self {
        let data = json!({ "cause": id.into(), "reason": "not_found" });
        Self::new(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    /// 404: the conference is known but does not run.
    pub fn not_running(id: impl Into<String>) -> Self {
        let data = json!({ "cause": id.into(), "reason": "not_running" });
        Self::new(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    /// 405: the path exists, not with this method. `allow` is the value of the header.
    pub fn method_not_allowed(allow: &str) -> Self {
        let methods: Vec<&str> = allow.split(", ").collect();
        let error =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", json!({ "allowed": methods }));
        match HeaderValue::from_str(allow) {
            Ok(value) => error.with_header(ALLOW, value),
            Err(_) => error,
        }
    }

    /// 406: the client takes none of the media types that there are.
    pub fn not_acceptable(media_types: &[&str]) -> Self {
        let data = json!({ "message": format!("answers are {}", media_types.join(" or ")) });
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", data)
    }

    /// 408: the request did not arrive in time.
    pub fn request_timeout() -> Self {
        let data = json!({ "message": "the request did not arrive in time" });
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", data)
    }

    /// 409: the revision of the envelope is not the current one.
    pub fn conflict(expected: impl Into<String>, current: impl Into<String>) -> Self {
        let data = json!({ "expected": expected.into(), "current": current.into() });
        Self::new(StatusCode::CONFLICT, "conflict", data)
    }

    /// 409: the idempotency key cannot be used for this request now; why.
    pub fn key_conflict(reason: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", json!({ "message": reason }))
    }

    /// 412: `If-Match` names another revision.
    pub fn precondition_failed() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", json!({}))
    }

    /// 413: the body is larger than `limit` bytes.
    pub fn body_too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_entity_too_large", json!({ "max_bytes": limit }))
    }

    /// 415: the body is something else than JSON.
    pub fn unsupported_media_type() -> Self {
        let data = json!({ "message": "bodies are application/json in UTF-8" });
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", data)
    }

    /// 429: too many wrong credentials from one address, or more requests than one may send; again in `seconds`.
    pub fn too_many_requests(seconds: u32) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", json!({})).retry_after(seconds)
    }

    /// 500: our own fault. `private` goes to the log only.
    pub fn internal(private: impl fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", json!({})).with_private(private)
    }

    /// 502: FreeSWITCH refused; `reply` is what it said.
    pub fn switch_error(node: impl Into<String>, reply: impl Into<String>) -> Self {
        let data = json!({ "node": node.into(), "reply": reply.into() });
        Self::new(StatusCode::BAD_GATEWAY, "switch_error", data)
    }

    /// 503: no connection to the node that it would take.
    pub fn switch_unavailable(data: Map<String, Value>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "switch_unavailable", Value::Object(data))
    }

    /// 503: the database does not answer. `private` goes to the log only.
    pub fn datastore_unavailable(private: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "datastore_unavailable", json!({})).with_private(private)
    }

    /// 503: the daemon stops.
    pub fn shutting_down() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", json!({}))
    }

    /// 503: as many connections are open as may be.
    pub(super) fn too_many_connections() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", json!({})).retry_after(1)
    }

    /// 504: no answer or no confirming event in time; `data` should say what was asked of whom.
    pub fn switch_timeout(mut data: Map<String, Value>) -> Self {
        let message = "no confirmation in time: whether it was done is not known";
        data.entry("message").or_insert_with(|| message.into());
        Self::new(StatusCode::GATEWAY_TIMEOUT, "switch_timeout", Value::Object(data))
    }

    /// A refusal that was made before.
    pub(super) fn told_before(status: StatusCode, message: String, data: Value) -> Self {
        Self::new(status, message, data)
    }

    /// Adds what only the log is told.
    pub fn with_private(mut self, private: impl fmt::Display) -> Self {
        self.0.private = Some(Cow::Owned(private.to_string()));
        self
    }

    /// Adds a key to `data`, if `data` is an object.
    pub fn with_data(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(data) = &mut self.0.data {
            data.insert(key.to_owned(), value.into());
        }
        self
    }

    /// Adds a header, in place of an earlier one of that name.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Adds `Retry-After`.
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The contract's word for it, such as `bad_identifier`.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the client is told beyond the word.
    pub fn data(&self) -> &Value {
        &self.0.data
    }

    /// What only the log is told.
    pub fn private(&self) -> Option<&str> {
        self.0.private.as_deref()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.status.as_u16(), self.0.message)?;
        match &self.0.private {
            Some(private) => write!(f, ": {private}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}
