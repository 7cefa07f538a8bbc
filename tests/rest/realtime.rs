//! What runs, as the answers tell it.

use std::time::{SystemTime, UNIX_EPOCH};

use convened::config::Timestamps;
use convened::sim::world::Caller;
use serde_json::{Value, json};

use crate::client::{column, keys, text};
use crate::house::{ACCOUNT, House};

/// From the year 0 to 1970, in seconds.
const GREGORIAN: u64 = 62_167_219_200;

const FIELDS: [&str; 22] = [
    "call_id",
    "conference_name",
    "conference_uuid",
    "switch_hostname",
    "floor",
    "hear",
    "speak",
    "talking",
    "mute_detect",
    "participant_id",
    "energy_level",
    "current_energy",
    "video",
    "is_moderator",
    "join_time",
    "duration",
    "caller_id_name",
    "caller_id_number",
    "hold",
    "ghost",
    "node",
    "instance_id",
];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[tokio::test]
async fn a_running_document_tells_who_is_in_it() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "Board" })).await;
    let path = format!("conferences/{id}");
    let ann = house.join_as_moderator(&id, "Ann").await;
    let ben = house.join(&id, "Ben").await;
    house
        .enter(&id, Caller::new("Cid", "3").flags("mute|deaf").variable("confvar_account_id", ACCOUNT))
        .await;
    house.switch().talk(&ben, true).expect("in the conference");
    // The mixer gives the floor by itself, a moment later.
    house.switch().until(|rooms| rooms[0].members[1].floor).await;
    house.told().await;
    let answer = owner.get(&path).await;
    let seen = answer.ok();
    let truth = house.switch().truth().remove(0);
    assert_eq!((&seen["name"], &seen["focus"]), (&json!("Board"), &json!("fs1")));
    assert_eq!(seen["instances"], json!([{ "node": "fs1", "instance_id": truth.uuid }]));
    assert_eq!(seen.get("ad_hoc"), None);
    let realtime = &seen["_read_only"];
    for (key, value) in [
        ("members", json!(2)),
        ("admins", json!(1)),
        ("moderators", json!(1)),
        ("is_locked", json!(false)),
        ("complete", json!(true)),
    ] {
        assert_eq!(realtime[key], value, "{key}");
    }
    assert!(realtime["duration"].as_u64().is_some_and(|seconds| seconds < 60), "{realtime}");
    let people = &realtime["participants"];
    assert_eq!(column(people, "caller_id_name"), ["Ann", "Ben", "Cid"]);
    for (person, member) in people.as_array().expect("a list").iter().zip(&truth.members) {
        assert_eq!(keys(person), FIELDS);
        for (key, value) in [
            ("call_id", json!(member.call)),
            ("participant_id", json!(member.id)),
            ("hear", json!(member.hear)),
            ("speak", json!(member.speak)),
            ("talking", json!(member.talking)),
            ("floor", json!(member.floor)),
            ("hold", json!(member.hold)),
            ("is_moderator", json!(member.moderator)),
            ("ghost", json!(member.ghost)),
            ("energy_level", json!(member.energy_level)),
            ("conference_name", json!(id)),
            ("video", json!(false)),
            ("conference_uuid", json!(truth.uuid)),
            ("instance_id", json!(truth.uuid)),
            ("node", json!("fs1")),
            ("switch_hostname", json!("fs1")),
            ("mute_detect", json!(false)),
        ] {
            assert_eq!(person[key], value, "{key} of {person}");
        }
        let joined = person["join_time"].as_u64().expect("a time") - GREGORIAN;
        assert!(joined.abs_diff(now()) < 60, "{person}");
        assert!(person["duration"].as_u64().is_some_and(|seconds| seconds < 60), "{person}");
    }
    assert_eq!(column(people, "talking"), [false, true, false]);
    assert_eq!(column(people, "speak"), [true, true, false]);
    let list = owner.get(&format!("{path}/participants")).await;
    assert_eq!(column(&list.ok(), "call_id"), column(people, "call_id"));
    assert_eq!(keys(&list.ok()[0]), FIELDS);
    house.switch().leave(&ann).expect("in the conference");
    let left = owner.until(&path, |answer| answer.data()["_read_only"]["admins"] == 0).await;
    assert_eq!(column(&left.ok()["_read_only"]["participants"], "caller_id_name"), ["Ben", "Cid"]);
}

#[tokio::test]
async fn what_only_a_list_has_told_has_no_current_energy() {
    let switch = crate::house::switch(1).await;
    switch.join("early", Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT)).expect("let in");
    switch.until(|rooms| rooms[0].members[0].floor).await;
    let house = House::beside(vec![switch], |_| {}).await;
    house.followed().await;
    let seen = house.owner().await.get("conferences/early/participants").await.ok();
    assert_eq!((&seen[0]["caller_id_name"], &seen[0]["current_energy"]), (&json!("Ann"), &Value::Null));
    let call = text(&seen[0]["call_id"]);
    house.switch().talk(&call, true).expect("in the conference");
    house.told().await;
    let seen = house.owner().await.get("conferences/early/participants").await.ok();
    assert!(seen[0]["current_energy"].is_u64(), "{seen}");
}

#[tokio::test]
async fn times_are_unix_times_if_the_configuration_says_so() {
    let house = House::with(1, |config| config.conference.timestamps = Timestamps::Unix).await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    house.join(&id, "Ann").await;
    let realtime = owner.get(&format!("conferences/{id}")).await.ok()["_read_only"].clone();
    for time in [&realtime["participants"][0]["join_time"], &realtime["created"], &realtime["modified"]] {
        assert!(time.as_u64().is_some_and(|time| time.abs_diff(now()) < 60), "{realtime}");
    }
}

#[tokio::test]
async fn a_conference_without_a_document_is_shown_as_ad_hoc() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join_as_moderator("daily stand-up", "Ann").await;
    let seen = owner.get("conferences/daily%20stand-up").await;
    let data = seen.ok();
    assert_eq!(keys(&data), ["id", "name", "ad_hoc", "focus", "instances", "_read_only"]);
    assert_eq!(
        (&data["id"], &data["name"], &data["ad_hoc"]),
        (&json!("daily stand-up"), &json!("daily stand-up"), &json!(true))
    );
    assert_eq!((&data["_read_only"]["admins"], &data["_read_only"]["members"]), (&json!(1), &json!(0)));
    assert_eq!((seen.header("etag"), seen.json().get("revision")), (None, None));
    owner.patch("conferences/daily%20stand-up", json!({ "name": "x" })).await.not_found("daily stand-up");
    owner.delete("conferences/daily%20stand-up").await.not_found("daily stand-up");
}

#[tokio::test]
async fn a_participant_is_found_by_number_and_by_call_and_digits_mean_a_number_first() {
    let house = House::start().await;
    let owner = house.owner().await;
    let tagged = |name: &str| Caller::new(name, "1").variable("confvar_account_id", ACCOUNT);
    let ann = house.enter("talk", tagged("Ann")).await;
    house.enter("talk", tagged("Ben").uuid("1")).await;
    house.enter("talk", tagged("Cid").uuid("777")).await;
    house.enter("talk", tagged("Dot").uuid("a{b'@sip.example.com")).await;
    let path = |rest: &str| format!("conferences/talk/participants/{rest}");
    for (asked, name) in [
        ("1".to_owned(), "Ann"),
        ("01".into(), "Ann"),
        (ann.clone(), "Ann"),
        (format!("{ann}?by=call_id"), "Ann"),
        ("1?by=call_id".into(), "Ben"),
        ("2".into(), "Ben"),
        ("777".into(), "Cid"),
        ("777?by=call_id".into(), "Cid"),
        ("a%7Bb%27%40sip.example.com".into(), "Dot"),
    ] {
        let answer = owner.get(&path(&asked)).await;
        assert_eq!(answer.ok()["caller_id_name"], name, "{asked}");
        assert_eq!(keys(&answer.ok()), FIELDS);
    }
    for (asked, cause) in [
        ("abc", "abc"),
        ("99999999999", "99999999999"),
        ("99", "99"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("2?by=call_id", "2"),
        (&ann[1..], &ann[1..]),
        ("%20", " "),
        ("\u{661}".to_owned().as_str(), "\u{661}"),
    ] {
        let encoded = asked.replace('\u{661}', "%D9%A1");
        owner.get(&path(&encoded)).await.not_found(cause);
        owner.act(&path(&encoded), "mute").await.not_found(cause);
    }
    assert_eq!(house.orders(0), [""; 0]);
}

#[tokio::test]
async fn somebody_who_has_left_is_not_found_and_a_conference_that_is_over_is_not_running() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    let people = format!("conferences/{id}/participants");
    let over = json!({ "cause": id, "reason": "not_running" });
    assert_eq!(owner.get(&people).await.ok(), json!([]));
    for action in ["mute", "kick"] {
        assert_eq!(owner.act(&people, action).await.refused(404, "bad_identifier"), over);
        assert_eq!(owner.act(&format!("{people}/1"), action).await.refused(404, "bad_identifier"), over);
    }
    assert_eq!(owner.act(&format!("conferences/{id}"), "lock").await.refused(404, "bad_identifier"), over);
    let ann = house.join(&id, "Ann").await;
    house.join(&id, "Ben").await;
    house.switch().leave(&ann).expect("in the conference");
    owner.until(&people, |answer| answer.data().as_array().is_some_and(|list| list.len() == 1)).await;
    for gone in [ann.as_str(), "1"] {
        owner.get(&format!("{people}/{gone}")).await.not_found(gone);
        owner.act(&format!("{people}/{gone}"), "mute").await.not_found(gone);
    }
}

#[tokio::test]
async fn answers_tell_up_to_which_change_they_go() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    let path = format!("conferences/{id}");
    assert_eq!(owner.get(&path).await.header("x-conference-seq"), None);
    house.join(&id, "Ann").await;
    let instance = house.switch().truth()[0].uuid.clone();
    let mut last = 0;
    for action in ["lock", "unlock"] {
        let asked = [
            owner.get(&path).await,
            owner.get(&format!("{path}/participants")).await,
            owner.get(&format!("{path}/participants/1")).await,
            owner.act(&path, action).await,
        ];
        for (at, answer) in asked.iter().enumerate() {
            let sequence = answer.header("x-conference-seq").expect("a number");
            let (of, number) = sequence.split_once(';').expect("INSTANCE;N");
            let number: u64 = number.parse().expect("a number");
            assert_eq!(of, instance);
            assert!(number >= last && (at < 3 || number > last), "{last}, then {sequence}");
            last = number;
        }
    }
}

#[tokio::test]
async fn a_conference_on_two_nodes_is_one_with_all_its_people() {
    let house = House::with(2, |_| {}).await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let path = format!("conferences/{id}");
    house.join(&id, "Ann").await;
    house.switches[1].join(&id, Caller::new("Ben", "2").moderator()).expect("let in");
    house.told().await;
    let answer = owner.get(&path).await;
    let seen = answer.ok();
    let instances: Vec<String> = house.switches.iter().map(|switch| switch.truth()[0].uuid.clone()).collect();
    assert_eq!(seen["focus"], "fs1");
    assert_eq!(
        seen["instances"],
        json!([{ "node": "fs1", "instance_id": instances[0] }, { "node": "fs2", "instance_id": instances[1] }])
    );
    assert_eq!((&seen["_read_only"]["members"], &seen["_read_only"]["admins"]), (&json!(1), &json!(1)));
    assert_eq!(column(&seen["_read_only"]["participants"], "node"), ["fs1", "fs2"]);
    let sequence = answer.header("x-conference-seq").expect("a number").to_owned();
    assert!(instances.iter().all(|instance| sequence.contains(instance.as_str())), "{sequence}");
    let listed = owner.get("conferences").await.ok();
    assert_eq!(
        (listed.as_array().map(Vec::len), &listed[0]["members"], &listed[0]["admins"]),
        (Some(1), &json!(1), &json!(1))
    );

    let locked = owner.act(&path, "lock").await.ok();
    assert_eq!(column(&locked["results"], "node"), ["fs1", "fs2"]);
    assert_eq!(column(&locked["results"], "result"), ["done", "done"]);
    assert!(house.switches.iter().all(|switch| switch.truth()[0].locked));
    assert_eq!(owner.get(&path).await.ok()["_read_only"]["is_locked"], true);

    let muted = owner.act(&format!("{path}/participants"), "mute").await.ok();
    assert_eq!(column(&muted["results"], "result"), ["done", "skipped_moderator"]);

    // Both have a participant 1: nobody is hit by a guess, the call id says who is meant.
    let one = format!("{path}/participants/1");
    owner.get(&one).await.refused(400, "invalid_request");
    owner.act(&one, "kick").await.refused(400, "invalid_request");
    let ben = house.switches[1].truth()[0].members[0].call.clone();
    let kicked = owner.act(&format!("{path}/participants/{ben}"), "kick").await.ok();
    assert_eq!(
        (&kicked["results"][0]["node"], &kicked["results"][0]["result"]),
        (&json!("fs2"), &json!("done"))
    );
    assert_eq!(house.switch().truth()[0].members.len(), 1);
    assert!(house.switches[1].truth().is_empty());
    let alone = owner
        .until(&path, |answer| answer.ok()["instances"].as_array().is_some_and(|all| all.len() == 1))
        .await;
    assert_eq!(alone.ok()["focus"], "fs1");
}
