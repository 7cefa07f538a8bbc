//! Calls whose end nobody tells: the switch is asked, and nothing is called answered that it does not say.

use std::sync::Arc;
use std::time::Duration;

use convened::actions::words::{Places, Profile, RoomName, Word};
use convened::actions::{Args, DialOrder, Dialling, Scope};
use convened::config;
use convened::model::{DialProgress, Notice, NoticeKind, Outcome};
use convened::sim::events::Event;
use convened::sim::switch::Which;
use convened::sim::world::Fate;
use convened::switchboard::{Destination, Dials};
use serde_json::json;
use tokio::sync::broadcast::Receiver;

use crate::support::house::{House, eventually, soon, switch};
use crate::switchboard;

/// In microseconds.
const MOMENT: u64 = 30_000;

/// A call that may ring for a second and is asked about right then.
struct Dialled {
    house: House,
    dials: Dials,
    told: Receiver<Arc<Notice>>,
    call: String,
}

fn order() -> DialOrder {
    let args = json!({ "endpoints": ["sip:ann@example.com"], "timeout": 1 });
    let dialling = Dialling::new(&config::Dial::default()).unwrap();
    let args = args.as_object().unwrap();
    Args::check(Scope::Conference, "dial", args, &Places::default()).unwrap().dial(&dialling).unwrap()
}

async fn dial(fate: Fate, prepare: impl FnOnce(&House)) -> Dialled {
    let house = House::with(switch().await, |_| ());
    house.followed().await;
    house.switch.world(|world, _| world.destine("ann@", fate));
    prepare(&house);
    let (dials, told) = (Dials::new(1, Duration::ZERO), house.kept.hub.listen_to_notices());
    let to = Destination {
        room: RoomName::new("daily").unwrap(),
        profile: Profile::default(),
        account: Word::new("acme").unwrap(),
        conference_id: "daily".into(),
        only: None,
    };
    let (board, reserved) = (switchboard(&house), dials.take(1).unwrap());
    let dialled = soon("an answer", board.dial(&dials, reserved, &house.node, &to, &order())).await;
    assert_eq!(dialled[0].result.outcome, Outcome::Dialling);
    let call = dialled[0].result.call_id.clone().unwrap().to_string();
    Dialled { house, dials, told, call }
}

impl Dialled {
    async fn progress(&mut self) -> DialProgress {
        let told = soon("a notice", self.told.recv()).await.unwrap();
        let NoticeKind::Dial { progress, .. } = &told.kind else { panic!("{told:?}") };
        progress.clone()
    }
}

fn is_job(event: &Event) -> bool {
    event.name == "BACKGROUND_JOB"
}

fn failed(reason: &str) -> DialProgress {
    DialProgress::Failed { reason: reason.to_owned() }
}

#[tokio::test]
async fn an_answer_that_was_not_told_is_asked_for() {
    let mut dialled = dial(Fate::answered(MOMENT), |house| house.switch.drop_events_if(is_job)).await;
    assert!(dialled.dials.take(1).is_none(), "its place is taken");
    assert_eq!(dialled.progress().await, DialProgress::Ringing);
    assert_eq!(dialled.progress().await, DialProgress::Answered);
    eventually("its place is given back", || dialled.dials.take(1).is_some()).await;
}

#[tokio::test]
async fn a_failure_that_was_not_told_has_no_cause() {
    let fate = Fate::failed(MOMENT, "USER_BUSY").silently();
    let mut dialled = dial(fate, |house| house.switch.drop_events_if(is_job)).await;
    assert_eq!(dialled.progress().await, failed("its result was not seen, and the call is gone"));
}

#[tokio::test]
async fn a_call_that_is_there_is_not_answered_for_that() {
    let fate = Fate::answered(MOMENT).silently();
    let mut dialled = dial(fate, |house| house.switch.drop_events_if(is_job)).await;
    dialled.house.switch.until(|rooms| !rooms.is_empty()).await;
    dialled.house.switch.api(&format!("uuid_setvar {} endpoint_disposition EARLY MEDIA", dialled.call));
    assert!(matches!(dialled.progress().await, DialProgress::Unknown { .. }));
}

#[tokio::test]
async fn a_switch_that_is_away_leaves_it_unknown() {
    let fate = Fate::answered(MOMENT).silently();
    let mut dialled = dial(fate, |house| house.switch.drop_events_if(is_job)).await;
    soon("the end of the listener", dialled.house.switch.stop_listening()).await;
    dialled.house.switch.cut(Which::All);
    assert!(matches!(dialled.progress().await, DialProgress::Unknown { .. }));
}

#[tokio::test]
async fn a_connection_that_is_made_again_in_time_loses_nothing() {
    let mut dialled = dial(Fate::failed(600_000, "USER_BUSY").silently(), |_| ()).await;
    dialled.house.switch.cut(Which::All);
    assert_eq!(dialled.progress().await, failed("USER_BUSY"));
}

#[tokio::test]
async fn a_switch_that_tells_nothing_of_jobs_is_followed_all_the_same() {
    let house = {
        let switch = switch().await;
        for _ in 0..100 {
            switch.answer_instead("BACKGROUND_JOB", "-ERR permission denied");
        }
        House::with(switch, |_| ())
    };
    house.followed().await;
    let all = house.switch.commands();
    assert_eq!(
        all.iter().filter(|seen| seen.text.contains("BACKGROUND_JOB")).count(),
        1,
        "it was not tried again"
    );
    assert!(house.node.status().events_connected);
}
