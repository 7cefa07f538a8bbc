//! Several daemons on one database.

use std::sync::Arc;

use convened::documents::{Condition, DocumentError, DocumentQuery};
use convened::store::{PostgresStore, Store};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::postgres::Postgres;
use super::{account, documents, open, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sees_at_once_what_the_others_wrote() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let (one, other) = (open(&url).await.1, open(&url).await.1);
    let free = Condition::default();
    for round in 0..50 {
        let made = one.create(&account(), json!({"name": round.to_string()})).await.expect("created");
        assert_eq!(other.get(&account(), &made.id).await.expect("seen"), made);
        let changed =
            other.patch(&account(), &made.id, json!({"custom": round}), &free).await.expect("changed");
        assert_eq!(one.get(&account(), &made.id).await.expect("seen"), changed);
        one.delete(&account(), &made.id, &free).await.expect("deleted");
        let error = other.get(&account(), &made.id).await.expect_err("gone");
        assert!(matches!(error, DocumentError::NotFound { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_creates_of_one_number_by_four_daemons_one_succeeds() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let mut daemons = Vec::new();
    for _ in 0..4 {
        daemons.push(open(&url).await.1);
    }
    let creates = (0..200).map(|n| {
        let daemon = daemons[n % 4].clone();
        tokio::spawn(
            async move { daemon.create(&account(), json!({"conference_numbers": ["5551234"]})).await },
        )
    });
    let (mut made, mut refused) = (0, 0);
    for create in join_all(creates).await {
        match create.expect("no panic") {
            Ok(_) => made += 1,
            Err(DocumentError::NumbersInUse(number)) if number == "5551234" => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((made, refused), (1, 199));
    let found = daemons[0].list(&account(), &DocumentQuery::default()).await.expect("a list");
    assert_eq!(found.documents.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_swap_numbers_in_circles_never_wait_for_each_other() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let (one, other) = (open(&url).await.1, open(&url).await.1);
    let (acme, free) = (account(), Condition::default());
    let body = |a: &str, b: &str| json!({"conference_numbers": [a], "member": {"numbers": [b]}});
    let left = one.create(&account(), body("1", "2")).await.expect("created");
    let right = one.create(&account(), body("3", "4")).await.expect("created");
    for round in 0..40 {
        let (a, b) = if round % 2 == 0 { (("3", "2"), ("1", "4")) } else { (("4", "1"), ("2", "3")) };
        let (first, second) = tokio::join!(
            one.replace(&acme, &left.id, body(a.0, a.1), &free),
            other.replace(&acme, &right.id, body(b.0, b.1), &free),
        );
        for outcome in [first, second] {
            // A deadlock would be a failure of the database.
            assert!(matches!(outcome, Ok(_) | Err(DocumentError::NumbersInUse(_))), "{outcome:?}");
        }
    }
    let stored = one.list(&account(), &DocumentQuery::default()).await.expect("a list").documents;
    let mut numbers: Vec<_> =
        stored.iter().flat_map(|document| document.numbers()).map(|used| used.number).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "no number twice: {stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_the_same_numbers_in_another_order_is_refused_or_not_but_never_stuck() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let daemons = [open(&url).await.1, open(&url).await.1];
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let writers = (0..8).map(|writer| {
        let (daemon, mut random) = (daemons[writer % 2].clone(), StdRng::seed_from_u64(seed + writer as u64));
        tokio::spawn(async move {
            let (mut made, free) = (Vec::<String>::new(), Condition::default());
            for _ in 0..60 {
                let mut numbers: Vec<String> = (0..30).map(|number: u32| number.to_string()).collect();
                numbers.shuffle(&mut random);
                numbers.truncate(4);
                let body = json!({ "conference_numbers": numbers });
                let outcome = match (made.pop(), random.random_range(0..3)) {
                    (Some(id), 0) => daemon.delete(&account(), &id, &free).await,
                    (Some(id), 1) => {
                        let replaced = daemon.replace(&account(), &id, body, &free).await;
                        made.push(id);
                        replaced
                    }
                    (id, _) => {
                        made.extend(id);
                        let created = daemon.create(&account(), body).await;
                        made.extend(created.as_ref().ok().map(|document| document.id.clone()));
                        created
                    }
                };
                assert!(matches!(outcome, Ok(_) | Err(DocumentError::NumbersInUse(_))), "{outcome:?}");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("none was stuck");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_that_start_at_once_make_the_schema_together() {
    let server = Postgres::shared().await;
    let url = server.database().await;
    let mut settings = settings(&url);
    settings.timeout = std::time::Duration::from_secs(20);
    let opened = join_all((0..8).map(|_| PostgresStore::open(&settings))).await;
    for store in opened {
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        assert_eq!(store.schema_version().is, 4);
        documents(store).create(&account(), json!({})).await.expect("created");
    }
}
