//! Lists: too long, damaged, refused, and what they must not do.

use convened::model::Flag;
use convened::registry::{ChangeKind, Reason};
use convened::sim::switch::Which;
use convened::sim::world::Caller;

use crate::support::house::{House, eventually, settled, soon, switch};

#[tokio::test]
async fn a_list_too_long_for_its_limit_is_taken_room_by_room() {
    let switch = switch().await;
    for room in 0..12 {
        for caller in 0..3 {
            let caller = Caller::new(format!("Caller {caller}"), format!("{room}{caller}"));
            switch.join(&format!("room{room}"), caller).unwrap();
        }
    }
    settled(&switch).await;
    // Each room has a list of about 2,500 octets, all together ten times that.
    let house = House::with(switch, |settings| settings.limits.response = 6_000);
    house.followed().await;
    house.agrees().await;
    assert_eq!(house.node.status().connections, 1, "no connection was lost over it");
    let asked = |line: &str| house.switch.commands().iter().filter(|seen| seen.text == line).count();
    assert_eq!(asked("api conference json_list compact"), 1);
    assert_eq!(asked("api conference list summary"), 1);
    assert_eq!(asked("api conference room7 json_list compact"), 1);
}

#[tokio::test]
async fn room_by_room_what_ended_meanwhile_is_removed_too() {
    let switch = switch().await;
    let mut calls = Vec::new();
    for room in 0..12 {
        for caller in 0..3 {
            let caller = Caller::new(format!("Caller {caller}"), format!("{room}{caller}"));
            calls.push(switch.join(&format!("room{room}"), caller).unwrap());
        }
    }
    let house = House::with(switch, |settings| settings.limits.response = 6_000);
    house.followed().await;
    house.agrees().await;
    house.switch.stop_listening().await;
    house.switch.cut(Which::All);
    eventually("it is noticed", || !house.node.status().events_connected).await;
    for call in &calls[..9] {
        house.switch.leave(call).unwrap();
    }
    settled(&house.switch).await;
    house.switch.join("late", Caller::new("Ann", "2001")).unwrap();
    house.switch.listen_again().await.unwrap();
    house.agrees().await;
    house.followed().await;
    let all = house.kept.all();
    let ended = all.iter().filter(|change| change.kind == ChangeKind::ConferenceDestroyed);
    assert!(ended.clone().all(|change| change.reason == Reason::List));
    assert_eq!(ended.count(), 3);
}

#[tokio::test]
async fn one_room_beyond_the_limit_does_not_keep_the_others_from_being_known() {
    let switch = switch().await;
    for caller in 0..12 {
        switch.join("huge", Caller::new(format!("Caller {caller}"), "2001")).unwrap();
    }
    let ann = switch.join("small", Caller::new("Ann", "2001")).unwrap();
    let house = House::with(switch, |settings| settings.limits.response = 6_000);
    house.followed().await;
    assert!(house.state("small", &ann).is_some());
    assert!(house.registry.conference("huge").is_empty());
}

#[tokio::test]
async fn a_damaged_list_is_asked_for_again() {
    for damaged in ["", "-ERR no reply\n", "[{\"conference_name\":", "{}", "<xml/>", "[1]"] {
        let switch = switch().await;
        switch.join("daily", Caller::new("Ann", "2001")).unwrap();
        settled(&switch).await;
        switch.answer_instead("conference json_list", damaged);
        let house = House::with(switch, |_| ());
        house.followed().await;
        house.agrees().await;
        assert_eq!(house.kept.kinds("daily").len(), 3, "{damaged:?}: created, joined, floor");
    }
}

#[tokio::test]
async fn a_list_of_one_conference_says_nothing_of_the_others() {
    let house = House::new().await;
    for room in ["daily", "weekly"] {
        house.switch.join(room, Caller::new("Ann", "2001")).unwrap();
    }
    house.switch.until(|rooms| rooms.iter().all(|room| room.members[0].floor)).await;
    house.agrees().await;
    let before = house.kept.all().len();
    let result = soon("a list", house.node.list_conference("daily")).await.unwrap();
    assert_eq!((result.repaired, result.unsure.len()), (0, 0));
    let result = soon("a list", house.node.list_conference("nosuch")).await.unwrap();
    assert_eq!((result.repaired, result.unsure.len()), (0, 0));
    assert!(soon("a refusal", house.node.list_conference("it's")).await.is_err());
    assert_eq!(house.kept.all().len(), before, "and what is known is no change");
    house.agrees().await;
}

#[tokio::test]
async fn somebody_who_is_told_of_but_not_listed_yet_stays() {
    let mut options = crate::support::house::options();
    options.world.list_lag = 400_000;
    let switch = convened::sim::switch::Switch::start(options).await.unwrap();
    let house = House::following(switch).await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    eventually("she is told of", || house.state("daily", &ann).is_some()).await;
    let result = soon("a list", house.node.list_conference("daily")).await.unwrap();
    assert_eq!(result.unsure.len(), 1, "the list may have missed her");
    house.agrees().await;
    assert!(!house.kept.kinds("daily").contains(&ChangeKind::Left));
}

#[tokio::test]
async fn a_conference_that_is_called_like_a_command_does_not_hide_the_others() {
    let switch = crate::support::house::switch().await;
    let eve = switch.join("json_list", Caller::new("Eve", "6")).unwrap();
    let ann = switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    settled(&switch).await;
    assert!(switch.api("conference json_list compact").starts_with("-ERR Conference command"));
    let house = House::following(switch).await;
    assert!(house.state("daily", &ann).is_some());
    // The same when it is known, has ended unseen, and another one of that name hides the list.
    house.switch.join("json_list", Caller::new("Ida", "7")).unwrap();
    let known = || house.registry.conference("json_list");
    eventually("it is known by its events", || !known().is_empty()).await;
    let first = known()[0].instance.clone();
    house.switch.stop_listening().await;
    house.switch.cut(Which::All);
    eventually("it is noticed", || !house.node.status().events_connected).await;
    house.switch.api("conference json_list hup all");
    house.switch.until(|rooms| rooms.iter().all(|room| room.name != "json_list")).await;
    let _ = house.switch.leave(&eve);
    house.switch.join("json_list", Caller::new("Jon", "8")).unwrap();
    house.switch.listen_again().await.unwrap();
    house.followed().await;
    assert!(known().iter().all(|conference| conference.instance != first), "{:?}", known());
    assert!(house.state("daily", &ann).is_some());
}

#[tokio::test]
async fn what_was_told_before_the_list_is_applied_before_it_is_compared() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.agrees().await;
    house.switch.hold_replies();
    let node = house.node.clone();
    let list = tokio::spawn(async move { node.list_conference("daily").await });
    let fences = || house.switch.commands().iter().filter(|seen| seen.text.starts_with("sendevent")).count();
    let before = fences();
    eventually("the first fence is sent", || fences() > before).await;
    // What comes behind it has come: so has it.
    house.switch.talk(&ann, true).unwrap();
    eventually("she talks", || house.has("daily", &ann, Flag::Talking)).await;
    house.switch.stall(Which::Events);
    house.switch.api(&format!("conference daily mute uuid={ann}"));
    let before = fences();
    house.switch.release_replies();
    eventually("the list has come, and a second fence is sent", || fences() > before).await;
    assert!(house.has("daily", &ann, Flag::Speak), "its event has not come");
    house.switch.resume(Which::Events);
    let result = soon("the list", list).await.unwrap().unwrap();
    assert_eq!(result.repaired, 0, "{:?}", result.differences);
    let muted = house.kept.all().into_iter().find(|change| change.kind == ChangeKind::Muted);
    assert_eq!(muted.map(|change| change.reason), Some(Reason::Event));
}

#[tokio::test]
async fn the_answer_of_another_command_ends_no_conference() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.agrees().await;
    let connections = house.switch.connections();
    let other = "-ERR Conference weekly not found\n";
    house.switch.answer_instead("conference daily json_list", other);
    assert!(soon("an error", house.node.list_conference("daily")).await.is_err());
    assert!(house.state("daily", &ann).is_some());
    assert_eq!(house.switch.connections(), connections, "the next answers are the right ones");
    // Now the next ones are not, either.
    house.switch.answer_instead("conference daily json_list", other);
    house.switch.answer_instead("conference nobody-", "[]");
    assert!(soon("an error", house.node.list_conference("daily")).await.is_err());
    eventually("there is another connection", || {
        house.switch.connections().iter().any(|id| !connections.contains(id))
    })
    .await;
    eventually("it can be used", || house.node.status().commands_connected).await;
    assert_eq!(soon("a list", house.node.list_conference("daily")).await.unwrap().repaired, 0);
    assert!(house.state("daily", &ann).is_some());
    assert_eq!(house.node.status().connections, 1, "the events were not disturbed");
}
