//! Following: from the start, through breaks, over restarts.

use std::time::Duration;

use convened::model::Flag;
use convened::registry::{ChangeKind, NodeCondition, Reason};
use convened::sim::switch::{Switch, SwitchOptions, Which};
use convened::sim::world::Caller;

use crate::support::house::{House, eventually, options, settled, soon, switch};

#[tokio::test]
async fn what_runs_already_is_found_and_what_happens_then_is_followed() {
    let switch = switch().await;
    let ann = switch.join("daily", Caller::new("Ann", "2001").moderator()).unwrap();
    let held = switch.join("daily", Caller::new(b"Jos\xe9", "2002").flags("mute")).unwrap();
    switch.api(&format!("conference daily hold uuid={held}"));
    switch.api("conference daily lock");
    settled(&switch).await;
    let house = House::following(switch).await;
    house.agrees().await;
    let status = house.node.status();
    assert!(status.events_connected && status.commands_connected && status.trouble.is_none(), "{status:?}");
    assert_eq!(status.core.as_deref(), Some(&*house.switch.core_uuid()));
    assert!(house.kept.all().iter().all(|change| change.reason == Reason::List));

    house.switch.api("conference daily unlock");
    let ben = house.switch.join("daily", Caller::new("Ben", "2003")).unwrap();
    house.switch.talk(&ben, true).unwrap();
    house.switch.until(|rooms| rooms[0].member(&ben).is_some_and(|member| member.floor)).await;
    house.switch.api(&format!("conference daily deaf uuid={ann}"));
    house.agrees().await;
    assert!(house.has("daily", &ben, Flag::Floor) && !house.has("daily", &ann, Flag::Hear));
    for call in [&ann, &held, &ben] {
        house.switch.leave(call).unwrap();
    }
    eventually("the conference is gone", || house.registry.conferences().is_empty()).await;
    assert_eq!(house.kept.kinds("daily").last(), Some(&ChangeKind::ConferenceDestroyed));
    house.kept.check_numbers();
}

#[tokio::test]
async fn a_switch_that_is_down_at_the_start_is_followed_when_it_comes_up() {
    let switch = switch().await;
    switch.stop_listening().await;
    let house = House::with(switch, |_| ());
    eventually("the trouble is told", || house.node.status().trouble.is_some()).await;
    assert_eq!(house.registry.nodes()[house.node.name()], NodeCondition::Unlisted);
    assert!(!house.registry.is_complete());
    house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.switch.listen_again().await.unwrap();
    house.followed().await;
    house.agrees().await;
    eventually("the trouble is over", || house.node.status().trouble.is_none()).await;
}

#[tokio::test]
async fn after_a_break_only_the_differences_are_told() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    let ben = house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
    house.switch.join("weekly", Caller::new("Cid", "2003")).unwrap();
    house.switch.until(|rooms| rooms.iter().all(|room| room.members.iter().any(|m| m.floor))).await;
    house.agrees().await;
    let before = house.kept.all().len();

    house.switch.stop_listening().await;
    house.switch.reset(Which::All);
    eventually("the break is noticed", || house.registry.nodes()[house.node.name()] == NodeCondition::Lost)
        .await;
    assert_eq!(house.registry.conferences().len(), 2, "what was known stays known");
    house.switch.leave(&ann).unwrap();
    house.switch.api(&format!("conference daily mute uuid={ben}"));
    house.switch.until(|rooms| rooms[0].members.len() == 1 && rooms[0].members[0].floor).await;
    house.switch.listen_again().await.unwrap();
    house.agrees().await;
    house.followed().await;

    let told = house.kept.all().split_off(before);
    assert!(told.iter().all(|change| change.reason == Reason::List && &*change.conference.name == "daily"));
    let mut kinds: Vec<_> = told.iter().map(|change| change.kind.name()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // Ben may have had the floor before, or got it from her.
    kinds.retain(|kind| *kind != "floor-change");
    assert_eq!(kinds, ["del-member", "mute-member"]);
}

#[tokio::test]
async fn a_restarted_switch_begins_anew_and_its_numbers_are_of_other_people() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.switch.api(&format!("conference daily mute uuid={ann}"));
    house.switch.join("old", Caller::new("Ben", "2002")).unwrap();
    house.agrees().await;
    let before = house.conference("daily");
    let core = house.node.status().core;

    house.switch.stop_listening().await;
    house.switch.restart();
    let cid = house.switch.join("daily", Caller::new("Cid", "2003")).unwrap();
    house.switch.join("new", Caller::new("Dan", "2004")).unwrap();
    house.switch.listen_again().await.unwrap();
    house.agrees().await;
    eventually("the new run is known", || house.node.status().core.is_some_and(|new| Some(new) != core))
        .await;

    let now = house.conference("daily");
    assert_ne!(before.instance, now.instance);
    assert_eq!(now.by_member_id(1).expect("the first one").call_id, cid.into());
    assert!(now.by_member_id(1).unwrap().state().has(Flag::Speak), "he is not muted because she was");
    assert!(before.is_empty() && house.registry.conference("old").is_empty());
    let ended = house.kept.all();
    let ended: Vec<_> = ended.iter().filter(|c| c.kind == ChangeKind::ConferenceDestroyed).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|change| change.reason == Reason::NodeRestarted));
    let left = house.kept.all();
    assert!(
        left.iter().any(|change| change.kind == ChangeKind::Left && change.reason == Reason::NodeRestarted)
    );
}

/// A relay may keep our side open while the switch behind it is started anew.
#[tokio::test]
async fn another_run_is_noticed_on_the_same_connection_too() {
    let options = SwitchOptions { heartbeat: Some(Duration::from_millis(20)), ..options() };
    let house = House::following(Switch::start(options).await.unwrap()).await;
    house.switch.join("old", Caller::new("Ann", "2001")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    house.switch.world(|world, now| world.restart(now));
    let core = house.switch.core_uuid();
    eventually("the new run is known", || house.node.status().core.as_deref() == Some(&*core)).await;
    house.agrees().await;
    assert!(house.registry.conference("old").is_empty());
    let ended = house.kept.all().into_iter().find(|change| change.kind == ChangeKind::ConferenceDestroyed);
    assert_eq!(ended.map(|change| change.reason), Some(Reason::NodeRestarted));
}

/// With a pause that doubles each time it would take minutes.
#[tokio::test]
async fn a_switch_that_is_back_each_time_is_tried_soon_each_time() {
    let house = House::with(switch().await, |settings| settings.node.reconnect_max_ms = 600_000);
    house.followed().await;
    for _ in 0..14 {
        let before = house.node.status().connections;
        house.switch.cut(Which::Events);
        eventually("it is back", || house.node.status().connections > before).await;
        house.followed().await;
        soon("a fence", house.node.fence()).await.unwrap();
    }
}

#[tokio::test]
async fn after_ten_reconnects_each_change_comes_once() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.switch.until(|rooms| rooms[0].members[0].floor).await;
    house.agrees().await;
    for round in 0..10_u64 {
        let before = house.node.status().connections;
        match round % 3 {
            0 => house.switch.cut(Which::All),
            1 => house.switch.reset(Which::Events),
            _ => house.switch.reset(Which::Commands),
        }
        if round % 3 != 2 {
            eventually("it is back", || house.node.status().connections > before).await;
        }
        soon("one listener", house.switch.until_listeners(1)).await;
        house.followed().await;
        let word = if round % 2 == 0 { "mute" } else { "unmute" };
        house.switch.api(&format!("conference daily {word} uuid={ann}"));
        house.agrees().await;
    }
    let expected: Vec<_> = [ChangeKind::ConferenceCreated, ChangeKind::Joined, ChangeKind::FloorChanged]
        .into_iter()
        .chain((0..10).map(|round| if round % 2 == 0 { ChangeKind::Muted } else { ChangeKind::Unmuted }))
        .collect();
    assert_eq!(house.kept.kinds("daily"), expected);
    soon("two connections", house.switch.until_connections(2)).await;
}

#[tokio::test]
async fn a_stopped_node_lets_go_of_its_connections() {
    let house = House::new().await;
    house.stop.cancel();
    soon("its tasks have ended", house.running.ended()).await;
    soon("its connections are closed", house.switch.until_connections(0)).await;
}
