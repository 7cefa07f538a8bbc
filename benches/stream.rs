//! The whole way of an event, from the socket to the applied state, in time of the processor.
//!
//! The simulated switch plays `fixtures/captures/busy.jsonl.gz` again and again, each time with other calls and
//! conferences, as fast as it is read; a node follows it on a thread of its own, whose time the kernel counts.
//! Beside it, in the same run: a thread that only reads the same bytes from such a socket. Every event is
//! counted; one that is missing fails the run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::config::{self, Secret};
use convened::esl::Limits;
use convened::node::{Node, Settings};
use convened::registry::Registry;
use convened::sim::capture::Capture;
use convened::sim::replay::{Replay, ReplayOptions};
use tokio_util::sync::CancellationToken;

const ROUNDS: u64 = 200;

/// Time that this thread has had a processor, from the kernel.
fn busy() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    let nanoseconds = told.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    Duration::from_nanos(nanoseconds)
}

struct Run {
    events: u64,
    busy: Duration,
    took: Duration,
}

impl Run {
    fn print(&self, what: &str) -> f64 {
        let each = self.busy.as_secs_f64() * 1e6 / self.events as f64;
        let rate = self.events as f64 / self.took.as_secs_f64();
        println!(
            "{what}: {} events, {each:.3} µs of processor time for each, {rate:.0} a second",
            self.events
        );
        each
    }
}

/// Follows the switch until all its events have been applied.
fn follow(address: SocketAddr, events: u64) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let registry = Arc::new(Registry::new());
        let stop = CancellationToken::new();
        let node = config::Node::new("fs1", address.to_string(), Secret::new("ClueCon"));
        let (began, busy_before) = (Instant::now(), busy());
        let running = Node::start(Settings { node, limits: Limits::default() }, registry.clone(), (), &stop);
        while running.node.status().events < events {
            assert!(began.elapsed() < Duration::from_secs(120), "only {:?} arrived", running.node.status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let run =
            Run { events: running.node.status().events, busy: busy() - busy_before, took: began.elapsed() };
        assert_eq!(run.events, events, "every event once");
        assert_eq!(running.node.status().connections, 1, "without a reconnect");
        stop.cancel();
        running.ended().await;
        run
    })
}

/// Reads all bytes of the same events and looks at none.
fn only_read(address: SocketAddr, events: u64, bytes: u64) -> Run {
    let mut socket = TcpStream::connect(address).expect("the switch listens");
    let (began, busy_before) = (Instant::now(), busy());
    let login = "auth ClueCon\n\nevent plain CUSTOM conference::maintenance\n\n";
    socket.write_all(login.as_bytes()).expect("a login");
    let mut reader = BufReader::with_capacity(1, socket.try_clone().expect("a second handle"));
    let mut line = String::new();
    while !line.starts_with("Reply-Text: +OK event listener enabled") {
        line.clear();
        reader.read_line(&mut line).expect("a reply");
    }
    drop(reader);
    let mut buffer = vec![0; 256 << 10];
    let mut left = bytes;
    while left > 0 {
        let read = socket.read(&mut buffer).expect("the stream goes on") as u64;
        assert!(read > 0, "{left} octets are missing");
        left = left.saturating_sub(read);
    }
    Run { events, busy: busy() - busy_before, took: began.elapsed() }
}

fn main() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/busy.jsonl.gz");
    let capture = Capture::read(path).expect("the recording is there");
    let is_conference = |event: &convened::sim::events::Event| event.action().is_some();
    let in_a_round = capture.events().filter(|(_, event)| is_conference(event)).count() as u64;
    let octets: u64 = capture.events().map(|(_, event)| event.plain().len() as u64).sum();
    let events = in_a_round * ROUNDS;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let play = |fresh_ids| {
        let options = ReplayOptions { speed: 0.0, rounds: ROUNDS, fresh_ids, ..ReplayOptions::default() };
        runtime.block_on(Replay::start(&capture, options)).expect("the switch listens")
    };
    let switch = play(true);
    let address = switch.switch().addr();
    let followed = std::thread::spawn(move || follow(address, events)).join().expect("the node follows");
    drop(switch);
    // Numbers grow from round to round, so that the last octets of the last event may not come.
    let switch = play(false);
    let address = switch.switch().addr();
    let read = std::thread::spawn(move || only_read(address, events, octets * ROUNDS * 99 / 100));
    let read = read.join().expect("the reader reads");
    let base = read.print("only reading the socket  ");
    let each = followed.print("followed, applied, no loss");
    println!("following takes {:.1} times the time of reading", each / base);
}
