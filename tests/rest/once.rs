//! `Idempotency-Key`: the same request twice is carried out once.

use std::sync::Arc;

use convened::auth::{CredentialKind, Scope};
use convened::config::{Node, Secret};
use convened::sim::switch::Which;
use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::client::{Answer, Rest, column, text};
use crate::house::{ACCOUNT, ALL, House, SHORT};
use crate::postgres::Postgres;

/// A house for each engine, and what has to be kept of it.
async fn houses() -> Vec<(House, Option<Arc<Postgres>>)> {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let other = House::with(1, |config| config.database.url = url).await;
    vec![(House::start().await, None), (other, Some(server))]
}

async fn put(client: &Rest, key: &str, path: &str, body: &str) -> Answer {
    client.ask(Method::PUT, path).header("idempotency-key", key).body(body.to_owned()).send().await
}

async fn act(client: &Rest, key: &str, path: &str, action: &str) -> Answer {
    put(client, key, path, &json!({ "data": { "action": action } }).to_string()).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("idempotent-replay") == Some("true")
}

/// That it is the same answer, given again.
fn assert_again(again: &Answer, first: &Answer) {
    let body = |answer: &Answer| {
        let mut body = answer.json();
        body["request_id"].take();
        body
    };
    assert_eq!((again.status, body(again)), (first.status, body(first)));
    assert!(is_replay(again) && !is_replay(first), "{}", again.text());
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    for name in ["x-conference-seq", "retry-after"] {
        assert_eq!(again.header(name), first.header(name));
    }
}

#[tokio::test]
async fn the_same_request_with_its_key_is_answered_again_and_not_done_again() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        house.join("talk", "Ann").await;
        let first = act(&owner, "a", "conferences/talk", "lock").await;
        assert_eq!(column(&first.ok()["results"], "result"), ["done"]);
        house.switch().api("conference talk unlock");
        house.told().await;
        assert_again(&act(&owner, "a", "conferences/talk", "lock").await, &first);
        assert!(!house.switch().truth()[0].locked);
        // Written otherwise, it is the same request.
        let body = r#"{"data": {"x": {"b": 1, "a": [2]}, "action": "unlock"}}"#;
        let same = r#"{"action": "unlock", "data":{"x":{"a":[2],"b":1}}}"#;
        let first = put(&owner, "b", "conferences/talk", body).await;
        assert_again(&put(&owner, "b", "conferences/talk", same).await, &first);
        // Also when there is nothing left to do it to.
        let first = act(&owner, "c", "conferences/talk/participants", "kick").await;
        assert_eq!(column(&first.ok()["results"], "result"), ["done"]);
        owner.until("conferences/talk", |answer| answer.status == 404).await;
        assert_again(&act(&owner, "c", "conferences/talk/participants", "kick").await, &first);
        assert_eq!(house.orders(0).len(), 3, "{:?}", house.orders(0));
        let log = owner.get("conferences/talk/audit").await.ok();
        assert_eq!(column(&log, "action"), ["kick", "unlock", "lock"]);
    }
}

#[tokio::test]
async fn of_many_at_once_one_is_done_and_the_others_hear_its_answer() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        house.join("talk", "Ann").await;
        house.switch().hold_replies();
        let asked = (0..10).map(|_| {
            let owner = owner.clone();
            tokio::spawn(async move { act(&owner, "k", "conferences/talk/participants/1", "mute").await })
        });
        let asked: Vec<_> = asked.collect();
        house.switch().until_command(|seen| seen.text.contains("talk mute")).await;
        house.switch().release_replies();
        let answers: Vec<_> =
            join_all(asked).await.into_iter().map(|joined| joined.expect("an answer")).collect();
        let first = answers.iter().find(|answer| !is_replay(answer)).expect("the first");
        assert_eq!(column(&first.ok()["results"], "result"), ["done"]);
        assert_eq!(answers.iter().filter(|answer| is_replay(answer)).count(), 9);
        for again in answers.iter().filter(|answer| is_replay(answer)) {
            assert_again(again, first);
        }
        assert_eq!(house.orders(0).len(), 1, "{:?}", house.orders(0));
    }
}

#[tokio::test]
async fn of_many_at_two_daemons_one_is_done_too() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let one = House::with(1, |config| config.database.url = url.clone()).await;
    let other = House::beside(Vec::new(), |config| {
        config.database.url = url;
        config.node.push(Node::new("fs1", one.switch().addr().to_string(), Secret::new("ClueCon")));
    })
    .await;
    other.followed().await;
    let first = one.owner().await;
    let second = Rest::new(other.address(), ACCOUNT, first.token.as_deref());
    one.join("talk", "Ann").await;
    other.told().await;
    for round in 0..10 {
        let key = format!("k{round}");
        let action = if round % 2 == 0 { "lock" } else { "unlock" };
        let asked =
            (0..6).map(|n| act(if n % 2 == 0 { &first } else { &second }, &key, "conferences/talk", action));
        let answers = join_all(asked).await;
        assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1, "round {round}");
        for answer in &answers {
            assert_eq!(column(&answer.ok()["results"], "result"), ["done"], "round {round}");
        }
        other.told().await;
    }
    assert_eq!(one.orders(0).len(), 10, "{:?}", one.orders(0));
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_a_conflict() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        house.join("talk", "Ann").await;
        house.join("other", "Ben").await;
        act(&owner, "k", "conferences/talk/participants/1", "mute").await.ok();
        for (path, body) in [
            ("conferences/talk/participants/1", json!({ "data": { "action": "deaf" } })),
            ("conferences/talk/participants/1", json!({ "data": { "action": "mute", "x": 1 } })),
            ("conferences/talk/participants/1?by=call_id", json!({ "data": { "action": "mute" } })),
            ("conferences/talk/participants", json!({ "data": { "action": "mute" } })),
            ("conferences/other/participants/1", json!({ "data": { "action": "mute" } })),
        ] {
            let data = put(&owner, "k", path, &body.to_string()).await.refused(409, "conflict");
            assert!(text(&data["message"]).contains("another request"), "{data}");
        }
        assert_eq!(house.orders(0).len(), 1);
        // Also while it is under way.
        house.switch().hold_replies();
        let held = {
            let owner = owner.clone();
            tokio::spawn(async move { act(&owner, "l", "conferences/talk", "lock").await })
        };
        house.switch().until_command(|seen| seen.text.contains("talk lock")).await;
        act(&owner, "l", "conferences/talk", "unlock").await.refused(409, "conflict");
        house.switch().release_replies();
        held.await.expect("an answer").ok();
    }
}

#[tokio::test]
async fn what_did_nothing_leaves_the_key_free_and_what_may_have_done_something_does_not() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        let lock = async || act(&owner, "k", "conferences/talk", "lock").await;
        lock().await.not_found("talk");
        act(&owner, "k", "conferences/talk", "shout").await.refused(400, "invalid_request");
        let reader = house.client(Some(ACCOUNT), &[Scope::Read]).await;
        act(&reader, "k", "conferences/talk", "lock").await.refused(403, "forbidden");
        house.join("talk", "Ann").await;
        house.switch().stop_listening().await;
        house.switch().cut(Which::All);
        house.condition("fs1", convened::registry::NodeCondition::Lost).await;
        let away = lock().await;
        away.refused(503, "switch_unavailable");
        assert!(!is_replay(&away));
        house.switch().listen_again().await.expect("it listens");
        house.followed().await;
        house.switch().answer_garbage("Content-Type: api/response\nContent-Length: 7\n\n-ERR no");
        let failed = lock().await;
        failed.refused(502, "switch_error");
        let sent = house.orders(0).len();
        assert_again(&lock().await, &failed);
        assert_eq!(house.orders(0).len(), sent);
        act(&owner, "l", "conferences/talk", "lock").await.ok();
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_named() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    let body = || json!({ "data": { "action": "lock" } }).to_string();
    for wrong in ["", " ", "a b", "ü", &"x".repeat(256)] {
        let call =
            owner.ask(Method::PUT, "conferences/talk").header_bytes("idempotency-key", wrong.as_bytes());
        let data = call.body(body()).send().await.refused(400, "invalid_request");
        assert!(text(&data["message"]).contains("Idempotency-Key"), "{data}");
    }
    assert_eq!(house.orders(0), [""; 0]);
    act(&owner, &"x".repeat(255), "conferences/talk", "lock").await.ok();
    let long = json!({ "data": { "action": "lock", "x": "x".repeat(70_000) } }).to_string();
    put(&owner, "k", "conferences/talk", &long).await.refused(413, "request_entity_too_large");
    owner.ask(Method::PUT, "conferences/talk").body(long).send().await.ok();
}

#[tokio::test]
async fn a_key_is_its_credentials_own() {
    for (house, _kept) in houses().await {
        house.join("talk", "Ann").await;
        let mute = async |client: &Rest| act(client, "k", "conferences/talk", "lock").await;
        for client in [house.owner().await, house.owner().await, house.superuser().await] {
            assert!(!is_replay(&mute(&client).await));
            assert!(is_replay(&mute(&client).await));
        }
        // Tokens of one API key are one credential: a client that renews its token asks the same.
        let key = house.secret(CredentialKind::ApiKey, Some(ACCOUNT), &ALL, None).await;
        let mut replays = Vec::new();
        for _ in 0..2 {
            let nobody = Rest::new(house.address(), ACCOUNT, None);
            let issued = nobody.put("/v2/api_auth", json!({ "api_key": key })).await;
            issued.created();
            let token = text(&issued.json()["auth_token"]);
            replays.push(is_replay(&mute(&Rest::new(nobody.address, ACCOUNT, Some(&token))).await));
        }
        assert_eq!(replays, [false, true]);
    }
}

#[tokio::test]
async fn who_waits_too_long_for_the_first_answer_is_told_so_and_gets_it_later() {
    let house = House::with(1, |config| config.api.answer_timeout_ms = SHORT.as_millis() as u64).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    let mute = async || act(&owner, "k", "conferences/talk/participants/1", "mute").await;
    house.switch().hold_replies();
    mute().await.refused(504, "switch_timeout");
    let waited = mute().await;
    let data = waited.refused(409, "conflict");
    assert!(text(&data["message"]).contains("no answer yet"), "{data}");
    house.switch().release_replies();
    let mut late = mute().await;
    while late.status == 409 {
        late = mute().await;
    }
    assert_eq!(column(&late.ok()["results"], "result"), ["done"]);
    assert!(is_replay(&late));
    assert_eq!(house.orders(0).len(), 1, "{:?}", house.orders(0));
}

#[tokio::test]
async fn without_the_database_nothing_with_a_key_is_done() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let house = House::with(1, |config| {
        config.database.url = url;
        config.database.timeout_ms = 1_000;
    })
    .await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    act(&owner, "before", "conferences/talk", "lock").await.ok();
    server.stop();
    for key in ["before", "after"] {
        act(&owner, key, "conferences/talk", "unlock").await.refused(503, "datastore_unavailable");
    }
    owner.act("conferences/talk", "unlock").await.ok();
    server.start_again();
    owner.until("conferences", |answer| answer.status == 200).await;
    let after = act(&owner, "after", "conferences/talk", "unlock").await;
    assert_eq!(column(&after.ok()["results"], "result"), ["already"]);
    assert!(!is_replay(&after), "it was not done before");
    assert!(is_replay(&act(&owner, "before", "conferences/talk", "lock").await));
}

#[tokio::test]
async fn an_answer_that_the_database_did_not_take_is_given_again_later() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let house = House::with(1, |config| {
        config.database.url = url;
        config.database.timeout_ms = 1_000;
    })
    .await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().hold_replies();
    let asked = {
        let owner = owner.clone();
        tokio::spawn(async move { act(&owner, "k", "conferences/talk", "lock").await })
    };
    house.switch().until_command(|seen| seen.text.contains("talk lock")).await;
    server.stop();
    house.switch().release_replies();
    let first = asked.await.expect("an answer");
    assert_eq!(column(&first.ok()["results"], "result"), ["done"]);
    server.start_again();
    owner.until("conferences", |answer| answer.status == 200).await;
    assert_again(&act(&owner, "k", "conferences/talk", "lock").await, &first);
    assert_eq!(house.orders(0).len(), 1, "{:?}", house.orders(0));
}
