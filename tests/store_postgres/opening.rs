//! Databases that are not as they should be, and what is said of them.

use convened::secret::Secret;
use convened::store::{OpenError, PostgresSettings, PostgresStore, Store};

use super::postgres::Postgres;
use super::settings;

async fn refusal(settings: &PostgresSettings) -> OpenError {
    let error = PostgresStore::open(settings).await.expect_err("refused");
    let waiting = PostgresStore::open_or_wait(settings).await.expect_err("waiting would not help");
    assert_eq!(error.to_string(), waiting.to_string());
    assert!(!error.may_pass(), "{error}");
    error
}

#[tokio::test]
async fn a_database_that_is_not_there_and_a_user_who_may_not_are_refusals() {
    let server = Postgres::shared().await;
    let error = refusal(&settings(&server.url("nowhere"))).await;
    assert!(matches!(error, OpenError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("\"nowhere\" does not exist"), "{error}");
    let url = server.database().await;
    server.sql(&url, "CREATE ROLE guest LOGIN").await;
    let guest = url.replacen("postgres@", "guest@", 1);
    let error = refusal(&settings(&guest)).await;
    assert!(error.to_string().contains("permission denied"), "{error}");
}

#[tokio::test]
async fn an_encoding_that_cannot_hold_every_name_is_refused() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    server.sql(&url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").await;
    let error = refusal(&settings(&server.url("latin"))).await;
    assert!(matches!(&error, OpenError::Encoding { encoding, .. } if encoding == "LATIN1"), "{error}");
    assert!(error.to_string().contains("ENCODING 'UTF8'"), "{error}");
}

#[tokio::test]
async fn tables_of_others_are_left_alone() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    // Another program with sqlx, and one with a table of our name.
    server.sql(&url, "CREATE TABLE _sqlx_migrations (version int8); CREATE TABLE people (id int8)").await;
    PostgresStore::open(&settings(&url)).await.expect("there is room for both");
    let url = server.database().await;
    server.sql(&url, "CREATE TABLE numbers (n int8); INSERT INTO numbers VALUES (7)").await;
    let error = refusal(&settings(&url)).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    server.sql(&url, "DO $$ BEGIN ASSERT (SELECT sum(n) FROM numbers) = 7; END $$").await;
}

#[tokio::test]
async fn a_newer_schema_is_not_touched() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    PostgresStore::open(&settings(&url)).await.expect("a store").close().await;
    let newer = "INSERT INTO convened_migrations
                 SELECT 9999, 'later', installed_on, success, checksum, execution_time
                 FROM convened_migrations LIMIT 1";
    server.sql(&url, newer).await;
    let error = refusal(&settings(&url)).await;
    assert!(matches!(error, OpenError::Newer { version: 9999, .. }), "{error}");
}

#[tokio::test]
async fn no_error_shows_a_password() {
    let server = Postgres::shared().await;
    let with = server.url("nowhere").replacen("postgres@", "postgres:hunter2@", 1);
    let settings = PostgresSettings { password: Some(Secret::new("hunter2")), ..settings(&with) };
    let error = refusal(&settings).await;
    let shown = format!("{error} {error:?} {settings:?}");
    assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
    for url in [
        "postgres://u:hunter2@h:port/d",
        "postgres://u:hunter2@[h/d",
        "postgres://u:hunter2@h/d?sslmode=hunter2",
        "postgres://u@h/d?pass=hunter2",
    ] {
        let error = PostgresSettings::new(url).check().expect_err(url);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_password_in_the_url_or_beside_it_opens() {
    let server = Postgres::start().await;
    let url = server.database().await;
    server.sql(&url, "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'p@ss:w/rd'").await;
    server.require_password("keeper");
    let url = url.replacen("postgres@", "keeper@", 1);
    let error = refusal(&settings(&url)).await;
    assert!(error.to_string().contains("password"), "{error}");
    let wrong = PostgresSettings { password: Some(Secret::new("wrong")), ..settings(&url) };
    let error = refusal(&wrong).await;
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    let right = PostgresSettings { password: Some(Secret::new("p@ss:w/rd")), ..settings(&url) };
    PostgresStore::open(&right).await.expect("beside the URL");
    let url = url.replacen("keeper@", "keeper:p%40ss%3Aw%2Frd@", 1);
    PostgresStore::open(&settings(&url)).await.expect("in the URL");
}

#[test]
fn a_url_that_cannot_work_is_told_before_anybody_is_asked() {
    for (url, said) in [
        ("postgres://u@h/d?sslmode=maybe", "another sslmode than disable"),
        ("postgres://u@h:99999/d", "a port that is no number"),
        ("postgres://u@h/d?timeout=5", "the parameter `timeout`"),
        ("postgres://u@h/d?sslrootcert=/nowhere/ca.crt", "sslrootcert: /nowhere/ca.crt: cannot be read"),
        ("postgres://u:p#w@h/d", "percent-encoded"),
    ] {
        let error = PostgresSettings::new(url).check().expect_err(url).to_string();
        assert!(error.contains(said), "{url}: {error}");
    }
    PostgresSettings::new("postgresql://u:p%23w@h:5433/d?sslmode=require").check().expect("a good one");
}
