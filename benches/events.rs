//! What an event costs, beside the cost of looking at its line ends.
//!
//! All figures of one run come from the same bytes (`fixtures/captures/busy.jsonl.gz`, some 2,500 events
//! of a real FreeSWITCH), so that they can be compared with each other; machines are noisy, ratios less.
//! `cargo bench` prints the ratios at the end.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use convened::esl::{Decoder, Event, Frame, Limits};
use convened::model::{ConferenceEvent, EventKind, Flag, MemberFacts, MemberState, Moment};
use convened::node::Translator;
use convened::registry::{Registry, Writer};
use criterion::{Criterion, Throughput};
use tokio_util::codec::Decoder as _;

#[path = "../tests/support/mod.rs"]
mod support;

const AT: Moment = Moment { unix_ms: 1_795_426_262_000, monotonic_ms: 0 };

/// The events of the recording as the switch sent them, without anything else.
fn wire() -> (Bytes, u64) {
    let mut decoder = Decoder::new(Limits::default());
    let mut bytes = BytesMut::from(&support::received(&support::capture("busy"))[..]);
    let (mut wire, mut events) = (BytesMut::new(), 0);
    while let Ok(Some(frame)) = decoder.decode(&mut bytes) {
        if let Frame::Event(event) = frame {
            let head = format!("Content-Length: {}\nContent-Type: text/event-plain\n\n", event.bytes().len());
            wire.extend_from_slice(head.as_bytes());
            wire.extend_from_slice(event.bytes());
            events += 1;
        }
    }
    (wire.freeze(), events)
}

/// Feeds the wire to a decoder as a socket would: 64 KiB at a time.
fn for_each_event(wire: &[u8], mut each: impl FnMut(Event)) {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::with_capacity(128 << 10);
    for chunk in wire.chunks(64 << 10) {
        buffer.extend_from_slice(chunk);
        while let Some(frame) = decoder.decode(&mut buffer).expect("the recording is well-formed") {
            if let Frame::Event(event) = frame {
                each(event);
            }
        }
    }
}

fn newlines(wire: &[u8]) -> usize {
    let (mut rest, mut count) = (wire, 0);
    while let Some(at) = memchr::memchr(b'\n', rest) {
        rest = &rest[at + 1..];
        count += 1;
    }
    count
}

fn apply_all(wire: &[u8], translator: &Translator, writer: &mut Writer<()>) {
    for_each_event(wire, |event| {
        if let Some(event) = translator.conference_event(&event) {
            writer.apply(&event, AT);
        }
    });
}

fn decoding(criterion: &mut Criterion) {
    let (wire, events) = wire();
    let translator = Translator::default();
    let mut group = criterion.benchmark_group("busy");
    group.throughput(Throughput::Elements(events)).measurement_time(Duration::from_secs(4));
    group.bench_function("c: memchr over every newline", |bench| bench.iter(|| newlines(black_box(&wire))));
    group.bench_function("a: decode and read", |bench| {
        bench.iter(|| for_each_event(&wire, |event| drop(black_box(translator.conference_event(&event)))));
    });
    group.bench_function("b: decode, read and apply", |bench| {
        bench.iter_batched_ref(
            || Writer::new(Arc::new(Registry::new()), "fs1".into(), ()),
            |writer| apply_all(&wire, &translator, writer),
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Somebody in a room of `size` begins and ends talking.
fn talking<'a>(
    conference: &'a str,
    call_id: &'a str,
    member_id: u32,
    sequence: u64,
    kind: EventKind,
) -> ConferenceEvent<'a> {
    let state = MemberState::default().with(Flag::Hear, true).with(Flag::Speak, true);
    ConferenceEvent {
        kind,
        sequence,
        instance: conference.into(),
        conference: conference.into(),
        size: None,
        account: None,
        extra: None,
        member: Some(MemberFacts {
            call_id: call_id.into(),
            member_id,
            state: state
                .with(Flag::Talking, sequence.is_multiple_of(2))
                .with_current_energy(sequence % 4_000),
            caller_name: "Somebody".into(),
            caller_number: "15551230000".into(),
            account: None,
        }),
    }
}

struct Crowd {
    registry: Arc<Registry>,
    writer: Writer<()>,
    calls: Vec<String>,
    sequence: u64,
}

impl Crowd {
    fn of(size: u32) -> Self {
        let registry = Arc::new(Registry::new());
        let writer = Writer::new(registry.clone(), "fs1".into(), ());
        let calls = (0..size).map(|n| format!("a037b0ab-5135-41c6-948a-{n:012x}")).collect();
        let mut crowd = Self { registry, writer, calls, sequence: 0 };
        for n in 0..crowd.calls.len() {
            crowd.tell(n, EventKind::Joined);
        }
        crowd
    }

    fn tell(&mut self, n: usize, kind: EventKind) {
        self.sequence += 1;
        let member_id = u32::try_from(n).unwrap_or(u32::MAX);
        self.writer.apply(&talking("crowd", &self.calls[n], member_id, self.sequence, kind), AT);
    }
}

fn rooms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    for size in [3, 300, 3_000] {
        let mut crowd = Crowd::of(size);
        let mut next = 0;
        // The same few people talk, so that what is measured is the room and not the processor's cache.
        group.bench_function(format!("d: somebody talks in a room of {size}"), |bench| {
            bench.iter(|| {
                next = (next + 1) % 3;
                crowd.tell(next, EventKind::Other);
            });
        });
    }
    for size in [3, 300, 3_000] {
        let mut crowd = Crowd::of(size);
        group.bench_function(format!("d: somebody leaves and joins in a room of {size}"), |bench| {
            bench.iter(|| {
                crowd.tell(0, EventKind::Left);
                crowd.tell(0, EventKind::Joined);
            });
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let crowd = Crowd::of(300);
    let registry = crowd.registry.clone();
    let list = move || -> usize {
        let conference = registry.conference("crowd");
        conference[0]
            .participants()
            .iter()
            .filter(|participant| participant.state().has(Flag::Talking))
            .count()
    };
    group.bench_function("e: 300 participants, nothing happens", |bench| bench.iter(&list));
    let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = std::thread::spawn({
        let (stop, told, mut crowd) = (stop.clone(), told.clone(), crowd);
        move || {
            while !stop.load(Ordering::Relaxed) {
                for n in 0..100 {
                    crowd.tell(n, EventKind::Other);
                }
                told.fetch_add(100, Ordering::Relaxed);
            }
        }
    });
    let began = Instant::now();
    group.bench_function("e: 300 participants while events flow", |bench| bench.iter(&list));
    let rate = told.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
    println!("events applied meanwhile: {:.2} million a second", rate / 1e6);
    group.finish();
}

/// The mean of a measurement of this run, in nanoseconds.
fn mean(group: &str, name: &str) -> Option<f64> {
    let folder = name.replace(['/', '"', '?', '*', ':'], "_");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let path = Path::new(&target).join("criterion").join(group).join(folder).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    estimates["mean"]["point_estimate"].as_f64()
}

fn ratios() {
    let events = wire().1 as f64;
    let Some(base) = mean("busy", "c: memchr over every newline") else { return };
    println!("\nper event, beside c = {:.3} µs:", base / events / 1e3);
    for name in ["a: decode and read", "b: decode, read and apply"] {
        if let Some(mean) = mean("busy", name) {
            println!("  {name}: {:.3} µs, {:.2} × c", mean / events / 1e3, mean / base);
        }
    }
    for what in ["somebody talks", "somebody leaves and joins"] {
        let of = |size| mean("apply", &format!("d: {what} in a room of {size}"));
        if let (Some(small), Some(middle), Some(large)) = (of(3), of(300), of(3_000)) {
            println!(
                "  d: {what}: {small:.0} ns in a room of 3, {:.2} × in 300, {:.2} × in 3,000",
                middle / small,
                large / small
            );
        }
    }
    let quiet = mean("read", "e: 300 participants, nothing happens");
    let busy = mean("read", "e: 300 participants while events flow");
    if let (Some(quiet), Some(busy)) = (quiet, busy) {
        println!(
            "  e: 300 participants read: {:.1} µs, {:.2} × while events flow",
            quiet / 1e3,
            busy / quiet
        );
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decoding(&mut criterion);
    rooms(&mut criterion);
    reading(&mut criterion);
    criterion.final_summary();
    ratios();
}
