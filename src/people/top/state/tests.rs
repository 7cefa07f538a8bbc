//! What steps do, and that nobody slides under the marker.

use serde_json::{Value, json};

use super::*;
use crate::client::Message;

pub(in crate::people::top) fn told(state: &mut State, message: &Value) {
    state.take(&Message::read(message).expect("a message").expect("a kind"), 1_000);
}

/// A conference with people of these numbers.
pub(in crate::people::top) fn room(state: &mut State, id: &str, people: &[u64]) {
    let people: Vec<_> = people
        .iter()
        .map(|number| {
            json!({"participant_id": number, "call_id": format!("call-{number}"), "speak": true, "hear": true,
                "caller_id_name": format!("Caller {number}"), "caller_id_number": "15551", "duration": 30})
        })
        .collect();
    let data = json!({"conference_id": id, "instance_id": format!("i-{id}"), "instances": [format!("i-{id}")],
        "seq": 1, "focus": "fs1", "duration": 90, "participants": people});
    told(state, &json!({"action": "snapshot", "data": data}));
}

/// Something that happens to somebody.
pub(in crate::people::top) fn happens(state: &mut State, id: &str, seq: u64, name: &str, number: u64) {
    let data = json!({"event": name, "conference_id": id, "instance_id": format!("i-{id}"), "seq": seq,
        "participant_id": number, "call_id": format!("call-{number}"), "caller_id_name": format!("Caller {number}"),
        "caller_id_number": "15551", "hear": true, "speak": name != "mute-member", "talking": name == "start-talking"});
    told(state, &json!({"action": "event", "data": data}));
}

fn state() -> State {
    let mut state = State::new("http://h acme".into(), false);
    room(&mut state, "board", &[1, 2, 3]);
    room(&mut state, "alpha", &[7]);
    state.name([("board".to_owned(), "Board".to_owned()), ("alpha".to_owned(), "Alpha".to_owned())].into());
    state.settle();
    state
}

fn asked(request: Option<Request>) -> (String, Target, String) {
    let request = request.expect("a request");
    (request.action.to_owned(), request.target, request.conference)
}

#[test]
fn conferences_are_in_the_order_of_names_or_of_sizes() {
    let mut state = state();
    assert_eq!(state.order(), ["alpha", "board"]);
    state.step(Step::Sort);
    assert_eq!(state.order(), ["board", "alpha"]);
    for number in 8..12 {
        happens(&mut state, "alpha", number, "add-member", number);
    }
    state.settle();
    assert_eq!(state.order(), ["alpha", "board"]);
}

#[test]
fn a_participant_is_acted_upon_by_his_call_as_he_is() {
    let mut state = state();
    state.step(Step::Last);
    state.step(Step::Switch);
    state.step(Step::Move(1));
    let call = || Target::Call("call-2".into());
    assert_eq!(asked(state.step(Step::Mute)), ("mute".into(), call(), "board".into()));
    happens(&mut state, "board", 2, "mute-member", 2);
    assert_eq!(asked(state.step(Step::Mute)).0, "unmute");
    assert_eq!(asked(state.step(Step::Deaf)), ("deaf".into(), call(), "board".into()));
    assert_eq!(asked(state.step(Step::Lock)), ("lock".into(), Target::Conference, "board".into()));
}

#[test]
fn a_kick_is_done_after_a_yes_only_and_for_whom_it_was_asked() {
    let mut state = state();
    state.step(Step::Last);
    state.step(Step::Switch);
    assert_eq!(state.step(Step::Kick), None);
    assert_eq!(state.question().as_deref(), Some("kick Caller 1 (1) in Board? y: yes"));
    assert_eq!(state.step(Step::No), None);
    assert!(!state.is_asking());
    assert_eq!(state.step(Step::Yes), None, "nothing is asked");
    state.step(Step::Kick);
    happens(&mut state, "board", 2, "del-member", 1);
    assert_eq!(asked(state.step(Step::Yes)).1, Target::Call("call-1".into()));
}

#[test]
fn what_is_for_all_is_asked_first() {
    let mut state = state();
    assert_eq!(state.step(Step::Mute), None);
    assert_eq!(state.question().as_deref(), Some("mute all but moderators in Alpha? y: yes"));
    assert_eq!(asked(state.step(Step::Yes)), ("mute".into(), Target::Everybody, "alpha".into()));
    assert_eq!(state.step(Step::Deaf), None);
    assert!(!state.is_asking(), "that is no key for all");
}

#[test]
fn nobody_slides_under_the_marker() {
    let mut state = state();
    state.step(Step::Last);
    state.step(Step::Switch);
    state.step(Step::Move(1));
    happens(&mut state, "board", 2, "del-member", 1);
    assert_eq!(asked(state.step(Step::Mute)).1, Target::Call("call-2".into()), "he is in another row");
    happens(&mut state, "board", 3, "del-member", 2);
    assert_eq!(state.step(Step::Mute), None, "he has gone, and nobody took his place");
    state.step(Step::Move(0));
    assert_eq!(asked(state.step(Step::Mute)).1, Target::Call("call-3".into()));
    // A conference that ends takes its people with it.
    let over = json!({"action": "event", "data": {"event": "conference-destroy", "conference_id": "board",
        "instance_id": "i-board", "seq": 4}});
    told(&mut state, &over);
    assert_eq!(state.step(Step::Lock), None);
    assert_eq!(state.step(Step::Kick), None);
    assert!(!state.is_asking());
}

#[test]
fn a_conference_that_is_new_wants_a_name_until_there_are_names() {
    let mut state = state();
    assert!(!state.has_nameless());
    room(&mut state, "zeta", &[]);
    assert!(state.has_nameless());
    state.name(HashMap::new());
    assert!(!state.has_nameless());
}

#[test]
fn moves_end_at_the_ends() {
    let mut state = state();
    for (step, row) in [
        (Step::Move(-5), 0),
        (Step::Move(10), 1),
        (Step::First, 0),
        (Step::Last, 1),
        (Step::Move(isize::MIN), 0),
        (Step::Move(isize::MAX), 1),
    ] {
        state.step(step);
        assert_eq!(state.row(), Some(row), "{step:?}");
    }
    let mut empty = State::new(String::new(), false);
    for step in [Step::Move(1), Step::Last, Step::Switch, Step::Move(-1), Step::Kick, Step::Sort] {
        assert_eq!(empty.step(step), None);
    }
}
