//! Pictures as text.

use std::time::Instant;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

use super::super::keys::Step;
use super::super::state::tests::{happens, room, told};
use super::*;

fn picture(state: &mut State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| render(frame, state, 1_000)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let rows = (0..height).map(|y| {
        let row: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        row.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn state() -> State {
    let mut state = State::new("http://h acme".into(), true);
    state.link = Link::Up;
    room(&mut state, "board", &[1, 2]);
    room(&mut state, "desk", &[7]);
    state.name([("board".to_owned(), "Board".to_owned())].into());
    happens(&mut state, "board", 2, "start-talking", 2);
    happens(&mut state, "board", 3, "mute-member", 1);
    told(
        &mut state,
        &json!({"action": "event", "data": {"event": "lock", "conference_id": "board", "instance_id": "i-board",
            "seq": 4}}),
    );
    state
}

#[test]
fn conferences_people_and_who_talks_are_seen() {
    let mut state = state();
    state.step(Step::Switch);
    let expected = "\
http://h acme  2 conferences, 3 participants
  CONFERENCE         PEOPLE STATE        FOR         TALKING
> Board              2      locked       1 min       Caller 2
  desk               1                   1 min




    ID    NAME                   NUMBER       STATE                  FOR
>   1     Caller 1               15551        muted                  30 s
  ● 2     Caller 2               15551        talking                30 s


q quit  Tab other table  m mute  u unmute  d deaf  k kick  l lock  s sort";
    assert_eq!(picture(&mut state, 80, 14), expected);
}

#[test]
fn a_small_terminal_shows_the_table_that_keys_are_for() {
    let mut state = state();
    let small = picture(&mut state, 30, 6);
    assert!(small.contains("> Board") && !small.contains("Caller 1"), "{small}");
    state.step(Step::Switch);
    let small = picture(&mut state, 30, 6);
    assert!(!small.contains("> Board") && small.contains("Caller 1"), "{small}");
    for (width, height) in [(1, 1), (2, 3), (0, 0), (300, 2), (1, 100)] {
        picture(&mut state, width, height);
    }
}

#[test]
fn a_question_and_a_lost_connection_are_said() {
    let mut state = state();
    state.step(Step::Kick);
    state.link = Link::Lost("refused".into());
    let seen = picture(&mut state, 120, 14);
    assert!(seen.contains("kick everybody in Board? y: yes"), "{seen}");
    assert!(seen.contains("the connection is lost, this is old: refused"), "{seen}");
}

#[test]
fn without_colours_there_are_none() {
    let colours = |colours| {
        let mut state = state();
        state.colours = colours;
        state.link = Link::Lost("x".into());
        let mut terminal = Terminal::new(TestBackend::new(80, 14)).expect("a terminal");
        terminal.draw(|frame| render(frame, &mut state, 0)).expect("drawn");
        terminal.backend().buffer().content().iter().filter(|cell| cell.fg != Color::Reset).count()
    };
    assert!(colours(true) > 0);
    assert_eq!(colours(false), 0);
}

#[test]
fn the_marker_stays_in_sight_in_a_long_list() {
    assert_eq!(seen(100, 0, 10), 0..10);
    assert_eq!(seen(100, 50, 10), 45..55);
    assert_eq!(seen(100, 99, 10), 90..100);
    assert_eq!(seen(3, 2, 10), 0..3);
    assert!(seen(3, 2, 0).is_empty());
    assert_eq!(seen(0, 9, 10), 0..0);
}

#[test]
fn ten_thousand_conferences_cost_a_picture_no_more_than_its_rows() {
    let mut state = State::new(String::new(), true);
    for number in 0..10_000 {
        room(&mut state, &format!("room-{number:05}"), &[1, 2]);
    }
    state.settle();
    state.step(Step::Move(5_000));
    let seen = picture(&mut state, 100, 40);
    assert!(seen.contains("> room-05000") && !seen.contains("room-04000"), "{seen}");
    let begun = Instant::now();
    for _ in 0..10 {
        picture(&mut state, 100, 40);
    }
    // Ten a second are to be drawn; a debug build on a busy machine does it, too.
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    eprintln!("a picture of 10,000 conferences: {:?}", begun.elapsed() / 10);
}
