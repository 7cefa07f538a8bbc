//! Many callers at the same moment.

use std::sync::atomic::Ordering;

use convened::callin::Refusal;
use convened::sim::world::Caller;
use serde_json::json;

use crate::door::{Door, NUMBER};
use crate::house::ACCOUNT;

fn somebody(number: usize) -> Caller {
    let own = format!("1555{number:07}");
    Caller::new(format!("Caller {number}"), own)
        .dialling(NUMBER)
        .variable("convened_callin", "true")
        .variable("account_id", ACCOUNT)
}

#[tokio::test]
async fn of_fifty_callers_at_once_ten_get_the_ten_places() {
    let mut door = Door::open().await;
    let id = door.conference(json!({"max_participants": 10})).await;
    let calls: Vec<_> = (0..50).map(|number| door.dial(somebody(number))).collect();
    for _ in 0..40 {
        assert_eq!(door.rejected().await.0, "full");
    }
    door.people(&id, 10).await;
    door.quiet().await;
    let left = calls.iter().filter(|call| door.switch().world(|world, _| world.has_call(call))).count();
    assert_eq!(left, 10, "the others are gone");
    let figures = door.callin().figures();
    assert_eq!((figures.joined.load(Ordering::Relaxed), figures.refused(Refusal::Full)), (10, 40));
}

#[tokio::test]
async fn who_hangs_up_on_the_way_in_takes_no_place_with_him() {
    let door = Door::open().await;
    let id = door.conference(json!({"max_participants": 2, "member": {"pins": ["1"]}})).await;
    for round in 0..5 {
        let call = door.dial(somebody(round));
        door.types(&call, 1, "1#").await;
        door.switch().hang_up(&call).unwrap();
    }
    door.quiet().await;
    for number in 10..12 {
        let call = door.dial(somebody(number));
        door.types(&call, 1, "1#").await;
    }
    door.people(&id, 2).await;
}

#[tokio::test]
async fn one_caller_more_than_can_be_asked_hears_that_there_are_too_many() {
    let mut door = Door::with(1, |config| config.callin.max_dialogues = 5).await;
    let id = door.conference(json!({"member": {"pins": ["1"]}})).await;
    let calls: Vec<_> = (0..5).map(|number| door.dial(somebody(number))).collect();
    for call in &calls {
        crate::door::soon("a question", door.switch().until_asked(call, 1)).await;
    }
    let more = door.dial(somebody(6));
    assert_eq!(door.rejected().await.0, "busy");
    door.gone(&more).await;
    assert_eq!(door.heard(&more), ["unavailable"]);
    for call in &calls {
        door.switch().press(call, "1#").unwrap();
    }
    door.people(&id, 5).await;
    let next = door.dial(somebody(7));
    door.types(&next, 1, "1#").await;
    door.people(&id, 6).await;
}

#[tokio::test]
async fn two_hundred_dialogues_at_once_all_end_in_their_conference() {
    let door = Door::open().await;
    let id = door.conference(json!({"member": {"pins": ["1234"]}})).await;
    let calls: Vec<_> = (0..200).map(|number| door.dial(somebody(number))).collect();
    for call in &calls {
        door.types(call, 1, "1234#").await;
    }
    door.people(&id, 200).await;
    door.quiet().await;
    assert_eq!(door.callin().figures().joined.load(Ordering::Relaxed), 200);
}
