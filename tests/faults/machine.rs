//! What the machine does to the daemon: no file descriptors left, no place for a client, no room for the log. Faults
//! that take a network of their own, ten thousand clients or a clock that jumps are in `tests/full/faults.py`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use convened::sim::switch::Which;
use convened::sim::world::Caller;
use serde_json::json;
use tokio::net::TcpStream;

use crate::client::Rest;
use crate::process::{ACCOUNT, Process, Site};

/// Somebody who keeps one connection, and a conference that runs.
async fn kept(site: &Site, address: SocketAddr, token: &str) -> Rest {
    let caller = Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT);
    site.switch.join("talk", caller).expect("let in");
    let kept = Rest::new(address, ACCOUNT, Some(token));
    kept.until("conferences/talk", |answer| answer.status == 200).await;
    kept
}

/// That an action is done and an event of the switch is seen, on the connection that is kept.
async fn acts_and_follows(site: &Site, kept: &Rest) {
    kept.act("conferences/talk", "lock").await.ok();
    site.switch.api("conference talk unlock");
    let unlocked = |answer: &crate::client::Answer| answer.data()["_read_only"]["is_locked"] == false;
    kept.until("conferences/talk", unlocked).await;
}

#[tokio::test]
async fn without_file_descriptors_what_is_open_goes_on_and_what_is_not_comes_back() {
    let site = Site::new().await;
    let token = site.token(&["create", "--superuser", "--scope", "read,control,write"]).await;
    let config = site.config();
    let daemon =
        Process::through(&["prlimit", "--nofile=64:64"], &["run", "--config", &config.to_string_lossy()]);
    let address = daemon.address().await;
    let kept = kept(&site, address, &token).await;
    let mut clients = Vec::new();
    // More than there are descriptors: the system lets them in, the daemon cannot.
    for _ in 0..100 {
        clients.push(TcpStream::connect(address).await.expect("connected"));
    }
    daemon
        .err
        .until(|line| line.contains("no connection can be accepted") && line.contains("os error 24"))
        .await;
    acts_and_follows(&site, &kept).await;
    let id = kept.create(json!({ "name": "written without descriptors" })).await;
    site.switch.cut(Which::All);
    daemon.err.until(|line| line.contains("fs1") && line.contains("trying")).await;
    drop(clients);
    let followed = |answer: &crate::client::Answer| answer.data()["nodes"]["fs1"] == "followed";
    let stranger = Rest::new(address, ACCOUNT, Some(&token));
    stranger.until("/readyz", followed).await;
    acts_and_follows(&site, &stranger).await;
    stranger.get(&format!("conferences/{id}")).await.ok();
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code, Some(0));
}

#[tokio::test]
async fn when_every_place_is_taken_those_who_are_in_and_the_switch_go_on() {
    let site = Site::new().await;
    let token = site.token(&["create", "--superuser", "--scope", "read,control,write"]).await;
    let daemon = site.run(&[("CONVENED__API__MAX_CONNECTIONS", "1")]).await;
    let address = daemon.address().await;
    let kept = kept(&site, address, &token).await;
    for _ in 0..3 {
        let answer = ask_once(address).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("too_many_connections"), "{answer}");
        acts_and_follows(&site, &kept).await;
    }
    daemon.signal("TERM").await;
    let ended = daemon.ended().await;
    assert_eq!(ended.code, Some(0));
    let told = ended.err.lines().filter(|line| line.contains("api.max_connections")).count();
    assert_eq!(told, 2, "the first and the second, of three: {}", ended.err);
}

/// All that a connection of its own is told.
async fn ask_once(address: SocketAddr) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}

#[tokio::test]
async fn a_log_on_a_full_disk_holds_up_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" demo --listen 127.0.0.1:0 --speed 100 2>/dev/full"])
        .arg(env!("CARGO_BIN_EXE_convened"))
        .env("TMPDIR", folder.path())
        .env("CONVENED__LOG__LEVEL", "trace")
        .stdin(Stdio::null());
    let demo = Process::of(command);
    let word = |line: String| line.split_whitespace().nth(1).expect("a value").to_owned();
    let api = word(demo.out.until(|line| line.trim_start().starts_with("API ")).await);
    let token = word(demo.out.until(|line| line.trim_start().starts_with("token ")).await);
    let address = api.trim_start_matches("http://").trim_end_matches("/v2").parse().expect("an address");
    let owner = Rest::new(address, "demo", Some(&token));
    // Far more lines than wait anywhere for being written.
    for _ in 0..200 {
        owner.get("conferences").await.ok();
    }
    owner.act("conferences/support", "lock").await.ok();
    demo.out.until(|line| line.ends_with("is locked")).await;
    demo.signal("TERM").await;
    let ended = demo.ended().await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}
