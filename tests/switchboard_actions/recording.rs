//! Recording is done when an event says so, and never because FreeSWITCH answered `+OK`.

use std::time::Duration;

use convened::actions::words::{Places, RecordingFile, RecordingPlace};
use convened::model::{ActionResult, ConferenceAction, Outcome, Problem, Record};
use convened::registry::{ChangeKind, Detail, LeftReason};
use convened::sim::world::Caller;

use crate::support::house::{House, settled, soon};
use crate::{lock, refused, sent, within};

fn place(directory: &str) -> RecordingPlace {
    let places = Places { recordings: Some(directory.to_owned()), ..Places::default() };
    RecordingPlace::new(&places, "acme").unwrap()
}

fn file(name: &str) -> RecordingFile {
    place("/r").file(name).unwrap()
}

fn start(name: &str) -> Record {
    Record::Start { file: Some(file(name)), place: place("/r") }
}

async fn with_ann() -> House {
    let house = House::new().await;
    house.switch.join("daily", Caller::new("Ann", "1")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    house
}

async fn record(house: &House, what: Record) -> ActionResult {
    lock(house, ConferenceAction::Record(what)).await.remove(0)
}

fn recordings(house: &House) -> Vec<(String, bool)> {
    let all = house.conference("daily").recordings();
    all.iter().map(|it| (it.path.to_string(), it.paused)).collect()
}

#[tokio::test]
async fn a_recording_is_seen_when_it_is_said_to_be_there() {
    let house = with_ann().await;
    let one = || ("/r/acme/one.wav".to_owned(), false);
    let two = || ("/r/acme/two.wav".to_owned(), false);
    let paused = |it: (String, bool)| (it.0, true);
    for (what, outcome, after) in [
        (start("one"), Outcome::Done, vec![one()]),
        (start("one"), Outcome::Already, vec![one()]),
        (Record::Pause(None), Outcome::Done, vec![paused(one())]),
        (start("two"), Outcome::Done, vec![paused(one()), two()]),
        (Record::Pause(Some(file("one"))), Outcome::Already, vec![paused(one()), two()]),
        (Record::Pause(None), Outcome::Done, vec![paused(one()), paused(two())]),
        (Record::Resume(Some(file("two"))), Outcome::Done, vec![paused(one()), two()]),
        (Record::Stop(Some(file("one"))), Outcome::Done, vec![two()]),
        (Record::Stop(Some(file("one"))), Outcome::Already, vec![two()]),
        (Record::Stop(None), Outcome::Done, vec![]),
        (Record::Stop(None), Outcome::Already, vec![]),
    ] {
        let result = record(&house, what.clone()).await;
        assert_eq!((result.outcome, result.problem), (outcome, None), "{what:?}");
        assert_eq!(recordings(&house), after, "{what:?}");
    }
    assert_eq!(
        record(&house, Record::Resume(None)).await.problem,
        refused("-ERR Conference is not being recorded.")
    );
    let unknown = record(&house, Record::Pause(Some(file("none")))).await;
    assert_eq!(unknown.problem, refused("-ERR non-existant recording '/r/acme/none.wav'"));
    assert_eq!(sent(&house)[0], "api conference daily recording start /r/acme/one.wav");
    house.agrees().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_no_success() {
    let house = with_ann().await;
    let place = place("/unwritable");
    let what = Record::Start { file: Some(place.file("a").unwrap()), place };
    let result = record(&house, what).await;
    assert_eq!(result.problem, refused("File could not be opened for recording"));
    assert!(recordings(&house).is_empty());
    assert!(house.kept.kinds("daily").contains(&ChangeKind::RecordingFailed));
}

#[tokio::test]
async fn without_a_name_each_recording_has_a_file_of_its_own() {
    let house = with_ann().await;
    let result = record(&house, Record::Start { file: None, place: place("/r") }).await;
    let file = result.file.expect("it is told");
    assert!(file.starts_with("/r/acme/daily-") && file.ends_with(".wav"), "{file}");
    assert_eq!(recordings(&house), [(file.to_string(), false)]);
}

#[tokio::test]
async fn what_is_not_seen_to_begin_is_not_said_to_be_done() {
    let house = with_ann().await;
    let board = within(&house, Duration::from_millis(50));
    // It is accepted, and neither an event nor the list tells of it.
    for printed in [
        "+OK Record file /r/acme/a.wav\n",
        "Stopped recording file /r/acme/b.wav\n+OK Stopped recording 0 files\n",
    ] {
        let is_start = printed.starts_with("+OK");
        if !is_start {
            record(&house, start("b")).await;
        }
        house.switch.answer_instead(" recording ", printed);
        let what = if is_start { start("a") } else { Record::Stop(Some(file("b"))) };
        let instances = house.registry.conference("daily");
        let result = soon("a result", board.conference(&instances, ConferenceAction::Record(what))).await;
        assert_eq!(result[0].outcome, Outcome::Unknown, "{printed}");
        assert!(matches!(result[0].problem, Some(Problem::NotSeen(_))), "{result:?}");
    }
}

#[tokio::test]
async fn whoever_is_told_to_go_leaves_with_the_name_of_who_said_so() {
    let house = with_ann().await;
    let ben = house.switch.join("daily", Caller::new("Ben", "2")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    let by = Some("desk".into());
    crate::act(&house, &ben, convened::model::ParticipantAction::Kick { by }).await;
    lock(&house, ConferenceAction::End { by: Some("night".into()) }).await;
    let changes = house.kept.all();
    let reasons: Vec<_> = changes.iter().filter_map(|change| change.detail.clone()).collect();
    assert_eq!(
        reasons,
        [
            Detail::Left(LeftReason::Kicked(Some("desk".into()))),
            Detail::Left(LeftReason::ConferenceEnded(Some("night".into())))
        ]
    );
}

#[tokio::test]
async fn a_kick_that_was_refused_leaves_no_name_behind() {
    let house = with_ann().await;
    let ann = house.conference("daily").participants()[0].call_id.to_string();
    let printed = "-ERR permission denied";
    for _ in 0..2 {
        house.switch.answer_instead(" hup ", printed);
    }
    let by = || Some("desk".into());
    let kick = || convened::model::ParticipantAction::Kick { by: by() };
    assert_eq!(crate::act(&house, &ann, kick()).await.problem, refused(printed));
    assert_eq!(crate::act_on_all(&house, kick()).await[0].problem, refused(printed));
    house.switch.leave(&ann).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    let changes = house.kept.all();
    let reason = changes.iter().find_map(|change| change.detail.clone());
    assert_eq!(reason, Some(Detail::Left(LeftReason::Hangup("NORMAL_CLEARING".into()))));
}

#[tokio::test]
async fn what_is_asked_of_a_recording_that_just_begins_waits_until_it_has_begun() {
    let house = with_ann().await;
    let board = crate::switchboard(&house);
    let instances = house.registry.conference("daily");
    let ask = |what: Record| board.conference(&instances, ConferenceAction::Record(what));
    let paused = |it: &str| (it.to_owned(), true);
    for (first, second, outcome, after) in [
        (start("a"), start("a"), Outcome::Already, vec![("/r/acme/a.wav".to_owned(), false)]),
        (Record::Stop(None), start("b"), Outcome::Done, vec![("/r/acme/b.wav".to_owned(), false)]),
        (start("c"), Record::Stop(None), Outcome::Done, vec![]),
        (start("d"), Record::Stop(Some(file("d"))), Outcome::Done, vec![]),
        (start("e"), Record::Pause(None), Outcome::Done, vec![paused("/r/acme/e.wav")]),
    ] {
        let both = format!("{first:?} {second:?}");
        let (one, two) = soon("both", futures_util::future::join(ask(first), ask(second))).await;
        assert_eq!((one[0].outcome, &one[0].problem), (Outcome::Done, &None), "{both}");
        assert_eq!((two[0].outcome, &two[0].problem), (outcome, &None), "{both}");
        settled(&house.switch).await;
        house.agrees().await;
        assert_eq!(recordings(&house), after, "{both}");
    }
}
