//! One conference with 200 talkers, told to 1,000 subscribers of the websocket, beside a bare broadcast.
//!
//! ```text
//! bare       the same websocket crate, the same text made once, a task for each client and nothing else
//! convened   switch ─ Event Socket ─▶ daemon ─ websocket ─▶ the same clients
//! ```
//!
//! The highest rate: a round of changes at once, until the last client has the last of them; rounds of both take
//! turns, and the middle one is told. Then changes come evenly at half of that rate: how long it takes from the
//! switch's writing to a client's reading. Both once more beside 100 subscribers that read nothing. Nothing is said of
//! how fast it has to be. `cargo bench --bench websocket`

#[path = "websocket/bare.rs"]
mod bare;
#[path = "websocket/clients.rs"]
mod clients;
#[path = "scale/figures.rs"]
#[allow(dead_code, reason = "another bench needs the rest")]
mod figures;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::app::Daemon;
use convened::auth::{CredentialKind, Credentials, NewCredential, Scope};
use convened::config::{Config, Node, Secret};
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, WorldOptions};
use convened::store::Clock;
use tokio::runtime::Runtime;

use bare::Bare;
use clients::{Crowd, Heard, connect, subscribe};
use figures::resident;

const ACCOUNT: &str = "9d351ad7ffd6f846313af9eed3bb7b85";
const ROOM: &str = "all-hands";
/// One of them has the floor and keeps it.
const TALKERS: usize = 200;
const SUBSCRIBERS: usize = 1_000;
const STALLED: usize = 100;
const ROUNDS: usize = 15;
/// How long changes come evenly.
const EVENLY: Duration = Duration::from_secs(5);

fn runtime(threads: usize) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all().build().expect("a runtime")
}

/// A switch with a conference in which only the first one talks.
async fn switch() -> (Switch, Vec<String>) {
    let defaults = SwitchOptions::default();
    let world = WorldOptions { steps_back: 0.0, ..defaults.world };
    let switch = Switch::start(SwitchOptions { world, ..defaults }).await.expect("it listens");
    let mut calls = Vec::new();
    for at in 0..TALKERS {
        let caller = Caller::new(format!("Talker {at}"), "15551234").variable("confvar_account_id", ACCOUNT);
        calls.push(switch.join(ROOM, caller).expect("let in"));
    }
    switch.talk(&calls[0], true).expect("in the conference");
    switch.until(|rooms| rooms[0].members[0].floor).await;
    calls.remove(0);
    (switch, calls)
}

async fn daemon(switch: SocketAddr, folder: &std::path::Path) -> (Daemon, String) {
    let mut config = Config::default();
    config.api.listen = vec![convened::config::Listen::Plain(([127, 0, 0, 1], 0).into())];
    config.api.max_requests_per_s = 0;
    config.api.max_connections = 2 * (SUBSCRIBERS + STALLED);
    config.events.max_connections_per_token = 2 * (SUBSCRIBERS + STALLED);
    config.database.url = format!("sqlite://{}", folder.join("convened.db").display());
    config.node.push(Node::new("fs1", switch.to_string(), Secret::new("ClueCon")));
    let daemon = Daemon::start(&config).await.expect("the daemon starts");
    let credentials = Credentials::new(daemon.context().store.clone(), Clock::system());
    let new = NewCredential {
        kind: CredentialKind::Token,
        name: "bench".into(),
        account: Some(ACCOUNT.parse().expect("an account")),
        scopes: [Scope::Read].into_iter().collect(),
        lifetime: None,
    };
    let token = credentials.create(new).await.expect("a token").secret.expose().to_owned();
    let registry = &daemon.context().registry;
    while registry.conference(ROOM).first().is_none_or(|conference| conference.len() < TALKERS) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (daemon, token)
}

/// What tells something to all clients.
trait Source {
    /// The number of what is told next.
    fn next(&self) -> u64;

    /// Tells one thing more; its number.
    fn tell(&mut self) -> u64;
}

struct Talk<'a> {
    switch: &'a Switch,
    calls: &'a [String],
    turn: usize,
    number: u64,
}

impl Source for Talk<'_> {
    fn next(&self) -> u64 {
        self.number + 1
    }

    fn tell(&mut self) -> u64 {
        let (turn, at) = (self.turn / self.calls.len(), self.turn % self.calls.len());
        self.turn += 1;
        self.number += 1;
        self.switch.talk(&self.calls[at], turn.is_multiple_of(2)).expect("in the conference");
        self.number
    }
}

impl Source for Bare {
    fn next(&self) -> u64 {
        self.number + 1
    }

    fn tell(&mut self) -> u64 {
        self.say()
    }
}

/// A round at once: messages a second that all clients together have read.
fn round(source: &mut impl Source, crowd: &Crowd) -> f64 {
    let began = Instant::now();
    let mut last = 0;
    for _ in 1..TALKERS {
        last = source.tell();
    }
    crowd.until(last);
    ((TALKERS - 1) * crowd.len()) as f64 / began.elapsed().as_secs_f64()
}

/// Evenly, so many messages a second to all clients together: how long each was on its way, sorted.
fn evenly(source: &mut impl Source, crowd: &Crowd, rate: f64) -> Vec<u32> {
    let between = Duration::from_secs_f64(crowd.len() as f64 / rate);
    let began = Instant::now();
    let mut last = 0;
    crowd.heard.timed(true);
    for nth in 0.. {
        let due = began + between * nth;
        if due > began + EVENLY {
            break;
        }
        while let Some(early) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        crowd.heard.sent(source.next());
        last = source.tell();
    }
    crowd.until(last);
    crowd.heard.timed(false)
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn told(took: &[u32]) -> String {
    let at = |share: usize| f64::from(took[(took.len() - 1) * share / 100]) / 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms, longest {:.1} ms", at(50), at(99), at(100))
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let (switching, serving, baring, reading) = (runtime(1), runtime(2), runtime(2), runtime(1));
    let (switch, calls) = switching.block_on(switch());
    let (daemon, token) = serving.block_on(daemon(switch.addr(), folder.path()));
    let conference = daemon.context().registry.conference(ROOM)[0].clone();
    let heard = Arc::new(Heard::default());

    let before = resident();
    let mut lines = Vec::new();
    for _ in 0..SUBSCRIBERS {
        lines.push(reading.block_on(subscribe(daemon.address().expect("over TCP"), &token, ROOM)));
    }
    let each = resident().saturating_sub(before) as f64 / SUBSCRIBERS as f64 / 1024.0;
    println!("an idle subscriber: {each:.1} KiB, with the client's end of it, which is in the same process");
    let crowd = Crowd::gather(&reading, lines, heard.clone());
    let mut talk = Talk { switch: &switch, calls: &calls, turn: 0, number: conference.change_number() };
    // What a message looks like, for those that are sent bare.
    let first = talk.tell();
    crowd.until(first);
    let mut bare = baring.block_on(Bare::start(crowd.sample()));
    let lines: Vec<_> =
        (0..SUBSCRIBERS).map(|_| reading.block_on(connect(bare.address, "/", None))).collect();
    let bare_crowd = Crowd::gather(&reading, lines, heard);
    // Nobody is late when the first word is said.
    serving.block_on(bare.all_there(SUBSCRIBERS));

    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(round(&mut bare, &bare_crowd));
        rates[1].push(round(&mut talk, &crowd));
    }
    let [bare_rate, rate] = rates.map(middle);
    println!("messages of {} octets to {SUBSCRIBERS} subscribers:", crowd.sample().len());
    println!("  bare      {bare_rate:9.0} a second");
    println!("  convened  {rate:9.0} a second, {:.2} of that", rate / bare_rate);
    let half = rate / 2.0;
    println!("at half of the highest rate ({half:.0} a second):");
    println!("  bare      {}", told(&evenly(&mut bare, &bare_crowd, half)));
    println!("  convened  {}", told(&evenly(&mut talk, &crowd, half)));

    let stalled: Vec<_> = (0..STALLED)
        .map(|_| reading.block_on(subscribe(daemon.address().expect("over TCP"), &token, ROOM)))
        .collect();
    // Until they have as much as fits in between, and are left behind.
    for _ in 0..40 {
        round(&mut talk, &crowd);
    }
    let beside = middle((0..ROUNDS).map(|_| round(&mut talk, &crowd)).collect());
    println!("beside {STALLED} that read nothing:");
    println!("  convened  {beside:9.0} a second, {:.2} of that without them", beside / rate);
    println!("  convened  {}", told(&evenly(&mut talk, &crowd, half)));
    drop(stalled);
    assert_eq!(conference.change_number(), talk.number, "each word was one change");
    serving.block_on(daemon.stop());
}
