//! Everybody at once.

use convened::model::{Flag, Outcome, ParticipantAction, Problem, Selection};
use convened::sim::switch::Switch;
use convened::sim::world::Caller;

use crate::support::house::{House, eventually, options, settled, soon};
use crate::{act_on_all, refused, sent};

async fn with_three() -> (House, [String; 3]) {
    let house = House::new().await;
    let join =
        |name: &str, flags: &str| house.switch.join("daily", Caller::new(name, "1").flags(flags)).unwrap();
    let calls = [join("Ann", "moderator"), join("Ben", ""), join("Cid", "mute")];
    settled(&house.switch).await;
    house.agrees().await;
    (house, calls)
}

fn outcomes(results: &[convened::model::ActionResult]) -> Vec<(Option<u32>, Outcome)> {
    let mut told: Vec<_> = results.iter().map(|result| (result.participant_id, result.outcome)).collect();
    told.sort_by_key(|(id, _)| *id);
    told
}

#[tokio::test]
async fn moderators_are_skipped_and_the_others_told_one_by_one() {
    let (house, [ann, ben, cid]) = with_three().await;
    let results = act_on_all(&house, ParticipantAction::Mute).await;
    assert_eq!(
        outcomes(&results),
        [(Some(1), Outcome::SkippedModerator), (Some(2), Outcome::Done), (Some(3), Outcome::Already)]
    );
    assert!(results.iter().all(|result| result.call_id.is_some() && &*result.node == "fs1"));
    assert!(house.has("daily", &ann, Flag::Speak));
    assert!(!house.has("daily", &ben, Flag::Speak) && !house.has("daily", &cid, Flag::Speak));
    let results = act_on_all(&house, ParticipantAction::Undeaf).await;
    assert_eq!(
        outcomes(&results),
        [(Some(1), Outcome::SkippedModerator), (Some(2), Outcome::Already), (Some(3), Outcome::Already)]
    );
    assert_eq!(
        sent(&house),
        ["api conference daily mute non_moderator", "api conference daily undeaf non_moderator"]
    );
}

#[tokio::test]
async fn everybody_is_kicked_and_gone_when_it_is_said() {
    let mut options = options();
    options.world.departure = 200_000;
    options.world.departure_jitter = 100_000;
    let house = House::following(Switch::start(options).await.unwrap()).await;
    for flags in ["moderator", "", "mute", "ghost"] {
        house.switch.join("daily", Caller::new("Ann", "1").flags(flags)).unwrap();
    }
    settled(&house.switch).await;
    house.agrees().await;
    let conference = house.conference("daily");
    let results = act_on_all(&house, ParticipantAction::Kick { by: None }).await;
    let done: Vec<_> = (1..=4).map(|id| (Some(id), Outcome::Done)).collect();
    assert_eq!(outcomes(&results), done);
    assert!(conference.is_empty());
}

#[tokio::test]
async fn nobody_to_act_on_is_an_empty_result() {
    let house = House::new().await;
    let results = act_on_all(&house, ParticipantAction::Mute).await;
    assert!(results.is_empty(), "no such conference");
    house.switch.join("daily", Caller::new("Ann", "1").flags("moderator")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    let results = act_on_all(&house, ParticipantAction::Mute).await;
    assert_eq!(outcomes(&results), [(Some(1), Outcome::SkippedModerator)]);
    for words in ["-ERR no reply\n", "", "\n"] {
        house.switch.answer_instead("non_moderator", words);
        assert!(act_on_all(&house, ParticipantAction::Deaf).await.is_empty(), "{words:?}");
    }
}

#[tokio::test]
async fn a_reply_that_is_not_understood_is_no_success() {
    let (house, [_, ben, _]) = with_three().await;
    for words in ["+OK\n", "+OK mute 2\nwhat?\n", "-ERR permission denied\n", "mute <[member_id|all]>"] {
        house.switch.answer_instead("mute non_moderator", words);
        let results = act_on_all(&house, ParticipantAction::Mute).await;
        assert_eq!(results.len(), 1, "{words:?}");
        assert_eq!((results[0].outcome, &results[0].problem), (Outcome::Failed, &refused(words.trim_end())));
    }
    // Some of it true, some claimed only, somebody nobody knows, somebody who was not there.
    house.switch.api("conference daily mute 3");
    let words = "+OK mute 3\n+OK mute 2\n+OK mute 77\n-ERR Non-Existant ID 9\n";
    house.switch.answer_instead("mute non_moderator", words);
    let results = act_on_all(&house, ParticipantAction::Mute).await;
    assert_eq!(
        outcomes(&results),
        [
            (Some(2), Outcome::Unknown),
            (Some(3), Outcome::Already),
            (Some(9), Outcome::Failed),
            (Some(77), Outcome::Unknown)
        ]
    );
    assert!(house.has("daily", &ben, Flag::Speak));
}

#[tokio::test]
async fn several_instances_are_all_asked() {
    let (one, other) = (House::new().await, crate::support::house::switch().await);
    let stop = tokio_util::sync::CancellationToken::new();
    let mut settings = crate::support::house::settings(other.addr());
    settings.node.name = "fs2".into();
    let second = convened::node::Node::start(settings, one.registry.clone(), one.kept.clone(), &stop);
    one.switch.join("daily", Caller::new("Ann", "1")).unwrap();
    other.join("daily", Caller::new("Ben", "1")).unwrap();
    settled(&one.switch).await;
    settled(&other).await;
    one.followed().await;
    let registry = &one.registry;
    crate::support::house::eventually("both are known", || registry.conference("daily").len() == 2).await;
    let nodes = [one.node.clone(), second.node.clone()];
    let within = std::time::Duration::from_secs(20);
    let board =
        convened::switchboard::Switchboard::new(registry.clone(), nodes, one.kept.hub.clone(), true, within);
    let instances = registry.conference("daily");
    let muted = soon("results", board.participants(&instances, ParticipantAction::Mute, None)).await;
    let mut nodes: Vec<_> = muted.iter().map(|result| (&*result.node, result.outcome)).collect();
    nodes.sort_by_key(|(node, _)| *node);
    assert_eq!(nodes, [("fs1", Outcome::Done), ("fs2", Outcome::Done)]);
    assert!(other.truth()[0].members.iter().all(|member| !member.speak));
    // One of them goes: the other is acted on all the same, with the sound that the profile has.
    stop.cancel();
    soon("it has stopped", second.ended()).await;
    let kicked =
        soon("results", board.participants(&instances, ParticipantAction::Kick { by: None }, None)).await;
    let mut nodes: Vec<_> = kicked.iter().map(|result| (&*result.node, result.problem.clone())).collect();
    nodes.sort_by_key(|(node, _)| *node);
    assert_eq!(nodes, [("fs1", None), ("fs2", Some(Problem::Unavailable))]);
    assert!(sent(&one).contains(&"api conference daily kick all".to_owned()));
}

#[tokio::test]
async fn a_name_that_has_gone_to_another_conference_is_not_acted_on() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "1")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    let old = house.registry.conference("daily");
    // The leaving is told; the end of the conference and the beginning of the next one are not, yet.
    house.switch.drop_events_if(|event| event.action().is_some_and(|action| action != "del-member"));
    house.switch.leave(&ann).unwrap();
    soon("she is gone", house.switch.until(|rooms| rooms.is_empty())).await;
    crate::support::house::eventually("it is empty", || old[0].is_empty()).await;
    let ben = house.switch.join("daily", Caller::new("Ben", "2")).unwrap();
    let board = crate::switchboard(&house);
    let locked = soon("a result", board.conference(&old, convened::model::ConferenceAction::Lock)).await;
    let muted = soon("results", board.participants(&old, ParticipantAction::Mute, None)).await;
    let kicked = soon("results", board.participants(&old, ParticipantAction::Kick { by: None }, None)).await;
    for results in [locked, muted, kicked] {
        assert_eq!(outcomes(&results), [(None, Outcome::NotFound)]);
    }
    let truth = house.switch.truth();
    assert!(!truth[0].locked, "Ben's conference is not locked");
    assert!(truth[0].member(&ben).is_some_and(|member| member.speak), "and Ben is in it and heard");
}

#[tokio::test]
async fn somebody_chosen_who_is_not_linked_yet_is_acted_on_a_moment_later() {
    let mut options = options();
    options.world.list_lag = 300_000;
    let house = House::following(Switch::start(options).await.unwrap()).await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.agrees().await;
    let selection = Selection { muted: Some(false), ..Selection::default() };
    let (board, instances) = (crate::switchboard(&house), house.registry.conference("daily"));
    let results = board.participants(&instances, ParticipantAction::Mute, Some(&selection));
    assert_eq!(outcomes(&soon("results", results).await), [(Some(1), Outcome::Done)]);
    assert!(!house.has("daily", &ann, Flag::Speak));
}

#[tokio::test]
async fn everybody_is_also_somebody_who_is_not_linked_yet() {
    let mut options = options();
    options.world.list_lag = 400_000;
    let house = House::following(Switch::start(options).await.unwrap()).await;
    house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    let listed = || house.switch.api("conference daily list").contains("Ann");
    eventually("Ann is linked", listed).await;
    let ben = house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
    house.switch.join("daily", Caller::new("Cid", "2003").moderator()).unwrap();
    house.agrees().await;
    let results = act_on_all(&house, ParticipantAction::Mute).await;
    assert_eq!(outcomes(&results), [(Some(1), Outcome::Done), (Some(2), Outcome::Done)]);
    assert!(!house.has("daily", &ben, Flag::Speak));
    house.switch.join("daily", Caller::new("Dan", "2004")).unwrap();
    house.agrees().await;
    let results = act_on_all(&house, ParticipantAction::Kick { by: None }).await;
    assert!(results.iter().all(|result| result.outcome == Outcome::Done), "{results:?}");
    assert_eq!(results.len(), 4);
}
