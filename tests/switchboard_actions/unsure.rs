//! When events or answers are missing: nothing is called done that was not seen.

use std::time::Duration;

use convened::model::{ConferenceAction, Flag, Outcome, ParticipantAction, Problem};
use convened::node::Settings;
use convened::sim::switch::{Switch, Which};
use convened::sim::world::Caller;

use crate::support::house::{House, eventually, options, settled, soon, switch};
use crate::{act, act_on, act_on_all, lock, sent, within};

async fn following(switch: Switch) -> (House, String) {
    following_with(switch, |_| ()).await
}

/// Follows it with a node that does not come back once it is lost.
async fn following_with(switch: Switch, change: impl FnOnce(&mut Settings)) -> (House, String) {
    let house = House::with(switch, |settings| {
        change(settings);
        settings.node.command_timeout_ms = 500;
        settings.node.reconnect_min_ms = 600_000;
        settings.node.reconnect_max_ms = 600_000;
    });
    house.followed().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    (house, ann)
}

#[tokio::test]
async fn an_event_that_was_lost_is_made_up_for_by_the_list() {
    let (house, ann) = following(switch().await).await;
    house.switch.drop_events_if(|event| event.action().is_some());
    assert_eq!(act(&house, &ann, ParticipantAction::Mute).await.outcome, Outcome::Done);
    assert_eq!(lock(&house, ConferenceAction::Lock).await[0].outcome, Outcome::Done);
    let results = act_on_all(&house, ParticipantAction::Deaf).await;
    assert_eq!((results.len(), results[0].outcome), (1, Outcome::Done));
    assert!(!house.has("daily", &ann, Flag::Speak) && house.conference("daily").is_locked());
    let all = house.switch.commands();
    assert!(all.iter().any(|seen| seen.text == "api conference daily json_list compact"));
}

#[tokio::test]
async fn somebody_who_does_not_leave_is_not_called_gone() {
    let mut options = options();
    options.world.departure = 3_600_000_000;
    let (house, ann) = following(Switch::start(options).await.unwrap()).await;
    let board = within(&house, Duration::from_millis(100));
    let result = act_on(&board, &house, &ann, ParticipantAction::Kick { by: None }).await;
    assert_eq!(result.outcome, Outcome::Unknown);
    assert!(matches!(result.problem, Some(Problem::NotSeen(_))), "{result:?}");
    assert!(house.state("daily", &ann).is_some());
    let results = soon(
        "results",
        board.participants(&house.registry.conference("daily"), ParticipantAction::Kick { by: None }, None),
    )
    .await;
    assert_eq!((results.len(), results[0].outcome), (1, Outcome::Unknown));
}

#[tokio::test]
async fn a_leaving_whose_event_was_lost_is_found_in_the_list() {
    let (house, ann) = following(switch().await).await;
    house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
    house.agrees().await;
    // Old enough to be missed by a list.
    eventually("she is of age", || {
        let joined = house.participant("daily", &ann).joined_unix_ms;
        convened::model::Moment::now().unix_ms > joined + 2_100
    })
    .await;
    house.switch.drop_events_if(|event| event.action().as_deref() == Some("del-member"));
    let board = within(&house, Duration::from_millis(300));
    let result = act_on(&board, &house, &ann, ParticipantAction::Kick { by: None }).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Done, None));
}

#[tokio::test]
async fn without_events_an_accepted_command_has_an_unknown_outcome() {
    let (house, ann) = following(switch().await).await;
    house.switch.cut(Which::Events);
    eventually("the events are gone", || !house.node.status().events_connected).await;
    let result = act(&house, &ann, ParticipantAction::Mute).await;
    assert_eq!(result.outcome, Outcome::Unknown);
    assert!(!house.switch.truth()[0].members[0].speak, "the switch has done it");
    assert_eq!(lock(&house, ConferenceAction::Lock).await[0].outcome, Outcome::Unknown);
    let results = act_on_all(&house, ParticipantAction::Deaf).await;
    assert_eq!((results.len(), results[0].outcome), (1, Outcome::Unknown));
    let board = within(&house, Duration::from_millis(50));
    let result = act_on(&board, &house, &ann, ParticipantAction::Kick { by: None }).await;
    assert_eq!(result.outcome, Outcome::Unknown);
}

#[tokio::test]
async fn a_stalled_event_connection_makes_it_unknown_in_time() {
    let (house, ann) = following(switch().await).await;
    house.switch.stall(Which::Events);
    let result = act(&house, &ann, ParticipantAction::Mute).await;
    assert_eq!(result.outcome, Outcome::Unknown);
}

#[tokio::test]
async fn without_a_connection_it_fails_and_is_not_done_later() {
    let (house, ann) = following(switch().await).await;
    house.switch.cut(Which::All);
    eventually("all is gone", || !house.node.status().commands_connected).await;
    let result = act(&house, &ann, ParticipantAction::Mute).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Failed, Some(Problem::Unavailable)));
    let results = act_on_all(&house, ParticipantAction::Kick { by: None }).await;
    assert_eq!(results[0].problem, Some(Problem::Unavailable));
    assert_eq!(lock(&house, ConferenceAction::Lock).await[0].problem, Some(Problem::Unavailable));
    assert!(house.switch.truth()[0].members[0].speak);
}

#[tokio::test]
async fn who_is_gone_with_his_node_has_not_been_seen_to_leave() {
    let mut options = options();
    options.world.departure = 3_600_000_000;
    let (house, ann) = following_with(Switch::start(options).await.unwrap(), |settings| {
        settings.node.stale_after_s = 1;
        settings.node.gone_after_s = 1;
    })
    .await;
    house.switch.cut(Which::Events);
    eventually("the events are gone", || !house.node.status().events_connected).await;
    let result = act(&house, &ann, ParticipantAction::Kick { by: None }).await;
    assert!(house.registry.conferences().is_empty(), "the second grace is over");
    assert_eq!(result.outcome, Outcome::Unknown, "{result:?}");
    assert_eq!(house.switch.truth()[0].members.len(), 1, "she is still there");
}

#[tokio::test]
async fn a_stale_conference_is_left_alone_even_if_commands_could_be_sent() {
    let (house, ann) = following_with(switch().await, |settings| settings.node.stale_after_s = 0).await;
    house.switch.cut(Which::Events);
    eventually("it is stale", || house.conference("daily").is_stale()).await;
    assert!(house.node.status().commands_connected);
    let before = sent(&house).len();
    let result = act(&house, &ann, ParticipantAction::Mute).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Failed, Some(Problem::Stale)));
    assert_eq!(
        act_on_all(&house, ParticipantAction::Kick { by: None }).await[0].problem,
        Some(Problem::Stale)
    );
    assert_eq!(lock(&house, ConferenceAction::Lock).await[0].problem, Some(Problem::Stale));
    assert_eq!(sent(&house).len(), before);
}

#[tokio::test]
async fn a_conference_of_a_node_that_is_not_there_any_more_is_out_of_reach() {
    let (house, ann) = following(switch().await).await;
    let nobody: [convened::node::Node; 0] = [];
    let board = convened::switchboard::Switchboard::new(
        house.registry.clone(),
        nobody,
        house.kept.hub.clone(),
        false,
        Duration::from_secs(1),
    );
    let result = act_on(&board, &house, &ann, ParticipantAction::Mute).await;
    assert_eq!(result.problem, Some(Problem::Unavailable));
}

#[tokio::test]
async fn no_answer_and_a_broken_connection_leave_the_outcome_unknown() {
    let (house, ann) = following(switch().await).await;
    house.switch.hold_replies();
    let result = act(&house, &ann, ParticipantAction::Mute).await;
    assert_eq!(result.problem, Some(Problem::NotSeen("the node did not answer in time")));
    assert_eq!(result.outcome, Outcome::Unknown);
    let (result, ()) = tokio::join!(act(&house, &ann, ParticipantAction::Unmute), async {
        soon("sent", house.switch.until_command(|seen| seen.text.contains("unmute"))).await;
        house.switch.reset(Which::Commands);
    });
    assert_eq!(result.problem, Some(Problem::NotSeen("the connection broke before the answer came")));
    assert_eq!(result.outcome, Outcome::Unknown);
}
