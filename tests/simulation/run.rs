//! One run: a world, a node that follows it, troubles, calm, and then the comparison.

use std::sync::Arc;
use std::time::Duration;

use convened::config::{self, Secret};
use convened::esl::Limits;
use convened::node::{Node, Running, Settings};
use convened::registry::Registry;
use convened::sim::dice::Dice;
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::WorldOptions;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::life::Life;
use crate::outside::{STARTED_MS, Simulated};
use crate::support::house::difference;
use crate::trouble::{Kind, Troubles};
use crate::witness::Witness;

/// Seeds from here on are of worlds with thousands of members.
pub(crate) const LARGE: u64 = 1 << 32;
/// A list of everything may be longer, that of each conference is not.
const TIGHT: usize = 40_000;
const AUDIT: Duration = Duration::from_secs(30);
/// Agreement that lasts so long is agreement: every conference has been audited meanwhile.
const QUIET: Duration = Duration::from_secs(45);
/// It has to begin so soon after the last trouble.
const SOON: Duration = Duration::from_secs(5 * 30);

/// How large a run is.
struct Size {
    rooms: usize,
    most: usize,
    /// Who is there before the node looks.
    before: usize,
    steps: usize,
}

impl Size {
    fn of(seed: u64, dice: &mut Dice) -> Self {
        let mut upto = |most: u64| dice.below(most) as usize;
        if seed >= LARGE {
            return Self { rooms: 20 + upto(60), most: 6_000, before: 2_000 + upto(2_000), steps: 300 };
        }
        match upto(100) {
            0 => Self { rooms: 5 + upto(10), most: 300, before: 150, steps: 150 },
            1..40 => Self { rooms: 1 + upto(2), most: 8, before: upto(5), steps: 10 + upto(60) },
            _ => Self { rooms: 1 + upto(5), most: 30, before: upto(20), steps: 20 + upto(100) },
        }
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    pub(crate) steps: u64,
    pub(crate) changes: u64,
    pub(crate) connections: u64,
    /// From the last trouble to agreement.
    pub(crate) agreed_after: Duration,
    pub(crate) met: Vec<Kind>,
    /// What passed on the wire and what was published, if that was wanted.
    pub(crate) wire: Vec<u8>,
    pub(crate) published: Vec<String>,
}

/// Runs a seed; the text says what went wrong.
pub(crate) fn run(seed: u64, recorded: bool) -> Result<Ran, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut day = Day::new(seed, recorded);
        let (outside, passed) = (day.outside.clone(), day.pass().await);
        let ran = match passed {
            Ok(()) => day.rest().await,
            Err(problem) => Err(problem),
        };
        day.stop.cancel();
        day.running.ended().await;
        ran.map_err(|problem| if recorded { with_record(seed, &outside, problem) } else { problem })
    })
}

/// Writes down what passed on the wire and what was published, for somebody who looks for the reason.
fn with_record(seed: u64, outside: &Simulated, problem: String) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simulation-{seed}.txt"));
    let lines = outside.watcher.watched().tale.lines.take().unwrap_or_default().join("\n");
    let record = [&outside.network.recorded(), lines.as_bytes()].concat();
    match std::fs::write(&path, record) {
        Ok(()) => format!("{problem}\n(the wire and the changes are in {})", path.display()),
        Err(error) => format!("{problem}\n(no record: {error})"),
    }
}

struct Day {
    dice: Dice,
    size: Size,
    switch: Arc<Switch>,
    outside: Arc<Simulated>,
    running: Running,
    stop: CancellationToken,
    life: Life,
    troubles: Troubles,
    witness: Witness,
}

fn options(dice: &mut Dice) -> SwitchOptions {
    let some = |dice: &mut Dice, share: f64, most: u64| if dice.chance(share) { dice.below(most) } else { 0 };
    let world = WorldOptions {
        seed: dice.roll(),
        started: STARTED_MS * 1_000,
        departure: 1_000 + dice.below(300_000),
        departure_jitter: some(dice, 0.5, 100_000),
        list_lag: some(dice, 0.3, 1_500_000),
        steps_back: [0.0, 0.004, 0.3][dice.below(3) as usize],
        ..WorldOptions::default()
    };
    let queue = if dice.chance(0.1) { 1 + dice.below(100) as usize } else { 100_000 };
    SwitchOptions { world, queue, heartbeat: Some(Duration::from_secs(20)), ..SwitchOptions::default() }
}

fn settings(tight: bool) -> Settings {
    let mut limits = Limits::default();
    if tight {
        limits.response = TIGHT;
    }
    let node = config::Node::new("fs1", "memory", Secret::new("ClueCon"));
    Settings { node, limits, audit_every: AUDIT }
}

impl Day {
    fn new(seed: u64, recorded: bool) -> Self {
        let mut dice = Dice::new(seed);
        let size = Size::of(seed, &mut dice);
        let switch = Arc::new(Switch::in_memory(options(&mut dice)));
        let witness = Witness::stand_at(&switch);
        // A name that cannot be said is found in the list of everything only.
        let tight = seed < LARGE && dice.chance(0.1);
        let strange = !tight && dice.chance(0.15);
        let mut life = Life::new(dice.roll(), size.rooms, size.most, strange);
        for _ in 0..size.before {
            life.join(&switch);
        }
        let registry = Arc::new(Registry::new());
        let outside = Arc::new(Simulated::new(switch.clone(), registry.clone(), dice.roll()));
        if recorded {
            outside.network.record();
            outside.watcher.watched().tale.lines = Some(Vec::new());
        }
        let (stop, settings) = (CancellationToken::new(), settings(tight));
        let running = Node::start_in(outside.clone(), settings, registry, outside.watcher.clone(), &stop);
        let troubles = Troubles::new(dice.roll());
        Self { dice, size, switch, outside, running, stop, life, troubles, witness }
    }

    /// People and troubles come and go.
    async fn pass(&mut self) -> Result<(), String> {
        for step in 0..self.size.steps {
            self.troubles.step(step, &self.switch, &self.outside.network).await;
            for _ in 0..=self.dice.below(3) {
                self.life.go_on(&self.switch);
            }
            match self.dice.below(100) {
                0..50 => {
                    for _ in 0..self.dice.below(6) {
                        tokio::task::yield_now().await;
                    }
                }
                50..85 => sleep(Duration::from_millis(self.dice.below(300))).await,
                85..98 => sleep(Duration::from_millis(self.dice.below(4_000))).await,
                _ => sleep(Duration::from_millis(self.dice.below(50_000))).await,
            }
            self.is_sound()?;
        }
        self.troubles.calm(&self.switch, &self.outside.network).await;
        Ok(())
    }

    fn is_sound(&self) -> Result<(), String> {
        match &self.outside.watcher.watched().problem {
            Some(problem) => Err(problem.clone()),
            None => Ok(()),
        }
    }

    fn difference(&self) -> Option<String> {
        if !self.outside.registry.is_complete() {
            return Some(format!("not everything is known: {:?}", self.running.node.status()));
        }
        difference(&self.outside.registry, self.running.node.name(), &self.switch)
    }

    /// Waits for agreement that lasts; then all must have been told, once.
    async fn rest(&mut self) -> Result<Ran, String> {
        let calm = Instant::now();
        let (mut unrest, mut count, mut why) = (calm, 0, None);
        while unrest.elapsed() < QUIET {
            sleep(Duration::from_secs(3)).await;
            self.is_sound()?;
            let (difference, told) = (self.difference(), self.outside.watcher.watched().tale.count);
            if difference.is_some() || told != count {
                (unrest, count) = (Instant::now(), told);
                why = Some(difference.unwrap_or_else(|| "changes are still told".into()));
            }
            if unrest - calm > SOON {
                return Err(format!("it does not come to rest: {}", why.unwrap_or_default()));
            }
        }
        let mut watched = self.outside.watcher.watched();
        watched.tale.agrees(&self.outside.registry)?;
        if let Some(denied) = self.witness.denies(&watched.tale.counts)
            && !self.troubles.can_reorder()
        {
            return Err(denied);
        }
        let connected = self.switch.connections().len();
        if connected != 2 {
            return Err(format!("{connected} connections are left"));
        }
        let ran = Ran {
            steps: watched.steps,
            changes: watched.tale.count,
            connections: self.running.node.status().connections,
            agreed_after: unrest - calm,
            met: std::mem::take(&mut self.troubles.met),
            wire: self.outside.network.recorded(),
            published: watched.tale.lines.take().unwrap_or_default(),
        };
        Ok(ran)
    }
}
