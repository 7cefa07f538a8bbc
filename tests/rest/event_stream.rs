//! Server-sent events: the same for clients that only speak HTTP.

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::client::PATIENCE;
use crate::house::{ACCOUNT, ALL, House, OTHER};

type Body = http_body_util::Empty<bytes::Bytes>;

/// A stream of events as a browser reads it.
struct Events {
    body: hyper::body::Incoming,
    read: String,
}

/// An event: its id, name and data.
type Event = (String, String, Value);

impl Events {
    async fn ask(house: &House, token: &str, last: Option<&str>) -> http::Response<hyper::body::Incoming> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let uri = format!("http://{}/v2/accounts/{ACCOUNT}/conferences/talk/events", house.address());
        let mut request =
            http::Request::get(uri).header("x-auth-token", token).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        client.request(request.body(Body::new()).unwrap()).await.expect("an answer")
    }

    async fn open(house: &House, token: &str, last: Option<&str>) -> Self {
        let answer = Self::ask(house, token, last).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), read: String::new() }
    }

    /// The next one of that name; the floor may come in between.
    async fn named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await;
            if event.1 == name {
                return event;
            }
            assert_eq!(event.1, "floor-change", "{event:?}");
        }
    }

    async fn next(&mut self) -> Event {
        let next = async {
            loop {
                if let Some((event, rest)) = self.read.split_once("\n\n") {
                    let lines: Vec<_> = event.lines().map(str::to_owned).collect();
                    self.read = rest.to_owned();
                    let field = |name: &str| {
                        let line = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                        line.unwrap_or_default().to_owned()
                    };
                    if lines.iter().all(|line| line.starts_with(':')) {
                        continue;
                    }
                    let data = serde_json::from_str(&field("data")).expect("JSON");
                    return (field("id"), field("event"), data);
                }
                let frame = self.body.frame().await.expect("it goes on").expect("it is whole");
                self.read.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("an event comes")
    }
}

async fn token(house: &House, account: &str) -> String {
    house.secret(convened::auth::CredentialKind::Token, Some(account), &ALL, None).await
}

#[tokio::test]
async fn a_conference_is_told_as_it_is_and_as_it_goes_on() {
    let house = House::start().await;
    house.join("talk", "Ann").await;
    let token = token(&house, ACCOUNT).await;
    let mut events = Events::open(&house, &token, None).await;
    let (first, name, data) = events.next().await;
    assert_eq!((&*name, &data["participants"][0]["caller_id_name"]), ("snapshot", &json!("Ann")));
    let owner = house.owner().await;
    for action in ["mute", "unmute"] {
        owner.act("conferences/talk/participants/1", action).await.ok();
    }
    assert_eq!(events.named("mute-member").await.2["speak"], false);
    drop(events);
    // Whoever comes back goes on behind what he had.
    let mut events = Events::open(&house, &token, Some(&first)).await;
    let (muted, ..) = events.named("mute-member").await;
    let mut later = Events::open(&house, &token, Some(&muted)).await;
    later.named("unmute-member").await;
    owner.act("conferences/talk", "end").await.ok();
    while later.next().await.1 != "conference-destroy" {}
}

#[tokio::test]
async fn it_is_for_who_may_and_ends_with_the_daemon() {
    let house = House::start().await;
    house.join("talk", "Ann").await;
    let (own, other) = (token(&house, ACCOUNT).await, token(&house, OTHER).await);
    assert_eq!(Events::ask(&house, &other, None).await.status(), 404);
    // What is no id of ours is no place: it begins with how it is, as after a gap, whose id is empty.
    for odd in ["nonsense", "", ";", "x;y"] {
        let mut events = Events::open(&house, &own, Some(odd)).await;
        assert_eq!(events.next().await.1, "snapshot", "{odd:?}");
    }
    let mut events = Events::open(&house, &own, None).await;
    events.next().await;
    let stopping = tokio::spawn(house.daemon.stop());
    while let Some(Ok(_)) = tokio::time::timeout(PATIENCE, events.body.frame()).await.expect("it ends") {}
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_the_streams_that_were_begun_with_it() {
    let house = House::with(1, |config| config.events.idle_timeout_s = 1).await;
    house.join("talk", "Ann").await;
    let store = house.daemon.context().store.clone();
    let credentials = convened::auth::Credentials::new(store, convened::store::Clock::system());
    let revoked = token(&house, ACCOUNT).await;
    let first = credentials.list().await.expect("the database is there").remove(0);
    let good = token(&house, ACCOUNT).await;
    let mut ends = Events::open(&house, &revoked, None).await;
    let mut stays = Events::open(&house, &good, None).await;
    assert_eq!((&*ends.next().await.1, &*stays.next().await.1), ("snapshot", "snapshot"));
    credentials.revoke(&first.id).await.expect("it is revoked");
    let end = async {
        while let Some(frame) = ends.body.frame().await {
            frame.expect("it ends as it should");
        }
    };
    tokio::time::timeout(PATIENCE, end).await.expect("it ends");
    assert_eq!(Events::ask(&house, &revoked, None).await.status(), 401);
    house.owner().await.act("conferences/talk/participants/1", "mute").await.ok();
    stays.named("mute-member").await;
}
