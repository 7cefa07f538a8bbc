//! A conference of one name on two nodes: whoever comes back says where he was in both.

use convened::sim::world::Caller;
use serde_json::{Value, json};

use crate::client::Rest;
use crate::house::{ACCOUNT, ALL, House};
use crate::subscribers::line::Line;

/// `talk` on both nodes: the instances, and who hears of it.
struct Talk {
    house: House,
    token: String,
    owner: Rest,
    /// On fs1 and on fs2.
    instances: [String; 2],
    /// Of their members.
    calls: [String; 2],
}

impl Talk {
    async fn begins() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut convened::config::Config)) -> Self {
        let house = House::with(2, change).await;
        let caller = |name: &str| Caller::new(name, "1").variable("confvar_account_id", ACCOUNT);
        let mut calls = [String::new(), String::new()];
        // One behind the other: all that begins with Ann is told before anything of Ben.
        for (at, name) in ["Ann", "Ben"].into_iter().enumerate() {
            calls[at] = house.switches[at].join("talk", caller(name)).expect("let in");
            // Nobody gets the floor any more.
            house.switches[at].until(|rooms| rooms[0].members[0].floor).await;
            house.told().await;
        }
        let instances = [0, 1].map(|at: usize| house.switches[at].truth()[0].uuid.clone());
        let token = house.secret(convened::auth::CredentialKind::Token, Some(ACCOUNT), &ALL, None).await;
        let owner = house.owner().await;
        Self { house, token, owner, instances, calls }
    }

    async fn act(&self, node: usize, action: &str) {
        self.owner.act(&format!("conferences/talk/participants/{}", self.calls[node]), action).await.ok();
    }

    async fn websocket(&self, data: Value) -> Line {
        let mut line = Line::websocket(self.house.address()).await;
        line.say(json!({ "action": "subscribe", "auth_token": self.token, "data": data })).await;
        assert_eq!(line.hear().await["status"], "success");
        line
    }

    async fn stream(&self, last: Option<&str>) -> Line {
        let path = format!("/v2/accounts/{ACCOUNT}/conferences/talk/events");
        Line::sse(self.house.address(), &self.token, &path, last).await.expect("there is one")
    }

    /// The number of the last change on that node.
    fn seq(&self, node: usize) -> u64 {
        let all = self.house.daemon.context().registry.conference("talk").to_vec();
        let it = all.iter().find(|it| *it.instance == *self.instances[node]).expect("it runs");
        it.change_number()
    }

    fn place(&self, node: usize, seq: u64) -> Value {
        json!({ "instance_id": self.instances[node], "seq": seq })
    }
}

/// Node, event, number and the one before it.
async fn heard(talk: &Talk, line: &mut Line) -> (usize, String, u64, u64) {
    let data = line.hear().await["data"].take();
    let node = talk.instances.iter().position(|it| data["instance_id"] == **it);
    let number = |key: &str| data[key].as_u64().unwrap_or_else(|| panic!("{key}: {data}"));
    let event = data["event"].as_str().unwrap_or("snapshot").to_owned();
    let before = if event == "snapshot" { 0 } else { number("prev_seq") };
    (node.expect("one of both"), event, number("seq"), before)
}

#[tokio::test]
async fn a_websocket_names_both_instances_and_hears_what_it_has_missed_of_each() {
    let talk = Talk::begins().await;
    let [ann, ben] = [talk.seq(0), talk.seq(1)];
    for (node, action) in [(0, "mute"), (1, "mute"), (0, "deaf"), (1, "deaf")] {
        talk.act(node, action).await;
    }
    let binding = "conference.event.talk.*";
    let (muted, deaf) = ("mute-member", "deaf-member");
    // He has heard more of the one than of the other, whatever came first.
    for (known, wanted) in [
        ([ann, ben + 1], [(0, muted, ann + 1), (0, deaf, ann + 2), (1, deaf, ben + 2)]),
        ([ann + 1, ben], [(1, muted, ben + 1), (0, deaf, ann + 2), (1, deaf, ben + 2)]),
    ] {
        let places = [talk.place(0, known[0]), talk.place(1, known[1])];
        let mut line = talk.websocket(json!({ "binding": binding, "resume": { "talk": places } })).await;
        for (node, event, seq) in wanted {
            assert_eq!(heard(&talk, &mut line).await, (node, event.to_owned(), seq, seq - 1));
        }
        line.say(json!({ "action": "ping" })).await;
        assert_eq!(line.hear().await["data"]["response"], "pong", "and nothing else");
    }
    // Who names one of them, and the other one had begun before that, is shown both.
    let mut line =
        talk.websocket(json!({ "binding": binding, "resume": { "talk": talk.place(1, ben) } })).await;
    let shown = [heard(&talk, &mut line).await, heard(&talk, &mut line).await];
    assert_eq!(shown.map(|(node, what, ..)| (node, what)), [0, 1].map(|node| (node, "snapshot".to_owned())));
}

#[tokio::test]
async fn the_id_of_a_stream_says_where_both_are() {
    let talk = Talk::begins().await;
    let mut line = talk.stream(None).await;
    let shown = [line.hear().await, line.hear().await];
    let places = |ann: u64, ben: u64| {
        let mut places = [format!("{};{ann}", talk.instances[0]), format!("{};{ben}", talk.instances[1])];
        places.sort();
        places.join(",")
    };
    let [ann, ben] = [talk.seq(0), talk.seq(1)];
    assert_eq!((&shown[1]["action"], &shown[1]["id"]), (&json!("snapshot"), &json!(places(ann, ben))));
    talk.act(0, "mute").await;
    talk.act(1, "mute").await;
    assert_eq!(line.hear().await["id"], places(ann + 1, ben));
    assert_eq!(line.hear().await["id"], places(ann + 1, ben + 1));
    drop(line);
    talk.act(0, "deaf").await;
    // Nothing comes twice, and each has the right one before it.
    let mut line = talk.stream(Some(&places(ann + 1, ben))).await;
    assert_eq!(heard(&talk, &mut line).await, (1, "mute-member".to_owned(), ben + 1, ben));
    assert_eq!(heard(&talk, &mut line).await, (0, "deaf-member".to_owned(), ann + 2, ann + 1));
    // The end of one of them is forgotten with what comes next.
    talk.house.switches[1].leave(&talk.calls[1]).unwrap();
    let mut ended = line.hear().await;
    while ended["data"]["event"] != "conference-destroy" {
        ended = line.hear().await;
    }
    talk.act(0, "undeaf").await;
    assert_eq!(line.hear().await["id"], format!("{};{}", talk.instances[0], ann + 3));
    talk.owner.act("conferences/talk", "end").await.ok();
    while line.hear().await["data"]["event"] != "conference-destroy" {}
}

#[tokio::test]
async fn each_way_has_a_list_of_its_own_and_the_numbers_fit_it() {
    let names = |name: &str| Some(vec![name.to_owned()]);
    let talk = Talk::with(|config| {
        config.events.publish_participant_event = names("lock");
        config.events.websocket_events = names("mute-member");
        config.events.sse_events = names("deaf-member");
    })
    .await;
    let binding = "conference.event.talk.*";
    let [ann, ben] = [talk.seq(0), talk.seq(1)];
    let known = json!({ "talk": [talk.place(0, ann), talk.place(1, ben)] });
    let mut websocket = talk.websocket(json!({ "binding": binding, "resume": known.clone() })).await;
    let mut stream = talk.stream(None).await;
    for _ in 0..2 {
        assert_eq!(stream.hear().await["action"], "snapshot");
    }
    for action in ["deaf", "mute", "undeaf", "unmute", "deaf", "mute"] {
        talk.act(0, action).await;
    }
    let (muted, deaf) = ("mute-member".to_owned(), "deaf-member".to_owned());
    assert_eq!(heard(&talk, &mut websocket).await, (0, muted.clone(), ann + 2, ann));
    assert_eq!(heard(&talk, &mut websocket).await, (0, muted.clone(), ann + 6, ann + 2));
    assert_eq!(heard(&talk, &mut stream).await, (0, deaf.clone(), ann + 1, ann));
    assert_eq!(heard(&talk, &mut stream).await, (0, deaf, ann + 5, ann + 1));
    // Whoever comes back is told by the same list.
    drop(websocket);
    let mut websocket = talk.websocket(json!({ "binding": binding, "resume": known })).await;
    assert_eq!(heard(&talk, &mut websocket).await, (0, muted.clone(), ann + 2, ann));
    assert_eq!(heard(&talk, &mut websocket).await, (0, muted, ann + 6, ann + 2));
}
