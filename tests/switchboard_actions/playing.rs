//! What is played to a conference: asked of the switch, and only where something may be.

use convened::model::Playing;
use convened::sim::world::Caller;

use crate::sent;
use crate::support::house::{House, settled, soon};
use crate::switchboard;

async fn with_ann() -> (House, String) {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "1")).unwrap();
    settled(&house.switch).await;
    house.agrees().await;
    (house, ann)
}

/// What is played, and what was asked for that.
async fn playing(house: &House) -> (Option<String>, Vec<String>) {
    let before = sent(house).len();
    let all = house.registry.conference("daily");
    let playing = soon("an answer", switchboard(house).playing(&all)).await;
    (playing.map(|Playing { media }| media), sent(house).split_off(before))
}

const ASKED: &str = "api conference daily play_status";

#[tokio::test]
async fn as_long_as_nothing_was_played_nobody_is_asked() {
    let (house, _) = with_ann().await;
    assert_eq!(playing(&house).await, (None, vec![]));
    house.switch.api("conference daily play /sounds/a.wav 1");
    house.switch.api("conference daily play /nonexistent/a.wav");
    house.node.fence().await.unwrap();
    assert_eq!(playing(&house).await, (None, vec![]), "one alone hears it, and nobody");
    house.switch.api("conference daily play tone_stream://%(3600000,0,440)");
    house.node.fence().await.unwrap();
    for _ in 0..2 {
        let shown = Some("%(3600000,0,440)".to_owned());
        assert_eq!(playing(&house).await, (shown, vec![ASKED.to_owned()]));
    }
    house.switch.api("conference daily stop all");
    assert_eq!(playing(&house).await, (None, vec![ASKED.to_owned()]));
    assert_eq!(playing(&house).await, (None, vec![]), "that it is quiet is known now");
}

#[tokio::test]
async fn what_is_not_understood_is_no_silence() {
    let (house, _) = with_ann().await;
    house.switch.api("conference daily play tone_stream://%(3600000,0,440)");
    house.node.fence().await.unwrap();
    for odd in ["+OK 0/0 (null)\n", "-ERR permission denied\n", "-ERR Conference daily not found\n", "what?"]
    {
        house.switch.answer_instead("play_status", odd);
        assert_eq!(playing(&house).await, (None, vec![ASKED.to_owned()]), "{odd:?}");
    }
    assert_eq!(playing(&house).await.0.as_deref(), Some("%(3600000,0,440)"));
}

#[tokio::test]
async fn a_switch_that_does_not_answer_is_not_waited_for() {
    let (house, ann) = with_ann().await;
    house.switch.api("conference daily play tone_stream://%(3600000,0,440)");
    house.node.fence().await.unwrap();
    house.switch.hang_at("play_status");
    let began = tokio::time::Instant::now();
    assert_eq!(playing(&house).await, (None, vec![ASKED.to_owned()]));
    // A command has ten seconds.
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    let _ = ann;
}

#[tokio::test]
async fn a_conference_of_the_same_name_is_not_asked_in_its_place() {
    let (house, ann) = with_ann().await;
    house.switch.api("conference daily play tone_stream://%(3600000,0,440)");
    house.node.fence().await.unwrap();
    let old = house.registry.conference("daily");
    // The last one leaves and another begins, before the daemon hears of an end.
    house.switch.drop_events_if(|event| event.action().as_deref() == Some("conference-destroy"));
    house.switch.leave(&ann).unwrap();
    house.switch.until(|rooms| rooms.is_empty()).await;
    house.switch.join("daily", Caller::new("Ben", "2")).unwrap();
    house.switch.api("conference daily play /sounds/secret.wav");
    house.node.fence().await.unwrap();
    let shown = soon("an answer", switchboard(&house).playing(&old)).await;
    assert_eq!(shown, None);
}
