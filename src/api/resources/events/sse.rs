//! `GET /v2/accounts/{A}/conferences/{C}/events`: a conference as server-sent events, for whoever only speaks HTTP.
//!
//! It begins with a `snapshot`, or with what was missed since `Last-Event-ID`; each event has its place as its id,
//! `INSTANCE;SEQ` of each instance that runs, with commas between. A comment now and then keeps proxies from closing
//! what is silent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::message::event_data;
use super::{Counted, Piece, Place, Subscription};
use crate::api::resources::{Caller, Context};
use crate::api::{Access, ApiError, Request, Response, Route};
use crate::config::Way;
use crate::hub::{Binding, word};
use crate::peer::Client;
use crate::secret::Secret;

const EVENTS: &str = "/v2/accounts/{A}/conferences/{C}/events";
/// A comment after so long a silence; less than an idle connection has.
const SILENCE: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 64;

pub(super) fn routes() -> Vec<Route<Context>> {
    let route = Route::new(Method::GET, EVENTS, "conference_events", Access::Read, events);
    vec![route.answers(&["text/event-stream"])]
}

/// What is still to be sent.
struct Sending {
    context: Arc<Context>,
    subscription: Subscription,
    pieces: VecDeque<Piece>,
    /// By instance: the number of the last change that was sent.
    places: BTreeMap<String, u64>,
    news: Arc<Notify>,
    silence: Duration,
    /// The token, and when it is looked at again.
    token: Option<Secret>,
    client: Client,
    check_at: Instant,
    _place: Place,
    _open: Counted,
}

async fn events(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let (account, id) = (caller.account()?.clone(), request.param("C")?);
    let principal = caller.principal.as_ref().ok_or_else(ApiError::invalid_credentials)?;
    // A conference that is not there, or somebody else's, is told at once; one that may come is waited for.
    match context.find(&caller, id).await {
        Ok(_) => {}
        Err(error) if error.message() == "switch_unavailable" => {}
        Err(error) => return Err(error),
    }
    let place = context.events.enter(&principal.credential)?;
    let text = format!("conference.event.{}.*", word(id));
    let binding = Binding::parse(&text, account.as_str())
        .map_err(|error| ApiError::invalid_request(error.to_string()))?;
    let news = Arc::new(Notify::new());
    let mut subscription =
        Subscription::new(&context, binding, (caller.clone(), &account), (Way::Sse, &news));
    let places = request.header("last-event-id").map(places_of).unwrap_or_default();
    let known: Vec<_> = places.clone().into_iter().collect();
    let resume = if known.is_empty() { HashMap::new() } else { HashMap::from([(id.to_owned(), known)]) };
    let pieces = subscription.begin(&context, &resume, true).await?.into();
    let silence = SILENCE.min(context.silence_allowed / 3).min(context.events.check_every());
    let (token, client, check_at) =
        (request.token().cloned(), request.client(), Instant::now() + context.events.check_every());
    let open = Counted::new(&context.events.figures.event_streams);
    let sending = Sending {
        context,
        subscription,
        pieces,
        places,
        news,
        silence,
        token,
        client,
        check_at,
        _place: place,
        _open: open,
    };
    Ok(Response::event_stream(stream::unfold(sending, |mut sending| async {
        Some((sending.next().await?, sending))
    })))
}

/// The places in a `Last-Event-ID`. What is no id of ours, or none at all (as after a gap), is no place: then it begins
/// with a snapshot.
fn places_of(id: &str) -> BTreeMap<String, u64> {
    let place = |place: &str| {
        let (instance, seq) = place.split_once(';')?;
        Some((instance.to_owned(), seq.parse().ok()?))
    };
    id.split(',').map(place).collect::<Option<_>>().unwrap_or_default()
}

impl Sending {
    /// The next bytes; `None`: the daemon stops, or it cannot be said any more what runs.
    async fn next(&mut self) -> Option<Bytes> {
        let stopping = self.context.events.stopping.clone();
        loop {
            if !self.pieces.is_empty() {
                let mut text = String::new();
                for piece in std::mem::take(&mut self.pieces) {
                    self.write(&piece, &mut text);
                }
                return Some(text.into());
            }
            if stopping.is_cancelled() || !self.is_still_let_in().await {
                return None;
            }
            self.pieces = self.subscription.next(&self.context, AT_ONCE).await.ok()?.into();
            if !self.pieces.is_empty() || self.subscription.has_more() {
                continue;
            }
            let news = self.news.clone();
            let woken = timeout(self.silence, async {
                tokio::select! {
                    () = news.notified() => {}
                    () = stopping.cancelled() => {}
                }
            });
            if woken.await.is_err() {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
        }
    }

    async fn is_still_let_in(&mut self) -> bool {
        let Some(token) = self.token.as_ref().filter(|_| self.check_at <= Instant::now()) else {
            return true;
        };
        self.check_at = Instant::now() + self.context.events.check_every();
        self.context.is_still_let_in(token, self.client).await
    }

    fn write(&mut self, piece: &Piece, text: &mut String) {
        let (event, data) = match piece {
            Piece::Event(told, before) => {
                if let Some((instance, number)) = told.number() {
                    self.sent(instance, number);
                }
                (told.event(), event_data(told, *before, &self.context.events.streams.origin))
            }
            Piece::Snapshot(data) => {
                match data["instance_id"].as_str().zip(data["seq"].as_u64()) {
                    Some((instance, seq)) => self.sent(instance, seq),
                    None => self.places.clear(),
                }
                ("snapshot", data.to_string())
            }
            Piece::Gap(data) => {
                self.places.clear();
                ("gap", data.to_string())
            }
        };
        // An empty one has the client forget what it had.
        let places = self.places.iter().map(|(instance, number)| format!("{instance};{number}"));
        let places = places.collect::<Vec<_>>().join(",");
        // JSON has no line ends.
        text.push_str(&format!("id: {places}\nevent: {event}\ndata: {data}\n\n"));
    }

    /// Whoever comes back behind it need not know of what has ended.
    fn sent(&mut self, instance: &str, number: u64) {
        let conference = self.subscription.binding.conference.as_deref().unwrap_or_default();
        let running = self.context.registry.conference(conference);
        self.places.retain(|known, _| running.iter().any(|it| *it.instance == **known));
        self.places.insert(instance.to_owned(), number);
    }
}
