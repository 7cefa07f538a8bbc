//! Numbers and PINs.

use convened::callin::Refusal;
use convened::model::NoticeKind;
use serde_json::json;

use crate::client::look_again;
use crate::door::{Door, NUMBER, caller, soon};
use crate::house::{ACCOUNT, OTHER};

#[tokio::test]
async fn a_moderator_types_his_pin_and_is_seen_as_moderator_and_muted() {
    let door = Door::open().await;
    let id = door
        .conference(
            json!({"member": {"pins": ["1234"]}, "moderator": {"pins": ["4321"], "join_muted": true}}),
        )
        .await;
    let ann = door.call("Ann");
    door.types(&ann, 1, "4321#").await;
    let people = door.people(&id, 1).await;
    let ann = &people[0];
    assert_eq!(
        (&ann["is_moderator"], &ann["speak"], &ann["hear"]),
        (&json!(true), &json!(false), &json!(true))
    );
    let document = door.owner.get(&format!("conferences/{id}")).await.ok();
    assert_eq!(
        (&document["_read_only"]["moderators"], &document["_read_only"]["members"]),
        (&json!(1), &json!(0))
    );
    let room = &door.switch().truth()[0];
    assert_eq!(*room.name, *id);
    door.quiet().await;
}

#[tokio::test]
async fn a_member_is_muted_unless_the_document_says_otherwise() {
    let door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let open =
        json!({"name": "open", "member": {"numbers": ["5550000"], "join_muted": false, "join_deaf": true}});
    let other = door.conference(open).await;
    let ann = door.call("Ann");
    door.types(&ann, 1, "1234#").await;
    assert_eq!(door.people(&id, 1).await[0]["speak"], false);
    door.dial(caller("Ben").dialling("5550000"));
    let ben = &door.people(&other, 1).await[0];
    assert_eq!(
        (&ben["speak"], &ben["hear"], &ben["is_moderator"]),
        (&json!(true), &json!(false), &json!(false))
    );
}

#[tokio::test]
async fn wrong_then_right_lets_in_and_three_times_wrong_does_not() {
    let mut door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let ann = door.call("Ann");
    door.types(&ann, 1, "9999#").await;
    door.types(&ann, 2, "1234#").await;
    door.people(&id, 1).await;
    assert_eq!(door.heard(&ann), ["enter_pin", "bad_pin", "enter_pin"]);
    let ben = door.call("Ben");
    for nth in 1..=3 {
        door.types(&ben, nth, "0000#").await;
    }
    let (reason, notice) = door.rejected().await;
    assert_eq!((reason, &*notice.conference_id, &*notice.account), ("bad_pin", &*id, ACCOUNT));
    let NoticeKind::Rejected { number, caller_number, .. } = &notice.kind else { panic!("{notice:?}") };
    assert_eq!((&**number, &**caller_number, &*notice.node), (NUMBER, "15551230000", "fs1"));
    door.gone(&ben).await;
    let heard = ["enter_pin", "bad_pin", "enter_pin", "bad_pin", "enter_pin", "bad_pin", "too_many_attempts"];
    assert_eq!(door.heard(&ben), heard);
    assert_eq!(door.people(&id, 1).await[0]["caller_id_name"], "Ann");
    assert_eq!(door.callin().figures().refused(Refusal::BadPin), 1);
}

#[tokio::test]
async fn who_types_nothing_is_asked_three_times() {
    let mut door = Door::open().await;
    door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let ann = door.call("Ann");
    assert_eq!(door.rejected().await.0, "timeout");
    door.gone(&ann).await;
    assert_eq!(door.heard(&ann), ["enter_pin", "enter_pin", "enter_pin", "too_many_attempts"]);
}

#[tokio::test]
async fn without_pins_nobody_is_asked_and_everybody_may_be_welcomed() {
    let door = Door::open().await;
    let id = door.conference(json!({"play_welcome": true})).await;
    let ann = door.call("Ann");
    door.people(&id, 1).await;
    assert_eq!(door.heard(&ann), ["welcome"]);
}

#[tokio::test]
async fn the_lobby_asks_for_the_number_of_a_conference_and_then_for_its_pin() {
    let mut door = Door::with(1, |config| config.callin.lobbies = vec!["8000".into()]).await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let ann = door.dial(caller("Ann").dialling("8000"));
    door.types(&ann, 1, "111#").await;
    door.types(&ann, 2, &format!("{NUMBER}#")).await;
    door.types(&ann, 3, "1234#").await;
    door.people(&id, 1).await;
    assert_eq!(door.heard(&ann), ["enter_number", "bad_number", "enter_number", "enter_pin"]);
    let ben = door.dial(caller("Ben").dialling("8000"));
    for nth in 1..=3 {
        door.types(&ben, nth, "222#").await;
    }
    assert_eq!(door.rejected().await.0, "unknown_number");
    door.gone(&ben).await;
}

#[tokio::test]
async fn a_number_that_leads_nowhere_is_refused_and_said_to_be() {
    let mut door = Door::open().await;
    let ann = door.dial(caller("Ann").dialling("5550001"));
    let (reason, notice) = door.rejected().await;
    assert_eq!((reason, &*notice.conference_id), ("unknown_number", "-"));
    door.gone(&ann).await;
    assert_eq!(door.heard(&ann), ["bad_number"]);
    let commands = door.switch().commands();
    let answered =
        commands.iter().position(|seen| seen.text.contains(&ann) && seen.text.contains(": answer\n"));
    let told = commands.iter().position(|seen| seen.text.contains("name=bad_number"));
    assert!(answered.is_some() && answered < told, "he has to be connected to hear it");
}

#[tokio::test]
async fn an_account_is_the_channels_else_the_domains_else_the_only_one_with_the_number() {
    let domain = format!("PBX.example.com={OTHER}");
    let mut door = Door::with(1, |config| config.callin.domains = vec![domain]).await;
    let mine = door.conference(json!({"name": "mine"})).await;
    let stranger = door.house.stranger().await;
    let theirs = stranger.create(json!({"conference_numbers": [NUMBER, "5550002"]})).await;
    let call = |number: &str| {
        convened::sim::world::Caller::new("Ann", "1").dialling(number).variable("convened_callin", "true")
    };
    door.dial(call(NUMBER).variable("account_id", ACCOUNT).variable("domain_name", "pbx.example.com"));
    door.people(&mine, 1).await;
    door.dial(call(NUMBER).variable("domain_name", "pbx.example.com"));
    let path = format!("conferences/{theirs}/participants");
    stranger
        .until(&path, |answer| answer.status == 200 && answer.data().as_array().unwrap().len() == 1)
        .await;
    door.dial(call("5550002"));
    stranger
        .until(&path, |answer| answer.status == 200 && answer.data().as_array().unwrap().len() == 2)
        .await;
    // Two accounts have it, and nothing says which is meant.
    let ann = door.dial(call(NUMBER));
    assert_eq!(door.rejected().await.0, "unknown_number");
    door.gone(&ann).await;
    // And what another account has is not there.
    let ben = door.dial(call("5550002").variable("account_id", ACCOUNT));
    assert_eq!(door.rejected().await.0, "unknown_number");
    door.gone(&ben).await;
}

#[tokio::test]
async fn only_calls_that_are_marked_or_in_a_context_of_ours_are_taken() {
    let door = Door::with(1, |config| config.callin.contexts = vec!["conferences".into()]).await;
    let id = door.conference(json!({})).await;
    let plain =
        || convened::sim::world::Caller::new("Zed", "1").dialling(NUMBER).variable("account_id", ACCOUNT);
    let zed = door.dial(plain());
    door.dial(plain().context("conferences"));
    door.dial(caller("Ann"));
    door.people(&id, 2).await;
    door.quiet().await;
    let touched = |call: &str| door.switch().commands().iter().any(|seen| seen.text.contains(call));
    assert!(door.switch().world(|world, _| world.has_call(&zed)) && !touched(&zed), "he is somebody else's");
}

#[tokio::test]
async fn who_guesses_is_locked_out_also_from_the_right_pin() {
    let mut door = Door::with(1, |config| config.callin.max_wrong_pins = 4).await;
    let _ = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let (ann, ben) = (door.call("Ann"), door.call("Ben"));
    for nth in 1..=3 {
        door.types(&ann, nth, "0#").await;
    }
    assert_eq!(door.rejected().await.0, "bad_pin");
    door.types(&ben, 1, "0#").await;
    assert_eq!(door.rejected().await.0, "locked_out", "the fourth, by another call of the same number");
    let again = door.call("Ann");
    assert_eq!(door.rejected().await.0, "locked_out");
    door.gone(&again).await;
    assert_eq!(door.heard(&again), ["locked_out"], "he is not asked any more");
    // So is everybody who wants into that conference, and nobody who wants into another one.
    let other =
        door.conference(json!({"name": "other", "member": {"numbers": ["5550003"], "pins": ["1"]}})).await;
    let eve = door.dial(
        convened::sim::world::Caller::new("Eve", "1999")
            .dialling(NUMBER)
            .variable("convened_callin", "true")
            .variable("account_id", ACCOUNT),
    );
    assert_eq!(door.rejected().await.0, "locked_out");
    let dan = door.dial(
        convened::sim::world::Caller::new("Dan", "1888")
            .dialling("5550003")
            .variable("convened_callin", "true")
            .variable("account_id", ACCOUNT),
    );
    door.types(&dan, 1, "1#").await;
    door.people(&other, 1).await;
    door.gone(&eve).await;
    assert_eq!(door.callin().figures().wrong_pins.load(std::sync::atomic::Ordering::Relaxed), 4);
}

#[tokio::test]
async fn who_is_asked_already_when_it_is_locked_has_no_guess_left_either() {
    let mut door = Door::with(1, |config| config.callin.max_wrong_pins = 1).await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let (ann, ben) = (door.call("Ann"), door.dial(caller("Ben").variable("unused", "x")));
    soon("a question", door.switch().until_asked(&ben, 1)).await;
    door.types(&ann, 1, "0#").await;
    assert_eq!(door.rejected().await.0, "locked_out");
    door.switch().press(&ben, "1234#").unwrap();
    assert_eq!(door.rejected().await.0, "locked_out", "although it is the right one");
    door.people(&id, 0).await;
}

#[tokio::test]
async fn a_pin_that_was_changed_while_he_is_asked_opens_nothing_any_more() {
    let mut door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let ann = door.call("Ann");
    soon("a question", door.switch().until_asked(&ann, 1)).await;
    door.owner.patch(&format!("conferences/{id}"), json!({"member": {"pins": ["5678"]}})).await.ok();
    door.switch().press(&ann, "1234#").unwrap();
    door.types(&ann, 2, "5678#").await;
    door.people(&id, 1).await;
    let ben = door.call("Ben");
    soon("a question", door.switch().until_asked(&ben, 1)).await;
    door.owner.delete(&format!("conferences/{id}")).await.ok();
    door.switch().press(&ben, "5678#").unwrap();
    assert_eq!(door.rejected().await.0, "unknown_number");
    door.gone(&ben).await;
}

#[tokio::test]
async fn a_banned_caller_is_let_in_nowhere() {
    let mut door = Door::with(1, |config| config.callin.banned = vec!["15551230000".into()]).await;
    door.conference(json!({})).await;
    let ann = door.call("Ann");
    assert_eq!(door.rejected().await.0, "banned");
    door.gone(&ann).await;
    assert_eq!(door.heard(&ann), ["banned"]);
}

#[tokio::test]
async fn pins_are_taken_off_the_channel_before_it_joins() {
    let door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["86420"]}, "profile": "verbose"})).await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = seen.clone();
    door.switch().witness(move |event| {
        let text = String::from_utf8_lossy(&event.plain()).into_owned();
        if text.contains("Action: ") && text.contains("conference%3A%3Amaintenance") {
            sink.lock().unwrap().push(text);
        }
    });
    let ann = door.call("Ann");
    door.types(&ann, 1, "86420#").await;
    door.people(&id, 1).await;
    soon("its events", async {
        while !seen.lock().unwrap().iter().any(|text| text.contains("Action: add-member")) {
            look_again().await;
        }
    })
    .await;
    for text in seen.lock().unwrap().iter() {
        assert!(!text.contains("variable_convened_digits") && !text.contains("86420"), "{text}");
    }
}
