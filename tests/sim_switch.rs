//! The look-alike over real sockets: what a client meets, and how it misbehaves on request.

#[path = "sim/wire.rs"]
mod wire;

use convened::sim::switch::{Switch, SwitchOptions, Which};
use convened::sim::world::{Caller, Rejected, WorldOptions};
use std::time::Duration;
use tokio::time::Instant;
use wire::{Client, actions};

async fn switch() -> Switch {
    let world = WorldOptions { steps_back: 0.0, ..SwitchOptions::default().world };
    Switch::start(SwitchOptions { world, heartbeat: None, ..SwitchOptions::default() })
        .await
        .expect("it starts")
}

#[tokio::test]
async fn people_come_talk_and_go_and_a_listener_hears_of_it() {
    let switch = switch().await;
    let mut events = Client::listening(switch.addr()).await;
    let ann = switch.join("daily", Caller::new("Ann", "2001").moderator()).expect("let in");
    switch.until(|rooms| rooms[0].members[0].floor).await;
    let ben = switch.join("daily", Caller::new("Ben", "2002")).expect("let in");
    switch.talk(&ben, true).expect("he is there");
    switch.until(|rooms| rooms[0].member(&ben).is_some_and(|m| m.floor)).await;
    switch.talk(&ben, false).expect("he is there");
    switch.leave(&ann).expect("she is there");
    switch.until(|rooms| rooms[0].members.len() == 1).await;
    switch.leave(&ben).expect("he is there");
    let heard = events.events_until("conference-destroy").await;
    assert_eq!(
        actions(&heard),
        [
            "conference-create",
            "add-member",
            "floor-change",
            "add-member",
            "start-talking",
            "floor-change",
            "stop-talking",
            "del-member",
            "floor-change",
            "del-member",
            "conference-destroy"
        ]
    );
    assert!(switch.truth().is_empty());
}

#[tokio::test]
async fn a_command_is_answered_then_told_and_a_fence_closes_it() {
    let switch = switch().await;
    switch.join("daily", Caller::new("Ann", "2001")).expect("let in");
    let mut client = Client::listening(switch.addr()).await;
    assert_eq!(client.command("api conference daily mute all").await, "+OK mute 1\n");
    let reply = client.command("sendevent CUSTOM\nEvent-Subclass: convened::fence\nFence-ID: 1").await;
    assert!(reply.starts_with("+OK "), "{reply}");
    let heard = loop {
        let event = client.event().await.expect("an event");
        // The mixer may give the floor in between.
        if event.event("Action") != Some("floor-change") {
            break event;
        }
    };
    assert_eq!(heard.event("Action"), Some("mute-member"));
    let fence = client.event().await.expect("an event");
    assert_eq!(fence.event("Fence-ID"), Some("1"));
    assert_eq!(switch.commands().last().expect("logged").text.lines().count(), 3);
}

#[tokio::test]
async fn a_locked_room_lets_nobody_in_and_says_nothing() {
    let switch = switch().await;
    switch.join("daily", Caller::new("Ann", "2001")).expect("let in");
    assert_eq!(switch.api("conference daily lock"), "+OK daily locked\n");
    assert_eq!(switch.join("daily", Caller::new("Ben", "2002")), Err(Rejected::Locked));
    assert!(switch.join("daily", Caller::new("Cid", "2003").outbound()).is_ok());
    assert_eq!(switch.api("conference daily pin 12"), "+OK Pin for conference daily set: 12\n");
    switch.api("conference daily unlock");
    assert_eq!(switch.join("daily", Caller::new("Dan", "2004").pin("1")), Err(Rejected::Pin));
    assert!(switch.join("daily", Caller::new("Dan", "2004").pin("12")).is_ok());
}

#[tokio::test]
async fn a_wrong_password_and_a_rude_switch_end_the_conversation() {
    let switch = switch().await;
    switch.refuse_password(true);
    let (mut client, greeting) = Client::greeted(switch.addr()).await;
    assert_eq!(greeting.head, "Content-Type: auth/request");
    assert_eq!(client.command("auth ClueCon").await, "-ERR invalid");
    let notice = client.frame().await.expect("a notice");
    assert_eq!(notice.head, "Content-Type: text/disconnect-notice\nContent-Length: 67");
    assert_eq!(client.frame().await, None);
    switch.rude_rejection(true);
    let (mut client, greeting) = Client::greeted(switch.addr()).await;
    assert_eq!(greeting.header("Content-Type"), Some("text/rude-rejection"));
    assert_eq!(client.frame().await, None);
}

#[tokio::test]
async fn a_user_may_come_in_with_userauth() {
    let users = vec![("convened@fs1".to_owned(), "secret".to_owned())];
    let switch = Switch::start(SwitchOptions { users, ..SwitchOptions::default() }).await.expect("it starts");
    let (mut client, _) = Client::greeted(switch.addr()).await;
    assert_eq!(client.command("userauth convened@fs1:secret").await, "+OK accepted");
    let (mut client, _) = Client::greeted(switch.addr()).await;
    assert_eq!(client.command("userauth convened@fs1:wrong").await, "-ERR invalid");
}

#[tokio::test]
async fn only_the_connections_meant_are_cut_or_stalled() {
    let switch = switch().await;
    let mut events = Client::listening(switch.addr()).await;
    let mut commands = Client::connect(switch.addr()).await;
    switch.stall(Which::Commands);
    commands.send("api version").await;
    switch.join("daily", Caller::new("Ann", "2001")).expect("let in");
    assert_eq!(actions(&events.events_until("add-member").await), ["conference-create", "add-member"]);
    let reads = switch.commands().len();
    switch.cut(Which::Events);
    while events.frame().await.is_some() {}
    assert_eq!(switch.commands().len(), reads, "a stalled connection reads nothing");
    switch.resume(Which::Commands);
    assert!(commands.answer().await.expect("an answer").body.starts_with("FreeSWITCH Version"));
    switch.reset(Which::All);
    switch.until_connections(0).await;
    assert_eq!(commands.frame().await, None);
}

#[tokio::test]
async fn late_replies_do_not_wait_for_each_other() {
    let switch = switch().await;
    let mut client = Client::connect(switch.addr()).await;
    let delay = Duration::from_millis(40);
    switch.delay_replies(delay);
    let begin = Instant::now();
    for _ in 0..20 {
        client.send("api version").await;
    }
    for _ in 0..20 {
        client.answer().await.expect("an answer");
    }
    let took = begin.elapsed();
    assert!(took >= delay && took < 12 * delay, "20 replies took {took:?}");
}

#[tokio::test]
async fn events_are_lost_on_request_and_only_those() {
    let switch = switch().await;
    let mut client = Client::listening(switch.addr()).await;
    switch.join("daily", Caller::new("Ann", "2001")).expect("let in");
    client.events_until("add-member").await;
    switch.drop_events_if(|event| event.action().as_deref() == Some("mute-member"));
    switch.api("conference daily mute all");
    switch.api("conference daily lock");
    switch.keep_events();
    switch.api("conference daily mute all");
    let heard = actions(&client.events_until("mute-member").await);
    let heard: Vec<_> = heard.iter().filter(|a| *a != "floor-change").collect();
    assert_eq!(heard, ["lock", "mute-member"]);
    assert_eq!(switch.dropped(), 1);
}

#[tokio::test]
async fn reordered_events_all_arrive() {
    let switch = switch().await;
    let mut client = Client::listening(switch.addr()).await;
    switch.join("daily", Caller::new("Ann", "2001")).expect("let in");
    client.events_until("floor-change").await;
    let seed = 11;
    switch.reorder(10, seed);
    for i in 0..100 {
        let word = if i % 2 == 0 { "lock" } else { "unlock" };
        switch.api(&format!("conference daily {word}"));
    }
    let mut numbers = Vec::new();
    while numbers.len() < 100 {
        let event = client.event().await.expect("an event");
        numbers.push(event.event("Event-Sequence").expect("numbered").parse::<u64>().expect("a number"));
    }
    assert!(!numbers.is_sorted(), "seed {seed}: nothing was mixed up");
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100, "seed {seed}");
}

#[tokio::test]
async fn garbage_and_too_much_come_when_asked_for() {
    let switch = switch().await;
    let mut client = Client::connect(switch.addr()).await;
    switch.answer_garbage("Content-Length: 3\n\n\u{1}\u{2}\u{3}");
    client.send("api version").await;
    assert_eq!(client.answer().await.expect("garbage").body, "\u{1}\u{2}\u{3}");
    switch.oversize(100_000);
    let list = client.command("api conference json_list").await;
    assert_eq!((list.len(), list.trim_end()), (100_000, "[]"));
    assert_eq!(client.command("api conference json_list").await, "[]");
}

#[tokio::test]
async fn a_restart_forgets_everything_and_counts_from_one() {
    let switch = switch().await;
    let mut client = Client::connect(switch.addr()).await;
    for name in ["Ann", "Ben"] {
        switch.join("daily", Caller::new(name, "1")).expect("let in");
    }
    let before = client.command("api global_getvar core_uuid").await;
    switch.restart();
    assert_eq!(client.frame().await, None);
    let mut client = Client::connect(switch.addr()).await;
    assert_ne!(client.command("api global_getvar core_uuid").await, before);
    switch.join("daily", Caller::new("Cid", "1")).expect("let in");
    assert_eq!(switch.truth()[0].members[0].id, 1);
}

#[tokio::test]
async fn the_port_can_be_closed_and_opened_again() {
    let switch = switch().await;
    let mut client = Client::connect(switch.addr()).await;
    switch.stop_listening().await;
    assert!(tokio::net::TcpStream::connect(switch.addr()).await.is_err());
    assert_eq!(client.command("api uuid_exists nosuch").await, "false", "who is in stays in");
    switch.listen_again().await.expect("the port is still ours");
    Client::connect(switch.addr()).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_events_and_then_its_connection() {
    let options = SwitchOptions { queue: 10, heartbeat: None, ..SwitchOptions::default() };
    let switch = Switch::start(options).await.expect("it starts");
    switch.join("daily", Caller::new("Ann", "2001")).expect("let in");
    let _client = Client::listening(switch.addr()).await;
    let id = switch.connections()[0];
    switch.stall(Which::Only(id));
    for _ in 0..10 {
        switch.api("conference daily lock");
    }
    assert_eq!(switch.queued(id).1, 0);
    switch.api("conference daily unlock");
    assert_eq!(switch.queued(id), (10, 1));
    for _ in 0..500 {
        switch.api("conference daily lock");
    }
    switch.until_connections(0).await;
}

#[tokio::test]
async fn the_heart_beats() {
    let heartbeat = Some(Duration::from_millis(5));
    let switch =
        Switch::start(SwitchOptions { heartbeat, ..SwitchOptions::default() }).await.expect("it starts");
    let mut client = Client::connect(switch.addr()).await;
    client.command("event plain HEARTBEAT").await;
    let beat = client.event().await.expect("a beat");
    assert_eq!(beat.event("Event-Name"), Some("HEARTBEAT"));
    assert_eq!(beat.event("Core-UUID"), Some(switch.core_uuid().as_str()));
}

#[tokio::test]
async fn nothing_a_client_sends_brings_the_switch_down() {
    let switch = switch().await;
    switch.join("daily", Caller::new("Jos\u{e9}", "1")).expect("let in");
    let words =
        ["api", "bgapi", "conference", "daily", "mute", "'", "\\", "^^", "uuid=", "=", "-1", "é", "{}", ":"];
    let mut dice = convened::sim::dice::Dice::new(5);
    let mut client = Client::connect(switch.addr()).await;
    for _ in 0..2000 {
        let line: Vec<_> =
            (0..dice.below(6)).map(|_| words[dice.below(words.len() as u64) as usize]).collect();
        client.send(&format!("api conference daily {}", line.join(" "))).await;
        client.send(&format!("x{}\nContent-Length: -1", line.join("\n"))).await;
        client.answer().await.expect("an answer");
        client.answer().await.expect("an answer");
    }
    assert_eq!(client.command("api uuid_exists x").await, "false");
}
