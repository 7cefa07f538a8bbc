//! Questions to the API and its answers.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::InvalidDnsNameError;

use super::address::Address;
use super::transport::{Stream, connect};
use super::trouble::{Refusal, Trouble};
use super::view::Line;
use crate::secret::Secret;
use crate::tls::TlsError;

/// Longer than the daemon takes for any action: then it is it who says so (`api.answer_timeout_ms`, 60 s if nothing
/// else is configured).
const ANSWER_WITHIN: Duration = Duration::from_secs(75);
/// No answer is so large.
const LARGEST: usize = 256 * 1_024 * 1_024;
/// Items of a page; the API gives no more.
const PAGE: u32 = 500;
/// All that need not be escaped (RFC 3986, `unreserved`) stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One segment of a path, or a value of a query.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// What the API answered well.
#[derive(Debug)]
pub struct Answer {
    /// `data`.
    pub data: Value,
    /// Where the next page begins.
    pub next_start_key: Option<String>,
}

/// An API, with a token and an account. Requests go one after another on one connection.
pub struct Api {
    address: Address,
    /// The roots that the certificate of an `https:` address has to come from; else those of the system.
    roots: Option<PathBuf>,
    token: Option<Secret>,
    account: Option<String>,
    within: Duration,
    kept: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl Api {
    /// Nothing is connected yet.
    pub fn new(address: Address, token: Option<Secret>, account: Option<String>) -> Self {
        Self { address, roots: None, token, account, within: ANSWER_WITHIN, kept: Mutex::new(None) }
    }

    /// The same; an answer that has not come after that time is none.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The same; certificates have to come from the roots in that file, in PEM.
    #[must_use]
    pub fn trusting(self, roots: Option<PathBuf>) -> Self {
        Self { roots, ..self }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// The account, if one was named.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// A path of the account.
    pub fn path(&self, below: &str) -> String {
        format!("/v2/accounts/{}/{below}", segment(self.account().unwrap_or_default()))
    }

    /// The path of a conference.
    pub fn conference(&self, id: &str) -> String {
        self.path(&format!("conferences/{}", segment(id)))
    }

    /// Asks.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn get(&self, path: &str) -> Result<Answer, Trouble> {
        self.ask(Method::GET, path, None).await
    }

    /// Has an action done: its name and arguments. `data` of the answer has the results.
    ///
    /// # Errors
    /// There is no answer, and then nobody knows whether it was done, or it is a refusal.
    pub async fn act(&self, path: &str, action: &Value) -> Result<Value, Trouble> {
        let body = json!({ "data": action }).to_string();
        Ok(self.ask(Method::PUT, path, Some(body)).await?.data)
    }

    /// All conferences, page after page, with their names as filter or without.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn conferences(&self, name: Option<&str>) -> Result<Vec<Value>, Trouble> {
        let filter = name.map(|name| format!("&filter_name={}", segment(name))).unwrap_or_default();
        let first = self.path(&format!("conferences?page_size={PAGE}{filter}"));
        let mut all = Vec::new();
        let mut path = first.clone();
        loop {
            let page = self.get(&path).await?;
            match page.data {
                Value::Array(items) => all.extend(items),
                _ => return Err(Trouble::Strange("the list of conferences is no list".to_owned())),
            }
            match page.next_start_key {
                Some(key) => path = format!("{first}&start_key={}", segment(&key)),
                None => return Ok(all),
            }
        }
    }

    /// The id that is meant: an id, or the name of exactly one document.
    ///
    /// # Errors
    /// There is no such conference, several have that name, or as [`get`](Self::get).
    pub async fn resolve(&self, named: &str) -> Result<(String, Value), Trouble> {
        let unknown = match self.get(&self.conference(named)).await {
            Ok(answer) => return Ok((named.to_owned(), answer.data)),
            Err(trouble) if trouble.is_unknown(named) => trouble,
            Err(trouble) => return Err(trouble),
        };
        let Ok(found) = self.conferences(Some(named)).await else { return Err(unknown) };
        let ids: Vec<String> = found.iter().map(|line| Line::of(line).id).collect();
        match ids.as_slice() {
            [] => Err(unknown),
            [id] => Ok((id.clone(), self.get(&self.conference(id)).await?.data)),
            several => Err(Trouble::Refused(Box::new(Refusal {
                status: 400,
                message: "ambiguous".to_owned(),
                data: json!({ "message": format!("{named:?} is the name of {}; say the id", several.join(", ")) }),
                ..Refusal::default()
            }))),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, Trouble> {
        let scope = if method == Method::GET { "read" } else { "control" };
        let exchange = async {
            let (status, headers, body) = self.exchange(method, path, body).await?;
            understood(status, &headers, &body, scope)
        };
        let late = || Trouble::NoAnswer(format!("nothing came within {} s", self.within.as_secs_f32()));
        timeout(self.within, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Trouble> {
        let mut kept = self.kept.lock().await;
        // One that has been idle may be closed by the other end at this moment: what changes something is
        // never sent twice, so it goes on a new one.
        let mut old = kept.take().filter(|old| method == Method::GET && old.is_ready());
        let (sender, response) = loop {
            let is_new = old.is_none();
            let mut sender = match old.take() {
                Some(old) => old,
                None => self.connect().await?,
            };
            match sender.send_request(self.request(&method, path, body.as_deref())?).await {
                Ok(response) => break (sender, response),
                Err(error) if is_new => return Err(broken(&error)),
                Err(_) => {}
            }
        };
        let (head, body) = Response::<Incoming>::into_parts(response);
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| broken(error.as_ref()))?;
        *kept = Some(sender);
        Ok((head.status, head.headers, body.to_bytes()))
    }

    /// A connection of its own.
    pub(super) async fn stream(&self) -> Result<Box<dyn Stream>, Trouble> {
        connect(&self.address, self.roots.as_deref())
            .await
            .map_err(|error| insecure(&error).unwrap_or_else(|| broken(&error)))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let stream = self.stream().await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // It ends with the last sender; how, is told where its answer is waited for.
        tokio::spawn(async { drop(connection.await) });
        Ok(sender)
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Trouble> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address.prefix))
            .header(HOST, &self.address.authority)
            .header(USER_AGENT, concat!("convened/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = self.token_header() {
            request = request.header("x-auth-token", token);
        }
        let body = Full::new(Bytes::copy_from_slice(body.unwrap_or_default().as_bytes()));
        request.body(body).map_err(|error| Trouble::Strange(format!("no request can be made: {error}")))
    }

    /// The token as a header. What was read as one is visible ASCII, so there is no error.
    pub(super) fn token_header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.token.as_ref()?.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// That TLS is the trouble, in words.
fn insecure(error: &std::io::Error) -> Option<Trouble> {
    use tokio_rustls::rustls::Error as Tls;
    let inner = error.get_ref()?;
    if inner.is::<TlsError>() || inner.is::<InvalidDnsNameError>() {
        return Some(Trouble::Insecure(inner.to_string()));
    }
    let why = inner.downcast_ref::<Tls>()?;
    let words = match why {
        Tls::InvalidMessage(_) => format!("no TLS is spoken there; perhaps http:// is meant ({why})"),
        Tls::InvalidCertificate(_) if why.to_string().contains("CaUsedAsEndEntity") => {
            "it shows the certificate of an authority, not one that an authority has issued (CA:FALSE)"
                .to_owned()
        }
        _ => why.to_string(),
    };
    Some(Trouble::Insecure(words))
}

/// With all its causes: the outermost says only that something was wrong.
pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> Trouble {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    words.dedup();
    Trouble::NoAnswer(words.join(": "))
}

/// The answer in an envelope of the API.
pub(super) fn understood(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    scope: &'static str,
) -> Result<Answer, Trouble> {
    // A proxy in front of the daemon has its own words for one that is away (RFC 9110, 15.6.3 to 15.6.5).
    let strange = || match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Trouble::NoAnswer(format!("a proxy in front of it answers {status}"))
        }
        _ => Trouble::Strange(format!("it answered {status} and no JSON of ours")),
    };
    let mut whole: Value = serde_json::from_slice(body).map_err(|_| strange())?;
    let said = whole["status"].as_str().ok_or_else(strange)?;
    if status.is_success() && said == "success" {
        let next_start_key = whole["next_start_key"].as_str().map(str::to_owned);
        return Ok(Answer { data: whole["data"].take(), next_start_key });
    }
    if said != "error" {
        return Err(strange());
    }
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Err(Trouble::Refused(Box::new(Refusal {
        status: status.as_u16(),
        message: whole["message"].as_str().unwrap_or_default().to_owned(),
        data: whole["data"].take(),
        retry_after,
        scope,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Api as Configured;

    #[test]
    fn a_daemon_that_is_slow_is_waited_for_longer_than_it_waits_itself() {
        assert!(ANSWER_WITHIN > Duration::from_millis(Configured::default().answer_timeout_ms));
    }

    #[test]
    fn the_words_of_a_proxy_for_a_daemon_that_is_away_may_pass() {
        let said = |status: u16, body: &[u8]| {
            let status = StatusCode::from_u16(status).expect("a status");
            understood(status, &HeaderMap::new(), body, "read").expect_err("no answer of ours")
        };
        for status in [502, 503, 504] {
            for body in
                [&b""[..], b"<html></html>", br#"{"error":"bad gateway"}"#, br#"{"status":"success"}"#]
            {
                let trouble = said(status, body);
                assert!(trouble.may_pass() && matches!(trouble, Trouble::NoAnswer(_)), "{trouble:?}");
            }
        }
        for (status, body) in [(200, &b"<html></html>"[..]), (404, b""), (500, b"{}")] {
            assert!(matches!(said(status, body), Trouble::Strange(_)), "{status}");
        }
    }
}
