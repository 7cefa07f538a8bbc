//! What a handler sees of a request.
//!
//! [`super::dispatch`] has made all checks that hold for every route before one of these exists.

use std::fmt;

use http::header::{AUTHORIZATION, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, Method};
use hyper::upgrade::OnUpgrade;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::envelope::no_data;
use super::{ApiError, Envelope, Params};
use crate::documents::EtagList;
use crate::peer::{Client, Peer};
use crate::secret::Secret;

/// The longest `X-Request-ID` of a client that is kept.
const MAX_REQUEST_ID: usize = 128;

/// A request that was routed, admitted and read.
pub struct Request {
    pub(super) method: Method,
    pub(super) id: String,
    pub(super) peer: Peer,
    pub(super) client: Client,
    pub(super) path: String,
    pub(super) params: Params,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) token: Option<Secret>,
    pub(super) envelope: Option<Envelope>,
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Request {
    /// The method; `HEAD` for one that a `GET` route answers without a body.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The request id, as it goes into the answer and the log.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who is at the other end of the connection, which may be a proxy.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Who asks: the peer, or who is behind it if it is a trusted proxy.
    pub fn client(&self) -> Client {
        self.client
    }

    /// A part of the path by the name that the pattern gives it, decoded and never empty.
    ///
    /// # Errors
    /// 500: the route's pattern has no such name.
    pub fn param(&self, name: &str) -> Result<&str, ApiError> {
        self.params.get(name).ok_or_else(|| ApiError::internal(format!("the pattern has no {{{name}}}")))
    }

    /// The path as it was sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the question mark.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text; `None` if it is missing or no visible ASCII.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token that the gate was asked with.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// The envelope; `None` if there was no body.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_ref()
    }

    /// The envelope's `data`.
    ///
    /// # Errors
    /// 400 `invalid_request`: no body, no `data` in it, or one that cannot be kept.
    pub fn data(&self) -> Result<Map<String, Value>, ApiError> {
        self.envelope.as_ref().ok_or_else(no_data)?.data()
    }

    /// The envelope's `data` as it was sent, for [`super::parse_data`] later.
    ///
    /// # Errors
    /// 400 `invalid_request`: no body, or no `data` in it.
    pub fn data_text(&self) -> Result<Box<RawValue>, ApiError> {
        Ok(self.envelope.as_ref().ok_or_else(no_data)?.raw()?.to_owned())
    }

    /// The keys of the envelope's `data` that a type names, and no others.
    ///
    /// # Errors
    /// 400 `invalid_request`: no body, no `data` in it, or a key of the wrong type.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        self.envelope.as_ref().ok_or_else(no_data)?.data_as()
    }

    /// The action: `data.action`, or else `action` of the envelope. What `is_known` does not take for an action is
    /// one only if there is no other: arguments in `data` may have that name, too.
    ///
    /// # Errors
    /// 400 `invalid_request`: there is none, or it is no string.
    pub fn action(&self, is_known: impl Fn(&str) -> bool) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Action {
            action: Option<String>,
        }
        let envelope = self.envelope.as_ref().ok_or_else(no_data)?;
        let within = if envelope.has_data() { envelope.data_as::<Action>()?.action } else { None };
        let beside = || envelope.action.clone();
        let action = match within {
            Some(within) if !is_known(&within) => beside().filter(|beside| is_known(beside)).or(Some(within)),
            within => within.or_else(beside),
        };
        action.ok_or_else(|| ApiError::invalid_request("there is no `action`"))
    }

    /// The revision that the envelope says the write is meant for.
    pub fn revision(&self) -> Option<&str> {
        self.envelope.as_ref()?.revision.as_deref()
    }

    /// `If-Match`; `None` if the header is missing.
    pub fn if_match(&self) -> Option<EtagList> {
        entity_tags(&self.headers, IF_MATCH)
    }

    /// `If-None-Match`; `None` if the header is missing.
    pub fn if_none_match(&self) -> Option<EtagList> {
        entity_tags(&self.headers, IF_NONE_MATCH)
    }

    /// The connection beneath, if the client asked for an upgrade; once. It resolves after the
    /// answer [`super::Response::switching_protocols`] was sent.
    pub fn take_upgrade(&mut self) -> Option<OnUpgrade> {
        self.upgrade.take()
    }
}

/// A header that may come in several lines, which mean the same as one with commas (RFC 9110, 5.3). A
/// line that is no text is there all the same: its tags match nothing, and the condition does not hold.
fn entity_tags(headers: &HeaderMap, name: HeaderName) -> Option<EtagList> {
    let lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| EtagList::parse(&lines.join(",")))
}

/// Without the headers and the body, where tokens and PINs are.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("id", &self.id)
            .field("params", &self.params)
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

/// The pairs of a query.
#[derive(Clone, Debug, Default)]
pub struct Query(pub(super) Vec<(String, String)>);

impl Query {
    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// All pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// The client's own `X-Request-ID` if it can stand in logs and headers, else a new one of 32 random
/// hex digits.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let is_sane = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(is_sane) {
        Some(id) => id.to_owned(),
        None => new_request_id(),
    }
}

pub(super) fn new_request_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// `X-Auth-Token`, or else `Authorization: Bearer`.
pub(super) fn header_token(headers: &HeaderMap) -> Option<Secret> {
    let text = |value: &http::HeaderValue| value.to_str().ok().map(|text| text.trim().to_owned());
    let own = headers.get("x-auth-token").and_then(text).filter(|token| !token.is_empty());
    let token = own.or_else(|| {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim().to_owned())
            .filter(|token| !token.is_empty())
    });
    token.map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let long = "x".repeat(128);
        for id in ["a", "A-1_b.c", &long] {
            assert_eq!(request_id(&headers(&[("x-request-id", id)])), id);
        }
        for id in ["", "a b", "a\"b", "a/b", &"x".repeat(129)] {
            let made = request_id(&headers(&[("x-request-id", id)]));
            assert!(
                made.len() == 32 && made.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{id} gave {made}"
            );
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn the_token_comes_from_either_header_and_ours_goes_first() {
        let token = |pairs: &[(&'static str, &str)]| {
            header_token(&headers(pairs)).map(|token| token.expose().to_owned())
        };
        assert_eq!(token(&[("x-auth-token", " t1 ")]).as_deref(), Some("t1"));
        assert_eq!(token(&[("authorization", "bearer  t2")]).as_deref(), Some("t2"));
        assert_eq!(token(&[("authorization", "Bearer t2"), ("x-auth-token", "t1")]).as_deref(), Some("t1"));
        assert_eq!(token(&[("authorization", "Bearer t2"), ("x-auth-token", "")]).as_deref(), Some("t2"));
        assert_eq!(token(&[("authorization", "Basic t2")]), None);
        assert_eq!(token(&[("authorization", "Bearer ")]), None);
    }

    #[test]
    fn entity_tags_match_strongly_or_weakly_as_the_header_asks() {
        let headers = headers(&[("if-match", "W/\"1-a\", \"2-b\",3-c"), ("if-none-match", "W/\"1-a\"")]);
        let if_match = entity_tags(&headers, IF_MATCH).unwrap();
        assert!(
            !if_match.matches_strongly("1-a")
                && if_match.matches_strongly("2-b")
                && if_match.matches_strongly("3-c")
        );
        let if_none_match = entity_tags(&headers, IF_NONE_MATCH).unwrap();
        assert!(if_none_match.matches_weakly("1-a") && !if_none_match.matches_weakly("2-b"));
        assert_eq!(entity_tags(&HeaderMap::new(), IF_MATCH), None);
    }
}
