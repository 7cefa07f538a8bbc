//! `kill -9` at any moment: what was acknowledged is there, and everything that is there is whole.
//!
//! `a_child_that_writes` is no test by itself: it is run in a process of its own that is killed, and
//! does nothing otherwise.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use convened::documents::{Condition, Document, Documents};
use convened::store::{AccountId, Clock, DocumentQuery, OpenError, SqliteSettings, SqliteStore};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

/// The database for a child; unset in the test run itself.
const CHILD_DATABASE: &str = "CONVENED_TEST_CHILD_DATABASE";
/// How often it is killed: more before a release.
const ROUNDS: &str = "CONVENED_TEST_KILLS";
/// Repeats a run.
const SEED: &str = "CONVENED_TEST_SEED";

fn account() -> AccountId {
    "acme".parse().expect("an account")
}

async fn documents(path: &Path) -> Documents {
    let store = SqliteStore::open(SqliteSettings::new(path)).await.expect("a store");
    Documents::new(Arc::new(store), Clock::system())
}

/// What is known of a document from what the child said.
#[derive(Debug, Default)]
struct Told {
    /// The number of the revision that was acknowledged last; 0 once it was deleted.
    revision: u64,
    /// Something was begun after that, and may have happened.
    begun: bool,
}

#[tokio::test]
async fn what_was_acknowledged_survives_being_killed_at_any_moment() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number(SEED).unwrap_or_else(rand::random);
    println!("{SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("convened.db");
    let mut told = HashMap::<String, Told>::new();
    for _ in 0..number(ROUNDS).unwrap_or(10) {
        let lines = random.random_range(1..80);
        write_and_be_killed(&path, lines, &mut told).await;
        check(&path, &mut told).await;
    }
    assert!(told.len() > 10, "too little was written to tell anything: {}", told.len());
}

async fn write_and_be_killed(path: &Path, lines: usize, told: &mut HashMap<String, Told>) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_child_that_writes", "--nocapture"])
        .env(CHILD_DATABASE, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut reader = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut said = 0;
    while let Some(Ok(line)) = reader.next() {
        // The first words come on a line that the test harness began.
        let Some((_, words)) = line.split_once("child: ") else { continue };
        let words: Vec<&str> = words.split(' ').collect();
        let [what, id, revision] = words[..] else { continue };
        let known = told.entry(id.to_owned()).or_default();
        known.begun = what == "begin";
        if what == "done" {
            known.revision = revision.parse().expect("a number");
        }
        said += 1;
        if said == 1 {
            let error = SqliteStore::open(SqliteSettings::new(path)).await.expect_err("the child has it");
            let pid = child.id();
            assert!(matches!(error, OpenError::InUse { pid: Some(found), .. } if found == pid), "{error}");
        }
        if said == lines {
            child.kill().expect("killed");
        }
    }
    assert!(said >= lines, "the child stopped by itself after {said} lines");
    child.wait().expect("waited for");
}

async fn check(path: &Path, told: &mut HashMap<String, Told>) {
    let documents = documents(path).await;
    let mut found: HashMap<String, Document> = HashMap::new();
    let mut query = DocumentQuery { page_size: 500, ..DocumentQuery::default() };
    loop {
        let page = documents.list(&account(), &query).await.expect("a list");
        found.extend(page.documents.into_iter().map(|document| (document.id.clone(), document)));
        match page.next_start_key {
            Some(next) => query.start_key = Some(next),
            None => break,
        }
    }
    for (id, known) in told {
        let revision = found.get(id).map_or(0, |document| {
            document.revision.split_once('-').expect("N-hash").0.parse().expect("a number")
        });
        let next = if revision == 0 { known.revision } else { revision - 1 };
        let as_told = revision == known.revision;
        assert!(as_told || (known.begun && next == known.revision), "{id}: {revision} but {known:?}");
        *known = Told { revision, begun: false };
        let Some(document) = found.remove(id) else { continue };
        assert_whole(&documents, &document).await;
    }
    // Those that were created without a word of it: at most the last one of each round, and whole.
    for document in found.into_values() {
        assert_whole(&documents, &document).await;
    }
}

async fn assert_whole(documents: &Documents, document: &Document) {
    let version = document.body["custom"]["version"].as_u64().expect("a version");
    assert!(document.revision.starts_with(&format!("{version}-")), "{document:?}");
    assert_eq!(document.numbers().len(), 2);
    for number in document.numbers() {
        let found = documents.by_number(&account(), &number.number).await.expect("read");
        assert_eq!(found, Some((document.clone(), number.role)));
    }
}

#[tokio::test]
async fn a_child_that_writes() {
    let Some(path) = std::env::var_os(CHILD_DATABASE) else { return };
    let documents = documents(Path::new(&path)).await;
    let free = Condition::default();
    let number = || rand::random_range(0..u64::MAX).to_string();
    let body = |version: u64| {
        let (number, other) = (number(), number());
        json!({
            "conference_numbers": [number], "member": {"numbers": [other]},
            "custom": {"version": version, "filling": "x".repeat(3000)},
        })
    };
    // Until it is killed.
    loop {
        let made = documents.create(&account(), body(1)).await.expect("created");
        say("done", &made.id, 1);
        for version in 2..4 {
            say("begin", &made.id, version);
            documents.replace(&account(), &made.id, body(version), &free).await.expect("replaced");
            say("done", &made.id, version);
        }
        if rand::random() {
            say("begin", &made.id, 0);
            documents.delete(&account(), &made.id, &free).await.expect("deleted");
            say("done", &made.id, 0);
        }
    }
}

/// One write, so that no line is cut in two.
fn say(what: &str, id: &str, revision: u64) {
    let line = format!("child: {what} {id} {revision}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).expect("told");
}
