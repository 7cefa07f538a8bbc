//! Lists between two fences: what they repair and what they must leave alone.

use std::sync::Arc;

use convened::model::{EventKind, Flag, MemberState};
use convened::registry::{Change, ChangeKind, Publish, Reason, Registry, Scope, Writer};

use crate::story::Story;
use crate::support::events::{Told, at, floor, joined, left, listed, listed_member, state, told};

#[test]
fn a_list_finds_who_was_not_told_of_and_removes_who_is_gone() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8)]);
    story.now += 5_000;
    let mark = story.mark(3);
    let mut list = listed(vec![listed_member("c", 9), listed_member("a", 7)]);
    list.locked = true;
    list.members.iter_mut().for_each(|member| member.joined_s_ago = 5);
    list.members[0].state = list.members[0].state.with(Flag::Speak, false).with(Flag::Floor, true);
    let result = story.lists(&[list.clone()], mark);
    assert_eq!((result.repaired, result.unsure.len()), (4, 0));
    assert_eq!(story.calls(), ["a", "c"]);
    assert!(story.daily().is_locked() && !story.has("c", Flag::Speak));
    assert_eq!(story.holder().as_deref(), Some("c"));
    let began = story.daily().by_call_id("c").unwrap().joined_unix_ms;
    assert_eq!(began, at(story.now).unix_ms - 5_000);
    assert!(story.changes.lock().unwrap()[3..].iter().all(|change| change.reason == Reason::List));
    let mark = story.mark(4);
    assert_eq!(story.lists(&[list], mark).repaired, 0, "the second time nothing differs");
}

#[test]
fn whom_an_event_touched_after_the_fence_is_not_judged() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), joined(3, "c", 9), floor(4, "a", 7)]);
    story.now += 5_000;
    let mark = story.mark(5);
    story.hears_all([
        state(6, "a", 7).is(Flag::Speak, false).is(Flag::Floor, true),
        left(7, "b", 8),
        joined(8, "d", 10),
        told(9, EventKind::Locked),
        floor(10, "c", 9),
    ]);
    let before = story.count();
    // The list is of the moment of the fence.
    let mut list = listed(vec![listed_member("c", 9), listed_member("b", 8), listed_member("a", 7)]);
    list.members[2].state = list.members[2].state.with(Flag::Floor, true);
    let result = story.lists(&[list], mark);
    assert_eq!((result.repaired, story.news_since(before)), (0, vec![]));
    assert_eq!(story.calls(), ["a", "c", "d"]);
    assert_eq!(result.unsure.len(), 1, "of the one who is not in it nothing is known yet");
    assert!(!story.has("a", Flag::Speak) && story.daily().is_locked());
    assert_eq!(story.holder().as_deref(), Some("c"));
}

#[test]
fn who_joined_a_moment_ago_is_not_removed_and_later_is() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8)]);
    let list = [listed(vec![listed_member("a", 7)])];
    story.now += 1_900;
    let mark = story.mark(3);
    let result = story.lists(&list, mark);
    assert_eq!((result.repaired, result.unsure.len()), (0, 1));
    assert_eq!(story.calls(), ["a", "b"]);
    story.now += 200;
    let mark = story.mark(4);
    let result = story.lists(&list, mark);
    assert_eq!((result.repaired, result.unsure.len()), (1, 0));
    assert_eq!(story.calls(), ["a"]);
}

#[test]
fn who_was_told_of_after_the_fence_is_not_removed_by_a_list_without_him() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7)]);
    let mark = story.mark(2);
    story.lists(&[listed(vec![listed_member("b", 8), listed_member("a", 7)])], mark);
    story.now += 5_000;
    let mark = story.mark(3);
    story.hears_all([state(4, "b", 8).is(Flag::Speak, false)]);
    let mut list = [listed(vec![listed_member("a", 7)])];
    list[0].members[0].joined_s_ago = 5;
    let result = story.lists(&list, mark);
    assert_eq!((result.repaired, result.unsure.len()), (0, 1));
    assert_eq!(story.calls(), ["a", "b"]);
    let mark = story.mark(5);
    assert_eq!(story.lists(&list, mark).repaired, 1, "the next one knows");
    assert_eq!(story.calls(), ["a"]);
}

#[test]
fn a_list_that_was_long_on_its_way_does_not_remove_who_had_just_joined_when_it_was_made() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8)]);
    let mark = story.mark(3);
    story.now += 60_000;
    let result = story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    assert_eq!((result.repaired, result.unsure.len()), (0, 1));
    assert_eq!(story.calls(), ["a", "b"]);
}

#[test]
fn a_list_that_misses_the_one_with_the_floor_does_not_take_it_away() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), floor(3, "b", 8)]);
    let mark = story.mark(4);
    story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    assert_eq!(story.holder().as_deref(), Some("b"));
    story.now += 5_000;
    let mark = story.mark(5);
    story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    assert_eq!(story.holder(), None, "he has left, and the floor with him");
}

#[test]
fn who_left_after_the_fence_is_not_brought_back_by_the_list() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8)]);
    let mark = story.mark(3);
    story.hears_all([left(4, "b", 8)]);
    let list = [listed(vec![listed_member("b", 8), listed_member("a", 7)])];
    story.lists(&list, mark);
    assert_eq!(story.calls(), ["a"]);
    // A list from after the leaving knows better: the joining was lost.
    let mark = story.mark(5);
    story.lists(&list, mark);
    assert_eq!(story.calls(), ["a", "b"]);
}

#[test]
fn an_event_older_than_the_list_changes_nothing() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7)]);
    let mark = story.mark(10);
    let mut list = listed(vec![listed_member("a", 7)]);
    list.members[0].state = list.members[0].state.with(Flag::Speak, false);
    list.locked = true;
    story.lists(&[list], mark);
    story.hears_all([state(5, "a", 7), told(6, EventKind::Unlocked)]);
    assert!(!story.has("a", Flag::Speak) && story.daily().is_locked());
    story.hears_all([state(12, "a", 7), told(13, EventKind::Unlocked)]);
    assert!(story.has("a", Flag::Speak) && !story.daily().is_locked());
}

#[test]
fn somebody_known_from_a_list_leaves_by_any_number() {
    let mut story = Story::new();
    let mark = story.mark(100);
    story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    story.hears_all([left(40, "a", 7)]);
    assert_eq!(story.calls(), Vec::<String>::new());
}

#[test]
fn what_is_not_in_the_list_of_the_node_has_ended() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8).of("i2"), joined(3, "c", 9).of("i3")]);
    let mark = story.mark(4);
    story.hears_all([state(5, "c", 9).of("i3")]);
    let result = story.lists(&[listed(vec![listed_member("a", 7)])], mark);
    assert_eq!(result.repaired, 1);
    assert!(story.instance("i2").is_none(), "not heard of since the fence");
    assert!(story.instance("i3").is_some(), "heard of since");
}

#[test]
fn a_list_of_one_conference_judges_only_that_name() {
    let mut story = Story::new();
    let mut other = joined(2, "b", 8).of("i2");
    other.0.conference = "weekly".into();
    story.hears_all([joined(1, "a", 7), other]);
    let mark = story.mark(3);
    story.lists_in(Scope::Conference("nosuch"), &[], mark);
    assert_eq!(story.registry.conferences().len(), 2);
    story.lists_in(Scope::Conference("weekly"), &[listed(vec![])], mark);
    assert!(story.instance("i1").is_some() && story.instance("i2").is_none());
    assert_eq!(story.calls(), ["a"], "a list that was not asked for says nothing");
    story.lists_in(Scope::Conference("daily"), &[], mark);
    assert!(story.registry.conferences().is_empty());
}

#[test]
fn a_conference_that_is_about_to_end_is_not_found_anew() {
    let mut story = Story::new();
    let mark = story.mark(1);
    let mut list = listed(vec![listed_member("a", 7)]);
    list.ending = true;
    assert_eq!(story.lists(&[list.clone()], mark).repaired, 0);
    assert!(story.registry.conferences().is_empty());
    story.hears_all([joined(2, "a", 7)]);
    let mark = story.mark(3);
    assert_eq!(story.lists(&[list], mark).repaired, 0);
    assert_eq!(story.calls(), ["a"], "who is known to be in it is until he leaves");
}

#[test]
fn a_hold_hides_in_lists_what_events_tell() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8).is(Flag::Speak, false)]);
    story.hears_all([
        state(3, "a", 7).is(Flag::Hold, true).is(Flag::See, true),
        state(4, "b", 8).is(Flag::Hold, true).is(Flag::Speak, false),
    ]);
    let held = MemberState::default().with(Flag::Hold, true).with_energy_level(100);
    let mut list = listed(vec![listed_member("b", 8), listed_member("a", 7)]);
    for member in &mut list.members {
        member.state = held;
    }
    let before = story.count();
    let mark = story.mark(5);
    assert_eq!(story.lists(&[list], mark).repaired, 0);
    assert_eq!(story.news_since(before), []);
    assert!(story.has("a", Flag::Speak) && story.has("a", Flag::Hear) && !story.has("b", Flag::Speak));
    // Back from hold a list tells all again.
    let mark = story.mark(6);
    let mut list = listed(vec![listed_member("b", 8), listed_member("a", 7)]);
    list.members[1].state = list.members[1].state.with(Flag::Hear, false);
    story.lists(&[list], mark);
    assert!(story.has("b", Flag::Speak) && !story.has("a", Flag::Hear));
}

#[test]
fn ghost_and_loudness_are_not_forgotten_over_a_list() {
    let mut story = Story::new();
    let mut ghost = joined(1, "a", 7).is(Flag::Ghost, true);
    let facts = ghost.0.member.as_mut().unwrap();
    facts.state = facts.state.with_current_energy(500);
    story.hears_all([ghost]);
    let mark = story.mark(2);
    assert_eq!(story.lists(&[listed(vec![listed_member("a", 7)])], mark).repaired, 0);
    let state = story.daily().by_call_id("a").unwrap().state();
    assert!(state.has(Flag::Ghost));
    assert_eq!(state.current_energy(), Some(500));
    assert_eq!(story.news(), [ChangeKind::ConferenceCreated, ChangeKind::Joined]);
}

#[test]
fn whom_a_list_has_twice_is_told_as_joined_first() {
    let mut story = Story::new();
    let mark = story.mark(1);
    let mut list = listed(vec![listed_member("a", 7), listed_member("a", 7)]);
    list.members[0].caller_name = "Somebody Else".into();
    story.lists(&[list], mark);
    assert_eq!(story.calls(), ["a"]);
    let news = [ChangeKind::ConferenceCreated, ChangeKind::Joined, ChangeKind::ParticipantUpdated];
    assert_eq!(story.news(), news);
}

/// Looks at the conference at each change of somebody.
struct Onlooker;

impl Publish for Onlooker {
    fn publish(&self, change: Change) {
        let Some((participant, _)) = change.participant else { return };
        let is_there = change.conference.by_call_id(&participant.call_id).is_some();
        assert_eq!(is_there, change.kind != ChangeKind::Left, "{:?}", change.kind);
    }
}

#[test]
fn whoever_hears_of_a_change_finds_it() {
    let mut writer = Writer::new(Arc::new(Registry::new()), "fs1".into(), Onlooker);
    let everybody = [listed(vec![listed_member("c", 9), listed_member("b", 8), listed_member("a", 7)])];
    let without_one = [listed(vec![listed_member("c", 9), listed_member("a", 7)])];
    for list in [&everybody[..], &without_one, &everybody, &[]] {
        let mark = writer.mark(1, at(0));
        writer.reconcile(Scope::Node, list, mark, at(0));
    }
}

#[test]
fn a_name_that_events_cannot_tell_is_the_lists() {
    let mut story = Story::new();
    let named = |told: Told, name: &'static str| {
        let mut told = told;
        told.0.member.as_mut().unwrap().caller_name = name.into();
        told
    };
    let mut list = [listed(vec![listed_member("a", 7)])];
    list[0].members[0].caller_name = "Ann%20Lee".into();
    let name = |story: &Story| story.daily().by_call_id("a").unwrap().caller_name.to_string();
    story.hears_all([named(joined(1, "a", 7), "Ann Lee")]);
    let mark = story.mark(2);
    assert_eq!(story.lists(&list, mark).repaired, 1);
    let before = story.count();
    story.hears_all([named(state(3, "a", 7), "Ann Lee"), named(state(4, "a", 7), "Ann Lee")]);
    let mark = story.mark(5);
    assert_eq!(story.lists(&list, mark).repaired, 0, "once is enough");
    assert_eq!((name(&story).as_str(), story.count()), ("Ann%20Lee", before));
    story.hears_all([named(state(6, "a", 7), "Ben")]);
    assert_eq!(name(&story), "Ben", "another name is another name");
}

#[test]
fn a_list_puts_right_when_somebody_joined_and_he_stays_the_same() {
    let mut story = Story::new();
    story.now += 1_000_000;
    story.hears_all([joined(1, "a", 7)]);
    let (came, stay) = {
        let ann = story.daily().by_call_id("a").unwrap();
        (ann.joined_unix_ms, ann.stay)
    };
    let mut list = [listed(vec![listed_member("a", 7)])];
    for (ago, repaired) in [(2, 0), (100, 1), (100, 0)] {
        list[0].members[0].joined_s_ago = ago;
        let mark = story.mark(2);
        assert_eq!(story.lists(&list, mark).repaired, repaired, "{ago} s ago");
    }
    let ann = story.daily().by_call_id("a").unwrap();
    assert!((90_000..110_000).contains(&(came - ann.joined_unix_ms)), "{} {came}", ann.joined_unix_ms);
    assert_eq!(ann.stay, stay);
}

#[test]
fn an_old_leaving_does_not_open_the_door_to_an_old_joining() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7), joined(2, "b", 8), left(20, "b", 8), left(10, "b", 8)]);
    story.hears(joined(15, "b", 8));
    assert_eq!(story.calls(), ["a"]);
}
