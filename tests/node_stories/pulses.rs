//! An event task that is stuck is told from one that has nothing to hear; a node that is taken away is gone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use convened::node::Node;
use convened::pulse::Pulses;
use convened::registry::{Change, ChangeKind, Publish, Reason, Registry};
use convened::sim::switch::Which;
use convened::sim::world::Caller;
use tokio_util::sync::CancellationToken;

use crate::support::house::{House, eventually, settings, switch};

/// Whoever publishes waits as long as the lock is held.
#[derive(Clone, Default)]
struct Stuck(Arc<Mutex<()>>);

impl Publish for Stuck {
    fn publish(&self, _change: Change) {
        drop(self.0.lock());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_event_task_has_no_pulse_and_one_whose_switch_is_away_has() {
    let switch = switch().await;
    let (watchdog, stuck) = (Duration::from_millis(800), Stuck::default());
    let pulses = Pulses::on(watchdog);
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let pulse = pulses.of("the events of fs1");
    let running = Node::start_beating(settings(switch.addr()), registry.clone(), stuck.clone(), pulse, &stop);
    eventually("it is listed", || registry.is_complete()).await;
    switch.refuse_password(true);
    switch.cut(Which::All);
    eventually("it is away", || running.node.status().trouble.is_some()).await;
    let since = tokio::time::Instant::now();
    eventually("some time has passed", || {
        assert_eq!(pulses.stuck(watchdog), [], "it is only away");
        since.elapsed() > 2 * watchdog
    })
    .await;
    switch.refuse_password(false);
    eventually("it is back", || running.node.status().events_connected).await;
    let held = stuck.0.lock();
    switch.join("daily", Caller::new("Ann", "1")).unwrap();
    // On this thread alone: with the task the thread may be stuck that turns the runtime's clock for all others.
    let since = std::time::Instant::now();
    while pulses.stuck(watchdog).is_empty() {
        assert!(since.elapsed() < 20 * watchdog, "it is stuck");
        std::thread::yield_now();
    }
    drop(held);
    eventually("it goes on", || pulses.stuck(watchdog).is_empty()).await;
    stop.cancel();
    running.ended().await;
    assert_eq!(pulses.stuck(Duration::ZERO), [], "nobody waits for what has ended");
}

#[tokio::test]
async fn a_node_that_is_taken_away_takes_its_conferences_along() {
    let house = House::following(switch().await).await;
    house.switch.join("daily", Caller::new("Ann", "1")).unwrap();
    eventually("it is seen", || !house.registry.conference("daily").is_empty()).await;
    let known = house.registry.conference("daily")[0].clone();
    let House { running, registry, kept, switch, .. } = house;
    running.take_away().await;
    assert!(registry.conferences().is_empty() && registry.nodes().is_empty());
    assert!(known.is_stale(), "who still holds it does not take it for ended");
    let all = kept.all();
    let last = all.last().expect("a change");
    assert_eq!((last.kind, last.reason), (ChangeKind::ConferenceDestroyed, Reason::NodeGone));
    switch.until_connections(0).await;
}
