//! The broker is away: nothing is lost that fits into the buffer, and nothing confirmed is sent again.

use std::collections::HashSet;

use convened::sim::world::Caller;
use lapin::types::{AMQPValue, FieldTable};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::client::Rest;
use crate::house::{ACCOUNT, House};
use crate::listener::{Heard, Listener, check_complete, last_seq, publishing, until};
use crate::log::Log;
use crate::rabbitmq::{Rabbit, url};
use crate::wire::Wire;

/// Talkers of the conference that makes the load.
const TALKERS: usize = 20;

async fn fill(house: &House) -> Rest {
    for number in 0..TALKERS {
        let caller = Caller::new(format!("Caller {number}"), "1").variable("confvar_account_id", ACCOUNT);
        house.switch().join("talk", caller).expect("let in");
    }
    house.told().await;
    house.owner().await
}

/// Two changes of each talker.
async fn load(owner: &Rest) {
    owner.act("conferences/talk/participants", "mute").await.ok();
    owner.act("conferences/talk/participants", "unmute").await.ok();
}

/// What is in the queue, up to that change.
async fn all_until(queue: &mut Listener, last: u64) -> Vec<Heard> {
    let mut all = vec![queue.hear().await];
    while all.last().is_some_and(|heard| heard.seq() != last) {
        all.push(queue.hear().await);
    }
    all
}

#[tokio::test]
async fn nothing_is_lost_over_a_line_that_is_cut_at_any_moment() {
    let seed = std::env::var("CONVENED_TEST_SEED").map_or(7, |seed| seed.parse().expect("a number"));
    println!("CONVENED_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "cuts", "cuts", "conference.event.talk.*").await;
    let wire = Wire::to(rabbit.address()).await;
    let house = publishing(&url(wire.address), "cuts", |_| {}).await;
    let owner = fill(&house).await;
    for round in 0..12 {
        // In the middle of the handshake, of a message, or between two.
        wire.cut_after(if round == 0 { 300 } else { dice.random_range(1_500..25_000) });
        wire.cut();
        let before = wire.attempts();
        load(&owner).await;
        until(&house, "it is cut again, or all is confirmed", |figures| {
            figures.waiting == 0 || wire.attempts() >= before + 3
        })
        .await;
    }
    wire.cut_after(usize::MAX);
    wire.cut();
    until(&house, "all is confirmed", |figures| figures.waiting == 0).await;
    let (last, figures) = (last_seq(&house, "talk"), house.daemon.published().expect("it publishes"));
    assert!(figures.connections > 12 && last > 24 * TALKERS as u64, "{last} {figures:?}");
    assert!(figures.sent > last, "some were sent again: {figures:?}");
    let heard = all_until(&mut queue, last).await;
    check_complete(&heard, last);
    assert_eq!((figures.confirmed, figures.dropped), (last, 0), "each is confirmed once");
    assert!(figures.sent >= heard.len() as u64, "{figures:?}");
}

#[tokio::test]
async fn a_broker_that_stops_or_crashes_under_load_has_all_of_it_in_the_end() {
    let rabbit = std::sync::Arc::new(Rabbit::start().await);
    let (url, key) = (rabbit.url(), "conference.event.talk.*");
    drop(Listener::first(&url, "conference", "kept", key).await);
    let house = publishing(&url, "conference", |_| {}).await;
    let owner = fill(&house).await;
    for crash in [false, true] {
        let before = house.daemon.published().expect("it publishes").confirmed;
        load(&owner).await;
        until(&house, "more is confirmed", |figures| figures.confirmed > before).await;
        // While it goes, and while it is away.
        let going = async { if crash { rabbit.kill().await } else { rabbit.stop().await } };
        tokio::join!(going, async {
            for _ in 0..5 {
                load(&owner).await;
            }
        });
        until(&house, "it is gone", |figures| !figures.is_connected).await;
        load(&owner).await;
        assert!(house.daemon.published().expect("it publishes").waiting >= 2 * TALKERS as u64);
        tokio::join!(rabbit.start_again(), load(&owner));
        until(&house, "all is confirmed", |figures| figures.waiting == 0).await;
    }
    let last = last_seq(&house, "talk");
    let mut queue = Listener::of(&url, "kept", FieldTable::default()).await;
    let in_queue = queue.count().await;
    let heard = all_until(&mut queue, last).await;
    check_complete(&heard, last);
    let figures = house.daemon.published().expect("it publishes");
    assert_eq!((figures.confirmed, figures.dropped, figures.waiting), (last, 0, 0));
    // What was not confirmed when it went was sent again, and nothing else.
    assert!(u64::from(in_queue) <= figures.sent && figures.sent - last < 2 * 1_024, "{in_queue} {figures:?}");
}

#[tokio::test]
async fn more_than_the_buffer_holds_drops_the_oldest_and_says_so() {
    let log = Log::of_this_thread();
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "overflow", "overflow", "conference.event.talk.*").await;
    let wire = Wire::to(rabbit.address()).await;
    wire.shut();
    let house = publishing(&url(wire.address), "overflow", |config| config.amqp.buffer = 30).await;
    let owner = fill(&house).await;
    load(&owner).await;
    let last = last_seq(&house, "talk");
    until(&house, "all is read", |figures| figures.waiting + figures.dropped == last).await;
    let figures = house.daemon.published().expect("it publishes");
    assert_eq!((figures.waiting, figures.sent), (30, 0), "{figures:?}");
    assert_eq!(log.lines("the oldest are dropped").len(), 1, "{}", log.all());
    wire.open();
    for seq in last - 29..=last {
        assert_eq!(queue.hear().await.seq(), seq);
    }
    until(&house, "all is confirmed", |figures| figures.waiting == 0).await;
    assert_eq!(house.daemon.published().expect("it publishes").dropped, last - 30);
}

#[tokio::test]
async fn what_a_broker_refuses_is_sent_again_until_it_takes_it() {
    let log = Log::of_this_thread();
    let rabbit = Rabbit::shared().await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(1));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    drop(Listener::first(&rabbit.url(), "refused", "unused", "unused").await);
    let queue = Listener::with(&rabbit.url(), "refused", "full", "conference.event.talk.-", full).await;
    let house = publishing(&rabbit.url(), "refused", |_| {}).await;
    house.join("talk", "Ann").await;
    let owner = house.owner().await;
    owner.act("conferences/talk", "lock").await.ok();
    owner.act("conferences/talk", "unlock").await.ok();
    // There is room for one, and nobody takes it.
    until(&house, "one is refused", |_| !log.lines("has refused an event").is_empty()).await;
    let mut names = Vec::new();
    let mut ids = HashSet::new();
    let taken = async {
        while names.len() < 3 {
            match queue.take().await {
                Some(heard) if ids.insert(heard.message_id().to_owned()) => {
                    names.push(heard.event().to_owned());
                }
                _ => crate::client::look_again().await,
            }
        }
    };
    tokio::time::timeout(crate::client::PATIENCE, taken).await.expect("each has come");
    assert_eq!(names, ["conference-create", "lock", "unlock"]);
    until(&house, "all is confirmed", |figures| figures.waiting == 0).await;
    assert_eq!(house.daemon.published().expect("it publishes").confirmed, last_seq(&house, "talk"));
}

#[tokio::test]
async fn what_is_confirmed_beside_a_refusal_is_not_sent_again() {
    let rabbit = Rabbit::shared().await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(1));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let others = Listener::first(&rabbit.url(), "beside", "others", "conference.event.talk.*").await;
    let _full = Listener::with(&rabbit.url(), "beside", "beside", "conference.event.talk.-", full).await;
    let house = publishing(&rabbit.url(), "beside", |_| {}).await;
    let owner = fill(&house).await;
    // There was room for the beginning; this one is refused again and again, whatever comes with it.
    owner.act("conferences/talk", "lock").await.ok();
    for _ in 0..5 {
        load(&owner).await;
    }
    until(&house, "the rest is confirmed", |figures| figures.waiting == 1 && figures.connections >= 5).await;
    let mut seen = HashSet::new();
    while let Some(heard) = others.take().await {
        let is_first = seen.insert(heard.seq());
        assert!(is_first || heard.event() == "lock", "{heard:?} comes again");
    }
    assert!(seen.len() as u64 >= last_seq(&house, "talk") - 1);
}
