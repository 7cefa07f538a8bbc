//! Any order within a small window ends as the true order does, where the rules promise it.

use convened::model::{EventKind, Flag, MemberState};
use proptest::prelude::*;

use crate::story::Story;
use crate::support::events::{Told, floor, joined, left, listed, listed_member, no_floor, state, told};

const CALLS: [(&str, u32); 4] = [("a", 7), ("b", 8), ("c", 9), ("d", 10)];

/// One event of a world in which only what is possible happens; numbers go up.
fn happen(choices: &[(u8, u8)]) -> Vec<Told> {
    let (mut events, mut here) = (vec![told(1, EventKind::Created)], [false; 4]);
    let mut holder: Option<usize> = None;
    for (n, (what, who)) in choices.iter().enumerate() {
        let (sequence, who) = (n as u64 * 2 + 10, usize::from(who % 4));
        let (call, id) = CALLS[who];
        let floored = |event: Told| event.is(Flag::Floor, holder == Some(who));
        match (what % 8, here[who]) {
            (7, _) => events.push(told(sequence, EventKind::Locked)),
            (6, _) => events.push(told(sequence, EventKind::Unlocked)),
            (_, false) => {
                here[who] = true;
                events.push(joined(sequence, call, id));
            }
            (0, true) => {
                if holder == Some(who) {
                    holder = None;
                    events.push(no_floor(sequence));
                }
                here[who] = false;
                events.push(left(sequence + 1, call, id));
            }
            (1, true) => {
                holder = Some(who);
                events.push(floor(sequence, call, id));
            }
            (2, true) => events.push(floored(state(sequence, call, id).is(Flag::Speak, false))),
            (3, true) => events.push(floored(state(sequence, call, id).is(Flag::Hear, false))),
            (4, true) => events.push(floored(state(sequence, call, id).is(Flag::Hold, true))),
            _ => events.push(floored(state(sequence, call, id).is(Flag::Talking, true))),
        }
    }
    events
}

/// The same with neighbours mixed up: nothing moves `window` places or further.
fn mixed(mut events: Vec<Told>, keys: &[u8], window: usize) -> Vec<Told> {
    // The beginning stays where it is: of a conference that ends before it begins nothing is promised.
    let first = events.remove(0);
    let mut keyed: Vec<_> = events
        .into_iter()
        .enumerate()
        .map(|(at, event)| (at + usize::from(keys.get(at).copied().unwrap_or(0)) % window, event))
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    [first].into_iter().chain(keyed.into_iter().map(|(_, event)| event)).collect()
}

/// Members with their states, and the lock. Of somebody on hold a list does not tell whether he is muted
/// or deaf.
fn outcome(story: &Story) -> (Vec<(String, MemberState)>, bool) {
    let conference = story.daily();
    let members = conference.participants();
    let cut = |state: MemberState| {
        let held = state.has(Flag::Hold);
        let cut = |state: MemberState, flag| state.with(flag, state.has(flag) && !held);
        cut(cut(state, Flag::Hear), Flag::Speak)
    };
    let members = members.iter().map(|p| (p.call_id.to_string(), cut(p.state()))).collect();
    (members, conference.is_locked())
}

/// The list that a switch would give after these events.
fn list_after(story: &Story) -> convened::model::ListedConference {
    let members = story.daily().participants();
    let mut list = listed(
        members
            .iter()
            .rev()
            .map(|p| {
                let held = p.state().has(Flag::Hold);
                let shown = |flag| p.state().has(flag) && !held;
                let state = p.state().without_current_energy();
                let state = state.with(Flag::Hear, shown(Flag::Hear)).with(Flag::Speak, shown(Flag::Speak));
                convened::model::ListedMember { state, ..listed_member(&p.call_id, p.member_id) }
            })
            .collect(),
    );
    list.locked = story.daily().is_locked();
    list
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Who is told of is there, in his last state, with the last lock and the last floor. Promised is it
    /// as long as nothing odd was seen; after that a list has the last word, and then it is so again.
    #[test]
    fn every_order_ends_as_the_true_one(
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..60),
        keys in prop::collection::vec(any::<u8>(), 60..120),
        window in 1_usize..6,
    ) {
        let events = happen(&choices);
        let mut truth = Story::new();
        truth.hears_all(events.clone());
        let mut story = Story::new();
        let last = events.iter().map(|event| event.0.sequence).max().unwrap_or(0);
        let mut odd = false;
        for event in mixed(events, &keys, window) {
            odd |= story.hears(event).is_some();
        }
        if odd {
            story.now += 5_000;
            let mark = story.mark(last + 1);
            let list = list_after(&truth);
            story.lists(&[list], mark);
        }
        prop_assert_eq!(outcome(&story), outcome(&truth));
    }

    /// The same events twice, in any order: as if they had come once.
    #[test]
    fn events_that_come_twice_end_as_if_they_had_come_once(
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..40),
        keys in prop::collection::vec(any::<u8>(), 120..200),
    ) {
        let events = happen(&choices);
        let mut truth = Story::new();
        truth.hears_all(events.clone());
        let doubled: Vec<Told> = events.into_iter().flat_map(|event| [event.clone(), event]).collect();
        let mut story = Story::new();
        let mut odd = false;
        for event in mixed(doubled, &keys, 2) {
            odd |= story.hears(event).is_some();
        }
        if odd {
            story.now += 5_000;
            let mark = story.mark(10_000);
            let list = list_after(&truth);
            story.lists(&[list], mark);
        }
        prop_assert_eq!(outcome(&story), outcome(&truth));
    }
}
