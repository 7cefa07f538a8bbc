//! Half of the world is away: the other half goes on, and nothing is made up.

use std::time::Duration;

use convened::config::Node;
use convened::registry::NodeCondition;
use convened::secret::Secret;
use convened::sim::switch::{Switch, Which};
use convened::sim::world::Caller;
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{Rest, column, text};
use crate::house::{ACCOUNT, ALL, House, switch};

async fn down(switch: &Switch) {
    switch.stop_listening().await;
    switch.cut(Which::All);
}

/// What is asked of a conference that runs nowhere as far as anybody knows.
async fn assert_not_known(client: &Rest, id: &str) {
    let one = format!("conferences/{id}");
    let all = format!("{one}/participants");
    for (path, action) in [(&one, "lock"), (&all, "mute"), (&all, "kick"), (&format!("{all}/1"), "kick")] {
        let data = client.act(path, action).await.refused(503, "switch_unavailable");
        assert_eq!((&data["cause"], &data["reason"]), (&json!(id), &json!("not_known")), "{data}");
    }
    client.get(&all).await.refused(503, "switch_unavailable");
    client.get(&format!("{all}/1")).await.refused(503, "switch_unavailable");
}

#[tokio::test]
async fn a_switch_that_is_down_at_the_start_does_not_stop_documents() {
    let away = switch(1).await;
    down(&away).await;
    let house = House::beside(vec![away], |_| {}).await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let path = format!("conferences/{id}");
    let seen = owner.get(&path).await.ok();
    assert_eq!((&seen["_read_only"]["complete"], &seen["_read_only"]["members"]), (&json!(false), &json!(0)));
    owner.patch(&path, json!({ "name": "b" })).await.ok();
    assert_eq!(column(&owner.get("conferences").await.ok(), "name"), ["b"]);
    assert_not_known(&owner, &id).await;
    assert_not_known(&owner, "nobody-knows").await;
    owner.get("conferences/nobody-knows").await.refused(503, "switch_unavailable");
    // That it is out of reach is known, so the daemon is ready for the rest.
    let nobody = Rest::new(owner.address, ACCOUNT, None);
    nobody.until("/readyz", |answer| answer.status == 200).await;

    house.switch().join(&id, Caller::new("Ann", "1")).expect("let in");
    house.switch().listen_again().await.expect("the port");
    house.followed().await;
    let seen = owner.get(&path).await.ok();
    assert_eq!((&seen["_read_only"]["complete"], &seen["_read_only"]["members"]), (&json!(true), &json!(1)));
    owner.act(&path, "lock").await.ok();
    owner.get("conferences/nobody-knows").await.not_found("nobody-knows");
}

#[tokio::test]
async fn until_the_first_list_is_there_nothing_is_said_not_to_run() {
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = mute.local_addr().expect("an address").to_string();
    let house = House::beside(vec![switch(1).await], |config| {
        config.node.push(Node::new("mute", address, Secret::new("ClueCon")));
    })
    .await;
    house.condition("fs1", NodeCondition::Followed).await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    assert_eq!(owner.get(&format!("conferences/{id}")).await.ok()["_read_only"]["complete"], false);
    assert_not_known(&owner, &id).await;
    let nobody = Rest::new(owner.address, ACCOUNT, None);
    let ready = nobody.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.data()["nodes"]["mute"]), (503, &json!("unlisted")));
    assert_eq!(ready.data()["reasons"], json!(["node mute: is not listed yet"]));
    assert_eq!(ready.data()["broker"], json!(null), "none is configured");
    // What is known to run on the other node can be worked with.
    house
        .switch()
        .join("talk", Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT))
        .expect("let in");
    let seen = owner.until("conferences/talk", |answer| answer.status == 200).await;
    assert_eq!(seen.ok()["_read_only"]["complete"], false);
    owner.act("conferences/talk", "lock").await.ok();
    owner.act("conferences/talk/participants/1", "mute").await.ok();
    // Somebody who is not on it may be on the node that is not known.
    owner.get("conferences/talk/participants/77").await.refused(503, "switch_unavailable");
    owner.act("conferences/talk/participants/77", "mute").await.refused(503, "switch_unavailable");
}

#[tokio::test]
async fn a_copy_of_a_document_is_not_called_fresh_while_it_is_not_known_what_runs() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    let path = format!("conferences/{id}");
    let tag = owner.get(&path).await.header("etag").expect("an ETag").to_owned();
    let ask = || owner.ask(http::Method::GET, &path).header("if-none-match", &tag).send();
    assert_eq!(ask().await.status, 304);
    down(house.switch()).await;
    house.condition("fs1", NodeCondition::Lost).await;
    assert_eq!(ask().await.ok()["_read_only"]["complete"], false);
}

#[tokio::test]
async fn a_switch_that_dies_and_comes_back_with_other_conferences_is_seen_as_it_is() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    let path = format!("conferences/{id}");
    house.join(&id, "Ann").await;
    house.join("old", "Ben").await;
    down(house.switch()).await;
    house.condition("fs1", NodeCondition::Lost).await;
    let seen = owner.get(&path).await.ok();
    assert_eq!((&seen["_read_only"]["complete"], &seen["_read_only"]["members"]), (&json!(false), &json!(1)));
    for path in [path.clone(), format!("{path}/participants"), format!("{path}/participants/1")] {
        let action = if path.contains("participants") { "mute" } else { "lock" };
        let data = owner.act(&path, action).await.refused(503, "switch_unavailable");
        assert_eq!(data["node"], "fs1", "{data}");
    }
    owner.patch(&path, json!({ "name": "still" })).await.ok();

    house.switch().restart();
    house
        .switch()
        .join("new", Caller::new("Cid", "1").variable("confvar_account_id", ACCOUNT))
        .expect("let in");
    house.switch().listen_again().await.expect("the port");
    house.followed().await;
    let listed = owner.get("conferences").await.ok();
    assert_eq!(column(&listed, "id"), [json!(id), json!("new")]);
    let seen = owner.get(&path).await.ok();
    assert_eq!(
        (&seen["_read_only"]["complete"], &seen["_read_only"]["members"], seen.get("focus")),
        (&json!(true), &json!(0), None)
    );
    assert_eq!(owner.act(&path, "lock").await.refused(404, "bad_identifier")["reason"], "not_running");
    owner.get("conferences/old").await.not_found("old");
    owner.act("conferences/new/participants/1", "kick").await.ok();
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_an_action_leaves_its_outcome_unknown() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().delay_replies(Duration::from_secs(3_600));
    let acting = tokio::spawn({
        let owner = owner.clone();
        async move { owner.act("conferences/talk", "lock").await }
    });
    house.switch().until_command(|seen| seen.text.contains("conference talk lock")).await;
    house.switch().delay_replies(Duration::ZERO);
    house.switch().reset(Which::Commands);
    let data = acting.await.expect("an answer").refused(504, "switch_timeout");
    assert_eq!(data["results"][0]["result"], "unknown", "{data}");
}

#[tokio::test]
async fn without_the_database_what_runs_is_seen_and_acted_on() {
    let house = House::start().await;
    let (owner, stranger) = (house.owner().await, house.stranger().await);
    let idle = owner.create(json!({ "name": "idle" })).await;
    let id = owner.create(json!({ "name": "running" })).await;
    // The switch does not say whose this one is, its document does.
    house.enter(&id, Caller::new("Ann", "1")).await;
    house.join("talk", "Ben").await;
    owner.get(&format!("conferences/{id}")).await.ok();
    stranger.get("conferences").await.ok();
    let key = house.secret(convened::auth::CredentialKind::ApiKey, Some(ACCOUNT), &ALL, None).await;
    let unused = house.owner().await;
    house.daemon.context().store.close().await;

    for path in ["conferences".to_owned(), format!("conferences/{idle}")] {
        owner.get(&path).await.refused(503, "datastore_unavailable");
    }
    owner.put("conferences", json!({})).await.refused(503, "datastore_unavailable");
    for id in [&idle, &id] {
        let path = format!("conferences/{id}");
        owner.patch(&path, json!({})).await.refused(503, "datastore_unavailable");
        owner.post(&path, json!({})).await.refused(503, "datastore_unavailable");
        owner.delete(&path).await.refused(503, "datastore_unavailable");
    }
    for id in [&id, "talk"] {
        let path = format!("conferences/{id}");
        let seen = owner.get(&path).await.ok();
        assert_eq!(seen["_read_only"]["members"], 1, "{seen}");
        // Whether it has a document cannot be said now.
        assert_eq!((&seen["id"], seen.get("ad_hoc")), (&json!(id), None));
        owner.act(&path, "lock").await.ok();
        owner.act(&format!("{path}/participants"), "mute").await.ok();
        owner
            .act(
                &format!("{path}/participants/{}", text(&seen["_read_only"]["participants"][0]["call_id"])),
                "unmute",
            )
            .await
            .ok();
        stranger.get(&path).await.refused(503, "datastore_unavailable");
        stranger.act(&path, "unlock").await.refused(503, "datastore_unavailable");
    }
    assert!(house.switch().truth().iter().all(|room| room.locked));
    // Who has not been seen before cannot be told from anybody.
    unused.get("conferences/talk").await.refused(503, "datastore_unavailable");
    let nobody = Rest::new(owner.address, ACCOUNT, None);
    nobody.put("/v2/api_auth", json!({ "api_key": key })).await.refused(503, "datastore_unavailable");
    let ready = nobody.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.data()["datastore"]), (503, &json!("unavailable")));
    assert_eq!(ready.data()["reasons"], json!(["database: does not answer"]));
    nobody.get("/healthz").await.ok();
}

#[tokio::test]
async fn a_damaged_document_is_an_inner_error_that_tells_nothing_inner() {
    use sqlx::ConnectOptions as _;
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let file = house.folder.path().join("convened.db");
    let mut other =
        sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.expect("the database");
    sqlx::query("UPDATE documents SET text = '{\"na'").execute(&mut other).await.expect("broken");
    let answer = owner.get(&format!("conferences/{id}")).await;
    assert_eq!(answer.refused(500, "internal_error"), json!({}));
    assert!(answer.header("x-request-id").is_some());
    owner.get("/healthz").await.ok();
}

#[tokio::test]
async fn a_daemon_that_stops_finishes_what_was_asked_before() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().delay_replies(Duration::from_millis(300));
    let acting = tokio::spawn({
        let owner = owner.clone();
        async move { owner.act("conferences/talk", "lock").await }
    });
    house.switch().until_command(|seen| seen.text.contains("conference talk lock")).await;
    let House { daemon, switches, .. } = house;
    let stopped = daemon.stop().await;
    assert_eq!(stopped.aborted_requests, 0);
    assert_eq!(column(&acting.await.expect("an answer").ok()["results"], "result"), ["done"]);
    switches[0].until_connections(0).await;
}
