//! Cross-origin requests: what browsers are told of pages of other origins (Fetch standard, section 3.3).
//!
//! Off unless origins are configured. Tokens come in headers that a page has to set itself, and there are no cookies:
//! `Access-Control-Allow-Credentials` is never sent, so that `*` gives nobody more than a token does.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use super::Response;

/// What a page may send.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-auth-token, x-request-id",
);
/// What a page may read beside what it always may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("etag, idempotent-replay, retry-after, x-conference-seq, x-request-id");
/// So long a browser need not ask again, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The origins whose pages may ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    pub(super) fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    fn is_any(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    /// What is said of the origin of a request; `None`: nothing, and a browser keeps the answer from the page.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        if self.is_any() {
            return Some(ANY);
        }
        self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// Adds to an answer what a browser has to know.
    pub(super) fn mark(&self, headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
        if self.origins.is_empty() {
            return;
        }
        if !self.is_any() {
            // A cache must not give one origin what was for another one.
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The answer to the question of a browser whether it may ask; `allow` are the methods of the path. `None`: it is
    /// no such question, or not of an origin that is allowed.
    pub(super) fn preflight(&self, method: &Method, headers: &HeaderMap, allow: &str) -> Option<Response> {
        let asks = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        self.allowed(headers)?;
        let answer = Response::no_content()
            .header(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_str(allow).ok()?)
            .header(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)
            .header(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(answer)
    }
}

/// Why that is no origin as browsers write it, if it is none: scheme, host, and a port that is not the scheme's own.
pub(crate) fn wrong_origin(origin: &str) -> Option<&'static str> {
    if origin == "*" {
        return None;
    }
    let Some((scheme, host)) = origin.split_once("://") else {
        return Some("expected an origin such as https://app.example.com, or *");
    };
    if !matches!(scheme, "http" | "https") {
        return Some("expected http:// or https:// in front");
    }
    if host.is_empty() || host.contains(['/', '?', '#', '@', '*', ' ', ',']) || !host.is_ascii() {
        return Some("expected a host, with a port or not, and nothing behind it, not even a slash");
    }
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("browsers write hosts in small letters");
    }
    let own = if scheme == "http" { ":80" } else { ":443" };
    host.ends_with(own).then_some("browsers leave the usual port out")
}
