//! Actions: what is asked, what the switch does, what is answered, and what is seen at once after it.

use std::time::Duration;

use convened::config::Config;
use convened::sim::switch::Which;
use convened::sim::world::Caller;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, column, keys};
use crate::house::{ACCOUNT, House, SHORT};

fn assert_one(answer: &Answer, action: &str, conference: &str, result: Value) {
    assert_eq!(answer.ok(), json!({ "action": action, "conference_id": conference, "results": [result] }));
}

#[tokio::test]
async fn lock_and_unlock_are_done_once_and_seen_at_once() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    for (action, result, locked) in [
        ("lock", "done", true),
        ("lock", "already", true),
        ("unlock", "done", false),
        ("unlock", "already", false),
    ] {
        let answer = owner.act("conferences/talk", action).await;
        assert_one(
            &answer,
            action,
            "talk",
            json!({ "participant_id": null, "call_id": null, "node": "fs1", "result": result }),
        );
        assert_eq!(house.switch().truth()[0].locked, locked);
        assert_eq!(owner.get("conferences/talk").await.ok()["_read_only"]["is_locked"], locked);
        assert_eq!(owner.get("conferences").await.ok()[0]["is_locked"], locked);
        let let_in = house.switch().join("talk", Caller::new("Ben", "2"));
        assert_eq!(let_in.is_err(), locked);
        if let Ok(call) = let_in {
            house.switch().leave(&call).expect("in the conference");
        }
    }
}

#[tokio::test]
async fn each_action_on_one_participant_is_done_once_and_seen_at_once() {
    let house = House::start().await;
    let owner = house.owner().await;
    let ann = house.join("talk", "Ann").await;
    let ben = house.join_as_moderator("talk", "Ben").await;
    for (by, call, number) in [(ann.as_str(), &ann, 1), ("2", &ben, 2)] {
        let path = format!("conferences/talk/participants/{by}");
        for (action, flag, value) in [
            ("mute", "speak", false),
            ("unmute", "speak", true),
            ("deaf", "hear", false),
            ("undeaf", "hear", true),
        ] {
            for result in ["done", "already"] {
                let answer = owner.act(&path, action).await;
                assert_one(
                    &answer,
                    action,
                    "talk",
                    json!({ "participant_id": number, "call_id": call, "node": "fs1", "result": result }),
                );
                let seen = owner.get(&path).await.ok();
                assert_eq!((&seen["call_id"], &seen[flag]), (&json!(call), &json!(value)), "{action}");
                let truth = house.switch().truth();
                let truth = truth[0].member(call).expect("in the conference");
                assert_eq!(if flag == "speak" { truth.speak } else { truth.hear }, value);
            }
        }
    }
    let answer = owner.act(&format!("conferences/talk/participants/{ann}"), "kick").await;
    assert_one(
        &answer,
        "kick",
        "talk",
        json!({ "participant_id": 1, "call_id": ann, "node": "fs1", "result": "done" }),
    );
    let left = owner.get("conferences/talk/participants").await.ok();
    assert_eq!(column(&left, "call_id"), [json!(ben)]);
    assert_eq!(house.switch().truth()[0].members.len(), 1);
    owner.act(&format!("conferences/talk/participants/{ann}"), "kick").await.not_found(&ann);
}

#[tokio::test]
async fn actions_on_all_leave_moderators_alone_except_for_kick() {
    let house = House::start().await;
    let owner = house.owner().await;
    let path = "conferences/talk/participants";
    house.join_as_moderator("talk", "Mod").await;
    for name in ["Ann", "Ben", "Cid"] {
        house.join("talk", name).await;
    }
    owner.act(&format!("{path}/3"), "mute").await.ok();
    let results = |answer: Answer| {
        let mut results = answer.ok()["results"].as_array().cloned().expect("a list");
        results.sort_by_key(|result| result["participant_id"].as_u64());
        results
    };
    let muted = results(owner.act(path, "mute").await);
    assert_eq!(column(&json!(muted), "participant_id"), [1, 2, 3, 4]);
    assert_eq!(column(&json!(muted), "result"), ["skipped_moderator", "done", "already", "done"]);
    for (result, member) in muted.iter().zip(&house.switch().truth()[0].members) {
        assert_eq!((&result["call_id"], &result["node"]), (&json!(member.call), &json!("fs1")));
        assert_eq!(member.speak, member.moderator);
    }
    assert_eq!(column(&owner.get(path).await.ok(), "speak"), [true, false, false, false]);
    for (action, flag, values) in [
        ("unmute", "speak", [true, true, true, true]),
        ("deaf", "hear", [true, false, false, false]),
        ("undeaf", "hear", [true, true, true, true]),
    ] {
        let done = results(owner.act(path, action).await);
        assert_eq!(column(&json!(done), "result"), ["skipped_moderator", "done", "done", "done"], "{action}");
        assert_eq!(column(&owner.get(path).await.ok(), flag), values, "{action}");
    }
    let kicked = results(owner.act(path, "kick").await);
    assert_eq!(column(&json!(kicked), "result"), ["done"; 4]);
    assert!(house.switch().truth().is_empty());
    let after = owner.get(path).await;
    assert!(after.status == 404 || after.ok() == json!([]), "{}", after.text());
}

#[tokio::test]
async fn muting_where_only_moderators_are_changes_nothing_and_says_so() {
    let house = House::start().await;
    house.join_as_moderator("talk", "Mod").await;
    let data = house.owner().await.act("conferences/talk/participants", "mute").await.ok();
    assert_eq!(column(&data["results"], "result"), ["skipped_moderator"]);
    assert!(house.switch().truth()[0].members[0].speak);
}

#[tokio::test]
async fn an_empty_selection_is_a_success_without_results() {
    let house = House::start().await;
    house.join_as_moderator("talk", "Ann").await;
    house.switch().answer_garbage(printed("-ERR no reply\n"));
    let data = house.owner().await.act("conferences/talk/participants", "mute").await.ok();
    assert_eq!(data["results"], json!([]));
}

#[tokio::test]
async fn the_action_stands_in_data_or_beside_it_and_data_goes_first() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    for path in ["conferences/talk/participants", "conferences/talk/participants/1"] {
        for body in [
            json!({ "data": { "action": "mute" } }),
            json!({ "action": "unmute", "data": {} }),
            json!({ "action": "mute" }),
            json!({ "action": "kick", "data": { "action": "unmute" } }),
        ] {
            let answer = owner.ask(Method::PUT, path).json(&body).send().await;
            assert_eq!(column(&answer.ok()["results"], "result"), ["done"], "{body}");
        }
    }
    let lock = owner
        .ask(Method::PUT, "conferences/talk")
        .json(&json!({ "action": "lock", "data": {} }))
        .send()
        .await;
    assert_eq!(lock.ok()["action"], "lock");
    // As curl sends it when nobody tells it otherwise.
    let form = owner
        .ask(Method::PUT, "conferences/talk")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body(r#"{"data": {"action": "unlock"}}"#).send().await.ok()["action"], "unlock");
}

#[tokio::test]
async fn an_action_that_is_not_known_there_is_an_invalid_request_and_reaches_no_switch() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    for (path, actions) in [
        ("conferences/talk", ["mute", "kick", "LOCK", "", "lock all", "hup"]),
        ("conferences/talk/participants", ["lock", "hup", "Mute", "", "mute all", "tmute"]),
        ("conferences/talk/participants/1", ["unlock", "agc", "KICK", "", "kick 2", "tmute"]),
    ] {
        for action in actions {
            let data = owner.act(path, action).await.refused(400, "invalid_request");
            assert!(data["message"].is_string(), "{data}");
        }
        for action in [json!(7), json!(null), json!(["mute"]), json!({})] {
            owner.put(path, json!({ "action": action })).await.refused(400, "invalid_request");
        }
    }
    assert_eq!(house.orders(0), [""; 0]);
}

#[tokio::test]
async fn kick_is_hup_unless_the_configuration_wants_the_sound() {
    for (sound, verb) in [(false, "hup"), (true, "kick")] {
        let house = House::with(1, |config| config.conference.kick_sound = sound).await;
        let owner = house.owner().await;
        house.join("talk", "Ann").await;
        house.join("talk", "Ben").await;
        owner.act("conferences/talk/participants/1", "kick").await.ok();
        owner.act("conferences/talk/participants", "kick").await.ok();
        let orders = house.orders(0);
        assert_eq!(orders.len(), 2, "{orders:?}");
        assert!(
            orders.iter().all(|order| order.starts_with(&format!("api conference talk {verb} "))),
            "{orders:?}"
        );
    }
}

/// The answer to an `api` command, as it is on the wire.
fn printed(text: &str) -> String {
    format!("Content-Type: api/response\nContent-Length: {}\n\n{text}", text.len())
}

#[tokio::test]
async fn what_the_switch_refuses_is_a_switch_error_with_its_words() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    for words in ["-ERR permission denied", "conference <name> <command>", "-ERR no reply", "+OKAY?\n-ERR no"]
    {
        for (path, action) in [
            ("conferences/talk", "lock"),
            ("conferences/talk/participants/1", "mute"),
            ("conferences/talk/participants", "mute"),
        ] {
            if words == "-ERR no reply" && path.ends_with("participants") {
                continue;
            }
            house.switch().answer_garbage(printed(words));
            let data = owner.act(path, action).await.refused(502, "switch_error");
            assert_eq!(data["node"], "fs1", "{data}");
            assert!(
                data["reply"].as_str().is_some_and(|reply| words.contains(reply) && !reply.is_empty()),
                "{words}: {data}"
            );
            assert_eq!(data["results"][0]["result"], "failed", "{data}");
            assert!(data["results"][0]["reason"].is_string(), "{data}");
        }
    }
}

#[tokio::test]
async fn a_conference_whose_name_cannot_be_sent_safely_is_seen_and_left_alone() {
    let house = House::start().await;
    let owner = house.owner().await;
    for (room, encoded) in [
        ("foo kick all", "foo%20kick%20all"),
        ("foo\napi shutdown", "foo%0Aapi%20shutdown"),
        ("${shutdown}", "%24%7Bshutdown%7D"),
        ("it's", "it%27s"),
    ] {
        house.join(room, "Ann").await;
        let path = format!("conferences/{encoded}");
        assert_eq!(owner.get(&path).await.ok()["_read_only"]["members"], 1, "{room:?}");
        for (path, action) in [
            (path.clone(), "lock"),
            (format!("{path}/participants"), "kick"),
            (format!("{path}/participants/1?by=call_id"), "kick"),
        ] {
            let answer = owner.act(&path, action).await;
            if path.ends_with("by=call_id") {
                answer.not_found("1");
                continue;
            }
            let data = answer.refused(502, "switch_error");
            assert_eq!(data["results"][0]["result"], "failed", "{data}");
            assert_eq!(
                (&data["reply"], &data["results"][0]["reason"]),
                (&json!("unaddressable"), &json!("unaddressable"))
            );
        }
    }
    assert_eq!(house.orders(0), [""; 0]);
    assert_eq!(house.switch().truth().len(), 4);
}

#[tokio::test]
async fn a_call_id_that_cannot_be_sent_safely_is_addressed_by_its_number() {
    let house = House::start().await;
    let owner = house.owner().await;
    for (number, call) in ["x'y", "all", "a b", "1\nshutdown", "${x}@sip"].into_iter().enumerate() {
        let caller = Caller::new("Ann", "1").uuid(call).variable("confvar_account_id", ACCOUNT);
        house.enter("talk", caller).await;
        let encoded = percent_encoding::utf8_percent_encode(call, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("conferences/talk/participants/{encoded}?by=call_id");
        let data = owner.act(&path, "mute").await.ok();
        assert_eq!(
            data["results"][0],
            json!({ "participant_id": number + 1, "call_id": call, "node": "fs1", "result": "done" })
        );
        let muted: Vec<_> = house.switch().truth()[0].members.iter().map(|member| member.speak).collect();
        assert_eq!(muted, vec![false; number + 1], "{call:?}");
    }
    for order in house.orders(0) {
        assert!(order.starts_with("api conference talk ") && !order.contains(['\'', '$', '\n']), "{order:?}");
    }
}

#[tokio::test]
async fn what_the_switch_does_not_know_any_more_is_not_found() {
    let house = House::start().await;
    let owner = house.owner().await;
    let ann = house.join("talk", "Ann").await;
    house.switch().answer_garbage(printed("-ERR Conference talk not found\n"));
    assert_eq!(
        owner.act("conferences/talk", "lock").await.refused(404, "bad_identifier")["reason"],
        "not_running"
    );
    house.switch().answer_garbage(printed("-ERR Conference talk not found\n"));
    let data = owner
        .act(&format!("conferences/talk/participants/{ann}"), "mute")
        .await
        .refused(404, "bad_identifier");
    assert_eq!((&data["cause"], &data["reason"]), (&json!(ann), &json!("not_found")));
}

#[tokio::test]
async fn without_an_answer_in_time_the_outcome_is_said_to_be_unknown() {
    for (path, action) in [
        ("conferences/talk", "lock"),
        ("conferences/talk/participants", "mute"),
        ("conferences/talk/participants/1", "deaf"),
    ] {
        let short = |config: &mut Config| config.node[0].command_timeout_ms = SHORT.as_millis() as u64;
        let house = House::with(1, short).await;
        let owner = house.owner().await;
        house.join("talk", "Ann").await;
        house.switch().stall(Which::Commands);
        let data = owner.act(path, action).await.refused(504, "switch_timeout");
        assert_eq!(
            (&data["node"], &data["results"][0]["result"]),
            (&json!("fs1"), &json!("unknown")),
            "{data}"
        );
        assert!(data["message"].as_str().is_some_and(|message| message.contains("not known")), "{data}");
        house.switch().resume(Which::Commands);
        // Late replies are nobody's: the next action gets its own.
        house.followed().await;
        let settled = owner.act("conferences/talk", "unlock").await.ok();
        assert!(column(&settled["results"], "result")[0].is_string(), "{settled}");
    }
}

#[tokio::test]
async fn an_action_that_outlasts_the_guard_of_requests_is_of_unknown_outcome_too() {
    let house = House::with(1, |config| config.api.answer_timeout_ms = SHORT.as_millis() as u64).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().delay_replies(Duration::from_secs(3_600));
    for (path, action) in [("conferences/talk", "lock"), ("conferences/talk/participants/1", "kick")] {
        let data = owner.act(path, action).await.refused(504, "switch_timeout");
        assert!(data["message"].as_str().is_some_and(|message| message.contains("not known")), "{data}");
    }
}

#[tokio::test]
async fn without_a_confirming_event_in_time_the_outcome_is_said_to_be_unknown() {
    let house = House::with(1, |config| config.node[0].command_timeout_ms = SHORT.as_millis() as u64).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switch().drop_events_if(|_| true);
    let data = owner.act("conferences/talk", "lock").await.refused(504, "switch_timeout");
    assert_eq!(data["results"][0]["result"], "unknown", "{data}");
    let data = owner.act("conferences/talk/participants/1", "kick").await.refused(504, "switch_timeout");
    assert_eq!(data["results"][0]["result"], "unknown", "{data}");
    house.switch().keep_events();
}

#[tokio::test]
async fn lost_events_do_not_make_a_done_action_unknown() {
    let house = House::with(1, |config| config.node[0].command_timeout_ms = 2_000).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.join("talk", "Ben").await;
    house.switch().drop_events_if(|event| event.action().is_some());
    for (path, action, flag) in [
        ("conferences/talk/participants/1", "mute", "speak"),
        ("conferences/talk/participants/1", "deaf", "hear"),
    ] {
        assert_eq!(column(&owner.act(path, action).await.ok()["results"], "result"), ["done"], "{action}");
        assert_eq!(owner.get(path).await.ok()[flag], false);
    }
    owner.act("conferences/talk", "lock").await.ok();
    assert_eq!(owner.get("conferences/talk").await.ok()["_read_only"]["is_locked"], true);
    assert_eq!(
        column(&owner.act("conferences/talk/participants/1", "kick").await.ok()["results"], "result"),
        ["done"]
    );
    assert_eq!(owner.get("conferences/talk/participants").await.ok().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn of_two_nodes_the_one_that_answers_decides() {
    let house = House::with(2, |_| {}).await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    house.switches[1]
        .join("talk", Caller::new("Ben", "2").variable("confvar_account_id", ACCOUNT))
        .expect("let in");
    house.told().await;
    house.switches[1].stop_listening().await;
    house.switches[1].cut(Which::All);
    house.condition("fs2", convened::registry::NodeCondition::Lost).await;
    for (path, action) in [("conferences/talk", "lock"), ("conferences/talk/participants", "mute")] {
        let data = owner.act(path, action).await.ok();
        assert_eq!(column(&data["results"], "node"), ["fs1", "fs2"]);
        assert_eq!(column(&data["results"], "result"), ["done", "failed"]);
        assert_eq!(keys(&data["results"][1]), ["participant_id", "call_id", "node", "result", "reason"]);
    }
    house.switch().stop_listening().await;
    house.switch().cut(Which::All);
    house.condition("fs1", convened::registry::NodeCondition::Lost).await;
    for (path, action) in [("conferences/talk", "lock"), ("conferences/talk/participants", "mute")] {
        owner.act(path, action).await.refused(503, "switch_unavailable");
    }
}

#[tokio::test]
async fn many_actions_at_once_all_say_what_happened_to_them() {
    let house = House::start().await;
    let owner = house.owner().await;
    for number in 0..20 {
        house.join("talk", &format!("n{number}")).await;
    }
    let actions = (1..=20).map(|number| {
        let owner = owner.clone();
        async move {
            let path = format!("conferences/talk/participants/{number}");
            for (action, value) in [("mute", false), ("unmute", true), ("mute", false)] {
                let answer = owner.act(&path, action).await;
                assert_eq!(column(&answer.ok()["results"], "result"), ["done"], "{}", answer.text());
                assert_eq!(owner.get(&path).await.ok()["speak"], value);
            }
        }
    });
    futures_util::future::join_all(actions).await;
    assert!(house.switch().truth()[0].members.iter().all(|member| !member.speak));
}

#[tokio::test]
async fn an_empty_name_of_one_is_not_everybody() {
    let house = House::start().await;
    house.join("talk", "Ann").await;
    house.join("talk", "Ben").await;
    let owner = house.owner().await;
    // As a script asks whose variable is empty.
    owner
        .act("conferences/talk/participants/", "kick")
        .await
        .not_found("/v2/accounts/{A}/conferences/talk/participants/".replace("{A}", ACCOUNT).as_str());
    assert_eq!(owner.get("conferences/talk/participants/").await.ok().as_array().map(Vec::len), Some(2));
}
