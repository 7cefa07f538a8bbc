//! `mute`, `kick`, `lock` and their like: they do it, and tell what came of it.

use serde_json::{Value, json};

use crate::client::column;
use crate::desk::{Desk, finished, words};

impl Desk {
    /// What the switch itself says of somebody.
    fn truth(&self, id: &str, number: u64) -> Option<(bool, bool)> {
        let rooms = self.site.switch.truth();
        let room = rooms.iter().find(|room| room.name == id)?;
        let member = room.members.iter().find(|member| u64::from(member.id) == number)?;
        Some((member.speak, member.hear))
    }

    fn is_locked(&self, id: &str) -> bool {
        self.site.switch.truth().iter().any(|room| room.name == id && room.locked)
    }
}

fn results(document: &Value) -> Vec<Value> {
    column(&document["results"], "result")
}

#[tokio::test]
async fn one_is_muted_and_deafened_and_heard_again() {
    let desk = Desk::new().await;
    let (id, [_, ben, cy]) = desk.board().await;
    let number = ben.to_string();
    for (action, after) in [
        ("mute", (false, true)),
        ("deaf", (false, false)),
        ("unmute", (true, false)),
        ("undeaf", (true, true)),
    ] {
        let told = desk.run(&[action, "Board", &number]).await.ok();
        assert_eq!(words(&told)[1][..3], [&number, "fs1", "done"], "{told}");
        assert_eq!(desk.truth(&id, ben), Some(after), "{action}");
        assert_eq!(desk.truth(&id, cy), Some((true, true)), "{action}");
    }
    let again = desk.run(&["undeaf", &id, &number, "--json"]).await.json();
    assert_eq!((&again["action"], &again["conference_id"]), (&json!("undeaf"), &json!(id)));
    assert_eq!(results(&again), ["already"]);
}

#[tokio::test]
async fn several_are_named_by_number_or_call_and_whoever_is_not_there_is_told() {
    let desk = Desk::new().await;
    let (id, [ann, ben, cy]) = desk.board().await;
    let rooms = desk.site.switch.truth();
    let call = &rooms[0].members.iter().find(|one| u64::from(one.id) == cy).expect("Cy").call;
    let told = desk.run(&["mute", "Board", &ann.to_string(), "99", call, "--json"]).await;
    let document: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(results(&document), ["done", "not_found", "done"]);
    assert_eq!(column(&document["results"], "participant_id"), [json!(ann), json!(99), json!(cy)]);
    told.failed(4, "mute: 1 of 3 is not there");
    assert_eq!(desk.truth(&id, ann), Some((false, true)), "who is named is muted, a moderator too");
    assert_eq!(desk.truth(&id, ben), Some((true, true)));
    assert_eq!(desk.truth(&id, cy), Some((false, true)));
}

#[tokio::test]
async fn all_are_all_but_moderators_and_everybody_for_a_kick() {
    let desk = Desk::new().await;
    let (id, [ann, ben, cy]) = desk.board().await;
    let muted = desk.run(&["mute", "Board", "--all", "--json"]).await.json();
    assert_eq!(results(&muted).iter().filter(|result| **result == "done").count(), 2, "{muted}");
    assert_eq!([ann, ben, cy].map(|one| desk.truth(&id, one).expect("there").0), [true, false, false]);
    let kicked = desk.run(&["kick", "Board", "--all", "--json"]).await.json();
    assert_eq!(results(&kicked), ["done", "done", "done"]);
    assert_eq!(desk.truth(&id, ann), None);
    desk.run(&["kick", "Board", "--all"]).await.failed(4, "does not run");
}

#[tokio::test]
async fn nobody_is_kicked_by_a_command_that_names_nobody() {
    let desk = Desk::new().await;
    let (id, [_, ben, cy]) = desk.board().await;
    assert_eq!(desk.run(&["kick", "Board"]).await.code, 2);
    assert_eq!(desk.run(&["kick", "Board", "7", "--all"]).await.code, 2);
    desk.run(&["kick", "Board", &ben.to_string()]).await.ok();
    assert_eq!(desk.truth(&id, ben), None);
    assert!(desk.truth(&id, cy).is_some());
}

#[tokio::test]
async fn a_conference_is_locked_and_unlocked() {
    let desk = Desk::new().await;
    let (id, _) = desk.board().await;
    let told = desk.run(&["lock", "Board"]).await.ok();
    assert_eq!(words(&told)[1], ["fs1", "done"], "{told}");
    assert!(desk.is_locked(&id));
    assert_eq!(results(&desk.run(&["lock", &id, "--json"]).await.json()), ["already"]);
    desk.run(&["unlock", "Board"]).await.ok();
    assert!(!desk.is_locked(&id));
}

#[tokio::test]
async fn what_the_switch_refuses_is_no_success() {
    let desk = Desk::new().await;
    let (_, [_, ben, _]) = desk.board().await;
    desk.site.switch.answer_instead("mute", "-ERR no such thing");
    let told = desk.run(&["mute", "Board", &ben.to_string(), "--json"]).await;
    let document: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(results(&document), ["failed"], "{told:#?}");
    told.failed(1, "mute: 1 of 1 is not done");
}

#[tokio::test]
async fn a_token_that_may_act_but_not_read_acts_by_id() {
    let desk = Desk::new().await;
    let (id, _) = desk.board().await;
    let account = crate::process::ACCOUNT;
    let token = desk.site.token(&["create", "--account", account, "--scope", "control"]).await;
    let with = |arguments: &[&str]| {
        let mut command = desk.command(arguments);
        command.env("CONVENED_TOKEN", &token);
        finished(command)
    };
    with(&["lock", &id]).await.ok();
    assert!(desk.is_locked(&id));
    with(&["lock", "Board"]).await.failed(4, "\"Board\" is not found");
    with(&["list"]).await.failed(78, "needs the scope read");
}
