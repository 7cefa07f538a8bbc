//! The examples of the page are run as they stand there: in a shell, in Python, and in a JavaScript engine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use convened::hub::EVENTS;
use serde_json::{Value, json};

use crate::house::House;
use crate::process::{Process, names};
use crate::{blocks, read, start};

/// What `tests/run.sh` installs for examples that need more than a bare machine has.
fn installed() -> PathBuf {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin");
    assert!(programs.exists(), "{} is missing: `sh tests/run.sh` makes it", programs.display());
    programs
}

/// A program of those, or of this machine, which knows where the daemon is and with which token.
fn beside(house: &House, token: &str, program: &str, arguments: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", format!("{}:{path}", installed().display()));
    command.env("H", house.address().to_string()).env("T", token).env("no_proxy", "127.0.0.1");
    command.stdin(Stdio::piped());
    command
}

#[tokio::test]
async fn the_examples_run_on_a_bare_machine() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_string_lossy().into_owned();
    let demo = Process::start(&["demo", "--listen", "127.0.0.1:0"], &[("TMPDIR", &temporary)]);
    let demo_says = &demo;
    let said = |start: &'static str| async move {
        let line = demo_says.out.until(|line| line.trim_start().starts_with(start)).await;
        line.split_whitespace().nth(1).expect("a word").to_owned()
    };
    let address = said("API ").await.replace("http://", "").replace("/v2", "");
    let (account, token) = (said("account ").await, said("token ").await);
    let line = demo.out.until(|line| line.trim_end().ends_with("/participants")).await;
    let conference = line.trim_end().split('/').nth_back(1).expect("a conference").to_owned();
    let page = read("docs/events.md");
    let run = |program: &str, code: &str| {
        let mut command = Command::new(program);
        command.args(["-c", code]).stdin(Stdio::null());
        command.env("H", &address).env("A", &account).env("T", &token).env("C", &conference);
        command.env("no_proxy", "127.0.0.1");
        Process::of(command)
    };
    let curl = &blocks(&page, "sh")[0];
    let curl = run("sh", &format!("exec {curl}"));
    curl.out.until(|line| line == "event: snapshot").await;
    let talks = |line: &str| line.starts_with("event: st") || line.starts_with("event: floor");
    curl.out.until(talks).await;
    let python = run("python3", &blocks(&page, "python")[0]);
    python.out.until(|line| line.starts_with("snapshot ") && line.contains(&conference)).await;
    python.out.until(|line| line.split(' ').next().is_some_and(|event| EVENTS.contains(&event))).await;
    drop((curl, python));
    demo.signal("INT").await;
    demo.ended().await;
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn the_page_shows_who_is_in_the_conference() {
    let (house, token) = start().await;
    let ann = house.join("talk", "Ann").await;
    let page = &blocks(&read("docs/events.md"), "html")[0];
    let page = page.replace("TOKEN", &token).replace("CONFERENCE", "talk");
    let page = page.replace("127.0.0.1:8000", &house.address().to_string());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, page).unwrap();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/page.py");
    let (story, file) = (story.to_string_lossy(), file.to_string_lossy());
    let browser = Process::of(beside(&house, &token, "python", &["-B", &story, &file]));
    let shows = async |people: Value| {
        let wanted = json!(["people", people]);
        browser
            .out
            .until(|line| serde_json::from_str::<Value>(line).is_ok_and(|shown| shown == wanted))
            .await;
    };
    shows(json!(["Ann"])).await;
    house.join("talk", "Ben").await;
    shows(json!(["Ann", "Ben"])).await;
    let owner = house.owner().await;
    owner.act("conferences/talk/participants/2", "mute").await.ok();
    shows(json!(["Ann", "Ben (muted)"])).await;
    house.switch().talk(&ann, true).unwrap();
    shows(json!(["Ann is talking", "Ben (muted)"])).await;
    house.switch().leave(&ann).unwrap();
    shows(json!(["Ben (muted)"])).await;
    owner.act("conferences/talk", "end").await.ok();
    shows(json!([])).await;
    // It goes on when the conference begins anew.
    house.join("talk", "Cid").await;
    shows(json!(["Cid"])).await;
}

#[tokio::test]
async fn websocat_hears_what_happens() {
    let (house, token) = start().await;
    house.join("talk", "Ann").await;
    let example = &blocks(&read("docs/events.md"), "text")[0];
    let mut lines = example.lines();
    let command = lines.next().and_then(|line| line.strip_prefix("$ ")).expect("a command");
    let command = format!("exec {command}");
    let mut websocat = Process::of(beside(&house, &token, "sh", &["-c", &command]));
    lines.for_each(|line| websocat.type_line(line));
    let hear = async |action: &str, event: Option<&str>| {
        let is_it = |line: &str| {
            let message: Value = serde_json::from_str(line).expect("a message on each line");
            message["action"] == action && message["data"]["event"].as_str() == event
        };
        serde_json::from_str::<Value>(&websocat.out.until(is_it).await).unwrap()
    };
    assert_eq!(hear("reply", None).await["status"], "success");
    assert_eq!(hear("snapshot", None).await["data"]["participants"][0]["caller_id_name"], "Ann");
    house.owner().await.act("conferences/talk", "lock").await.ok();
    hear("event", Some("lock")).await;
}

#[tokio::test]
async fn python_hears_what_happens_over_a_websocket() {
    let (house, token) = start().await;
    house.join("talk", "Ann").await;
    let example = &blocks(&read("docs/events.md"), "python")[1];
    let python = Process::of(beside(&house, &token, "python", &["-c", example]));
    python.out.until(|line| line == "snapshot ").await;
    house.owner().await.act("conferences/talk", "lock").await.ok();
    python.out.until(|line| line == "event lock").await;
    assert_eq!(python.out.so_far()[0], "reply ");
}
