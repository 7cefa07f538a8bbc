//! `play_status`: what is played to a conference, shown where one is read.

use serde_json::{Value, json};

use crate::client::Rest;
use crate::house::{ACCOUNT, House};

async fn talk() -> (House, Rest) {
    let house = House::with(1, |config| config.media.schemes = vec!["local_stream".into()]).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    (house, owner)
}

/// What is shown of it.
async fn shown(owner: &Rest) -> Value {
    let whole = owner.get("conferences/talk").await.ok();
    assert_eq!(whole["_read_only"]["members"], 1);
    let status = whole["_read_only"].get("play_status");
    status.unwrap_or_else(|| panic!("nothing is said of it: {whole}")).clone()
}

fn asked(house: &House) -> usize {
    asked_of(house, 0)
}

/// How often a switch was asked what it plays.
fn asked_of(house: &House, switch: usize) -> usize {
    let seen = house.switches[switch].commands();
    seen.iter().filter(|seen| seen.text.trim_end().ends_with(" play_status")).count()
}

#[tokio::test]
async fn what_is_played_is_shown_until_it_is_over() {
    let (house, owner) = talk().await;
    assert_eq!((shown(&owner).await, asked(&house)), (Value::Null, 0));
    owner.put("conferences/talk", json!({ "action": "play", "media_id": "local_stream://moh" })).await.ok();
    assert_eq!(shown(&owner).await, json!({ "media": "moh" }));
    let line = owner.get("conferences").await.ok()[0].clone();
    assert!(line.get("play_status").is_none() && line.get("_read_only").is_none(), "{line}");
    assert_eq!(asked(&house), 1, "the list does not ask");
    owner.act("conferences/talk", "stop_play").await.ok();
    assert_eq!((shown(&owner).await, asked(&house)), (Value::Null, 2));
    assert_eq!((shown(&owner).await, asked(&house)), (Value::Null, 2));
    // To its end.
    owner.put("conferences/talk", json!({ "action": "play", "media_id": "a.wav" })).await.ok();
    assert_eq!(shown(&owner).await, json!({ "media": "/usr/share/freeswitch/sounds/a.wav" }));
    let over =
        owner.until("conferences/talk", |answer| answer.ok()["_read_only"]["play_status"].is_null()).await;
    let last = asked(&house);
    assert_eq!((over.status.as_u16(), shown(&owner).await, asked(&house)), (200, Value::Null, last));
}

#[tokio::test]
async fn a_switch_that_hangs_makes_nothing_but_that_unknown() {
    let (house, owner) = talk().await;
    owner.put("conferences/talk", json!({ "action": "play", "media_id": "local_stream://moh" })).await.ok();
    house.switch().hang_at("play_status");
    assert_eq!((shown(&owner).await, asked(&house)), (Value::Null, 1));
}

#[tokio::test]
async fn of_several_nodes_the_first_that_plays_counts_and_what_does_not_run_plays_nothing() {
    let house = House::with(2, |_| {}).await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let path = format!("conferences/{id}");
    assert!(owner.get(&path).await.ok()["_read_only"].get("play_status").is_none());
    house.join(&id, "Ann").await;
    let ben = convened::sim::world::Caller::new("Ben", "2").variable("confvar_account_id", ACCOUNT);
    house.switches[1].join(&id, ben).unwrap();
    house.switches[1].api(&format!("conference {id} play local_stream://second"));
    house.told().await;
    let status = |answer: Value| answer["_read_only"]["play_status"]["media"].clone();
    assert_eq!(status(owner.get(&path).await.ok()), "second");
    assert_eq!((asked_of(&house, 0), asked_of(&house, 1)), (0, 1), "nothing was ever played on the first");
    house.switch().api(&format!("conference {id} play local_stream://first"));
    house.told().await;
    assert_eq!(status(owner.get(&path).await.ok()), "first");
    let patched = owner.patch(&path, json!({ "name": "b" })).await.ok();
    assert!(patched["_read_only"].get("play_status").is_none(), "{patched}");
}
