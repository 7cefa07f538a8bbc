//! How the daemon ends.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{column, text};
use crate::process::Site;
use convened::sim::switch::Which;
use convened::sim::world::Caller;

#[tokio::test]
async fn sigterm_and_sigint_end_it_with_0_after_the_request_in_flight() {
    for signal in ["TERM", "INT"] {
        let site = Site::new().await;
        let (daemon, address) = site.serving().await;
        let owner = site.owner(address).await;
        let id = owner.create(json!({ "name": "a" })).await;
        site.switch.join(&id, Caller::new("Ann", "1")).expect("let in");
        let path = format!("conferences/{id}");
        owner.until(&path, |answer| answer.data()["_read_only"]["members"] == 1).await;
        site.switch.delay_replies(Duration::from_millis(700));
        let acting = tokio::spawn({
            let (owner, path) = (owner.clone(), path.clone());
            async move { owner.act(&path, "lock").await }
        });
        site.switch.until_command(|seen| seen.text.contains(&format!("conference {id} lock"))).await;
        let asked = Instant::now();
        daemon.signal(signal).await;
        let done = acting.await.expect("an answer").ok();
        assert_eq!(column(&done["results"], "result"), ["done"]);
        let ended = daemon.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert!(ended.err.contains(&format!("\"SIG{signal}\"")), "{}", ended.err);
        site.switch.until_connections(0).await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
        assert!(!site.folder.path().join("convened.db-wal").exists(), "the database is closed");
    }
}

#[tokio::test]
async fn a_request_that_would_take_for_ever_does_not_hold_up_the_end() {
    let site = Site::new().await;
    let daemon = site.run(&[("CONVENED__API__SHUTDOWN_GRACE_S", "1")]).await;
    let owner = site.owner(daemon.address().await).await;
    site.switch
        .join("talk", Caller::new("Ann", "1").variable("confvar_account_id", &owner.account))
        .expect("let in");
    owner.until("conferences/talk", |answer| answer.status == 200).await;
    site.switch.delay_replies(Duration::from_secs(3_600));
    let acting = tokio::spawn({
        let owner = owner.clone();
        async move { owner.act("conferences/talk", "lock").await }
    });
    site.switch.until_command(|seen| seen.text.contains("conference talk lock")).await;
    let asked = Instant::now();
    daemon.signal("TERM").await;
    let refused = acting.await.expect("an answer");
    refused.refused(503, "shutting_down");
    let ended = daemon.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_switch_that_does_not_answer_does_not_hold_up_the_end() {
    let site = Site::new().await;
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = mute.local_addr().expect("an address");
    site.configure(&format!("[[node]]\nname = \"mute\"\naddress = \"{address}\"\npassword = \"x\"\n"));
    let (daemon, _) = site.serving().await;
    let _silent = mute.accept().await.expect("a connection");
    let asked = Instant::now();
    daemon.signal("TERM").await;
    let ended = daemon.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(asked.elapsed() < Duration::from_secs(4), "it waited for the switch: {:?}", asked.elapsed());
}

#[tokio::test]
async fn logs_never_contain_a_password_a_key_or_a_token() {
    let site = Site::new().await;
    let daemon = site.run(&[("CONVENED__LOG__LEVEL", "trace")]).await;
    let owner = site.owner(daemon.address().await).await;
    let token = owner.token.clone().expect("a token");
    let id = owner.create(json!({ "name": "a", "member": { "pins": ["8642097531"] } })).await;
    site.switch.join(&id, Caller::new("Ann", "1")).expect("let in");
    let path = format!("conferences/{id}");
    owner.until(&path, |answer| answer.data()["_read_only"]["members"] == 1).await;
    owner.act(&path, "lock").await.ok();
    owner.put("conferences", json!({ "name": "" })).await.refused(400, "validation_error");
    let (wrong, key) = ("f".repeat(64), "e".repeat(64));
    let mut stranger = owner.clone();
    stranger.token = Some(wrong.clone());
    stranger.get("conferences").await.refused(401, "invalid_credentials");
    stranger.put("/v2/api_auth", json!({ "api_key": key })).await.refused(401, "invalid_credentials");
    let in_body = json!({ "data": { "name": "b" }, "auth_token": token });
    let made =
        owner.ask(http::Method::PUT, "conferences").without("x-auth-token").json(&in_body).send().await;
    assert!(!text(&made.created()["id"]).is_empty());
    let bearer = format!("Bearer {token}");
    owner
        .ask(http::Method::GET, "conferences")
        .without("x-auth-token")
        .header("authorization", &bearer)
        .send()
        .await
        .ok();
    site.switch.refuse_password(true);
    site.switch.cut(Which::All);
    daemon
        .err
        .until(|line| line.contains("password") || line.contains("refuse") || line.contains("-ERR invalid"))
        .await;
    daemon.signal("TERM").await;
    let ended = daemon.ended().await;
    assert!(ended.err.lines().count() > 10, "{}", ended.err);
    for (what, secret) in [
        ("password", crate::process::PASSWORD),
        ("token", &token),
        ("wrong token", &wrong),
        ("key", &key),
        ("PIN", "8642097531"),
    ] {
        let line = ended.err.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "the {what} is logged");
    }
    assert_eq!(ended.out, "");
}
