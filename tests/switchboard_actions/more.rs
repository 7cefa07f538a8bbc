//! What leaves no flag behind, who is selected, and whose turn it is.

use std::collections::BTreeSet;
use std::time::Duration;

use convened::actions::words::{Digits, Media, Places, Speech, Word};
use convened::model::{ConferenceAction, Flag, Outcome, ParticipantAction, Selection, Setting};
use convened::sim::switch::Which;
use convened::sim::world::Caller;
use futures_util::future::join_all;

use crate::support::house::{House, eventually, settled, soon};
use crate::{act, lock, refused, sent, switchboard};

fn places() -> Places {
    Places {
        roots: vec!["/sounds".into(), "/nonexistent".into()],
        schemes: vec!["local_stream".into()],
        recordings: None,
    }
}

fn media(text: &str) -> Media {
    Media::new(text, &places()).expect("it may be played")
}

async fn with_ann_and_ben() -> (House, String, String) {
    let house = House::new().await;
    let join = |name: &str| house.switch.join("daily", Caller::new(name, "1")).unwrap();
    let (ann, ben) = (join("Ann"), join("Ben"));
    settled(&house.switch).await;
    house.agrees().await;
    (house, ann, ben)
}

#[tokio::test]
async fn each_action_on_one_is_the_command_that_freeswitch_knows() {
    let (house, ann, _) = with_ann_and_ben().await;
    let ask = "api conference daily get-uuid 1".to_owned();
    for (action, outcome, commands) in [
        (ParticipantAction::Hold, Outcome::Done, vec![format!("hold uuid={ann}")]),
        (ParticipantAction::Hold, Outcome::Already, vec![format!("hold uuid={ann}")]),
        (ParticipantAction::Unhold, Outcome::Done, vec![format!("unhold uuid={ann}")]),
        (ParticipantAction::VolumeIn(-3), Outcome::Done, vec![format!("volume_in uuid={ann} -3")]),
        (ParticipantAction::VolumeOut(4), Outcome::Done, vec![format!("volume_out uuid={ann} 4")]),
        (ParticipantAction::Energy(512), Outcome::Done, vec![format!("energy uuid={ann} 512")]),
        (
            ParticipantAction::Dtmf(Digits::new("12#").unwrap()),
            Outcome::Done,
            vec![format!("dtmf uuid={ann} 12#")],
        ),
        (
            ParticipantAction::Play(media("a.wav")),
            Outcome::Done,
            vec!["get-uuid 1".into(), "play /sounds/a.wav 1".into()],
        ),
        (ParticipantAction::StopPlay, Outcome::Done, vec!["get-uuid 1".into(), "stop all 1".into()]),
        (ParticipantAction::StopPlay, Outcome::Already, vec!["get-uuid 1".into(), "stop all 1".into()]),
    ] {
        let before = sent(&house).len();
        let result = act(&house, &ann, action.clone()).await;
        assert_eq!((result.outcome, result.problem), (outcome, None), "{action:?}");
        let wanted: Vec<_> = commands.iter().map(|words| format!("api conference daily {words}")).collect();
        assert_eq!(sent(&house).split_off(before), wanted, "{action:?}");
    }
    assert_eq!(house.participant("daily", &ann).state().energy_level(), 512);
    let gone = act(&house, &ann, ParticipantAction::Play(media("/nonexistent/x.wav"))).await;
    assert_eq!(gone.outcome, Outcome::Failed, "{gone:?}");
    assert!(sent(&house).contains(&ask));
}

#[tokio::test]
async fn each_action_on_a_conference_says_what_came_of_it() {
    let (house, ann, _) = with_ann_and_ben().await;
    let setting = |name, value: &str| Setting { name, value: Word::new(value).unwrap() };
    let most = || ConferenceAction::Set(vec![setting("max_members", "7"), setting("caller_id_name", "Desk")]);
    let called = |name: &str| ConferenceAction::Set(vec![setting("caller_id_name", name)]);
    for (action, outcome) in [
        (ConferenceAction::Play(media("a.wav")), Outcome::Done),
        (ConferenceAction::StopPlay, Outcome::Done),
        (ConferenceAction::StopPlay, Outcome::Already),
        (most(), Outcome::Done),
        (most(), Outcome::Already),
        (called("-ERR"), Outcome::Done),
        (called("-ERR"), Outcome::Already),
        (called("Desk"), Outcome::Done),
    ] {
        let results = lock(&house, action.clone()).await;
        assert_eq!((results[0].outcome, results[0].problem.clone()), (outcome, None), "{action:?}");
    }
    assert_eq!(house.switch.api("conference daily get max_members"), "7");
    let results = lock(&house, ConferenceAction::Play(media("/nonexistent/x.wav"))).await;
    assert_eq!(results[0].problem, refused("-ERR (play) File: /nonexistent/x.wav not found."));
    // There is no voice in its profile.
    let results = lock(&house, ConferenceAction::Say(Speech::new("Good morning.").unwrap())).await;
    assert_eq!(results[0].outcome, Outcome::Failed, "{results:?}");
    let instance = house.conference("daily").instance.clone();
    let results = lock(&house, ConferenceAction::End { by: None }).await;
    assert_eq!((results[0].outcome, results[0].problem.clone()), (Outcome::Done, None));
    assert!(house.registry.conference("daily").iter().all(|conference| conference.instance != instance));
    assert!(house.state("daily", &ann).is_none());
}

#[tokio::test]
async fn who_has_the_floor_keeps_it() {
    let (house, ann, ben) = with_ann_and_ben().await;
    let holder = if house.has("daily", &ann, Flag::Floor) { &ann } else { &ben };
    assert!(house.has("daily", holder, Flag::Floor));
    let before = sent(&house).len();
    let result = act(&house, holder, ParticipantAction::Floor).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Already, None));
    // FreeSWITCH would take it from him.
    assert_eq!(sent(&house).split_off(before), Vec::<String>::new());
    assert!(house.has("daily", holder, Flag::Floor));
}

#[tokio::test]
async fn whoever_is_sent_to_another_conference_is_there_as_he_was() {
    let (house, ann, ben) = with_ann_and_ben().await;
    house.switch.join("weekly", Caller::new("Cid", "3")).unwrap();
    for command in ["mute", "deaf"] {
        house.switch.api(&format!("conference daily {command} uuid={ann}"));
    }
    house.agrees().await;
    let to = |name: &str| ParticipantAction::Transfer {
        to: Word::new(name).unwrap(),
        profile: Word::new("default").unwrap(),
    };
    let result = act(&house, &ann, to("weekly")).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Done, None));
    assert!(!house.has("weekly", &ann, Flag::Speak) && !house.has("weekly", &ann, Flag::Hear));
    assert!(house.state("daily", &ann).is_none());
    // One that does not run begins.
    let result = act(&house, &ben, to("monthly")).await;
    assert_eq!((result.outcome, result.problem), (Outcome::Done, None));
    assert!(house.has("monthly", &ben, Flag::Speak) && house.has("monthly", &ben, Flag::Hear));
    house.agrees().await;
}

#[tokio::test]
async fn who_is_muted_right_before_he_goes_is_muted_there() {
    let (house, ann, ben) = with_ann_and_ben().await;
    house.switch.join("weekly", Caller::new("Cid", "3")).unwrap();
    house.agrees().await;
    let (board, conference) = (switchboard(&house), house.conference("daily"));
    for (who, action, flag) in
        [(&ann, ParticipantAction::Mute, Flag::Speak), (&ben, ParticipantAction::Deaf, Flag::Hear)]
    {
        let participant = house.participant("daily", who);
        let to = Word::new("weekly").unwrap();
        let go = ParticipantAction::Transfer { to, profile: Word::new("default").unwrap() };
        let first = board.participant(&conference, &participant, action);
        let then = board.participant(&conference, &participant, go);
        // What has been done to him is told late.
        house.switch.stall(Which::Events);
        let late = async {
            let command = format!("transfer weekly@default {}", participant.member_id);
            let gone = house.switch.until_command(|seen| seen.text.contains(&command));
            let _ = tokio::time::timeout(Duration::from_millis(200), gone).await;
            house.switch.resume(Which::Events);
        };
        let (first, then, ()) = soon("both", async { tokio::join!(first, then, late) }).await;
        assert_eq!((first.outcome, then.outcome), (Outcome::Done, Outcome::Done));
        house.agrees().await;
        assert!(!house.has("weekly", who, flag));
    }
}

#[tokio::test]
async fn who_is_selected_is_acted_on_and_nobody_else() {
    let (house, ann, ben) = with_ann_and_ben().await;
    let cid = house.switch.join("daily", Caller::new("Cid", "3").flags("moderator")).unwrap();
    house.agrees().await;
    let board = switchboard(&house);
    let instances = house.registry.conference("daily");
    let chosen = |participants: &[u32]| Selection {
        participants: Some(participants.iter().copied().collect::<BTreeSet<_>>()),
        ..Selection::default()
    };
    let told = |results: Vec<convened::model::ActionResult>| -> Vec<_> {
        results
            .into_iter()
            .map(|result| (result.participant_id.unwrap_or_default(), result.outcome))
            .collect()
    };
    let selection = chosen(&[1, 3, 99]);
    let would = board.would_be(&instances, &ParticipantAction::Mute, Some(&selection));
    let wanted = [(1, Outcome::WouldDo), (3, Outcome::WouldDo), (99, Outcome::NotFound)];
    assert_eq!(told(would), wanted);
    assert!(house.has("daily", &ann, Flag::Speak), "nothing was done");
    let results =
        soon("results", board.participants(&instances, ParticipantAction::Mute, Some(&selection))).await;
    assert_eq!(told(results), [(1, Outcome::Done), (3, Outcome::Done), (99, Outcome::NotFound)]);
    assert!(!house.has("daily", &ann, Flag::Speak) && !house.has("daily", &cid, Flag::Speak));
    assert!(house.has("daily", &ben, Flag::Speak));
    let muted = Selection { muted: Some(true), except: [3].into(), ..Selection::default() };
    let results =
        soon("results", board.participants(&instances, ParticipantAction::Kick { by: None }, Some(&muted)))
            .await;
    assert_eq!(told(results), [(1, Outcome::Done)]);
    eventually("two are left", || house.conference("daily").len() == 2).await;
    let nobody = Selection { talking: Some(true), ..Selection::default() };
    let results = board.participants(&instances, ParticipantAction::Mute, Some(&nobody)).await;
    assert_eq!(results, []);
    let volume = soon("results", board.participants(&instances, ParticipantAction::VolumeIn(2), None)).await;
    assert_eq!(told(volume), [(2, Outcome::Done)], "all but moderators");
}

#[tokio::test]
async fn who_is_muted_and_unmuted_at_once_was_both() {
    let (house, ann, ben) = with_ann_and_ben().await;
    let board = switchboard(&house);
    let conference = house.conference("daily");
    let before = sent(&house).len();
    for call in [&ann, &ben] {
        let who = house.participant("daily", call);
        let actions =
            (0..20).map(|n| if n % 2 == 0 { ParticipantAction::Mute } else { ParticipantAction::Unmute });
        let all = join_all(actions.map(|action| board.participant(&conference, &who, action)));
        let results = soon("all results", all).await;
        assert!(results.iter().all(|result| result.outcome.is_success()), "{results:?}");
        assert!(house.has("daily", call, Flag::Speak), "the last one counts");
    }
    let sent = sent(&house).split_off(before);
    let order: Vec<_> = sent.iter().map(|text| text.contains(" mute ")).collect();
    assert!(order.chunks(2).all(|two| two == [true, false]), "{sent:?}");
}

#[tokio::test]
async fn an_action_that_needs_two_questions_is_not_overtaken_by_the_next() {
    let (house, ann, _) = with_ann_and_ben().await;
    let board = switchboard(&house);
    let (conference, who) = (house.conference("daily"), house.participant("daily", &ann));
    let before = sent(&house).len();
    let play = board.participant(&conference, &who, ParticipantAction::Play(media("a.wav")));
    let hold = board.participant(&conference, &who, ParticipantAction::Hold);
    let (played, held) = soon("both", async { tokio::join!(play, hold) }).await;
    assert_eq!((played.outcome, held.outcome), (Outcome::Done, Outcome::Done));
    let wanted = ["get-uuid 1", "play /sounds/a.wav 1", &format!("hold uuid={ann}")];
    let wanted = wanted.map(|words| format!("api conference daily {words}"));
    assert_eq!(sent(&house).split_off(before), wanted);
}
