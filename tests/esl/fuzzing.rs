//! The bodies of the fuzz targets, over their corpus and over random bytes.

use std::path::Path;
use std::time::{Duration, Instant};

use convened::esl::fuzzing;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Repeats a run.
const SEED: &str = "CONVENED_TEST_SEED";
/// How long random bytes are tried, in seconds: more before a release.
const SECONDS: &str = "CONVENED_TEST_FUZZ_SECONDS";

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{} files for {target}", files.len());
    files
}

/// Runs a target over its corpus, then over the corpus with random changes and over random bytes.
fn run(target: &str, body: fn(&[u8])) {
    let corpus = corpus(target);
    for (path, bytes) in &corpus {
        println!("{path}");
        body(bytes);
    }
    let variable = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = variable(SEED).unwrap_or_else(rand::random);
    let end = Instant::now() + Duration::from_secs(variable(SECONDS).unwrap_or(3));
    println!("{SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut runs = 0;
    while Instant::now() < end {
        let (_, bytes) = &corpus[random.random_range(0..corpus.len())];
        let bytes = changed(bytes, &mut random);
        let outcome = std::panic::catch_unwind(|| body(&bytes));
        if let Err(panic) = outcome {
            println!("run {runs} of {SEED}={seed}: {}", bytes.escape_ascii());
            std::panic::resume_unwind(panic);
        }
        runs += 1;
    }
    println!("{runs} runs");
    assert!(runs > 20, "{runs} runs");
}

/// Bytes that mean something to the parsers.
const PIECES: [&[u8]; 14] = [
    b"\n",
    b"\n\n",
    b":",
    b": ",
    b"%",
    b"%0A",
    b"%zz",
    b"\xe9",
    b"\0",
    b"Content-Length: 5\n",
    b"Content-Length: 70000\n",
    b"Content-Length: 18446744073709551615\n",
    b"Content-Type: text/event-plain\n",
    b"Event-Name: A\n",
];

fn changed(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if random.random_range(0..10) == 0 {
        bytes = (0..random.random_range(0..600)).map(|_| random.random()).collect();
    }
    for _ in 0..random.random_range(0..12) {
        let at = random.random_range(0..=bytes.len());
        let end = random.random_range(at..=bytes.len().min(at + 40));
        match random.random_range(0..4) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                drop(bytes.splice(at..at, piece.iter().copied()));
            }
            2 => bytes[at..end].iter_mut().for_each(|byte| *byte = random.random()),
            _ => {
                let piece = bytes[at..end].to_vec();
                let at = random.random_range(0..=bytes.len());
                drop(bytes.splice(at..at, piece));
            }
        }
    }
    bytes
}

#[test]
fn the_decoder_target_finds_nothing() {
    run("decoder", fuzzing::decoder);
}

#[test]
fn the_event_target_finds_nothing() {
    run("event", fuzzing::event);
}

#[test]
fn the_corpus_is_small() {
    let octets = |target| corpus(target).iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let octets = octets("decoder") + octets("event");
    assert!(octets < 100_000, "{octets} octets");
}
