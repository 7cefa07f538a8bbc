//! The broker cannot be reached, or does not want us: the daemon goes on without it and says why.

use std::time::Instant;

use crate::client::{PATIENCE, look_again};
use crate::house::House;
use crate::listener::{Listener, check_complete, last_seq, publishing, until};
use crate::log::Log;
use crate::rabbitmq::{Rabbit, url};
use crate::wire::Wire;

/// Until somebody has tried so often to connect.
pub(crate) async fn tried(wire: &Wire, often: usize) {
    let tried = async {
        while wire.attempts() < often {
            look_again().await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.expect("it tries again");
}

#[tokio::test]
async fn a_broker_that_is_not_there_or_lets_nobody_in_is_told_of_once() {
    let rabbit = Rabbit::shared().await;
    for (user, vhost, why) in
        [("guest:hunter2", "%2F", "ACCESS_REFUSED"), ("guest:guest", "nowhere", "vhost nowhere not found")]
    {
        let log = Log::of_this_thread();
        let wire = Wire::to(rabbit.address()).await;
        let house = publishing(&format!("amqp://{user}@{}/{vhost}", wire.address), "none", |_| {}).await;
        tried(&wire, 4).await;
        house.join("talk", "Ann").await;
        house.owner().await.act("conferences/talk", "lock").await.ok();
        until(&house, "what happens waits", |figures| figures.waiting > 0).await;
        let told = log.lines("cannot be reached");
        assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
        assert!(told[0].contains("amqp://guest:***@"), "{told:?}");
        assert!(!log.all().contains("hunter2"), "{}", log.all());
        let started = Instant::now();
        let House { daemon, .. } = house;
        daemon.stop().await;
        assert!(started.elapsed() < PATIENCE / 2, "nobody is waited for who is not there");
        assert_eq!(log.lines("the broker has not confirmed these events").len(), 1, "{}", log.all());
    }
}

#[tokio::test]
async fn a_broker_that_is_away_gets_it_later_and_each_outage_is_told_of() {
    let log = Log::of_this_thread();
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "late", "late", "#").await;
    let wire = Wire::to(rabbit.address()).await;
    wire.shut();
    let house = publishing(&url(wire.address), "late", |_| {}).await;
    house.join("talk", "Ann").await;
    tried(&wire, 5).await;
    assert_eq!(log.lines("cannot be reached").len(), 1, "{}", log.all());
    wire.open();
    assert_eq!(queue.hear().await.event(), "conference-create");
    assert_eq!(log.lines("events are published").len(), 1, "{}", log.all());
    // The next time it is told again.
    wire.shut();
    until(&house, "it is cut", |figures| !figures.is_connected).await;
    let tries = wire.attempts();
    tried(&wire, tries + 3).await;
    assert_eq!(log.lines("the broker is away").len(), 1, "{}", log.all());
    assert_eq!(log.lines("cannot be reached").len(), 2, "{}", log.all());
}

#[tokio::test]
async fn an_exchange_that_somebody_deletes_is_made_again() {
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "deleted", "deleted", "#").await;
    let house = publishing(&rabbit.url(), "deleted", |_| {}).await;
    house.join("talk", "Ann").await;
    queue.hear().await;
    queue.delete_exchange("deleted").await;
    // Whoever is not bound hears nothing of it; the broker takes it all the same.
    house.owner().await.act("conferences/talk", "lock").await.ok();
    until(&house, "it has come back", |figures| figures.connections == 2 && figures.waiting == 0).await;
    let mut queue = Listener::bound(&rabbit.url(), "deleted", "again", "#").await;
    house.owner().await.act("conferences/talk", "unlock").await.ok();
    queue.until("unlock").await;
}

#[tokio::test]
async fn a_broker_without_memory_is_waited_for_and_nothing_is_sent_twice() {
    let log = Log::of_this_thread();
    let rabbit = std::sync::Arc::new(Rabbit::start().await);
    let mut queue = Listener::first(&rabbit.url(), "full", "full", "conference.event.talk.*").await;
    let house = publishing(&rabbit.url(), "full", |_| {}).await;
    house.join("talk", "Ann").await;
    until(&house, "she is published", |figures| figures.confirmed > 0 && figures.waiting == 0).await;
    rabbit.alarm(true).await;
    let owner = house.owner().await;
    for _ in 0..20 {
        owner.act("conferences/talk/participants/1", "mute").await.ok();
        owner.act("conferences/talk/participants/1", "unmute").await.ok();
    }
    until(&house, "it says so", |_| !log.lines("the broker takes nothing for now").is_empty()).await;
    until(&house, "events wait", |figures| figures.waiting >= 40).await;
    rabbit.alarm(false).await;
    until(&house, "all is confirmed", |figures| figures.waiting == 0).await;
    assert_eq!(log.lines("the broker takes events again").len(), 1, "{}", log.all());
    let (last, figures) = (last_seq(&house, "talk"), house.daemon.published().expect("it publishes"));
    assert_eq!((figures.sent, figures.confirmed, figures.connections), (last, last, 1));
    let mut heard = Vec::new();
    while heard.len() < last as usize {
        heard.push(queue.hear().await);
    }
    check_complete(&heard, last);
}

#[tokio::test]
async fn what_has_too_long_a_key_is_left_out_and_told_of_once() {
    let log = Log::of_this_thread();
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "long", "long", "#").await;
    let house = publishing(&rabbit.url(), "long", |_| {}).await;
    // conference.event.NAME.- is 255 octets long, and with a call in it is longer.
    let name = "n".repeat(255 - "conference.event..-".len());
    for room in [name.clone(), format!("{name}n")] {
        house.join(&room, "Ann").await;
        house.owner().await.act(&format!("conferences/{room}"), "lock").await.ok();
    }
    house.join("talk", "Ben").await;
    let heard = queue.until("add-member").await;
    let names: Vec<_> = heard.iter().map(|heard| (heard.event(), heard.routing_key.len())).collect();
    assert_eq!(names[..2], [("conference-create", 255), ("lock", 255)]);
    assert!(heard[2..].iter().all(|heard| heard.body["conference_id"] == "talk"), "{heard:?}");
    until(&house, "each is counted", |figures| figures.unsendable >= 4).await;
    assert_eq!(log.lines("AMQP takes routing keys of 255 octets").len(), 1, "{}", log.all());
}

#[tokio::test]
async fn the_password_of_the_file_is_the_one_that_counts() {
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "password", "password", "#").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amqp.password");
    std::fs::write(&file, "guest\n").unwrap();
    let wrong = format!("amqp://guest:hunter2@{}", rabbit.address());
    let house = publishing(&wrong, "password", |config| config.amqp.password_file = Some(file)).await;
    house.join("talk", "Ann").await;
    assert_eq!(queue.hear().await.event(), "conference-create");
}
