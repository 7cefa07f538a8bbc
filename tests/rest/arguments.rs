//! Arguments of actions: what they may be, how they are sent, and what of them reaches a switch.

use convened::sim::world::Caller;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Rest, column};
use crate::house::{ACCOUNT, House, OTHER, switch};

/// What others have put into such fields, and what FreeSWITCH would read in it.
pub(crate) const HOSTILE: [&str; 16] = [
    "${system(touch /tmp/x)}",
    "$${domain}",
    "a\r\n\r\nexit",
    "a\nb",
    "it's",
    "a \"b\"",
    "a\\nb",
    "^^:a:b",
    "a;b",
    "a|b",
    "{x=1}a",
    "[leg]a",
    "&park()",
    "a`id`",
    "a\u{0}b",
    "../../etc/passwd",
];

async fn talk() -> (House, Rest, String) {
    let house = House::with(1, |config| config.media.schemes = vec!["https".into()]).await;
    let owner = house.owner().await;
    let ann = house.join("talk", "Ann").await;
    (house, owner, ann)
}

fn sent(house: &House) -> Vec<String> {
    let all = house.switch().commands().into_iter().map(|seen| seen.text);
    all.filter(|text| text.starts_with("api conference talk ") && !text.contains("list")).collect()
}

#[tokio::test]
async fn an_action_is_asked_for_in_each_form_that_clients_use() {
    let (house, owner, _) = talk().await;
    let wanted = "api conference talk play /usr/share/freeswitch/sounds/a.wav";
    let flat = json!({ "data": { "action": "play", "media_id": "a.wav", "account_id": "whatever" } });
    let own = json!({ "data": { "action": "play", "data": { "media_id": "a.wav" } } });
    let top = json!({ "action": "play", "data": { "media_id": "a.wav" } });
    for (n, body) in [flat, own, top].iter().enumerate() {
        let answer = owner.ask(Method::PUT, "conferences/talk").json(body).send().await;
        assert_eq!(column(&answer.ok()["results"], "result"), ["done"], "{body}");
        assert_eq!(sent(&house).iter().filter(|text| *text == wanted).count(), n + 1, "{body}");
    }
    // In an object of its own nothing is passed over.
    let odd = json!({ "action": "play", "data": { "media_id": "a.wav", "loops": 3 } });
    let wrong = owner.put("conferences/talk", odd).await.refused(400, "validation_error");
    assert!(wrong.to_string().contains("additionalProperties"), "{wrong}");
}

#[tokio::test]
async fn wrong_arguments_are_told_by_name() {
    let (house, owner, _) = talk().await;
    for (path, data, field) in [
        ("talk", json!({ "action": "play", "data": {} }), "media_id"),
        ("talk", json!({ "action": "play", "media_id": 7 }), "media_id"),
        ("talk", json!({ "action": "play", "media_id": "/etc/passwd" }), "media_id"),
        ("talk", json!({ "action": "play", "media_id": "ftp://example.com/a" }), "media_id"),
        ("talk", json!({ "action": "set", "max_members": 1 }), "max_members"),
        ("talk/participants/1", json!({ "action": "volume_in", "level": 5 }), "level"),
        ("talk/participants/1", json!({ "action": "dtmf", "digits": "12x" }), "digits"),
        ("talk/participants/1", json!({ "action": "transfer", "to": "talk" }), "to"),
        ("talk/participants/1", json!({ "action": "transfer", "to": "nosuch" }), "to"),
        ("talk/participants", json!({ "action": "mute", "participants": "all" }), "participants"),
        ("talk/participants", json!({ "action": "mute", "filter": { "role": "boss" } }), "filter.role"),
    ] {
        let wrong =
            owner.put(&format!("conferences/{path}"), data.clone()).await.refused(400, "validation_error");
        assert!(wrong.get(field).is_some(), "{data}: {wrong}");
    }
    let unknown = owner.put("conferences/talk", json!({ "action": "explode" })).await;
    unknown.refused(400, "invalid_request");
    assert_eq!(sent(&house), Vec::<String>::new(), "nothing of it has reached the switch");
}

#[tokio::test]
async fn nothing_hostile_reaches_a_switch() {
    let (house, owner, _) = talk().await;
    for text in HOSTILE {
        for (path, action, key) in [
            ("talk", "play", "media_id"),
            ("talk", "say", "text"),
            ("talk", "set", "caller_id_name"),
            ("talk", "set", "sound_prefix"),
            ("talk/participants/1", "play", "media_id"),
            ("talk/participants/1", "say", "text"),
            ("talk/participants/1", "dtmf", "digits"),
            ("talk/participants/1", "transfer", "to"),
        ] {
            let data = json!({ "action": action, "data": { key: text } });
            let answer = owner.put(&format!("conferences/{path}"), data).await;
            answer.refused(400, "validation_error");
        }
    }
    assert_eq!(sent(&house), Vec::<String>::new());
    // And what passes is one line with that meaning.
    for (data, line) in [
        (
            json!({ "action": "say", "text": "Good morning, all: 7 are here (maybe)!" }),
            "api conference talk say Good morning, all: 7 are here (maybe)!",
        ),
        (
            json!({ "action": "play", "media_id": "https://media.example.com/a.mp3?x=1" }),
            "api conference talk play https://media.example.com/a.mp3?x=1",
        ),
    ] {
        owner.put("conferences/talk", data).await;
        assert_eq!(sent(&house).last().map(String::as_str), Some(line));
    }
}

#[tokio::test]
async fn what_would_be_done_is_told_and_not_done() {
    let (house, owner, ann) = talk().await;
    house.join_as_moderator("talk", "Ben").await;
    let dry = json!({ "action": "mute", "dry_run": true });
    let answer = owner.put("conferences/talk/participants", dry).await.ok();
    assert_eq!(answer["dry_run"], true);
    assert_eq!(column(&answer["results"], "result"), ["would_do", "skipped_moderator"]);
    assert_eq!(sent(&house), Vec::<String>::new());
    let both = json!({ "action": "mute", "participants": [1, 2, 9], "filter": { "except": [2] } });
    let answer = owner.put("conferences/talk/participants", both).await.ok();
    assert_eq!(column(&answer["results"], "participant_id"), [1, 9]);
    assert_eq!(column(&answer["results"], "result"), ["done", "not_found"]);
    assert_eq!(sent(&house), [format!("api conference talk mute uuid={ann}")]);
}

#[tokio::test]
async fn somebody_goes_to_another_conference_of_the_same_account_only() {
    let (house, owner, ann) = talk().await;
    let stranger = house.stranger().await;
    let theirs = stranger.create(json!({ "name": "theirs" })).await;
    let ours = owner.create(json!({ "name": "ours", "profile": "wide" })).await;
    let to = |id: &str| json!({ "action": "transfer", "to": id });
    let path = format!("conferences/talk/participants/{ann}");
    let wrong = owner.put(&path, to(&theirs)).await.refused(400, "validation_error");
    assert!(wrong.get("to").is_some(), "{wrong}");
    let answer = owner.put(&path, to(&ours)).await.ok();
    assert_eq!(column(&answer["results"], "result"), ["done"]);
    assert_eq!(sent(&house).last(), Some(&format!("api conference talk transfer {ours}@wide 1")));
    let there = owner.get(&format!("conferences/{ours}/participants")).await.ok();
    assert_eq!(column(&there, "call_id"), [Value::from(ann)]);
}

#[tokio::test]
async fn every_action_has_a_schema_that_anybody_can_read() {
    let (house, owner, _) = talk().await;
    let nobody = Rest::new(owner.address, &owner.account, None);
    let all = nobody.get("/v2/schemas").await.ok();
    let all: Vec<_> = all.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(all.contains(&"conferences") && all.contains(&"participant.transfer"), "{all:?}");
    for name in &all {
        let schema = nobody.get(&format!("/v2/schemas/{name}")).await.ok();
        assert_eq!(schema["type"], "object", "{name}");
    }
    nobody.get("/v2/schemas/conferences.explode").await.not_found("conferences.explode");
    // Each of them is an action that is known where its name says.
    for name in all.iter().filter_map(|name| name.split_once('.')) {
        let path = match name.0 {
            "conferences" => "conferences/nosuch",
            "participants" => "conferences/nosuch/participants",
            _ => "conferences/nosuch/participants/1",
        };
        let answer = owner.put(path, json!({ "action": name.1 })).await;
        assert_ne!(answer.message(), "invalid_request", "{name:?}");
    }
    let _ = house.switch().join("talk", Caller::new("Ben", "2"));
}

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let (house, owner, ann) = talk().await;
    house.join("talk", "Ben").await;
    let one = format!("conferences/talk/participants/{ann}");
    let many = "conferences/talk/participants";
    let put = |path: String, body: String| {
        let call = owner.ask(Method::PUT, &path).header("content-type", "application/json");
        async move { call.body(format!(r#"{{"data": {body}}}"#)).send().await }
    };
    for (body, line) in [
        (r#"{"action": "volume_in", "level": 3.0}"#, format!("volume_in uuid={ann} 3")),
        (r#"{"action": "volume_out", "level": -2.0}"#, format!("volume_out uuid={ann} -2")),
        (r#"{"action": "energy", "level": 3e2}"#, format!("energy uuid={ann} 300")),
    ] {
        put(one.clone(), body.to_owned()).await.ok();
        assert_eq!(sent(&house).last(), Some(&format!("api conference talk {line}")), "{body}");
    }
    for (body, ids) in [
        (r#"{"action": "kick", "dry_run": true, "participants": [1.0]}"#, vec![1]),
        (r#"{"action": "kick", "dry_run": true, "filter": {"except": [1.0]}}"#, vec![2]),
        (r#"{"action": "kick", "dry_run": true, "filter": {"except": [1e0, 2.0]}}"#, vec![]),
    ] {
        let answer = put(many.to_owned(), body.to_owned()).await.ok();
        assert_eq!(column(&answer["results"], "participant_id"), ids, "{body}");
    }
    let pair = r#"{"action": "relate", "participant_id": 1.0, "other_participant": 2.0, "dry_run": true}"#;
    put(many.to_owned(), pair.to_owned()).await.ok();
    let answer =
        put("conferences/talk".to_owned(), r#"{"action": "set", "max_members": 5.0}"#.to_owned()).await;
    assert_eq!(column(&answer.ok()["results"], "result"), ["done"]);
    assert!(sent(&house).contains(&"api conference talk set max_members 5".to_owned()));
}

#[tokio::test]
async fn nobody_goes_to_the_conference_that_another_account_has_on_his_node() {
    let house = House::beside(vec![switch(1).await, switch(2).await], |_| ()).await;
    house.followed().await;
    let owner = house.owner().await;
    let of = |account: &str| Caller::new("Ann", "1").variable("confvar_account_id", account);
    // Ours of that name is on the second node, theirs on the first.
    house.switches[1].join("3000", of(ACCOUNT)).unwrap();
    house.switches[0].join("3000", of(OTHER)).unwrap();
    let ann = house.switches[0].join("talk", of(ACCOUNT)).unwrap();
    house.told().await;
    let to = |id: &str| json!({ "action": "transfer", "to": id });
    let path = format!("conferences/talk/participants/{ann}");
    let wrong = owner.put(&path, to("3000")).await.refused(400, "validation_error");
    assert!(wrong.get("to").is_some(), "{wrong}");
    // What begins on his node by that would be nobody's.
    house.switches[1].join("3001", of(ACCOUNT)).unwrap();
    house.told().await;
    owner.put(&path, to("3001")).await.refused(400, "validation_error");
    assert!(!sent(&house).iter().any(|line| line.contains("transfer")), "{:?}", sent(&house));
    house.switches[0].join("3001", of(ACCOUNT)).unwrap();
    house.told().await;
    assert_eq!(column(&owner.put(&path, to("3001")).await.ok()["results"], "result"), ["done"]);
}
