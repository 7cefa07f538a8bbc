//! Why somebody left.

use std::sync::Arc;

use convened::model::{EventKind, Extra};
use convened::registry::{ChangeKind, Detail, LeftReason, Reason, Sender};

use crate::story::Story;
use crate::support::events::{Told, at, joined, left, listed, listed_member, told};

fn kicked(sequence: u64, call_id: &'static str, member_id: u32) -> Told {
    told(sequence, EventKind::Kicked).who(call_id, member_id)
}

fn hung_up(told: Told) -> Told {
    told.with(Extra::HungUp("NORMAL_CLEARING".into()))
}

/// Who left and why, in order.
fn reasons(story: &Story) -> Vec<(String, LeftReason)> {
    let changes = story.changes.lock().unwrap();
    let left = changes.iter().filter(|change| change.kind == ChangeKind::Left);
    left.map(|change| {
        let Some(Detail::Left(why)) = &change.detail else { panic!("without a reason: {change:?}") };
        (change.participant.as_ref().unwrap().0.call_id.to_string(), why.clone())
    })
    .collect()
}

fn sent_by(story: &Story, call: &str, ends: bool) {
    let sender = Arc::new(Sender { name: "desk".into(), ends });
    let participant = story.daily().by_call_id(call).unwrap();
    assert!(participant.claim_sending(&sender));
    // Somebody else who is later, or is refused, changes nothing.
    let other = Arc::new(Sender { name: "night".into(), ends });
    assert!(!participant.claim_sending(&other));
    participant.give_up_sending(&other);
}

#[test]
fn who_leaves_is_told_with_the_reason() {
    let mut story = Story::new();
    for (id, call) in ["hangs", "walks", "kicked", "moved", "picked"].into_iter().enumerate() {
        story.hears_all([joined(10 + id as u64, call, id as u32 + 1)]);
    }
    let moved = told(20, EventKind::Transferred).who("moved", 4).with(Extra::To("other".into()));
    story.hears_all([
        moved,
        told(21, EventKind::Transferred).who("picked", 5),
        kicked(22, "kicked", 3),
        hung_up(left(30, "hangs", 1)),
        left(31, "walks", 2),
        left(32, "moved", 4),
        left(33, "kicked", 3),
        left(34, "picked", 5),
    ]);
    // Told to go and sent somewhere at the same time, in either order: he is there.
    for (at, first) in [(40, true), (50, false)] {
        story.hears_all([joined(at, "both", 6)]);
        let sent =
            |sequence| told(sequence, EventKind::Transferred).who("both", 6).with(Extra::To("other".into()));
        let pair = if first {
            [sent(at + 1), kicked(at + 2, "both", 6)]
        } else {
            [kicked(at + 1, "both", 6), sent(at + 2)]
        };
        story.hears_all(pair);
        story.hears_all([left(at + 3, "both", 6)]);
    }
    assert!(
        reasons(&story)
            .split_off(5)
            .iter()
            .all(|(_, why)| *why == LeftReason::Transferred(Some("other".into())))
    );

    let wanted = [
        ("hangs", LeftReason::Hangup("NORMAL_CLEARING".into())),
        ("walks", LeftReason::Left),
        ("moved", LeftReason::Transferred(Some("other".into()))),
        ("kicked", LeftReason::Kicked(None)),
        ("picked", LeftReason::Transferred(None)),
    ];
    assert_eq!(reasons(&story)[..5], wanted.map(|(call, why)| (call.to_owned(), why)));
}

#[test]
fn who_was_kicked_through_us_is_told_with_the_name() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 1), joined(2, "b", 2), joined(3, "c", 3), joined(4, "d", 4)]);
    for call in ["a", "b", "d"] {
        sent_by(&story, call, false);
    }
    sent_by(&story, "c", true);
    // Known under another name meanwhile he is the same.
    let mut renamed = kicked(5, "a", 1);
    renamed.0.member.as_mut().unwrap().caller_name = "Ann".into();
    story.hears_all([
        renamed,
        left(6, "a", 1),
        // Its profile keeps the event of kicking back.
        left(7, "b", 2),
        kicked(8, "c", 3),
        left(9, "c", 3),
        // He was quicker.
        hung_up(left(10, "d", 4)),
    ]);
    let desk = || Some("desk".into());
    let wanted = [
        ("a", LeftReason::Kicked(desk())),
        ("b", LeftReason::Kicked(desk())),
        ("c", LeftReason::ConferenceEnded(desk())),
        ("d", LeftReason::Hangup("NORMAL_CLEARING".into())),
    ];
    assert_eq!(reasons(&story), wanted.map(|(call, why)| (call.to_owned(), why)));
}

#[test]
fn a_second_stay_is_not_left_for_the_reason_of_the_first() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 1), kicked(3, "a", 1)]);
    sent_by(&story, "a", false);
    // That he left is lost; he comes again, after what would be the time of a list.
    story.now += 10_000;
    story.hears_all([joined(9, "a", 1), kicked(4, "a", 1), hung_up(left(12, "a", 1))]);
    assert_eq!(reasons(&story), [("a".to_owned(), LeftReason::Hangup("NORMAL_CLEARING".into()))]);
}

#[test]
fn what_nobody_told_has_the_reason_that_is_known() {
    let mut story = Story::new();
    story.hears_all([joined(1, "a", 1), joined(2, "b", 2)]);
    story.now += 10_000;
    let mark = story.mark(5);
    story.lists(&[listed(vec![listed_member("b", 2)])], mark);
    assert_eq!(reasons(&story), [("a".to_owned(), LeftReason::Unknown)]);
    story.hears_all([told(6, EventKind::Destroyed)]);
    assert_eq!(reasons(&story)[1], ("b".to_owned(), LeftReason::ConferenceEnded(None)));

    story.hears_all([joined(11, "c", 3).of("i2")]);
    story.writer.begin_core("core-1", at(story.now));
    story.writer.begin_core("core-2", at(story.now));
    assert_eq!(reasons(&story)[2], ("c".to_owned(), LeftReason::NodeLost));
    story.hears_all([joined(21, "d", 4).of("i3")]);
    story.writer.end_all(Reason::NodeLost, at(story.now));
    assert_eq!(reasons(&story)[3], ("d".to_owned(), LeftReason::NodeLost));
}
