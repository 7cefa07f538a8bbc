//! `kill -9` while four clients write: what was acknowledged is there, and nothing is half there.
//!
//! `CONVENED_TEST_KILLS` says how often; `tests/full` kills a hundred times.

#[path = "support/rest.rs"]
mod client;
#[path = "support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "a part is used")]
#[path = "rest/process.rs"]
mod process;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use client::{Answer, Call, Rest, look_again, text};
use http::{Method, StatusCode};
use postgres::Postgres;
use process::{ACCOUNT, Site};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const WRITERS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_on_sqlite() {
    let site = Site::new().await;
    kill_again_and_again(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_on_postgresql() {
    let server = Postgres::start_durable().await;
    let site = Site::new().await;
    site.configure_database(&server.database().await);
    kill_again_and_again(&site).await;
}

async fn kill_again_and_again(site: &Site) {
    let kills = std::env::var("CONVENED_TEST_KILLS").map_or(4, |kills| kills.parse().expect("a number"));
    let seed = std::env::var("CONVENED_TEST_SEED")
        .map_or_else(|_| rand::random(), |seed| seed.parse().expect("a seed"));
    println!("CONVENED_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let token = site.token(&["create", "--account", ACCOUNT, "--scope", "read,control,write"]).await;
    let known: Known = Arc::default();
    let mut acknowledged = 0;
    for round in 0..kills {
        let (daemon, address) = site.serving().await;
        let rest = ready(address, &token).await;
        look_at_all(&rest, &known).await;
        let count = Arc::new(AtomicUsize::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(rest.clone(), known.clone(), count.clone(), random.random(), writer))
            })
            .collect();
        // A kill in the middle of the writing, wherever that is.
        let enough = random.random_range(1..60);
        while count.load(Ordering::SeqCst) < enough {
            look_again().await;
        }
        daemon.signal("KILL").await;
        assert_eq!(daemon.ended().await.code, None, "round {round}");
        for writer in writers {
            writer.await.expect("a writer that only ends because nobody answers");
        }
        acknowledged += count.load(Ordering::SeqCst);
    }
    let (daemon, address) = site.serving().await;
    let rest = ready(address, &token).await;
    look_at_all(&rest, &known).await;
    look_at_the_list(&rest, &known).await;
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code, Some(0));
    println!("{kills} kills, {acknowledged} acknowledged writes");
}

/// A client, once it is known what runs: before, what has no document may be a conference of that name.
async fn ready(address: SocketAddr, token: &str) -> Rest {
    let rest = Rest::new(address, ACCOUNT, Some(token));
    rest.until("/readyz", |answer| answer.status == StatusCode::OK).await;
    rest
}

/// Documents by their names, which the writers give and which are used once.
type Known = Arc<Mutex<HashMap<String, Told>>>;

/// What is known of a document.
#[derive(Clone, Debug, Default)]
struct Told {
    id: Option<String>,
    /// The last version that was acknowledged; none: no document.
    sure: Option<u64>,
    /// What was asked for after that, if the answer did not come.
    asked: Option<Option<u64>>,
}

fn body(name: &str, version: u64) -> Value {
    let number = name.replace('-', "");
    json!({ "data": {
        "name": name,
        "conference_numbers": [format!("{number}{}", version % 2)],
        "member": { "numbers": [format!("9{number}")] },
        "custom": { "version": version },
    } })
}

/// Creates, replaces and deletes until nobody answers any more.
async fn write(rest: Rest, known: Known, count: Arc<AtomicUsize>, seed: u64, writer: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        let name = format!("{writer}-{}", random.random::<u64>());
        let create = rest.ask(Method::PUT, "conferences").json(&body(&name, 1));
        let Some(answer) = told(&known, &name, Some(1), create).await else { return };
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let id = text(&answer.data()["id"]);
        change(&known, &name, |told| told.id = Some(id.clone()));
        count.fetch_add(1, Ordering::SeqCst);
        let path = format!("conferences/{id}");
        for version in 2..4 {
            let replace = rest.ask(Method::POST, &path).json(&body(&name, version));
            let Some(answer) = told(&known, &name, Some(version), replace).await else { return };
            answer.ok();
            count.fetch_add(1, Ordering::SeqCst);
        }
        if random.random() {
            let Some(answer) = told(&known, &name, None, rest.ask(Method::DELETE, &path)).await else {
                return;
            };
            answer.ok();
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Notes what is asked for, asks, and notes that it was acknowledged.
async fn told(known: &Known, name: &str, version: Option<u64>, call: Call) -> Option<Answer> {
    change(known, name, |told| told.asked = Some(version));
    let answer = call.try_send().await.ok()?;
    if answer.status.is_success() {
        change(known, name, |told| (told.sure, told.asked) = (version, None));
    }
    Some(answer)
}

fn change(known: &Known, name: &str, change: impl FnOnce(&mut Told)) {
    change(known.lock().expect("no panic").entry(name.to_owned()).or_default());
}

/// Everything is as it was acknowledged, or as it was asked for last; from now on it is known which.
async fn look_at_all(rest: &Rest, known: &Known) {
    let all = known.lock().expect("no panic").clone();
    for (name, told) in all {
        let found = match &told.id {
            Some(id) => whole(rest, &rest.get(&format!("conferences/{id}")).await, &name).await,
            None => {
                let list = rest.get(&format!("conferences?filter_name={name}")).await.ok();
                assert!(list.as_array().is_some_and(|list| list.len() <= 1), "{list}");
                match list[0]["id"].as_str() {
                    Some(id) => whole(rest, &rest.get(&format!("conferences/{id}")).await, &name).await,
                    None => None,
                }
            }
        };
        let version = found.as_ref().map(|(_, version)| *version);
        assert!(version == told.sure || Some(version) == told.asked, "{name}: {version:?}, but {told:?}");
        change(known, &name, |told| {
            *told = Told { id: found.map(|(id, _)| id).or(told.id.take()), sure: version, asked: None };
        });
    }
}

/// The id and version of a document, which is all of one version.
async fn whole(rest: &Rest, answer: &Answer, name: &str) -> Option<(String, u64)> {
    if answer.status == StatusCode::NOT_FOUND {
        return None;
    }
    let document = answer.ok();
    let version = document["custom"]["version"].as_u64().expect("a version");
    let expected = &body(name, version)["data"];
    for key in ["name", "conference_numbers"] {
        assert_eq!(document[key], expected[key], "{document}");
    }
    let revision = answer.json()["revision"].as_str().expect("a revision").to_owned();
    assert!(revision.starts_with(&format!("{version}-")), "{revision} of {document}");
    // Its numbers are taken, by it alone: another document does not get them.
    let taken = rest.ask(Method::PUT, "conferences").json(&body(name, version)).send().await;
    assert_eq!(
        taken.refused(400, "validation_error")["numbers"]["unique"]["cause"],
        expected["conference_numbers"][0]
    );
    Some((text(&document["id"]), version))
}

/// The list has what is known, and nothing else.
async fn look_at_the_list(rest: &Rest, known: &Known) {
    let list = rest.get("conferences?paginate=false").await.ok();
    let mut listed: Vec<String> =
        list.as_array().expect("a list").iter().map(|document| text(&document["name"])).collect();
    let known = known.lock().expect("no panic");
    let mut there: Vec<String> =
        known.iter().filter(|(_, told)| told.sure.is_some()).map(|(name, _)| name.clone()).collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}
