//! A client of the REST API. It checks of every answer what the contract says of all answers.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

#[path = "openapi.rs"]
pub mod openapi;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

/// Far beyond what any step takes; a test that hits it has failed.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Statuses and messages of refusals, as the contract lists them.
const REFUSALS: [(u16, &[&str]); 16] = [
    (400, &["validation_error", "invalid_request"]),
    (401, &["invalid_credentials"]),
    (403, &["forbidden"]),
    (404, &["bad_identifier"]),
    (405, &["method_not_allowed"]),
    (406, &["not_acceptable"]),
    (408, &["request_timeout"]),
    (409, &["conflict"]),
    (412, &["precondition_failed"]),
    (413, &["request_entity_too_large"]),
    (415, &["unsupported_media_type"]),
    (429, &["too_many_requests"]),
    (500, &["internal_error"]),
    (502, &["switch_error"]),
    (503, &["switch_unavailable", "datastore_unavailable", "shutting_down"]),
    (504, &["switch_timeout"]),
];

/// Somebody with a token, or without one, who works with one account.
#[derive(Clone)]
pub struct Rest {
    pub address: SocketAddr,
    pub account: String,
    pub token: Option<String>,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Rest {
    pub fn new(address: SocketAddr, account: &str, token: Option<&str>) -> Self {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self { address, account: account.to_owned(), token: token.map(str::to_owned), http }
    }

    /// The same client in the paths of another account.
    pub fn in_account(&self, account: &str) -> Self {
        Self { account: account.to_owned(), ..self.clone() }
    }

    /// A request; a path without a slash in front is one below the account.
    pub fn ask(&self, method: Method, path: &str) -> Call {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/v2/accounts/{}/{path}", self.account),
        };
        let uri = format!("http://{}{path}", self.address);
        let call =
            Call { http: self.http.clone(), method, uri, headers: HeaderMap::new(), body: Bytes::new() };
        match &self.token {
            Some(token) => call.header("x-auth-token", token),
            None => call,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).send().await
    }

    pub async fn put(&self, path: &str, data: Value) -> Answer {
        self.ask(Method::PUT, path).json(&json!({ "data": data })).send().await
    }

    pub async fn post(&self, path: &str, data: Value) -> Answer {
        self.ask(Method::POST, path).json(&json!({ "data": data })).send().await
    }

    pub async fn patch(&self, path: &str, data: Value) -> Answer {
        self.ask(Method::PATCH, path).json(&json!({ "data": data })).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path).send().await
    }

    /// `PUT {"data": {"action": ...}}`.
    pub async fn act(&self, path: &str, action: &str) -> Answer {
        self.put(path, json!({ "action": action })).await
    }

    /// Creates a document; its id.
    pub async fn create(&self, data: Value) -> String {
        text(&self.put("conferences", data).await.created()["id"])
    }

    /// Asks again and again until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = String::new();
        let asked = timeout(PATIENCE, async {
            loop {
                let answer = self.get(path).await;
                if wanted(&answer) {
                    return answer;
                }
                last = answer.text();
                look_again().await;
            }
        });
        asked.await.unwrap_or_else(|_| panic!("{path} never became as wanted: {last}"))
    }
}

/// Between two looks at something that tells nobody when it changes.
pub async fn look_again() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// A request that is being put together.
pub struct Call {
    http: Client<HttpConnector, Full<Bytes>>,
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header"));
        self
    }

    /// A header that need not be text.
    pub fn header_bytes(mut self, name: &'static str, value: &[u8]) -> Self {
        self.headers.insert(name, http::HeaderValue::from_bytes(value).expect("a header"));
        self
    }

    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub async fn send(self) -> Answer {
        let what = self.what();
        self.try_send().await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    fn what(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }

    /// The answer, unless the other end goes away.
    pub async fn try_send(self) -> Result<Answer, String> {
        let what = self.what();
        let sent_token = self.headers.contains_key("x-auth-token");
        let method = self.method.clone();
        let mut request = http::Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri.parse().unwrap_or_else(|error| panic!("{what}: {error}"));
        *request.headers_mut() = self.headers;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| format!("{error:?}"))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            Ok(Answer { what: what.clone(), status: head.status, headers: head.headers, body })
        };
        let answer: Result<Answer, String> =
            timeout(PATIENCE, exchange).await.unwrap_or_else(|_| panic!("{what}: no answer"));
        answer.inspect(|answer| answer.check(sent_token, &method))
    }
}

/// An answer.
pub struct Answer {
    what: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// What holds for every answer.
    fn check(&self, sent_token: bool, method: &Method) {
        let is_head = *method == Method::HEAD;
        let json = (!self.body.is_empty()).then(|| self.json());
        let (status, headers, body) = (self.status, &self.headers, json.as_ref());
        let told = openapi::Told { method, path: self.path(), status, headers, body };
        if let Some(difference) = openapi::difference(&told) {
            panic!("the OpenAPI document tells something else: {difference}\n{}", self.text());
        }
        let id = self.header("x-request-id").unwrap_or_else(|| panic!("no request id: {}", self.text()));
        if is_head || self.status == StatusCode::NOT_MODIFIED {
            assert!(self.body.is_empty(), "{}", self.text());
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.text());
        let whole = self.json();
        assert_eq!(whole["request_id"], id, "{}", self.text());
        if self.status.is_success() {
            assert_eq!(whole["status"], "success", "{}", self.text());
            assert!(!sent_token || whole["auth_token"].is_string(), "{}", self.text());
            return;
        }
        assert_eq!(whole["status"], "error", "{}", self.text());
        assert_eq!(whole["error"], self.status.as_str(), "{}", self.text());
        assert!(whole["data"].is_object(), "{}", self.text());
        let known = REFUSALS.iter().find(|(status, _)| *status == self.status.as_u16());
        let known = known.unwrap_or_else(|| panic!("a status that is not in the contract: {}", self.text()));
        assert!(known.1.contains(&self.message().as_str()), "{}", self.text());
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = self.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok());
            assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{}", self.text());
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE && self.message() == "switch_unavailable" {
            assert!(self.header("retry-after").is_some(), "{}", self.text());
        }
    }

    /// The path that was asked for.
    fn path(&self) -> &str {
        let uri = self.what.split_once("://").map_or("/", |(_, rest)| rest);
        let path = uri.find('/').map_or("/", |at| &uri[at..]);
        path.split('?').next().unwrap_or(path)
    }

    /// Everything, for the words of a failure.
    pub fn text(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(4_000).collect();
        format!("{} gave {} {body}", self.what, self.status)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The whole envelope.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// `data` whatever the status.
    pub fn data(&self) -> Value {
        self.json()["data"].take()
    }

    /// `data` of a 200.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.data()
    }

    /// `data` of a 201.
    pub fn created(&self) -> Value {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.text());
        self.data()
    }

    /// `data` of a refusal of this kind.
    pub fn refused(&self, status: u16, message: &str) -> Value {
        let found = (self.status.as_u16(), self.message());
        assert_eq!(found, (status, message.to_owned()), "{}", self.text());
        self.data()
    }

    /// That there is no such thing, said as of anything else that is not there.
    pub fn not_found(&self, cause: &str) {
        assert_eq!(self.refused(404, "bad_identifier"), json!({ "cause": cause, "reason": "not_found" }));
    }
}

/// A string in JSON.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned()
}

/// The keys of an object in their order.
pub fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().cloned().collect()
}

/// One field of each item of a list.
pub fn column(list: &Value, key: &str) -> Vec<Value> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|item| item[key].clone()).collect()
}
