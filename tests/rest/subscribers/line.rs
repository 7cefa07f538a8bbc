//! Ways to hear of what happens, with little room for what is not read. Both give the same messages.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::task::AbortOnDropHandle;

/// On a busy machine it may take so long until something happens where somebody listens.
const QUIET: std::time::Duration = std::time::Duration::from_secs(300);

/// A connection.
pub(crate) enum Line {
    Websocket(Box<WebSocketStream<TcpStream>>),
    Sse(Sse),
}

/// A stream of server-sent events.
pub(crate) struct Sse {
    body: Incoming,
    read: String,
    /// It lives as long as this.
    _ask: SendRequest<Empty<Bytes>>,
    _connection: AbortOnDropHandle<()>,
}

async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("set");
    socket.connect(address).await.expect("it listens")
}

impl Line {
    pub(crate) async fn websocket(address: SocketAddr) -> Self {
        let stream = connect(address).await;
        let (line, _) = client_async(format!("ws://{address}/ws"), stream).await.expect("it is upgraded");
        Self::Websocket(Box::new(line))
    }

    /// The events of a conference, from behind the last one; `None`: there is no such conference.
    pub(crate) async fn sse(
        address: SocketAddr,
        token: &str,
        path: &str,
        last: Option<&str>,
    ) -> Option<Self> {
        let (mut ask, connection) = handshake(TokioIo::new(connect(address).await)).await.expect("it serves");
        let connection = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
        let request = http::Request::get(path).header("host", "convened").header("x-auth-token", token);
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let answer =
            ask.send_request(request.body(Empty::new()).expect("a request")).await.expect("an answer");
        match answer.status().as_u16() {
            200 => {
                let (body, read) = (answer.into_body(), String::new());
                Some(Self::Sse(Sse { body, read, _ask: ask, _connection: connection }))
            }
            404 => None,
            other => panic!("{path}, {last:?}: {other}"),
        }
    }

    pub(crate) async fn say(&mut self, message: Value) {
        let Self::Websocket(line) = self else { panic!("nothing can be said over it") };
        line.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    /// The next message; of a stream it has the `id` beside.
    pub(crate) async fn hear(&mut self) -> Value {
        let next = async {
            match self {
                Self::Websocket(line) => loop {
                    match line.next().await {
                        Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        other => panic!("{other:?}"),
                    }
                },
                Self::Sse(stream) => stream.next().await,
            }
        };
        timeout(QUIET, next).await.expect("a message comes")
    }
}

impl Sse {
    /// Nothing is lost if it is dropped before it is done.
    async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let mut message = json!({});
                for (name, value) in event.lines().filter_map(|line| line.split_once(": ")) {
                    match name {
                        "data" => message["data"] = serde_json::from_str(value).expect("JSON"),
                        "event" if ["snapshot", "gap"].contains(&value) => message["action"] = value.into(),
                        "event" => message["action"] = "event".into(),
                        "id" => message["id"] = value.into(),
                        "" => {}
                        other => panic!("what is this? {other}"),
                    }
                }
                self.read = rest.to_owned();
                if message["data"].is_object() {
                    return message;
                }
                continue;
            }
            let frame = self.body.frame().await.expect("it goes on").expect("it is whole");
            self.read
                .push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("whole characters"));
        }
    }
}
