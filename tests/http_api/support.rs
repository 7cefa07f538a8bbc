//! A server with a few handlers that do what tests need, and a client that is only a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use convened::api::{
    Access, Api, ApiError, Asking, Gate, Limits, Request, Response, Route, Router, Server, Stopped, health,
};
use convened::config;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far beyond what any step takes; a test that hits it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the handlers share with the test.
#[derive(Default)]
pub(crate) struct World {
    /// Told when `/wait` has been reached.
    pub(crate) reached: Notify,
    /// Lets one `/wait` go on.
    pub(crate) released: Notify,
    /// Told when a `/wait` was finished.
    pub(crate) finished: Notify,
}

impl Gate for World {
    type Caller = ();

    async fn admit(&self, asking: Asking<'_>) -> Result<(), ApiError> {
        match (asking.access, asking.token) {
            (Access::Open, _) => Ok(()),
            (_, Some(token)) if token.expose() == "sesame" => Ok(()),
            _ => Err(ApiError::invalid_credentials()),
        }
    }
}

type Shared = Arc<World>;

async fn echo(_world: Shared, _caller: (), request: Request) -> Result<Response, ApiError> {
    Response::ok(&request.data()?)
}

async fn act(_world: Shared, _caller: (), request: Request) -> Result<Response, ApiError> {
    Response::ok(&request.action(|_| true)?)
}

async fn parts(_world: Shared, _caller: (), request: Request) -> Result<Response, ApiError> {
    let query: Vec<(&str, &str)> = request.query().iter().collect();
    Response::ok(&json!({"part": request.param("P")?, "query": query}))
}

async fn panics(_world: Shared, _caller: (), _request: Request) -> Result<Response, ApiError> {
    panic!("as the test wants it");
}

async fn waits(world: Shared, _caller: (), _request: Request) -> Result<Response, ApiError> {
    world.reached.notify_one();
    world.released.notified().await;
    world.finished.notify_one();
    Response::ok("waited")
}

async fn takes_over(_world: Shared, _caller: (), mut request: Request) -> Result<Response, ApiError> {
    let upgrade = request.take_upgrade().ok_or_else(|| ApiError::invalid_request("no upgrade"))?;
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        let _ = tokio::io::copy(&mut from, &mut to).await;
    });
    let header = |text| http::HeaderValue::from_static(text);
    Ok(Response::switching_protocols()
        .header(http::header::CONNECTION, header("upgrade"))
        .header(http::header::UPGRADE, header("echo")))
}

fn router() -> Router<World> {
    use http::Method;
    let mut routes = health::routes();
    routes.extend([
        Route::new(Method::PUT, "/echo", "echo", Access::Open, echo),
        Route::new(Method::POST, "/echo", "echo_post", Access::Open, echo),
        Route::new(Method::PUT, "/act", "act", Access::Control, act),
        Route::new(Method::GET, "/parts/{P}", "parts", Access::Open, parts),
        Route::new(Method::GET, "/panic", "panic", Access::Open, panics),
        Route::new(Method::GET, "/wait", "wait", Access::Open, waits),
        Route::new(Method::GET, "/upgrade", "upgrade", Access::Open, takes_over),
    ]);
    Router::new(routes).expect("the table has no mistake")
}

/// The settings of a server there.
pub(crate) fn place(address: SocketAddr) -> config::Api {
    config::Api { listen: vec![address.into()], ..config::Api::default() }
}

/// A server on a free port.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Stopped>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let server = Server::bind(&place(([127, 0, 0, 1], 0).into())).await.expect("a free port");
        let address = server.places()[0].tcp().expect("an address");
        let world = Arc::new(World::default());
        let api = Arc::new(Api::new(Arc::clone(&world), router(), limits));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.serve(api, async {
            // A test that drops the service early has its connections still.
            if stopped.await.is_err() {
                std::future::pending().await
            }
        }));
        Self { address, world, stop, running }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("a connection"), unread: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, raw: &str) -> Answer {
        let mut client = self.connect().await;
        client.write(raw).await;
        client.read_answer().await
    }

    /// Tells it to stop; the result comes when it has.
    pub(crate) fn stop(self) -> JoinHandle<Stopped> {
        let _ = self.stop.send(());
        self.running
    }
}

/// A request as text; `headers` are whole lines, a body gets its `Content-Length`.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{headers}{length}\r\n{body}")
}

/// A socket, and what was read from it beyond the last answer.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) async fn write(&mut self, raw: impl AsRef<[u8]>) {
        self.stream.write_all(raw.as_ref()).await.expect("the server reads");
    }

    /// Writes for as long as the server takes it.
    pub(crate) async fn write_while_possible(&mut self, raw: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(raw.as_ref()).await;
    }

    async fn read_more(&mut self) -> usize {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await.expect("bytes in time");
        read.unwrap_or(0)
    }

    pub(crate) async fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.read_more().await > 0, "closed after {:?}", String::from_utf8_lossy(&self.unread));
        }
        self.unread.drain(..length).collect()
    }

    /// The status line and headers.
    pub(crate) async fn read_head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read_more().await > 0, "closed after {:?}", String::from_utf8_lossy(&self.unread));
        };
        let head = String::from_utf8(self.read_exactly(end).await).unwrap();
        let status = head[9..12].parse().unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Answer { status, headers, body: Vec::new() }
    }

    pub(crate) async fn read_answer(&mut self) -> Answer {
        let mut answer = self.read_head().await;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body = self.read_exactly(length).await;
        answer
    }

    /// Waits for the server to close; whatever else it sent comes first.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_more().await > 0 {}
        std::mem::take(&mut self.unread)
    }
}

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}
