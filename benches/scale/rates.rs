//! Fifty connections on one core: how many events a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::node::Machine;
use convened::registry::Registry;
use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::figures::busy;
use super::follower::{known, log_in, start, until};
use super::peer::Peer;

const NODES: u64 = 50;
const ROUNDS: u64 = 24;

/// What all events took.
struct Run {
    busy: Duration,
    took: Duration,
}

impl Run {
    fn print(&self, what: &str, events: u64) {
        let each = self.busy.as_secs_f64() / events as f64;
        println!(
            "  {what}: {:.3} µs of processor time for each, that is {:.0} a second on one core; {:.0} a second by the clock",
            each * 1e6,
            1.0 / each,
            events as f64 / self.took.as_secs_f64(),
        );
    }
}

pub(crate) fn run() {
    let (_peer, told) = Peer::start("--stream", &[NODES, ROUNDS]);
    let (events, octets, ports) = (told[0], told[1], &told[2..]);
    let read = on_one_core(only_read(ports, octets));
    let followed = on_one_core(follow(ports, events));
    let all = events * NODES;
    println!("{NODES} connections on one core, {all} events of {} octets:", octets / events);
    read.print("only reading the sockets   ", all);
    followed.print("followed, applied, all ended", all);
    println!(
        "  following takes {:.1} times the time of reading\n",
        followed.busy.as_secs_f64() / read.busy.as_secs_f64()
    );
}

fn on_one_core(work: impl Future<Output = Run>) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

/// Reads all octets of the same events and looks at none.
async fn only_read(ports: &[u64], octets: u64) -> Run {
    let (began, busy_before) = (Instant::now(), busy());
    join_all(ports.iter().map(|port| {
        tokio::spawn({
            let port = *port;
            async move {
                let mut socket = log_in(port, "event plain CUSTOM conference::maintenance").await;
                let (mut buffer, mut left) = (vec![0; 256 << 10], octets);
                while left > 0 {
                    // What belongs to the login is a few octets more.
                    let read = socket.read(&mut buffer).await.expect("the stream goes on");
                    assert!(read > 0, "{left} octets are missing");
                    left = left.saturating_sub(read as u64);
                }
            }
        })
    }))
    .await
    .into_iter()
    .for_each(|read| read.expect("it ends well"));
    Run { busy: busy() - busy_before, took: began.elapsed() }
}

/// Follows until everything has been applied; then everything has ended.
async fn follow(ports: &[u64], events: u64) -> Run {
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let (began, busy_before, audit) = (Instant::now(), busy(), Duration::from_secs(60));
    let nodes: Vec<_> =
        ports.iter().map(|port| start(Arc::new(Machine), *port, audit, (&registry, ()), &stop)).collect();
    let applied = || -> u64 { nodes.iter().map(|node| node.node.status().events).sum() };
    until("the last event", || applied() >= events * NODES).await;
    let run = Run { busy: busy() - busy_before, took: began.elapsed() };
    for node in &nodes {
        assert_eq!((node.node.status().events, node.node.status().connections), (events, 1));
    }
    assert_eq!(known(&registry), (0, 0));
    stop.cancel();
    join_all(nodes.into_iter().map(|node| node.ended())).await;
    run
}
