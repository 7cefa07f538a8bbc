//! `convened migrate`.

use std::fs::File;
use std::io::Write;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::site::Site;

#[test]
fn the_schema_is_brought_up_to_date_once_and_one_line_says_what_was_done() {
    let site = Site::new();
    let url = format!("sqlite://{}", site.database().display());
    assert_eq!(site.run("migrate").ok(), format!("{url}: schema version 4, was 0\n"));
    for _ in 0..2 {
        assert_eq!(site.run("migrate").ok(), format!("{url}: is up to date (schema version 4)\n"));
    }
    site.run("token create --superuser").ok();
}

#[tokio::test]
async fn an_up_to_date_schema_is_told_beside_a_daemon_too() {
    let site = Site::new();
    let _daemon = site.store().await;
    assert!(site.run("migrate").ok().ends_with(": is up to date (schema version 4)\n"));
}

#[test]
fn a_daemon_that_prevents_the_change_is_named() {
    let site = Site::new();
    // A database without a schema that somebody has: what a daemon of an older program looks like.
    File::create(site.database()).expect("made");
    let mut lock = File::create(site.path("convened.db.lock")).expect("made");
    lock.try_lock().expect("locked");
    writeln!(lock, "4711").expect("written");
    let said = site.run("migrate").failed(78);
    assert!(said.contains("is used by an older convened with pid 4711; restart that first"), "{said}");
    assert_eq!(std::fs::metadata(site.database()).expect("there").len(), 0, "it is left alone");
    drop(lock);
    assert!(site.run("migrate").ok().ends_with("was 0\n"));
}

#[tokio::test]
async fn what_cannot_be_migrated_is_refused_with_its_reason() {
    let site = Site::new();
    site.run("migrate").ok();
    SqliteConnectOptions::new()
        .filename(site.database())
        .connect()
        .await
        .expect("a connection")
        .execute("INSERT INTO _sqlx_migrations VALUES (9999, 'to come', '2030-01-01', true, x'00', 1)")
        .await
        .expect("a newer schema");
    for command in ["migrate", "export", "import"] {
        let said = site.run(command).failed(78);
        assert!(said.contains("has schema version 9999, this program knows only 4"), "{said}");
    }
    std::fs::write(site.database(), "account,number\n").expect("written");
    assert!(site.run("migrate").failed(78).contains("is not an SQLite database"));
}
