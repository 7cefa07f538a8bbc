//! A conference that runs on another node than the one a caller has come in on.

use convened::config::Config;
use serde_json::json;

use crate::door::{Door, NUMBER, caller, soon};

fn with_ways(config: &mut Config) {
    for (at, node) in config.node.iter_mut().enumerate() {
        node.sip_uri = Some(format!("sip:conf@fs{}.example.com", at + 1));
    }
}

#[tokio::test]
async fn a_caller_is_bridged_to_the_node_of_his_conference_and_asked_nothing_twice() {
    let door = Door::with(2, with_ways).await;
    let id = door
        .conference(
            json!({"member": {"pins": ["1234"], "join_muted": false}, "moderator": {"pins": ["4321"]}}),
        )
        .await;
    let (here, there) = (&door.house.switches[0], &door.house.switches[1]);
    let ann = there.park(caller("Ann")).unwrap();
    soon("a question", there.until_asked(&ann, 1)).await;
    there.press(&ann, "1234#").unwrap();
    door.people(&id, 1).await;
    let ben = here.park(caller("Ben")).unwrap();
    soon("a question", here.until_asked(&ben, 1)).await;
    here.press(&ben, "4321#").unwrap();
    let transfer =
        soon("a transfer", here.until_command(|seen| seen.text.contains(&format!("uuid_transfer {ben} "))))
            .await;
    let (_, ticket) = transfer.text.split_once("set:sip_h_X-Convened-Ticket=").expect("a ticket");
    let ticket = &ticket[..32];
    assert!(transfer.text.contains("bridge:sofia/internal/sip:conf@fs2.example.com'"), "{}", transfer.text);
    soon("a bridge", async {
        while here.bridged(&ben).is_none() {
            crate::client::look_again().await;
        }
    })
    .await;
    // As the other node hears it.
    let leg = convened::sim::world::Caller::new("Ben", "15551230000")
        .dialling("conf")
        .variable("convened_callin", "true")
        .variable("sip_h_X-Convened-Ticket", ticket);
    let leg = there.park(leg).unwrap();
    let people = door.people(&id, 2).await;
    assert_eq!((&people[1]["call_id"], &people[1]["is_moderator"]), (&json!(leg), &json!(true)));
    assert!(here.truth().is_empty(), "it runs on one node");
    // A ticket is good once.
    let thief = convened::sim::world::Caller::new("Eve", "1")
        .dialling("conf")
        .variable("convened_callin", "true")
        .variable("sip_h_X-Convened-Ticket", ticket);
    let thief = there.park(thief).unwrap();
    soon("the end", there.until_gone(&thief)).await;
    door.people(&id, 2).await;
}

#[tokio::test]
async fn without_a_way_there_it_runs_on_both_and_both_are_shown() {
    let door = Door::with(2, |_| {}).await;
    let id = door.conference(json!({})).await;
    door.house.switches[1].park(caller("Ann")).unwrap();
    door.people(&id, 1).await;
    door.house.switches[0].park(caller("Ben")).unwrap();
    door.people(&id, 2).await;
    let document = door.owner.get(&format!("conferences/{id}")).await.ok();
    let mut nodes: Vec<_> =
        document["instances"].as_array().unwrap().iter().map(|it| it["node"].clone()).collect();
    nodes.sort_by_key(ToString::to_string);
    assert_eq!(nodes, [json!("fs1"), json!("fs2")]);
}

#[tokio::test]
async fn two_first_callers_on_two_nodes_meet_on_one() {
    let door = Door::with(2, with_ways).await;
    let id =
        door.conference(json!({"member": {"numbers": [NUMBER], "pins": ["1"]}, "play_name": false})).await;
    let (here, there) = (&door.house.switches[0], &door.house.switches[1]);
    let (ann, ben) = (here.park(caller("Ann")).unwrap(), there.park(caller("Ben")).unwrap());
    soon("a question", here.until_asked(&ann, 1)).await;
    soon("a question", there.until_asked(&ben, 1)).await;
    here.press(&ann, "1#").unwrap();
    there.press(&ben, "1#").unwrap();
    soon("a bridge", async {
        while here.bridged(&ann).is_none() && there.bridged(&ben).is_none() {
            crate::client::look_again().await;
        }
    })
    .await;
    door.people(&id, 1).await;
    assert_eq!(here.truth().len() + there.truth().len(), 1);
}

#[tokio::test]
async fn a_node_that_is_taken_away_and_comes_again_loses_no_caller() {
    let mut door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    let ann = door.call("Ann");
    soon("a question", door.switch().until_asked(&ann, 1)).await;
    let with = door.house.daemon.config().clone();
    let mut without = with.clone();
    without.node.clear();
    let reloaded = door.house.daemon.reload(&without).await;
    assert_eq!((reloaded.nodes.removed, reloaded.for_restart), (vec!["fs1".to_owned()], vec![]));
    soon("no listeners", door.switch().until_listeners(0)).await;
    door.quiet().await;
    let reloaded = door.house.daemon.reload(&with).await;
    assert_eq!(reloaded.nodes.added, ["fs1"]);
    door.types(&ann, 2, "1#").await;
    door.people(&id, 1).await;

    let mut banning = with.clone();
    banning.callin.banned = vec!["15551230000".into()];
    let reloaded = door.house.daemon.reload(&banning).await;
    assert_eq!(reloaded, convened::app::Reloaded::default());
    let ben = door.call("Ben");
    assert_eq!(door.rejected().await.0, "banned");
    door.gone(&ben).await;
}
