//! What clients are told, made of what a real FreeSWITCH told.

mod support;

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use convened::esl::{Decoder, Frame, Limits};
use convened::hub::{News, Origin, Told, routing_key};
use convened::model::Moment;
use convened::node::Translator;
use convened::registry::{Change, Registry, Writer};
use serde_json::{Value, json};
use tokio_util::codec::Decoder as _;

/// All changes that a recording comes to, as a daemon tells them that began at that moment.
fn changes(recording: &str, began_ms: u64) -> Vec<Change> {
    let told: Arc<Mutex<Vec<Change>>> = Arc::default();
    let mut writer = Writer::new(Arc::new(Registry::new()), "fs1".into(), told.clone());
    let translator = Translator::with_variables(&["ecallmgr_".to_owned()]);
    let mut decoder = Decoder::new(Limits::default());
    let mut bytes = BytesMut::from(&support::received(&support::capture(recording))[..]);
    let mut n = 0;
    while let Some(frame) = decoder.decode(&mut bytes).unwrap() {
        let Frame::Event(event) = frame else { continue };
        n += 1;
        let now = Moment { unix_ms: 1_795_426_262_000 + n, monotonic_ms: began_ms + n };
        if let Some(event) = translator.conference_event(&event) {
            writer.apply(&event, now);
        }
    }
    drop(writer);
    Arc::into_inner(told).unwrap().into_inner().unwrap()
}

fn told(change: &Change) -> Told {
    Told::new(None, News::Change(Arc::new(change.clone())))
}

fn data(told: &Told, origin: &Origin) -> Value {
    serde_json::from_str(&format!("{}}}", told.open_body(origin))).expect("JSON")
}

fn daemon(name: &str) -> Origin {
    Origin { daemon: name.into() }
}

#[test]
fn who_joins_is_told_with_all_that_kazoo_tells() {
    let changes = changes("tags", 0);
    let joined = changes.iter().find(|change| change.kind.name() == "add-member").expect("somebody joins");
    let told = told(joined);
    let data = data(&told, &daemon("convened@here"));
    // The keys of the example that existing clients were written by.
    for key in [
        "custom_channel_vars",
        "channel_presence_id",
        "caller_id_number",
        "caller_id_name",
        "mute_detect",
        "video",
        "energy_level",
        "current_energy",
        "talking",
        "speak",
        "hear",
        "floor",
        "participant_id",
        "instance_id",
        "conference_id",
        "focus",
        "call_id",
        "event",
        "node",
        "msg_id",
        "event_name",
        "event_category",
        "app_version",
        "app_name",
        "routing_key",
    ] {
        assert!(data.get(key).is_some(), "{key} is missing: {data}");
    }
    // The profile of this conference has verbose-events.
    assert_eq!(
        data["custom_channel_vars"],
        json!({
            "account_id": "9d351ad7ffd6f846313af9eed3bb7b85",
            "owner_id": "32d8788da9506b4b1991d5bb86d27b0a",
            "authorizing_type": "device",
            "username": "sip1",
        })
    );
    let (participant, _) = joined.participant.as_ref().expect("it is about somebody");
    assert_eq!(data["call_id"], *participant.call_id);
    assert_eq!(
        (&data["event"], &data["event_name"], &data["routing_key"]),
        (&json!("add-member"), &json!("participant_event"), &json!("participant_event"))
    );
    assert_eq!(
        (&data["app_name"], &data["node"], &data["focus"]),
        (&json!("convened"), &json!("convened@here"), &json!("fs1"))
    );
    assert_eq!((&data["seq"], &data["timestamp"]), (&json!(joined.number), &json!(joined.at.unix_ms)));
    assert_eq!(
        routing_key(&told),
        format!("conference.event.{}.{}", joined.conference.name, participant.call_id)
    );
}

#[test]
fn who_left_is_told_with_the_reason() {
    let changes = changes("actions", 0);
    let reason = |change: &Change| data(&told(change), &daemon("a"))["left_reason"].clone();
    let left = changes.iter().filter(|change| change.kind.name() == "del-member");
    let mut reasons: Vec<_> =
        left.map(|change| reason(change).as_str().expect("a reason").to_owned()).collect();
    reasons.sort();
    reasons.dedup();
    assert_eq!(reasons, ["kicked", "transferred"]);
}

#[test]
fn two_daemons_give_the_same_change_the_same_id_and_no_two_changes_one() {
    for recording in ["tags", "actions", "edges", "standup"] {
        let ids = |daemon: &Origin, began_ms| {
            changes(recording, began_ms).iter().map(|change| told(change).msg_id(daemon)).collect::<Vec<_>>()
        };
        let (one, other) = (ids(&daemon("one"), 0), ids(&daemon("other"), 77_777));
        assert_eq!(one, other, "{recording}");
        let mut different = one.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), one.len(), "{recording}");
        assert!(one.len() > 10 && one.iter().all(|id| id.len() == 32), "{recording}");
    }
}
