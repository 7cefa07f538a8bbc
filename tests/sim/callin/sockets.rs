//! The same over a socket: who hears of a call, and how a switch misbehaves.

use crate::wire::Client;
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, WorldOptions};

async fn switch() -> Switch {
    let world = WorldOptions { steps_back: 0.0, ..SwitchOptions::default().world };
    Switch::start(SwitchOptions { world, heartbeat: None, ..SwitchOptions::default() })
        .await
        .expect("it starts")
}

fn caller(number: &str) -> Caller {
    Caller::new("Ann", "2001").dialling(number)
}

async fn listening(switch: &Switch, filters: &[&str]) -> Client {
    let mut client = Client::connect(switch.addr()).await;
    for filter in filters {
        assert!(client.command(&format!("filter {filter}")).await.starts_with("+OK filter added."));
    }
    client.command("event plain CHANNEL_PARK CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE").await;
    client
}

#[tokio::test]
async fn only_calls_of_a_context_or_with_a_variable_are_heard_of() {
    let switch = switch().await;
    let filters = ["Caller-Context conferences", "variable_convened_callin true"];
    let mut client = listening(&switch, &filters).await;
    switch.park(caller("1")).expect("a call");
    switch.park(caller("2").context("Conferences-Berlin")).expect("a call");
    switch.park(caller("3").variable("convened_callin", "true")).expect("a call");
    switch.park(caller("4").variable("convened_callin", "false")).expect("a call");
    switch.park(caller("5").context("conferences")).expect("a call");
    let mut heard = Vec::new();
    while heard.last().map(String::as_str) != Some("CHANNEL_PARK 5") {
        let event = client.event().await.expect("an event");
        let name = event.event("Event-Name").expect("a name");
        let number = event.event("Caller-Destination-Number").expect("a number");
        heard.push(format!("{name} {number}"));
    }
    // When a variable has just been set, that is told too.
    assert_eq!(heard, ["CHANNEL_PARK 2", "CHANNEL_EXECUTE_COMPLETE 3", "CHANNEL_PARK 3", "CHANNEL_PARK 5"]);
}

#[tokio::test]
async fn the_reply_to_a_message_comes_before_what_it_does() {
    let switch = switch().await;
    let mut client = listening(&switch, &[]).await;
    let call = switch.park(caller("1")).expect("a call");
    client.event().await.expect("parked");
    let message = format!("sendmsg {call}\ncall-command: execute\nexecute-app-name: answer\nEvent-UUID: e1");
    client.send(&message).await;
    let reply = client.frame().await.expect("a reply");
    assert_eq!(reply.header("Reply-Text"), Some("+OK"));
    let event = client.event().await.expect("an event");
    assert_eq!((event.event("Application"), event.event("Application-UUID")), (Some("answer"), Some("e1")));
    switch.press(&call, "1").expect("a call");
    switch.hang_up(&call).expect("a call");
    assert_eq!(client.event().await.expect("an event").event("Application"), Some("park"));
    let event = client.event().await.expect("an event");
    assert_eq!(event.event("variable_digits_dialed"), Some("1"));
    assert_eq!(client.command(&message).await, format!("-ERR invalid session id [{call}]"));
    assert!(switch.hang_up(&call).is_err() && switch.press(&call, "1").is_err());
    assert_eq!((switch.bridged(&call), switch.files()), (None, Vec::<String>::new()));
}

#[tokio::test]
async fn a_message_can_be_answered_otherwise_or_never() {
    let switch = switch().await;
    let mut client = listening(&switch, &[]).await;
    let call = switch.park(caller("1")).expect("a call");
    client.event().await.expect("parked");
    let message = |app: &str| format!("sendmsg {call}\ncall-command: execute\nexecute-app-name: {app}");
    switch.answer_instead("execute-app-name: playback", "-ERR memory error");
    assert_eq!(client.command(&message("answer")).await, "+OK");
    assert_eq!(client.command(&message("playback")).await, "-ERR memory error");
    assert_eq!(client.event().await.expect("an event").event("Application"), Some("answer"));
    switch.hang_at("execute-app-name: set");
    client.send(&message("set")).await;
    switch.until_command(|seen| seen.text.contains("execute-app-name: set")).await;
    // Another connection is not stuck; that this one is, is tested where it is decided.
    let mut other = Client::connect(switch.addr()).await;
    assert_eq!(other.command("api uuid_exists nobody").await, "false");
}
