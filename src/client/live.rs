//! What happens, over the websocket, over broken connections.
//!
//! ```text
//! off ──connect──▶ on ──message──▶ on
//!  ▲  └ refused for good: over     │
//!  └───── broken, closed, silent ◀─┘   comes back with `resume`: what was missed is told
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::api::{Api, broken, understood};
use super::picture::Picture;
use super::transport::Stream;
use super::trouble::{Refusal, Trouble};
use super::view::Message;
use crate::hub::word;

/// The first pause before a new try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The upgrade and the reply to the subscription take no longer.
const BEGIN_WITHIN: Duration = Duration::from_secs(20);
/// The daemon pings more often than that. Then it is asked, and the next silence is the end.
const SILENCE: Duration = Duration::from_secs(45);
/// A message of a client has at most 64 KiB: what does not fit here is sent as a snapshot.
const MOST_RESUMED: usize = 48 * 1_024;

/// What there is to tell.
#[derive(Debug)]
pub enum News {
    /// It is connected; whether not for the first time.
    Connected {
        /// Not for the first time.
        again: bool,
    },
    /// The connection is lost, why, and when it is tried again.
    Lost {
        /// In the words of whoever noticed.
        why: String,
        /// The pause.
        again_in: Duration,
    },
    /// Something happened: as it was read, and as it came.
    Told(Message, Value),
}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// A subscription that comes back.
pub struct Live<'a> {
    api: &'a Api,
    /// A conference, or all of the account.
    conference: Option<String>,
    picture: Picture,
    socket: Option<Box<Socket>>,
    was_connected: bool,
    pause: Option<Duration>,
}

impl<'a> Live<'a> {
    /// Of one conference, by its id, or of all.
    pub fn new(api: &'a Api, conference: Option<String>) -> Self {
        let picture = Picture::default();
        Self { api, conference, picture, socket: None, was_connected: false, pause: None }
    }

    /// What is known of all that was told. It has in it what [`next`](Self::next) gave last.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// The next that there is to tell. To be waited for to its end: one that is given up forgets its connection.
    ///
    /// # Errors
    /// The first connection fails, or a later one is refused in a way that does not pass.
    pub async fn next(&mut self) -> Result<News, Trouble> {
        loop {
            let Some(mut socket) = self.socket.take() else {
                if let Some(pause) = self.pause {
                    sleep(pause).await;
                }
                match self.begin().await {
                    Ok(socket) => {
                        self.socket = Some(Box::new(socket));
                        let again = std::mem::replace(&mut self.was_connected, true);
                        return Ok(News::Connected { again });
                    }
                    Err(trouble) if self.was_connected && trouble.may_pass() => {
                        return Ok(self.lost(trouble.brief()));
                    }
                    Err(trouble) => return Err(trouble),
                }
            };
            match heard(&mut socket).await {
                Ok(text) => {
                    self.socket = Some(socket);
                    let Some((message, raw)) = read(&text) else { continue };
                    self.pause = None;
                    self.picture.take(&message, now_s());
                    return Ok(News::Told(message, raw));
                }
                Err(why) => return Ok(self.lost(why)),
            }
        }
    }

    fn lost(&mut self, why: String) -> News {
        let again_in = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.pause = Some(again_in);
        News::Lost { why, again_in }
    }

    /// Connects and subscribes.
    async fn begin(&self) -> Result<Socket, Trouble> {
        let begun = timeout(BEGIN_WITHIN, async {
            let mut socket = self.connect().await?;
            let subscribe = json!({ "action": "subscribe", "data": self.wanted() });
            socket.send(Frame::text(subscribe.to_string())).await.map_err(|error| broken(&error))?;
            let reply = loop {
                let text = heard(&mut socket).await.map_err(Trouble::NoAnswer)?;
                let reply: Value = serde_json::from_str(&text).unwrap_or_default();
                if reply["action"] == "reply" {
                    break reply;
                }
            };
            match reply["status"].as_str() {
                Some("success") => Ok(socket),
                _ => Err(refused(&reply)),
            }
        });
        let late = || Trouble::NoAnswer(format!("nothing came within {} s", BEGIN_WITHIN.as_secs()));
        begun.await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect(&self) -> Result<Socket, Trouble> {
        let address = self.api.address();
        let strange = |error: Error| Trouble::Strange(error.to_string());
        let url = format!("ws://{}{}/ws", address.authority, address.prefix);
        let mut request = url.into_client_request().map_err(strange)?;
        if let Some(token) = self.api.token_header() {
            request.headers_mut().insert("x-auth-token", token);
        }
        let stream = self.api.stream().await?;
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                match understood(response.status(), response.headers(), body, "read") {
                    Err(trouble) => Err(trouble),
                    Ok(_) => Err(Trouble::Strange("it does not upgrade".to_owned())),
                }
            }
            Err(error @ (Error::Io(_) | Error::ConnectionClosed | Error::Protocol(_))) => Err(broken(&error)),
            Err(error) => Err(strange(error)),
        }
    }

    /// What is subscribed to: from where it is known, or from a snapshot on.
    fn wanted(&self) -> Value {
        let mut data = Map::new();
        if let Some(account) = self.api.account() {
            data.insert("account_id".into(), account.into());
        }
        let binding = match &self.conference {
            Some(id) => format!("conference.event.{}.*", word(id)),
            None => "conference.event.*.*".to_owned(),
        };
        data.insert("binding".into(), binding.into());
        let resume = resume(&self.picture);
        match resume.is_empty() {
            true => data.insert("snapshot".into(), true.into()),
            false => data.insert("resume".into(), resume.into()),
        };
        data.into()
    }
}

/// Up to where each conference is known, as much as fits into a message. One on several nodes is shown anew: a
/// resumption has room for one of its runs.
fn resume(picture: &Picture) -> Map<String, Value> {
    let mut resume = Map::new();
    let mut length = 0;
    for (id, room) in picture.rooms() {
        let mut instances = room.iter();
        let (Some((instance, known)), None) = (instances.next(), instances.next()) else { continue };
        let value = json!({ "instance_id": instance, "seq": known.seq });
        length += Value::from(id.as_str()).to_string().len() + value.to_string().len() + 2;
        if length > MOST_RESUMED {
            break;
        }
        resume.insert(id.clone(), value);
    }
    resume
}

/// The next text; the error says why there will be none.
async fn heard(socket: &mut Socket) -> Result<String, String> {
    let mut asked = false;
    loop {
        match timeout(SILENCE, socket.next()).await {
            Err(_) if asked => return Err("nothing is heard any more".to_owned()),
            Err(_) => {
                asked = true;
                let ping = socket.send(Frame::Ping(bytes::Bytes::new()));
                ping.await.map_err(|error| error.to_string())?;
            }
            Ok(None) => return Err("it was closed".to_owned()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(Some(Ok(Frame::Text(text)))) => return Ok(text.as_str().to_owned()),
            Ok(Some(Ok(Frame::Close(frame)))) => {
                let reason = frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default();
                return Err(if reason.is_empty() { "it was closed".to_owned() } else { reason });
            }
            Ok(Some(Ok(_))) => asked = false,
        }
    }
}

/// What of another form or kind is passed over: a newer daemon may have more to tell.
fn read(text: &str) -> Option<(Message, Value)> {
    let raw: Value = serde_json::from_str(text).ok()?;
    Some((Message::read(&raw).ok()??, raw))
}

/// The reply to a subscription that was refused, as REST would have said it.
fn refused(reply: &Value) -> Trouble {
    let errors = reply["data"]["errors"].as_array().into_iter().flatten();
    let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
    let errors = errors.join("; ");
    let known =
        [("invalid_credentials", 401), ("forbidden", 403), ("is not found", 404), ("unavailable", 503)];
    let status = known.iter().find(|(words, _)| errors.contains(words)).map_or(400, |(_, status)| *status);
    let cause = errors.strip_prefix("account_id: ").and_then(|rest| rest.strip_suffix(" is not found"));
    let message = if errors.contains("datastore_unavailable") { "datastore_unavailable" } else { "refused" };
    Trouble::Refused(Box::new(Refusal {
        status,
        message: message.to_owned(),
        data: json!({ "message": errors, "cause": cause }),
        retry_after: None,
        scope: "read",
    }))
}

/// Seconds since 1970.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Snapshot;

    fn room(picture: &mut Picture, conference: &str, instances: &[&str], seq: u64) {
        for instance in instances {
            let snapshot = Snapshot {
                conference_id: conference.to_owned(),
                instance_id: Some((*instance).to_owned()),
                instances: instances.iter().map(ToString::to_string).collect(),
                seq,
                ..Snapshot::default()
            };
            picture.take(&Message::Snapshot(snapshot), 0);
        }
    }

    #[test]
    fn what_is_known_is_resumed_as_far_as_it_fits_into_a_message() {
        let mut picture = Picture::default();
        room(&mut picture, "talk", &["i"], 7);
        room(&mut picture, "desk", &["j", "k"], 3);
        assert_eq!(Value::from(resume(&picture)), json!({"talk": {"instance_id": "i", "seq": 7}}));
        for number in 0..10_000 {
            room(&mut picture, &format!("room {number}"), &["instance"], 1);
        }
        let text = Value::from(resume(&picture)).to_string();
        assert!(text.len() > 40 * 1_024 && text.len() < 60 * 1_024, "{}", text.len());
    }

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew_after_a_message() {
        let api = Api::new("http://127.0.0.1:1".parse().expect("an address"), None, None);
        let mut live = Live::new(&api, None);
        let mut pause = || match live.lost(String::new()) {
            News::Lost { again_in, .. } => again_in.as_millis(),
            other => panic!("{other:?}"),
        };
        let pauses: Vec<_> = (0..7).map(|_| pause()).collect();
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    }

    #[test]
    fn a_subscription_is_refused_as_a_request_would_be() {
        for (error, code) in [
            ("invalid_credentials", 78),
            ("forbidden: the token has no scope read", 78),
            ("account_id: acme is not found", 4),
            ("conference.event.*.*: datastore_unavailable", 69),
            ("account_id: a superuser has to name one", 1),
        ] {
            let trouble = refused(&json!({"status": "error", "data": {"errors": [error]}}));
            let failure = trouble.failure("http://h", Some("acme"));
            assert_eq!(failure.exit_code(), code, "{failure}");
        }
    }
}
