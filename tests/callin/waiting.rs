//! Members wait for a moderator.

use serde_json::{Value, json};

use crate::client::look_again;
use crate::door::{Door, NUMBER, caller, soon};

const MODERATORS: &str = "5550009";

async fn conference(door: &Door, requires: bool) -> String {
    let key = if requires { "require_moderator" } else { "wait_for_moderator" };
    let mut data =
        json!({"member": {"numbers": [NUMBER], "join_muted": false}, "moderator": {"numbers": [MODERATORS]}});
    data[key] = true.into();
    door.owner.create(data).await
}

fn waits(one: &Value) -> bool {
    one["waiting"] == true && one["speak"] == false && one["hear"] == false
}

fn is_free(one: &Value) -> bool {
    one.get("waiting").is_none() && one["speak"] == true && one["hear"] == true
}

#[tokio::test]
async fn a_member_waits_with_music_and_is_free_when_a_moderator_comes() {
    let door = Door::open().await;
    let id = conference(&door, false).await;
    door.call("Ann");
    door.person(&id, "Ann", waits).await;
    let music = |seen: &convened::sim::switch::Seen| {
        seen.text.contains(&format!("conference {id} play tone_stream://%(300,4700,440);loops=-1 "))
    };
    soon("music", door.switch().until_command(music)).await;
    let moderator = door.dial(caller("Mod").dialling(MODERATORS));
    door.person(&id, "Ann", is_free).await;
    door.person(&id, "Mod", is_free).await;
    let stopped = |seen: &convened::sim::switch::Seen| seen.text.contains(&format!("conference {id} stop "));
    soon("the end of the music", door.switch().until_command(stopped)).await;
    // The next one need not wait, and nobody does again when the moderator goes.
    let ben = door.call("Ben");
    door.person(&id, "Ben", is_free).await;
    let commands = door.switch().commands();
    let sent =
        commands.iter().find(|seen| seen.text.contains(&format!("uuid_transfer {ben} "))).expect("sent in");
    assert!(!sent.text.contains("+flags"), "he is heard from the first moment on: {}", sent.text);
    door.switch().hang_up(&moderator).unwrap();
    door.people(&id, 2).await;
    door.house.told().await;
    door.person(&id, "Ann", is_free).await;
}

#[tokio::test]
async fn who_waited_is_as_he_was_to_be() {
    let door = Door::open().await;
    let data = json!({"wait_for_moderator": true, "member": {"numbers": [NUMBER], "join_muted": true},
                      "moderator": {"numbers": [MODERATORS]}});
    let id = door.owner.create(data).await;
    door.call("Ann");
    door.person(&id, "Ann", waits).await;
    door.dial(caller("Mod").dialling(MODERATORS));
    let ann = door.person(&id, "Ann", |one| one.get("waiting").is_none() && one["hear"] == true).await;
    assert_eq!(ann["speak"], false, "the document says join_muted");
}

#[tokio::test]
async fn who_is_muted_by_request_while_he_waits_is_muted_afterwards() {
    let door = Door::open().await;
    let id = conference(&door, false).await;
    door.call("Ann");
    door.call("Ben");
    let ann = door.person(&id, "Ann", waits).await;
    door.person(&id, "Ben", waits).await;
    door.owner.act(&format!("conferences/{id}/participants/{}", ann["participant_id"]), "mute").await.ok();
    door.dial(caller("Mod").dialling(MODERATORS));
    door.person(&id, "Ben", is_free).await;
    let ann = door.person(&id, "Ann", |one| one.get("waiting").is_none() && one["hear"] == true).await;
    assert_eq!(ann["speak"], false);
}

#[tokio::test]
async fn where_a_moderator_is_required_everybody_waits_again_and_is_later_as_he_was() {
    let door = Door::open().await;
    let id = conference(&door, true).await;
    let moderator = door.dial(caller("Mod").dialling(MODERATORS));
    door.people(&id, 1).await;
    door.call("Ann");
    door.call("Ben");
    let ben = door.person(&id, "Ben", is_free).await;
    door.person(&id, "Ann", is_free).await;
    door.owner.act(&format!("conferences/{id}/participants/{}", ben["participant_id"]), "mute").await.ok();
    door.switch().hang_up(&moderator).unwrap();
    door.person(&id, "Ann", waits).await;
    door.person(&id, "Ben", waits).await;
    door.dial(caller("Mod2").dialling(MODERATORS));
    door.person(&id, "Ann", is_free).await;
    let ben = door.person(&id, "Ben", |one| one.get("waiting").is_none() && one["hear"] == true).await;
    assert_eq!(ben["speak"], false, "he was muted before");
}

#[tokio::test]
async fn a_second_moderator_keeps_it_going() {
    let door = Door::open().await;
    let id = conference(&door, true).await;
    let moderator = door.dial(caller("Mod").dialling(MODERATORS));
    door.dial(caller("Mod2").dialling(MODERATORS));
    door.people(&id, 2).await;
    door.call("Ann");
    door.person(&id, "Ann", is_free).await;
    door.switch().hang_up(&moderator).unwrap();
    door.people(&id, 2).await;
    door.house.told().await;
    door.quiet().await;
    door.person(&id, "Ann", is_free).await;
}

#[tokio::test]
async fn who_waits_and_hangs_up_is_forgotten_and_so_is_the_conference() {
    let door = Door::open().await;
    let id = conference(&door, false).await;
    let ann = door.call("Ann");
    door.person(&id, "Ann", waits).await;
    door.switch().hang_up(&ann).unwrap();
    let waiting = &door.house.daemon.context().waiting;
    soon("the end", async {
        while waiting.is_waiting(&id, &ann) {
            look_again().await;
        }
    })
    .await;
    // And in the next run of it everybody waits anew.
    door.call("Ben");
    door.person(&id, "Ben", waits).await;
}

#[tokio::test]
async fn who_waits_on_a_node_that_is_out_of_reach_for_long_waits_on_when_it_is_back() {
    let door = Door::with(1, |config| {
        let node = &mut config.node[0];
        (node.stale_after_s, node.gone_after_s, node.reconnect_max_ms) = (0, 1, 20);
    })
    .await;
    let id = conference(&door, false).await;
    let ann = door.call("Ann");
    door.person(&id, "Ann", waits).await;
    door.quiet().await;
    door.switch().stop_listening().await;
    door.switch().cut(convened::sim::switch::Which::All);
    soon("its end, as far as is known", async {
        while !door.house.daemon.context().registry.conference(&id).is_empty() {
            look_again().await;
        }
    })
    .await;
    door.switch().listen_again().await.expect("it listens");
    door.person(&id, "Ann", waits).await;
    door.dial(caller("Mod").dialling(MODERATORS));
    door.person(&id, "Ann", is_free).await;
    assert!(!door.house.daemon.context().waiting.is_waiting(&id, &ann));
}

#[tokio::test]
async fn many_who_wait_are_all_let_free() {
    let door = Door::open().await;
    let id = conference(&door, false).await;
    for number in 0..40 {
        door.call(&format!("Member {number}"));
    }
    door.people(&id, 40).await;
    door.dial(caller("Mod").dialling(MODERATORS));
    soon("freedom", async {
        let path = format!("conferences/{id}/participants");
        door.owner.until(&path, |answer| answer.data().as_array().unwrap().iter().all(is_free)).await
    })
    .await;
}
