//! The websocket: who may subscribe to what, what is told, and what those are told who come back or are slow.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::PATIENCE;
use crate::house::{ACCOUNT, ALL, House, OTHER};

/// A client of the websocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Connects with a token in a header.
    pub(crate) async fn open(house: &House, token: Option<&str>) -> Self {
        Self::at(house, "/ws", token).await
    }

    async fn at(house: &House, path: &str, token: Option<&str>) -> Self {
        let address = house.address();
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("x-auth-token", token.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = client_async(request, stream).await.expect("it is upgraded");
        Self(socket)
    }

    pub(crate) async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    /// The next message that is no ping.
    pub(crate) async fn hear(&mut self) -> Value {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a message comes")
    }

    /// How it is closed.
    pub(crate) async fn end(&mut self) -> Option<CloseFrame> {
        let end = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, end).await.expect("it is closed")
    }

    /// Says it, and gives the answer.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.say(&message).await;
        let reply = self.hear().await;
        assert_eq!(reply["action"], "reply", "{reply}");
        reply
    }

    pub(crate) async fn subscribe(&mut self, data: Value) -> Value {
        let reply = self.ask(json!({ "action": "subscribe", "request_id": "r1", "data": data })).await;
        assert_eq!((&reply["status"], &reply["request_id"]), (&json!("success"), &json!("r1")), "{reply}");
        reply["data"].clone()
    }

    /// Until the event of that name; whatever comes in between, there is no gap.
    async fn goes_on(&mut self, before: &mut Value, event: &str) -> Value {
        loop {
            let message = self.hear().await;
            assert_eq!(message["data"]["prev_seq"], *before, "{message}");
            *before = message["data"]["seq"].clone();
            if message["data"]["event"] == event {
                return message;
            }
        }
    }

    /// The next event of that name; everything else on the way is passed over.
    async fn event(&mut self, name: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["action"] == "event" && message["data"]["event"] == name {
                return message;
            }
        }
    }
}

pub(crate) async fn token(house: &House, account: &str) -> String {
    house.secret(convened::auth::CredentialKind::Token, Some(account), &ALL, None).await
}

#[tokio::test]
async fn what_happens_is_told_to_whoever_has_subscribed() {
    let house = House::start().await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::at(&house, "/", None).await;
    let refused =
        socket.ask(json!({ "action": "subscribe", "data": { "binding": "conference.event.talk.*" } })).await;
    assert_eq!(refused["data"]["errors"], json!(["invalid_credentials"]));
    let subscribe = json!({
        "action": "subscribe",
        "auth_token": token,
        "request_id": 7,
        "data": { "account_id": ACCOUNT, "binding": "conference.event.talk.*" },
    });
    let reply = socket.ask(subscribe).await;
    assert_eq!((&reply["status"], &reply["request_id"]), (&json!("success"), &json!(7)), "{reply}");
    assert_eq!(reply["data"]["subscriptions"], json!(["conference.event.talk.*"]));
    let ann = house.join("talk", "Ann").await;
    let created = socket.event("conference-create").await;
    assert_eq!(
        (&created["name"], &created["routing_key"]),
        (&json!("conference_event"), &json!("conference.event.talk.-"))
    );
    let joined = socket.event("add-member").await;
    assert_eq!(joined["subscribed_key"], "conference.event.talk.*");
    assert_eq!(joined["routing_key"], format!("conference.event.talk.{ann}"));
    assert_eq!(joined["subscription_key"], format!("conference.event.*.{ACCOUNT}.talk.{ann}"));
    let data = &joined["data"];
    assert_eq!((&data["call_id"], &data["conference_id"]), (&json!(ann), &json!("talk")));
    assert_eq!((&data["seq"], &data["prev_seq"]), (&json!(2), &json!(1)), "{data}");
    let pong = socket.ask(json!({ "action": "ping", "request_id": "p" })).await;
    assert_eq!(pong["data"], json!({ "response": "pong" }));
}

#[tokio::test]
async fn a_snapshot_comes_first_and_what_follows_fits_it() {
    let house = House::start().await;
    let ann = house.join("talk", "Ann").await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    socket
        .subscribe(
            json!({ "bindings": ["conference.event.talk.*", "conference.event.none.*"], "snapshot": true }),
        )
        .await;
    let shown = socket.hear().await;
    assert_eq!(
        (&shown["action"], &shown["subscribed_key"]),
        (&json!("snapshot"), &json!("conference.event.talk.*"))
    );
    let (data, people) = (&shown["data"], &shown["data"]["participants"]);
    assert_eq!((&people[0]["call_id"], &people[1]), (&json!(ann), &Value::Null), "{shown}");
    let empty = socket.hear().await;
    assert_eq!(
        empty["data"],
        json!({ "conference_id": "none", "instance_id": null, "seq": 0, "participants": [], "complete": true })
    );
    house.owner().await.act("conferences/talk/participants/1", "mute").await.ok();
    let mut before = data["seq"].clone();
    let muted = socket.goes_on(&mut before, "mute-member").await;
    assert_eq!(muted["data"]["instance_id"], data["instance_id"]);
    assert_eq!((&muted["data"]["speak"], &muted["data"]["participant_id"]), (&json!(false), &json!(1)));
}

#[tokio::test]
async fn a_binding_takes_what_it_names_and_says_which_was_the_last_one() {
    let house = House::start().await;
    let (ann, ben) = (house.join("talk", "Ann").await, house.join("talk", "Ben").await);
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    let of_ann = format!("conference.event.*.{ACCOUNT}.talk.{ann}");
    socket.subscribe(json!({ "bindings": [of_ann, "conference.event.deaf-member.*.*"] })).await;
    let owner = house.owner().await;
    for action in ["mute", "deaf", "unmute"] {
        for call in [&ben, &ann] {
            owner.act(&format!("conferences/talk/participants/{call}"), action).await.ok();
        }
    }
    // By binding: who, what, its number and that of the one before.
    let mut heard: [Vec<(String, u64, u64)>; 2] = Default::default();
    while heard[0].len() + heard[1].len() < 5 {
        let message = socket.hear().await;
        let data = &message["data"];
        let event = data["event"].as_str().expect("an event");
        let number = |key: &str| data[key].as_u64().expect("a number");
        let who = if data["call_id"] == *ann { "Ann" } else { "Ben" };
        let of = &mut heard[usize::from(message["subscribed_key"] != *of_ann)];
        assert_eq!(of.last().map_or(0, |last| last.1), number("prev_seq"), "{message}");
        // The floor may come in between.
        if event != "floor-change" {
            of.push((format!("{who} {event}"), number("seq"), number("prev_seq")));
        } else if let Some(last) = of.last_mut() {
            last.1 = number("seq");
        }
    }
    let names = heard.map(|of| of.into_iter().map(|(name, ..)| name).collect::<Vec<_>>());
    assert_eq!(names[0], ["Ann mute-member", "Ann deaf-member", "Ann unmute-member"]);
    assert_eq!(names[1], ["Ben deaf-member", "Ann deaf-member"]);
    let left = socket.ask(json!({ "action": "unsubscribe", "data": { "binding": of_ann } })).await;
    assert_eq!(left["data"]["subscriptions"], json!(["conference.event.deaf-member.*.*"]));
    let left = socket.ask(json!({ "action": "unsubscribe" })).await;
    assert_eq!((&left["data"]["subscriptions"], &left["status"]), (&json!([]), &json!("success")));
}

#[tokio::test]
async fn nobody_hears_of_the_conferences_of_others() {
    let house = House::start().await;
    let stranger = token(&house, OTHER).await;
    let mut socket = Socket::open(&house, Some(&stranger)).await;
    for (data, why) in [
        (json!({ "account_id": ACCOUNT, "binding": "conference.event.*.*" }), "is not found"),
        (json!({ "binding": format!("conference.event.*.{ACCOUNT}.*.*") }), "account"),
        (json!({ "binding": "call.event.*" }), "a binding is"),
        (json!({ "bindings": [] }), "there is no binding"),
        (json!({ "account_id": "../..", "binding": "conference.event.*.*" }), "account_id"),
    ] {
        let reply = socket.ask(json!({ "action": "subscribe", "data": data })).await;
        assert!(
            reply["status"] == "error" && reply["data"]["errors"][0].as_str().unwrap().contains(why),
            "{reply}"
        );
    }
    socket
        .subscribe(
            json!({ "bindings": ["conference.event.*.*", "conference.event.talk.*"], "snapshot": true }),
        )
        .await;
    // The conference of that name is another account's: for this one it does not run.
    assert_eq!(socket.hear().await["data"]["instance_id"], Value::Null);
    let ann = house.join("talk", "Ann").await;
    house.owner().await.act("conferences/talk", "end").await.ok();
    let caller = convened::sim::world::Caller::new("Sue", "1").variable("confvar_account_id", OTHER);
    let sue = house.enter("talk", caller).await;
    let heard = socket.event("add-member").await;
    assert_eq!(heard["data"]["call_id"], *sue, "{heard}");
    assert_ne!(ann, sue);
    // Not even the change before it was one of theirs.
    assert_eq!((&heard["data"]["seq"], &heard["data"]["prev_seq"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn who_comes_back_is_told_what_he_missed() {
    let house = House::start().await;
    house.join("talk", "Ann").await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    let binding = "conference.event.talk.*";
    socket.subscribe(json!({ "binding": binding, "snapshot": true })).await;
    let known = socket.hear().await["data"].clone();
    drop(socket);
    let owner = house.owner().await;
    for action in ["mute", "unmute", "deaf"] {
        owner.act("conferences/talk/participants/1", action).await.ok();
    }
    let resume = |seq: Value| json!({ "talk": { "instance_id": known["instance_id"], "seq": seq } });
    let mut socket = Socket::open(&house, Some(&token)).await;
    socket.subscribe(json!({ "binding": binding, "resume": resume(known["seq"].clone()) })).await;
    let mut before = known["seq"].clone();
    for event in ["mute-member", "unmute-member", "deaf-member"] {
        socket.goes_on(&mut before, event).await;
    }
    owner.act("conferences/talk", "lock").await.ok();
    socket.goes_on(&mut before, "lock").await;
    // What is not kept cannot be told again: how it is instead.
    let mut socket = Socket::open(&house, Some(&token)).await;
    let lost = json!({ "talk": { "instance_id": "00000000-0000-0000-0000-000000000000", "seq": 3 } });
    socket.subscribe(json!({ "binding": binding, "resume": lost })).await;
    assert_eq!(socket.hear().await["action"], "snapshot");
    // Nothing was missed.
    let mut socket = Socket::open(&house, Some(&token)).await;
    let seq = house.daemon.context().registry.conference("talk")[0].change_number();
    socket.subscribe(json!({ "binding": binding, "resume": resume(seq.into()) })).await;
    owner.act("conferences/talk", "unlock").await.ok();
    let next = socket.hear().await;
    assert_eq!((&next["data"]["event"], &next["data"]["prev_seq"]), (&json!("unlock"), &json!(seq)));
}

#[tokio::test]
async fn only_the_configured_events_are_told() {
    let house = House::with(1, |config| {
        config.events.publish_participant_event = Some(vec!["add-member".into(), "lock".into()]);
    })
    .await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    socket.subscribe(json!({ "binding": "conference.event.*.*" })).await;
    house.join("talk", "Ann").await;
    let owner = house.owner().await;
    owner.act("conferences/talk/participants/1", "mute").await.ok();
    owner.act("conferences/talk", "lock").await.ok();
    assert_eq!(socket.hear().await["data"]["event"], "add-member");
    assert_eq!(socket.hear().await["data"]["event"], "lock");
}

#[tokio::test]
async fn what_is_wrong_is_told_and_what_is_too_much_ends_it() {
    let house = House::with(1, |config| {
        config.events.max_bindings = 2;
        config.events.max_connections_per_token = 1;
    })
    .await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    for (message, why) in [
        (json!({ "action": "dance" }), "unknown action"),
        (json!({ "no": "action" }), "this is no message"),
        (json!([]), "this is no message"),
        (
            json!({ "action": "subscribe", "auth_token": "nonsense", "data": { "binding": "conference.event.*.*" } }),
            "invalid_credentials",
        ),
        (
            json!({ "action": "subscribe", "data": { "bindings": ["conference.event.a.*", "conference.event.b.*", "conference.event.c.*"] } }),
            "at most 2 bindings",
        ),
    ] {
        let reply = socket.ask(message).await;
        assert!(reply["data"]["errors"][0].as_str().unwrap().contains(why), "{reply}");
    }
    // One at a time with this token.
    let address = house.address();
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert("x-auth-token", token.parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let refused = client_async(request, stream).await.unwrap_err().to_string();
    assert!(refused.contains("429"), "{refused}");
    socket.say(&json!({ "action": "ping", "data": { "account_id": "x".repeat(70_000) } })).await;
    let end = socket.end().await.expect("it is told why");
    assert_eq!(u16::from(end.code), 1009, "{end:?}");
    // Who comes without a websocket is told so.
    let plain = house.owner().await.get("/ws").await.refused(400, "invalid_request");
    assert!(plain.to_string().contains("websocket") || plain.is_object(), "{plain}");
}

#[tokio::test]
async fn a_daemon_that_stops_says_so() {
    let house = House::start().await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    socket.subscribe(json!({ "binding": "conference.event.*.*" })).await;
    let House { daemon, .. } = house;
    let (end, _) = tokio::join!(socket.end(), daemon.stop());
    assert_eq!(u16::from(end.expect("a reason").code), 1001);
}

#[tokio::test]
async fn who_gives_no_sign_of_life_is_let_go() {
    let house = House::with(1, |config| config.events.idle_timeout_s = 1).await;
    let token = token(&house, ACCOUNT).await;
    let mut nobody = Socket::open(&house, None).await;
    let mut quiet = Socket::open(&house, Some(&token)).await;
    let mut awake = Socket::open(&house, Some(&token)).await;
    awake.subscribe(json!({ "binding": "conference.event.talk.*" })).await;
    // Answers pings as long as it listens; the other one does not even read them.
    let gone = tokio::time::Instant::now() + std::time::Duration::from_millis(2_500);
    let listening = tokio::time::timeout_at(gone, awake.hear()).await;
    assert!(listening.is_err(), "{listening:?}");
    house.join("talk", "Ann").await;
    awake.event("add-member").await;
    let ended = async { while let Some(Ok(_)) = nobody.0.next().await {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("who does not say who he is, too");
    // He may be too late for the reason.
    let ended = async { while let Some(Ok(_)) = quiet.0.next().await {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("it is closed");
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_what_was_begun_with_it() {
    let house = House::with(1, |config| config.events.idle_timeout_s = 1).await;
    let token = token(&house, ACCOUNT).await;
    let mut socket = Socket::open(&house, Some(&token)).await;
    socket.subscribe(json!({ "binding": "conference.event.talk.*" })).await;
    let store = house.daemon.context().store.clone();
    let credentials = convened::auth::Credentials::new(store, convened::store::Clock::system());
    for known in credentials.list().await.expect("the database is there") {
        credentials.revoke(&known.id).await.expect("it is revoked");
    }
    let end = socket.end().await.expect("a reason");
    assert_eq!((u16::from(end.code), &*end.reason), (1008, "the token is not good any more"));
}
