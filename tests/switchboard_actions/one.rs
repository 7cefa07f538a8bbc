//! One participant, or the conference itself.

use convened::model::{ConferenceAction, Flag, Outcome, ParticipantAction, Problem};
use convened::sim::switch::Switch;
use convened::sim::world::Caller;

use crate::support::house::{House, options, settled, soon};
use crate::{act, act_on_all, lock, refused, sent, switchboard};

async fn with_ann() -> (House, String) {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    (house, ann)
}

#[tokio::test]
async fn each_action_is_done_and_then_so_already_and_can_be_read_at_once() {
    let (house, ann) = with_ann().await;
    for (action, flag, value) in [
        (ParticipantAction::Mute, Flag::Speak, false),
        (ParticipantAction::Unmute, Flag::Speak, true),
        (ParticipantAction::Deaf, Flag::Hear, false),
        (ParticipantAction::Undeaf, Flag::Hear, true),
    ] {
        for outcome in [Outcome::Done, Outcome::Already] {
            let result = act(&house, &ann, action.clone()).await;
            assert_eq!((result.outcome, result.problem), (outcome, None), "{action:?}");
            assert_eq!((result.participant_id, result.call_id.as_deref()), (Some(1), Some(&*ann)));
            assert_eq!(house.has("daily", &ann, flag), value, "{action:?}: read after the answer");
        }
        let command = format!("api conference daily {} uuid={ann}", action.name());
        assert_eq!(sent(&house).last(), Some(&command));
    }
    for (action, locked) in [(ConferenceAction::Lock, true), (ConferenceAction::Unlock, false)] {
        for outcome in [Outcome::Done, Outcome::Already] {
            let results = lock(&house, action.clone()).await;
            assert_eq!((results.len(), results[0].outcome), (1, outcome), "{action:?}");
            assert_eq!(house.conference("daily").is_locked(), locked);
        }
    }
}

#[tokio::test]
async fn a_kick_is_done_when_the_leaving_has_been_seen() {
    let mut options = options();
    options.world.departure = 300_000;
    let house = House::following(Switch::start(options).await.unwrap()).await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    let result = act(&house, &ann, ParticipantAction::Kick { by: None }).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Done, None));
    assert_eq!(house.state("daily", &ann), None);
    assert_eq!(house.conference("daily").len(), 1);
    assert_eq!(sent(&house), [format!("api conference daily hup uuid={ann}")]);
}

#[tokio::test]
async fn each_reply_has_its_own_result() {
    let (house, ann) = with_ann().await;
    let usage = "mute <[member_id|all]|last|non_moderator> [<quiet>]";
    for (words, outcome, problem) in [
        ("-ERR Conference daily not found\n", Outcome::NotFound, None),
        (usage, Outcome::Failed, refused(usage)),
        ("-ERR no reply\n", Outcome::Failed, refused("-ERR no reply")),
        ("", Outcome::Failed, refused("-ERR no reply")),
        ("\n", Outcome::Failed, refused("")),
        ("-ERR permission denied\n", Outcome::Failed, refused("-ERR permission denied")),
        ("+OK mute 1\n-ERR something else\n", Outcome::Failed, refused("-ERR something else")),
        ("mute 1\n", Outcome::Failed, refused("mute 1")),
        ("-ERR Non-Existant member\n-ERR no\n", Outcome::NotFound, None),
    ] {
        // One that has just joined is tried again for a while.
        for _ in 0..60 {
            house.switch.answer_instead("daily mute uuid", words);
        }
        let result = act(&house, &ann, ParticipantAction::Mute).await;
        assert_eq!((result.outcome, result.problem), (outcome, problem), "{words:?}");
        assert!(house.has("daily", &ann, Flag::Speak));
        house.switch.answer_truly();
    }
    house.switch.answer_instead("daily lock", "-ERR Conference daily not found\n");
    assert_eq!(lock(&house, ConferenceAction::Lock).await[0].outcome, Outcome::NotFound);
    house.switch.answer_instead("daily lock", "\n");
    let result = lock(&house, ConferenceAction::Lock).await;
    assert_eq!((result[0].outcome, result[0].problem.clone()), (Outcome::Failed, refused("")));
}

#[tokio::test]
async fn an_answer_that_claims_what_is_not_so_is_not_believed() {
    let (house, ann) = with_ann().await;
    house.switch.answer_instead("daily mute", "+OK mute 1\n");
    house.switch.answer_instead("daily lock", "+OK daily locked\n");
    let result = act(&house, &ann, ParticipantAction::Mute).await;
    assert_eq!(result.outcome, Outcome::Unknown);
    assert!(matches!(result.problem, Some(Problem::NotSeen(_))));
    assert_eq!(lock(&house, ConferenceAction::Lock).await[0].outcome, Outcome::Unknown);
}

#[tokio::test]
async fn who_has_left_is_not_found() {
    let (house, ann) = with_ann().await;
    let ben = house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
    house.agrees().await;
    let (conference, participant) = (house.conference("daily"), house.participant("daily", &ben));
    house.switch.leave(&ben).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    use ParticipantAction::{Deaf, Kick, Mute, Undeaf, Unmute};
    for action in [Mute, Unmute, Deaf, Undeaf, Kick { by: None }] {
        let board = switchboard(&house);
        let result = soon("a result", board.participant(&conference, &participant, action.clone())).await;
        assert_eq!((result.outcome, result.problem), (Outcome::NotFound, None), "{action:?}");
    }
    house.switch.leave(&ann).unwrap();
    settled(&house.switch).await;
    let board = switchboard(&house);
    let result =
        soon("a result", board.conference(std::slice::from_ref(&conference), ConferenceAction::Lock)).await;
    assert_eq!(result[0].outcome, Outcome::NotFound);
    let result = soon("a result", board.participants(&[conference], ParticipantAction::Mute, None)).await;
    assert_eq!(result[0].outcome, Outcome::NotFound);
}

#[tokio::test]
async fn somebody_who_is_told_of_but_not_linked_yet_is_acted_on_a_moment_later() {
    for selectors in [true, false] {
        let mut options = options();
        options.world.list_lag = 300_000;
        if !selectors {
            options.world.version = "1.10.6-release".into();
            options.world.selectors = false;
        }
        let house = House::following(Switch::start(options).await.unwrap()).await;
        let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
        house.agrees().await;
        let result = act(&house, &ann, ParticipantAction::Mute).await;
        assert_eq!((result.outcome, result.problem), (Outcome::Done, None), "selectors: {selectors}");
    }
}

#[tokio::test]
async fn names_that_cannot_be_said_are_never_sent() {
    let house = House::new().await;
    for name in ["it's", "json_list", "a\\nb", "a;b", "${system(id)}"] {
        let call = house.switch.join(name, Caller::new("Ann", "2001")).unwrap();
        soon("told", house.node.fence()).await.unwrap();
        let conference = house.conference(name);
        let participant = conference.by_call_id(&call).unwrap();
        let board = switchboard(&house);
        let one = board.participant(&conference, &participant, ParticipantAction::Kick { by: None }).await;
        let all = board.participants(std::slice::from_ref(&conference), ParticipantAction::Mute, None).await;
        let itself = board.conference(&[conference], ConferenceAction::Lock).await;
        for result in [&one, &all[0], &itself[0]] {
            assert_eq!(result.outcome, Outcome::Failed, "{name}");
            assert_eq!(result.problem, Some(Problem::Unaddressable), "{name}");
        }
        assert_eq!(all.len(), 1);
    }
    assert_eq!(sent(&house), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_id_that_cannot_be_said_goes_by_its_number_after_a_check() {
    let house = House::new().await;
    for (n, call) in ["it's@sip", "a b", "{x=y}", "a=b", "\"q\""].into_iter().enumerate() {
        let id = n + 1;
        let caller = Caller::new("Ann", "2001").uuid(call);
        assert_eq!(house.switch.join("daily", caller).unwrap(), call);
        house.agrees().await;
        let result = act(&house, call, ParticipantAction::Mute).await;
        assert_eq!((result.outcome, result.problem), (Outcome::Done, None), "{call}");
        let expected =
            [format!("api conference daily get-uuid {id}"), format!("api conference daily mute {id}")];
        assert_eq!(sent(&house).split_off(2 * n), expected);
    }
}

#[tokio::test]
async fn an_old_switch_is_addressed_by_number_and_never_the_wrong_person() {
    let mut options = options();
    options.world.version = "1.10.6-release-18-1ff9d0a60e~64bit".into();
    options.world.selectors = false;
    let house = House::following(Switch::start(options).await.unwrap()).await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    let ben = house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    assert_eq!(act(&house, &ben, ParticipantAction::Mute).await.outcome, Outcome::Done);
    assert_eq!(sent(&house), ["api conference daily get-uuid 2", "api conference daily mute 2"]);
    // Somebody else has the number by now, and the daemon does not know it yet.
    house.switch.answer_instead("get-uuid 1", ben.clone());
    for _ in 0..60 {
        house.switch.answer_instead("get-uuid 1", ben.clone());
    }
    assert_eq!(act(&house, &ann, ParticipantAction::Kick { by: None }).await.outcome, Outcome::NotFound);
    assert_eq!(house.switch.truth()[0].members.len(), 2);
    assert!(sent(&house).iter().all(|text| !text.contains("hup")));
    house.switch.answer_truly();
    assert_eq!(act(&house, &ann, ParticipantAction::Kick { by: None }).await.outcome, Outcome::Done);
    let results = act_on_all(&house, ParticipantAction::Deaf).await;
    assert_eq!((results.len(), results[0].outcome), (1, Outcome::Done));
}

#[tokio::test]
async fn after_a_restart_the_number_of_somebody_else_is_not_hit() {
    for old in [false, true] {
        let mut options = options();
        if old {
            options.world.version = "1.10.6-release".into();
            options.world.selectors = false;
        }
        let house = House::following(Switch::start(options).await.unwrap()).await;
        let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
        house.agrees().await;
        let (conference, participant) = (house.conference("daily"), house.participant("daily", &ann));
        house.switch.restart();
        let ben = house.switch.join("daily", Caller::new("Ben", "2002")).unwrap();
        assert_eq!(house.switch.truth()[0].members[0].id, participant.member_id);
        let board = switchboard(&house);
        for action in [ParticipantAction::Mute, ParticipantAction::Kick { by: None }] {
            // It may be tried before the break has been noticed, or without a connection.
            let result = soon("a result", board.participant(&conference, &participant, action.clone())).await;
            assert!(!result.outcome.is_success(), "{result:?}");
        }
        house.followed().await;
        house.agrees().await;
        use ParticipantAction::{Deaf, Kick, Mute, Undeaf, Unmute};
        for action in [Mute, Unmute, Deaf, Undeaf, Kick { by: None }] {
            let result = soon("a result", board.participant(&conference, &participant, action.clone())).await;
            assert_eq!(result.outcome, Outcome::NotFound, "{action:?}, old: {old}");
        }
        assert!(house.has("daily", &ben, Flag::Speak));
    }
}
