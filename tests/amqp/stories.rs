//! What is published, where, and by whom.

use std::collections::BTreeSet;

use convened::config::Config;
use lapin::ExchangeKind;
use serde_json::{Value, json};

use crate::house::{ACCOUNT, House, switch};
use crate::listener::{Listener, declare, last_seq, publish, publishing, until};
use crate::rabbitmq::Rabbit;
use crate::wire::Wire;

#[tokio::test]
async fn a_queue_has_what_happens_in_its_conference_and_nothing_else() {
    let rabbit = Rabbit::shared().await;
    let house = publishing(&rabbit.url(), &Config::default().amqp.exchange, |config| {
        config.events.node_name = Some("convened@here".into());
    })
    .await;
    until(&house, "it has made the exchange", |figures| figures.is_connected).await;
    let made = declare(&rabbit.url(), "conference", ExchangeKind::Topic, true).await;
    made.expect("a durable topic exchange, as it was made");
    let mut queue = Listener::bound(&rabbit.url(), "conference", "talk", "conference.event.talk.*").await;
    let mut dotted = Listener::bound(&rabbit.url(), "conference", "dotted", "conference.event.a%2Eb.-").await;
    let ann = house.join("talk", "Ann").await;
    house.join("other", "Ben").await;
    house.join("a.b", "Sue").await;
    house.owner().await.act("conferences/talk/participants/1", "mute").await.ok();
    house.owner().await.act("conferences/talk", "lock").await.ok();
    let heard = queue.until("lock").await;
    let names: BTreeSet<_> = heard.iter().map(|heard| heard.event()).collect();
    assert!(["conference-create", "add-member", "mute-member", "lock"].iter().all(|it| names.contains(it)));
    for (heard, seq) in heard.iter().zip(1..) {
        let (body, properties) = (&heard.body, &heard.properties);
        assert_eq!((&body["conference_id"], heard.seq()), (&json!("talk"), seq), "{body}");
        let call = body.get("call_id").and_then(Value::as_str);
        let key = format!("conference.event.talk.{}", call.unwrap_or("-"));
        let name = if call.is_some() { "participant_event" } else { "conference_event" };
        assert_eq!((&heard.routing_key, &body["event_name"]), (&key, &json!(name)), "{body}");
        assert_eq!(properties.content_type().as_ref().map(|it| it.as_str()), Some("application/json"));
        assert_eq!(properties.delivery_mode(), &Some(2));
        assert_eq!(Some(heard.message_id()), body["msg_id"].as_str());
        assert_eq!(body.get("prev_seq"), None);
    }
    let muted = heard.iter().find(|heard| heard.event() == "mute-member").expect("she was muted");
    let conference = &house.daemon.context().registry.conference("talk")[0];
    for (field, value) in [
        ("instance_id", json!(&*conference.instance)),
        ("call_id", json!(ann)),
        ("participant_id", json!(1)),
        ("caller_id_name", json!("Ann")),
        ("caller_id_number", json!("15551234")),
        ("hear", json!(true)),
        ("speak", json!(false)),
        ("hold", json!(false)),
        ("mute_detect", json!(false)),
        ("video", json!(false)),
        ("is_moderator", json!(false)),
        ("ghost", json!(false)),
        ("custom_channel_vars", json!({})),
        ("focus", json!("fs1")),
        ("node", json!("convened@here")),
        ("app_name", json!("convened")),
        ("app_version", json!(env!("CARGO_PKG_VERSION"))),
        ("event_category", json!("conference")),
        ("routing_key", json!("participant_event")),
    ] {
        assert_eq!(muted.body[field], value, "{field}: {}", muted.body);
    }
    assert!(["talking", "floor"].iter().all(|field| muted.body[field].is_boolean()), "{}", muted.body);
    assert!(["energy_level", "timestamp"].iter().all(|field| muted.body[field].is_u64()), "{}", muted.body);
    // A key has three dots, whatever a conference is called.
    let sue = dotted.hear().await;
    assert_eq!((sue.event(), &sue.body["conference_id"]), ("conference-create", &json!("a.b")));
    assert_eq!(sue.routing_key, "conference.event.a%2Eb.-");
}

#[tokio::test]
async fn an_exchange_that_is_there_is_used_as_it_is() {
    let rabbit = Rabbit::shared().await;
    declare(&rabbit.url(), "theirs", ExchangeKind::Direct, false).await.expect("an exchange");
    let key = "conference.event.talk.-";
    let mut queue = Listener::bound(&rabbit.url(), "theirs", "theirs", key).await;
    let house = publishing(&rabbit.url(), "theirs", |config| config.amqp.persistent = false).await;
    house.join("talk", "Ann").await;
    let created = queue.hear().await;
    assert_eq!((created.event(), created.properties.delivery_mode()), ("conference-create", &Some(1)));
    let other = declare(&rabbit.url(), "theirs", ExchangeKind::Topic, true).await.unwrap_err().to_string();
    assert!(other.contains("PRECONDITION_FAILED"), "it is still what it was: {other}");
}

#[tokio::test]
async fn only_the_configured_events_are_published() {
    let rabbit = Rabbit::shared().await;
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for (exchange, own, first) in
        [("own-list", names(&["lock", "unlock"]), "lock"), ("common-list", None, "mute-member")]
    {
        let mut queue = Listener::first(&rabbit.url(), exchange, exchange, "#").await;
        let house = publishing(&rabbit.url(), exchange, |config| {
            config.events.publish_participant_event = names(&["mute-member", "unlock"]);
            config.amqp.publish_participant_event = own;
        })
        .await;
        house.join("talk", "Ann").await;
        let owner = house.owner().await;
        owner.act("conferences/talk/participants/1", "mute").await.ok();
        owner.act("conferences/talk", "lock").await.ok();
        owner.act("conferences/talk", "unlock").await.ok();
        let heard = queue.until("unlock").await;
        let heard: Vec<_> = heard.iter().map(|heard| heard.event()).collect();
        assert_eq!(heard, [first, "unlock"], "{exchange}");
    }
}

#[tokio::test]
async fn two_daemons_tell_the_same_under_the_same_id() {
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "twins", "twins", "conference.event.#").await;
    let daemon = |name: &'static str| {
        let url = rabbit.url();
        move |config: &mut Config| {
            publish(config, &url, "twins");
            config.events.node_name = Some(name.into());
        }
    };
    let first = House::beside(vec![switch(1).await], daemon("one")).await;
    first.followed().await;
    let address = first.switch().addr();
    let second = House::beside(Vec::new(), |config| {
        daemon("two")(config);
        let password = convened::config::Secret::new("ClueCon");
        config.node.push(convened::config::Node::new("fs1", address.to_string(), password));
    })
    .await;
    second.followed().await;
    let (ann, mo) = (first.join("talk", "Ann").await, first.join_as_moderator("talk", "Mo").await);
    let owner = first.owner().await;
    owner.act("conferences/talk/participants/1", "mute").await.ok();
    owner.act("conferences/talk/participants/1", "deaf").await.ok();
    // What somebody finds in a list before he is told of it is his own finding: here nobody looks.
    [ann, mo].iter().for_each(|call| first.switch().leave(call).expect("gone"));
    let mut told = [BTreeSet::new(), BTreeSet::new()];
    let mut ended = 0;
    while ended < 2 {
        let heard = queue.hear().await;
        ended += usize::from(heard.event() == "conference-destroy");
        let who = usize::from(heard.body["node"] == "two");
        let what = (heard.event().to_owned(), heard.routing_key.clone(), heard.message_id().to_owned());
        assert!(told[who].insert(what), "nothing is told twice by one: {:?}", heard.body);
    }
    assert!(told[0].len() >= 9, "{:?}", told[0]);
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn a_daemon_that_stops_sends_what_waits_and_closes_the_connection() {
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "stopping", "stopping", "#").await;
    let wire = Wire::to(rabbit.address()).await;
    let house = publishing(&crate::rabbitmq::url(wire.address), "stopping", |_| {}).await;
    until(&house, "it is connected", |figures| figures.is_connected).await;
    house.join("talk", "Ann").await;
    let owner = house.owner().await;
    for _ in 0..20 {
        owner.act("conferences/talk/participants/1", "mute").await.ok();
        owner.act("conferences/talk/participants/1", "unmute").await.ok();
    }
    let last = last_seq(&house, "talk");
    let House { daemon, switches, folder } = house;
    daemon.stop().await;
    for seq in 1..=last {
        assert_eq!(queue.hear().await.seq(), seq);
    }
    // connection.close (10, 50) with 200: the broker need not guess.
    let said = wire.said();
    assert!(said.windows(6).any(|octets| octets == [0, 10, 0, 50, 0, 200]), "{said:?}");
    drop((switches, folder));
}

#[tokio::test]
async fn whose_conference_it_is_does_not_matter_to_the_broker() {
    let rabbit = Rabbit::shared().await;
    let mut queue = Listener::first(&rabbit.url(), "everybody", "everybody", "#").await;
    let house = publishing(&rabbit.url(), "everybody", |_| {}).await;
    let nobodys = convened::sim::world::Caller::new("Sue", "1");
    assert_ne!(house.enter("nobodys", nobodys).await, house.join(ACCOUNT, "Ann").await);
    let mut rooms = BTreeSet::new();
    while rooms.len() < 2 {
        rooms.insert(queue.hear().await.body["conference_id"].to_string());
    }
}
