//! Conferences as a whole: instances, ends, the lock, the floor, restarts of the switch.

use convened::model::{EventKind, Flag};
use convened::registry::{ChangeKind, Mark, Odd, Reason};

use crate::story::Story;
use crate::support::events::{at, floor, joined, left, listed, listed_member, no_floor, state, told};

#[test]
fn a_conference_that_ended_stays_gone() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), told(5, EventKind::Locked), told(9, EventKind::Destroyed)]);
    assert!(story.registry.conferences().is_empty());
    story.hears_all([
        told(1, EventKind::Created),
        joined(4, "b", 8),
        joined(12, "c", 9),
        state(6, "a", 7),
        left(7, "a", 7),
        told(9, EventKind::Destroyed),
    ]);
    let mark = story.mark(20);
    assert_eq!(story.lists(&[listed(vec![listed_member("a", 7)])], mark).repaired, 0);
    assert!(story.registry.conferences().is_empty());
    assert_eq!(
        story.news(),
        [
            ChangeKind::ConferenceCreated,
            ChangeKind::Joined,
            ChangeKind::Locked,
            ChangeKind::Left,
            ChangeKind::Unlocked,
            ChangeKind::ConferenceDestroyed
        ]
    );
}

#[test]
fn the_same_name_runs_anew_while_the_old_one_ends() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(5, "b", 8).of("i2")]);
    assert_eq!(story.registry.conference("daily").len(), 2);
    story.hears_all([state(6, "b", 8).of("i2").is(Flag::Speak, false), left(7, "a", 7)]);
    story.hears_all([told(8, EventKind::Destroyed)]);
    let running = story.registry.conference("daily");
    assert_eq!(running.len(), 1);
    assert_eq!(&*running[0].instance, "i2");
    assert!(!running[0].by_call_id("b").unwrap().state().has(Flag::Speak));
}

#[test]
fn what_ended_before_it_was_known_is_nothing_odd() {
    let mut story = Story::new();
    story.hears_all([left(3, "a", 7).size(0), told(4, EventKind::Destroyed)]);
    assert_eq!(story.count(), 0);
    assert_eq!(story.hears(state(9, "a", 7).of("i2")), Some(Odd::UnknownConference));
    assert_eq!(story.hears(left(9, "a", 7).of("i2").size(2)), Some(Odd::UnknownConference));
    assert_eq!(story.hears(told(10, EventKind::Locked).of("i2")), Some(Odd::UnknownConference));
    assert!(story.registry.conferences().is_empty());
}

#[test]
fn a_joining_whose_beginning_was_lost_begins_the_conference() {
    let mut story = Story::new();
    story.hears_all([joined(2, "a", 7).size(1), told(1, EventKind::Created).size(0)]);
    assert_eq!(story.calls(), ["a"]);
    assert_eq!(story.news(), [ChangeKind::ConferenceCreated, ChangeKind::Joined]);
}

#[test]
fn the_floor_has_one_holder_at_most() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), joined(3, "c", 9)]);
    story.hears_all([floor(4, "a", 7), floor(6, "b", 8)]);
    assert_eq!(story.holder().as_deref(), Some("b"));
    // An older one comes late; so does an older state that says that he has it.
    story.hears_all([floor(5, "c", 9), state(5, "a", 7).is(Flag::Floor, true)]);
    assert_eq!(story.holder().as_deref(), Some("b"));
    // Any event of a member tells whether he has it.
    story.hears_all([state(8, "c", 9).is(Flag::Floor, true)]);
    assert_eq!(story.holder().as_deref(), Some("c"));
    story.hears_all([state(9, "c", 9)]);
    assert_eq!(story.holder(), None);
    story.hears_all([floor(10, "a", 7), no_floor(11), no_floor(12)]);
    assert_eq!(story.holder(), None);
    assert_eq!(story.news_since(4), [ChangeKind::FloorChanged; 6]);
}

#[test]
fn a_floor_change_that_is_overtaken_by_the_old_holder_still_counts() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), floor(3, "a", 7)]);
    // FreeSWITCH numbers a floor-change when it makes it and may fire it later.
    story.hears_all([state(9, "a", 7)]);
    assert_eq!(story.holder(), None);
    story.hears_all([floor(8, "b", 8)]);
    assert_eq!(story.holder().as_deref(), Some("b"));
    // Nor does it go back to one who has told since that he has it no more.
    story.hears_all([floor(10, "a", 7), floor(5, "a", 7), state(12, "a", 7), floor(11, "a", 7)]);
    assert_eq!(story.holder(), None);
}

#[test]
fn who_leaves_gives_the_floor_up() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), floor(3, "a", 7), left(5, "a", 7)]);
    assert_eq!(story.holder(), None);
    assert_eq!(story.news_since(3), [ChangeKind::FloorChanged, ChangeKind::FloorChanged, ChangeKind::Left]);
    let changes = story.changes.lock().unwrap().clone();
    assert!(changes[4].participant.is_none(), "to nobody");
    assert!(!changes[5].participant.as_ref().unwrap().1.has(Flag::Floor));
}

#[test]
fn the_floor_does_not_go_to_somebody_who_has_left() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), left(9, "a", 7), floor(4, "a", 7)]);
    assert_eq!(story.holder(), None);
    story.hears_all([floor(11, "b", 8)]);
    assert_eq!(story.holder().as_deref(), Some("b"));
}

#[test]
fn the_lock_goes_by_its_own_numbers() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), told(9, EventKind::Unlocked), told(5, EventKind::Locked)]);
    assert!(!story.daily().is_locked());
    story.hears_all([told(12, EventKind::Locked), state(11, "a", 7)]);
    assert!(story.daily().is_locked());
    assert_eq!(story.news_since(2), [ChangeKind::Locked]);
}

#[test]
fn events_without_a_member_touch_nobody() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), floor(2, "a", 7)]);
    let before = story.count();
    story.hears_all([
        told(3, EventKind::Other),
        told(4, EventKind::Joined),
        told(5, EventKind::Left),
        told(6, EventKind::Unlocked),
    ]);
    assert_eq!((story.calls(), story.holder().as_deref()), (vec!["a".to_owned()], Some("a")));
    assert_eq!(story.count(), before);
}

#[test]
fn a_switch_that_was_started_anew_takes_everything_with_it() {
    let mut story = Story::new();
    assert!(!story.writer.begin_core("c1", at(0)));
    story.hears_all([joined(100, "a", 7), joined(101, "b", 8).of("i2"), told(102, EventKind::Locked)]);
    assert!(!story.writer.begin_core("c1", at(20)), "the same run");
    assert_eq!(story.registry.conferences().len(), 2);
    let before = story.count();
    assert!(story.writer.begin_core("c2", at(30)));
    story.check();
    assert!(story.registry.conferences().is_empty());
    assert!(story.changes.lock().unwrap()[before..].iter().all(|c| c.reason == Reason::NodeRestarted));
    // Numbers and ids begin anew: what the new run says is not older than what the old one said.
    story.hears_all([joined(1, "x", 7).of("i9"), state(2, "x", 7).of("i9").is(Flag::Speak, false)]);
    let stranger = story.instance("i9").unwrap().by_member_id(7).unwrap();
    assert!(&*stranger.call_id == "x" && !stranger.state().has(Flag::Speak));
}

#[test]
fn a_node_that_is_gone_for_good_ends_its_conferences() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8).of("i2")]);
    story.writer.end_all(Reason::NodeGone, at(30));
    story.check();
    assert!(story.registry.conferences().is_empty());
    assert_eq!(story.lists(&[], Mark::default()).repaired, 0);
}

#[test]
fn what_only_a_list_missed_is_looked_for_and_found_again() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7)]);
    let mark = story.mark(2);
    story.lists(&[], mark);
    assert!(story.registry.conferences().is_empty());
    assert_eq!(story.hears(left(3, "b", 8).size(1)), None, "the last ones leave what no list has");
    assert_eq!(story.hears(state(4, "a", 7)), Some(Odd::Misnamed));
    let mark = story.mark(5);
    story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    assert_eq!(story.registry.conferences().len(), 1);
    assert_eq!(story.hears(state(6, "a", 7)), None);
}

#[test]
fn what_a_list_missed_and_an_event_ended_stays_gone() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7)]);
    let mark = story.mark(2);
    story.lists(&[], mark);
    story.hears_all([left(3, "a", 7).size(0), told(4, EventKind::Destroyed)]);
    let mark = story.mark(5);
    story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    assert!(story.registry.conferences().is_empty(), "an older list does not bring it back");
    assert_eq!(story.hears(state(6, "a", 7)), None);
}

#[test]
fn the_switch_is_asked_what_plays_only_after_something_may_have_begun() {
    let mut story = Story::new();
    story.hears_all([told(1, EventKind::Created), joined(2, "a", 7), told(3, EventKind::Other)]);
    assert_eq!(story.daily().may_be_playing(), None, "all of it was seen");
    story.hears_all([told(4, EventKind::Played)]);
    let asked = story.daily().may_be_playing().expect("something was played");
    // It is played while the switch answers that nothing is.
    story.hears_all([told(5, EventKind::Played)]);
    story.daily().nothing_plays(asked);
    let again = story.daily().may_be_playing().expect("that was an older answer");
    story.daily().nothing_plays(again);
    story.daily().nothing_plays(asked);
    assert_eq!(story.daily().may_be_playing(), None);
}

#[test]
fn what_was_played_where_nobody_listened_may_play_still() {
    let mut found = Story::new();
    let mark = found.mark(1);
    found.lists(&[listed(vec![listed_member("a", 7)])], mark);
    let mut late = Story::new();
    late.hears_all([joined(1, "a", 7)]);
    for mut story in [found, late] {
        let may_be_playing = |story: &Story| story.daily().may_be_playing();
        let quiet = |story: &Story| {
            story.daily().nothing_plays(may_be_playing(story).expect("nobody has said that it is quiet"));
            assert_eq!(may_be_playing(story), None);
        };
        quiet(&story);
        let mark = story.mark(10);
        story.lists(&[listed(vec![listed_member("a", 7)])], mark);
        story.writer.listed(at(1_000));
        assert_eq!(may_be_playing(&story), None, "a list that says nothing new");
        story.writer.lose(at(2_000));
        story.writer.listed(at(3_000));
        quiet(&story);
        let mark = story.mark(20);
        story.lists(&[listed(vec![listed_member("b", 8), listed_member("a", 7)])], mark);
        quiet(&story);
    }
}
