//! The audit log: what was done, by whom, and who gets to see it.

use std::sync::Arc;

use convened::auth::Scope;
use convened::sim::switch::Which;
use convened::sim::world::Caller;
use convened::store::{AuditQuery, AuditRecord, Clock, KeyClaim, SqliteSettings, SqliteStore, Store};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Rest, column, keys, look_again, text};
use crate::house::{ACCOUNT, ALL, House, OTHER, SHORT};
use crate::postgres::Postgres;

/// A house for each engine, and what has to be kept of it.
async fn houses() -> Vec<(House, Option<Arc<Postgres>>)> {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let other = House::with(1, |config| config.database.url = url).await;
    vec![(House::start().await, None), (other, Some(server))]
}

async fn log(client: &Rest, conference: &str) -> Vec<Value> {
    client.get(&format!("conferences/{conference}/audit")).await.ok().as_array().cloned().expect("a list")
}

/// The log once it has so many rows.
async fn log_of(client: &Rest, conference: &str, count: usize) -> Value {
    let path = format!("conferences/{conference}/audit");
    let has_all = |data: Value| data.as_array().is_some_and(|rows| rows.len() >= count);
    client.until(&path, |answer| has_all(answer.data())).await.ok()
}

#[tokio::test]
async fn each_action_is_written_down_for_each_target_with_who_asked() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        let ann = house.join_as_moderator("talk", "Ann").await;
        let ben = house.join("talk", "Ben").await;
        let before = Clock::system().unix_ms();
        let locked = owner.act("conferences/talk", "lock").await;
        locked.ok();
        let body = r#"{ "data": {"why": "loud",  "action": "mute", "n": 1.50} }"#;
        let muted = owner
            .ask(Method::PUT, "conferences/talk/participants")
            .header("x-request-id", "of-the-client")
            .body(body)
            .send()
            .await;
        muted.ok();
        owner
            .ask(Method::PUT, "conferences/talk/participants/2")
            .json(&json!({ "action": "mute" }))
            .send()
            .await;
        let rows = log(&owner, "talk").await;
        assert_eq!(
            keys(&rows[0]),
            [
                "id",
                "at",
                "account_id",
                "conference_id",
                "request_id",
                "token_id",
                "token_name",
                "client",
                "action",
                "arguments",
                "participant_id",
                "call_id",
                "node",
                "result",
                "reason"
            ]
        );
        let told: Vec<_> = rows
            .iter()
            .map(|row| json!([row["action"], row["call_id"], row["participant_id"], row["result"]]))
            .collect();
        assert_eq!(
            json!([told[0], told[3]]),
            json!([["mute", ben, 2, "already"], ["lock", null, null, "done"]])
        );
        let both = [json!(["mute", ann, 1, "skipped_moderator"]), json!(["mute", ben, 2, "done"])];
        assert!(told.len() == 4 && both.iter().all(|row| told[1..3].contains(row)), "{told:?}");
        for row in &rows {
            assert_eq!((&row["account_id"], &row["conference_id"]), (&json!(ACCOUNT), &json!("talk")));
            assert_eq!((&row["token_name"], &row["client"]), (&json!("test"), &json!("127.0.0.1")));
            assert_eq!((&row["node"], &row["reason"]), (&json!("fs1"), &json!(null)));
            assert!(row["at"].as_i64().is_some_and(|at| (before..before + 60_000).contains(&at)), "{row}");
            assert!(row["token_id"].as_str().is_some_and(|id| id.len() == 12), "{row}");
        }
        assert_eq!(rows[1]["request_id"], "of-the-client");
        assert_eq!(rows[3]["request_id"], locked.header("x-request-id").expect("an id"));
        assert_eq!(rows[1]["arguments"].to_string(), r#"{"why":"loud","action":"mute","n":1.50}"#);
        assert_eq!(
            (&rows[0]["arguments"], &rows[3]["arguments"]),
            (&json!({}), &json!({ "action": "lock" }))
        );
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_i64()).collect();
        assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
        house.daemon.stop().await;
    }
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_by_action_call_and_time() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        let ann = house.join("talk", "Ann").await;
        house.join("talk", "Ben").await;
        for action in ["mute", "deaf", "unmute"] {
            owner.act("conferences/talk/participants", action).await.ok();
        }
        let all = log(&owner, "talk").await;
        assert_eq!(all.len(), 6);
        for size in 1..=7 {
            let (mut seen, mut path) = (Vec::new(), format!("conferences/talk/audit?page_size={size}"));
            loop {
                let page = owner.get(&path).await;
                seen.extend(page.ok().as_array().cloned().expect("a list"));
                assert!(seen.len() < 100, "the pages never end");
                assert!(page.json()["page_size"].as_u64().is_some_and(|has| has <= size));
                let next = page.json().get("next_start_key").map(text);
                let Some(next) = next else { break };
                path = format!("conferences/talk/audit?page_size={size}&start_key={next}");
            }
            assert_eq!(seen, all, "pages of {size}");
        }
        let find = async |query: &str| owner.get(&format!("conferences/talk/audit?{query}")).await.ok();
        assert_eq!(column(&find("filter_action=deaf").await, "action"), ["deaf", "deaf"]);
        let hers = find(&format!("filter_call_id={ann}&filter_action=mute")).await;
        assert_eq!(
            (column(&hers, "call_id"), column(&hers, "action")),
            (vec![json!(ann)], vec![json!("mute")])
        );
        let at = all[2]["at"].as_i64().expect("a time");
        let then = find(&format!("from={at}&to={at}")).await;
        assert!(column(&then, "id").contains(&all[2]["id"]), "{then}");
        assert!(then.as_array().is_some_and(|rows| rows.iter().all(|row| row["at"] == at)), "{then}");
        assert_eq!(find(&format!("from={}", at + 3_600_000)).await, json!([]));
        assert_eq!(find("to=1").await, json!([]));
        for wrong in ["page_size=0", "start_key=x", "from=x", "to=", "filter_token=x", "created_from=1"] {
            let refused = owner.get(&format!("conferences/talk/audit?{wrong}")).await;
            refused.refused(400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn only_who_may_read_and_control_in_the_account_sees_its_log() {
    for (house, _kept) in houses().await {
        house.join("talk", "Ann").await;
        house.owner().await.act("conferences/talk", "lock").await.ok();
        let path = "conferences/talk/audit";
        for scopes in [&[Scope::Read][..], &[Scope::Control], &[Scope::Write], &[Scope::Read, Scope::Write]] {
            house.client(Some(ACCOUNT), scopes).await.get(path).await.refused(403, "forbidden");
            house.client(None, scopes).await.get(path).await.refused(403, "forbidden");
        }
        let both = house.client(Some(ACCOUNT), &[Scope::Read, Scope::Control]).await;
        assert_eq!(log(&both, "talk").await.len(), 1);
        let stranger = house.stranger().await;
        stranger.get(path).await.not_found("talk");
        stranger.in_account(ACCOUNT).get(path).await.not_found(ACCOUNT);
        let nobody = Rest::new(house.address(), ACCOUNT, None);
        nobody.get(path).await.refused(401, "invalid_credentials");
        // Their conference of the same name has a log of its own.
        let theirs = Caller::new("Eve", "2").variable("confvar_account_id", OTHER);
        owner_leaves(&house).await;
        house.enter("talk", theirs).await;
        stranger.act("conferences/talk", "unlock").await.ok();
        assert_eq!(column(&json!(log(&stranger, "talk").await), "action"), ["unlock"]);
        assert_eq!(column(&json!(log(&both, "talk").await), "action"), ["kick", "lock"]);
        let superuser = house.superuser().await;
        assert_eq!(column(&json!(log(&superuser, "talk").await), "action"), ["kick", "lock"]);
        assert_eq!(column(&json!(log(&superuser.in_account(OTHER), "talk").await), "action"), ["unlock"]);
        superuser.in_account("nobody").get(path).await.not_found("talk");
    }
}

/// Everybody is sent away, and the conference is over.
async fn owner_leaves(house: &House) {
    house.owner().await.act("conferences/talk/participants", "kick").await.ok();
    while !house.daemon.context().registry.conference("talk").is_empty() {
        look_again().await;
    }
}

#[tokio::test]
async fn what_is_gone_has_its_log_still_and_what_never_was_has_none() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        let id = owner.create(json!({ "name": "weekly" })).await;
        assert_eq!(log(&owner, &id).await, [json!(null); 0], "nothing was done to it");
        house.join(&id, "Ann").await;
        owner.act(&format!("conferences/{id}/participants"), "kick").await.ok();
        owner.delete(&format!("conferences/{id}")).await.ok();
        owner.until(&format!("conferences/{id}"), |answer| answer.status == 404).await;
        assert_eq!(column(&json!(log(&owner, &id).await), "action"), ["kick"]);
        let none = owner.get(&format!("conferences/{id}/audit?filter_action=lock")).await;
        assert_eq!(none.ok(), json!([]), "what there is is something else");
        house.join("talk", "Ann").await;
        assert_eq!(log(&owner, "talk").await, [json!(null); 0]);
        owner_leaves(&house).await;
        assert_eq!(column(&json!(log(&owner, "talk").await), "result"), ["done"]);
        owner.get("conferences/never/audit").await.not_found("never");
        owner.get("conferences/a%00b/audit").await.not_found("a\0b");
    }
}

#[tokio::test]
async fn what_was_refused_is_not_in_it_and_what_failed_is() {
    let house = House::with(1, |config| config.node[0].command_timeout_ms = SHORT.as_millis() as u64).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    owner.act("conferences/talk", "shout").await.refused(400, "invalid_request");
    owner.act("conferences/nowhere", "lock").await.not_found("nowhere");
    owner.act("conferences/talk/participants/77", "mute").await.not_found("77");
    house
        .client(Some(ACCOUNT), &[Scope::Read])
        .await
        .act("conferences/talk", "lock")
        .await
        .refused(403, "forbidden");
    house.stranger().await.act("conferences/talk", "lock").await.not_found("talk");
    assert_eq!(log(&owner, "talk").await, [json!(null); 0]);
    house.switch().answer_garbage("Content-Type: api/response\nContent-Length: 7\n\n-ERR no");
    owner.act("conferences/talk", "lock").await.refused(502, "switch_error");
    house.switch().stall(Which::Commands);
    owner.act("conferences/talk/participants/1", "mute").await.refused(504, "switch_timeout");
    house.switch().stop_listening().await;
    house.switch().cut(Which::All);
    house.condition("fs1", convened::registry::NodeCondition::Lost).await;
    owner.act("conferences/talk/participants", "mute").await.refused(503, "switch_unavailable");
    let rows = json!(log(&owner, "talk").await);
    assert_eq!(column(&rows, "action"), ["mute", "mute", "lock"]);
    assert_eq!(column(&rows, "result"), ["failed", "unknown", "failed"]);
    assert!(column(&rows, "reason").iter().all(Value::is_string), "{rows}");
    assert!(text(&rows[2]["reason"]).contains("-ERR no"), "{rows}");
}

#[tokio::test]
async fn arguments_that_are_too_long_are_cut_where_a_character_ends_and_marked() {
    for (house, _kept) in houses().await {
        let owner = house.owner().await;
        house.join("talk", "Ann").await;
        for (length, is_whole) in [(1_000, true), (2_100, false), (200_000, false)] {
            let body = json!({ "data": { "action": "lock", "x": "ü".repeat(length) } });
            owner.ask(Method::PUT, "conferences/talk").json(&body).send().await.ok();
            let row = log(&owner, "talk").await.remove(0);
            if is_whole {
                assert_eq!(row["arguments"], body["data"]);
                continue;
            }
            let cut = text(&row["arguments"]);
            assert!((4_090..=4_096).contains(&cut.len()) && cut.ends_with("ü…"), "{}", cut.len());
            assert!(cut.starts_with(r#"{"action":"lock","x":"üü"#), "{cut}");
        }
        // What a document could not hold, and no text of a database.
        let body = r#"{"data":{"action":"lock","\u0000":"\u0000","$serde_json::private::Number":"1"}}"#;
        owner.ask(Method::PUT, "conferences/talk").body(body).send().await.ok();
        assert!(text(&log(&owner, "talk").await[0]["arguments"]).contains(r#""\u0000":"\u0000""#));
    }
}

#[tokio::test]
async fn what_outlasts_its_request_is_written_down_all_the_same() {
    let house = House::with(1, |config| config.api.answer_timeout_ms = SHORT.as_millis() as u64).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().hold_replies();
    owner.act("conferences/talk/participants/1", "mute").await.refused(504, "switch_timeout");
    house.switch().release_replies();
    assert_eq!(column(&log_of(&owner, "talk", 1).await, "result"), ["done"]);
}

#[tokio::test]
async fn what_a_stop_interrupts_is_written_down_before_the_end() {
    let house = House::with(1, |config| config.api.shutdown_grace_s = 0).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().hold_replies();
    let asked = tokio::spawn(async move {
        let call = owner.ask(Method::PUT, "conferences/talk").json(&json!({ "data": { "action": "lock" } }));
        drop(call.try_send().await);
    });
    house.switch().until_command(|seen| seen.text.contains("talk lock")).await;
    house.daemon.stop().await;
    asked.await.expect("an end");
    let rows = rows_in(&house.folder.path().join("convened.db")).await;
    assert_eq!((rows.len(), rows[0].action.as_str(), rows[0].result.as_str()), (1, "lock", "unknown"));
}

async fn rows_in(database: &std::path::Path) -> Vec<AuditRecord> {
    let store = SqliteStore::open(SqliteSettings::new(database)).await.expect("a store");
    let account = ACCOUNT.parse().expect("an account");
    let page = store.audit(&account, "talk", &AuditQuery::default()).await.expect("a page");
    store.close().await;
    page.rows.into_iter().map(|(_, row)| row).collect()
}

#[tokio::test]
async fn at_the_start_what_is_old_goes_unless_it_is_kept_for_ever() {
    let day = 24 * 3_600_000;
    for (keep_days, left) in [(2, vec![1, 0]), (0, vec![40, 3, 1, 0])] {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("convened.db");
        let now = Clock::system().unix_ms();
        let row = |age: i64| AuditRecord {
            at: now - age * day,
            account: ACCOUNT.parse().expect("an account"),
            conference_id: "talk".into(),
            request_id: format!("{age}"),
            token_id: "t".into(),
            token_name: "t".into(),
            client: "::1".into(),
            action: "lock".into(),
            arguments: "{}".into(),
            participant_id: None,
            call_id: None,
            node: "fs1".into(),
            result: "done".into(),
            reason: None,
        };
        let key = |age: i64| KeyClaim {
            account: None,
            credential: "t".into(),
            key: format!("{age}"),
            request: [0; 32],
            claim: format!("{age}"),
            began: now - age * day,
        };
        let store = SqliteStore::open(SqliteSettings::new(&database)).await.expect("a store");
        // More than a batch.
        let old: Vec<_> = (0..2_500).map(|_| row(50)).collect();
        store.append_audit(&[40, 3, 1, 0].map(row)).await.expect("written");
        if keep_days > 0 {
            store.append_audit(&old).await.expect("written");
        }
        for age in [0, 2] {
            store.claim_key(&key(age), 0).await.expect("claimed");
        }
        store.close().await;
        let house = House::with(1, |config| {
            config.database.url = format!("sqlite://{}", database.display());
            config.database.audit_keep_days = keep_days;
        })
        .await;
        // What is swept last is gone, so all has been swept. The key itself is taken by asking.
        let context = house.daemon.context();
        let asked = |age| KeyClaim { claim: "mine".into(), ..key(age) };
        while context.store.claim_key(&asked(2), 0).await.expect("asked").is_some() {
            look_again().await;
        }
        assert!(context.store.claim_key(&asked(0), 0).await.expect("asked").is_some(), "it is of today");
        house.daemon.stop().await;
        let mut kept: Vec<i64> =
            rows_in(&database).await.iter().map(|row| row.request_id.parse().expect("a number")).collect();
        kept.reverse();
        assert_eq!(kept, left, "kept for {keep_days} days");
    }
}

#[tokio::test]
async fn without_the_database_what_was_done_is_answered_as_done() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let house = House::with(1, |config| {
        config.database.url = url;
        config.database.timeout_ms = 1_000;
    })
    .await;
    let owner = house.client(Some(ACCOUNT), &ALL).await;
    house.join("talk", "Ann").await;
    owner.act("conferences/talk", "lock").await.ok();
    server.stop();
    let answer = owner.act("conferences/talk", "unlock").await;
    assert_eq!(column(&answer.ok()["results"], "result"), ["done"]);
    assert!(!house.switch().truth()[0].locked);
    owner.get("conferences/talk/audit").await.refused(503, "datastore_unavailable");
    server.start_again();
    owner.until("conferences/talk/audit", |answer| answer.status == 200).await;
    assert_eq!(column(&json!(log(&owner, "talk").await), "action"), ["lock"]);
}
