//! How long it takes until each of many conferences has been audited, and what keeps the others waiting.

use std::sync::Arc;
use std::time::Duration;

use convened::node::Node;
use convened::registry::Registry;
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, WorldOptions};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::outside::{STARTED_MS, Simulated};
use crate::run::settings;
use crate::support::house::difference;

const CONFERENCES: usize = 1_000;
const AUDIT: Duration = Duration::from_secs(2);

/// From one list to the next are two milliseconds, of which a timer that rounds up takes one more.
#[tokio::test(start_paused = true)]
async fn a_round_takes_its_time_and_not_longer_however_many_conferences_there_are() {
    let world = WorldOptions { started: STARTED_MS * 1_000, steps_back: 0.0, ..WorldOptions::default() };
    let switch = Arc::new(Switch::in_memory(SwitchOptions { world, ..SwitchOptions::default() }));
    for room in 0..CONFERENCES {
        switch.join(&format!("room{room}"), Caller::new("Ann", "2001")).unwrap();
    }
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let outside = Arc::new(Simulated::new(switch.clone(), registry.clone(), 1));
    let settings = convened::node::Settings { audit_every: AUDIT, ..settings(false) };
    let running = Node::start_in(outside.clone(), settings, registry.clone(), outside.watcher.clone(), &stop);
    let began = Instant::now();
    let agrees = || difference(&registry, running.node.name(), &switch).is_none();
    while !(registry.is_complete() && agrees()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() < AUDIT, "it was listed before the first round");
    switch.drop_events_if(|event| event.action().is_some());
    for room in 0..CONFERENCES {
        switch.api(&format!("conference room{room} lock"));
    }
    // The first round begins when the first interval is over; some pauses are longer than others.
    let end = began + AUDIT * 2 + AUDIT / 10;
    tokio::time::sleep_until(end).await;
    let known = registry.conferences();
    let behind = known.iter().filter(|conference| !conference.is_locked()).count();
    assert_eq!((known.len(), behind), (CONFERENCES, 0));
    stop.cancel();
    running.ended().await;
}

/// Answers come in order: each list that hangs costs everybody else the time until it is given up.
#[tokio::test(start_paused = true)]
async fn a_conference_that_cannot_be_listed_leaves_time_for_everything_else() {
    let world = WorldOptions { started: STARTED_MS * 1_000, steps_back: 0.0, ..WorldOptions::default() };
    let switch = Arc::new(Switch::in_memory(SwitchOptions { world, ..SwitchOptions::default() }));
    for room in 0..20 {
        switch.join(&format!("room{room}"), Caller::new("Ann", "2001")).unwrap();
    }
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let outside = Arc::new(Simulated::new(switch.clone(), registry.clone(), 1));
    let settings = convened::node::Settings { audit_every: Duration::from_secs(30), ..settings(false) };
    let running = Node::start_in(outside.clone(), settings, registry.clone(), outside.watcher.clone(), &stop);
    while !registry.is_complete() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    switch.hang_at("room7 json_list");
    let (mut answered, mut asked) = (0, 0);
    let end = Instant::now() + Duration::from_secs(3_600);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        asked += 1;
        answered += u32::from(running.node.api("status").await.is_ok());
    }
    let lists = switch.commands().iter().filter(|seen| seen.text.contains("room7 json_list")).count();
    assert!((5..15).contains(&lists), "{lists} lists in an hour");
    assert!(answered * 20 > asked * 19, "{answered} of {asked} commands were answered");
    stop.cancel();
    running.ended().await;
}
