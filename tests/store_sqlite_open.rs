//! Opening an SQLite database: what is refused, and that nothing refused is touched.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use convened::store::{OpenError, SqliteSettings, SqliteStore, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor, SqliteConnection};

async fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(SqliteSettings::new(path)).await
}

async fn refused(path: &Path) -> OpenError {
    let error = open(path).await.expect_err("it must not open");
    let beside = SqliteStore::open_beside(SqliteSettings::new(path)).await.expect_err("nor beside a daemon");
    assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&beside), "{error} {beside}");
    error
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.expect("a connection")
}

fn assert_names(error: &OpenError, path: &Path) {
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[tokio::test]
async fn a_missing_directory_is_named_and_not_created() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing");
    let error = refused(&missing.join("convened.db")).await;
    assert!(matches!(&error, OpenError::DirectoryMissing { path } if *path == missing), "{error:?}");
    assert_names(&error, &missing);
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let error = refused(directory.path()).await;
    assert!(matches!(error, OpenError::NotAFile { .. }), "{error:?}");
    assert_names(&error, directory.path());
}

/// Root may write whatever the mode says, but nobody may write a program that runs: this one.
#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    let running = std::env::current_exe().expect("this program");
    let error = refused(&running).await;
    assert!(matches!(error, OpenError::NotAccessible { .. }), "{error:?}");
    assert_names(&error, &running);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let half = b"SQLite format 3\0".iter().copied().chain([0xee; 4080]).collect::<Vec<u8>>();
    let long = b"account,number\n".repeat(1000);
    for (name, garbage) in [("short", b"hi".to_vec()), ("long", long), ("half", half)] {
        let path = directory.path().join(name);
        fs::write(&path, &garbage).expect("written");
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{name}: {error:?}");
        assert_names(&error, &path);
        assert_eq!(fs::read(&path).expect("read"), garbage, "{name}");
        // What does not even begin like a database gets no lock beside it.
        let locked = directory.path().join(format!("{name}.lock")).exists();
        assert_eq!(locked, name == "half", "{name}");
    }
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("core.db");
    let mut other = raw(&path).await;
    other.execute("CREATE TABLE channels (uuid TEXT)").await.expect("a table");
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_names(&error, &path);
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema").fetch_all(&mut other).await.expect("tables");
    assert_eq!(tables, ["channels"]);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("convened.db");
    open(&path).await.expect("a store").close().await;
    raw(&path)
        .await
        .execute("INSERT INTO _sqlx_migrations VALUES (9999, 'to come', '2030-01-01', true, x'00', 1)")
        .await
        .expect("a newer schema");
    let error = refused(&path).await;
    assert!(matches!(error, OpenError::Newer { version: 9999, known: 4, .. }), "{error:?}");
    assert_names(&error, &path);
}

#[tokio::test]
async fn a_second_daemon_is_told_who_has_the_database() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("convened.db");
    let first = open(&path).await.expect("a store");
    // By another name as well.
    let link = directory.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    for path in [&path, &link] {
        let error = open(path).await.expect_err("in use");
        let pid = std::process::id();
        assert!(matches!(error, OpenError::InUse { pid: Some(found), .. } if found == pid), "{error:?}");
        assert!(error.is_in_use() && error.to_string().contains(&pid.to_string()), "{error}");
    }
    first.check().await.expect("the first is not disturbed");
    drop(first);
    open(&path).await.expect("free again, although the lock file is still there");
    assert!(directory.path().join("convened.db.lock").exists());
}

#[tokio::test]
async fn a_command_works_before_beside_and_after_a_daemon() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("convened.db");
    let beside = async || SqliteStore::open_beside(SqliteSettings::new(&path)).await;
    let before = beside().await.expect("it creates the database");
    assert!(!before.revoke_credential("nobody", 1).await.expect("a write"));
    let daemon = open(&path).await.expect("a command does not keep a daemon out");
    let during = beside().await.expect("nor the other way");
    for store in [&before, &during, &daemon] {
        assert!(!store.revoke_credential("nobody", 1).await.expect("a write"));
        assert!(store.credentials().await.expect("a read").is_empty());
    }
    daemon.close().await;
    drop(daemon);
    assert!(!during.revoke_credential("nobody", 1).await.expect("a write"));
}

#[tokio::test]
async fn a_newer_command_does_not_change_the_schema_under_a_daemon() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("convened.db");
    let daemon = open(&path).await.expect("a store");
    raw(&path).await.execute("DELETE FROM _sqlx_migrations").await.expect("an older schema");
    let error =
        SqliteStore::open_beside(SqliteSettings::new(&path)).await.expect_err("it waits for a restart");
    let pid = std::process::id();
    assert!(matches!(error, OpenError::Older { pid: Some(found), .. } if found == pid), "{error:?}");
    assert!(error.is_in_use());
    daemon.check().await.expect("not disturbed");
}

#[tokio::test]
async fn only_the_owner_may_read_what_is_created() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("convened.db");
    let store = open(&path).await.expect("a store");
    store.revoke_credential("nobody", 1).await.expect("a write");
    let mut seen = Vec::new();
    for entry in fs::read_dir(directory.path()).expect("a listing") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        seen.push(entry.file_name().into_string().expect("a name"));
    }
    seen.sort_unstable();
    assert_eq!(seen, ["convened.db", "convened.db-shm", "convened.db-wal", "convened.db.lock"]);
}
