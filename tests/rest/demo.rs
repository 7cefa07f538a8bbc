//! The demo, as somebody meets it who has just heard of the program.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::{PATIENCE, Rest, column, look_again};
use crate::process::{Ended, Process, names};

/// Whether a line tells of a change: `  12:34:56  Stand-up   Ada joins`.
fn is_change(line: &str) -> bool {
    let clock = line.split_whitespace().next().unwrap_or_default();
    clock.len() == 8 && clock.split(':').all(|part| part.len() == 2 && part.parse::<u8>().is_ok())
}

/// Pastes a line into a shell; the envelope it prints.
async fn paste(line: &str) -> Value {
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", line]).stdin(Stdio::null());
    let output = crate::process::output(shell).await;
    assert!(output.status.success(), "{line}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}"))
}

async fn assert_ends_without_a_trace(
    demo: Process,
    folder: &tempfile::TempDir,
    signal: Option<&str>,
) -> Ended {
    if let Some(signal) = signal {
        demo.signal(signal).await;
    }
    let ended = demo.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(names(folder.path()), [""; 0], "it leaves no files");
    ended
}

#[tokio::test]
async fn the_five_lines_that_the_demo_prints_can_be_pasted_and_changes_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let temporary = folder.path().to_string_lossy().into_owned();
    let demo = Process::start(&["demo", "--listen", "127.0.0.1:0"], &[("TMPDIR", &temporary)]);
    demo.out.until(|line| line.starts_with("What happens")).await;
    assert_eq!(names(folder.path()).len(), 1, "its database is there, and nowhere else");
    demo.out.until(|line| line.ends_with(" joins")).await;
    let lines: Vec<String> = demo
        .out
        .so_far()
        .iter()
        .map(|line| line.trim().to_owned())
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(lines.len(), 5, "{:#?}", demo.out.so_far());

    let listed = paste(&lines[0]).await;
    assert_eq!(listed["status"], "success", "{listed}");
    let mut titles = column(&listed["data"], "name");
    titles.sort_by_key(ToString::to_string);
    assert_eq!(titles, ["Board", "Stand-up", "support"]);

    let people = paste(&lines[1]).await;
    assert!(
        people["data"]
            .as_array()
            .is_some_and(|people| !people.is_empty() && people[0]["call_id"].is_string()),
        "{people}"
    );

    let muted = paste(&lines[2]).await;
    assert_eq!((&muted["status"], &muted["data"]["action"]), (&json!("success"), &json!("mute")), "{muted}");
    let locked = paste(&lines[3]).await;
    assert_eq!(locked["data"]["results"][0]["result"], "done", "{locked}");
    let made = paste(&lines[4]).await;
    assert_eq!(
        (&made["status"], &made["data"]["name"]),
        (&json!("success"), &json!("My conference")),
        "{made}"
    );
    assert_eq!(paste(&lines[0]).await["data"].as_array().map(Vec::len), Some(4));

    let told = demo.out.until(|line| line.ends_with("is locked")).await;
    assert!(is_change(&told), "{told}");
    demo.out.until(|line| is_change(line) && line.ends_with(" talks")).await;
    let ended = assert_ends_without_a_trace(demo, &folder, Some("INT")).await;
    assert!(ended.out.lines().last().is_some_and(|line| line.contains("over")), "{}", ended.out);
    let token =
        lines[0].split("X-Auth-Token: ").nth(1).and_then(|rest| rest.split('\'').next()).expect("a token");
    assert!(!ended.err.contains(token) && !ended.err.contains("ClueCon"), "{}", ended.err);
}

#[tokio::test]
async fn the_demo_ends_by_itself_after_the_time_it_was_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let temporary = folder.path().to_string_lossy().into_owned();
    let demo =
        Process::start(&["demo", "--listen", "127.0.0.1:0", "--duration", "1s"], &[("TMPDIR", &temporary)]);
    assert_ends_without_a_trace(demo, &folder, None).await;
}

#[tokio::test]
async fn at_full_speed_more_happens_than_people_could_do_and_the_daemon_follows() {
    let folder = tempfile::tempdir().expect("a folder");
    let temporary = folder.path().to_string_lossy().into_owned();
    let demo =
        Process::start(&["demo", "--listen", "127.0.0.1:0", "--speed", "max"], &[("TMPDIR", &temporary)]);
    // People would take some ten minutes for as many lines.
    let hurried = async {
        while demo.out.so_far().len() < 1000 {
            look_again().await;
        }
    };
    timeout(PATIENCE, hurried).await.expect("much happens");
    let api = demo.out.until(|line| line.trim_start().starts_with("API ")).await;
    let address = api.split("http://").nth(1).expect("an address").trim_end_matches("/v2");
    let nobody = Rest::new(address.parse().expect("an address"), "demo", None);
    assert_eq!(nobody.get("/readyz").await.ok()["nodes"]["fs1"], "followed");
    assert_ends_without_a_trace(demo, &folder, Some("TERM")).await;
}

#[tokio::test]
async fn the_demo_goes_on_when_nobody_reads_what_it_prints() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shell = std::process::Command::new("sh");
    let line = "( \"$0\" demo --listen 127.0.0.1:0 --duration 2s; echo \"code $?\" >&2 ) | head -n 1";
    shell
        .args(["-c", line, env!("CARGO_BIN_EXE_convened")])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null());
    let output = crate::process::output(shell).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with("convened demo: ") && out.lines().count() == 1, "{out}");
    assert!(err.contains("code 0") && !err.contains("panicked"), "{err}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn two_demos_at_once_do_not_meet() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let demos = folders.each_ref().map(|folder| {
        let temporary = folder.path().to_string_lossy().into_owned();
        Process::start(&["demo"], &[("TMPDIR", &temporary)])
    });
    let mut places = Vec::new();
    for demo in &demos {
        places.push(demo.out.until(|line| line.trim_start().starts_with("API ")).await);
    }
    assert_ne!(places[0], places[1]);
    for (demo, folder) in demos.into_iter().zip(&folders) {
        assert_ends_without_a_trace(demo, folder, Some("TERM")).await;
    }
}

#[tokio::test]
async fn a_given_address_that_is_taken_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let temporary = folder.path().to_string_lossy().into_owned();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = Process::start(&["demo", "--listen", &address], &[("TMPDIR", &temporary)]).ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains(&address), "{ended:?}");
    assert_eq!(names(folder.path()), [""; 0]);
}
