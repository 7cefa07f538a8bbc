//! A recording served on an Event Socket: its events with their timing, commands answered from the world
//! folded from the events played so far.
//!
//! The tape starts when the first client subscribes to events; who subscribes later hears the rest. A
//! command that changes something (mute, kick, lock, ...) changes the folded world and fires events as a
//! live switch would; whoever is kicked or transferred away is not told of by the tape any more, while a
//! mute lasts until the recording says otherwise. Fences and `bgapi` work in between. All numbers
//! (`Event-Sequence`) rise together: the tape's are moved up by the events fired in between and, when it
//! is played again, by a whole tape.

use super::capture::{Capture, Said};
use super::events::Event;
use super::fold::Change;
use super::switch::{Clock, Numbers, Switch, SwitchOptions};
use super::world::{Identity, World, WorldOptions};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// How a recording is played.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The password of `auth`.
    pub password: String,
    /// 1 is as recorded, 10 is ten times faster, 1000 is the most; 0 (or infinite) is as fast as the slowest client reads.
    pub speed: f64,
    /// How often the tape is played, one time after the other.
    pub rounds: u64,
    /// From the second round on calls and conferences get other ids. Otherwise they come again.
    pub fresh_ids: bool,
    /// How many events wait for one client before they are lost.
    pub queue: usize,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        let switch = SwitchOptions::default();
        Self {
            listen: switch.listen,
            password: switch.password,
            speed: 1.0,
            rounds: 1,
            fresh_ids: false,
            queue: switch.queue,
        }
    }
}

/// An event of the tape.
struct Entry {
    /// Microseconds after the first.
    at: u64,
    event: Event,
    change: Option<Change>,
}

/// How far the tape has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events played.
    pub events: u64,
    /// The last one has been played.
    pub finished: bool,
}

/// A recording being served. It ends when it is dropped.
pub struct Replay {
    switch: Arc<Switch>,
    player: JoinHandle<()>,
    progress: watch::Receiver<Progress>,
}

impl Replay {
    /// Begins to listen; the tape waits for somebody who listens.
    pub async fn start(capture: &Capture, options: ReplayOptions) -> std::io::Result<Self> {
        let entries = entries(capture);
        let timed = options.speed.is_finite() && options.speed > 0.0;
        let world = world(capture, &entries);
        let switch_options = SwitchOptions {
            listen: options.listen,
            password: options.password.clone(),
            heartbeat: None,
            queue: options.queue,
            ..SwitchOptions::default()
        };
        let options = ReplayOptions { speed: options.speed.clamp(0.001, 1000.0), ..options };
        let clock = Clock::new(world.now(), if timed { options.speed } else { 1.0 });
        let switch = Arc::new(Switch::with_world(switch_options, world, clock).await?);
        let (tell, progress) = watch::channel(Progress::default());
        let numbers = Numbers { shift: 0, top: switch.world(|world, _| world.sequence) };
        let player = Player { switch: Arc::clone(&switch), entries, options, timed, tell, numbers };
        Ok(Self { switch, player: tokio::spawn(player.play()), progress })
    }

    /// The switch that serves it: address, truth of the folded world, commands seen, faults.
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Until the last event has been handed to the clients' queues. Gives how many there were.
    pub async fn finished(&self) -> u64 {
        let mut progress = self.progress.clone();
        // An error means that the player is gone; then what it played is what there is.
        let finished = progress.wait_for(|progress| progress.finished).await.map(|p| p.events);
        finished.unwrap_or_else(|_| self.progress().events)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.player.abort();
    }
}

fn entries(capture: &Capture) -> Vec<Entry> {
    let first = capture.events().next().map_or(0, |(at, _)| at);
    let entry = |(at, event): (u64, &Event)| Entry {
        at: at - first,
        change: Change::read(event),
        event: event.clone(),
    };
    capture.events().map(entry).collect()
}

/// The world before the first event, in the name of the recorded switch.
fn world(capture: &Capture, entries: &[Entry]) -> World {
    let header = |name: &str| entries.first().and_then(|e| e.event.get(name)).unwrap_or_default();
    let started = header("Event-Date-Timestamp").parse().unwrap_or(1_795_426_260_000_000);
    let domain = entries.iter().find_map(|e| e.event.get("Conference-Domain")).unwrap_or_default();
    let identity = Identity {
        hostname: header("FreeSWITCH-Hostname"),
        switchname: header("FreeSWITCH-Switchname"),
        ipv4: header("FreeSWITCH-IPv4"),
        ipv6: header("FreeSWITCH-IPv6"),
        domain,
    };
    let sequence = entries.first().map_or(0, |e| e.event.sequence.saturating_sub(1));
    let mut world = World::new(WorldOptions { started, sequence, ..WorldOptions::default() });
    world.impersonate(&header("Core-UUID"), identity);
    world.following = true;
    if let Some(list) = first_list(capture) {
        world.fold_list(&list, started);
    }
    world
}

/// The list that a recording of a running switch begins with, if no event came before it.
fn first_list(capture: &Capture) -> Option<serde_json::Value> {
    let begin = capture.moments.iter().take_while(|m| !matches!(m.said, Said::Event(_)));
    let answers = begin.filter_map(|m| match &m.said {
        Said::Answer { body: Some(body), .. } => serde_json::from_slice(body).ok(),
        _ => None,
    });
    answers.filter(serde_json::Value::is_array).last()
}

/// Clients may lag so many events behind before the tape waits for them.
const AHEAD: usize = 20_000;
/// Events played at once when there is no timing to keep.
const BATCH: usize = 64;

struct Player {
    switch: Arc<Switch>,
    entries: Vec<Entry>,
    options: ReplayOptions,
    timed: bool,
    tell: watch::Sender<Progress>,
    numbers: Numbers,
}

impl Player {
    async fn play(mut self) {
        self.switch.until_any_listener().await;
        let highest = self.entries.iter().map(|e| e.event.sequence).max().unwrap_or(0);
        let lowest = self.entries.iter().map(|e| e.event.sequence).min().unwrap_or(0);
        let mut begin = Instant::now();
        self.switch.start_clock();
        for round in 0..self.options.rounds {
            let mut next = 0;
            while let Some(entry) = self.entries.get(next) {
                let upto = if self.timed {
                    let after = Duration::from_micros(entry.at).div_f64(self.options.speed);
                    sleep_until(begin + after).await;
                    next + 1
                } else {
                    while self.switch.longest_queue() > AHEAD {
                        sleep(Duration::from_millis(1)).await;
                    }
                    (next + BATCH).min(self.entries.len())
                };
                self.play_some(next..upto, round);
                next = upto;
                if !self.timed {
                    tokio::task::yield_now().await;
                }
            }
            self.numbers.shift += highest - lowest + 1;
            begin = Instant::now();
        }
        self.tell.send_modify(|progress| progress.finished = true);
    }

    fn play_some(&mut self, range: std::ops::Range<usize>, round: u64) {
        let entries = self.entries.get(range).unwrap_or_default();
        let salt = if self.options.fresh_ids { round } else { 0 };
        let tape = entries.iter().map(|e| (&e.event, e.change.as_ref()));
        self.switch.play(tape, &mut self.numbers, salt);
        let played = entries.len() as u64;
        self.tell.send_modify(|progress| progress.events += played);
    }
}
