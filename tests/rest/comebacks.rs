//! Websocket clients who come back to another run of the daemon, or do not behave.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::client::PATIENCE;
use crate::house::{ACCOUNT, House, switch};
use crate::websocket::{Socket, token};
use convened::sim::world::Caller;

const BINDING: &str = "conference.event.talk.*";

#[tokio::test]
async fn who_comes_back_to_another_run_of_the_daemon_is_shown_how_it_is() {
    let switch = switch(1).await;
    let ann = Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT);
    switch.join("talk", ann).unwrap();
    let house = House::beside(vec![switch], |_| {}).await;
    house.followed().await;
    let token = token(&house, ACCOUNT).await;
    // The tag of what was found comes with its next event.
    house.switch().api("conference talk lock");
    house.told().await;
    let running = house.daemon.context().registry.conference("talk")[0].clone();
    // What another run has numbered so may have been anything.
    for seq in [0, 1, running.change_number(), running.change_number() + 1, u64::MAX] {
        let mut socket = Socket::open(&house, Some(&token)).await;
        let resume = json!({ "talk": { "instance_id": *running.instance, "seq": seq } });
        socket.subscribe(json!({ "binding": BINDING, "resume": resume })).await;
        let first = socket.hear().await;
        assert_eq!(first["action"], "snapshot", "seq {seq}: {first}");
    }
}

#[tokio::test]
async fn the_highest_number_there_is_is_no_place() {
    let house = House::start().await;
    let token = token(&house, ACCOUNT).await;
    house.join("talk", "Ann").await;
    let instance = house.daemon.context().registry.conference("talk")[0].instance.clone();
    let mut socket = Socket::open(&house, Some(&token)).await;
    let resume = json!({ "talk": { "instance_id": *instance, "seq": u64::MAX } });
    socket.subscribe(json!({ "binding": BINDING, "resume": resume })).await;
    assert_eq!(socket.hear().await["action"], "snapshot");
}

#[tokio::test]
async fn a_binding_that_is_named_twice_is_told_once() {
    let house = House::start().await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    let reply = socket.subscribe(json!({ "bindings": [BINDING, BINDING] })).await;
    assert_eq!(reply["subscribed"], json!([BINDING]), "{reply}");
    house.join("talk", "Ann").await;
    house.owner().await.act("conferences/talk", "lock").await.ok();
    let mut events = Vec::new();
    while events.last() != Some(&json!("lock")) {
        events.push(socket.hear().await["data"]["event"].clone());
    }
    let joined = events.iter().filter(|event| **event == "add-member").count();
    assert_eq!(joined, 1, "{events:?}");
}

#[tokio::test]
async fn what_is_no_message_is_answered_with_its_request_id_if_it_has_one() {
    let house = House::start().await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    for (message, id) in [
        (json!({ "action": 7, "request_id": "r1" }), json!("r1")),
        (json!(["a"]), Value::Null),
        (json!("text"), Value::Null),
    ] {
        socket.say(&message).await;
        let reply = socket.hear().await;
        assert_eq!((&reply["status"], &reply["request_id"]), (&json!("error"), &id), "{reply}");
    }
}

/// A connection that has been upgraded, with little room for what is not read.
async fn raw(house: &House) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(house.address()).await.unwrap();
    let head = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

#[tokio::test]
async fn a_farewell_is_answered() {
    let house = House::start().await;
    let mut stream = raw(&house).await;
    // FIN, close; masked with zeros; 1000.
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends").unwrap();
    assert_eq!(rest, [0x88, 0x02, 0x03, 0xe8]);
}

#[tokio::test]
async fn who_sends_pings_and_reads_nothing_is_not_read_either() {
    let house = House::start().await;
    let mut stream = raw(&house).await;
    let mut ping = vec![0x89, 0x80 | 125, 0, 0, 0, 0];
    ping.resize(6 + 125, b'x');
    let many = ping.repeat(1_000);
    let mut sent = 0;
    // As long as the daemon reads on, this goes on.
    while let Ok(written) = timeout(Duration::from_secs(2), stream.write_all(&many)).await {
        written.unwrap();
        sent += many.len();
        assert!(sent < 64 << 20, "64 MiB of pings were taken without an answer being read");
    }
}
