//! The schema: defaults, all errors at once, what is dropped and what is kept.

use std::sync::Arc;

use convened::documents::{Condition, DocumentError, Documents, MAX_BYTES, MAX_DEPTH, schema, schema_text};
use convened::store::{AccountId, Clock, SqliteSettings, SqliteStore};
use serde_json::{Value, json};

struct House {
    documents: Documents,
    account: AccountId,
    _directory: tempfile::TempDir,
}

async fn house() -> House {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = SqliteSettings::new(directory.path().join("convened.db"));
    let store = SqliteStore::open(settings).await.expect("a store");
    House {
        documents: Documents::new(Arc::new(store), Clock::system()),
        account: "acme".parse().expect("an account"),
        _directory: directory,
    }
}

impl House {
    async fn errors(&self, data: Value) -> Value {
        let error = self.documents.create(&self.account, data).await.expect_err("an invalid document");
        assert!(matches!(error, DocumentError::Invalid(_)), "{error:?}");
        let errors = error.field_errors().expect("field errors");
        assert_eq!(serde_json::to_value(&errors).expect("serializes"), errors.to_value());
        errors.to_value()
    }

    async fn text(&self, data: Value) -> String {
        let document = self.documents.create(&self.account, data).await.expect("a document");
        serde_json::to_string(&document.body).expect("a text")
    }
}

#[test]
fn the_schema_is_one_and_says_what_the_contract_says() {
    let served: Value = serde_json::from_str(schema_text()).expect("JSON");
    assert_eq!(&served, schema());
    jsonschema::draft202012::meta::validate(schema()).expect("a schema of draft 2020-12");
    let properties = schema()["properties"].as_object().expect("properties");
    let mut keys: Vec<_> = properties.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "caller_controls",
            "conference_numbers",
            "flags",
            "focus",
            "language",
            "max_participants",
            "member",
            "moderator",
            "name",
            "owner_id",
            "play_entry_tone",
            "play_exit_tone",
            "play_name",
            "play_welcome",
            "profile",
            "require_moderator",
            "wait_for_moderator",
        ]
    );
}

#[tokio::test]
async fn an_empty_document_gets_every_default() {
    let house = house().await;
    let document = house.documents.create(&house.account, json!({})).await.expect("a document");
    let expected = json!({
        "conference_numbers": [],
        "flags": [],
        "member": {"join_deaf": false, "join_muted": true, "numbers": [], "pins": []},
        "moderator": {"join_deaf": false, "join_muted": false, "numbers": [], "pins": []},
        "play_name": false,
        "play_welcome": false,
        "require_moderator": false,
        "wait_for_moderator": false,
    });
    assert_eq!(Value::Object(document.body), expected);
    assert_eq!(document.id.len(), 32);
    assert!(document.id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{}", document.id);
    assert!(document.revision.starts_with("1-"), "{}", document.revision);
}

#[tokio::test]
async fn defaults_are_filled_on_replace_but_not_on_patch() {
    let House { documents, account, _directory } = house().await;
    let made = documents.create(&account, json!({"member": {"join_muted": false}})).await.expect("made");
    assert_eq!(made.body["member"]["join_muted"], json!(false));
    let free = Condition::default();
    let patch = json!({"member": {"join_muted": null}, "flags": null});
    let patched = documents.patch(&account, &made.id, patch, &free).await.expect("patched");
    assert_eq!(patched.body["member"].get("join_muted"), None);
    assert_eq!(patched.body.get("flags"), None);
    let replaced =
        documents.replace(&account, &made.id, json!({"name": "x"}), &free).await.expect("replaced");
    assert_eq!(replaced.body["member"]["join_muted"], json!(true));
    assert_eq!(replaced.body["flags"], json!([]));
    assert_eq!((replaced.created, replaced.body["name"].as_str()), (made.created, Some("x")));
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_with_path_and_keyword() {
    let house = house().await;
    let long = "x".repeat(129);
    let errors = house
        .errors(json!({
            "name": long,
            "owner_id": "short",
            "profile": "no spaces",
            "max_participants": 1,
            "conference_numbers": ["123", "12a"],
            "member": {"pins": ["12345678901234567"], "join_muted": "yes"},
            "moderator": 7,
            "play_entry_tone": "",
            "play_exit_tone": 5,
        }))
        .await;
    let expected = json!({
        "name": {"maxLength": {
            "message": "String must have at most 128 characters", "target": 128, "value": long}},
        "owner_id": {"minLength": {
            "message": "String must have at least 32 characters", "target": 32, "value": "short"}},
        "profile": {"pattern": {
            "message": "String must match \"^[A-Za-z0-9_.-]{1,64}$\"",
            "target": "^[A-Za-z0-9_.-]{1,64}$", "value": "no spaces"}},
        "max_participants": {"minimum": {"message": "Value must be at least 2", "target": 2, "value": 1}},
        "conference_numbers.1": {"pattern": {
            "message": "String must match \"^[0-9]+$\"", "target": "^[0-9]+$", "value": "12a"}},
        "member.pins.0": {"pattern": {
            "message": "String must match \"^[0-9]{1,16}$\"",
            "target": "^[0-9]{1,16}$", "value": "12345678901234567"}},
        "member.join_muted": {"type": {
            "message": "Value must be of type boolean", "target": "boolean", "value": "yes"}},
        "moderator": {"type": {"message": "Value must be of type object", "target": "object", "value": 7}},
        "play_exit_tone": {"type": {
            "message": "Value must be of type boolean or string",
            "target": ["boolean", "string"], "value": 5}},
    });
    let (Value::Object(mut errors), Value::Object(expected)) = (errors, expected) else { panic!("objects") };
    let tone = errors.remove("play_entry_tone").expect("an error for the tone");
    assert_eq!(tone["minLength"]["target"], json!(1));
    let mut found: Vec<_> = errors.keys().cloned().collect();
    found.sort_unstable();
    let mut wanted: Vec<_> = expected.keys().cloned().collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    for (path, wanted) in expected {
        assert_eq!(errors[&path], wanted, "{path}");
    }
}

#[tokio::test]
async fn a_line_end_does_not_slip_past_a_pattern() {
    let house = house().await;
    for wrong in ["123\n", "\n123", "１２３", "", " 1", "+1"] {
        let errors = house.errors(json!({"conference_numbers": [wrong]})).await;
        assert!(errors["conference_numbers.0"]["pattern"].is_object(), "{wrong:?}: {errors}");
    }
    for key in ["profile", "language", "caller_controls"] {
        for wrong in ["default\n", "", "a/b", "a b", "${x}", "é", &"x".repeat(65)] {
            assert!(house.errors(json!({key: wrong})).await[key]["pattern"].is_object(), "{key} {wrong:?}");
        }
    }
}

#[tokio::test]
async fn a_tone_is_a_boolean_or_printable_text_that_the_switch_does_not_expand() {
    let house = house().await;
    for tone in [
        json!(true),
        json!(false),
        json!("tone_stream://%(500,0,300,200,100,50,25)"),
        json!("http://example.com/a b.wav?x={1}"),
        json!("/sounds/enter.wav"),
    ] {
        house.text(json!({"play_entry_tone": tone, "play_exit_tone": tone})).await;
    }
    for tone in ["${system(id)}", "a\nb", "a\r", "\u{0}", "x ${y}", "\u{7f}"] {
        let errors = house.errors(json!({"play_exit_tone": tone})).await;
        assert!(errors["play_exit_tone"]["pattern"].is_object(), "{tone:?}: {errors}");
    }
}

#[tokio::test]
async fn max_participants_is_a_whole_number_of_any_size_from_two_up() {
    let house = house().await;
    let with = |number: &str| -> Value {
        serde_json::from_str(&format!("{{\"max_participants\": {number}}}")).expect("JSON")
    };
    for good in ["2", "3000", "2.0", "18446744073709551616"] {
        let text = house.text(with(good)).await;
        assert!(text.contains(&format!("\"max_participants\":{good}")), "{text}");
    }
    for bad in [
        "1",
        "0",
        "-3",
        "2.5",
        "1.5e0",
        "-18446744073709551616",
        "\"2\"",
        "null",
        "-1e400",
        "1.99999999999999999999999",
    ] {
        let errors = house.errors(with(bad)).await;
        assert!(errors["max_participants"].is_object(), "{bad}: {errors}");
    }
}

#[tokio::test]
async fn one_pin_opens_one_role_and_one_number_stands_once() {
    let house = house().await;
    let errors = house
        .errors(json!({
            "conference_numbers": ["100", "200", "100"],
            "member": {"pins": ["1", "2"], "numbers": ["300"]},
            "moderator": {"pins": ["3", "2"], "numbers": ["200", "300"]},
        }))
        .await;
    let mut paths: Vec<_> = errors.as_object().expect("errors").keys().map(String::as_str).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["conference_numbers.2", "moderator.numbers.0", "moderator.numbers.1", "moderator.pins.1"]
    );
    assert_eq!(errors["moderator.pins.1"]["unique"]["value"], json!("2"));
    assert_eq!(errors["moderator.numbers.0"]["unique"]["cause"], json!("conference_numbers.1"));
    house.text(json!({"member": {"pins": ["1"]}, "moderator": {"pins": ["01"]}})).await;
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_and_leaves_no_trace() {
    let house = house().await;
    let clean = house.text(json!({"name": "a", "profile": "p"})).await;
    let mut noisy = json!({
        "id": "x", "focus": 1, "revision": {}, "members": 1, "admins": 2, "moderators": 3, "duration": 4,
        "is_locked": "?", "ad_hoc": [], "stale": true, "instances": null, "_read_only": {"members": 1}, "_": 1, "pvt_type": "c",
    });
    noisy["name"] = json!("a");
    noisy["profile"] = json!("p");
    assert_eq!(house.text(noisy).await, clean);
    let kept = house.text(json!({"custom": {"id": 1, "_x": 2, "pvt_y": 3}, "pvt": 1})).await;
    assert!(kept.starts_with(r#"{"custom":{"id":1,"_x":2,"pvt_y":3},"pvt":1"#), "{kept}");
}

#[tokio::test]
async fn profile_name_is_another_spelling_of_profile() {
    let House { documents, account, _directory } = house().await;
    let free = Condition::default();
    let made = documents.create(&account, json!({"profile_name": "wide"})).await.expect("made");
    assert_eq!((made.body["profile"].as_str(), made.body.get("profile_name")), (Some("wide"), None));
    let both = json!({"profile_name": "old", "profile": "new"});
    let made = documents.create(&account, both).await.expect("made");
    assert_eq!(made.body["profile"].as_str(), Some("new"));
    let gone = documents.patch(&account, &made.id, json!({"profile_name": null}), &free).await.expect("gone");
    assert_eq!(gone.body.get("profile"), None);
}

#[tokio::test]
async fn what_is_no_object_too_deep_or_too_large_is_refused() {
    let house = house().await;
    for data in [json!([]), json!("x"), json!(1), json!(null), json!(true)] {
        assert!(house.errors(data).await["data"]["type"].is_object());
    }
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"a": inner}));
    house.text(nested(MAX_DEPTH)).await;
    assert!(house.errors(nested(MAX_DEPTH + 1)).await["data"]["maxDepth"].is_object());
    let large = json!({"custom": "x".repeat(MAX_BYTES)});
    assert!(house.errors(large).await["data"]["maxBytes"].is_object());
}

#[tokio::test]
async fn a_patch_cannot_grow_a_document_past_the_bounds() {
    let House { documents, account, _directory } = house().await;
    let free = Condition::default();
    let made = documents.create(&account, json!({})).await.expect("made");
    let half = "x".repeat(MAX_BYTES / 2);
    documents.patch(&account, &made.id, json!({"a": half}), &free).await.expect("half is fine");
    let error = documents.patch(&account, &made.id, json!({"b": half}), &free).await.expect_err("too much");
    assert!(error.field_errors().expect("field errors").to_value()["data"]["maxBytes"].is_object());
    let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
    documents.patch(&account, &made.id, deep, &free).await.expect_err("too deep");
}

#[tokio::test]
async fn a_thousand_errors_are_not_all_sent_back() {
    let house = house().await;
    let numbers: Vec<_> = (0..1000).map(|n| format!("x{n}")).collect();
    let errors = house.errors(json!({"conference_numbers": numbers, "name": ""})).await;
    assert_eq!(errors.as_object().expect("errors").len(), 100);
    let errors = house.errors(json!({"name": "x".repeat(10_000)})).await;
    assert_eq!(errors["name"]["maxLength"].get("value"), None);
}

/// serde_json takes these keys for its own: a document with one would be stored and not be read again.
#[tokio::test]
async fn a_key_that_would_make_the_document_unreadable_is_refused_wherever_it_stands() {
    let House { documents, account, _directory } = house().await;
    let free = Condition::default();
    let made = documents.create(&account, json!({"custom": {"a": 1}})).await.expect("created");
    for key in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        for custom in [json!({(key): "1"}), json!({"a": 1, (key): "no number"}), json!([{"b": [{(key): 1}]}])]
        {
            let body = json!({"custom": custom});
            let created = documents.create(&account, body.clone()).await;
            let patched = documents.patch(&account, &made.id, body, &free).await;
            for refused in [created, patched] {
                let error = refused.expect_err(key).field_errors().expect("field errors");
                assert!(error.to_value()["data"]["propertyNames"].is_object(), "{error}");
            }
        }
        let kept = json!({"custom": {"a": key}});
        documents.patch(&account, &made.id, kept, &free).await.expect("as a value it is a text");
        assert_eq!(documents.get(&account, &made.id).await.expect("there").body["custom"]["a"], key);
    }
}
