//! Conference documents over HTTP.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Rest, keys, text};
use crate::house::{ACCOUNT, House};

fn path(id: &str) -> String {
    format!("conferences/{id}")
}

#[tokio::test]
async fn a_document_is_created_read_replaced_patched_and_deleted() {
    let house = House::start().await;
    let owner = house.owner().await;
    let made = owner.put("conferences", json!({ "name": "Board", "conference_numbers": ["7001"] })).await;
    let id = text(&made.created()["id"]);
    assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    let read = owner.get(&path(&id)).await;
    assert_eq!(read.ok(), made.data());
    assert_eq!(read.json()["revision"], made.json()["revision"]);

    let replaced =
        owner.post(&path(&id), json!({ "name": "Council", "owner_id": "0".repeat(32) })).await.ok();
    assert_eq!((&replaced["id"], &replaced["name"]), (&json!(id), &json!("Council")));
    assert_eq!(replaced["conference_numbers"], json!([]), "the old numbers are replaced by the default");

    let patched =
        owner.patch(&path(&id), json!({ "owner_id": null, "member": { "join_muted": false } })).await.ok();
    assert_eq!((&patched["name"], patched.get("owner_id")), (&json!("Council"), None));
    assert_eq!(
        patched["member"],
        json!({ "join_deaf": false, "join_muted": false, "numbers": [], "pins": [] })
    );
    assert_eq!(owner.get(&path(&id)).await.ok(), patched);

    let deleted = owner.delete(&path(&id)).await.ok();
    assert_eq!((&deleted["id"], &deleted["name"]), (&json!(id), &json!("Council")));
    for method in [Method::GET, Method::DELETE] {
        owner.ask(method, &path(&id)).send().await.not_found(&id);
    }
    for method in [Method::POST, Method::PATCH] {
        owner.ask(method, &path(&id)).json(&json!({ "data": {} })).send().await.not_found(&id);
    }
    owner.act(&path(&id), "lock").await.not_found(&id);
}

#[tokio::test]
async fn what_is_not_given_has_the_default_of_the_contract() {
    let house = House::start().await;
    let owner = house.owner().await;
    let made = owner.put("conferences", json!({})).await.created();
    let mut body = made.clone();
    for key in ["id", "_read_only"] {
        assert!(body.as_object_mut().is_some_and(|body| body.shift_remove(key).is_some()), "{key}");
    }
    let role =
        |join_muted: bool| json!({ "join_deaf": false, "join_muted": join_muted, "numbers": [], "pins": [] });
    assert_eq!(
        body,
        json!({
            "conference_numbers": [], "flags": [], "member": role(true), "moderator": role(false), "play_name": false,
            "play_welcome": false, "require_moderator": false, "wait_for_moderator": false,
        })
    );
    let idle = &made["_read_only"];
    for (key, value) in [
        ("members", json!(0)),
        ("admins", json!(0)),
        ("moderators", json!(0)),
        ("duration", json!(0)),
        ("is_locked", json!(false)),
        ("participants", json!([])),
        ("complete", json!(true)),
    ] {
        assert_eq!(idle[key], value, "{key}");
    }
    assert_eq!((made.get("focus"), made.get("instances"), made.get("ad_hoc")), (None, None, None));
}

/// What a client sent, as it stands in the raw answer.
fn assert_raw(answer: &Answer, expected: &str) {
    let raw = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(raw.contains(expected), "{expected} is not in {raw}");
}

#[tokio::test]
async fn unknown_keys_their_order_and_large_numbers_stay_as_they_are() {
    let house = House::start().await;
    let owner = house.owner().await;
    let custom = r#""zebra":1,"ui_metadata":{"z":12345678901234567890123,"a":1.10,"m":[1e400,-0.0],"ui":"kazoo-ui"},"custom":{"ü":"\u0001 😀"},"apple":null"#;
    let body = format!(r#"{{"data":{{{custom}}}}}"#);
    let made = owner.ask(Method::PUT, "conferences").body(body.clone()).send().await;
    let id = text(&made.created()["id"]);
    let large = r#""z":12345678901234567890123,"a":1.10,"m":[1e400,-0.0]"#.replace("1e400", "1e+400");
    let raw = String::from_utf8_lossy(&made.body).into_owned();
    let large = if raw.contains(&large) { large } else { large.replace("1e+400", "1e400") };
    for answer in [made, owner.get(&path(&id)).await, owner.get("conferences").await] {
        assert_raw(&answer, &large);
        assert_raw(&answer, r#""custom":{"ü":"\u0001 😀"},"apple":null"#);
        assert_raw(&answer, r#"{"zebra":1,"ui_metadata":{"z":"#);
    }
    let patched = owner
        .ask(Method::PATCH, &path(&id))
        .body(r#"{"data":{"zebra":null,"new":99999999999999999999}}"#)
        .send()
        .await;
    patched.ok();
    assert_raw(&patched, &large);
    assert_raw(&patched, r#""new":99999999999999999999"#);
    let replaced = owner.ask(Method::POST, &path(&id)).body(body).send().await;
    replaced.ok();
    assert_raw(&replaced, &large);
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_changes_nothing() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a", "custom": { "b": 1 } })).await;
    house.join(&id, "Ann").await;
    let read = owner.get(&path(&id)).await.ok();
    let listed = owner.get("conferences").await.ok()[0].clone();
    assert_eq!((&read["_read_only"]["members"], &listed["members"]), (&json!(1), &json!(1)));
    house.switch().api(&format!("conference {id} hup all"));
    owner.until(&path(&id), |answer| answer.ok().get("focus").is_none()).await;
    let plain = |mut document: Value| {
        document.as_object_mut().expect("an object").retain(|key, _| key != "_read_only");
        document
    };
    let before = plain(owner.get(&path(&id)).await.ok());
    for sent in [read, listed] {
        assert_eq!(plain(owner.post(&path(&id), sent.clone()).await.ok()), before);
        assert_eq!(plain(owner.patch(&path(&id), sent).await.ok()), before);
    }
    let ignored = json!({
        "id": "x", "focus": "x", "revision": "x", "members": 7, "admins": 7, "moderators": 7, "duration": 7,
        "is_locked": true, "ad_hoc": true, "stale": true, "instances": [], "_read_only": { "x": 1 }, "_x": 1, "pvt_account_id": "x",
    });
    let made = owner.put("conferences", ignored.clone()).await.created();
    assert_ne!(made["id"], "x");
    for key in keys(&ignored).iter().filter(|key| !["id", "_read_only"].contains(&key.as_str())) {
        assert_eq!(made.get(key), None, "{key}");
    }
    assert_eq!(made["_read_only"].get("x"), None);
}

#[tokio::test]
async fn each_rule_of_the_schema_is_told_by_path_and_keyword() {
    let house = House::start().await;
    let owner = house.owner().await;
    for (document, place, keyword) in [
        (json!({ "name": "x".repeat(129) }), "name", "maxLength"),
        (json!({ "name": "" }), "name", "minLength"),
        (json!({ "name": 7 }), "name", "type"),
        (json!({ "owner_id": "short" }), "owner_id", "minLength"),
        (json!({ "member": { "pins": ["12a"] } }), "member.pins.0", "pattern"),
        (json!({ "moderator": { "pins": ["1", "12345678901234567"] } }), "moderator.pins.1", "pattern"),
        (json!({ "member": { "pins": ["12\n"] } }), "member.pins.0", "pattern"),
        (json!({ "member": { "pins": [""] } }), "member.pins.0", "pattern"),
        (json!({ "conference_numbers": ["7001", "+7002"] }), "conference_numbers.1", "pattern"),
        (json!({ "member": { "numbers": ["a"] } }), "member.numbers.0", "pattern"),
        (json!({ "moderator": { "numbers": [7] } }), "moderator.numbers.0", "type"),
        (json!({ "profile": "a b" }), "profile", "pattern"),
        (json!({ "profile_name": "a/b" }), "profile", "pattern"),
        (json!({ "profile": "x\n" }), "profile", "pattern"),
        (json!({ "max_participants": 1 }), "max_participants", "minimum"),
        (json!({ "max_participants": 2.5 }), "max_participants", "type"),
        (json!({ "require_moderator": "yes" }), "require_moderator", "type"),
        (json!({ "language": "en us" }), "language", "pattern"),
        (json!({ "caller_controls": "x".repeat(65) }), "caller_controls", "pattern"),
        (json!({ "flags": "a" }), "flags", "type"),
        (json!({ "member": [] }), "member", "type"),
        (
            json!({ "member": { "pins": ["1"] }, "moderator": { "pins": ["1"] } }),
            "moderator.pins.0",
            "unique",
        ),
        (
            json!({ "conference_numbers": ["1"], "member": { "numbers": ["1"] } }),
            "member.numbers.0",
            "unique",
        ),
    ] {
        let data = owner.put("conferences", document.clone()).await.refused(400, "validation_error");
        assert!(data[place][keyword]["message"].is_string(), "{document}: {data}");
    }
    let data = owner.put("conferences", json!({ "name": "x".repeat(129) })).await.data();
    assert_eq!(data["name"]["maxLength"]["target"], 128);
    assert_eq!(data["name"]["maxLength"]["value"], "x".repeat(129));
    for tone in [json!(""), json!(7), json!(null)] {
        let data = owner.put("conferences", json!({ "play_entry_tone": tone })).await;
        let data = data.refused(400, "validation_error");
        assert!(data["play_entry_tone"].is_object(), "{tone}: {data}");
    }
    assert_eq!(owner.get("conferences").await.ok(), json!([]), "nothing of it was stored");
    let id = owner.create(json!({ "name": "good", "play_entry_tone": "tone_stream://%(200,0,500)", "play_exit_tone": false })).await;
    for method in [Method::POST, Method::PATCH] {
        let body = json!({ "data": { "name": "" } });
        owner.ask(method, &path(&id)).json(&body).send().await.refused(400, "validation_error");
    }
    assert_eq!(owner.get(&path(&id)).await.ok()["name"], "good");
}

#[tokio::test]
async fn profile_name_is_another_spelling_of_profile() {
    let house = House::start().await;
    let owner = house.owner().await;
    let made = owner.put("conferences", json!({ "profile_name": "wideband" })).await.created();
    assert_eq!((&made["profile"], made.get("profile_name")), (&json!("wideband"), None));
}

#[tokio::test]
async fn a_number_is_used_once_in_an_account_over_all_three_lists() {
    let house = House::start().await;
    let owner = house.owner().await;
    let first =
        owner.create(json!({ "conference_numbers": ["5551234"], "member": { "numbers": ["71"] } })).await;
    let in_use = |cause: &str| json!({ "numbers": { "unique": { "message": "Numbers already in use", "cause": cause } } });
    for (document, cause) in [
        (json!({ "conference_numbers": ["1", "5551234"] }), "5551234"),
        (json!({ "member": { "numbers": ["5551234"] } }), "5551234"),
        (json!({ "moderator": { "numbers": ["71"] } }), "71"),
    ] {
        let data = owner.put("conferences", document).await.refused(400, "validation_error");
        assert_eq!(data, in_use(cause));
    }
    let second = owner.create(json!({ "conference_numbers": ["2"] })).await;
    let patch = json!({ "moderator": { "numbers": ["71"] } });
    assert_eq!(
        owner.patch(&path(&second), patch.clone()).await.refused(400, "validation_error"),
        in_use("71")
    );
    owner.post(&path(&first), json!({ "conference_numbers": ["5551234"] })).await.ok();
    owner.patch(&path(&second), patch).await.ok();
    house.stranger().await.create(json!({ "conference_numbers": ["5551234"] })).await;
    owner.delete(&path(&first)).await.ok();
    owner.create(json!({ "member": { "numbers": ["5551234"] } })).await;
}

#[tokio::test]
async fn of_many_requests_that_race_for_a_number_one_gets_it() {
    let house = House::start().await;
    let owner = house.owner().await;
    let racers = (0..12).map(|_| owner.put("conferences", json!({ "conference_numbers": ["99"] })));
    let answers = futures_util::future::join_all(racers).await;
    let made = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(made, 1);
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        assert_eq!(answer.refused(400, "validation_error")["numbers"]["unique"]["cause"], "99");
    }
    assert_eq!(owner.get("conferences").await.ok().as_array().map(Vec::len), Some(1));
}

async fn conditional(
    client: &Rest,
    method: Method,
    id: &str,
    header: Option<&str>,
    revision: Option<&str>,
) -> Answer {
    let mut body = json!({ "data": { "name": "changed" } });
    if let Some(revision) = revision {
        body["revision"] = revision.into();
    }
    let call = client.ask(method, &path(id)).json(&body);
    match header {
        Some(header) => call.header("if-match", header).send().await,
        None => call.send().await,
    }
}

#[tokio::test]
async fn a_write_for_an_old_revision_does_not_happen() {
    let house = House::start().await;
    let owner = house.owner().await;
    let made = owner.put("conferences", json!({ "name": "a" })).await;
    let id = text(&made.created()["id"]);
    let old = text(&made.json()["revision"]);
    let old_tag = made.header("etag").expect("an ETag").to_owned();
    assert_eq!(old_tag, format!("\"{old}\""));
    assert_eq!(made.header("cache-control"), Some("private, no-cache"));
    assert!(old.starts_with("1-"), "{old}");
    let second = owner.patch(&path(&id), json!({ "name": "b" })).await;
    let current = text(&second.json()["revision"]);
    assert!(
        current.starts_with("2-") && second.header("etag") == Some(&format!("\"{current}\"")),
        "{current}"
    );
    let before = owner.get(&path(&id)).await.ok();
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        conditional(&owner, method.clone(), &id, Some(&old_tag), None)
            .await
            .refused(412, "precondition_failed");
        let conflict = conditional(&owner, method, &id, None, Some(&old)).await.refused(409, "conflict");
        assert_eq!(conflict, json!({ "expected": old, "current": current }));
    }
    conditional(&owner, Method::PATCH, &id, Some(&format!("W/\"{current}\"")), None)
        .await
        .refused(412, "precondition_failed");
    assert_eq!(owner.get(&path(&id)).await.ok(), before);
    let third = conditional(&owner, Method::PATCH, &id, Some(&format!("\"{current}\"")), None).await;
    third.ok();
    let fourth = conditional(&owner, Method::POST, &id, None, Some(&text(&third.json()["revision"]))).await;
    fourth.ok();
    conditional(&owner, Method::PATCH, &id, Some("*"), None).await.ok();
    let last = owner.get(&path(&id)).await;
    let tag = last.header("etag").expect("an ETag").to_owned();
    owner.ask(Method::DELETE, &path(&id)).header("if-match", &tag).send().await.ok();
    owner.get(&path(&id)).await.not_found(&id);
}

#[tokio::test]
async fn of_many_writes_from_one_revision_one_succeeds() {
    let house = House::start().await;
    let owner = house.owner().await;
    let made = owner.put("conferences", json!({ "name": "a" })).await;
    let (id, revision) = (text(&made.created()["id"]), text(&made.json()["revision"]));
    let racers = (0..8).map(|_| conditional(&owner, Method::PATCH, &id, None, Some(&revision)));
    let answers = futures_util::future::join_all(racers).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 7);
    // Without a condition all of them do.
    let path = path(&id);
    let racers = (0..8).map(|n| owner.patch(&path, json!({ "custom": { n.to_string(): n } })));
    for answer in futures_util::future::join_all(racers).await {
        answer.ok();
    }
    let last = owner.get(&path).await;
    assert_eq!(last.ok()["custom"].as_object().map(serde_json::Map::len), Some(8));
    assert!(text(&last.json()["revision"]).starts_with("10-"), "{}", last.text());
}

#[tokio::test]
async fn what_is_known_already_is_not_sent_again_unless_the_conference_runs() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let tag = owner.get(&path(&id)).await.header("etag").expect("an ETag").to_owned();
    let ask = |tag: &str| owner.ask(Method::GET, &path(&id)).header("if-none-match", tag).send();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let answer = ask(&known).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{}", answer.text());
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    ask("\"1-0\"").await.ok();
    house.join(&id, "Ann").await;
    let running = ask(&tag).await;
    assert_eq!(running.ok()["_read_only"]["members"], 1);
    owner.act(&format!("{}/participants", path(&id)), "kick").await.ok();
    owner.until(&path(&id), |answer| answer.ok().get("focus").is_none()).await;
    assert_eq!(ask(&tag).await.status, StatusCode::NOT_MODIFIED);
    owner.patch(&path(&id), json!({ "name": "b" })).await.ok();
    assert_eq!(ask(&tag).await.ok()["name"], "b");
}

#[tokio::test]
async fn a_conference_whose_document_is_deleted_goes_on_as_ad_hoc_of_its_account() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "Board" })).await;
    // The switch does not say whose it is: only the document did.
    house.enter(&id, convened::sim::world::Caller::new("Ann", "1")).await;
    let deleted = owner.delete(&path(&id)).await.ok();
    assert_eq!((&deleted["name"], &deleted["_read_only"]["members"]), (&json!("Board"), &json!(1)));
    assert_eq!(house.switch().truth()[0].members.len(), 1);
    let seen = owner.get(&path(&id)).await.ok();
    assert_eq!(
        (&seen["ad_hoc"], &seen["name"], &seen["_read_only"]["members"]),
        (&json!(true), &json!(id), &json!(1))
    );
    assert_eq!(owner.get("conferences").await.ok()[0]["id"], json!(id));
    owner.act(&path(&id), "lock").await.ok();
    let stranger = house.stranger().await;
    stranger.get(&path(&id)).await.not_found(&id);
    assert_eq!(stranger.get("conferences").await.ok(), json!([]));
    owner.act(&format!("{}/participants", path(&id)), "kick").await.ok();
    let over = owner.until(&path(&id), |answer| answer.status == 404).await;
    over.not_found(&id);
    // A later conference of that name has nothing to do with it.
    house.enter(&id, convened::sim::world::Caller::new("Ben", "2")).await;
    owner.get(&path(&id)).await.not_found(&id);
}

#[tokio::test]
async fn the_documents_of_two_accounts_do_not_meet() {
    let house = House::start().await;
    let (owner, stranger) = (house.owner().await, house.stranger().await);
    let (mine, theirs) =
        (owner.create(json!({ "name": "a" })).await, stranger.create(json!({ "name": "a" })).await);
    let ids = |answer: Answer| crate::client::column(&answer.ok(), "id");
    assert_eq!(ids(owner.get("conferences").await), [json!(mine)]);
    assert_eq!(ids(stranger.get("conferences").await), [json!(theirs)]);
    assert_eq!(owner.account, ACCOUNT);
}

#[tokio::test]
async fn a_condition_that_is_no_text_is_one_that_does_not_hold() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let tag = owner.get(&path(&id)).await.header("etag").expect("an ETag").to_owned();
    let strange = [&b"\"1-stal\xe9\""[..], b"W/\"x\", \"\xc3\xa9\"", b"\xff"];
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        for value in strange {
            let call = owner.ask(method.clone(), &path(&id)).json(&json!({ "data": { "name": "b" } }));
            call.header_bytes("if-match", value).send().await.refused(412, "precondition_failed");
        }
    }
    // Beside one that holds it does no harm.
    let both = [tag.as_bytes(), b", \"\xe9\""].concat();
    let call = owner.ask(Method::PATCH, &path(&id)).json(&json!({ "data": { "name": "b" } }));
    assert_eq!(call.header_bytes("if-match", &both).send().await.ok()["name"], "b");
}

#[tokio::test]
async fn a_text_that_is_far_longer_than_any_document_is_refused_before_it_is_parsed() {
    let house = House::start().await;
    let owner = house.owner().await;
    let spaces = format!("{{\"data\":{{\"name\":\"a\"{}}}}}", " ".repeat(600_000));
    let call = owner.ask(Method::PUT, "conferences").json(&Value::Null).body(spaces);
    assert_eq!(call.send().await.refused(413, "request_entity_too_large")["max_bytes"], 4 * 128 * 1024);
    let within = format!("{{\"data\":{{\"name\":\"a\"{}}}}}", " ".repeat(400_000));
    let call = owner.ask(Method::PUT, "conferences").json(&Value::Null).body(within);
    assert_eq!(call.send().await.created()["name"], "a");
}

#[tokio::test]
async fn many_writes_of_large_documents_at_once_all_have_their_turn() {
    let house = House::start().await;
    let owner = house.owner().await;
    let body = json!({ "custom": vec![0; 20_000] });
    let writes = (0..60).map(|_| owner.put("conferences", body.clone()));
    for made in futures_util::future::join_all(writes).await {
        made.created();
    }
    assert_eq!(owner.get("conferences?paginate=false").await.ok().as_array().map(Vec::len), Some(60));
}
