//! One run: a world, a node that follows it, troubles, calm, and then the comparison.

use std::sync::Arc;
use std::time::Duration;

use convened::config::{self, Secret};
use convened::esl::Limits;
use convened::node::{Node, Reply, Running, Settings};
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
/// Where nothing was lost or late, only what is under way has still to come.
const AT_ONCE: Duration = Duration::from_secs(20);
/// By then all that was odd has been listed, once more where the first list was unsure.
const EVENING: Duration = Duration::from_secs(6);
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

/// Runs a short day on which one connection breaks after so many bytes and nothing else goes wrong. Gives whether
/// so many bytes came to pass.
pub(crate) fn run_broken(connection: u64, bytes: usize) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut day = Day::new(1, false);
        day.troubles = Troubles::none();
        day.size.steps = 3;
        day.outside.network.break_at(connection, bytes);
        day.pass().await?;
        day.rest().await?;
        day.stop.cancel();
        day.running.ended().await;
        Ok(day.outside.network.broken() > 0)
    })
}

/// Runs days on which events only change places and come twice, and looks in the evening: what they have come to
/// then must be right without an audit. Only conferences where something was odd are listed before.
pub(crate) fn run_disordered(seed: u64) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let mut day = Day::new(seed, false);
        if !day.roomy || day.strange {
            return Ok(0);
        }
        day.troubles = Troubles::only(&[Kind::Disorder, Kind::Repeats], seed);
        day.outside.watcher.watched().tale.lines = Some(Vec::new());
        day.size.steps = 40;
        for evening in 0..6 {
            day.pass().await?;
            sleep(EVENING).await;
            day.is_sound()?;
            let repaired = day.outside.watcher.watched().tale.repaired;
            sleep(QUIET).await;
            let later = day.outside.watcher.watched().tale.repaired;
            if later > repaired {
                let lines = day.outside.watcher.watched().tale.lines.take().unwrap_or_default();
                let repair = lines.iter().rposition(|line| line.ends_with(" List")).unwrap_or_default();
                let what = lines[repair.saturating_sub(12)..=repair].join("\n");
                return Err(format!("evening {evening}: an audit repaired {}:\n{what}", later - repaired));
            }
        }
        let ran = day.rest().await?;
        day.stop.cancel();
        day.running.ended().await;
        Ok(ran.changes)
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
    /// Events wait for a slow reader and are not lost.
    roomy: bool,
    /// Lists show everybody at once.
    prompt: bool,
    /// Some conference cannot be listed by its name.
    strange: bool,
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

pub(crate) fn settings(tight: bool) -> Settings {
    let mut limits = Limits::default();
    if tight {
        limits.response = TIGHT;
    }
    let node = config::Node::new("fs1", "memory", Secret::new("ClueCon"));
    Settings { node, limits, audit_every: AUDIT, variable_prefixes: Vec::new() }
}

impl Day {
    fn new(seed: u64, recorded: bool) -> Self {
        let mut dice = Dice::new(seed);
        let size = Size::of(seed, &mut dice);
        let options = options(&mut dice);
        let (roomy, prompt) = (options.queue > 1_000, options.world.list_lag == 0);
        let switch = Arc::new(Switch::in_memory(options));
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
        outside.watcher.watched().tale.witness = witness.clone();
        let troubles = Troubles::new(dice.roll(), seed >= LARGE);
        Self { dice, size, switch, outside, running, stop, life, troubles, witness, roomy, prompt, strange }
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
            if self.dice.chance(0.1) {
                self.ask(step);
            }
            self.is_sound()?;
        }
        self.troubles.calm(&self.switch, &self.outside.network).await;
        Ok(())
    }

    /// The rest of the daemon sends a command, and has a conference listed, while all this goes on.
    fn ask(&self, step: usize) {
        let (node, watcher) = (self.running.node.clone(), self.outside.watcher.clone());
        let mixed_up = self.troubles.can_mix_up_answers();
        tokio::spawn(async move {
            let asked = format!("nosuch{step}");
            if let Ok(Reply::Printed(printed)) = node.api(&format!("conference {asked} list")).await
                && !mixed_up
                && !String::from_utf8_lossy(&printed).contains(&format!("{asked} not found"))
            {
                let problem = format!("the answer of another: {asked} {printed:?}");
                watcher.watched().problem.get_or_insert(problem);
            }
            // Whether there is a list is not the question here.
            let _ = node.list_conference(&format!("room{}", step % 3)).await;
        });
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

    /// Whether no event was lost: then events alone say all, and no audit is needed.
    fn was_lossless(&self) -> bool {
        let status = self.running.node.status();
        let events = self.roomy && status.events_connected && status.connections == 1;
        // Where an answer is garbage a list is, too, and its conference waits for the next.
        self.troubles.lose_nothing() && events && !self.troubles.can_mix_up_answers()
    }

    /// Waits for agreement that lasts; then all must have been told, once.
    async fn rest(&mut self) -> Result<Ran, String> {
        let calm = Instant::now();
        let (mut unrest, mut count, mut why) = (calm, self.outside.watcher.watched().tale.count, None);
        while unrest.elapsed() < QUIET {
            sleep(Duration::from_secs(2)).await;
            self.is_sound()?;
            let (difference, told) = (self.difference(), self.outside.watcher.watched().tale.count);
            if difference.is_some() || told != count {
                (unrest, count) = (Instant::now(), told);
                why = Some(difference.unwrap_or_else(|| "changes are still told".into()));
            }
            // A late joining is told with the time when it came, and the next list puts that right.
            let at_once = self.was_lossless() && !self.strange && !self.troubles.can_delay();
            let soon = if at_once { AT_ONCE } else { SOON };
            if unrest - calm > soon {
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
        let repaired = watched.tale.repaired - watched.found.unwrap_or(watched.tale.repaired);
        if repaired > 0 && self.prompt && self.was_lossless() && !self.troubles.can_delay() {
            return Err(format!("lists repaired {repaired} things that events had told"));
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
