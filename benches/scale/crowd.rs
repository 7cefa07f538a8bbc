//! One node with many members: how long its first list takes, and for how long comparing holds up the events.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use convened::model::{Flag, ListedConference, Moment};
use convened::node::{Machine, Outside, Stream, parse_listing};
use convened::registry::{Mark, Registry, Scope, Writer};
use futures_util::future::BoxFuture;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::figures::ms;
use super::follower::{known, log_in, only_list, start, until};
use super::peer::Peer;

const MEMBERS: u64 = 20_000;
/// Events a second while they are listed.
const RATE: u64 = 2_000;
/// What is watched behind the first list.
const AFTERWARDS: Duration = Duration::from_secs(2);

pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for conferences in [MEMBERS / 10, 1] {
        println!("{MEMBERS} members in {conferences} conference(s) of one node, {RATE} events a second:");
        runtime.block_on(follow(conferences));
    }
}

/// The longest time between two of something.
#[derive(Default)]
struct Gap(Mutex<(Option<Instant>, Duration)>);

impl Gap {
    fn begins(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Instant::now());
    }

    fn again(&self) {
        let mut gap = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(before) = gap.0.replace(now) {
            gap.1 = gap.1.max(now - before);
        }
    }

    fn longest(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// The machine, and when something was applied on it: an event, or a list.
#[derive(Default)]
struct Watched {
    between: Gap,
    /// Without the time that was spent waiting: a step begins by asking what time it is.
    working: Gap,
}

impl Outside for Watched {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Machine.dial(address)
    }

    fn now(&self) -> Moment {
        self.working.begins();
        Machine.now()
    }

    fn seed(&self) -> u64 {
        Machine.seed()
    }

    fn stepped(&self, _: &dyn Fn() -> Result<(), String>) {
        self.between.again();
        self.working.again();
    }
}

async fn follow(conferences: u64) {
    let (mut peer, ports) = Peer::start("--switches", &[1, conferences, MEMBERS / conferences]);
    peer.ask(&format!("talk {RATE}"));
    // The switch itself is held up while it writes the list: that shows in what is only read.
    let reading = Arc::new(Gap::default());
    let reader = tokio::spawn(only_read(ports[0], reading.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let (watched, began) = (Arc::new(Watched::default()), Instant::now());
    let audit = Duration::from_secs(60);
    let node = start(watched.clone(), ports[0], audit, (&registry, ()), &stop);
    until("the list", || registry.is_complete()).await;
    let took = began.elapsed();
    tokio::time::sleep(AFTERWARDS).await;
    let talking = peer.ask("hush")[0];
    let talk = || -> u64 {
        let conferences = registry.conferences();
        let all = conferences.iter().flat_map(|conference| conference.participants());
        all.filter(|participant| participant.state().has(Flag::Talking)).count() as u64
    };
    until("the last word", || talk() == talking).await;
    assert_eq!(known(&registry), (conferences as usize, MEMBERS as usize));
    assert_eq!(node.node.status().connections, 1);
    let again = node.node.status().drifts;
    reader.abort();
    stop.cancel();
    node.ended().await;
    let began = Instant::now();
    let list = only_list(ports[0]).await;
    println!(
        "  all listed after {:.0} ms, {:.1} × the time in which the list is only read ({:.0} ms)",
        ms(took),
        took.as_secs_f64() / began.elapsed().as_secs_f64(),
        ms(began.elapsed()),
    );
    // What is told between the list and its comparison is of conferences that nobody knows yet: they are listed
    // once more.
    println!("  {again} differences found by listing those once more that talked meanwhile");
    println!(
        "  the longest time without an event: {:.1} ms, {:.1} ms where they are only read; held up by comparing: {:.1} ms",
        ms(watched.between.longest()),
        ms(reading.longest()),
        ms(watched.working.longest()),
    );
    compare(&list);
}

/// Reads events and looks at none.
async fn only_read(port: u64, gap: Arc<Gap>) {
    let mut socket = log_in(port, "event plain CUSTOM conference::maintenance").await;
    let mut buffer = vec![0; 256 << 10];
    while socket.read(&mut buffer).await.expect("the stream goes on") > 0 {
        gap.again();
    }
}

/// The same list compared with what is known, again and again: what the event path does at once.
fn compare(list: &[u8]) {
    let began = Instant::now();
    let listed = parse_listing(list).expect("a list");
    println!("  reading the list's text, beside the events: {:.1} ms", ms(began.elapsed()));
    let mut others = listed.clone();
    for member in others.iter_mut().flat_map(|conference| &mut conference.members) {
        member.state = member.state.with(Flag::Speak, !member.state.has(Flag::Speak));
    }
    let members: usize = listed.iter().map(|conference| conference.members.len()).sum();
    assert_eq!(members as u64, MEMBERS);
    let registry = Arc::new(Registry::new());
    let mut writer = Writer::new(registry.clone(), "fs1".into(), ());
    let lists: [(&str, &[ListedConference], usize); 4] = [
        ("all are found", &listed, members + listed.len()),
        ("nothing differs", &listed, 0),
        ("all were muted", &others, members),
        ("all are gone", &[], listed.len()),
    ];
    for (sequence, (what, list, differences)) in (1..).zip(lists) {
        let compared = Instant::now();
        let now = Moment::now();
        let mark = Mark { arrival: 0, sequence, at_ms: now.monotonic_ms };
        let result = writer.reconcile(Scope::Node, list, mark, now);
        let took = compared.elapsed();
        // Who has the floor, in each conference.
        let floors = if sequence == 1 { listed.len() } else { 0 };
        assert_eq!(result.repaired as usize, differences + floors, "{what}");
        println!(
            "  comparing, {what}: {:.1} ms, {:.2} µs for each member",
            ms(took),
            took.as_secs_f64() * 1e6 / members as f64
        );
    }
    assert_eq!(known(&registry), (0, 0));
    let began = Instant::now();
    drop((listed, others));
    println!("  giving back two lists: {:.1} ms\n", ms(began.elapsed()));
}
