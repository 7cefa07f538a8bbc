//! What a conference is recorded to.

use convened::model::{EventKind, Extra, ListedConference, ListedRecording};
use convened::registry::{ChangeKind, Detail, Reason};

use crate::story::Story;
use crate::support::events::{at, joined, listed, listed_member, recording, told};

use EventKind::{RecordingPaused, RecordingResumed, RecordingStarted, RecordingStopped};

/// The files and whether they are paused.
fn recordings(story: &Story) -> Vec<(String, bool)> {
    story.daily().recordings().iter().map(|it| (it.path.to_string(), it.paused)).collect()
}

fn written(path: &str) -> (String, bool) {
    (path.to_owned(), false)
}

fn with_ann() -> Story {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7)]);
    story
}

fn listed_with(recordings: &[(&str, bool)]) -> ListedConference {
    let recording = |&(path, paused): &(&str, bool)| ListedRecording {
        path: path.to_owned(),
        paused,
        since_unix_s: 1_795_426_200,
    };
    let recordings = recordings.iter().map(recording).collect();
    ListedConference { recordings, ..listed(vec![listed_member("a", 7)]) }
}

#[test]
fn a_recording_begins_pauses_goes_on_and_ends() {
    let mut story = with_ann();
    let before = story.count();
    story.hears_all([recording(2, RecordingStarted, "/r/a.wav"), recording(3, RecordingStarted, "/r/b.wav")]);
    assert_eq!(recordings(&story), [written("/r/a.wav"), written("/r/b.wav")]);
    story.hears_all([recording(4, RecordingPaused, "/r/a.wav")]);
    assert_eq!(recordings(&story), [("/r/a.wav".to_owned(), true), written("/r/b.wav")]);
    story.hears_all([recording(5, RecordingResumed, "/r/a.wav"), recording(6, RecordingStopped, "/r/a.wav")]);
    assert_eq!(recordings(&story), [written("/r/b.wav")]);
    assert_eq!(
        story.news_since(before),
        [
            ChangeKind::RecordingStarted,
            ChangeKind::RecordingStarted,
            ChangeKind::RecordingPaused,
            ChangeKind::RecordingResumed,
            ChangeKind::RecordingStopped
        ]
    );
    let changes = story.changes.lock().unwrap();
    let Some(Detail::Recording(ended)) = &changes.last().unwrap().detail else { panic!("{changes:?}") };
    assert_eq!((&*ended.path, ended.since_unix_ms), ("/r/a.wav", at(20).unix_ms));
}

#[test]
fn what_cannot_be_opened_is_told_and_is_no_recording() {
    let mut story = with_ann();
    let failed = told(2, RecordingStarted);
    let error = Some("File could not be opened for recording".into());
    let failed = failed.with(Extra::Recording { path: "/r/a.wav".into(), error });
    let before = story.count();
    story.hears_all([failed.clone(), failed, recording(3, RecordingStopped, "/r/a.wav")]);
    assert!(recordings(&story).is_empty());
    assert_eq!(story.news_since(before), [ChangeKind::RecordingFailed]);
}

#[test]
fn an_older_event_brings_no_recording_back() {
    let mut story = with_ann();
    story.hears_all([recording(5, RecordingStopped, "/r/a.wav"), recording(3, RecordingStarted, "/r/a.wav")]);
    assert!(recordings(&story).is_empty());
    story.hears_all([recording(8, RecordingStarted, "/r/a.wav"), recording(7, RecordingPaused, "/r/a.wav")]);
    assert_eq!(recordings(&story), [written("/r/a.wav")]);
}

#[test]
fn who_pauses_a_recording_that_nobody_knew_of_tells_of_it() {
    let mut story = with_ann();
    let before = story.count();
    story.hears_all([recording(5, RecordingPaused, "/r/a.wav")]);
    assert_eq!(recordings(&story), [("/r/a.wav".to_owned(), true)]);
    assert_eq!(story.news_since(before), [ChangeKind::RecordingStarted, ChangeKind::RecordingPaused]);
}

#[test]
fn a_list_brings_takes_and_mends_recordings() {
    let mut story = with_ann();
    story.hears_all([recording(2, RecordingStarted, "/r/a.wav"), recording(3, RecordingStarted, "/r/b.wav")]);
    story.now += 10_000;
    let mark = story.mark(9);
    let list = [listed_with(&[("/r/b.wav", true), ("/r/c.wav", false)])];
    assert_eq!(story.lists(&list, mark).repaired, 3);
    assert_eq!(recordings(&story), [("/r/b.wav".to_owned(), true), written("/r/c.wav")]);
    let found = story.daily().recordings()[1].since_unix_ms;
    assert_eq!(found, 1_795_426_200_000);
    // What was numbered before the list says nothing new.
    story.hears_all([recording(8, RecordingStarted, "/r/a.wav"), recording(7, RecordingResumed, "/r/b.wav")]);
    assert_eq!(recordings(&story), [("/r/b.wav".to_owned(), true), written("/r/c.wav")]);
    story.now += 10_000;
    let mark = story.mark(20);
    assert_eq!(story.lists(&list, mark).repaired, 0);
    assert_eq!(story.lists(&[listed_with(&[])], mark).repaired, 2);
    assert!(recordings(&story).is_empty());
}

#[test]
fn an_older_list_does_not_judge_what_events_have_told_since() {
    let mut story = with_ann();
    story.hears_all([recording(2, RecordingStarted, "/r/a.wav")]);
    story.now += 10_000;
    let mark = story.mark(3);
    story.hears_all([recording(4, RecordingStopped, "/r/a.wav"), recording(5, RecordingStarted, "/r/b.wav")]);
    assert_eq!(story.lists(&[listed_with(&[("/r/a.wav", false)])], mark).repaired, 0);
    assert_eq!(recordings(&story), [written("/r/b.wav")]);
    // It is told of before it is in the list.
    let mark = story.mark(6);
    assert_eq!(story.lists(&[listed_with(&[])], mark).repaired, 0);
    assert_eq!(recordings(&story), [written("/r/b.wav")]);
}

#[test]
fn a_recording_ends_with_its_conference_unless_nobody_knows() {
    let stopped = |reason: Option<Reason>| {
        let mut story = with_ann();
        story.hears_all([recording(2, RecordingStarted, "/r/a.wav")]);
        let conference = story.daily();
        match reason {
            Some(reason) => story.writer.end_all(reason, at(story.now)),
            None => story.hears_all([told(9, EventKind::Destroyed)]),
        }
        assert!(conference.recordings().is_empty());
        story.news().contains(&ChangeKind::RecordingStopped)
    };
    assert!(stopped(None));
    assert!(stopped(Some(Reason::NodeRestarted)));
    assert!(!stopped(Some(Reason::NodeLost)));
}

#[test]
fn files_that_come_and_go_are_not_remembered_for_ever() {
    let mut story = with_ann();
    let paths: Vec<&'static str> = (0..1_000).map(|n| &*format!("/r/{n}.wav").leak()).collect();
    for (n, path) in paths.iter().enumerate() {
        let sequence = 10 * n as u64 + 10;
        story.now += 60_000;
        story.hears_all([
            recording(sequence, RecordingStarted, path),
            recording(sequence + 1, RecordingStopped, path),
        ]);
    }
    assert!(recordings(&story).is_empty());
    // One of long ago is forgotten: it may begin anew whatever its number is; one of just now is not.
    story.hears_all([recording(1, RecordingStarted, paths[0]), recording(2, RecordingStarted, paths[999])]);
    assert_eq!(recordings(&story), [written("/r/0.wav")]);
}
