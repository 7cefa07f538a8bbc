//! A log that nobody reads.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::client::Rest;
use crate::process::Site;

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_nothing() {
    let site = Site::new().await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_convened"))
        .args(["run", "--config", &site.config().to_string_lossy()])
        .env("CONVENED__LOG__LEVEL", "info,convened=trace")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let log = BufReader::new(child.stderr.take().expect("piped"));
    let (address, unread) = spawn_blocking(move || {
        let mut lines = log.lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("\"serving\""));
        let line: serde_json::Value = serde_json::from_str(&line.expect("it serves")).expect("JSON");
        (line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address"), lines)
    })
    .await
    .expect("no panic");
    let anybody = Rest::new(address, "none", None);
    // Each tells some two hundred octets: a pipe holds 64 KiB.
    for _ in 0..2_000 {
        anybody.get("/healthz").await.ok();
    }
    let kill =
        Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(kill.success());
    let ended = spawn_blocking(move || child.wait().expect("a child"));
    let ended =
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends").expect("no panic");
    assert_eq!(ended.code(), Some(0));
    drop(unread);
}
