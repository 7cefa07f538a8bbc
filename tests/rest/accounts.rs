//! Whose a conference is, and what everybody else gets to know of it: nothing.

use convened::sim::world::Caller;
use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Rest, column};
use crate::house::{ACCOUNT, House, OTHER};

/// Everything that can be asked about one conference.
async fn ask_all(client: &Rest, id: &str) -> Vec<Answer> {
    let one = format!("conferences/{id}");
    let all = format!("{one}/participants");
    let person = format!("{all}/1");
    let mut answers = Vec::new();
    for path in [&one, &all, &person] {
        answers.push(client.get(path).await);
    }
    for (path, action) in [(&one, "lock"), (&all, "kick"), (&person, "kick"), (&person, "mute")] {
        answers.push(client.act(path, action).await);
    }
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        let body = json!({ "data": { "name": "x" }, "revision": "1-x" });
        answers.push(client.ask(method.clone(), &one).json(&body).send().await);
        answers.push(
            client.ask(method, &one).json(&json!({ "data": {} })).header("if-match", "\"1-x\"").send().await,
        );
    }
    answers.push(client.ask(Method::GET, &one).header("if-none-match", "*").send().await);
    answers
}

/// What tells of an answer, without what differs by chance.
fn told(answer: &Answer, id: &str) -> (u16, Vec<String>, String) {
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    let mut body = answer.json();
    body["request_id"] = Value::Null;
    (answer.status.as_u16(), names, body.to_string().replace(id, "ID"))
}

async fn assert_hidden(house: &House, client: &Rest, id: &str) {
    let none = "0123456789abcdef0123456789abcdef";
    for (theirs, nobodys) in ask_all(client, id).await.iter().zip(ask_all(client, none).await) {
        theirs.not_found(id);
        assert_eq!(told(theirs, id), told(&nobodys, none), "{}", theirs.text());
    }
    let listed = client.get("conferences?paginate=false").await.ok();
    assert!(!column(&listed, "id").contains(&json!(id)), "{listed}");
    assert_eq!(house.orders(0), [""; 0]);
}

#[tokio::test]
async fn another_accounts_document_is_as_one_that_does_not_exist() {
    let house = House::start().await;
    let id = house.owner().await.create(json!({ "name": "secret", "conference_numbers": ["1"] })).await;
    let stranger = house.stranger().await;
    assert_hidden(&house, &stranger, &id).await;
    house.enter(&id, Caller::new("Ann", "1")).await;
    assert_hidden(&house, &stranger, &id).await;
}

#[tokio::test]
async fn another_accounts_ad_hoc_conference_is_as_one_that_does_not_exist() {
    let house = House::start().await;
    house.join("secret", "Ann").await;
    assert_hidden(&house, &house.stranger().await, "secret").await;
    let owner = house.owner().await;
    assert_eq!(owner.get("conferences/secret").await.ok()["ad_hoc"], true);
    // A superuser sees it where it belongs and nowhere else.
    let superuser = house.superuser().await;
    assert_eq!(superuser.get("conferences/secret").await.ok()["ad_hoc"], true);
    superuser.in_account(OTHER).get("conferences/secret").await.not_found("secret");
}

#[tokio::test]
async fn a_document_decides_whose_a_conference_is_whatever_the_switch_says() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({})).await;
    house.enter(&id, Caller::new("Eve", "1").variable("confvar_account_id", OTHER)).await;
    assert_hidden(&house, &house.stranger().await, &id).await;
    assert_eq!(owner.get(&format!("conferences/{id}")).await.ok()["_read_only"]["members"], 1);
}

#[tokio::test]
async fn the_same_name_in_two_accounts_on_two_nodes_is_two_conferences() {
    let house = House::with(2, |_| {}).await;
    house.join("talk", "Ann").await;
    house.switches[1]
        .join("talk", Caller::new("Eve", "2").variable("confvar_account_id", OTHER))
        .expect("let in");
    house.told().await;
    for (client, name) in [(house.owner().await, "Ann"), (house.stranger().await, "Eve")] {
        let people = client.get("conferences/talk/participants").await.ok();
        assert_eq!(column(&people, "caller_id_name"), [name]);
        let listed = client.get("conferences").await.ok();
        assert_eq!((listed.as_array().map(Vec::len), &listed[0]["members"]), (Some(1), &json!(1)));
    }
    house.stranger().await.act("conferences/talk/participants", "kick").await.ok();
    assert_eq!(house.switch().truth()[0].members.len(), 1);
    assert!(house.switches[1].truth().is_empty());
}

#[tokio::test]
async fn the_account_may_stand_in_the_presence_data_of_the_first_one() {
    let house = House::start().await;
    let caller =
        Caller::new("Ann", "1").variable("presence_data_cols", "account_id").variable("account_id", ACCOUNT);
    house.enter("talk", caller).await;
    assert_hidden(&house, &house.stranger().await, "talk").await;
    assert_eq!(house.owner().await.get("conferences/talk").await.ok()["_read_only"]["members"], 1);
}

#[tokio::test]
async fn an_untagged_conference_is_the_default_accounts() {
    let house = House::with(1, |config| config.conference.default_account = Some(ACCOUNT.into())).await;
    house.enter("talk", Caller::new("Ann", "1")).await;
    assert_hidden(&house, &house.stranger().await, "talk").await;
    let owner = house.owner().await;
    assert_eq!(column(&owner.get("conferences").await.ok(), "id"), ["talk"]);
    owner.act("conferences/talk", "lock").await.ok();
    let superuser = house.superuser().await;
    superuser.get("conferences/talk").await.ok();
    superuser.in_account(OTHER).get("conferences/talk").await.not_found("talk");
}

#[tokio::test]
async fn without_a_default_account_an_untagged_conference_is_for_superusers() {
    let house = House::start().await;
    house.enter("talk", Caller::new("Ann", "1")).await;
    for client in [house.owner().await, house.stranger().await] {
        assert_hidden(&house, &client, "talk").await;
    }
    let superuser = house.superuser().await;
    assert_eq!(column(&superuser.get("conferences").await.ok(), "id"), ["talk"]);
    superuser.act("conferences/talk/participants/1", "mute").await.ok();
}

#[tokio::test]
async fn what_was_there_before_the_daemon_is_its_accounts_though_nothing_happens_in_it() {
    let switch = crate::house::switch(1).await;
    let tagged = |name| Caller::new(name, "1").variable("presence_data_cols", "account_id");
    for (room, caller) in [
        ("channel", tagged("Ann").variable("account_id", ACCOUNT)),
        // His own tag tells of the conference only if he came first.
        ("channel", tagged("Eve").variable("account_id", OTHER)),
        ("another", tagged("Eve").variable("account_id", OTHER)),
        ("conference", Caller::new("Ben", "2").variable("confvar_account_id", ACCOUNT)),
        ("nobodys", Caller::new("Cy", "3")),
    ] {
        switch.join(room, caller).expect("let in");
    }
    switch.until(|rooms| rooms.iter().all(|room| room.members.iter().any(|member| member.floor))).await;
    let house =
        House::beside(vec![switch], |config| config.conference.default_account = Some(ACCOUNT.into())).await;
    house.followed().await;
    let owner = house.owner().await;
    assert_eq!(column(&owner.get("conferences").await.ok(), "id"), ["channel", "conference", "nobodys"]);
    assert_eq!(column(&house.stranger().await.get("conferences").await.ok(), "id"), ["another"]);
    assert_hidden(&house, &house.stranger().await, "channel").await;
    // It is asked once, for each of which the list does not tell.
    let asked = house.switch().commands();
    let asked = asked.iter().filter(|seen| seen.text.starts_with("api eval ")).count();
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn as_long_as_nothing_has_told_the_account_only_superusers_see_the_conference() {
    let switch = crate::house::switch(1).await;
    // Neither its list tells, nor may be asked (`esl-allowed-api`).
    switch.answer_instead("eval uuid", "-ERR command not found");
    let ann = switch.join("talk", Caller::new("Ann", "1")).expect("let in");
    // Nothing happens by itself after that.
    switch.until(|rooms| rooms[0].members[0].floor).await;
    let house =
        House::beside(vec![switch], |config| config.conference.default_account = Some(ACCOUNT.into())).await;
    house.followed().await;
    let (owner, superuser) = (house.owner().await, house.superuser().await);
    assert_hidden(&house, &owner, "talk").await;
    assert_eq!(column(&superuser.get("conferences").await.ok(), "id"), ["talk"]);
    superuser.get("conferences/talk/participants").await.ok();
    // Her next event has no tag either: so there is none.
    house.switch().talk(&ann, true).expect("in the conference");
    house.told().await;
    assert_eq!(owner.get("conferences/talk").await.ok()["_read_only"]["members"], 1);
    assert_hidden(&house, &house.stranger().await, "talk").await;
}
