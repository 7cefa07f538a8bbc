//! The whole way of an event, from the socket to the applied state, in time of the processor.
//!
//! The simulated switch plays `fixtures/captures/busy.jsonl.gz` again and again, each time with other calls and
//! conferences. What it sends is kept, and served from memory as fast as it is read: to a node that follows it on
//! a thread of its own, whose time the kernel counts, and to a thread that only reads it. Every event is counted;
//! one that is missing fails the run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use convened::config::{self, Secret};
use convened::esl::{Decoder, Frame, Limits};
use convened::node::{Node, Settings};
use convened::registry::Registry;
use convened::sim::capture::Capture;
use convened::sim::replay::{Replay, ReplayOptions};
use tokio_util::codec::Decoder as _;
use tokio_util::sync::CancellationToken;

const ROUNDS: u64 = 60;

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
        let running = Node::start(
            Settings {
                node,
                limits: Limits::default(),
                audit_every: Duration::from_secs(60),
                variable_prefixes: Vec::new(),
            },
            registry.clone(),
            (),
            &stop,
        );
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

/// Logs in, subscribes, and stands at the first octet of the events.
fn subscribe(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("the switch listens");
    let login = "auth ClueCon\n\nevent plain CUSTOM conference::maintenance\n\n";
    socket.write_all(login.as_bytes()).expect("a login");
    // Octet by octet: what follows the reply is for somebody else.
    let mut reader = BufReader::with_capacity(1, socket.try_clone().expect("a second handle"));
    let mut line = String::new();
    while !line.starts_with("Reply-Text: +OK event listener enabled") {
        line.clear();
        reader.read_line(&mut line).expect("a reply");
    }
    reader.read_line(&mut line).expect("the empty line");
    socket
}

/// Reads all octets of the same events and looks at none.
fn only_read(address: SocketAddr, events: u64, octets: usize) -> Run {
    let mut socket = subscribe(address);
    let (began, busy_before) = (Instant::now(), busy());
    let mut buffer = vec![0; 256 << 10];
    let mut left = octets;
    while left > 0 {
        let read = socket.read(&mut buffer).expect("the stream goes on");
        assert!(read > 0, "{left} octets are missing");
        left = left.saturating_sub(read);
    }
    Run { events, busy: busy() - busy_before, took: began.elapsed() }
}

/// What the simulated switch sends in all rounds, and how many conference events are in it.
fn recorded() -> (Vec<u8>, u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/busy.jsonl.gz");
    let capture = Capture::read(path).expect("the recording is there");
    let in_a_round = capture.events().filter(|(_, event)| event.action().is_some()).count() as u64;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let options = ReplayOptions { speed: 0.0, rounds: ROUNDS, fresh_ids: true, ..ReplayOptions::default() };
    let switch = runtime.block_on(Replay::start(&capture, options)).expect("the switch listens");
    let mut socket = subscribe(switch.switch().addr());
    let (mut wire, mut pending, mut buffer) = (Vec::new(), BytesMut::new(), vec![0; 256 << 10]);
    let mut decoder = Decoder::new(Limits::default());
    let mut events = 0;
    while events < in_a_round * ROUNDS {
        let read = socket.read(&mut buffer).expect("the tape goes on");
        assert!(read > 0, "the tape ends after {events} events");
        wire.extend_from_slice(&buffer[..read]);
        pending.extend_from_slice(&buffer[..read]);
        while let Some(frame) = decoder.decode(&mut pending).expect("frames") {
            events += u64::from(matches!(frame, Frame::Event(_)));
        }
    }
    (wire, events)
}

/// Serves the octets to whoever subscribes. Commands but for those of a login are not answered: what is measured
/// is the way of the events.
fn serve(wire: Arc<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let wire = wire.clone();
            std::thread::spawn(move || converse(stream, &wire));
        }
    });
    address
}

/// One conversation; it ends with an error when the client has had enough.
fn converse(stream: TcpStream, wire: &[u8]) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    writer.write_all(b"Content-Type: auth/request\n\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.starts_with("auth ") {
            writer.write_all(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")?;
        } else if line == "api version" {
            writer.write_all(
                b"Content-Type: api/response\nContent-Length: 26\n\nFreeSWITCH Version 1.11.3\n",
            )?;
        } else if line.starts_with("event ") {
            writer.write_all(
                b"Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n",
            )?;
            writer.write_all(wire)?;
        }
    }
    Ok(())
}

/// Does it on a thread of that name, which a profiler can tell from the others.
fn alone(name: &str, work: impl FnOnce() -> Run + Send + 'static) -> Run {
    let thread = std::thread::Builder::new().name(name.into()).spawn(work).expect("a thread");
    thread.join().expect("it ends well")
}

fn main() {
    let (wire, events) = recorded();
    let octets = wire.len();
    let address = serve(Arc::new(wire));
    let read = alone("reader", move || only_read(address, events, octets));
    let followed = alone("follower", move || follow(address, events));
    let base = read.print("only reading the socket   ");
    let each = followed.print("followed, applied, no loss");
    println!("following takes {:.1} times the time of reading", each / base);
}
