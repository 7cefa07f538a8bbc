//! Following: how a node is started and waited for, and reading without following.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::config::{self, Secret};
use convened::esl::Limits;
use convened::node::{Node, Outside, Running, Settings};
use convened::registry::{Publish, Registry};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// Starts to follow the switch at that port.
pub(crate) fn start<P: Publish + 'static>(
    outside: Arc<dyn Outside>,
    port: u64,
    audit_every: Duration,
    (registry, publish): (&Arc<Registry>, P),
    stop: &CancellationToken,
) -> Running {
    let node = config::Node::new(format!("fs{port}"), format!("127.0.0.1:{port}"), Secret::new("ClueCon"));
    let settings = Settings { node, limits: Limits::default(), audit_every, variable_prefixes: Vec::new() };
    Node::start_in(outside, settings, registry.clone(), publish, stop)
}

/// Waits for something, and not for ever.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many conferences and participants are known.
pub(crate) fn known(registry: &Registry) -> (usize, usize) {
    let conferences = registry.conferences();
    (conferences.len(), conferences.iter().map(|conference| conference.len()).sum())
}

/// A connection that has logged in and sent something more.
pub(crate) async fn log_in(port: u64, then: &str) -> BufReader<TcpStream> {
    let port = u16::try_from(port).expect("a port");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("the switch listens");
    socket.write_all(format!("auth ClueCon\n\n{then}\n\n").as_bytes()).await.expect("a login");
    BufReader::with_capacity(256 << 10, socket)
}

/// Reads the list of everything, and looks at none of it.
pub(crate) async fn only_list(port: u64) -> Vec<u8> {
    let mut socket = log_in(port, "api conference json_list compact").await;
    let mut line = String::new();
    while !line.starts_with("Content-Length: ") {
        line.clear();
        assert!(socket.read_line(&mut line).await.expect("a line") > 0, "there is no list");
    }
    let length = line["Content-Length: ".len()..].trim().parse().expect("a number");
    socket.read_line(&mut line).await.expect("the empty line");
    let mut list = vec![0; length];
    socket.read_exact(&mut list).await.expect("all of it");
    list
}
