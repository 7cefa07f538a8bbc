//! Who of two does not hear whom: nobody tells of it, so it is asked.

use convened::model::{Flag, Outcome, Problem, Relationship};
use convened::sim::world::Caller;
use convened::switchboard::Related;

use crate::support::house::{House, eventually, settled, soon};
use crate::{refused, sent, switchboard};

async fn with_ann_and_ben() -> (House, String, String) {
    let house = House::new().await;
    let join = |name: &str| house.switch.join("daily", Caller::new(name, "1")).unwrap();
    let (ann, ben) = (join("Ann"), join("Ben"));
    settled(&house.switch).await;
    house.agrees().await;
    (house, ann, ben)
}

async fn relate(house: &House, first: &str, other: &str, relationship: Relationship) -> Related {
    let (conference, board) = (house.conference("daily"), switchboard(house));
    let (first, other) = (house.participant("daily", first), house.participant("daily", other));
    soon("a result", board.relate(&conference, &first, &other, relationship)).await
}

fn hears(house: &House, listener: &str, speaker: &str) -> bool {
    house.switch.truth()[0].hears(listener, speaker)
}

#[tokio::test]
async fn deaf_and_mute_say_who_of_both_does_not_hear_whom() {
    let (house, ann, ben) = with_ann_and_ben().await;
    for (relationship, outcome, ann_hears, ben_hears) in [
        (Relationship::Clear, Outcome::Already, true, true),
        (Relationship::Deaf, Outcome::Done, false, true),
        (Relationship::Deaf, Outcome::Already, false, true),
        // The new one takes the place of the old one.
        (Relationship::Mute, Outcome::Done, true, false),
        (Relationship::Mute, Outcome::Already, true, false),
        (Relationship::Clear, Outcome::Done, true, true),
        (Relationship::Clear, Outcome::Already, true, true),
    ] {
        let related = relate(&house, &ann, &ben, relationship).await;
        assert_eq!((related.result.outcome, related.result.problem), (outcome, None), "{relationship:?}");
        assert_eq!((related.result.participant_id, related.result.other_participant), (Some(1), Some(2)));
        let heard = (hears(&house, &ann, &ben), hears(&house, &ben, &ann));
        assert_eq!(heard, (ann_hears, ben_hears), "{relationship:?}");
    }
}

#[tokio::test]
async fn each_number_is_checked_right_before_it_is_used() {
    let (house, ann, ben) = with_ann_and_ben().await;
    let before = sent(&house).len();
    relate(&house, &ann, &ben, Relationship::Deaf).await;
    let wanted = ["relate 1", "get-uuid 1", "get-uuid 2", "relate 1 2 nohear", "relate 1"];
    let wanted = wanted.map(|words| format!("api conference daily {words}"));
    assert_eq!(sent(&house).split_off(before), wanted);
    // Somebody else has the number by now.
    for (number, call) in [(1, &ann), (2, &ben)] {
        let before = sent(&house).len();
        // As often as it is asked of somebody who may not be linked yet.
        for _ in 0..20 {
            let somebody_else = "3f0c6d3e-0000-4000-8000-000000000000";
            house.switch.answer_instead(&format!("get-uuid {number}"), somebody_else);
        }
        let related = relate(&house, &ann, &ben, Relationship::Clear).await;
        assert_eq!(related.result.outcome, Outcome::NotFound, "{related:?}");
        assert_eq!(related.missing.as_deref(), Some(call.as_str()));
        assert!(!sent(&house).split_off(before).iter().any(|line| line.ends_with(" clear")));
        house.switch.answer_truly();
    }
    assert!(!hears(&house, &ann, &ben), "nothing was changed");
}

#[tokio::test]
async fn it_is_done_only_if_freeswitch_says_that_it_is_so() {
    let (house, ann, ben) = with_ann_and_ben().await;
    let usage =
        "relate <member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]";
    for (instead, words, outcome, problem) in [
        (
            "relate 1 2",
            "+OK 1->2 nohear set\n",
            Outcome::Unknown,
            Some(Problem::NotSeen("accepted, but it is not so")),
        ),
        ("relate 1 2", usage, Outcome::Failed, refused(usage)),
        ("relate 1 2", "-ERR error!\n", Outcome::Failed, refused("-ERR error!")),
        ("relate 1 2", "", Outcome::Failed, refused("-ERR no reply")),
        ("relate 1 2", "-ERR Conference daily not found\n", Outcome::NotFound, None),
        // Both are there and it says that one is not.
        (
            "relate 1 2",
            "-ERR relationship 1->2 not found.\n",
            Outcome::Failed,
            refused("-ERR relationship 1->2 not found."),
        ),
        ("relate 1", usage, Outcome::Failed, refused(usage)),
        ("relate 1", "1 -> 2 SPEAK NOHEAR NOSENDVIDEO \n", Outcome::Already, None),
    ] {
        house.switch.answer_instead(instead, words);
        let related = relate(&house, &ann, &ben, Relationship::Deaf).await;
        assert_eq!((related.result.outcome, related.result.problem), (outcome, problem), "{words:?}");
        assert!(hears(&house, &ann, &ben), "{words:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_afterwards_is_not_known() {
    let (house, ann, ben) = with_ann_and_ben().await;
    house.switch.answer_instead("relate 1", "+OK No relationships\n");
    house.switch.answer_instead("relate 1 2", "+OK 1->2 nohear set\n");
    house.switch.answer_instead("relate 1", "-ERR permission denied\n");
    let related = relate(&house, &ann, &ben, Relationship::Deaf).await;
    assert_eq!(related.result.outcome, Outcome::Unknown, "{related:?}");
}

#[tokio::test]
async fn who_is_kept_from_being_heard_does_not_go_on_talking() {
    let (house, ann, ben) = with_ann_and_ben().await;
    house.switch.talk(&ann, true).unwrap();
    eventually("Ann talks", || house.has("daily", &ann, Flag::Talking)).await;
    // She has just stopped when it comes, so that nothing tells of her any more.
    house.switch.drop_events_if(|event| event.action().as_deref() == Some("stop-talking"));
    house.switch.talk(&ann, false).unwrap();
    house.switch.keep_events();
    assert!(house.has("daily", &ann, Flag::Talking));
    let related = relate(&house, &ann, &ben, Relationship::Mute).await;
    assert_eq!(related.result.outcome, Outcome::Done, "{related:?}");
    assert!(!house.has("daily", &ann, Flag::Talking));
}
