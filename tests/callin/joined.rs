//! The way in: locks, limits, tones, names.

use convened::callin::Refusal;
use serde_json::json;

use crate::client::look_again;
use crate::door::{Door, NUMBER, caller, soon};
use crate::house::ACCOUNT;

/// The variables that a call was given before it joined.
fn given(door: &Door, call: &str) -> Vec<String> {
    let start = format!("api uuid_setvar {call} ");
    let commands = door.switch().commands();
    commands.iter().filter_map(|seen| seen.text.trim_end().strip_prefix(&start).map(str::to_owned)).collect()
}

/// How a call was transferred.
fn transferred(door: &Door, call: &str) -> String {
    let start = format!("api uuid_transfer {call} ");
    let commands = door.switch().commands();
    let found = commands.iter().find_map(|seen| seen.text.trim_end().strip_prefix(&start).map(str::to_owned));
    found.expect("transferred")
}

#[tokio::test]
async fn a_locked_conference_lets_nobody_in_and_says_so() {
    let mut door = Door::open().await;
    let id = door
        .conference(json!({"moderator": {"numbers": ["5550009"]}, "member": {"numbers": [NUMBER]}}))
        .await;
    door.call("Ann");
    door.people(&id, 1).await;
    door.owner.act(&format!("conferences/{id}"), "lock").await.ok();
    for number in [NUMBER, "5550009"] {
        let ben = door.dial(caller("Ben").dialling(number));
        assert_eq!(door.rejected().await.0, "locked");
        door.gone(&ben).await;
        assert_eq!(door.heard(&ben), ["locked"]);
    }
    door.people(&id, 1).await;
}

#[tokio::test]
async fn moderators_pass_a_lock_if_the_configuration_says_so() {
    let mut door = Door::with(1, |config| config.callin.moderators_over_lock = true).await;
    let id = door
        .conference(json!({"moderator": {"numbers": ["5550009"]}, "member": {"numbers": [NUMBER]}}))
        .await;
    door.call("Ann");
    door.people(&id, 1).await;
    door.owner.act(&format!("conferences/{id}"), "lock").await.ok();
    door.call("Ben");
    assert_eq!(door.rejected().await.0, "locked");
    door.dial(caller("Mod").dialling("5550009"));
    assert_eq!(door.people(&id, 2).await[1]["is_moderator"], true);
}

#[tokio::test]
async fn who_is_shut_out_at_the_last_moment_is_told_of_as_locked() {
    let mut door = Door::with(1, |config| config.callin.join_timeout_ms = 400).await;
    let id = door.conference(json!({})).await;
    door.call("Ann");
    door.people(&id, 1).await;
    // The daemon does not hear of the lock before it sends the next one in.
    door.switch().drop_events_if(|event| event.action().as_deref() == Some("lock"));
    door.switch().api(&format!("conference {id} lock"));
    let ben = door.call("Ben");
    door.gone(&ben).await;
    soon("a decision", async {
        while door.callin().dialogues() > 0 {
            look_again().await;
        }
    })
    .await;
    let figures = door.callin().figures();
    let hung_up = figures.hung_up.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(figures.refused(Refusal::Locked) + hung_up, 1, "he was not let in, and nobody says he was");
    assert_eq!(figures.joined.load(std::sync::atomic::Ordering::Relaxed), 1);
    if figures.refused(Refusal::Locked) == 1 {
        assert_eq!(door.rejected().await.0, "locked");
    }
}

#[tokio::test]
async fn a_full_conference_lets_moderators_in_and_a_place_that_is_left_is_free() {
    let mut door = Door::open().await;
    let id = door
        .conference(json!({"max_participants": 2, "member": {"numbers": [NUMBER]}, "moderator": {"numbers": ["5550009"]}}))
        .await;
    let ann = door.call("Ann");
    door.call("Ben");
    door.people(&id, 2).await;
    let eve = door.call("Eve");
    assert_eq!(door.rejected().await.0, "full");
    door.gone(&eve).await;
    assert_eq!(door.heard(&eve), ["full"]);
    door.dial(caller("Mod").dialling("5550009"));
    door.people(&id, 3).await;
    door.switch().hang_up(&ann).unwrap();
    door.people(&id, 2).await;
    door.call("Dan");
    assert_eq!(door.rejected().await.0, "full", "the moderator counts");
    assert_eq!(door.people(&id, 2).await.len(), 2);
}

#[tokio::test]
async fn moderators_need_a_place_too_if_the_configuration_says_so() {
    let mut door = Door::with(1, |config| config.callin.moderators_over_limit = false).await;
    let id = door
        .conference(json!({"max_participants": 2, "member": {"numbers": [NUMBER]}, "moderator": {"numbers": ["5550009"]}}))
        .await;
    door.call("Ann");
    door.call("Ben");
    door.people(&id, 2).await;
    door.dial(caller("Mod").dialling("5550009"));
    assert_eq!(door.rejected().await.0, "full");
}

#[tokio::test]
async fn the_line_in_has_account_role_profile_and_keys() {
    let door = Door::open().await;
    let id = door
        .conference(json!({"profile": "verbose", "caller_controls": "mine", "member": {"numbers": [NUMBER], "join_deaf": true}}))
        .await;
    let ann = door.call("Ann");
    door.people(&id, 1).await;
    assert_eq!(
        transferred(&door, &ann),
        format!(
            "'flush_dtmf:,unset:convened_digits,set:convened_callin=joined,set:confvar_account_id={ACCOUNT},\
             set:account_id={ACCOUNT},set:presence_data_cols=account_id,set:conference_controls=mine,\
             conference:{id}@verbose+flags{{mute|deaf}}' inline"
        )
    );
}

#[tokio::test]
async fn tones_are_set_before_because_they_hold_commas() {
    let door = Door::with(1, |config| config.media.schemes = vec!["https".into()]).await;
    for (at, (keys, expected)) in [
        (json!({}), vec![]),
        (
            json!({"play_entry_tone": true, "play_exit_tone": false}),
            vec![
                "conference_enter_sound tone_stream://%(200,0,500,600,700)",
                "conference_exit_sound silence_stream://10",
            ],
        ),
        (
            json!({"play_entry_tone": "%(100,0,400)", "play_exit_tone": "https://media.example.com/bye.wav"}),
            vec![
                "conference_enter_sound tone_stream://%(100,0,400)",
                "conference_exit_sound https://media.example.com/bye.wav",
            ],
        ),
        // What the configuration does not allow is not played, and the caller is let in all the same.
        (json!({"play_entry_tone": "/etc/passwd"}), vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let number = format!("777{at}");
        let mut data = keys;
        data["conference_numbers"] = json!([number]);
        let id = door.owner.create(data).await;
        let ann = door.dial(caller("Ann").dialling(number));
        door.people(&id, 1).await;
        assert_eq!(given(&door, &ann), expected);
    }
}

#[tokio::test]
async fn a_caller_says_his_name_and_it_is_played_to_the_others_when_he_comes_in() {
    let door = Door::with(1, |config| config.callin.names = Some("/var/names".into())).await;
    let id = door.conference(json!({"play_name": true, "play_entry_tone": "%(1,0,100)"})).await;
    let ann = door.call("Ann");
    soon("the recording", door.switch().until_command(|seen| seen.text.contains("execute-app-name: record")))
        .await;
    soon("a key", async {
        while door.switch().press(&ann, "#").is_ok() && door.switch().truth().is_empty() {
            look_again().await;
        }
    })
    .await;
    door.people(&id, 1).await;
    let files = door.switch().files();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = &files[0];
    let name =
        file.strip_prefix("/var/names/").and_then(|name| name.strip_suffix(".wav")).expect("our own name");
    assert!(name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{file}");
    let sound = format!("conference_enter_sound file_string://{file}!tone_stream://%(1,0,100)");
    assert_eq!(given(&door, &ann), [sound]);
    assert_eq!(door.heard(&ann), ["say_name"]);
}

#[tokio::test]
async fn without_a_directory_for_names_nobody_is_asked_for_his() {
    let door = Door::open().await;
    let id = door.conference(json!({"play_name": true})).await;
    let ann = door.call("Ann");
    door.people(&id, 1).await;
    assert!(door.heard(&ann).is_empty() && door.switch().files().is_empty());
}

#[tokio::test]
async fn prompts_are_in_the_language_of_the_document() {
    let door = Door::with(1, |config| {
        config.prompts.enter_pin = "/sounds/{language}/pin.wav".into();
    })
    .await;
    let id = door.conference(json!({"language": "de", "member": {"pins": ["1"]}})).await;
    let ann = door.call("Ann");
    let asked = door.switch().until_command(|seen| seen.text.contains("play_and_get_digits"));
    let asked = soon("a question", asked).await;
    assert!(asked.text.contains(" /sounds/de/pin.wav "), "{}", asked.text);
    let _ = (id, ann);
}

#[tokio::test]
async fn two_first_callers_at_the_same_moment_meet() {
    let door = Door::open().await;
    let id = door.conference(json!({})).await;
    for name in ["Ann", "Ben", "Eve", "Dan"] {
        door.call(name);
    }
    door.people(&id, 4).await;
    assert_eq!(door.switch().truth().len(), 1);
}
