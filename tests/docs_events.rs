//! `docs/events.md` and `docs/asyncapi.json` tell what the daemon really takes and sends.

#[path = "support/rest.rs"]
mod client;
#[path = "docs_events/examples.rs"]
mod examples;
#[path = "rest/house.rs"]
#[allow(dead_code, reason = "a part is used")]
mod house;
#[path = "rest/process.rs"]
#[allow(dead_code, reason = "a part is used")]
mod process;

use std::collections::BTreeSet;
use std::path::Path;

use convened::auth::CredentialKind;
use convened::hub::EVENTS;
use convened::sim::world::{Caller, Fate};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Deserializer, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use client::PATIENCE;
use house::{ACCOUNT, ALL, House};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&read("docs/asyncapi.json")).unwrap()
}

/// The blocks of that language in a text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    blocks.filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// The messages that the page shows.
fn shown() -> Vec<Value> {
    let values = blocks(&read("docs/events.md"), "json").into_iter().flat_map(|block| {
        let values: Vec<_> = Deserializer::from_str(&block).into_iter::<Value>().collect();
        values.into_iter().map(move |value| value.unwrap_or_else(|error| panic!("{error}: {block}")))
    });
    values.collect()
}

/// Checks against one of the document's schemas.
struct Schema(jsonschema::Validator);

impl Schema {
    fn of(document: &Value, name: &str) -> Self {
        let schema = json!({
            "$ref": format!("#/components/schemas/{name}"),
            "components": document["components"],
        });
        Self(jsonschema::draft7::new(&schema).expect("a schema"))
    }

    /// That of messages with that `action`.
    fn of_message(document: &Value, message: &Value) -> Self {
        let action = message["action"].as_str().unwrap_or_else(|| panic!("no action: {message}"));
        let payload = &document["components"]["messages"][action]["payload"]["$ref"];
        let name = payload.as_str().unwrap_or_else(|| panic!("{action:?} is not in the document"));
        Self::of(document, name.rsplit('/').next().unwrap())
    }

    fn check(&self, value: &Value) {
        let errors: Vec<_> = self.0.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
    }
}

struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    async fn open(house: &House) -> Self {
        let address = house.address();
        let stream = TcpStream::connect(address).await.unwrap();
        Self(client_async(format!("ws://{address}/ws"), stream).await.expect("it is upgraded").0)
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a message comes")
    }
}

impl Socket {
    /// Checks all that comes, up to that event; whether somebody was in a snapshot.
    async fn checked(&mut self, document: &Value, seen: &mut BTreeSet<String>, last: &str) -> bool {
        let mut with_people = false;
        while !seen.contains(last) {
            let message = self.hear().await;
            Schema::of_message(document, &message).check(&message);
            let action = message["action"].as_str().unwrap();
            seen.insert(message["data"]["event"].as_str().unwrap_or(action).to_owned());
            with_people |= message["data"]["participants"][0].is_object();
        }
        with_people
    }
}

async fn start() -> (House, String) {
    let house = House::with(1, |config| {
        config.media.recordings = Some("/recordings".into());
        config.callin.enabled = true;
    })
    .await;
    let token = house.secret(CredentialKind::Token, Some(ACCOUNT), &ALL, None).await;
    (house, token)
}

/// A message of the page, as it is meant: with a token and an account that there are.
fn meant(message: &Value, token: &str) -> Value {
    let text = message.to_string().replace("\"TOKEN\"", &json!(token).to_string());
    serde_json::from_str(&text.replace("ACCOUNT", ACCOUNT)).unwrap()
}

fn words(of: &Value) -> BTreeSet<&str> {
    of.as_array().expect("a list").iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn all_name_the_same_events() {
    let (document, known) = (document(), BTreeSet::from(EVENTS));
    let schemas = &document["components"]["schemas"];
    assert_eq!(words(&schemas["EventName"]["enum"]), known);
    let kinds = ["ParticipantEvent", "ConferenceEvent", "DialEvent", "RejectedEvent"];
    let of_kinds = kinds.iter().flat_map(|kind| words(&schemas[kind]["properties"]["event"]["enum"]));
    assert_eq!(of_kinds.collect::<BTreeSet<_>>(), known);
    let page = read("docs/events.md");
    let (_, rest) = page.split_once("\n### Events\n").expect("a list of events");
    let rows = rest.split("\n\nWith").next().unwrap();
    let told: BTreeSet<_> = rows.split('`').skip(1).step_by(2).collect();
    assert_eq!(told, known);
}

#[test]
fn each_field_is_told_of() {
    let (document, page) = (document(), read("docs/events.md"));
    let (_, rest) = page.split_once("\n### Fields of `data`\n").expect("a list of fields");
    let rows = rest.split("\n### ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
    let names = rows.flat_map(|row| row.split(" |").next().unwrap().split('`').skip(1).step_by(2));
    let told: BTreeSet<_> = names.collect();
    let schemas = &document["components"]["schemas"];
    let kinds = ["ParticipantEvent", "ConferenceEvent", "DialEvent", "RejectedEvent"];
    let known = kinds.iter().flat_map(|kind| schemas[kind]["properties"].as_object().unwrap().keys());
    assert_eq!(told, known.map(String::as_str).collect());
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let house = House::start().await;
    // Without the envelope that all other answers have.
    let mut stream = TcpStream::connect(house.address()).await.unwrap();
    let ask = b"GET /v2/asyncapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/json"), "{head}");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), document());
}

#[test]
fn each_reference_in_the_document_leads_somewhere() {
    fn walk(document: &Value, at: &Value, found: &mut usize) {
        match at {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("within the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    *found += 1;
                }
                members.values().for_each(|member| walk(document, member, found));
            }
            Value::Array(members) => members.iter().for_each(|member| walk(document, member, found)),
            _ => {}
        }
    }
    let (document, mut found) = (document(), 0);
    walk(&document, &document, &mut found);
    assert!(found > 40, "{found}");
}

#[tokio::test]
async fn what_is_sent_is_as_the_document_says() {
    let (house, token) = start().await;
    let (document, owner, switch) = (document(), house.owner().await, house.switch());
    let mut socket = Socket::open(&house).await;
    let all = json!({ "bindings": ["conference.event.talk.*", "conference.event.*.*"], "snapshot": true });
    socket.say(&json!({ "action": "subscribe", "auth_token": token, "request_id": [1], "data": all })).await;
    // What comes before the answer is not told but shown.
    let mut seen = BTreeSet::new();
    socket.checked(&document, &mut seen, "reply").await;
    let ann = house.join_as_moderator("talk", "Ann").await;
    let ben = house.join("talk", "Ben").await;
    for (path, action) in [
        ("talk/participants/2", "mute"),
        ("talk/participants/2", "unmute"),
        ("talk/participants/2", "deaf"),
        ("talk/participants/2", "undeaf"),
        ("talk/participants/2", "hold"),
        ("talk/participants/2", "unhold"),
        ("talk", "lock"),
        ("talk", "unlock"),
    ] {
        owner.act(&format!("conferences/{path}"), action).await.ok();
    }
    for call in [&ann, &ben] {
        switch.talk(call, true).unwrap();
        switch.talk(call, false).unwrap();
    }
    for action in ["start", "pause", "resume", "stop"] {
        let mut data = json!({ "action": action });
        if action == "start" {
            data["file"] = "monday".into();
        }
        owner.put("conferences/talk", json!({ "action": "record", "data": data })).await.ok();
    }
    switch.world(|world, _| world.destine("eve@", Fate::answered(1_000)));
    let dial = json!({ "action": "dial", "data": { "endpoints": ["sip:eve@example.com"] } });
    assert_eq!(owner.put("conferences/talk", dial).await.status, 202);
    socket.checked(&document, &mut seen, "dial-answered").await;
    let caller = Caller::new("Eve", "15550000").dialling("5559999");
    switch.park(caller.variable("convened_callin", "true").variable("account_id", ACCOUNT)).unwrap();
    socket.checked(&document, &mut seen, "caller-rejected").await;
    // Somebody is in it while it is shown again, and everybody leaves.
    socket
        .say(&json!({ "action": "subscribe", "data": { "binding": "conference.event.*.talk.*", "snapshot": true } }))
        .await;
    socket.say(&json!({ "action": "ping" })).await;
    socket.say(&json!({ "action": "dance" })).await;
    owner.act("conferences/talk/participants/2", "kick").await.ok();
    owner.act("conferences/talk", "end").await.ok();
    let with_people = socket.checked(&document, &mut seen, "conference-destroy").await;
    let wanted =
        ["reply", "snapshot", "mute-member", "hold-member", "lock", "recording-paused", "floor-change"];
    assert!(with_people && wanted.iter().all(|event| seen.contains(*event)), "{seen:?}");
}

#[tokio::test]
async fn what_the_page_shows_is_taken_and_sent() {
    let (house, token) = start().await;
    let (document, shown) = (document(), shown());
    for message in &shown {
        let message = meant(message, &token);
        Schema::of_message(&document, &message).check(&message);
    }
    // What a client sends is taken, in this order.
    house.join("talk", "Ann").await;
    let mut socket = Socket::open(&house).await;
    let mut replies = Vec::new();
    let asked: Vec<_> = shown
        .iter()
        .filter(|message| ["subscribe", "unsubscribe", "ping"].iter().any(|word| message["action"] == *word))
        .collect();
    assert!(asked.len() >= 6);
    for message in asked {
        socket.say(&meant(message, &token)).await;
        let reply = loop {
            let message = socket.hear().await;
            if message["action"] == "reply" {
                break message;
            }
        };
        assert_eq!((&reply["status"], &reply["request_id"]), (&json!("success"), &message["request_id"]));
        replies.push(reply);
    }
    // Each field of the event is one that such an event has.
    let event = shown.iter().find(|message| message["data"]["event"] == "mute-member").expect("an event");
    let mut socket = Socket::open(&house).await;
    let data = json!({ "binding": event["subscribed_key"] });
    socket.say(&json!({ "action": "subscribe", "auth_token": token, "data": data })).await;
    house.owner().await.act("conferences/talk/participants/1", "mute").await.ok();
    let real = loop {
        let message = socket.hear().await;
        if message["data"]["event"] == "mute-member" {
            break message;
        }
    };
    for (shown, real) in [(event, &real), (&event["data"], &real["data"])] {
        for (key, value) in shown.as_object().unwrap() {
            let kind = |value: &Value| std::mem::discriminant(value);
            assert_eq!(real.get(key).map(kind), Some(kind(value)), "{key} of {real}");
        }
    }
}
