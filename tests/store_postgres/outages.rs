//! The server goes away, hangs, and comes back.

use std::time::Instant;

use convened::documents::{Condition, DocumentQuery};
use convened::store::{PostgresStore, Store, StoreErrorKind};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::doorkeeper::{Doorkeeper, When};
use super::postgres::Postgres;
use super::{LIMIT, account, documents, healed, open, open_impatient, settings, store_error};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_down_calls_fail_and_afterwards_they_work_again() {
    let server = Postgres::start().await;
    let (store, documents) = open(&server.database().await).await;
    let made = documents.create(&account(), json!({"name": "before"})).await.expect("created");
    server.stop();
    for _ in 0..20 {
        let error = store_error(documents.get(&account(), &made.id).await.expect_err("down"));
        assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}");
        let error = store_error(documents.create(&account(), json!({})).await.expect_err("down"));
        assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}");
    }
    server.start_again();
    let (found, _) = healed(async || documents.get(&account(), &made.id).await.map_err(store_error)).await;
    assert_eq!(found, made);
    documents.create(&account(), json!({"name": "after"})).await.expect("and it is written as well");
    store.check().await.expect("well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_nobody_noticed_is_noticed_by_nobody() {
    let server = Postgres::start().await;
    let (_, documents) = open(&server.database().await).await;
    // Some connections in the pool, all of which die.
    let acme = account();
    let creates = (0..8).map(|_| documents.create(&acme, json!({})));
    assert!(join_all(creates).await.iter().all(Result::is_ok));
    server.stop();
    server.start_again();
    let found = documents.list(&account(), &DocumentQuery::default()).await.expect("a list");
    assert_eq!(found.documents.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_hangs_one_call_waits_and_the_others_fail_at_once() {
    let server = Postgres::start().await;
    let (_, documents) = open_impatient(&server.database().await).await;
    let (made, _) = healed(async || documents.create(&account(), json!({})).await.map_err(store_error)).await;
    server.freeze();
    let error = store_error(documents.get(&account(), &made.id).await.expect_err("hangs"));
    assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}");
    // Each would wait for LIMIT, one after the other.
    let (begun, count) = (Instant::now(), 200);
    for _ in 0..count {
        store_error(documents.get(&account(), &made.id).await.expect_err("hangs"));
    }
    assert!(begun.elapsed() < LIMIT * count / 4, "they waited, each for itself: {:?}", begun.elapsed());
    server.thaw();
    let (found, _) = healed(async || documents.get(&account(), &made.id).await.map_err(store_error)).await;
    assert_eq!(found, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_up_after_us_is_taken_with_its_empty_database() {
    let server = Postgres::start().await;
    let url = server.database().await;
    server.stop();
    let error = PostgresStore::open(&settings(&url)).await.expect_err("down");
    assert!(error.may_pass(), "{error}");
    let store = PostgresStore::open_or_wait(&settings(&url)).await.expect("started without it");
    let error = store.check().await.expect_err("down");
    assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error}");
    server.start_again();
    healed(async || store.check().await).await;
    assert_eq!((store.schema_version().was, store.schema_version().is), (0, 4));
    let made = documents(std::sync::Arc::new(store)).create(&account(), json!({})).await;
    made.expect("the schema was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_not_answered_is_told_as_such_whether_or_not_it_happened() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let (_, direct) = open(&url).await;
    for (when, happened) in [(When::BeforeCommit, false), (When::AfterCommit, true)] {
        let door = Doorkeeper::before(&server).await;
        let (store, documents) = open(&door.url(&url)).await;
        documents.create(&account(), json!({})).await.expect("let through");
        door.cut(when);
        let name = format!("{when:?}");
        let error = documents.create(&account(), json!({"name": name})).await.expect_err("cut");
        let error = store_error(error);
        assert_eq!(error.kind(), StoreErrorKind::Unconfirmed, "{when:?}: {error}");
        assert!(error.is_unavailable() && error.is_unconfirmed());
        let query = DocumentQuery { name: Some(name), ..DocumentQuery::default() };
        let found = async || direct.list(&account(), &query).await.expect("a list").documents.len();
        if happened {
            // The server may take a moment longer than the door.
            while found().await == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        assert_eq!(found().await, usize::from(happened), "{when:?}");
        healed(async || store.check().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_somebody_ends_costs_one_call_and_harms_no_other() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let (_, documents) = open(&url).await;
    let free = Condition::default();
    let made = documents.create(&account(), json!({"custom": 0})).await.expect("created");
    let mut acknowledged = 0;
    for round in 1..=30 {
        if round % 3 == 0 {
            let end =
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'convened'";
            server.sql(&url, end).await;
        }
        match documents.patch(&account(), &made.id, json!({"custom": round}), &free).await {
            Ok(_) => acknowledged = round,
            Err(error) => {
                let error = store_error(error);
                assert!(error.is_unavailable(), "{error}");
            }
        }
        let (now, _) = healed(async || documents.get(&account(), &made.id).await.map_err(store_error)).await;
        assert!(
            now.body["custom"].as_i64().expect("a number") >= acknowledged,
            "an acknowledged write is gone"
        );
    }
    assert!(acknowledged >= 20, "{acknowledged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_waits_for_the_disk_whatever_the_server_was_told() {
    let server = Postgres::start_durable().await;
    let url = server.database().await;
    let name = url.rsplit_once('/').map_or("", |(_, name)| name.split('?').next().unwrap_or(name)).to_owned();
    server.sql(&url, &format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off")).await;
    // A trigger sees the setting of the session that writes.
    let (_, documents) = open(&url).await;
    server
        .sql(
            &url,
            "CREATE TABLE seen (setting text);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
             CREATE TRIGGER see AFTER INSERT ON documents FOR EACH ROW EXECUTE FUNCTION see()",
        )
        .await;
    documents.create(&account(), json!({})).await.expect("created");
    server.sql(&url, "DO $$ BEGIN ASSERT (SELECT array_agg(setting) FROM seen) = '{on}'; END $$").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_made_anew_gets_its_tables_again() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let (store, documents) = open(&url).await;
    documents.create(&account(), json!({})).await.expect("created");
    server.sql(&url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    healed(async || store.check().await).await;
    let found = documents.list(&account(), &DocumentQuery::default()).await.expect("a list");
    assert_eq!(found.documents, []);
    documents.create(&account(), json!({})).await.expect("created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_else_holds_is_no_outage() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let (_, documents) = open_impatient(&url).await;
    let (made, _) = healed(async || documents.create(&account(), json!({})).await.map_err(store_error)).await;
    let mut other = PgConnection::connect(&url).await.expect("a connection");
    let hold = "BEGIN; LOCK TABLE numbers IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(hold).execute(&mut other).await.expect("held");
    let free = Condition::default();
    let body = json!({ "conference_numbers": ["1"] });
    let blocked = documents.replace(&account(), &made.id, body, &free).await;
    let error = store_error(blocked.expect_err("somebody else has it"));
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    // Whoever does not need it is not concerned.
    assert_eq!(documents.get(&account(), &made.id).await.expect("read at once"), made);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("given back");
    documents.replace(&account(), &made.id, json!({}), &free).await.expect("and now it is written");
}
