//! Callers who hang up, switches that do not answer, databases that are away.

use std::sync::atomic::Ordering;

use convened::sim::switch::Which;
use serde_json::json;

use crate::client::look_again;
use crate::door::{Door, NUMBER, caller, soon};

#[tokio::test]
async fn a_hang_up_at_any_moment_frees_everything() {
    let door = Door::with(1, |config| config.callin.names = Some("/var/names".into())).await;
    let id = door
        .conference(
            json!({"member": {"pins": ["1"]}, "max_participants": 2, "play_name": true, "play_welcome": true,
                           "play_entry_tone": true}),
        )
        .await;
    // After how many commands about the call he hangs up: from the first to beyond the last.
    let mut joined = 0;
    for moment in 0..14 {
        let call = door.call("Ann");
        let mut typed = 0;
        soon("the moment", async {
            loop {
                let seen = door.switch().commands().iter().filter(|seen| seen.text.contains(&call)).count();
                let is_in = door.switch().truth().iter().any(|room| room.member(&call).is_some());
                if seen >= moment || is_in {
                    joined += usize::from(is_in);
                    return;
                }
                let (nth, asked) = door.switch().world(|world, _| world.questions(&call));
                if asked && typed < nth {
                    typed = nth;
                    door.switch().press(&call, "1#").unwrap();
                } else if says_name(&door, &call) {
                    let _ = door.switch().press(&call, "#");
                }
                look_again().await;
            }
        })
        .await;
        // He may be gone already, if that was the last of it.
        let _ = door.switch().hang_up(&call);
        soon("his end", door.switch().until_gone(&call)).await;
        door.quiet().await;
    }
    assert!(joined > 0, "the last of them were in");
    for nth in 1..=2 {
        let call = door.call("Ben");
        door.types(&call, 1, "1#").await;
        soon("his name", async {
            while door.switch().truth().first().is_none_or(|room| room.members.len() < nth) {
                if says_name(&door, &call) {
                    let _ = door.switch().press(&call, "#");
                }
                look_again().await;
            }
        })
        .await;
    }
    door.people(&id, 2).await;
}

/// He has been asked for his name, which `#` ends.
fn says_name(door: &Door, call: &str) -> bool {
    let start = format!("sendmsg {call}\n");
    door.switch()
        .commands()
        .iter()
        .any(|seen| seen.text.starts_with(&start) && seen.text.contains(": record\n"))
}

#[tokio::test]
async fn a_call_that_somebody_sends_elsewhere_is_left_alone() {
    let door = Door::open().await;
    door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let taken = || door.callin().figures().taken_away.load(Ordering::Relaxed);
    for (round, where_to) in
        ["'sleep:3600000' inline", "'conference:elsewhere@default' inline"].into_iter().enumerate()
    {
        let ann = door.call("Ann");
        soon("a question", door.switch().until_asked(&ann, 1)).await;
        door.switch().api(&format!("uuid_transfer {ann} {where_to}"));
        soon("that it is noticed", async {
            while taken() == round as u64 {
                look_again().await;
            }
        })
        .await;
        door.quiet().await;
        assert!(door.switch().world(|world, _| world.has_call(&ann)));
        let ours = door.switch().commands();
        assert!(
            ours.iter().all(|seen| !seen.text.contains(&format!("uuid_kill {ann}"))),
            "nobody hangs it up"
        );
        let asked =
            ours.iter().filter(|seen| seen.text.contains(&ann) && seen.text.contains("play_and_get_digits"));
        assert_eq!(asked.count(), 1, "and nobody asks there");
    }
}

#[tokio::test]
async fn a_call_that_is_parked_for_us_once_more_is_asked_once_more() {
    let door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let ann = door.call("Ann");
    soon("a question", door.switch().until_asked(&ann, 1)).await;
    door.switch().api(&format!("uuid_transfer {ann} 'set:convened_callin=true,park' inline"));
    soon("the second question", async {
        while door.switch().world(|world, _| world.questions(&ann)) != (2, true) {
            look_again().await;
        }
    })
    .await;
    door.switch().press(&ann, "1234#").unwrap();
    door.people(&id, 1).await;
}

#[tokio::test]
async fn half_a_pin_before_a_hang_up_is_no_guess() {
    let door = Door::open().await;
    door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let ann = door.call("Ann");
    door.types(&ann, 1, "12").await;
    door.switch().hang_up(&ann).unwrap();
    door.gone(&ann).await;
    door.quiet().await;
    let figures = door.callin().figures();
    assert_eq!((figures.wrong_pins.load(Ordering::Relaxed), figures.hung_up.load(Ordering::Relaxed)), (0, 1));
}

#[tokio::test]
async fn a_switch_that_never_ends_an_application_costs_the_caller_his_call() {
    let door = Door::with(1, |config| {
        config.callin.prompt_timeout_ms = 300;
        config.callin.answer_timeout_ms = 1_000;
    })
    .await;
    door.conference(json!({"member": {"pins": ["1"]}})).await;
    door.switch().drop_events_if(|event| event.name == "CHANNEL_EXECUTE_COMPLETE");
    let call = door.call("Ann");
    door.gone(&call).await;
    door.quiet().await;
    assert_eq!(door.callin().figures().stuck.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_switch_that_does_not_answer_a_command_costs_the_caller_his_call_and_the_next_one_nothing() {
    let door = Door::with(1, |config| config.node[0].command_timeout_ms = 300).await;
    let id = door.conference(json!({})).await;
    door.switch().answer_instead("uuid_transfer", "-ERR Operation Failed\n");
    let call = door.call("Ann");
    door.gone(&call).await;
    door.quiet().await;
    assert_eq!(door.callin().figures().stuck.load(Ordering::Relaxed), 1);
    door.call("Ben");
    door.people(&id, 1).await;
}

#[tokio::test]
async fn who_is_not_seen_in_his_conference_in_time_is_hung_up_and_his_place_is_free() {
    let door = Door::with(1, |config| config.callin.join_timeout_ms = 200).await;
    let id = door.conference(json!({"max_participants": 2})).await;
    // FreeSWITCH says that it has transferred him, and has not.
    door.switch().answer_instead("uuid_transfer", "+OK\n");
    let call = door.call("Ann");
    door.gone(&call).await;
    door.quiet().await;
    assert_eq!(door.callin().figures().stuck.load(Ordering::Relaxed), 1);
    door.switch().answer_truly();
    door.call("Ben");
    door.call("Eve");
    door.people(&id, 2).await;
}

#[tokio::test]
async fn a_call_connection_that_is_cut_loses_no_caller() {
    let door = Door::with(1, |config| config.callin.answer_timeout_ms = 3_000).await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    let (ann, ben) = (door.call("Ann"), door.call("Ben"));
    for call in [&ann, &ben] {
        soon("a question", door.switch().until_asked(call, 1)).await;
    }
    door.switch().cut(Which::Events);
    soon("no listeners", door.switch().until_listeners(0)).await;
    // One goes meanwhile, and another one comes.
    door.switch().hang_up(&ben).unwrap();
    let eve = door.call("Eve");
    soon("the connections", door.switch().until_listeners(2)).await;
    door.types(&ann, 1, "1#").await;
    door.types(&eve, 1, "1#").await;
    door.people(&id, 2).await;
    door.quiet().await;
    assert_eq!(door.callin().figures().hung_up.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_typed_while_nobody_hears_is_asked_for_again() {
    let door = Door::with(1, |config| config.callin.answer_timeout_ms = 20_000).await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    let ann = door.call("Ann");
    soon("a question", door.switch().until_asked(&ann, 1)).await;
    door.switch().cut(Which::Events);
    soon("no listeners", door.switch().until_listeners(0)).await;
    door.switch().press(&ann, "1#").unwrap();
    door.types(&ann, 2, "1#").await;
    door.people(&id, 1).await;
    assert_eq!(door.callin().figures().refused(convened::callin::Refusal::BadPin), 0);
}

#[tokio::test]
async fn a_command_connection_that_is_cut_in_the_middle_loses_no_caller() {
    let door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    let ann = door.call("Ann");
    soon("a question", door.switch().until_asked(&ann, 1)).await;
    // What he types leads to a command that nobody answers; whether it was executed is not known.
    door.switch().cut_at("uuid_transfer", 0, false, Which::Commands);
    door.switch().press(&ann, "1#").unwrap();
    soon("he is asked again", door.switch().until_asked(&ann, 2)).await;
    door.switch().cut_no_more();
    door.switch().press(&ann, "1#").unwrap();
    door.people(&id, 1).await;
}

#[tokio::test]
async fn who_is_in_although_no_event_has_told_of_it_stays_in() {
    let door = Door::with(1, |config| config.callin.join_timeout_ms = 200).await;
    let id = door.conference(json!({})).await;
    door.switch().drop_events_if(|event| event.action().is_some());
    let ann = door.call("Ann");
    soon("a decision", async {
        let figures = door.callin().figures();
        while figures.taken.load(Ordering::Relaxed) == 0 || door.callin().dialogues() > 0 {
            look_again().await;
        }
    })
    .await;
    assert_eq!(door.callin().figures().joined.load(Ordering::Relaxed), 1);
    door.switch().keep_events();
    assert!(door.switch().truth()[0].member(&ann).is_some(), "he was not hung up");
    door.people(&id, 1).await;
}

#[tokio::test]
async fn a_switch_that_is_started_anew_has_forgotten_its_callers_and_so_have_we() {
    let door = Door::with(1, |config| config.callin.answer_timeout_ms = 20_000).await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    for name in ["Ann", "Ben"] {
        let call = door.call(name);
        soon("a question", door.switch().until_asked(&call, 1)).await;
    }
    door.switch().restart();
    door.quiet().await;
    soon("the connections", door.switch().until_listeners(2)).await;
    let eve = door.call("Eve");
    door.types(&eve, 1, "1#").await;
    door.people(&id, 1).await;
}

#[tokio::test]
async fn without_the_database_a_caller_hears_that_it_is_not_possible_just_now() {
    let mut door = Door::open().await;
    door.conference(json!({})).await;
    door.house.daemon.context().store.close().await;
    let call = door.call("Ann");
    assert_eq!(door.rejected().await.0, "unavailable");
    door.gone(&call).await;
    assert_eq!(door.heard(&call), ["unavailable"]);
}

#[tokio::test]
async fn a_call_with_an_id_that_cannot_be_spoken_of_is_left_alone() {
    let door = Door::open().await;
    let id = door.conference(json!({})).await;
    let strange = caller("Ann").uuid("it's \"me\"; hash delete/a/b");
    let strange = door.dial(strange);
    door.call("Ben");
    door.people(&id, 1).await;
    door.quiet().await;
    assert!(door.switch().commands().iter().all(|seen| !seen.text.contains("it's")));
    assert!(door.switch().world(|world, _| world.has_call(&strange)));
}

#[tokio::test]
async fn neither_pins_nor_digits_are_in_what_is_logged() {
    let (log, subscriber) = log();
    // All of the daemon runs on this thread.
    let _logging = tracing::subscriber::set_default(subscriber);
    // With one subscriber alone, what another thread has asked first would be kept from it.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let mut door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["13579"]}})).await;
    let ann = door.call("Ann");
    door.types(&ann, 1, "24680#").await;
    door.types(&ann, 2, "13579#").await;
    door.people(&id, 1).await;
    let ben = door.dial(caller("Ben").dialling(NUMBER));
    for nth in 1..=3 {
        door.types(&ben, nth, "97531#").await;
    }
    door.rejected().await;
    let text = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    assert!(text.contains("a caller was let in") && text.contains("bad_pin"), "{text}");
    for pin in ["13579", "24680", "97531"] {
        assert!(!text.contains(pin), "{text}");
    }
}

type Log = std::sync::Arc<std::sync::Mutex<Vec<u8>>>;

/// Everything that is logged, of every level.
fn log() -> (Log, impl tracing::Subscriber + Send + Sync) {
    #[derive(Clone)]
    struct To(Log);
    impl std::io::Write for To {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let to = To(log.clone());
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    (log, subscriber.with_writer(move || to.clone()).finish())
}
