//! Joining, leaving and what is told of a member in between.

use convened::model::{EventKind, Flag};
use convened::registry::{ChangeKind, Odd};

use crate::story::Story;
use crate::support::events::{at, joined, left, state, told};

#[test]
fn the_highest_number_of_a_member_wins() {
    let mut story = Story::new();
    story.hears_all([
        joined(1, "a", 7),
        state(5, "a", 7).is(Flag::Speak, false),
        state(4, "a", 7).is(Flag::Talking, true),
    ]);
    assert!(!story.has("a", Flag::Speak) && !story.has("a", Flag::Talking));
    story.hears_all([state(6, "a", 7).is(Flag::Talking, true)]);
    assert!(story.has("a", Flag::Speak) && story.has("a", Flag::Talking));
    assert_eq!(story.news_since(2), [ChangeKind::Muted, ChangeKind::Unmuted, ChangeKind::StartedTalking]);
}

#[test]
fn the_same_event_twice_is_one_change() {
    let mut story = Story::new();
    for event in [
        told(1, EventKind::Created),
        joined(2, "a", 7),
        state(3, "a", 7).is(Flag::Speak, false),
        told(4, EventKind::Locked),
        left(5, "a", 7),
        told(6, EventKind::Destroyed),
    ] {
        story.hears_all([event.clone(), event]);
    }
    assert_eq!(
        story.news(),
        [
            ChangeKind::ConferenceCreated,
            ChangeKind::Joined,
            ChangeKind::Muted,
            ChangeKind::Locked,
            ChangeKind::Left,
            ChangeKind::Unlocked,
            ChangeKind::ConferenceDestroyed
        ]
    );
}

#[test]
fn events_that_are_older_than_a_leaving_bring_nobody_back() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), left(9, "a", 7)]);
    for late in [state(5, "a", 7), joined(3, "a", 7), left(4, "a", 7)] {
        story.hears_all([late]);
    }
    assert_eq!(story.calls(), ["b"]);
    assert_eq!(story.news_since(4), []);
}

#[test]
fn a_leaving_with_an_older_number_than_the_last_event_still_removes() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), state(20, "a", 7), left(10, "a", 7)]);
    assert_eq!(story.calls(), Vec::<String>::new());
    assert_eq!(story.hears(state(5, "a", 7)), None, "older than the leaving: nothing odd");
}

#[test]
fn a_transfer_comes_back_with_the_same_ids() {
    let mut story = Story::new();
    story.hears_all([
        joined(1, "a", 7).is(Flag::Moderator, true),
        state(2, "a", 7).is(Flag::Speak, false).is(Flag::Moderator, true),
        left(3, "a", 7).is(Flag::Speak, false),
        joined(8, "a", 7),
    ]);
    assert_eq!(story.calls(), ["a"]);
    assert!(story.has("a", Flag::Speak) && !story.has("a", Flag::Moderator), "mute and role are reset");
    assert_eq!(
        story.news_since(1),
        [ChangeKind::Joined, ChangeKind::Muted, ChangeKind::Left, ChangeKind::Joined]
    );
    // The leaving of the first stay, once more and late.
    story.hears_all([left(3, "a", 7), state(2, "a", 7).is(Flag::Speak, false)]);
    assert!(story.has("a", Flag::Speak));
}

#[test]
fn a_leaving_that_is_overtaken_by_the_return_removes_nobody() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(8, "a", 7), left(3, "a", 7)]);
    assert_eq!(story.calls(), ["a"]);
}

#[test]
fn a_leaving_that_overtakes_the_joining_leaves_nobody_behind() {
    let mut story = Story::new();
    story.hears_all([told(1, EventKind::Created), left(3, "a", 7), joined(2, "a", 7)]);
    assert_eq!(story.calls(), Vec::<String>::new());
}

#[test]
fn somebody_unknown_is_odd_and_not_brought_in() {
    let mut story = Story::new();
    story.hears_all([told(1, EventKind::Created)]);
    assert_eq!(story.hears(state(2, "a", 7)), Some(Odd::UnknownMember));
    let floor = told(3, EventKind::FloorChanged { to: Some(7) }).who("a", 7).is(Flag::Floor, true);
    assert_eq!(story.hears(floor), Some(Odd::UnknownMember));
    assert_eq!(story.calls(), Vec::<String>::new());
    story.hears_all([joined(4, "b", 8)]);
    assert_eq!(story.holder(), None);
}

#[test]
fn a_size_that_is_another_is_odd_unless_the_event_is_an_old_one() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7).size(1), joined(4, "b", 8).size(2)]);
    assert_eq!(story.hears(state(5, "a", 7).size(3)), Some(Odd::SizeDisagrees));
    assert_eq!(story.hears(state(3, "a", 7).size(1)), None);
    assert_eq!(story.hears(told(6, EventKind::Locked).size(1)), Some(Odd::SizeDisagrees));
    assert_eq!(story.hears(left(7, "b", 8).size(1)), None);
}

#[test]
fn talking_that_ends_with_a_mute_or_a_hold_is_told() {
    let mut story = Story::new();
    story.hears_all([
        joined(1, "a", 7),
        state(2, "a", 7).is(Flag::Talking, true),
        state(3, "a", 7).is(Flag::Speak, false),
        state(4, "a", 7).is(Flag::Talking, true),
        state(5, "a", 7).is(Flag::Hold, true),
        state(6, "a", 7),
        state(7, "a", 7).is(Flag::Hear, false),
        state(8, "a", 7),
    ]);
    assert_eq!(
        story.news_since(2),
        [
            ChangeKind::StartedTalking,
            ChangeKind::Muted,
            ChangeKind::StoppedTalking,
            ChangeKind::Unmuted,
            ChangeKind::StartedTalking,
            ChangeKind::Held,
            ChangeKind::StoppedTalking,
            ChangeKind::Unheld,
            ChangeKind::Deafened,
            ChangeKind::Undeafened
        ]
    );
}

#[test]
fn a_new_name_is_an_update_and_a_louder_voice_is_none() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7)]);
    let mut renamed = state(2, "a", 7);
    renamed.0.member.as_mut().unwrap().caller_name = "Ann".into();
    let mut louder = renamed.clone();
    louder.0.sequence = 3;
    if let Some(facts) = &mut louder.0.member {
        facts.state = facts.state.with_current_energy(900);
    }
    story.hears_all([renamed, louder]);
    let ann = story.daily().by_member_id(7).unwrap();
    assert_eq!((&*ann.caller_name, ann.state().current_energy()), ("Ann", Some(900)));
    assert_eq!(story.news_since(2), [ChangeKind::ParticipantUpdated]);
}

#[test]
fn two_calls_with_one_number_are_two_people() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 7)]);
    assert_eq!(story.calls(), ["a", "b"]);
    story.hears_all([left(3, "a", 7)]);
    assert_eq!(story.daily().by_member_id(7).unwrap().call_id, "b".into());
}

#[test]
fn what_overtakes_a_return_is_lost_and_known_to_be() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), state(9, "a", 7).is(Flag::Speak, false), left(3, "a", 7)]);
    assert_eq!(story.hears(joined(8, "a", 7)), Some(Odd::Overtaken));
    assert_eq!(story.calls(), ["a"]);
}

#[test]
fn of_thousands_who_left_the_last_ones_are_remembered() {
    let mut story = Story::new();
    story.hears_all([joined(1, "stays", 1)]);
    for number in 0..5_000 {
        let call: &'static str = format!("call{number}").leak();
        let sequence = 10 * u64::from(number) + 10;
        for told in [joined(sequence, call, number + 2), left(sequence + 5, call, number + 2)] {
            assert_eq!(story.writer.apply(&told.0, at(story.now)), None);
        }
    }
    assert_eq!(story.hears(state(49_996, "call4999", 5_001)), None, "he has just left");
    assert_eq!(story.hears(state(11, "call0", 2)), Some(Odd::UnknownMember), "that was long ago");
    assert_eq!(story.calls(), ["stays"]);
}
