//! One request: route, checks, gate, handler; with the span, the panic guard and the time guard
//! around them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use serde_json::Map;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, debug, error, error_span, field, info, warn};

use super::connection::Errand;
use super::cors::Cors;
use super::forwarded::TrustedProxies;
use super::request::{header_token, new_request_id, request_id};
use super::router::Found;
use super::stream::Outgoing;
use super::traffic::{Pattern, Traffic};
use super::{
    Access, ApiError, Asking, Envelope, Gate, Limits, Params, Query, Request, Response, Route, Router,
};
use super::{body, negotiate, path};
use crate::config::{Network, Secret};
use crate::peer::{Client, Peer};

/// Everything that is needed to answer: the table, the context of its handlers and the limits.
pub struct Api<C: Gate> {
    context: Arc<C>,
    router: Router<C>,
    limits: Limits,
    proxies: TrustedProxies,
    traffic: Traffic,
    cors: Cors,
}

/// The tasks that requests run in, as the server sees them.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    /// Requests that are being answered, also of clients that went away.
    pub(super) tracker: TaskTracker,
    /// Ends them all, at the end of the grace.
    pub(super) kill: CancellationToken,
}

/// What came of a request.
struct Answer {
    response: http::Response<Outgoing>,
    /// A body that is still to be got rid of.
    unread: Option<Incoming>,
}

/// Where a request goes.
enum Way<'a, C: Gate> {
    Route(&'a Route<C>, Params),
    /// Nowhere: there is nothing more to it.
    Answered(Box<Response>),
}

impl<C: Gate> Api<C> {
    /// Puts them together.
    pub fn new(context: Arc<C>, router: Router<C>, limits: Limits) -> Self {
        let (proxies, traffic, cors) = (TrustedProxies::default(), Traffic::default(), Cors::default());
        Self { context, router, limits, proxies, traffic, cors }
    }

    /// Behind these proxies, whose `X-Forwarded-For` is believed.
    #[must_use]
    pub fn behind(self, proxies: Vec<Network>) -> Self {
        Self { proxies: TrustedProxies::new(proxies), ..self }
    }

    /// For pages of these origins, too.
    #[must_use]
    pub fn for_origins(self, origins: Vec<String>) -> Self {
        Self { cors: Cors::new(origins), ..self }
    }

    /// What is counted of requests and connections.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers one request; there is always an answer.
    ///
    /// The work has a task of its own: what was begun goes on to its end if the client goes away,
    /// and a panic ends that task only.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
        peer: Peer,
        tasks: Tasks,
        errand: Arc<Errand>,
    ) -> http::Response<Outgoing> {
        let started = Instant::now();
        let id = request_id(request.headers());
        // Of the highest level: whatever is logged, it is told of which request.
        let span = error_span!(
            "request",
            request_id = id,
            method = %request.method(),
            path = request.uri().path(),
            status = field::Empty,
            ms = field::Empty,
        );
        let origin = self.cors.allowed(request.headers());
        let (pattern, method) = (Arc::new(Pattern::new()), request.method().clone());
        let work = {
            let (api, id, kill) = (Arc::clone(&self), id.clone(), tasks.kill.clone());
            let pattern = Arc::clone(&pattern);
            async move {
                tokio::select! {
                    answer = api.work(request, peer, &id, &pattern) => answer,
                    () = kill.cancelled() => Answer::refusal(&ApiError::shutting_down(), &id),
                }
            }
        };
        let mut answer = match tasks.tracker.spawn(work.instrument(span.clone())).await {
            Ok(answer) => answer,
            Err(broken) => span.in_scope(|| Answer::refusal(&panicked(broken), &id)),
        };
        if let Some(unread) = answer.unread {
            let drain = body::drain(unread, self.limits.clone());
            tasks.tracker.spawn(async move {
                drain.await;
                drop(errand);
            });
        }
        self.cors.mark(answer.response.headers_mut(), origin);
        let (status, after) = (answer.response.status(), started.elapsed());
        conclude(&span, status, after);
        self.traffic.answered(&pattern, &method, status, after);
        answer.response
    }

    async fn work(
        &self,
        mut request: http::Request<Incoming>,
        peer: Peer,
        id: &str,
        pattern: &Pattern,
    ) -> Answer {
        let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let (head, mut body) = request.into_parts();
        let mut token = header_token(&head.headers);
        let result = match self.route(&head) {
            Ok(Way::Answered(response)) => Ok(*response),
            Ok(Way::Route(route, params)) => {
                let _ = pattern.set(route.pattern);
                self.handle((route, params), &head, &mut body, &mut token, upgrade, (peer, id)).await
            }
            Err(refusal) => {
                let client = self.proxies.client_of(peer, &head.headers);
                Err(self.context.knock(client).err().unwrap_or(refusal))
            }
        };
        let must_drain = body::must_drain(&body, &head.headers);
        let response = match result {
            Ok(response) => response.render(id, token.as_ref()),
            Err(refusal) => {
                log_refusal(&refusal);
                refusal.render(id).map(Outgoing::Whole)
            }
        };
        let mut answer = Answer { response, unread: must_drain.then_some(body) };
        if answer.response.status() == StatusCode::REQUEST_TIMEOUT {
            // It had its time; the rest of that body will not be waited for.
            answer.unread = None;
            answer.response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn handle(
        &self,
        (route, params): (&Route<C>, Params),
        head: &Parts,
        body: &mut Incoming,
        token: &mut Option<Secret>,
        upgrade: Option<OnUpgrade>,
        (peer, id): (Peer, &str),
    ) -> Result<Response, ApiError> {
        let client = self.proxies.client_of(peer, &head.headers);
        negotiate::check_accept(&head.headers, route.media_types)?;
        let query = path::query(head.uri.query().unwrap_or_default())
            .map(Query)
            .ok_or_else(|| ApiError::invalid_request("the query is not percent-encoded UTF-8"))?;
        body::check_announced(body, &self.limits)?;
        // A known caller is asked for before its body is read, so that strangers cannot fill memory.
        let mut caller = match token {
            Some(_) => Some(self.admit(route, &params, token.as_ref(), client).await?),
            None => {
                // What is open is counted by the gate, and who watches is not to be refused for others.
                if !matches!(route.access, Access::Open | Access::Watch) {
                    self.context.knock(client)?;
                }
                None
            }
        };
        let envelope = self.read_envelope(head, body).await?;
        if caller.is_none() {
            *token = envelope.as_ref().and_then(|envelope| envelope.auth_token.clone());
            caller = Some(self.admit(route, &params, token.as_ref(), client).await?);
        }
        let caller = caller.ok_or_else(|| ApiError::internal("nobody was admitted"))?;
        let request = Request {
            method: head.method.clone(),
            id: id.to_owned(),
            peer,
            client,
            path: head.uri.path().to_owned(),
            params,
            query,
            headers: head.headers.clone(),
            token: token.clone(),
            envelope,
            upgrade,
        };
        let work = route.handler.call(Arc::clone(&self.context), caller, request);
        match (self.in_time(route.name, work).await, route.access) {
            (Ok(answer), _) => answer,
            // What a switch was asked for may have been done, or be done yet.
            (Err(late), Access::Control) => Err(ApiError::switch_timeout(Map::new()).with_private(late)),
            (Err(late), _) => Err(ApiError::internal(late)),
        }
    }

    fn route(&self, head: &Parts) -> Result<Way<'_, C>, ApiError> {
        let path = head.uri.path();
        match self.router.find(&head.method, path) {
            Found::Route(route, params) => Ok(Way::Route(route, params)),
            Found::OtherMethods(allow) => match self.cors.preflight(&head.method, &head.headers, allow) {
                Some(preflight) => Ok(Way::Answered(Box::new(preflight))),
                None => Err(ApiError::method_not_allowed(allow)),
            },
            Found::Nothing => Err(ApiError::not_found(path)),
            Found::BadEncoding => Err(ApiError::invalid_request("the path is not percent-encoded UTF-8")),
        }
    }

    async fn admit(
        &self,
        route: &Route<C>,
        params: &Params,
        token: Option<&Secret>,
        client: Client,
    ) -> Result<C::Caller, ApiError> {
        let asking = Asking { access: route.access, route: route.name, params, token, client };
        self.in_time("gate", self.context.admit(asking)).await.map_err(ApiError::internal)?
    }

    async fn read_envelope(&self, head: &Parts, body: &mut Incoming) -> Result<Option<Envelope>, ApiError> {
        if body.is_end_stream() {
            return Ok(None);
        }
        negotiate::check_content_type(&head.headers)?;
        let bytes = body::read(body, &self.limits).await?;
        // An empty chunked body is no body either.
        if bytes.is_empty() { Ok(None) } else { Envelope::parse(&bytes).map(Some) }
    }

    /// The result of the work, or what to log because there was none in time.
    async fn in_time<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<Result<T, ApiError>, String> {
        let limit = self.limits.answer_timeout;
        let late = |_| format!("{what} made no answer in {limit:?}");
        tokio::time::timeout(limit, work).await.map_err(late)
    }
}

impl Answer {
    fn refusal(refusal: &ApiError, id: &str) -> Self {
        log_refusal(refusal);
        Self { response: refusal.render(id).map(Outgoing::Whole), unread: None }
    }
}

/// The one place where a refusal is logged, within the span of its request.
fn log_refusal(refusal: &ApiError) {
    let status = refusal.status().as_u16();
    let (public, private) = (refusal.message(), refusal.private().unwrap_or("refused"));
    match refusal.status() {
        StatusCode::INTERNAL_SERVER_ERROR => error!(status, refusal = public, "{private}"),
        // Something else than the program and the client is at fault, and there is more to say of it.
        _ if status > 500 && refusal.private().is_some() => {
            warn!(status, refusal = public, "{private}");
        }
        // A wrong credential; the throttle keeps these from filling the log.
        StatusCode::UNAUTHORIZED if refusal.private().is_some() => {
            info!(status, refusal = public, "{private}");
        }
        // Any client can cause these as often as it likes.
        _ => debug!(status, refusal = public, "{private}"),
    }
}

/// The panic hook has written the place; this becomes the line with the request id.
fn panicked(broken: JoinError) -> ApiError {
    match broken.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            ApiError::internal(format!("panic: {}", text.unwrap_or("of no text")))
        }
        Err(_) => ApiError::shutting_down(),
    }
}

fn conclude(span: &Span, status: StatusCode, after: Duration) {
    let ms = after.as_secs_f64() * 1000.0;
    span.record("status", status.as_u16());
    span.record("ms", ms);
    span.in_scope(|| debug!("answered"));
}

/// The bytes of a refusal for a connection that hyper does not have (any more).
pub(super) fn raw_refusal(refusal: &ApiError) -> Vec<u8> {
    let response = refusal.render(&new_request_id());
    let status = response.status();
    let mut raw = format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or("-"));
    let headers = response.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    for (name, value) in headers {
        raw.extend([name.as_str(), ": ", value, "\r\n"]);
    }
    raw.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", response.body().len()));
    let mut raw = raw.into_bytes();
    raw.extend_from_slice(response.body());
    raw
}
