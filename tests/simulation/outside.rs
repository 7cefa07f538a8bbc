//! What the node meets in a simulation: a switch in memory, the clock of the runtime, seeded chance.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convened::model::Moment;
use convened::node::{Outside, Stream};
use convened::registry::{Change, Publish, Registry};
use convened::sim::dice::Dice;
use convened::sim::network::Network;
use convened::sim::switch::Switch;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::tale::Tale;

/// When simulations begin, in milliseconds since 1970.
pub(crate) const STARTED_MS: u64 = 1_795_426_262_000;

/// So long after the first list those conferences have been listed again whose events it has overtaken.
const SETTLED: Duration = Duration::from_secs(3);

/// What is watched while it runs.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) tale: Tale,
    /// The first thing that should not be.
    pub(crate) problem: Option<String>,
    /// Events and lists that have been applied.
    pub(crate) steps: u64,
    /// Everything is checked again after this step.
    next_check: u64,
    /// When the first list was complete.
    complete: Option<Instant>,
    /// What lists had told when those after the first one had come, too: it has overtaken some events.
    pub(crate) found: Option<u64>,
}

/// A guard that a panic elsewhere does not spoil.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the changes and replays them.
#[derive(Clone, Default)]
pub(crate) struct Watcher(Arc<Mutex<Watched>>);

impl Watcher {
    pub(crate) fn watched(&self) -> MutexGuard<'_, Watched> {
        locked(&self.0)
    }
}

impl Publish for Watcher {
    fn publish(&self, change: Change) {
        let mut watched = self.watched();
        if let Err(problem) = watched.tale.hear(&change) {
            watched.problem.get_or_insert(problem);
        }
    }
}

/// The world outside of a simulated node.
pub(crate) struct Simulated {
    pub(crate) switch: Arc<Switch>,
    pub(crate) network: Network,
    pub(crate) registry: Arc<Registry>,
    pub(crate) watcher: Watcher,
    began: Instant,
    dice: Mutex<Dice>,
}

impl Simulated {
    pub(crate) fn new(switch: Arc<Switch>, registry: Arc<Registry>, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let network = Network::new(dice.roll());
        let (watcher, began) = (Watcher::default(), Instant::now());
        Self { switch, network, registry, watcher, began, dice: Mutex::new(dice) }
    }
}

impl Outside for Simulated {
    fn dial<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let wire = self.network.dial(&self.switch)?;
            Ok(Box::new(wire) as Box<dyn Stream>)
        })
    }

    fn now(&self) -> Moment {
        let monotonic_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Moment { unix_ms: STARTED_MS + monotonic_ms, monotonic_ms }
    }

    fn seed(&self) -> u64 {
        locked(&self.dice).roll()
    }

    fn has_threads(&self) -> bool {
        false
    }

    fn stepped(&self, check: &dyn Fn() -> Result<(), String>) {
        let mut watched = self.watcher.watched();
        watched.steps += 1;
        if watched.found.is_none() && self.registry.is_complete() {
            let complete = *watched.complete.get_or_insert_with(Instant::now);
            watched.found = (complete.elapsed() > SETTLED).then_some(watched.tale.repaired);
        }
        // Where there are many, not after each: it takes its time.
        if watched.steps < watched.next_check {
            return;
        }
        watched.next_check = watched.steps + 1 + watched.tale.people() as u64 / 32;
        if let Err(problem) = check().and_then(|()| watched.tale.agrees(&self.registry)) {
            watched.problem.get_or_insert(problem);
        }
    }
}
