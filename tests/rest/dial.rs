//! Phones that are called into a conference: what is asked of the switch, and what is told of each call.

use std::sync::Arc;

use convened::config::Config;
use convened::model::{AccountTag, DialProgress, Notice, NoticeKind};
use convened::registry::NodeCondition;
use convened::sim::switch::Which;
use convened::sim::world::{Caller, Fate};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::client::{Answer, PATIENCE, Rest, column, text};
use crate::house::{ACCOUNT, House};

/// In microseconds: soon, and not at once.
const MOMENT: u64 = 40_000;

/// Who listens to notices, and a document.
pub(crate) struct Office {
    pub(crate) house: House,
    owner: Rest,
    pub(crate) room: String,
    told: Receiver<Arc<Notice>>,
}

impl Office {
    pub(crate) async fn open() -> Self {
        Self::with(|config| config.dial.number = Some("sofia/gateway/carrier/{number}".into())).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let house = House::with(1, change).await;
        let owner = house.owner().await;
        let room = owner.create(json!({ "name": "Board", "profile": "wide" })).await;
        let told = house.daemon.hub().listen_to_notices();
        Self { house, owner, room, told }
    }

    fn destine(&self, part: &str, fate: Fate) {
        self.house.switch().world(|world, _| world.destine(part, fate));
    }

    pub(crate) async fn dial(&self, data: Value) -> Answer {
        self.dial_into(&self.room, data).await
    }

    pub(crate) async fn dial_into(&self, room: &str, data: Value) -> Answer {
        self.owner.put(&format!("conferences/{room}"), json!({ "action": "dial", "data": data })).await
    }

    /// The next notices, up to one that is the last of its call.
    async fn story(&mut self) -> Vec<Arc<Notice>> {
        let mut story = Vec::new();
        loop {
            let told = timeout(PATIENCE, self.told.recv()).await.expect("something is told").expect("told");
            story.push(told);
            let NoticeKind::Dial { progress, .. } = &story[story.len() - 1].kind else { panic!("{story:?}") };
            if progress.is_last() {
                return story;
            }
        }
    }

    /// The commands that make calls.
    pub(crate) fn sent(&self) -> Vec<String> {
        let all = self.house.switch().commands().into_iter().map(|seen| seen.text);
        all.filter(|text| text.contains("originate")).collect()
    }
}

fn names(story: &[Arc<Notice>]) -> Vec<&'static str> {
    story.iter().map(|notice| notice.name()).collect()
}

/// `data` of a 202.
pub(crate) fn accepted(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    answer.data()
}

fn reason(notice: &Notice) -> String {
    let NoticeKind::Dial { progress, .. } = &notice.kind else { panic!("{:?}", notice.kind) };
    progress.reason().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn somebody_who_is_called_rings_answers_and_is_in_the_conference() {
    let mut office = Office::open().await;
    office.destine("ann@", Fate::answered(MOMENT));
    let asked =
        json!({ "endpoints": ["sip:ann@example.com"], "participant_flags": ["mute", "is_moderator"] });
    let data = accepted(&office.dial(asked).await);
    assert_eq!((&data["action"], &data["conference_id"]), (&json!("dial"), &json!(office.room)));
    let result = &data["results"][0];
    assert_eq!(result["endpoint"], "sip:ann@example.com");
    assert_eq!((&result["result"], &result["node"]), (&json!("dialling"), &json!("fs1")));
    let story = office.story().await;
    assert_eq!(names(&story), ["dial-ringing", "dial-answered"]);
    for notice in &story {
        let NoticeKind::Dial { id, endpoint, .. } = &notice.kind else { panic!("{:?}", notice.kind) };
        assert_eq!((&**id, &**endpoint), (text(&result["id"]).as_str(), "sip:ann@example.com"));
        assert_eq!((&*notice.account, &*notice.conference_id), (ACCOUNT, office.room.as_str()));
        assert_eq!((&*notice.call_id, &*notice.node), (text(&result["call_id"]).as_str(), "fs1"));
        assert!(notice.at_unix_ms > 1_600_000_000_000);
    }
    office.house.told().await;
    let there = office.owner.get(&format!("conferences/{}/participants", office.room)).await.ok();
    assert_eq!(column(&there, "call_id"), [result["call_id"].clone()]);
    assert_eq!(
        (&there[0]["caller_id_name"], &there[0]["caller_id_number"]),
        (&json!("sip:ann@example.com"), &json!("ann"))
    );
    assert_eq!((&there[0]["speak"], &there[0]["is_moderator"]), (&json!(false), &json!(true)));
    // It began by the call and tells by itself whose it is.
    let began = office.house.daemon.context().registry.conference(&office.room)[0].clone();
    assert_eq!(began.account_tag(), AccountTag::Tagged(ACCOUNT.into()));
}

#[tokio::test]
async fn each_call_is_told_by_itself_with_the_cause_that_the_switch_says() {
    let mut office = Office::open().await;
    office.destine("busy@", Fate::failed(MOMENT, "USER_BUSY"));
    office.destine("carrier/+49", Fate::failed(MOMENT, "NUMBER_CHANGED").silently());
    office.destine("quiet@", Fate::rings_on(MOMENT));
    let endpoints = ["sip:busy@example.com", "+4930123", "sip:quiet@example.com", "sip:nobody@example.com"];
    let data = accepted(&office.dial(json!({ "endpoints": endpoints, "timeout": 1 })).await);
    assert_eq!(column(&data["results"], "endpoint"), endpoints);
    assert_eq!(column(&data["results"], "result"), ["dialling"; 4]);
    let mut all = Vec::new();
    for _ in endpoints {
        all.extend(office.story().await);
    }
    for (endpoint, told, why) in [
        (endpoints[0], vec!["dial-ringing", "dial-failed"], "USER_BUSY"),
        (endpoints[1], vec!["dial-failed"], "NUMBER_CHANGED"),
        (endpoints[2], vec!["dial-ringing", "dial-failed"], "NO_ANSWER"),
        (endpoints[3], vec!["dial-failed"], "NORMAL_TEMPORARY_FAILURE"),
    ] {
        let of_it = |notice: &&Arc<Notice>| {
            let NoticeKind::Dial { endpoint: of, .. } = &notice.kind else { panic!("{:?}", notice.kind) };
            &**of == endpoint
        };
        let story: Vec<_> = all.iter().filter(of_it).cloned().collect();
        assert_eq!(names(&story), told, "{endpoint}");
        assert_eq!(reason(&story[story.len() - 1]), why, "{endpoint}");
    }
    assert!(office.house.switch().truth().is_empty(), "nobody came");
}

#[tokio::test]
async fn without_a_carrier_numbers_are_refused_by_the_name_of_the_key() {
    let office = Office::with(|_| {}).await;
    let wrong = office.dial(json!({ "endpoints": ["sip:a@example.com", "+4930123"] })).await;
    let wrong = wrong.refused(400, "validation_error");
    assert!(wrong["endpoints.1"]["allowed"]["message"].to_string().contains("dial.number"), "{wrong}");
    assert!(wrong.get("endpoints.0").is_none() && office.sent().is_empty(), "{wrong}");
}

#[tokio::test]
async fn a_lock_does_not_stop_somebody_whom_the_operator_calls() {
    let mut office = Office::open().await;
    let room = office.room.clone();
    office.house.join(&room, "Ann").await;
    office.owner.act(&format!("conferences/{room}"), "lock").await.ok();
    office.house.switch().join(&room, Caller::new("Ben", "2")).expect_err("it is locked");
    office.destine("carrier/", Fate::answered(MOMENT));
    accepted(
        &office.dial(json!({ "endpoints": ["+4930123"], "participant_flags": ["join_existing"] })).await,
    );
    assert_eq!(names(&office.story().await), ["dial-ringing", "dial-answered"]);
    office.house.switch().until(|rooms| rooms.iter().any(|room| room.members.len() == 2)).await;
}

#[tokio::test]
async fn what_does_not_run_is_not_joined_and_what_is_not_there_is_not_begun() {
    let office = Office::open().await;
    let existing = json!({ "endpoints": ["1"], "participant_flags": ["join_existing"] });
    let refused = office.dial(existing).await.refused(404, "bad_identifier");
    assert_eq!(refused["reason"], "not_running");
    let anybody = json!({ "endpoints": ["1"] });
    office.dial_into("nosuch", anybody.clone()).await.not_found("nosuch");
    let stranger = office.house.stranger().await;
    let dial = json!({ "action": "dial", "data": anybody });
    stranger.put(&format!("conferences/{}", office.room), dial).await.not_found(&office.room);
    assert_eq!(office.sent(), Vec::<String>::new());
}

#[tokio::test]
async fn a_conference_begins_on_the_first_node_and_is_joined_where_it_runs() {
    let house = House::with(2, |_| {}).await;
    let owner = house.owner().await;
    let room = owner.create(json!({ "name": "Board" })).await;
    let asked = json!({ "action": "dial", "endpoints": ["sip:ann@example.com"] });
    let answer = owner.put(&format!("conferences/{room}"), asked.clone()).await;
    assert_eq!(column(&accepted(&answer)["results"], "node"), ["fs1"]);
    house.switches[1].join(&room, Caller::new("Ben", "2")).expect("let in");
    house.told().await;
    let answer = owner.put(&format!("conferences/{room}"), asked).await;
    assert_eq!(column(&accepted(&answer)["results"], "node"), ["fs2"]);
}

#[tokio::test]
async fn what_could_not_be_sent_at_all_is_an_error() {
    let office = Office::open().await;
    let two = || json!({ "endpoints": ["1", "2"] });
    for _ in 0..2 {
        office.house.switch().answer_instead("originate", "-ERR permission denied");
    }
    let refused = office.dial(two()).await.refused(502, "switch_error");
    assert_eq!(refused["reply"], "-ERR permission denied");
    assert_eq!(column(&refused["results"], "result"), ["failed", "failed"]);
    // One of two is something.
    office.house.switch().answer_instead("originate", "-ERR permission denied");
    let data = accepted(&office.dial(two()).await);
    let mut results = column(&data["results"], "result");
    results.sort_by_key(Value::to_string);
    assert_eq!(results, ["dialling", "failed"]);
    let failed = data["results"].as_array().unwrap().iter().find(|result| result["result"] == "failed");
    assert_eq!(failed.unwrap()["reason"], "FreeSWITCH answered: -ERR permission denied");
    // Without a node nobody knows whether it runs.
    office.house.switch().stop_listening().await;
    office.house.switch().cut(Which::All);
    let node = office.house.daemon.context().switchboard.nodes()["fs1"].clone();
    while node.status().events_connected || node.status().commands_connected {
        crate::client::look_again().await;
    }
    office.dial(two()).await.refused(503, "switch_unavailable");
}

#[tokio::test]
async fn a_command_without_a_reply_is_unknown_and_its_call_is_told_of_all_the_same() {
    let mut office = Office::open().await;
    office.destine("carrier/", Fate::answered(MOMENT));
    office.house.switch().cut_at("originate", 0, true, Which::Commands);
    let refused = office.dial(json!({ "endpoints": ["1"] })).await.refused(504, "switch_timeout");
    assert_eq!(column(&refused["results"], "result"), ["unknown"]);
    assert_eq!(names(&office.story().await), ["dial-ringing", "dial-answered"]);
}

#[tokio::test]
async fn a_key_has_it_dialled_once_and_the_audit_log_says_by_whom() {
    let office = Office::open().await;
    let body = json!({ "data": { "action": "dial", "data": { "endpoints": ["1", "2"] } } });
    let path = format!("conferences/{}", office.room);
    let ask = || office.owner.ask(Method::PUT, &path).header("idempotency-key", "k").json(&body).send();
    let (first, again) = (ask().await, ask().await);
    assert_eq!(accepted(&first), accepted(&again));
    assert_eq!(again.header("idempotent-replay"), Some("true"));
    assert_eq!(office.sent().len(), 2);
    let rows = office.owner.get(&format!("{path}/audit?filter_action=dial")).await.ok();
    let mut calls = column(&rows, "call_id");
    calls.reverse();
    assert_eq!(calls, column(&accepted(&first)["results"], "call_id"));
    assert_eq!(column(&rows, "result"), ["dialling", "dialling"]);
}

#[tokio::test]
async fn more_calls_than_allowed_are_refused_until_others_have_come_to_their_end() {
    let mut office = Office::with(|config| {
        config.dial.number = Some("sofia/gateway/carrier/{number}".into());
        config.dial.max_pending = 3;
    })
    .await;
    office.destine("carrier/", Fate::rings_on(MOMENT));
    office.destine("busy@", Fate::failed(MOMENT, "USER_BUSY"));
    let two = json!({ "endpoints": ["1", "sip:busy@example.com"] });
    accepted(&office.dial(two.clone()).await);
    let refused = office.dial(two.clone()).await.refused(429, "too_many_requests");
    assert!(refused["reason"].to_string().contains("dial.max_pending"), "{refused}");
    assert_eq!(office.sent().len(), 2, "none of the others was begun");
    while names(&office.story().await).last() != Some(&"dial-failed") {}
    // Its place is given back behind the notice.
    loop {
        let answer = office.dial(two.clone()).await;
        if answer.status == StatusCode::ACCEPTED {
            break;
        }
        answer.refused(429, "too_many_requests");
    }
}

#[tokio::test]
async fn the_calls_and_jobs_of_others_are_told_to_nobody() {
    let mut office = Office::open().await;
    office.destine("carrier/", Fate::answered(MOMENT));
    let theirs = "originate {^^;origination_uuid=0;execute_on_ring=event:Event-Name=CUSTOM,\
                  Event-Subclass=convened::dial,Dial-ID=theirs}sofia/gateway/carrier/9 &conference(x@default)";
    office.house.switch().world(|world, now| {
        world.bgapi(now, theirs, Some("theirs".into()));
        world.bgapi(now, "status", None);
    });
    office.house.switch().until(|rooms| rooms.iter().any(|room| room.name == "x")).await;
    accepted(&office.dial(json!({ "endpoints": ["1"] })).await);
    let story = office.story().await;
    assert_eq!(names(&story), ["dial-ringing", "dial-answered"]);
    let NoticeKind::Dial { endpoint, progress, .. } = &story[1].kind else { panic!("{:?}", story[1].kind) };
    assert_eq!((&**endpoint, progress), ("1", &DialProgress::Answered));
    assert!(office.told.try_recv().is_err());
}

#[tokio::test]
async fn a_stop_waits_for_no_call() {
    let office = Office::open().await;
    office.destine("carrier/", Fate::rings_on(MOMENT));
    accepted(&office.dial(json!({ "endpoints": ["1"], "timeout": 600 })).await);
    timeout(PATIENCE, office.house.daemon.stop()).await.expect("it stops");
}

#[tokio::test]
async fn who_would_answer_late_is_not_in_the_conference_of_another_account() {
    let office = Office::open().await;
    let host = office.house.join("3000", "Host").await;
    office.destine("ann@", Fate::answered(60_000_000));
    let mut notices = office.house.daemon.hub().listen_to_notices();
    let answer = office.dial_into("3000", json!({ "endpoints": ["sip:ann@example.com"] })).await;
    accepted(&answer);
    let switch = office.house.switch();
    switch.leave(&host).unwrap();
    // The name is free; whoever takes it has nothing to do with the call.
    let reason = loop {
        let notice =
            tokio::time::timeout(crate::client::PATIENCE, notices.recv()).await.expect("it is told").unwrap();
        let NoticeKind::Dial { progress, .. } = &notice.kind else { panic!("{:?}", notice.kind) };
        if progress.is_last() {
            break progress.reason().map(str::to_owned);
        }
    };
    assert_eq!(reason.as_deref(), Some("the conference ended before somebody answered"));
    let killed = switch.commands().into_iter().any(|seen| seen.text.starts_with("api uuid_kill "));
    assert!(killed, "the phone does not ring on");
}

#[tokio::test]
async fn as_long_as_it_may_run_on_a_node_that_is_lost_it_is_not_begun_elsewhere() {
    let house = House::with(2, |config| config.node[1].stale_after_s = 0).await;
    let owner = house.owner().await;
    let (lost, there) =
        (owner.create(json!({ "name": "A" })).await, owner.create(json!({ "name": "B" })).await);
    house.switches[1].join(&lost, Caller::new("Ben", "2")).expect("let in");
    house.told().await;
    house.switches[1].stop_listening().await;
    house.switches[1].cut(Which::All);
    house.condition("fs2", NodeCondition::Stale).await;
    let dial = json!({ "action": "dial", "endpoints": ["sip:ann@example.com"] });
    for (room, why) in [(&lost, "stale"), (&there, "not_known")] {
        let refused = owner.put(&format!("conferences/{room}"), dial.clone()).await;
        assert_eq!(refused.refused(503, "switch_unavailable")["reason"], why);
    }
    // Where one of two is known to run it is joined.
    house.switches[0].join(&lost, Caller::new("Ann", "1")).expect("let in");
    let joined = || house.daemon.context().registry.conference(&lost).len() == 2;
    while !joined() {
        crate::client::look_again().await;
    }
    let answer = owner.put(&format!("conferences/{lost}"), dial).await;
    assert_eq!(column(&accepted(&answer)["results"], "node"), ["fs1"]);
}
