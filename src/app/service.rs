//! What systemd is told, and whether its watchdog is fed: sd_notify(3), systemd.service(5).
//!
//! ```text
//! WATCHDOG=1   from the beginning on, as long as no loop is stuck
//! STATUS=      what is wrong; how many nodes, conferences, participants
//! READY=1      the listener is bound, and each node is listed or known to be out of reach
//! RELOADING=1, MONOTONIC_USEC=, READY=1   around reading the configuration again
//! STOPPING=1   at the stop
//! ```
//!
//! Without systemd nothing is said to anybody. How it is said, and that whoever does not read holds up nobody, is in
//! `systemd`.

mod systemd;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

pub(super) use self::systemd::Systemd;
use crate::api::resources::Context;
use crate::pulse::Pulses;
use crate::registry::NodeCondition;

/// So long nodes are waited for before it is said to be ready; it is by then, whatever they do.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// How often it is looked whether they are known.
const LOOK: Duration = Duration::from_millis(20);
/// How often the status is told, if nobody feeds more often.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// How often the database is asked whether it is there, so that this is known when nobody needs it.
const DATABASE_EVERY: Duration = Duration::from_secs(5);

/// What the handlers work with, once the daemon has begun.
pub(super) type Begun = Arc<OnceLock<Arc<Context>>>;

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
pub(super) fn status(context: &Context) -> String {
    let conditions = context.registry.nodes();
    let followed = conditions.values().filter(|condition| **condition == NodeCondition::Followed).count();
    let conferences = context.registry.conferences();
    let people: usize = conferences.iter().map(|conference| conference.len()).sum();
    let standing = &context.standing;
    let mut words = Vec::new();
    if !standing.is_configuration_good() {
        words.push("the configuration file cannot work, what was read before is in force".to_owned());
    }
    if !standing.is_database_up() {
        words.push("the database does not answer".to_owned());
    }
    words.push(format!("{followed} of {} nodes followed", conditions.len()));
    words.push(format!("{} conferences, {people} participants", conferences.len()));
    words.join("; ")
}

/// The watchdog of systemd, if this process has one: it wants to be fed within this time.
pub(super) fn watchdog() -> Option<Duration> {
    // Of no length it is none: systemd.service(5), `WatchdogSec=`.
    sd_notify::watchdog_enabled().filter(|within| !within.is_zero())
}

/// Tells now and then how it is going, and feeds the watchdog if there is one and no loop is stuck. Never ends.
pub(super) async fn attend(systemd: Systemd, begun: Begun, pulses: Pulses, watchdog: Option<Duration>) {
    let mut turns =
        tokio::time::interval(watchdog.map_or(STATUS_EVERY, |within| within / 4).min(STATUS_EVERY));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut is_stuck) = (String::new(), false);
    loop {
        turns.tick().await;
        let status = begun.get().map_or_else(|| "starting".to_owned(), |context| status(context));
        let news = (status != told).then_some(&*status);
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
        systemd.how_it_goes(news, fed);
        told = status;
    }
}

/// Asks the database now and then whether it is there. Never ends.
pub(super) async fn watch_database(context: Arc<Context>) {
    loop {
        context.standing.database_answered(context.store.check().await.is_ok());
        tokio::time::sleep(DATABASE_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn as_long_as_a_loop_is_stuck_the_watchdog_is_not_fed() {
        let watchdog = Duration::from_secs(8);
        let pulses = Pulses::on(watchdog);
        let pulse = pulses.of("a loop");
        let (systemd, said) = Systemd::of_test();
        let attending = tokio::spawn(attend(systemd, Begun::default(), pulses, Some(watchdog)));
        tokio::time::sleep(watchdog / 4).await;
        assert!(said().contains("WATCHDOG=1"));
        // It is stuck from here on.
        tokio::time::sleep(watchdog).await;
        said();
        tokio::time::sleep(watchdog * 2).await;
        assert_eq!(said(), "");
        pulse.beat();
        tokio::time::sleep(watchdog / 4).await;
        assert!(said().contains("WATCHDOG=1"));
        attending.abort();
    }
}
