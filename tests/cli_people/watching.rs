//! `watch`: what happens, also over a cut line and a daemon that is started again.

use convened::sim::world::Caller;
use serde_json::Value;

use crate::desk::{Desk, stranger};
use crate::process::Process;

/// The first line of JSON that is as wanted.
async fn message(watch: &Process, wanted: impl Fn(&Value) -> bool) -> Value {
    let parsed =
        |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    parsed(&watch.out.until(|line| wanted(&parsed(line))).await)
}

#[tokio::test]
async fn a_line_is_told_for_each_change_with_names_for_people() {
    let desk = Desk::new().await;
    let (id, [_, ben, _]) = desk.board().await;
    let other = desk.room("Other").await;
    let all = desk.start(&["watch"]);
    let one = desk.start(&["watch", "Board"]);
    for watch in [&all, &one] {
        let line = watch.out.until(|line| line.contains("runs on fs1")).await;
        assert!(line.ends_with("Board  runs on fs1, 3 participants: Ann, Ben, Cy"), "{line}");
    }
    desk.run(&["mute", &id, &ben.to_string()]).await.ok();
    let dee = desk.join(&other, Caller::new("Dee", "1")).await;
    desk.run(&["lock", &id]).await.ok();
    for watch in [&all, &one] {
        let line = watch.out.until(|line| line.ends_with("Z  Board  Ben (2) is muted")).await;
        assert_eq!((line.find('Z'), line.contains('\u{1b}')), (Some(8), false), "{line}");
        watch.out.until(|line| line.ends_with("Z  Board  is locked")).await;
    }
    all.out.until(|line| line.ends_with(&format!("Z  Other  Dee ({dee}) joins"))).await;
    assert!(!one.out.so_far().iter().any(|line| line.contains("Dee")), "{:?}", one.out.so_far());
    assert!(one.err.until(|line| line.contains("watching")).await.starts_with("convened: watching http://"));
}

#[tokio::test]
async fn what_was_missed_while_the_line_was_cut_is_told_once_and_in_order() {
    let desk = Desk::new().await;
    let (id, numbers) = desk.board().await;
    let text = desk.start(&["watch", "Board"]);
    let watch = desk.start(&["watch", "--json"]);
    let first = message(&watch, |message| message["action"] == "snapshot").await;
    text.out.until(|line| line.contains("runs on")).await;
    desk.line.cut();
    message(&watch, |message| message["action"] == "disconnected").await;
    for number in numbers {
        desk.owner.act(&format!("conferences/{id}/participants/{number}"), "deaf").await.ok();
    }
    desk.line.leads_to(desk.owner.address);
    message(&watch, |message| message["action"] == "connected" && message["data"]["again"] == true).await;
    let is = |message: &Value, event: &str| message["data"]["event"] == event;
    message(&watch, |message| is(message, "deaf-member") && message["data"]["participant_id"] == numbers[2])
        .await;
    desk.owner.act(&format!("conferences/{id}"), "lock").await.ok();
    let last = message(&watch, |message| is(message, "lock")).await;
    let told: Vec<Value> =
        watch.out.so_far().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let numbers: Vec<_> = told.iter().filter_map(|one| one["data"]["seq"].as_u64()).collect();
    let (first, last) = (first["data"]["seq"].as_u64().expect("a number"), last["data"]["seq"].as_u64());
    assert_eq!(
        numbers,
        (first..=last.expect("a number")).collect::<Vec<_>>(),
        "each once, in order: {told:#?}"
    );
    assert_eq!(told.iter().filter(|one| one["action"] == "snapshot").count(), 1, "it was resumed: {told:#?}");

    text.out.until(|line| line.ends_with("Board  Cy (3) is deaf")).await;
    text.err.until(|line| line.starts_with("convened: the connection is lost (")).await;
    text.err.until(|line| line == "convened: connected again; what was missed follows").await;
}

#[tokio::test]
async fn it_goes_on_when_the_daemon_is_started_again() {
    let mut desk = Desk::new().await;
    let (id, [ann, ..]) = desk.board().await;
    let watch = desk.start(&["watch", "Board"]);
    watch.out.until(|line| line.contains("runs on")).await;
    desk.restart().await;
    watch.err.until(|line| line.starts_with("convened: the connection is lost (")).await;
    watch.err.until(|line| line.contains("connected again")).await;
    desk.owner.until(&format!("conferences/{id}/participants/{ann}"), |answer| answer.status == 200).await;
    desk.owner.act(&format!("conferences/{id}/participants/{ann}"), "mute").await.ok();
    watch.out.until(|line| line.ends_with("Board  Ann (1) is muted")).await;
}

#[tokio::test]
async fn a_token_that_was_revoked_meanwhile_ends_it() {
    let desk = Desk::new().await;
    desk.board().await;
    let watch = desk.start(&["watch"]);
    watch.out.until(|line| line.contains("runs on")).await;
    let listed = desk.site.token(&["list"]).await;
    let id = listed.lines().nth(1).and_then(|line| line.split_whitespace().next()).expect("an id").to_owned();
    desk.site.token(&["revoke", &id]).await;
    desk.line.cut();
    desk.line.leads_to(desk.owner.address);
    let ended = watch.ended().await;
    assert_eq!(ended.code, Some(78), "{ended:#?}");
    assert!(ended.err.contains("the token is not good"), "{ended:#?}");
}

#[tokio::test]
async fn it_outlasts_a_proxy_whose_daemon_is_away() {
    let desk = Desk::new().await;
    desk.board().await;
    let watch = desk.start(&["watch", "--json"]);
    message(&watch, |message| message["action"] == "snapshot").await;
    let proxy = stranger("502 Bad Gateway").await;
    desk.line.cut();
    desk.line.leads_to(proxy);
    let lost = |message: &Value| message["action"] == "disconnected";
    message(&watch, |message| lost(message) && message["data"]["reason"].to_string().contains("502")).await;
    desk.line.leads_to(desk.owner.address);
    message(&watch, |message| message["action"] == "connected" && message["data"]["again"] == true).await;
}

#[tokio::test]
async fn it_ends_well_when_nobody_reads_any_more() {
    let desk = Desk::new().await;
    let (id, [ann, ..]) = desk.board().await;
    let mut shell = std::process::Command::new("sh");
    shell.args([
        "-c",
        "( \"$0\" watch --json; echo \"code $?\" >&2 ) | head -n 2",
        env!("CARGO_BIN_EXE_convened"),
    ]);
    let with = desk.command(&[]);
    shell.envs(with.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdin(std::process::Stdio::null());
    let reading = Process::of(shell);
    reading.out.until(|line| line.contains("\"snapshot\"")).await;
    let mut deaf = false;
    // Something has to be written for it to notice.
    while !reading.err.so_far().iter().any(|line| line.starts_with("code ")) {
        deaf = !deaf;
        let action = if deaf { "deaf" } else { "undeaf" };
        desk.owner.act(&format!("conferences/{id}/participants/{ann}"), action).await.ok();
    }
    let ended = reading.ended().await;
    assert_eq!(ended.err, "code 0", "{ended:#?}");
}
