//! A recording served like a switch.

#[path = "sim/stage.rs"]
mod stage;
#[path = "sim/wire.rs"]
mod wire;

use convened::sim::events::Event;
use convened::sim::replay::{Replay, ReplayOptions};
use convened::sim::switch::Which;
use stage::{fixture, text};
use std::time::Duration;
use tokio::time::Instant;
use wire::Client;

fn as_fast_as_it_is_read() -> ReplayOptions {
    ReplayOptions { speed: 0.0, ..ReplayOptions::default() }
}

async fn read(client: &mut Client, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        let frame = client.event().await.expect("the connection lives");
        events.push(Event::parse(&frame.body).expect("an event"));
    }
    events
}

#[tokio::test]
async fn a_listener_gets_every_event_as_it_was_recorded() {
    let capture = fixture("busy.jsonl.gz");
    let recorded: Vec<Event> = capture.events().map(|(_, event)| event.clone()).collect();
    let replay = Replay::start(&capture, as_fast_as_it_is_read()).await.expect("it starts");
    let mut client = Client::listening(replay.switch().addr()).await;
    assert_eq!(read(&mut client, recorded.len()).await, recorded);
    assert_eq!(replay.finished().await, recorded.len() as u64);
}

#[tokio::test]
async fn nothing_is_played_before_somebody_listens() {
    let replay = Replay::start(&fixture("standup.jsonl"), as_fast_as_it_is_read()).await.expect("it starts");
    let mut client = Client::connect(replay.switch().addr()).await;
    assert_eq!(client.command("api conference json_list").await, "[]");
    assert_eq!(replay.progress().events, 0);
}

#[tokio::test]
async fn events_keep_their_distance() {
    let capture = fixture("standup.jsonl");
    let last = capture.events().last().expect("an event").0;
    let speed = 100.0;
    let options = ReplayOptions { speed, ..ReplayOptions::default() };
    let replay = Replay::start(&capture, options).await.expect("it starts");
    let mut client = Client::listening(replay.switch().addr()).await;
    let begin = Instant::now();
    client.events_until("conference-destroy").await;
    let (took, lasts) = (begin.elapsed(), Duration::from_micros(last).div_f64(speed));
    assert!(took + Duration::from_millis(5) >= lasts.mul_f64(0.9), "{took:?} of {lasts:?}");
}

#[tokio::test]
async fn commands_are_answered_from_what_has_been_played() {
    let replay =
        Replay::start(&fixture("reconnect.2.jsonl"), as_fast_as_it_is_read()).await.expect("it starts");
    let mut client = Client::connect(replay.switch().addr()).await;
    // The recording begins in the middle, with a list.
    let list = client.command("api conference reconnect-1 list").await;
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(client.command("api conference reconnect-1 json_list").await.contains("\"locked\":\ttrue"));
    client.command("event plain CUSTOM conference::maintenance").await;
    replay.finished().await;
    assert_eq!(client.command("api conference json_list").await, "[]");
}

#[tokio::test]
async fn a_command_changes_the_folded_world_and_is_told_in_the_recorded_switch_s_name() {
    let capture = fixture("standup.jsonl");
    let options = ReplayOptions { speed: 1.0, ..ReplayOptions::default() };
    let replay = Replay::start(&capture, options).await.expect("it starts");
    let mut client = Client::listening(replay.switch().addr()).await;
    let bob = client.events_until("add-member").await;
    let core = bob[0].event("Core-UUID").expect("named").to_owned();
    assert_eq!(client.command("api conference standup-1 mute 1").await, "+OK mute 1\n");
    let muted = client.events_until("mute-member").await;
    let muted = muted.last().expect("told");
    assert_eq!((muted.event("Core-UUID"), muted.event("Speak")), (Some(core.as_str()), Some("false")));
    assert_eq!(muted.event("Caller-Caller-ID-Name"), Some("Alice"));
    assert!(!replay.switch().truth()[0].members[0].speak);
    // Whoever is kicked is not told of by the recording any more, and numbers rise.
    assert_eq!(client.command("api conference standup-1 kick 1").await, "+OK kicked 1\n");
    let gone = client.events_until("del-member").await;
    let numbers: Vec<u64> = gone.iter().filter_map(|e| e.event("Event-Sequence")?.parse().ok()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    replay.switch().cut(Which::All);
}

#[tokio::test]
async fn a_fence_goes_through_between_the_events_of_the_tape() {
    let replay = Replay::start(&fixture("busy.jsonl.gz"), as_fast_as_it_is_read()).await.expect("it starts");
    let mut client = Client::listening(replay.switch().addr()).await;
    let fence = "sendevent CUSTOM\nEvent-Subclass: convened::fence\nFence-ID: 9";
    assert!(client.command(fence).await.starts_with("+OK "));
    while client.event().await.expect("an event").event("Fence-ID") != Some("9") {}
}

#[tokio::test]
async fn the_tape_is_played_again_with_higher_numbers_and_other_ids() {
    let capture = fixture("standup.jsonl");
    let count = capture.events().count();
    let options = ReplayOptions { rounds: 3, fresh_ids: true, ..as_fast_as_it_is_read() };
    let replay = Replay::start(&capture, options).await.expect("it starts");
    let mut client = Client::listening(replay.switch().addr()).await;
    let events = read(&mut client, 3 * count).await;
    let rooms: std::collections::HashSet<_> =
        events.iter().map(|e| text(e, "Conference-Unique-ID")).collect();
    let cores: std::collections::HashSet<_> = events.iter().map(|e| text(e, "Core-UUID")).collect();
    assert_eq!((rooms.len(), cores.len()), (3, 1));
    let rounds: Vec<_> = events.chunks(count).collect();
    for two in rounds.windows(2) {
        let highest = two[0].iter().map(|e| e.sequence).max();
        let lowest = two[1].iter().map(|e| e.sequence).min();
        assert!(highest < lowest, "{highest:?} {lowest:?}");
    }
    assert!(replay.switch().truth().is_empty());
}
