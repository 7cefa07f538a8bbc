//! A node that is out of reach: its conferences are shown as stale, then they are not there, and nobody
//! is told anything that is not known.

use convened::registry::{ChangeKind, NodeCondition};
use convened::sim::switch::{Switch, Which};
use convened::sim::world::Caller;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::TryRecvError;

use crate::client::{Rest, column, text};
use crate::house::{ACCOUNT, House};

/// So long that no test sees the end of it.
const FOREVER: u64 = 3_600;

async fn house(switches: usize, stale_after_s: u64, gone_after_s: u64) -> House {
    House::with(switches, |config| {
        for node in &mut config.node {
            (node.stale_after_s, node.gone_after_s) = (stale_after_s, gone_after_s);
        }
    })
    .await
}

async fn down(switch: &Switch) {
    switch.stop_listening().await;
    switch.cut(Which::All);
}

async fn up(switch: &Switch) {
    switch.listen_again().await.expect("the port");
}

/// `stale` of a conference, of its line in the list, and of each participant.
async fn stale(client: &Rest, id: &str) -> [Value; 3] {
    let path = format!("conferences/{id}");
    let one = client.get(&path).await.ok();
    let list = client.get("conferences").await.ok();
    let list = list.as_array().cloned().expect("a list");
    let line = list.into_iter().find(|line| line["id"] == id).expect("it is in the list");
    let people = client.get(&format!("{path}/participants")).await.ok();
    assert_eq!(column(&people, "stale"), column(&one["_read_only"]["participants"], "stale"));
    [one["_read_only"]["stale"].clone(), line["stale"].clone(), column(&people, "stale").into()]
}

/// The node's line for superusers: its state, and since when.
async fn state(house: &House, node: usize) -> (Value, u64) {
    let nodes = house.superuser().await.get("/v2/nodes").await.ok();
    (nodes[node]["state"].clone(), nodes[node]["since"].as_u64().expect("a time"))
}

#[tokio::test]
async fn after_the_first_grace_it_is_shown_as_stale_and_left_alone_until_the_node_is_back() {
    let house = house(1, 1, FOREVER).await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "Board" })).await;
    house.join(&id, "Ann").await;
    assert_eq!(stale(&owner, &id).await, [json!(null), json!(null), json!([null])], "absent");
    let (_, followed_since) = state(&house, 0).await;
    down(house.switch()).await;
    house.condition("fs1", NodeCondition::Stale).await;
    assert_eq!(stale(&owner, &id).await, [json!(true), json!(true), json!([true])]);
    let (word, since) = state(&house, 0).await;
    assert_eq!(word, "stale");
    assert!(since > followed_since, "{since} is not after {followed_since}");
    let path = format!("conferences/{id}");
    let seen = owner.get(&path).await.ok();
    assert_eq!((&seen["_read_only"]["complete"], &seen["_read_only"]["members"]), (&json!(false), &json!(1)));
    assert_eq!(owner.get(&format!("{path}/participants/1")).await.ok()["stale"], true);
    for (path, action) in [
        (path.clone(), "lock"),
        (format!("{path}/participants"), "mute"),
        (format!("{path}/participants"), "kick"),
        (format!("{path}/participants/1"), "kick"),
    ] {
        let data = owner.act(&path, action).await.refused(503, "switch_unavailable");
        assert_eq!((&data["reason"], &data["node"]), (&json!("stale"), &json!("fs1")), "{data}");
        assert_eq!(column(&data["results"], "result"), ["failed"], "{data}");
    }
    for data in [
        json!({ "action": "kick", "dry_run": true }),
        json!({ "action": "mute", "participants": [1], "dry_run": true }),
    ] {
        owner.put(&format!("{path}/participants"), data).await.refused(503, "switch_unavailable");
    }
    // What a client has read can be sent back; a document is never stale.
    let line = owner.get("conferences").await.ok()[0].clone();
    owner.post(&path, line).await.ok();
    up(house.switch()).await;
    house.followed().await;
    assert_eq!(stale(&owner, &id).await, [json!(null), json!(null), json!([null])]);
    assert_eq!(state(&house, 0).await.0, "followed");
    owner.act(&path, "lock").await.ok();
}

#[tokio::test]
async fn back_within_the_grace_nothing_is_told_and_nothing_flickers() {
    let house = house(1, FOREVER, FOREVER).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().until(|rooms| rooms[0].members[0].floor).await;
    house.told().await;
    let mut changes = house.daemon.hub().listen();
    let shown = |answer: Value| {
        let people = answer["_read_only"]["participants"].clone();
        (column(&people, "call_id"), column(&people, "join_time"), answer["instances"].clone())
    };
    let before = owner.get("conferences/talk").await;
    let looking = tokio::spawn({
        let (owner, before) = (owner.clone(), shown(before.ok()));
        async move {
            let mut incomplete = 0;
            loop {
                let seen = owner.get("conferences/talk").await.ok();
                assert_eq!(seen["_read_only"].get("stale"), None);
                let complete = seen["_read_only"]["complete"] == true;
                assert_eq!(shown(seen), before);
                incomplete += usize::from(!complete);
                if complete && incomplete > 0 {
                    return;
                }
            }
        }
    });
    down(house.switch()).await;
    house.condition("fs1", NodeCondition::Lost).await;
    // Somebody looks while it is away.
    owner.get("conferences/talk").await.ok();
    assert_eq!(state(&house, 0).await.0, "lost");
    up(house.switch()).await;
    house.followed().await;
    looking.await.expect("nothing flickers");
    assert_eq!(changes.try_recv().err(), Some(TryRecvError::Empty), "no change at all");
    let after = owner.get("conferences/talk").await;
    assert_eq!(after.header("x-conference-seq"), before.header("x-conference-seq"));
}

#[tokio::test]
async fn after_the_second_grace_nothing_is_known_and_what_still_runs_is_listed_when_the_node_is_back() {
    let house = house(1, 0, 1).await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    house.join(&id, "Ann").await;
    house.join("talk", "Ben").await;
    let instance = owner.get("conferences/talk").await.ok()["instances"][0]["instance_id"].clone();
    let mut changes = house.daemon.hub().listen();
    down(house.switch()).await;
    house.condition("fs1", NodeCondition::Gone).await;
    assert_eq!(state(&house, 0).await.0, "gone");
    owner.get("conferences/talk").await.refused(503, "switch_unavailable");
    for (path, action) in [
        ("conferences/talk".to_owned(), "lock"),
        ("conferences/talk/participants".into(), "kick"),
        (format!("conferences/{id}"), "lock"),
        (format!("conferences/{id}/participants"), "mute"),
        (format!("conferences/{id}/participants/1"), "mute"),
    ] {
        let data = owner.act(&path, action).await.refused(503, "switch_unavailable");
        assert_eq!((&data["reason"], &data["nodes"]), (&json!("not_known"), &json!(["fs1"])), "{data}");
    }
    let seen = owner.get(&format!("conferences/{id}")).await.ok();
    let realtime = &seen["_read_only"];
    assert_eq!((&realtime["complete"], &realtime["members"]), (&json!(false), &json!(0)));
    assert_eq!((realtime.get("stale"), seen.get("focus")), (None, None));
    assert_eq!(column(&owner.get("conferences").await.ok(), "id"), [json!(id)]);
    let mut last = 0;
    while let Ok(change) = changes.try_recv() {
        if change.conference.instance == text(&instance).into() {
            last = change.number;
        }
    }
    up(house.switch()).await;
    house.followed().await;
    assert_eq!(column(&owner.get("conferences").await.ok(), "id"), [json!(id), json!("talk")]);
    let seen = owner.get("conferences/talk").await.ok();
    assert_eq!(
        (&seen["instances"][0]["instance_id"], &seen["_read_only"]["members"]),
        (&instance, &json!(1))
    );
    assert_eq!(stale(&owner, "talk").await, [json!(null), json!(null), json!([null])]);
    let mut again = Vec::new();
    while let Ok(change) = changes.try_recv() {
        if change.conference.instance == text(&instance).into() {
            again.push((change.number, change.kind));
        }
    }
    assert_eq!(again[0], (last + 1, ChangeKind::ConferenceCreated), "the numbers go on");
    owner.act("conferences/talk", "lock").await.ok();
}

#[tokio::test]
async fn of_two_nodes_only_the_lost_one_has_stale_conferences() {
    let house = house(2, 1, FOREVER).await;
    let owner = house.owner().await;
    let tagged = |name: &str| Caller::new(name, "1").variable("confvar_account_id", ACCOUNT);
    for (switch, room, name) in
        [(0, "both", "Ann"), (1, "both", "Ben"), (0, "first", "Cid"), (1, "second", "Dot")]
    {
        house.switches[switch].join(room, tagged(name)).expect("let in");
    }
    house.told().await;
    let mut changes = house.daemon.hub().listen();
    down(&house.switches[1]).await;
    house.condition("fs2", NodeCondition::Stale).await;
    assert_eq!(stale(&owner, "first").await, [json!(null), json!(null), json!([null])]);
    assert_eq!(stale(&owner, "second").await, [json!(true), json!(true), json!([true])]);
    assert_eq!(stale(&owner, "both").await, [json!(true), json!(true), json!([null, true])]);
    assert_eq!((state(&house, 0).await.0, state(&house, 1).await.0), (json!("followed"), json!("stale")));
    // What can be done is done, as with any node that is out of reach.
    for (path, action) in [("conferences/both", "lock"), ("conferences/both/participants", "mute")] {
        let data = owner.act(path, action).await.ok();
        assert_eq!(column(&data["results"], "node"), ["fs1", "fs2"]);
        assert_eq!(column(&data["results"], "result"), ["done", "failed"]);
        assert_eq!(data["results"][1]["reason"], "stale");
    }
    let people = owner.get("conferences/both/participants").await.ok();
    let [ann, ben] = [&people[0], &people[1]].map(|person| text(&person["call_id"]));
    owner.act(&format!("conferences/both/participants/{ann}"), "unmute").await.ok();
    let refused = owner.act(&format!("conferences/both/participants/{ben}"), "mute").await;
    let data = refused.refused(503, "switch_unavailable");
    assert_eq!((&data["reason"], &data["node"]), (&json!("stale"), &json!("fs2")), "{data}");
    owner.act("conferences/first", "lock").await.ok();
    let mut marked = Vec::new();
    while let Ok(change) = changes.try_recv() {
        if change.kind == ChangeKind::ConferenceStale {
            marked.push((change.conference.node.to_string(), change.conference.name.to_string()));
        }
    }
    marked.sort();
    assert_eq!(marked, [("fs2".into(), "both".into()), ("fs2".into(), "second".into())]);
}

#[tokio::test]
async fn a_connection_that_breaks_again_and_again_makes_one_pair_and_is_stale_all_the_time_between() {
    let house = house(1, 1, FOREVER).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().until(|rooms| rooms[0].members[0].floor).await;
    house.told().await;
    let mut changes = house.daemon.hub().listen();
    let node = house.daemon.context().switchboard.nodes()["fs1"].clone();
    // No fence is seen, so that nothing can be listed, however often the connection is there.
    house.switch().drop_events_if(|_| true);
    let (mut breaks, mut breaks_while_stale, mut was_stale) = (0, 0, false);
    while breaks_while_stale < 5 {
        breaks += 1;
        assert!(breaks < 1_000, "each takes some milliseconds, and it is not stale yet");
        let before = node.status().connections;
        house.switch().cut(Which::Events);
        while node.status().connections == before {
            crate::client::look_again().await;
        }
        house.switch().until_listeners(1).await;
        let realtime = owner.get("conferences/talk").await.ok()["_read_only"].clone();
        let is_stale = realtime.get("stale").is_some();
        assert!(is_stale || !was_stale, "stale, and then not, without a list: {realtime}");
        assert_eq!(realtime["complete"], false);
        was_stale = is_stale;
        breaks_while_stale += usize::from(is_stale);
    }
    house.switch().keep_events();
    house.switch().cut(Which::Events);
    house.followed().await;
    assert_eq!(stale(&owner, "talk").await, [json!(null), json!(null), json!([null])]);
    let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| change.kind).collect();
    assert_eq!(told, [ChangeKind::ConferenceStale, ChangeKind::ConferenceRecovered]);
}
