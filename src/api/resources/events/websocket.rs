//! `GET /` and `GET /ws`: the websocket, as Kazoo's blackhole speaks it.
//!
//! ```text
//! upgrade ─▶ open ─ subscribe, unsubscribe, ping ─▶ replies
//!             │  └ events, snapshots, gaps
//!             └▶ closed: 1000 by the client, 1001 shutdown, 1008 credentials, 1009 too large, 1002 no websocket
//! ```
//!
//! One task for each. While a client does not read, nothing is read from it either, and its place in the streams
//! falls behind; nobody else notices.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Method};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tracing::Instrument;

use super::message::{Message, failure, message, success};
use super::{Counted, Events, Place, Subscription};
use crate::api::resources::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::auth::{self, AccountId, Principal, Scope};
use crate::config::Way;
use crate::hub::Binding;
use crate::peer::Client;
use crate::secret::Secret;

/// Longer messages of clients end the connection.
const LONGEST: usize = 64 * 1_024;
/// Messages of clients are short.
const READ: usize = 4 * 1_024;
/// So many pieces are written before somebody else has his turn.
const AT_ONCE: usize = 64;

pub(super) fn routes() -> Vec<Route<Context>> {
    vec![
        Route::new(Method::GET, "/", "websocket_at_root", Access::Open, open),
        Route::new(Method::GET, "/ws", "websocket", Access::Open, open),
    ]
}

async fn open(context: Arc<Context>, _: Caller, mut request: Request) -> Result<Response, ApiError> {
    let is = |name: http::HeaderName, wanted: &str| {
        let words = request.header(name).into_iter().flat_map(|value| value.split(','));
        words.map(str::trim).any(|word| word.eq_ignore_ascii_case(wanted))
    };
    let no_websocket = || ApiError::invalid_request("here is a websocket (RFC 6455): an upgrade is expected");
    if !is(UPGRADE, "websocket") || !is(CONNECTION, "upgrade") || !is(SEC_WEBSOCKET_VERSION, "13") {
        return Err(no_websocket());
    }
    let key = request.header(SEC_WEBSOCKET_KEY).ok_or_else(no_websocket)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| no_websocket())?;
    let events = &context.events;
    let mut session = Session::new(context.clone(), &request);
    // A token in a header is checked at once: who has none may still say it in a message.
    if let Some(token) = request.token().cloned() {
        session.authenticate(token).await?;
    }
    let upgrade = request.take_upgrade().ok_or_else(no_websocket)?;
    let span = tracing::error_span!("websocket", client = %request.client(), request_id = request.id());
    events.tasks.spawn(session.run(upgrade).instrument(span));
    Ok(Response::switching_protocols()
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(CONNECTION, HeaderValue::from_static("upgrade"))
        .header(SEC_WEBSOCKET_ACCEPT, accept))
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Why a session ends.
enum End {
    /// The client has gone.
    Gone,
    /// It has said that it goes, and is told that it was heard.
    Leaves,
    /// It is told why.
    Closed(CloseCode, &'static str),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Closed(CloseCode::Size, "a message has at most 64 KiB"),
            Error::Utf8(_) => Self::Closed(CloseCode::Invalid, "a message is UTF-8"),
            Error::Protocol(_) => Self::Closed(CloseCode::Protocol, "this is no websocket"),
            _ => Self::Gone,
        }
    }
}

/// A token, whose it is, and its place among those of the same credential.
struct Known {
    token: Secret,
    principal: Principal,
    place: Place,
}

/// Somebody who comes back names so many conferences at most; more of them are shown by a snapshot.
const MOST_RESUMED: usize = 200;
/// More tokens of different people are not taken on one connection.
const MOST_TOKENS: usize = 16;

/// Who is connected, and what he has subscribed to.
struct Session {
    context: Arc<Context>,
    client: Client,
    /// The tokens that were said here, the one that counts for what is asked next at the end.
    known: Vec<Known>,
    subscriptions: Vec<(AccountId, Subscription)>,
    /// Wakes this session when there is something new.
    news: Arc<Notify>,
}

impl Session {
    fn new(context: Arc<Context>, request: &Request) -> Self {
        let (subscriptions, news) = (Vec::new(), Arc::new(Notify::new()));
        Self { context, client: request.client(), known: Vec::new(), subscriptions, news }
    }

    fn events(&self) -> &Arc<Events> {
        &self.context.events
    }

    async fn authenticate(&mut self, token: Secret) -> Result<(), ApiError> {
        let principal = self.context.let_in(&token, self.client).await?;
        let same = self.known.iter().position(|known| known.principal.token_id == principal.token_id);
        let place = match same {
            Some(at) => self.known.remove(at).place,
            None if self.known.len() >= MOST_TOKENS => {
                return Err(ApiError::invalid_request("too many different tokens on one connection"));
            }
            None => self.events().enter(&principal.credential)?,
        };
        self.known.push(Known { token, principal, place });
        Ok(())
    }

    async fn run(mut self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else { return };
        let _open = Counted::new(&self.events().figures.websockets);
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST))
            // As much is made anew, and cleared, for each look whether the client has said something.
            .read_buffer_size(READ)
            .write_buffer_size(64 * 1_024);
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        tracing::debug!("a websocket is open");
        let end = self.serve(&mut socket).await;
        if let End::Closed(code, reason) = &end {
            tracing::debug!(%code, reason, "a websocket is closed");
            let frame = CloseFrame { code: *code, reason: (*reason).into() };
            // Who does not listen in time does not hear it.
            let _ = timeout(Duration::from_secs(2), socket.close(Some(frame))).await;
            let _ = timeout(Duration::from_secs(1), async { while let Some(Ok(_)) = socket.next().await {} })
                .await;
        }
        if matches!(end, End::Leaves) {
            // The answer to its farewell waits to be sent (RFC 6455, 5.5.1).
            let _ = timeout(Duration::from_secs(2), socket.flush()).await;
        }
        tracing::debug!(subscriptions = self.subscriptions.len(), "a websocket has ended");
    }

    async fn serve(&mut self, socket: &mut Socket) -> End {
        let (idle, check_every) = (self.events().idle(), self.events().check_every());
        let (mut pings, mut checks) = (interval(idle / 3), interval(check_every));
        for ticks in [&mut pings, &mut checks] {
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.reset();
        }
        let (news, stopping) = (self.news.clone(), self.events().stopping.clone());
        let opened = Instant::now();
        let mut heard = opened;
        loop {
            match timeout(idle, self.deliver(socket)).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return end,
                Err(_) => return End::Closed(CloseCode::Away, "nothing was read for too long"),
            }
            let is_behind = self.subscriptions.iter().any(|(_, subscription)| subscription.has_more());
            tokio::select! {
                biased;
                () = stopping.cancelled() => return End::Closed(CloseCode::Away, "the daemon stops"),
                frame = socket.next() => {
                    heard = Instant::now();
                    let text = match frame {
                        Some(Ok(Frame::Text(text))) => text,
                        Some(Ok(Frame::Binary(_))) => return End::Closed(CloseCode::Unsupported, "messages are texts"),
                        Some(Ok(Frame::Close(_))) => return End::Leaves,
                        None => return End::Gone,
                        // Its answer is sent before the next one is read: who does not read them waits himself.
                        Some(Ok(Frame::Ping(_))) => match timeout(idle, socket.flush()).await {
                            Ok(Ok(())) => continue,
                            Ok(Err(error)) => return error.into(),
                            Err(_) => return End::Closed(CloseCode::Away, "nothing was read for too long"),
                        },
                        Some(Ok(_)) => continue,
                        Some(Err(error)) => return error.into(),
                    };
                    match timeout(idle, self.answer(socket, &text)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(end)) => return end,
                        Err(_) => return End::Closed(CloseCode::Away, "nothing was read for too long"),
                    }
                }
                () = std::future::ready(()), if is_behind => {}
                () = news.notified() => {}
                _ = pings.tick() => {
                    if self.known.is_empty() && opened.elapsed() >= idle {
                        return End::Closed(CloseCode::Policy, "no token has been said");
                    }
                    if heard.elapsed() >= idle {
                        return End::Closed(CloseCode::Away, "no ping was answered");
                    }
                    match timeout(idle, socket.send(Frame::Ping(bytes::Bytes::new()))).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => return error.into(),
                        Err(_) => return End::Closed(CloseCode::Away, "nothing was read for too long"),
                    }
                }
                _ = checks.tick() => {
                    if !self.is_still_let_in().await {
                        return End::Closed(CloseCode::Policy, "the token is not good any more");
                    }
                }
            }
        }
    }

    async fn is_still_let_in(&self) -> bool {
        for known in &self.known {
            if !self.context.is_still_let_in(&known.token, self.client).await {
                return false;
            }
        }
        true
    }

    /// Sends what there is by now, a part of it if it is much.
    async fn deliver(&mut self, socket: &mut Socket) -> Result<(), End> {
        let mut any = false;
        for (_, subscription) in &mut self.subscriptions {
            if !subscription.has_more() {
                continue;
            }
            let pieces = subscription.next(&self.context, AT_ONCE).await.map_err(|error| {
                tracing::warn!("a subscriber cannot be served: {}", error.message());
                End::Closed(CloseCode::Error, "it is not known what runs")
            })?;
            let origin = &self.context.events.streams.origin;
            for piece in &pieces {
                any = true;
                let text = message(piece, &subscription.binding, origin);
                socket.feed(Frame::text(text)).await?;
            }
        }
        if any {
            socket.flush().await?;
        }
        Ok(())
    }

    async fn answer(&mut self, socket: &mut Socket, text: &str) -> Result<(), End> {
        let asked: Message = match serde_json::from_str(text) {
            Ok(asked) => asked,
            Err(error) => {
                let why = format!("this is no message: {error}");
                let whole = serde_json::from_str::<Value>(text).ok();
                let id = whole.and_then(|message| message.get("request_id").cloned());
                return Ok(socket.send(Frame::text(failure(id.as_ref(), &[why]))).await?);
            }
        };
        let id = asked.request_id.as_ref();
        let let_in = match asked.auth_token.clone() {
            Some(token) => self.authenticate(token).await,
            // Who has said his token once pays for each message with it.
            None => self.context.one_more(self.known.last().map(|known| &known.principal), self.client),
        };
        if let Err(refusal) = let_in {
            return Ok(socket.send(Frame::text(failure(id, &[refusal.message().to_owned()]))).await?);
        }
        let reply = match asked.action.as_str() {
            "ping" => success(id, json!({ "response": "pong" })),
            "subscribe" => return self.subscribe(socket, &asked).await,
            "unsubscribe" => {
                let before = self.texts();
                let wanted: Vec<_> = asked.data.bindings().collect();
                let of = asked.data.account_id.as_deref();
                let is_one = |account: &AccountId, binding: &Binding| {
                    of.is_none_or(|of| of == account.as_str())
                        && (wanted.is_empty() || wanted.contains(&&*binding.text))
                };
                self.subscriptions.retain(|(account, it)| !is_one(account, &it.binding));
                let now = self.texts();
                let gone: Vec<_> = before.into_iter().filter(|text| !now.contains(text)).collect();
                success(id, json!({ "unsubscribed": gone, "subscriptions": now }))
            }
            other => {
                failure(id, &[format!("unknown action: {other:?}; known: subscribe, unsubscribe, ping")])
            }
        };
        Ok(socket.send(Frame::text(reply)).await?)
    }

    fn texts(&self) -> Vec<Value> {
        self.subscriptions.iter().map(|(_, subscription)| (&*subscription.binding.text).into()).collect()
    }

    async fn subscribe(&mut self, socket: &mut Socket, asked: &Message) -> Result<(), End> {
        let id = asked.request_id.as_ref();
        let (account, bindings) = match self.readable(asked) {
            Ok(readable) => readable,
            Err(errors) => return Ok(socket.send(Frame::text(failure(id, &errors))).await?),
        };
        let principal = self.known.last().map(|known| known.principal.clone());
        let caller = Caller { principal, account: Some(account.clone()) };
        let (resume, with_snapshot) = (asked.data.resume(), asked.data.snapshot);
        if resume.len() > MOST_RESUMED {
            let why = format!("resume: names {} conferences, {MOST_RESUMED} are allowed", resume.len());
            return Ok(socket.send(Frame::text(failure(id, &[why]))).await?);
        }
        let mut begun = Vec::new();
        for binding in bindings {
            let mut subscription = Subscription::new(
                &self.context,
                binding,
                (caller.clone(), &account),
                (Way::Websocket, &self.news),
            );
            match subscription.begin(&self.context, &resume, with_snapshot).await {
                Ok(pieces) => begun.push((subscription, pieces)),
                Err(refusal) => {
                    let why = format!("{}: {}", subscription.binding.text, refusal.message());
                    return Ok(socket.send(Frame::text(failure(id, &[why]))).await?);
                }
            }
        }
        let subscribed: Vec<_> = begun.iter().map(|(it, _)| Value::from(&*it.binding.text)).collect();
        let mut all = self.texts();
        all.extend(subscribed.iter().cloned());
        socket
            .feed(Frame::text(success(id, json!({ "subscribed": subscribed, "subscriptions": all }))))
            .await?;
        for (subscription, pieces) in begun {
            for piece in &pieces {
                let origin = &self.context.events.streams.origin;
                let text = message(piece, &subscription.binding, origin);
                socket.feed(Frame::text(text)).await?;
            }
            self.subscriptions.push((account.clone(), subscription));
        }
        Ok(socket.flush().await?)
    }

    /// The account and the bindings, if they may be read by whoever asks.
    fn readable(&self, asked: &Message) -> Result<(AccountId, Vec<Binding>), Vec<String>> {
        let Some(Known { principal, .. }) = self.known.last() else {
            return Err(vec!["invalid_credentials".to_owned()]);
        };
        let account = match (&asked.data.account_id, &principal.account) {
            (Some(named), _) => named.parse().map_err(|error| vec![format!("account_id: {error}")])?,
            (None, Some(own)) => own.clone(),
            (None, None) => return Err(vec!["account_id: a superuser has to name one".to_owned()]),
        };
        match principal.may(&account, Scope::Read) {
            auth::Access::Allowed => {}
            // Whether there is such an account is not told.
            auth::Access::Hidden => return Err(vec![format!("account_id: {account} is not found")]),
            auth::Access::Forbidden => return Err(vec!["forbidden: the token has no scope read".to_owned()]),
        }
        let mut errors = Vec::new();
        let mut bindings = Vec::new();
        for text in asked.data.bindings() {
            let is_known =
                self.subscriptions.iter().any(|(of, it)| *of == account && *it.binding.text == *text);
            match Binding::parse(text, account.as_str()) {
                Ok(_) if is_known => errors.push(format!("{text}: is subscribed to already")),
                // Named twice it is told once.
                Ok(binding) if bindings.iter().any(|other: &Binding| other.text == binding.text) => {}
                Ok(binding) => bindings.push(binding),
                Err(error) => errors.push(format!("{text}: {error}")),
            }
        }
        let most = self.events().settings.max_bindings;
        if errors.is_empty() && bindings.is_empty() {
            errors.push("there is no binding".to_owned());
        }
        if self.subscriptions.len() + bindings.len() > most {
            errors.push(format!("a websocket has at most {most} bindings"));
        }
        if errors.is_empty() { Ok((account, bindings)) } else { Err(errors) }
    }
}
