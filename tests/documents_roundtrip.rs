//! Whatever a client keeps in a document comes back as it was: keys, their order, numbers, texts.

use std::collections::HashSet;
use std::sync::Arc;

use convened::documents::{Condition, Documents};
use convened::store::{AccountId, Clock, SqliteSettings, SqliteStore};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Map, Value, json};

/// JSON texts of numbers that a double would not keep.
fn number() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u128>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?(e[+-][0-9]{1,3})?",
        Just("-0".to_owned()),
        Just("9007199254740993".to_owned()),
        Just("1.10".to_owned()),
    ];
    text.prop_map(|text| serde_json::from_str(&text).expect("a number"))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_]{1,8}", "\\PC{0,12}", any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number(),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            object(inner).prop_map(Value::Object),
        ]
    })
}

/// Keys in the order of making, not sorted.
fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((key(), inner), 0..6).prop_map(|pairs| pairs.into_iter().collect())
}

/// Keys that the schema does not know and that are not dropped.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    object(value()).prop_map(|map| {
        let known: HashSet<&str> = convened::documents::schema()["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, _)| &**k)
            .collect();
        let dropped = [
            "id",
            "focus",
            "revision",
            "members",
            "admins",
            "moderators",
            "duration",
            "is_locked",
            "ad_hoc",
            "stale",
            "instances",
            "profile_name",
        ];
        let is_kept = |key: &str| {
            !known.contains(key)
                && !dropped.contains(&key)
                && !key.starts_with('_')
                && !key.starts_with("pvt_")
        };
        map.into_iter().filter(|(key, _)| is_kept(key)).collect()
    })
}

#[test]
fn unknown_keys_their_order_and_large_numbers_come_back_as_they_were() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let settings = SqliteSettings::new(directory.path().join("convened.db"));
    let store = runtime.block_on(SqliteStore::open(settings)).expect("a store");
    let documents = Documents::new(Arc::new(store), Clock::system());
    let account: AccountId = "acme".parse().expect("an account");
    let seed = std::env::var("CONVENED_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("CONVENED_TEST_SEED={seed}");
    let config =
        Config { cases: 150, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let story = |(first, second): (Map<String, Value>, Map<String, Value>)| {
        runtime.block_on(async {
            // As it comes over the wire, and as it goes back.
            let sent = serde_json::to_string(&first).expect("a text");
            let data: Value = serde_json::from_str(&sent).expect("JSON");
            let made = documents.create(&account, data).await.expect("created");
            let read = documents.get(&account, &made.id).await.expect("read");
            prop_assert_eq!(&read, &made);
            prop_assert_eq!(kept_text(&read.body, first.len()), sent);
            // Sending back what was read changes nothing.
            let condition = Condition::default();
            let echo = Value::Object(read.body.clone());
            let again = documents.replace(&account, &made.id, echo, &condition).await.expect("replaced");
            prop_assert_eq!(text(&again.body), text(&read.body));
            // A patch leaves all other keys where they are.
            let patch = Value::Object(second.clone());
            let patched = documents.patch(&account, &made.id, patch, &condition).await.expect("patched");
            let untouched = |map: &Map<String, Value>| -> Vec<(String, String)> {
                let others = map.iter().filter(|(key, _)| !second.contains_key(*key));
                others.map(|(key, value)| (key.clone(), value.to_string())).collect()
            };
            prop_assert_eq!(untouched(&patched.body), untouched(&again.body));
            Ok(())
        })
    };
    TestRunner::new(config).run(&(unknown(), unknown()), story).expect("each case");
}

fn text(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).expect("a text")
}

/// The client's keys come first, the defaults behind them.
fn kept_text(body: &Map<String, Value>, count: usize) -> String {
    text(&body.iter().take(count).map(|(key, value)| (key.clone(), value.clone())).collect())
}

#[tokio::test]
async fn numbers_are_kept_digit_by_digit() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = SqliteSettings::new(directory.path().join("convened.db"));
    let store = SqliteStore::open(settings).await.expect("a store");
    let documents = Documents::new(Arc::new(store), Clock::system());
    let account: AccountId = "acme".parse().expect("an account");
    let sent = r#"{"z":9007199254740993,"a":[123456789012345678901234567890.0123456789,1.0,-0,1e400],"m":{"b":1,"a":2}}"#;
    let made = documents
        .create(&account, json!({"custom": serde_json::from_str::<Value>(sent).expect("JSON")}))
        .await;
    let read = documents.get(&account, &made.expect("created").id).await.expect("read");
    assert_eq!(read.body["custom"].to_string(), sent.replace("1e400", "1e+400"));
}
