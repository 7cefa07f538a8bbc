//! What a handler answers, and its way into bytes.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::ApiError;
use super::stream::{self, Items, Outgoing, Pages, Pieces};
use crate::config::Secret;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Answers depend on the token and change at any time.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An answer that is no refusal.
///
/// The envelope around `data`, the request id and the common headers are added when it is sent.
pub struct Response {
    status: StatusCode,
    content: Content,
    headers: HeaderMap,
    revision: Option<String>,
    auth_token: Option<Secret>,
    page: Option<Page>,
}

enum Content {
    /// Goes into the envelope.
    Data(Box<RawValue>),
    /// A list that goes into the envelope page by page.
    Pages(Pages),
    /// Server-sent events, for as long as there are any.
    Events(Pieces),
    /// Goes as it is.
    Plain(HeaderValue, Bytes),
    Nothing,
}

/// What a list says about itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Page {
    /// Items in this page.
    pub page_size: usize,
    /// Where this page starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_key: Option<String>,
    /// Where the next one starts; `None` on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start_key: Option<String>,
}

impl Response {
    fn new(status: StatusCode, content: Content) -> Self {
        Self { status, content, headers: HeaderMap::new(), revision: None, auth_token: None, page: None }
    }

    /// That status, with `data` that is JSON already.
    pub(super) fn raw(status: StatusCode, data: Box<RawValue>) -> Self {
        Self::new(status, Content::Data(data))
    }

    /// `data` and the headers beside it, if there is nothing else to it.
    pub(super) fn parts(&self) -> Option<(&RawValue, &HeaderMap)> {
        let Content::Data(data) = &self.content else { return None };
        let is_all = self.revision.is_none() && self.auth_token.is_none() && self.page.is_none();
        is_all.then_some((data, &self.headers))
    }

    /// 200 with `data`.
    ///
    /// # Errors
    /// 500, if `data` cannot be written as JSON.
    pub fn ok(data: &(impl Serialize + ?Sized)) -> Result<Self, ApiError> {
        let data = to_raw_value(data)
            .map_err(|error| ApiError::internal(format!("the answer cannot be written as JSON: {error}")))?;
        Ok(Self::new(StatusCode::OK, Content::Data(data)))
    }

    /// 201 with `data`.
    ///
    /// # Errors
    /// 500, if `data` cannot be written as JSON.
    pub fn created(data: &(impl Serialize + ?Sized)) -> Result<Self, ApiError> {
        Ok(Self::ok(data)?.with_status(StatusCode::CREATED))
    }

    /// 200 with a list that is made while it is sent.
    pub fn list(pages: impl Stream<Item = Result<Items, ApiError>> + Send + 'static) -> Self {
        Self::new(StatusCode::OK, Content::Pages(Box::pin(pages)))
    }

    /// 200 with server-sent events, in pieces of whole events.
    pub fn event_stream(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::new(StatusCode::OK, Content::Events(pieces.map(Ok).boxed()))
    }

    /// 304 without a body.
    pub fn not_modified(revision: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_MODIFIED, Content::Nothing).revision(revision)
    }

    /// 204 without a body.
    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Content::Nothing)
    }

    /// 101; the headers of the protocol are the caller's. See [`super::Request::take_upgrade`].
    pub fn switching_protocols() -> Self {
        Self::new(StatusCode::SWITCHING_PROTOCOLS, Content::Nothing)
    }

    /// 200 with something that is not in the envelope, such as metrics or a schema.
    pub fn plain(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, Content::Plain(HeaderValue::from_static(content_type), body.into()))
    }

    /// Another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The revision of the document in `data`: in the envelope and as a strong `ETag`.
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        let revision = revision.into();
        // Our revisions are digits, a dash and hex; anything else is told in the envelope only.
        if let Ok(tag) = HeaderValue::try_from(format!("\"{revision}\"")) {
            self.headers.insert(ETAG, tag);
        }
        self.revision = Some(revision);
        self
    }

    /// A new token for the client, in place of the one that it sent.
    pub fn auth_token(mut self, token: Secret) -> Self {
        self.auth_token = Some(token);
        self
    }

    /// Makes it a page of a list.
    pub fn page(mut self, page: Page) -> Self {
        self.page = Some(page);
        self
    }

    /// Adds a header, in place of an earlier one of that name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What to send. `token` is the one that the request came with; it is told back.
    pub(super) fn render(self, request_id: &str, token: Option<&Secret>) -> http::Response<Outgoing> {
        let auth_token = self.auth_token.as_ref().or(token);
        let (content_type, body) = match self.content {
            Content::Nothing => (None, Outgoing::Whole(Bytes::new())),
            Content::Plain(content_type, bytes) => (Some(content_type), Outgoing::Whole(bytes)),
            Content::Data(data) => {
                let success = Success {
                    data: Some(&data),
                    page: self.page.as_ref(),
                    status: "success",
                    request_id,
                    auth_token: auth_token.map(Secret::expose),
                    revision: self.revision.as_deref(),
                };
                (Some(JSON), Outgoing::Whole(to_bytes(&success)))
            }
            Content::Events(pieces) => (Some(EVENT_STREAM), Outgoing::Pieces(pieces)),
            Content::Pages(pages) => {
                let (id, token) = (request_id.to_owned(), auth_token.cloned());
                let end = move |count| end_of_list(count, &id, token.as_ref());
                (Some(JSON), Outgoing::Pieces(stream::envelope(pages, request_id, end)))
            }
        };
        assemble(self.status, self.headers, content_type, request_id, body)
    }
}

/// What follows the items: the rest of the envelope.
fn end_of_list(count: usize, request_id: &str, token: Option<&Secret>) -> Vec<u8> {
    let page = Page { page_size: count, ..Page::default() };
    let auth_token = token.map(Secret::expose);
    let rest =
        Success { data: None, page: Some(&page), status: "success", request_id, auth_token, revision: None };
    let mut end = b"],".to_vec();
    // Without its opening brace; it is never empty.
    end.extend_from_slice(&to_bytes(&rest)[1..]);
    end
}

impl ApiError {
    /// The bytes to send.
    pub(super) fn render(&self, request_id: &str) -> http::Response<Bytes> {
        let status = self.status();
        let refusal = Refusal {
            data: self.data(),
            error: status.as_str(),
            message: self.message(),
            status: "error",
            request_id,
        };
        assemble(status, self.headers().clone(), Some(JSON), request_id, to_bytes(&refusal))
    }
}

#[derive(Serialize)]
struct Success<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(flatten)]
    page: Option<&'a Page>,
    status: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    data: &'a Value,
    error: &'a str,
    message: &'a str,
    status: &'static str,
    request_id: &'a str,
}

fn to_bytes(envelope: &impl Serialize) -> Bytes {
    // Strings and values that are JSON already: this cannot fail, and an empty object is JSON still.
    serde_json::to_vec(envelope).map_or(Bytes::from_static(b"{}"), Bytes::from)
}

fn assemble<B>(
    status: StatusCode,
    mut headers: HeaderMap,
    content_type: Option<HeaderValue>,
    request_id: &str,
    body: B,
) -> http::Response<B> {
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers.entry(CACHE_CONTROL).or_insert(PRIVATE);
    // Request ids were checked to fit when they were taken.
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(response: http::Response<Outgoing>) -> String {
        let Outgoing::Whole(bytes) = response.into_body() else { panic!("it comes in pieces") };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn the_end_of_a_list_closes_what_was_begun() {
        let end = String::from_utf8(end_of_list(2, "r", Some(&Secret::new("t")))).unwrap();
        assert_eq!(end, r#"],"page_size":2,"status":"success","request_id":"r","auth_token":"t"}"#);
    }

    #[test]
    fn a_success_has_the_envelope_of_the_contract() {
        let token = Secret::new("t");
        let response = Response::ok(&json!({"id": "c"})).unwrap().revision("1-ab").render("r1", Some(&token));
        assert_eq!(response.headers()[ETAG], "\"1-ab\"");
        assert_eq!(response.headers()[CACHE_CONTROL], "private, no-cache");
        assert_eq!(response.headers()["x-request-id"], "r1");
        assert_eq!(
            text(response),
            r#"{"data":{"id":"c"},"status":"success","request_id":"r1","auth_token":"t","revision":"1-ab"}"#
        );
    }

    #[test]
    fn a_page_is_told_at_the_top_level_and_the_last_has_no_next_key() {
        let page =
            |next: Option<&str>| Page { page_size: 1, start_key: None, next_start_key: next.map(Into::into) };
        let list = |next| text(Response::ok(&[1]).unwrap().page(page(next)).render("r", None));
        assert_eq!(
            list(Some("k")),
            r#"{"data":[1],"page_size":1,"next_start_key":"k","status":"success","request_id":"r"}"#
        );
        assert_eq!(list(None), r#"{"data":[1],"page_size":1,"status":"success","request_id":"r"}"#);
    }

    #[test]
    fn a_refusal_tells_its_public_half_only() {
        let error = ApiError::datastore_unavailable("disk on fire");
        assert_eq!(
            text(error.render("r1").map(Outgoing::Whole)),
            r#"{"data":{},"error":"503","message":"datastore_unavailable","status":"error","request_id":"r1"}"#
        );
        assert_eq!(error.private(), Some("disk on fire"));
    }

    #[test]
    fn a_new_token_goes_before_the_old_one() {
        let response = Response::created(&json!({})).unwrap().auth_token(Secret::new("new"));
        assert_eq!(response.status(), 201);
        assert!(text(response.render("r", Some(&Secret::new("old")))).contains(r#""auth_token":"new""#));
    }
}
