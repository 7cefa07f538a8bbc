//! Between two attempts to connect there is a pause, which grows while nothing gets better.

use std::time::{Duration, Instant};

use convened::config::Config;
use lapin::types::{AMQPValue, FieldTable};
use tokio::net::TcpListener;

use crate::listener::{Listener, last_seq, publishing, until};
use crate::log::Log;
use crate::rabbitmq::{Rabbit, url};
use crate::trouble::tried;
use crate::wire::Wire;

/// From a millisecond to an hour.
fn doubling(config: &mut Config) {
    (config.amqp.reconnect_min_ms, config.amqp.reconnect_max_ms) = (1, 3_600_000);
}

/// The least that the pauses between so many attempts take together: each is at least a half of its step.
fn least(attempts: u32) -> Duration {
    Duration::from_micros(500 * ((1 << (attempts - 1)) - 1))
}

#[tokio::test]
async fn pauses_grow_while_the_broker_is_away() {
    let rabbit = Rabbit::shared().await;
    let wire = Wire::to(rabbit.address()).await;
    wire.shut();
    let began = Instant::now();
    let _house = publishing(&url(wire.address), "away", doubling).await;
    tried(&wire, 11).await;
    assert!(began.elapsed() >= least(11), "{:?}", began.elapsed());
}

#[tokio::test]
async fn pauses_grow_while_the_broker_refuses() {
    let rabbit = Rabbit::shared().await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(1));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    drop(Listener::first(&rabbit.url(), "always-full", "unused", "unused").await);
    let _queue = Listener::with(&rabbit.url(), "always-full", "always-full", "#", full).await;
    let house = publishing(&rabbit.url(), "always-full", doubling).await;
    house.join("talk", "Ann").await;
    until(&house, "it is refused", |figures| figures.connections == 2).await;
    let began = Instant::now();
    until(&house, "it is refused again and again", |figures| figures.connections >= 12).await;
    // The first pause was before that.
    let least = least(12) - Duration::from_millis(1);
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
}

#[tokio::test]
async fn after_a_connection_over_which_something_was_confirmed_they_are_short_again() {
    let rabbit = Rabbit::shared().await;
    let wire = Wire::to(rabbit.address()).await;
    let house = publishing(&url(wire.address), "short-again", doubling).await;
    house.join("talk", "Ann").await;
    let owner = house.owner().await;
    // Twice as long each time, the last ones would take minutes.
    for round in 1..=18 {
        owner.act("conferences/talk", if round % 2 == 1 { "lock" } else { "unlock" }).await.ok();
        let last = last_seq(&house, "talk");
        until(&house, "it is confirmed", |figures| figures.confirmed >= last).await;
        let before = house.daemon.published().expect("it publishes").connections;
        wire.cut();
        until(&house, "it is back", |figures| figures.connections > before).await;
    }
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_given_up_and_told_of() {
    let log = Log::of_this_thread();
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let house = publishing(&url(silent.local_addr().expect("an address")), "silent", |_| {}).await;
    let (_first, _) = silent.accept().await.expect("somebody comes");
    let (_second, _) =
        tokio::time::timeout(crate::client::PATIENCE, silent.accept()).await.expect("again").expect("in");
    let told = log.lines("the broker cannot be reached");
    assert!(told.len() == 1 && told[0].contains("no answer within 5s"), "{told:?}");
    drop(house);
}
