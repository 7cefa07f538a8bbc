//! What systemd is told, and whether its watchdog is fed: sd_notify(3), systemd.service(5).
//!
//! ```text
//! READY=1      the listener is bound, and each node is listed or known to be out of reach
//! STATUS=      how many nodes, conferences, participants
//! WATCHDOG=1   as long as no loop is stuck
//! RELOADING=1, MONOTONIC_USEC=, READY=1   around reading the configuration again
//! STOPPING=1   at the stop
//! ```
//!
//! Without systemd nothing is said to anybody.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior};

use crate::api::resources::Context;
use crate::pulse::Pulses;
use crate::registry::NodeCondition;

/// So long nodes are waited for before it is said to be ready; it is by then, whatever they do.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether they are known.
const LOOK: Duration = Duration::from_millis(20);
/// How often the status is told, if nobody feeds more often.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// Whether each node is listed, or out of reach.
fn is_known(context: &Context) -> bool {
    let conditions = context.registry.nodes();
    context.switchboard.nodes().iter().all(|(name, node)| {
        conditions.get(name).is_some_and(|condition| *condition != NodeCondition::Unlisted)
            || node.status().trouble.is_some()
    })
}

/// Waits until it is known of each node what runs there, or that it is out of reach; for some time.
pub(super) async fn ready(context: &Context) {
    let deadline = Instant::now() + READY_WITHIN;
    while !is_known(context) {
        if Instant::now() >= deadline {
            tracing::warn!("it is not known yet of every node what runs there");
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How it is going, in a sentence.
fn status(context: &Context) -> String {
    let conditions = context.registry.nodes();
    let followed = conditions.values().filter(|condition| **condition == NodeCondition::Followed).count();
    let conferences = context.registry.conferences();
    let people: usize = conferences.iter().map(|conference| conference.len()).sum();
    format!(
        "{followed} of {} nodes followed; {} conferences, {people} participants",
        conditions.len(),
        conferences.len()
    )
}

/// The watchdog of systemd, if this process has one: it wants to be fed within this time.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Ready, and how it is going.
pub(super) async fn say_ready(context: &Context) {
    let status = status(context);
    say(move || sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])).await;
}

/// The configuration is read again; [`say_ready`] ends it.
pub(super) async fn say_reloading() {
    say(|| {
        let now = NotifyState::monotonic_usec_now()?;
        sd_notify::notify(&[NotifyState::Reloading, now])
    })
    .await;
}

/// It is going to end.
pub(super) async fn say_stopping() {
    say(|| sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("stopping")])).await;
}

/// Tells now and then how it is going, and feeds the watchdog if there is one and no loop is stuck. Never ends.
pub(super) async fn attend(context: Arc<Context>, pulses: Pulses, watchdog: Option<Duration>) {
    let mut turns =
        tokio::time::interval(watchdog.map_or(STATUS_EVERY, |within| within / 4).min(STATUS_EVERY));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut is_stuck) = (String::new(), false);
    loop {
        turns.tick().await;
        let status = status(&context);
        let news = (status != told).then(|| status.clone());
        let mut fed = false;
        if let Some(within) = watchdog {
            let stuck = pulses.stuck(within / 2);
            fed = stuck.is_empty();
            if !fed && !is_stuck {
                for (name, since) in &stuck {
                    tracing::error!(since = ?since, "stuck: {name}; the watchdog is not fed");
                }
            }
            is_stuck = !fed;
        }
        told = status;
        say(move || {
            let mut states = Vec::new();
            states.extend(news.as_deref().map(NotifyState::Status));
            states.extend(fed.then_some(NotifyState::Watchdog));
            if states.is_empty() { Ok(()) } else { sd_notify::notify(&states) }
        })
        .await;
    }
}

/// Beside all other tasks: whoever does not read his socket holds up nobody.
async fn say(what: impl FnOnce() -> std::io::Result<()> + Send + 'static) {
    match tokio::task::spawn_blocking(what).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("systemd cannot be told how it is going: {error}"),
        Err(error) => tracing::error!("systemd was not told how it is going: {error}"),
    }
}
