//! Whose a conference is may be known late: its owner still hears all of it, and nobody else any of it.

use std::time::{Duration, Instant};

use convened::sim::world::Caller;
use serde_json::{Value, json};

use crate::house::{ACCOUNT, ALL, House, OTHER, switch};
use crate::picture::{Picture, room};
use crate::postgres::Postgres;
use crate::subscribers::line::Line;

/// So long a database that is away is surely waited for.
const SURELY: Duration = Duration::from_secs(3);

async fn subscribed(house: &House, account: &str, data: Value) -> Line {
    let token = house.secret(convened::auth::CredentialKind::Token, Some(account), &ALL, None).await;
    let mut line = Line::websocket(house.address()).await;
    line.say(json!({ "action": "subscribe", "auth_token": token, "data": data })).await;
    assert_eq!(line.hear().await["status"], "success");
    line
}

/// Until what was heard is what runs.
async fn learns(house: &House, line: &mut Line, conference: &str) -> Picture {
    let registry = &house.daemon.context().registry;
    let mut picture = Picture::default();
    let is_known = |picture: &Picture| {
        let running = registry.conference(conference);
        !running.is_empty() && running.iter().all(|it| picture.rooms.get(&*it.instance) == Some(&room(it)))
    };
    while !is_known(&picture) {
        picture.take(&line.hear().await, registry).unwrap();
    }
    picture
}

/// That he has heard nothing so far.
async fn knows_nothing(mut line: Line) {
    line.say(json!({ "action": "ping" })).await;
    assert_eq!(line.hear().await["data"]["response"], "pong");
}

#[tokio::test]
async fn a_tag_that_comes_with_the_first_event_is_waited_for() {
    let switch = switch(1).await;
    // A list does not tell what stands in the presence data.
    let tagged =
        Caller::new("Ann", "1").variable("presence_data_cols", "account_id").variable("account_id", ACCOUNT);
    let ann = switch.join("talk", tagged).expect("let in");
    switch.until(|rooms| rooms[0].members[0].floor).await;
    let house = House::beside(vec![switch], |_| {}).await;
    house.followed().await;
    let all = json!({ "binding": "conference.event.*.*", "snapshot": true });
    let mut his = subscribed(&house, ACCOUNT, all.clone()).await;
    let theirs = subscribed(&house, OTHER, all).await;
    house.switch().talk(&ann, true).expect("in the conference");
    house.told().await;
    let picture = learns(&house, &mut his, "talk").await;
    assert_eq!(picture.rooms.len(), 1);
    knows_nothing(theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_waited_for_while_the_database_is_away() {
    let server = Postgres::start().await;
    let url = server.database().await;
    let house = House::with(1, |config| config.database.url = url).await;
    let owner = house.owner().await;
    // A machine that is too busy to start it in time may try again.
    for _ in 0..5 {
        let id = owner.create(json!({})).await;
        let one = json!({ "binding": format!("conference.event.{id}.*") });
        let mut his = subscribed(&house, ACCOUNT, one.clone()).await;
        let theirs = subscribed(&house, OTHER, one).await;
        server.stop();
        let since = Instant::now();
        // The switch says that it is somebody else's.
        let caller = Caller::new("Ann", "1").variable("confvar_account_id", OTHER);
        house.enter(&id, caller).await;
        server.start_again();
        if since.elapsed() > SURELY {
            continue;
        }
        let picture = learns(&house, &mut his, &id).await;
        let first = &picture.events[0];
        assert_eq!((first.1, &*first.2, picture.gaps), (1, "conference-create", 0));
        knows_nothing(theirs).await;
        return;
    }
    panic!("it never started within {SURELY:?}");
}
