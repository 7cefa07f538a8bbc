//! Whose conference it is: the conference's variable, else the first member's channel, else nobody knows.

use convened::model::{AccountTag, EventKind};

use crate::story::Story;
use crate::support::events::{joined, left, listed, listed_member, state, told};

fn tagged(account: &str) -> AccountTag {
    AccountTag::Tagged(account.into())
}

#[test]
fn the_conference_variable_tells_from_the_first_event_on() {
    let mut story = Story::new();
    story.hears_all([told(1, EventKind::Created).account("acme")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"));
    story.hears_all([joined(2, "a", 7).account("acme").pays("other")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"), "it goes before the channel's");
    assert_eq!(story.registry.conferences_tagged(&tagged("acme")).len(), 1);
    assert!(story.registry.conferences_tagged(&tagged("other")).is_empty());
}

#[test]
fn without_it_the_first_member_tells() {
    let mut story = Story::new();
    story.hears_all([told(1, EventKind::Created)]);
    assert_eq!(story.daily().account_tag(), AccountTag::Unknown);
    story.hears_all([joined(2, "a", 7).pays("acme"), joined(3, "b", 8).pays("evil")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"));
    story.hears_all([left(4, "a", 7).pays("acme"), state(5, "b", 8).pays("evil")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"), "it does not change hands with the people");
}

#[test]
fn a_first_member_without_a_tag_makes_it_untagged() {
    let mut story = Story::new();
    story.hears_all([joined(2, "a", 7), joined(3, "b", 8).pays("evil")]);
    assert_eq!(story.daily().account_tag(), AccountTag::Untagged);
    assert_eq!(story.registry.conferences_tagged(&AccountTag::Untagged).len(), 1);
    story.hears_all([state(4, "a", 7).account("acme")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"), "the conference's variable was set later");
    assert!(story.registry.conferences_tagged(&AccountTag::Untagged).is_empty());
}

#[test]
fn after_a_list_without_a_tag_only_its_first_member_can_tell() {
    let mut story = Story::new();
    let mut list = listed(vec![listed_member("b", 8), listed_member("a", 7)]);
    list.members[1].joined_s_ago = 60;
    let mark = story.mark(1);
    story.lists(&[list], mark);
    assert_eq!(story.daily().account_tag(), AccountTag::Unknown);
    story.hears_all([joined(2, "c", 9).pays("evil"), state(3, "b", 8).pays("evil")]);
    assert_eq!(story.daily().account_tag(), AccountTag::Unknown);
    story.hears_all([state(4, "a", 7).pays("acme")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"));
}

#[test]
fn a_list_with_the_variable_tells() {
    let mut story = Story::new();
    let mut list = listed(vec![listed_member("a", 7)]);
    list.account = Some("acme".into());
    let mark = story.mark(1);
    story.lists(&[list.clone()], mark);
    assert_eq!(story.daily().account_tag(), tagged("acme"));
    story.hears_all([state(2, "a", 7).pays("evil"), told(3, EventKind::Destroyed)]);
    assert!(story.registry.conferences_tagged(&tagged("acme")).is_empty(), "gone from the index too");
}

#[test]
fn the_variable_goes_before_a_tag_learned_from_a_channel() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 7).pays("channel")]);
    story.hears_all([state(2, "a", 7).account("acme").pays("channel")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"));
    story.hears_all([state(3, "a", 7).pays("channel")]);
    assert_eq!(story.daily().account_tag(), tagged("acme"));
}
