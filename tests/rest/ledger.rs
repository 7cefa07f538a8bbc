//! What is remembered of actions when the program is killed, and what is in its log when the database is away.

use http::Method;
use serde_json::{Value, json};

use convened::sim::world::Caller;

use crate::client::{Answer, Rest, column, text};
use crate::postgres::Postgres;
use crate::process::{ACCOUNT, Site};

async fn act(client: &Rest, key: &str, action: &str) -> Answer {
    let call = client.ask(Method::PUT, "conferences/talk").header("idempotency-key", key);
    call.json(&json!({ "data": { "action": action } })).send().await
}

/// What a daemon answers, short of patience, and where its conference runs.
async fn talking(site: &Site, owner: &Rest) {
    let caller = Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT);
    if site.switch.truth().is_empty() {
        site.switch.join("talk", caller).expect("let in");
    }
    owner.until("conferences/talk", |answer| answer.status == 200).await;
}

async fn a_kill_between_command_and_answer(site: &Site) {
    let short = [("CONVENED__API__ANSWER_TIMEOUT_MS", "1500")];
    let daemon = site.run(&short).await;
    let owner = site.owner(daemon.address().await).await;
    talking(site, &owner).await;
    let before = act(&owner, "before", "lock").await;
    assert_eq!(column(&before.ok()["results"], "result"), ["done"]);
    site.switch.hold_replies();
    let asked = {
        let owner = owner.clone();
        let call = owner.ask(Method::PUT, "conferences/talk").header("idempotency-key", "during");
        tokio::spawn(call.json(&json!({ "data": { "action": "unlock" } })).try_send())
    };
    site.switch.until_command(|seen| seen.text.contains("talk unlock")).await;
    daemon.signal("KILL").await;
    daemon.ended().await;
    assert!(asked.await.expect("an end").is_err());
    site.switch.release_replies();
    let orders = || site.switch.commands().iter().filter(|seen| seen.text.contains("lock")).count();
    let sent = orders();
    let daemon = site.run(&short).await;
    let owner = Rest::new(daemon.address().await, ACCOUNT, owner.token.as_deref());
    talking(site, &owner).await;
    let again = act(&owner, "before", "lock").await;
    assert_eq!((again.ok(), again.header("idempotent-replay")), (before.ok(), Some("true")));
    for _ in 0..2 {
        let mut during = act(&owner, "during", "unlock").await;
        // Another daemon may be at it, for as long as a request may take.
        while during.status == 409 {
            during = act(&owner, "during", "unlock").await;
        }
        let data = during.refused(504, "switch_timeout");
        assert!(text(&data["message"]).contains("outcome unknown: the daemon was stopped"), "{data}");
        act(&owner, "during", "lock").await.refused(409, "conflict");
    }
    assert_eq!(orders(), sent, "nothing was sent again");
    let log = owner.get("conferences/talk/audit").await.ok();
    assert_eq!(column(&log, "action"), ["lock"]);
}

#[tokio::test]
async fn after_a_kill_an_answer_is_given_again_and_what_had_none_is_not_done_again() {
    let site = Site::new().await;
    site.configure("command_timeout_ms = 1000");
    a_kill_between_command_and_answer(&site).await;
}

#[tokio::test]
async fn the_same_with_postgresql() {
    let server = Postgres::shared().await;
    let site = Site::new().await;
    site.configure_both(&server.database().await, "command_timeout_ms = 1000");
    a_kill_between_command_and_answer(&site).await;
}

#[tokio::test]
async fn digits_are_neither_in_the_audit_log_nor_in_that_of_the_daemon() {
    let site = Site::new().await;
    let (daemon, address) = site.serving().await;
    let owner = site.owner(address).await;
    talking(&site, &owner).await;
    let path = "conferences/talk/participants/1";
    for more in ["", r#","$serde_json::private::Number":"1""#] {
        let body = format!(r#"{{"data":{{"action":"dtmf","d\u0069gits":"4929"{more}}}}}"#);
        owner.ask(Method::PUT, path).body(body).send().await.ok();
    }
    assert_eq!(
        site.switch
            .commands()
            .iter()
            .filter(|seen| seen.text.contains(" dtmf ") && seen.text.contains("4929"))
            .count(),
        2
    );
    let rows = owner.get("conferences/talk/audit").await.ok();
    let expected = [json!("****"), json!({ "action": "dtmf", "digits": "****" })];
    assert_eq!(column(&rows, "arguments"), expected);
    owner.act("conferences/talk", "lock").await.ok();
    daemon.err.until(|line| line.contains("convened::audit") && line.contains("lock")).await;
    let told = daemon.err.so_far().join("\n");
    assert!(told.contains("dtmf") && !told.contains("4929"), "{told}");
}

#[tokio::test]
async fn a_row_that_the_database_does_not_take_is_in_the_log_whole() {
    let server = Postgres::start().await;
    let site = Site::new().await;
    site.configure_database(&server.database().await);
    let (daemon, address) = site.serving().await;
    let owner = site.owner(address).await;
    talking(&site, &owner).await;
    owner.act("conferences/talk", "lock").await.ok();
    server.stop();
    let answer = owner.act("conferences/talk", "unlock").await;
    answer.ok();
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let lines = |level: &'static str| {
        let (id, level) = (id.clone(), format!("\"level\":\"{level}\""));
        move |line: &str| line.contains(&id) && line.contains(&level) && line.contains("convened::audit")
    };
    for level in ["INFO", "ERROR"] {
        let line: Value = serde_json::from_str(&daemon.err.until(lines(level)).await).expect("JSON");
        for (field, value) in [
            ("account", ACCOUNT),
            ("conference", "talk"),
            ("client", "127.0.0.1"),
            ("action", "unlock"),
            ("arguments", r#"{"action":"unlock"}"#),
            ("node", "fs1"),
            ("result", "done"),
        ] {
            assert_eq!(line[field], value, "{field}: {line}");
        }
        assert!(
            line["at"].is_i64() && line["token_id"].is_string() && line["token_name"].is_string(),
            "{line}"
        );
        assert_eq!(line.get("error").is_some(), level == "ERROR", "{line}");
    }
}
