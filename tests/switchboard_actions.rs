//! What actions say came of them: by FreeSWITCH's words, and by what was seen.

#[path = "switchboard_actions/bulk.rs"]
mod bulk;
#[path = "switchboard_actions/dial.rs"]
mod dial;
#[path = "switchboard_actions/more.rs"]
mod more;
#[path = "switchboard_actions/one.rs"]
mod one;
#[path = "switchboard_actions/playing.rs"]
mod playing;
#[path = "switchboard_actions/recording.rs"]
mod recording;
#[path = "switchboard_actions/relate.rs"]
mod relate;
mod support;
#[path = "switchboard_actions/unsure.rs"]
mod unsure;

use std::time::Duration;

use convened::model::{ActionResult, ConferenceAction, ParticipantAction, Problem};
use convened::switchboard::Switchboard;

use crate::support::house::{House, soon};

/// A switchboard over the house's node.
fn switchboard(house: &House) -> Switchboard {
    within(house, Duration::from_secs(20))
}

/// One that waits so long for somebody to leave.
fn within(house: &House, effect: Duration) -> Switchboard {
    Switchboard::new(house.registry.clone(), [house.node.clone()], house.kept.hub.clone(), false, effect)
}

async fn act(house: &House, call: &str, action: ParticipantAction) -> ActionResult {
    act_on(&switchboard(house), house, call, action).await
}

async fn act_on(board: &Switchboard, house: &House, call: &str, action: ParticipantAction) -> ActionResult {
    let (conference, participant) = (house.conference("daily"), house.participant("daily", call));
    soon("a result", board.participant(&conference, &participant, action)).await
}

async fn act_on_all(house: &House, action: ParticipantAction) -> Vec<ActionResult> {
    soon("results", switchboard(house).participants(&house.registry.conference("daily"), action, None)).await
}

async fn lock(house: &House, action: ConferenceAction) -> Vec<ActionResult> {
    soon("results", switchboard(house).conference(&house.registry.conference("daily"), action)).await
}

fn refused(words: &str) -> Option<Problem> {
    Some(Problem::Refused(words.to_owned()))
}

/// Commands that the node has sent about conferences, lists not among them.
fn sent(house: &House) -> Vec<String> {
    let all = house.switch.commands().into_iter().map(|seen| seen.text);
    all.filter(|text| text.starts_with("api conference ") && !text.contains("list")).collect()
}
