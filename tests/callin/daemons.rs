//! Several daemons beside one switch, and daemons that come and go.

use std::sync::atomic::Ordering;

use convened::app::Daemon;
use convened::config::{Config, Node, Secret};
use convened::sim::world::Caller;
use serde_json::json;

use crate::client::look_again;
use crate::door::{Door, NUMBER, caller, soon};
use crate::house::{ACCOUNT, House, switch};

/// The configuration of another daemon beside the same switch and database.
fn beside(door: &Door, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.api.listen = vec![convened::config::Listen::Plain(([127, 0, 0, 1], 0).into())];
    config.database.url = format!("sqlite://{}", door.house.folder.path().join("other.db").display());
    config.node.push(Node::new("fs1", door.switch().addr().to_string(), Secret::new("ClueCon")));
    config.callin.enabled = true;
    change(&mut config);
    config
}

#[tokio::test]
async fn of_two_daemons_exactly_one_takes_each_call() {
    let door = Door::with(1, |config| {
        config.callin.shared = true;
        config.events.node_name = Some("one".into());
    })
    .await;
    let id = door.conference(json!({})).await;
    let other = beside(&door, |config| {
        config.callin.shared = true;
        config.events.node_name = Some("two".into());
    });
    let other = Daemon::start(&other).await.expect("it starts");
    soon("both listen", door.switch().until_listeners(4)).await;
    // The other one has no documents, so what it takes is not let in.
    let calls: Vec<_> = (0..60)
        .map(|number| {
            let own = format!("1555{number:07}");
            let ours = Caller::new(format!("Caller {number}"), own).dialling(NUMBER);
            door.dial(ours.variable("convened_callin", "true").variable("account_id", ACCOUNT))
        })
        .collect();
    let (one, two) = (door.callin(), other.callin().expect("it lets callers in"));
    soon("the end of all", async {
        let left = |callin: &convened::callin::CallIn| callin.figures().of_others.load(Ordering::Relaxed);
        while left(one) + left(two) < 60 || one.dialogues() + two.dialogues() > 0 {
            look_again().await;
        }
    })
    .await;
    let taken = |callin: &convened::callin::CallIn| callin.figures().taken.load(Ordering::Relaxed);
    assert_eq!(taken(one) + taken(two), 60);
    let joined = usize::try_from(one.figures().joined.load(Ordering::Relaxed)).unwrap();
    assert_eq!(u64::try_from(joined).unwrap(), taken(one));
    door.people(&id, joined).await;
    for call in calls {
        let executed = door.switch().commands();
        let takers = executed.iter().filter(|seen| {
            seen.text.starts_with(&format!("api hash insert_ifempty/convened_callin/{call}/"))
        });
        assert!(takers.count() >= 2, "both have tried");
        assert_eq!(
            door.switch().api(&format!("hash select/convened_callin/{call}")).trim(),
            "",
            "the claim is given back"
        );
    }
    other.stop().await;
}

#[tokio::test]
async fn a_claim_that_is_had_after_another_daemon_was_done_is_given_back() {
    let door = Door::with(1, |config| config.callin.shared = true).await;
    door.conference(json!({})).await;
    let ours = |part: &'static str| move |seen: &convened::sim::switch::Seen| seen.text.contains(part);
    door.switch().hold_replies();
    let ann = door.call("Ann");
    soon("a claim", door.switch().until_command(ours("hash insert_ifempty"))).await;
    door.switch().api(&format!("uuid_setvar {ann} convened_callin joined"));
    door.switch().release_replies();
    soon("a decision", async {
        while door.callin().figures().of_others.load(Ordering::Relaxed) == 0 {
            look_again().await;
        }
    })
    .await;
    soon("the claim is given back", door.switch().until_command(ours("hash delete"))).await;
    assert_eq!(door.callin().figures().taken.load(Ordering::Relaxed), 0);
    assert!(door.switch().commands().iter().all(|seen| !seen.text.starts_with("sendmsg")));
}

#[tokio::test]
async fn one_daemon_alone_claims_nothing() {
    let door = Door::open().await;
    let id = door.conference(json!({})).await;
    door.call("Ann");
    door.people(&id, 1).await;
    door.quiet().await;
    assert!(door.switch().commands().iter().all(|seen| !seen.text.contains("hash ")));
}

#[tokio::test]
async fn callers_who_wait_are_taken_up_by_the_next_daemon_and_nobody_else_is() {
    let switch = switch(1).await;
    let waiting = [switch.park(caller("Ann")).unwrap(), switch.park(caller("Ben")).unwrap()];
    let zed = switch.park(Caller::new("Zed", "1").dialling(NUMBER)).unwrap();
    switch.join("somewhere", Caller::new("Dan", "2").variable("convened_callin", "true")).unwrap();
    let house = House::beside(vec![switch], |config| {
        config.callin.enabled = true;
        config.callin.answer_timeout_ms = 5_000;
    })
    .await;
    house.followed().await;
    let door = Door::of(house).await;
    // There is no document: they are taken, and told that their number leads nowhere.
    for call in &waiting {
        door.gone(call).await;
    }
    door.quiet().await;
    assert!(door.switch().world(|world, _| world.has_call(&zed)));
    assert_eq!(door.callin().figures().taken.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_caller_in_the_middle_of_a_question_is_asked_again_by_the_next_daemon() {
    let switch = switch(1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("kept.db").display());
    let change = |config: &mut Config| {
        config.callin.enabled = true;
        config.callin.answer_timeout_ms = 20_000;
        config.database.url.clone_from(&url);
    };
    let house = House::beside(vec![switch], change).await;
    house.followed().await;
    let door = Door::of(house).await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    let ann = door.call("Ann");
    soon("a question", door.switch().until_asked(&ann, 1)).await;
    let House { daemon, switches, .. } = door.house;
    daemon.stop().await;
    let house = House::beside(switches, change).await;
    house.followed().await;
    let door = Door::of(house).await;
    let asked = |seen: &convened::sim::switch::Seen| seen.text.contains("play_and_get_digits");
    soon("the second question", async {
        while door.switch().commands().iter().filter(|seen| asked(seen)).count() < 2 {
            look_again().await;
        }
    })
    .await;
    // This goes to whom nobody listens to any more.
    door.switch().press(&ann, "1#").unwrap();
    door.types(&ann, 2, "1#").await;
    door.people(&id, 1).await;
}
