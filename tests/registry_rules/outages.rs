//! A node that is out of reach: its conferences are stale after one grace and gone after another, and
//! recover when everything has been listed again.

use std::sync::{Arc, Mutex};

use convened::model::{AccountTag, EventKind};
use convened::registry::{
    Aged, Change, ChangeKind, Graces, NodeCondition, Odd, Publish, Reason, Registry, Writer,
};

use crate::story::Story;
use crate::support::events::{Told, at, joined, left, listed, listed_member, state, told};

const RECOVERED: [ChangeKind; 1] = [ChangeKind::ConferenceRecovered];
const STALE: [ChangeKind; 1] = [ChangeKind::ConferenceStale];

/// A node that is followed, with one conference, and the clock at zero.
fn followed(conference: impl IntoIterator<Item = Told>) -> Story {
    let mut story = Story::new();
    assert!(!story.writer.begin_core("c1", at(0)));
    story.hears_all(conference);
    story.writer.listed(at(0));
    story.now = 0;
    assert_eq!(condition(&story), NodeCondition::Followed);
    story
}

fn daily() -> Story {
    followed([joined(1, "a", 7), joined(2, "b", 8)])
}

fn condition(story: &Story) -> NodeCondition {
    story.registry.node("fs1").expect("it is known").0
}

/// The event connection is lost at that moment.
fn lose(story: &mut Story, ms: u64) -> Option<Aged> {
    let aged = story.writer.lose(at(ms));
    story.check();
    aged
}

/// Time passes.
fn age(story: &mut Story, ms: u64) -> Option<Aged> {
    let aged = story.writer.age(at(ms));
    story.check();
    aged
}

/// It is back, and everything is listed.
fn back(story: &mut Story, ms: u64, list: &[convened::model::ListedConference]) {
    story.now = ms;
    let mark = story.mark(1_000);
    story.lists(list, mark);
    story.writer.listed(at(ms));
    story.check();
}

fn both() -> convened::model::ListedConference {
    listed(vec![listed_member("b", 8), listed_member("a", 7)])
}

#[test]
fn after_the_first_grace_it_is_stale_and_after_the_second_gone_and_both_are_told_once() {
    let mut story = daily();
    let before = story.count();
    assert_eq!(lose(&mut story, 1_000), None);
    assert_eq!(condition(&story), NodeCondition::Lost);
    assert_eq!(story.writer.ages_at_ms(), Some(11_000));
    assert_eq!(age(&mut story, 10_999), None);
    assert_eq!((story.daily().is_stale(), story.count()), (false, before));

    assert_eq!(
        age(&mut story, 11_000),
        Some(Aged { condition: NodeCondition::Stale, conferences: 1 }),
        "counted from the loss"
    );
    assert_eq!((condition(&story), story.news_since(before)), (NodeCondition::Stale, STALE.to_vec()));
    assert_eq!((story.daily().is_stale(), story.calls()), (true, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(story.writer.ages_at_ms(), Some(121_000));
    assert_eq!((age(&mut story, 11_000), age(&mut story, 120_999)), (None, None));
    assert_eq!(story.count(), before + 1);

    let aged = age(&mut story, 121_000);
    assert_eq!(aged, Some(Aged { condition: NodeCondition::Gone, conferences: 1 }));
    assert_eq!((condition(&story), story.writer.ages_at_ms()), (NodeCondition::Gone, None));
    assert!(story.registry.conferences().is_empty());
    let ending = [ChangeKind::Left, ChangeKind::Left, ChangeKind::ConferenceDestroyed];
    assert_eq!(story.news_since(before + 1), ending);
    let changes = story.changes.lock().unwrap().clone();
    assert!(changes[before..].iter().all(|change| change.reason == Reason::NodeLost), "{changes:?}");
    assert_eq!(age(&mut story, 10_000_000), None);
}

#[test]
fn back_within_the_grace_nothing_is_told() {
    let mut story = daily();
    let before = story.count();
    lose(&mut story, 0);
    age(&mut story, 9_999);
    back(&mut story, 9_999, &[both()]);
    assert_eq!((story.count(), story.daily().is_stale()), (before, false));
    assert_eq!(condition(&story), NodeCondition::Followed);
    assert_eq!(age(&mut story, 500_000), None, "the clock has stopped");
    assert_eq!(story.count(), before);
    // And begins anew with the next loss.
    lose(&mut story, 500_000);
    assert_eq!(age(&mut story, 509_999), None);
    assert!(age(&mut story, 510_000).is_some());
}

#[test]
fn what_differs_is_told_before_the_recovery_and_what_has_ended_does_not_recover() {
    let mut story = followed([joined(1, "a", 7), joined(2, "b", 8), joined(3, "c", 9).of("i2")]);
    lose(&mut story, 0);
    age(&mut story, 10_000);
    let before = story.count();
    let mut list = listed(vec![listed_member("d", 10), listed_member("b", 8)]);
    list.locked = true;
    back(&mut story, 20_000, &[list]);
    assert_eq!(
        story.news_since(before),
        [
            ChangeKind::Joined,
            ChangeKind::Left,
            ChangeKind::Locked,
            ChangeKind::Left,
            ChangeKind::ConferenceDestroyed,
            ChangeKind::ConferenceRecovered
        ]
    );
    let changes = story.changes.lock().unwrap().clone();
    assert!(changes[before..].iter().all(|change| change.reason == Reason::List), "{changes:?}");
    assert_eq!(&*changes.last().unwrap().conference.instance, "i1");
    assert!(!story.daily().is_stale() && story.instance("i2").is_none());
}

#[test]
fn a_connection_that_is_back_ends_nothing_until_everything_is_listed() {
    let mut story = daily();
    lose(&mut story, 0);
    let before = story.count();
    // Events come and one conference is listed; the rest of the node is as unknown as before.
    story.now = 5_000;
    story.hears_all([state(3, "a", 7)]);
    assert!(age(&mut story, 10_000).is_some());
    assert_eq!(story.news_since(before), STALE);
    story.now = 11_000;
    let mark = story.mark(4);
    story.lists_in(convened::registry::Scope::Conference("daily"), &[both()], mark);
    assert!(story.daily().is_stale());
    // What begins on the new connection is not old.
    story.hears_all([joined(5, "c", 9).of("i2")]);
    assert!(!story.instance("i2").unwrap().is_stale());
    back(&mut story, 12_000, &[both(), listed_of("i2", "c", 9)]);
    assert_eq!(story.news_since(before + 3), RECOVERED);
}

fn listed_of(instance: &str, call: &str, id: u32) -> convened::model::ListedConference {
    convened::model::ListedConference { instance: instance.into(), ..listed(vec![listed_member(call, id)]) }
}

#[test]
fn a_connection_that_is_lost_again_and_again_has_one_clock_and_makes_one_pair() {
    let mut story = daily();
    let before = story.count();
    for second in 0..60 {
        lose(&mut story, second * 1_000);
        age(&mut story, second * 1_000 + 999);
    }
    assert_eq!(story.news_since(before), STALE);
    // What began in between is stale at the next loss: its grace is the node's.
    story.now = 60_000;
    story.hears_all([joined(9, "c", 9).of("i2")]);
    let aged = lose(&mut story, 61_000);
    assert_eq!(aged, Some(Aged { condition: NodeCondition::Stale, conferences: 1 }));
    assert!(story.instance("i2").unwrap().is_stale());
    assert_eq!(lose(&mut story, 62_000), None);
    assert_eq!(age(&mut story, 119_999), None);
    let gone = age(&mut story, 120_000);
    assert_eq!(gone, Some(Aged { condition: NodeCondition::Gone, conferences: 2 }), "from the first loss");
    back(&mut story, 200_000, &[both()]);
    assert_eq!(story.news().iter().filter(|kind| **kind == ChangeKind::ConferenceRecovered).count(), 0);
}

#[test]
fn a_switch_that_was_started_anew_ends_them_as_such_and_they_do_not_recover() {
    let mut story = daily();
    lose(&mut story, 0);
    age(&mut story, 10_000);
    let before = story.count();
    assert!(story.writer.begin_core("c2", at(20_000)));
    back(&mut story, 20_000, &[listed_of("i9", "x", 1)]);
    let changes = story.changes.lock().unwrap().split_off(before);
    let old: Vec<_> = changes.iter().filter(|change| &*change.conference.instance == "i1").collect();
    assert!(!old.is_empty() && old.iter().all(|change| change.reason == Reason::NodeRestarted), "{old:?}");
    assert!(changes.iter().all(|change| change.kind != ChangeKind::ConferenceRecovered));
}

#[test]
fn a_node_that_was_never_connected_ages_not() {
    let mut story = Story::new();
    assert_eq!((story.writer.ages_at_ms(), age(&mut story, 1_000_000)), (None, None));
    assert_eq!(story.registry.node("fs1"), None);
}

#[test]
fn a_node_that_was_connected_and_never_listed_stays_unlisted_and_its_conferences_are_stale() {
    let mut story = Story::new();
    story.registry.set_node(&"fs1".into(), NodeCondition::Unlisted, at(0));
    story.hears_all([joined(1, "a", 7)]);
    lose(&mut story, 100);
    age(&mut story, 10_100);
    assert!(story.daily().is_stale());
    assert_eq!(condition(&story), NodeCondition::Unlisted);
    age(&mut story, 120_100);
    assert!(story.registry.conferences().is_empty());
    assert_eq!(condition(&story), NodeCondition::Unlisted);
}

#[test]
fn without_a_first_grace_it_is_stale_at_once_and_with_equal_ones_gone_without_being_stale() {
    for (stale_after_ms, gone_after_ms, told) in
        [(0, 5_000, STALE.to_vec()), (5_000, 5_000, vec![]), (10_000, 5_000, vec![])]
    {
        let mut story = daily();
        story.writer = story.writer.with_graces(Graces { stale_after_ms, gone_after_ms });
        let (before, held) = (story.count(), story.daily());
        lose(&mut story, 0);
        assert_eq!(age(&mut story, 4_999), None);
        assert_eq!(story.news_since(before), told);
        age(&mut story, 5_000);
        let ending = [ChangeKind::Left, ChangeKind::Left, ChangeKind::ConferenceDestroyed];
        assert_eq!(story.news_since(before + told.len()), ending);
        assert!(held.is_stale(), "who still holds it sees that nobody knows how it ended");
    }
}

/// What the registry says of the node when a recovery is told.
#[derive(Clone)]
struct Asking(Arc<Registry>, Arc<Mutex<Vec<Option<NodeCondition>>>>);

impl Publish for Asking {
    fn publish(&self, change: Change) {
        if change.kind == ChangeKind::ConferenceRecovered {
            self.1.lock().unwrap().push(self.0.node("fs1").map(|(condition, _)| condition));
        }
    }
}

#[test]
fn who_hears_of_a_recovery_finds_the_node_followed() {
    let registry = Arc::new(Registry::new());
    let asking = Asking(registry.clone(), Arc::default());
    let mut writer = Writer::new(registry, "fs1".into(), asking.clone());
    for event in [joined(1, "a", 7), joined(2, "b", 8).of("i2")] {
        assert_eq!(writer.apply(&event.0, at(0)), None);
    }
    writer.listed(at(0));
    writer.lose(at(0));
    writer.age(at(10_000));
    writer.listed(at(11_000));
    assert_eq!(*asking.1.lock().unwrap(), [Some(NodeCondition::Followed); 2]);
}

#[test]
fn what_is_back_after_it_was_gone_is_new_and_its_numbers_go_on_however_long_it_took() {
    for back_at in [130_000, 90_000_000] {
        let mut story = followed([joined(1, "a", 7), joined(2, "b", 8), joined(3, "c", 9).of("i2")]);
        lose(&mut story, 0);
        age(&mut story, 10_000);
        age(&mut story, 120_000);
        let before = story.count();
        // Something ends first: what is remembered of the others is not forgotten over it.
        story.now = back_at;
        story.hears_all([joined(900, "x", 5).of("i5"), told(901, EventKind::Destroyed).of("i5")]);
        assert_eq!(story.hears(state(902, "a", 7)), Some(Odd::UnknownConference), "it has to be listed");
        story.hears_all([left(903, "b", 8)]);
        assert!(story.instance("i1").is_none());
        // `check` sees to the numbers: 1, 2, 3 ... over both lives.
        back(&mut story, back_at + 100, &[both()]);
        let expected = [ChangeKind::ConferenceCreated, ChangeKind::Joined, ChangeKind::Joined];
        assert_eq!(story.news_since(before + 4), expected);
        assert!(!story.daily().is_stale());
        assert!(story.instance("i2").is_none(), "it has not come back");
    }
}

#[test]
fn what_was_gone_and_is_told_to_have_ended_stays_gone() {
    let mut story = daily();
    lose(&mut story, 0);
    age(&mut story, 120_000);
    story.now = 130_000;
    story.hears_all([left(5, "a", 7).size(0), told(6, EventKind::Destroyed)]);
    back(&mut story, 131_000, &[both()]);
    assert!(story.registry.conferences().is_empty(), "an older list does not bring it back");
}

#[test]
fn it_is_told_since_when_a_node_is_as_it_is() {
    let mut story = daily();
    let since = |story: &Story| story.registry.node("fs1").unwrap();
    assert_eq!(since(&story), (NodeCondition::Followed, at(0).unix_ms));
    lose(&mut story, 1_000);
    lose(&mut story, 2_000);
    assert_eq!(since(&story), (NodeCondition::Lost, at(1_000).unix_ms));
    age(&mut story, 11_005);
    lose(&mut story, 12_000);
    assert_eq!(since(&story), (NodeCondition::Stale, at(11_005).unix_ms));
    age(&mut story, 121_000);
    assert_eq!(since(&story), (NodeCondition::Gone, at(121_000).unix_ms));
    back(&mut story, 130_000, &[both()]);
    assert_eq!(since(&story), (NodeCondition::Followed, at(130_000).unix_ms));
}

#[test]
fn what_was_gone_twice_is_remembered_for_the_later_time() {
    let mut story = daily();
    for lost_at in [0, 500_000] {
        lose(&mut story, lost_at);
        age(&mut story, lost_at + 120_000);
        assert!(story.instance("i1").is_none());
        if lost_at == 0 {
            back(&mut story, 130_000, &[both()]);
        }
    }
    // Everything is listed and it is not there: only now does the time count for which it is remembered.
    back(&mut story, 640_000, &[]);
    story.now = 900_000;
    story.hears_all([joined(900, "x", 5).of("i5"), told(901, EventKind::Destroyed).of("i5")]);
    // `check` sees to the numbers.
    back(&mut story, 901_000, &[both()]);
    assert_eq!(story.calls(), ["a", "b"]);
}

#[test]
fn what_is_back_is_whose_it_was_from_the_first_change_on() {
    let mut story = followed([joined(1, "a", 7).pays("acme"), joined(2, "b", 8).pays("evil")]);
    lose(&mut story, 0);
    age(&mut story, 120_000);
    back(&mut story, 130_000, &[both()]);
    let acme = AccountTag::Tagged("acme".into());
    assert_eq!(story.daily().account_tag(), acme, "a list does not tell it");
    assert_eq!(story.registry.conferences_tagged(&acme).len(), 1);
    story.now = 131_000;
    story.hears_all([state(1_001, "b", 8).pays("evil")]);
    assert_eq!(story.daily().account_tag(), acme);
}
