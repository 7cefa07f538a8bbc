//! Commands that do not come to their end: what is half is never taken for whole.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use convened::store::{Exported, Store};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::site::{PATIENCE, Site, document, ended};

/// More than a pipe holds.
fn many() -> Vec<Exported> {
    (0..700).map(|n| document(n, json!({"x": "x".repeat(1_000)}).to_string(), None)).collect()
}

fn interrupt(child: &Child) {
    let done = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().expect("kill");
    assert!(done.success());
}

/// Looks again and again, for as long as patience lasts.
async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !there().await {
        assert!(start.elapsed() < PATIENCE, "it never came: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_export_into_a_pipe_that_closes_ends_quietly_and_not_as_done() {
    let site = Site::new();
    site.keep(&many()).await;
    let mut child = site.command("export").spawn().expect("it starts");
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("{\"convened_export\":1,"), "{line}");
    let said = ended(child).failed(1);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("convened: standard output: the export is not whole: "), "{said}");
}

#[tokio::test]
async fn an_export_that_nobody_reads_ends_at_a_signal() {
    let site = Site::new();
    site.keep(&many()).await;
    let mut child = site.command("export").spawn().expect("it starts");
    let mut stdout = child.stdout.take().expect("piped");
    stdout.read_exact(&mut [0; 100]).expect("it began");
    interrupt(&child);
    let said = ended(child).err;
    assert!(said.starts_with("convened: SIGINT: the export was stopped"), "{said}");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("what was in the pipe");
    assert!(!rest.contains("{\"end\""), "it does not look whole");
}

#[tokio::test]
async fn an_export_that_fails_leaves_the_file_of_the_last_one_and_no_other() {
    let site = Site::new();
    site.keep(&many()).await;
    fs::write(site.path("all.jsonl"), "the last one").expect("written");
    let mut other =
        SqliteConnectOptions::new().filename(site.database()).connect().await.expect("a connection");
    for (text, told) in [
        ("no JSON", "its text is no JSON"),
        ("{\n}", "its text is not one line of JSON"),
        (" {}", "its text is not one line of JSON"),
    ] {
        let last = format!("{:032x}", 699);
        let update = sqlx::query("UPDATE documents SET text = ? WHERE id = ?").bind(text).bind(&last);
        other.execute(update).await.expect("changed");
        let said = site.run("export --output @all.jsonl").failed(1);
        assert!(said.contains(&format!("document {last}: {told}")), "{said}");
        assert_eq!(site.others(), ["all.jsonl"]);
        assert_eq!(fs::read_to_string(site.path("all.jsonl")).expect("read"), "the last one");
    }
    other.execute("UPDATE documents SET text = '{}', account_id = 'no account'").await.expect("changed");
    let said = site.run("export --output @all.jsonl").failed(1);
    assert!(said.contains("nothing is exported: the database is damaged: "), "{said}");
    assert_eq!(site.others(), ["all.jsonl"]);
    assert_eq!(fs::read_to_string(site.path("all.jsonl")).expect("read"), "the last one");
    other.execute("UPDATE documents SET account_id = 'acme'").await.expect("changed");
    site.run("export --output @all.jsonl").ok();
    assert!(fs::read_to_string(site.path("all.jsonl")).expect("read").ends_with("\"credentials\":0}}\n"));
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let site = Site::new();
    let said = site.run("export --output @none/all.jsonl").failed(1);
    assert!(said.contains("none/all.jsonl: the export is not whole: "), "{said}");
    assert!(Command::new("mkfifo").arg(site.path("pipe")).status().expect("mkfifo").success());
    let said = site.run("export --output @pipe").failed(2);
    assert!(said.contains("pipe: is not a regular file; leave the option out"), "{said}");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let child = site.command("export").stdout(Stdio::from(full)).spawn().expect("it starts");
    let said = ended(child).failed(1);
    assert!(said.contains("standard output: the export is not whole: "), "{said}");
    // The file that a link leads to is replaced, not the link.
    fs::write(site.path("there.jsonl"), "").expect("written");
    std::os::unix::fs::symlink(site.path("there.jsonl"), site.path("link.jsonl")).expect("linked");
    site.run("export --output @link.jsonl").ok();
    assert!(fs::symlink_metadata(site.path("link.jsonl")).expect("there").is_symlink());
    assert!(fs::metadata(site.path("there.jsonl")).expect("there").len() > 0);
}

#[tokio::test]
async fn an_import_that_is_interrupted_says_how_far_it_came_and_goes_on_the_next_time() {
    let (old, new) = (Site::new(), Site::new());
    old.keep(&many()).await;
    let file = old.run("export").ok();
    let store = new.store().await;
    let mut child = new.command("import").stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    stdin.write_all(lines[..601].concat().as_bytes()).expect("read");
    let account = crate::site::account();
    until("the first batch", async || {
        store.document(&account, &format!("{:032x}", 499)).await.expect("read").is_some()
    })
    .await;
    interrupt(&child);
    let said = ended(child).failed(1);
    assert!(said.contains("convened: standard input: stopped by SIGINT\n"), "{said}");
    assert!(said.contains("lines 2 to 501 are in the database; the import can be run again"), "{said}");
    assert!(store.document(&account, &format!("{:032x}", 500)).await.expect("read").is_none());
    let again = new.run_with("import", file.as_bytes());
    assert_eq!(again.err, "700 documents and 0 credentials: 200 new, 500 unchanged, 0 replaced\n");
    assert_eq!(new.exported(), old.exported());
}
