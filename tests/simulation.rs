//! Random days of a switch and its node, each from one seed, in memory and without waiting.
//!
//! The node is the real one; only the way to the switch, the clock and chance are handed in. After the
//! troubles the registry must say what the switch knows, and the numbered changes must say the same.
//!
//! `CONVENED_TEST_SEED=7` runs one seed alone, `CONVENED_TEST_SEEDS=10000` so many.

#[path = "simulation/life.rs"]
mod life;
#[path = "simulation/outside.rs"]
mod outside;
#[path = "simulation/pace.rs"]
mod pace;
#[path = "simulation/run.rs"]
mod run;
mod support;
#[path = "simulation/tale.rs"]
mod tale;
#[path = "simulation/trouble.rs"]
mod trouble;
#[path = "simulation/witness.rs"]
mod witness;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use run::{LARGE, Ran, run};

/// No seed takes so long: it goes round in a circle at one moment.
const STUCK: Duration = Duration::from_secs(180);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

fn run_safely(seed: u64) -> Result<Ran, String> {
    catch_unwind(AssertUnwindSafe(|| run(seed, false))).unwrap_or_else(|_| Err("it panicked".into()))
}

/// Runs seeds on all processors; a few that fail are enough.
fn run_all(seeds: std::ops::Range<u64>) {
    if let Some(seed) = number("CONVENED_TEST_SEED") {
        println!("seed {seed}");
        let log =
            tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr);
        let _logging = tracing::subscriber::set_default(log.finish());
        let ran = run(seed, true).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        println!("{} steps, {} changes, {:?}", ran.steps, ran.changes, ran.met);
        return;
    }
    let began = Instant::now();
    let (next, (results, came)) = (AtomicU64::new(seeds.start), mpsc::channel());
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let totals = Mutex::new(BTreeMap::<_, u64>::new());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (results, next, failed, end) = (results.clone(), &next, &failed, seeds.end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = failed.lock().unwrap().len() >= 40;
                    if seed >= end || enough || results.send((seed, None)).is_err() {
                        return;
                    }
                    if results.send((seed, Some(run_safely(seed)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        watch(&came, &totals, &failed);
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "each runs alone by this:{}", failed.concat());
    println!("{} seeds in {:?}: {:?}", seeds.end - seeds.start, began.elapsed(), totals.lock().unwrap());
}

type Result_ = (u64, Option<Result<Ran, String>>);

/// Adds up what comes, until it ends or fails.
fn watch(came: &mpsc::Receiver<Result_>, totals: &Mutex<BTreeMap<String, u64>>, failed: &Mutex<Vec<String>>) {
    let mut under_way = BTreeMap::new();
    loop {
        match came.recv_timeout(STUCK) {
            Ok((seed, None)) => {
                under_way.insert(seed, ());
            }
            Ok((seed, Some(Ok(ran)))) => {
                under_way.remove(&seed);
                let mut totals = totals.lock().unwrap();
                let mut add = |what: &str, count| *totals.entry(what.to_owned()).or_default() += count;
                add("changes", ran.changes);
                add("steps", ran.steps);
                add("connections", ran.connections);
                ran.met.iter().for_each(|kind| add(&format!("{kind:?}"), 1));
                let slowest = totals.entry("slowest agreement in s".into()).or_default();
                *slowest = (*slowest).max(ran.agreed_after.as_secs());
            }
            Ok((seed, Some(Err(problem)))) => {
                under_way.remove(&seed);
                failed.lock().unwrap().push(format!("\nCONVENED_TEST_SEED={seed}: {problem}"));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                eprintln!("stuck: one of the seeds {:?}", under_way.keys());
                std::process::abort();
            }
        }
    }
}

#[test]
fn after_every_trouble_the_registry_is_the_world_again() {
    run_all(0..number("CONVENED_TEST_SEEDS").unwrap_or(300));
}

#[test]
fn worlds_of_thousands_come_to_rest_too() {
    if number("CONVENED_TEST_SEED").is_none() {
        run_all(LARGE..LARGE + number("CONVENED_TEST_SEEDS").map_or(2, |seeds| seeds.div_ceil(500)));
    }
}

/// Before and after the login, in the middle of a frame, between a fence and the list.
#[test]
fn a_connection_may_break_anywhere_in_the_first_exchange() {
    for connection in [1, 2] {
        for bytes in (0..3_000).step_by(23) {
            let broke = run::run_broken(connection, bytes)
                .unwrap_or_else(|problem| panic!("connection {connection} after {bytes} bytes: {problem}"));
            assert!(broke, "connection {connection}: fewer than {bytes} bytes passed");
        }
    }
}

/// Whatever comes in another order, or twice, what it comes to is right, and no audit is needed for it.
#[test]
fn order_and_repetition_alone_need_no_audit() {
    let seeds = match number("CONVENED_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONVENED_TEST_SEEDS").map_or(60, |seeds| seeds.div_ceil(5)),
    };
    let failed: Vec<_> = seeds
        .filter_map(|seed| Some(format!("\nCONVENED_TEST_SEED={seed}: {}", run::run_disordered(seed).err()?)))
        .take(5)
        .collect();
    assert!(failed.is_empty(), "each runs alone by this:{}", failed.concat());
}

#[test]
fn one_seed_is_one_day() {
    for seed in 0..10 {
        let [one, other] = [(); 2].map(|()| run(seed, true).unwrap_or_else(|problem| panic!("{problem}")));
        assert!(!one.wire.is_empty() && !one.published.is_empty(), "seed {seed}");
        assert_eq!(one.published, other.published, "seed {seed}");
        let differ = one.wire.iter().zip(&other.wire).position(|(a, b)| a != b);
        assert_eq!((differ, one.wire.len()), (None, other.wire.len()), "seed {seed}");
    }
}
