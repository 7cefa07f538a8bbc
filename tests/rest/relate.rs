//! `relate`: two participants, one of whom does not hear the other.

use serde_json::{Value, json};

use crate::client::{Rest, column};
use crate::house::{House, switch};

const PATH: &str = "conferences/talk/participants";

async fn two() -> (House, Rest, [String; 2]) {
    let house = House::start().await;
    let owner = house.owner().await;
    let calls = [house.join("talk", "Ann").await, house.join("talk", "Ben").await];
    (house, owner, calls)
}

fn relate(first: impl Into<Value>, other: impl Into<Value>, relationship: &str) -> Value {
    let (first, other): (Value, Value) = (first.into(), other.into());
    json!({ "action": "relate", "data":
        { "participant_id": first, "other_participant": other, "relationship": relationship } })
}

#[tokio::test]
async fn one_of_two_does_not_hear_the_other() {
    let (house, owner, [ann, ben]) = two().await;
    let hears = |listener: &str, speaker: &str| house.switch().truth()[0].hears(listener, speaker);
    let result = |result: &str| {
        json!({ "action": "relate", "conference_id": "talk", "results": [{ "participant_id": 1,
            "call_id": ann, "node": "fs1", "result": result, "other_participant": 2 }] })
    };
    for (data, wanted, ann_hears, ben_hears) in [
        (relate(1, 2, "deaf"), "done", false, true),
        (relate("1", "2", "deaf"), "already", false, true),
        (relate(1, "2", "mute"), "done", true, false),
        // Nothing said is clear.
        (json!({ "action": "relate", "participant_id": 1, "other_participant": 2 }), "done", true, true),
        (relate(1, 2, "clear"), "already", true, true),
    ] {
        assert_eq!(owner.put(PATH, data.clone()).await.ok(), result(wanted), "{data}");
        assert_eq!((hears(&ann, &ben), hears(&ben, &ann)), (ann_hears, ben_hears), "{data}");
    }
    let rows = owner.get("conferences/talk/audit").await.ok();
    assert_eq!(column(&rows, "result"), ["already", "done", "done", "already", "done"]);
    let row = &rows[4];
    assert_eq!((&row["action"], &row["participant_id"]), (&json!("relate"), &json!(1)));
    assert_eq!(row["call_id"], json!(ann));
    assert_eq!(row["arguments"]["data"], relate(1, 2, "deaf")["data"]);
}

#[tokio::test]
async fn wrong_ids_reach_no_switch() {
    let (house, owner, _) = two().await;
    for (first, other, field) in [
        (json!(0), json!(2), "participant_id"),
        (json!("a"), json!(2), "participant_id"),
        (json!("1 2"), json!(2), "participant_id"),
        (json!("01"), json!(2), "participant_id"),
        (json!("4294967296"), json!(2), "participant_id"),
        (json!(1), json!(4_294_967_296_u64), "other_participant"),
        (json!(1), json!("1,2"), "other_participant"),
        (json!(1), json!(-2), "other_participant"),
        (json!(1), json!(1), "other_participant"),
        (json!(1), json!("1"), "other_participant"),
        (json!(1), json!(null), "other_participant"),
    ] {
        let data = relate(first, other, "deaf");
        let wrong = owner.put(PATH, data.clone()).await.refused(400, "validation_error");
        assert!(wrong.get(field).is_some(), "{data}: {wrong}");
    }
    let wrong = owner.put(PATH, relate(1, 2, "nohear")).await.refused(400, "validation_error");
    assert!(wrong.get("relationship").is_some(), "{wrong}");
    owner.put(PATH, relate(1, 9, "deaf")).await.not_found("9");
    owner.put(PATH, relate("9", 1, "deaf")).await.not_found("9");
    let one = owner.put(&format!("{PATH}/1"), relate(1, 2, "deaf")).await;
    one.refused(400, "invalid_request");
    house.stranger().await.put(PATH, relate(1, 2, "deaf")).await.not_found("talk");
    assert_eq!(house.orders(0), [""; 0]);
    let dry = json!({ "action": "relate", "participant_id": 1, "other_participant": 2, "dry_run": true });
    let answer = owner.put(PATH, dry).await.ok();
    assert_eq!(
        (&answer["dry_run"], column(&answer["results"], "result")),
        (&json!(true), vec![json!("would_do")])
    );
    assert_eq!(house.orders(0), [""; 0]);
}

#[tokio::test]
async fn whose_number_belongs_to_somebody_else_is_not_found() {
    let (house, owner, [_, ben]) = two().await;
    for _ in 0..20 {
        house.switch().answer_instead("get-uuid 2", "3f0c6d3e-0000-4000-8000-000000000000");
    }
    let data = owner.put(PATH, relate(1, 2, "deaf")).await.refused(404, "bad_identifier");
    assert_eq!((&data["cause"], &data["results"][0]["result"]), (&json!(ben), &json!("not_found")));
    house.switch().answer_truly();
    house.switch().answer_instead("relate 1 2", "-ERR error!\n");
    let data = owner.put(PATH, relate(1, 2, "deaf")).await.refused(502, "switch_error");
    assert_eq!(data["results"][0]["other_participant"], 2);
    assert_eq!(column(&owner.get("conferences/talk/audit").await.ok(), "result"), ["failed", "not_found"]);
}

#[tokio::test]
async fn both_must_be_on_the_same_node_and_meant_without_a_doubt() {
    let house = House::beside(vec![switch(1).await, switch(2).await], |_| ()).await;
    house.followed().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    let caller = |name| {
        convened::sim::world::Caller::new(name, "1").variable("confvar_account_id", crate::house::ACCOUNT)
    };
    for name in ["Ben", "Cid"] {
        house.switches[1].join("elsewhere", caller(name)).unwrap();
    }
    // Numbers 3 and 4 there.
    for name in ["Dan", "Eve"] {
        house.switches[1].join("talk", caller(name)).unwrap();
    }
    house.told().await;
    let apart = owner.put(PATH, relate(1, 3, "deaf")).await.refused(400, "invalid_request");
    assert!(apart["message"].as_str().is_some_and(|text| text.contains("same node")), "{apart}");
    let together = owner.put(PATH, relate(3, 4, "deaf")).await.ok();
    assert_eq!(column(&together["results"], "node"), ["fs2"]);
    for name in ["Fay", "Guy", "Hal"] {
        house.join("talk", name).await;
    }
    let twice = owner.put(PATH, relate(3, 4, "clear")).await.refused(400, "invalid_request");
    assert!(twice["message"].as_str().is_some_and(|text| text.contains("several nodes")), "{twice}");
}
