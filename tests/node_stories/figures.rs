//! What a node tells of itself: counted from what really happened.

use std::time::Duration;

use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::Caller;

use crate::support::house::{House, eventually, options, settled, soon};

async fn house_with_heartbeats() -> House {
    let options = SwitchOptions { heartbeat: Some(Duration::from_millis(20)), ..options() };
    House::following(Switch::start(options).await.expect("a switch")).await
}

#[tokio::test]
async fn a_node_tells_its_uptime_its_last_event_and_how_fast_it_answers() {
    let house = house_with_heartbeats().await;
    assert_eq!(house.node.status().last_event_ago, None, "nothing has happened yet");
    eventually("a heartbeat", || house.node.status().uptime.is_some()).await;
    let first = house.node.status().uptime.expect("told");
    house.switch.join("daily", Caller::new("Ann", "1")).expect("let in");
    eventually("an event", || house.node.status().events > 0).await;
    let status = house.node.status();
    assert!(status.last_event_ago.is_some_and(|ago| ago < Duration::from_secs(20)), "{status:?}");
    assert!(status.command_latency.is_some_and(|time| time > Duration::ZERO), "it was listed: {status:?}");
    assert_eq!((status.connections, status.drifts), (1, 0));
    eventually("time goes by for the switch too", || house.node.status().uptime > Some(first)).await;
}

#[tokio::test]
async fn what_a_list_repairs_is_counted_and_told_in_words() {
    let house = House::new().await;
    let call = house.switch.join("daily", Caller::new("Ann", "1")).expect("let in");
    settled(&house.switch).await;
    house.agrees().await;
    assert_eq!(house.node.status().drifts, 0, "what events tell is no drift");
    house.switch.drop_events(1);
    let id = house.participant("daily", &call).member_id;
    house.switch.api(&format!("conference daily mute {id}"));
    house.node.look_at("daily");
    eventually("the list has shown it", || house.node.status().drifts > 0).await;
    assert_eq!(house.node.status().drifts, 1);
    house.switch.drop_events(1);
    house.switch.api("conference daily lock");
    let repaired = soon("a list", house.node.list_conference("daily")).await.expect("listed");
    assert_eq!((repaired.repaired, repaired.differences), (1, vec!["lock".to_owned()]));
    house.switch.drop_events(1);
    house.switch.api(&format!("conference daily unmute {id}"));
    let repaired = soon("a list", house.node.list_conference("daily")).await.expect("listed");
    assert_eq!(repaired.differences, [format!("unmute-member {id} ({call})")]);
}

#[tokio::test]
async fn an_audit_finds_what_nothing_looked_odd_about() {
    let house = {
        let switch = Switch::start(options()).await.expect("a switch");
        let house = House::with(switch, |settings| settings.audit_every = Duration::from_millis(20));
        house.followed().await;
        house
    };
    let mut calls = Vec::new();
    for room in 0..30 {
        calls.push(house.switch.join(&format!("room{room}"), Caller::new("Ann", "1")).expect("let in"));
    }
    settled(&house.switch).await;
    house.agrees().await;
    // What is told of each of them from here on is lost.
    house.switch.drop_events_if(|event| event.action().is_some());
    for room in 0..30 {
        house.switch.api(&format!("conference room{room} lock"));
    }
    house.agrees().await;
    assert!(house.node.status().drifts >= 30, "{:?}", house.node.status());
}

#[tokio::test]
async fn the_uptime_is_that_of_this_run() {
    let options = SwitchOptions { heartbeat: Some(Duration::from_millis(300)), ..options() };
    let house = House::following(Switch::start(options).await.expect("a switch")).await;
    eventually("a heartbeat", || house.node.status().uptime.is_some()).await;
    let (core, before) = (house.node.status().core, house.node.status().uptime);
    house.switch.restart();
    eventually("the new run is known", || house.node.status().core != core).await;
    let now = house.node.status().uptime;
    assert!(now.is_none() || now < before, "{now:?} and before {before:?}");
}
