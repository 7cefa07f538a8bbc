//! A million changes: what is remembered of those who left and of conferences that ended does not grow for ever.
//!
//! Once with a clock that runs as if each second were ten minutes, so that what is old is forgotten as in a day;
//! once with the real one, where nothing is old yet, and only the number of what is remembered has an end.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use convened::model::Moment;
use convened::node::{Machine, Outside, Stream};
use convened::registry::{Change, ChangeKind, Publish, Registry};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::figures::{busy, mib, resident};
use super::follower::{known, start, until};
use super::peer::Peer;

const CHANGES: u64 = 1_000_000;
const SHOWN_EVERY: u64 = 200_000;
/// Conferences that live at the same time.
const AT_ONCE: u64 = 100;

pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for (speed, what) in [(600, "each second is ten minutes"), (1, "in a row")] {
        println!("{CHANGES} changes, {what}:");
        runtime.block_on(follow(speed));
    }
}

/// The machine with a clock that runs faster.
struct Hurried {
    began: Moment,
    speed: u64,
}

impl Outside for Hurried {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Machine.dial(address)
    }

    fn now(&self) -> Moment {
        let now = Moment::now();
        let hurry = (now.monotonic_ms - self.began.monotonic_ms) * (self.speed - 1);
        Moment { unix_ms: now.unix_ms + hurry, monotonic_ms: now.monotonic_ms + hurry }
    }

    fn seed(&self) -> u64 {
        Machine.seed()
    }
}

/// Counts the changes, and those whose number is not the next one of their conference.
#[derive(Default)]
struct Counted {
    changes: AtomicU64,
    ended: AtomicU64,
    odd: AtomicU64,
    numbers: Mutex<HashMap<Arc<str>, u64>>,
}

impl Publish for Counted {
    fn publish(&self, change: Change) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let last = numbers.entry(change.conference.instance.clone()).or_default();
        *last += 1;
        self.odd.fetch_add(u64::from(*last != change.number), Ordering::Relaxed);
        if change.kind == ChangeKind::ConferenceDestroyed {
            numbers.remove(&change.conference.instance);
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
    }
}

async fn follow(speed: u64) {
    let (mut peer, ports) = Peer::start("--switches", &[1, 0, 0]);
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let (counted, outside) =
        (Arc::new(Counted::default()), Arc::new(Hurried { began: Moment::now(), speed }));
    // Often, so that audits are part of it.
    let audit = Duration::from_secs(2);
    let node = start(outside, ports[0], audit, (&registry, counted.clone()), &stop);
    until("the first list", || registry.is_complete()).await;
    let (before, began, busy_before) = (resident(), Instant::now(), busy());
    let mut shown = 0;
    while shown < CHANGES {
        let events = peer.ask(&format!("live {AT_ONCE}"))[0];
        until("the last event", || node.node.status().events >= events).await;
        let changes = counted.changes.load(Ordering::Relaxed);
        if changes >= shown + SHOWN_EVERY {
            shown += SHOWN_EVERY;
            let grown = (resident() as f64 - before as f64) / f64::from(1 << 20);
            println!("  after {changes:>9} changes: {:.1} MiB resident, {grown:+.1}", mib(resident()));
        }
    }
    let events = peer.ask("close")[0];
    until("the end", || node.node.status().events >= events && known(&registry) == (0, 0)).await;
    let (took, worked) = (began.elapsed(), busy() - busy_before);
    let status = node.node.status();
    assert_eq!((status.events, status.connections, status.drifts), (events, 1, 0));
    assert_eq!(counted.odd.load(Ordering::Relaxed), 0, "changes are numbered without gaps");
    println!(
        "  {events} events, {} conferences ended, {:.1} s, {:.2} µs of processor time for an event\n",
        counted.ended.load(Ordering::Relaxed),
        took.as_secs_f64(),
        worked.as_secs_f64() * 1e6 / events as f64,
    );
    stop.cancel();
    node.ended().await;
}
