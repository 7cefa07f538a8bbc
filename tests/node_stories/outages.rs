//! A node that is out of reach: its conferences become stale, then they are gone; and a connection that
//! is dead without anybody having said so.

use std::time::{Duration, Instant};

use convened::registry::{ChangeKind, NodeCondition, Reason};
use convened::sim::switch::Which;
use convened::sim::world::Caller;

use crate::support::house::{House, eventually, settled, soon, switch};

/// Follows a switch with Ann and Ben in `daily`, with these graces in seconds.
async fn following(stale_after_s: u64, gone_after_s: u64) -> (House, [String; 2]) {
    let house = House::with(switch().await, |settings| {
        settings.node.stale_after_s = stale_after_s;
        settings.node.gone_after_s = gone_after_s;
    });
    house.followed().await;
    let calls = ["Ann", "Ben"].map(|name| house.switch.join("daily", Caller::new(name, "2001")).unwrap());
    settled(&house.switch).await;
    house.agrees().await;
    (house, calls)
}

fn condition(house: &House) -> NodeCondition {
    house.registry.nodes()[house.node.name()]
}

async fn become_(house: &House, wanted: NodeCondition) {
    eventually(&format!("the node is {wanted:?}"), || condition(house) == wanted).await;
}

/// The switch goes away, with all its connections.
async fn goes_away(house: &House) {
    house.switch.stop_listening().await;
    house.switch.reset(Which::All);
}

/// The event connection ends and is made anew.
async fn break_events(house: &House) {
    let before = house.node.status().connections;
    house.switch.cut(Which::Events);
    eventually("it is back", || house.node.status().connections > before).await;
    soon("it listens", house.switch.until_listeners(1)).await;
}

fn kinds_since(house: &House, before: usize) -> Vec<ChangeKind> {
    house.kept.all()[before..].iter().map(|change| change.kind).collect()
}

#[tokio::test]
async fn a_switch_that_goes_away_leaves_stale_conferences_which_recover_with_the_differences_told_first() {
    let (house, [ann, _]) = following(1, 600).await;
    let before = house.kept.all().len();
    goes_away(&house).await;
    become_(&house, NodeCondition::Stale).await;
    assert_eq!(kinds_since(&house, before), [ChangeKind::ConferenceStale]);
    assert!(house.conference("daily").is_stale() && house.conference("daily").len() == 2);
    // Not a leaving: a list takes nobody out who joined less than two seconds ago.
    house.switch.api(&format!("conference daily mute uuid={ann}"));
    house.switch.api("conference daily lock");
    house.switch.listen_again().await.unwrap();
    become_(&house, NodeCondition::Followed).await;
    house.agrees().await;
    let told = kinds_since(&house, before + 1);
    assert_eq!(told, [ChangeKind::Muted, ChangeKind::Locked, ChangeKind::ConferenceRecovered]);
    assert!(!house.conference("daily").is_stale());
}

#[tokio::test]
async fn a_switch_that_stays_away_has_no_conferences_and_one_that_is_back_has_them_again() {
    let (house, _) = following(0, 1).await;
    let (before, instance) = (house.kept.all().len(), house.conference("daily").instance.clone());
    goes_away(&house).await;
    become_(&house, NodeCondition::Gone).await;
    eventually("nothing is left", || house.registry.conferences().is_empty()).await;
    let told = kinds_since(&house, before);
    assert_eq!((told[0], told.last()), (ChangeKind::ConferenceStale, Some(&ChangeKind::ConferenceDestroyed)));
    assert!(house.kept.all()[before..].iter().all(|change| change.reason == Reason::NodeLost));
    house.switch.listen_again().await.unwrap();
    // The numbers of the same instance go on: `agrees` checks them.
    house.agrees().await;
    become_(&house, NodeCondition::Followed).await;
    assert_eq!(house.conference("daily").instance, instance);
    let again = kinds_since(&house, before + told.len());
    assert_eq!(again[0], ChangeKind::ConferenceCreated, "{again:?}");
    assert!(!again.contains(&ChangeKind::ConferenceRecovered));
}

#[tokio::test]
async fn a_break_within_the_grace_is_not_told_at_all() {
    let (house, _) = following(60, 600).await;
    let (before, conference) = (house.kept.all().len(), house.conference("daily"));
    for _ in 0..3 {
        goes_away(&house).await;
        become_(&house, NodeCondition::Lost).await;
        house.switch.listen_again().await.unwrap();
        house.followed().await;
    }
    house.agrees().await;
    assert_eq!(kinds_since(&house, before), []);
    assert!(std::sync::Arc::ptr_eq(&conference, &house.conference("daily")), "it is the same one all along");
}

#[tokio::test]
async fn a_connection_that_does_not_last_until_the_list_makes_one_pair_and_the_first_loss_counts() {
    let (house, _) = following(1, 600).await;
    let before = house.kept.all().len();
    // No fence is seen, so that nothing can be listed.
    house.switch.drop_events_if(|_| true);
    let began = Instant::now();
    soon("it is stale in spite of it", async {
        while condition(&house) != NodeCondition::Stale {
            break_events(&house).await;
        }
    })
    .await;
    assert!(began.elapsed() >= Duration::from_millis(990), "{:?}", began.elapsed());
    for _ in 0..5 {
        break_events(&house).await;
    }
    assert_eq!(kinds_since(&house, before), [ChangeKind::ConferenceStale]);
    house.switch.keep_events();
    break_events(&house).await;
    become_(&house, NodeCondition::Followed).await;
    assert_eq!(kinds_since(&house, before), [ChangeKind::ConferenceStale, ChangeKind::ConferenceRecovered]);
}

#[tokio::test]
async fn a_connection_that_is_back_and_tells_nothing_does_not_stop_the_clock() {
    let (house, _) = following(1, 2).await;
    let before = house.kept.all().len();
    // Neither an event nor a fence, so that nothing can be listed.
    house.switch.drop_events_if(|_| true);
    break_events(&house).await;
    let connections = house.node.status().connections;
    become_(&house, NodeCondition::Stale).await;
    assert_eq!(kinds_since(&house, before), [ChangeKind::ConferenceStale]);
    become_(&house, NodeCondition::Gone).await;
    assert!(house.registry.conferences().is_empty());
    assert_eq!(house.node.status().connections, connections, "it was the same connection all along");
    house.switch.keep_events();
    // Who asks for it finds it, before everything is listed.
    house.list_all().await;
    house.agrees().await;
    assert_eq!(condition(&house), NodeCondition::Gone);
    house.switch.cut(Which::Events);
    become_(&house, NodeCondition::Followed).await;
}
