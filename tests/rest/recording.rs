//! Recording a conference over the API.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Rest, column};
use crate::house::{ACCOUNT, House};

const ROOM: &str = "conferences/talk";

async fn recorded() -> (House, Rest) {
    let house =
        House::with(1, |config| config.media.recordings = Some("/var/lib/freeswitch/recordings".into()))
            .await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    (house, owner)
}

async fn record(owner: &Rest, args: Value) -> Value {
    let body = json!({ "data": { "action": "record", "data": args } });
    owner.ask(Method::PUT, ROOM).json(&body).send().await.ok()
}

async fn read_only(owner: &Rest) -> Value {
    owner.get(ROOM).await.ok()["_read_only"].clone()
}

#[tokio::test]
async fn a_recording_shows_up_where_people_look() {
    let (_house, owner) = recorded().await;
    let before = read_only(&owner).await;
    assert_eq!((&before["recording"], &before["recordings"]), (&json!(false), &json!([])));

    let begun = record(&owner, json!({ "action": "start", "file": "board/monday" })).await;
    let file = format!("/var/lib/freeswitch/recordings/{ACCOUNT}/board/monday.wav");
    assert_eq!(
        (&begun["results"][0]["result"], &begun["results"][0]["file"]),
        (&json!("done"), &json!(file))
    );
    let shown = read_only(&owner).await;
    assert_eq!(shown["recording"], true);
    assert_eq!(
        (&shown["recordings"][0]["file"], &shown["recordings"][0]["paused"]),
        (&json!(file), &json!(false))
    );
    assert!(
        shown["recordings"][0]["start_time"].as_u64().is_some_and(|time| time > 63_000_000_000),
        "{shown}"
    );

    record(&owner, json!({ "action": "pause" })).await;
    let shown = read_only(&owner).await;
    assert_eq!((&shown["recording"], &shown["recordings"][0]["paused"]), (&json!(false), &json!(true)));
    // By its whole path, as it is shown.
    record(&owner, json!({ "action": "resume", "file": file })).await;
    assert_eq!(read_only(&owner).await["recording"], true);
    let ended = record(&owner, json!({ "action": "stop" })).await;
    assert_eq!(column(&ended["results"], "result"), ["done"]);
    assert_eq!(read_only(&owner).await["recordings"], json!([]));
}

#[tokio::test]
async fn the_action_may_stand_beside_the_arguments() {
    let (_house, owner) = recorded().await;
    let body = json!({ "action": "record", "data": { "action": "start" } });
    let begun = owner.ask(Method::PUT, ROOM).json(&body).send().await.ok();
    let file = begun["results"][0]["file"].as_str().expect("a file").to_owned();
    assert!(file.starts_with(&format!("/var/lib/freeswitch/recordings/{ACCOUNT}/talk-")), "{file}");
    assert_eq!(begun["action"], "record");
}

#[tokio::test]
async fn two_conferences_do_not_write_one_file() {
    let (house, owner) = recorded().await;
    house.join("other", "Ben").await;
    let start = json!({ "action": "record", "data": { "action": "start", "file": "same" } });
    owner.put(ROOM, start.clone()).await.ok();
    let refused = owner.put("conferences/other", start).await.refused(400, "validation_error");
    assert!(refused["file"]["unique"].is_object(), "{refused}");
}

#[tokio::test]
async fn a_key_tells_beginning_from_ending() {
    let (_house, owner) = recorded().await;
    let ask = |what: &str| {
        let body = json!({ "action": "record", "data": { "action": what } });
        owner.ask(Method::PUT, ROOM).header("idempotency-key", "k1").json(&body).send()
    };
    let first = ask("start").await.ok();
    assert_eq!(ask("start").await.ok(), first);
    ask("stop").await.refused(409, "conflict");
    assert_eq!(read_only(&owner).await["recordings"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_cannot_be_recorded_to_is_refused_by_name() {
    let (house, owner) = recorded().await;
    for (args, field, word) in [
        (json!({}), "action", "required"),
        (json!({ "action": "rewind" }), "action", "enum"),
        (json!({ "action": "start", "file": "../other/x" }), "file", "allowed"),
        (json!({ "action": "start", "file": "/etc/cron.d/x.wav" }), "file", "allowed"),
        (json!({ "action": "start", "file": "x.sh" }), "file", "allowed"),
        (json!({ "action": "start", "file": "${system(id)}" }), "file", "allowed"),
        (json!({ "action": "stop", "file": "a\r\n\r\nexit" }), "file", "allowed"),
    ] {
        let body = json!({ "data": { "action": "record", "data": args } });
        let wrong = owner.ask(Method::PUT, ROOM).json(&body).send().await;
        let wrong = wrong.refused(400, "validation_error");
        assert!(wrong[field][word].is_object(), "{args}: {wrong}");
    }
    let sent = house.switch().commands().into_iter().filter(|seen| seen.text.contains("recording"));
    assert_eq!(sent.count(), 0);

    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    let body = json!({ "data": { "action": "record", "data": { "action": "start" } } });
    let wrong = owner.ask(Method::PUT, ROOM).json(&body).send().await.refused(400, "validation_error");
    assert!(wrong.to_string().contains("media.recordings is not configured"), "{wrong}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_error_with_the_words_of_the_switch() {
    let house = House::with(1, |config| config.media.recordings = Some("/unwritable".into())).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    let body = json!({ "data": { "action": "record", "data": { "action": "start" } } });
    let refused = owner.ask(Method::PUT, ROOM).json(&body).send().await.refused(502, "switch_error");
    assert_eq!(refused["reply"], "File could not be opened for recording");
    assert_eq!(read_only(&owner).await["recordings"], json!([]));
}
