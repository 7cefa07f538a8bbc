//! A database that fails: full, locked, damaged. The client is told, the daemon lives, and it heals.
//!
//! `a_child_*` are no tests by themselves: they are run in a process of their own by the test that
//! needs one, and do nothing otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use convened::documents::{Condition, Document, DocumentError, Documents};
use convened::store::{
    AccountId, Clock, DocumentQuery, SqliteSettings, SqliteStore, Store, StoreError, StoreErrorKind,
};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

/// The database for a child; unset in the test run itself.
const CHILD_DATABASE: &str = "CONVENED_TEST_CHILD_DATABASE";

/// Far above what an empty database needs, and soon reached by documents of 60 KiB.
const FILE_LIMIT: u64 = 1_000_000;

struct House {
    documents: Documents,
    store: Arc<SqliteStore>,
    account: AccountId,
}

impl House {
    async fn open(settings: SqliteSettings) -> Self {
        let store = Arc::new(SqliteStore::open(settings).await.expect("a store"));
        let documents = Documents::new(Arc::clone(&store) as Arc<dyn Store>, Clock::system());
        Self { documents, store, account: "acme".parse().expect("an account") }
    }

    async fn create_large(&self) -> Result<Document, StoreError> {
        let data = json!({"custom": "x".repeat(60 * 1024)});
        match self.documents.create(&self.account, data).await {
            Ok(document) => Ok(document),
            Err(DocumentError::Store(error)) => Err(error),
            Err(error) => panic!("not a failure of the database: {error:?}"),
        }
    }

    /// Creates until the first failure.
    async fn fill(&self) -> (Vec<Document>, StoreError) {
        let mut stored = Vec::new();
        loop {
            match self.create_large().await {
                Ok(document) => stored.push(document),
                Err(error) => return (stored, error),
            }
            assert!(stored.len() < 1000, "it never fills up");
        }
    }

    async fn assert_holds(&self, documents: &[Document]) {
        let mut expected = documents.to_vec();
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        let mut found = Vec::new();
        let mut query = DocumentQuery::default();
        loop {
            let page = self.documents.list(&self.account, &query).await.expect("a list");
            found.extend(page.documents);
            match page.next_start_key {
                Some(next) => query.start_key = Some(next),
                None => break,
            }
        }
        assert_eq!(found.len(), expected.len());
        assert!(found == expected, "another list than expected");
    }
}

fn here(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("convened.db")
}

#[tokio::test]
async fn when_there_is_no_room_writes_fail_one_by_one_until_there_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = SqliteSettings { max_pages: Some(200), ..SqliteSettings::new(here(&directory)) };
    let house = House::open(settings).await;
    let (mut stored, error) = house.fill().await;
    assert!(error.is_disk_full() && error.is_unavailable(), "{error:?}");
    assert!(stored.len() > 3, "{}", stored.len());
    for _ in 0..5 {
        assert!(house.create_large().await.expect_err("still full").is_disk_full());
        house.assert_holds(&stored).await;
    }
    let gone = stored.pop().expect("some");
    let free = Condition::default();
    house.documents.delete(&house.account, &gone.id, &free).await.expect("deleting makes room");
    stored.push(house.create_large().await.expect("and there is room"));
    assert!(house.create_large().await.expect_err("full again").is_disk_full());
    house.assert_holds(&stored).await;
}

#[test]
fn when_the_file_may_not_grow_writes_fail_until_it_may() {
    let directory = tempfile::tempdir().expect("a directory");
    // The signal that comes with the limit is ignored, so that the write itself fails.
    let output = Command::new("prlimit")
        .arg(format!("--fsize={FILE_LIMIT}:unlimited"))
        .args(["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_child_that_may_not_grow_its_file", "--nocapture"])
        .env(CHILD_DATABASE, here(&directory))
        .output()
        .expect("prlimit of util-linux");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("child: healed"), "{told}\n{errors}");
}

#[tokio::test]
async fn a_child_that_may_not_grow_its_file() {
    let Some(path) = std::env::var_os(CHILD_DATABASE) else { return };
    let house = House::open(SqliteSettings::new(Path::new(&path))).await;
    let (mut stored, error) = house.fill().await;
    assert!(matches!(error.kind(), StoreErrorKind::Io | StoreErrorKind::DiskFull), "{error:?}");
    assert!(error.is_unavailable() && stored.len() > 3, "{}", stored.len());
    for _ in 0..5 {
        // A few may fit in again: SQLite writes its log back when a connection is closed.
        let (more, error) = house.fill().await;
        assert!(error.is_unavailable(), "{error}");
        stored.extend(more);
        house.assert_holds(&stored).await;
    }
    // The file and its log, a megabyte each.
    assert!(stored.len() < 40, "the limit limits nothing: {}", stored.len());
    let lifted = Command::new("prlimit")
        .args([format!("--pid={}", std::process::id()), "--fsize=unlimited".to_owned()])
        .status()
        .expect("prlimit");
    assert!(lifted.success());
    for _ in 0..20 {
        stored.push(house.create_large().await.expect("now it may"));
    }
    house.assert_holds(&stored).await;
    house.store.close().await;
    drop(house);
    House::open(SqliteSettings::new(Path::new(&path))).await.assert_holds(&stored).await;
    println!("child: healed");
}

#[tokio::test]
async fn a_writer_elsewhere_is_waited_for_and_then_told_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = here(&directory);
    let settings =
        SqliteSettings { busy_timeout: Duration::from_millis(50), ..SqliteSettings::new(path.clone()) };
    let house = House::open(settings).await;
    let before = house.create_large().await.expect("a document");
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.expect("a connection");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let error = house.create_large().await.expect_err("locked");
    assert_eq!((error.kind(), error.is_unavailable()), (StoreErrorKind::Busy, true), "{error:?}");
    house.assert_holds(std::slice::from_ref(&before)).await;
    other.execute("ROLLBACK").await.expect("the lock is given back");
    let after = house.create_large().await.expect("free again");
    house.assert_holds(&[before, after]).await;
}

#[tokio::test]
async fn a_document_that_somebody_broke_is_told_as_damaged() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = here(&directory);
    let house = House::open(SqliteSettings::new(path.clone())).await;
    let document = house.create_large().await.expect("a document");
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.expect("a connection");
    for text in ["{\"name\":", "[]", ""] {
        let update = sqlx::query("UPDATE documents SET text = ?").bind(text);
        update.execute(&mut other).await.expect("broken");
        let error = house.documents.get(&house.account, &document.id).await.expect_err("damaged");
        let DocumentError::Store(error) = error else { panic!("{error:?}") };
        assert_eq!((error.kind(), error.is_unavailable()), (StoreErrorKind::Damaged, false), "{error:?}");
        assert!(error.to_string().contains(&document.id), "{error}");
    }
    let free = Condition::default();
    house
        .documents
        .replace(&house.account, &document.id, json!({}), &free)
        .await
        .expect_err("nothing to follow");
    house.create_large().await.expect("others are not concerned");
}

#[tokio::test]
async fn after_closing_every_call_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let house = House::open(SqliteSettings::new(here(&directory))).await;
    let document = house.create_large().await.expect("a document");
    house.store.close().await;
    house.store.close().await;
    let write = house.create_large().await.expect_err("closed");
    let check = house.store.check().await.expect_err("closed");
    assert_eq!((write.kind(), check.kind()), (StoreErrorKind::Closed, StoreErrorKind::Closed));
    assert!(!directory.path().join("convened.db-wal").exists(), "the last one out writes the file back");
    let again = House::open(SqliteSettings::new(here(&directory))).await;
    drop(house);
    again.assert_holds(&[document]).await;
}
