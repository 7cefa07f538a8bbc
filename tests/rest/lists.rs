//! The list of conferences: documents, then ad-hoc ones, in pages.

use convened::sim::world::Caller;
use serde_json::{Value, json};

use crate::client::{Answer, Rest, column, text};
use crate::house::{House, OTHER};

/// Walks the pages; all items, and how many each page had.
async fn walk(client: &Rest, query: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut items, mut sizes, mut key) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let mut path = format!("conferences?{query}");
        if let Some(key) = &key {
            let encoded = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
            path = format!("{path}&start_key={encoded}");
        }
        let answer = client.get(&path).await;
        let page = answer.ok().as_array().cloned().expect("a list");
        let envelope = answer.json();
        assert_eq!(envelope["page_size"], page.len());
        assert_eq!(envelope.get("start_key").map(text), key);
        sizes.push(page.len());
        items.extend(page);
        assert!(sizes.len() < 100, "the pages never end");
        match envelope.get("next_start_key") {
            Some(next) => key = Some(text(next)),
            None => return (items, sizes),
        }
    }
}

#[tokio::test]
async fn documents_come_by_id_then_ad_hoc_conferences_by_name_in_pages_of_any_size() {
    let house = House::start().await;
    let owner = house.owner().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(owner.create(json!({ "name": format!("n{number}") })).await);
    }
    ids.sort();
    house.join(&ids[2], "Ann").await;
    for room in ["zoo", "abc", "bar~1", "a b&c=d"] {
        house.join(room, "Ben").await;
    }
    let foreign = Caller::new("Eve", "1").variable("confvar_account_id", OTHER);
    house.enter("not mine", foreign).await;
    let expected: Vec<Value> =
        ids.iter().map(String::as_str).chain(["a b&c=d", "abc", "bar~1", "zoo"]).map(Value::from).collect();
    for size in 1..=10 {
        let (items, sizes) = walk(&owner, &format!("page_size={size}")).await;
        assert_eq!(column(&Value::from(items), "id"), expected, "pages of {size}");
        assert!(sizes.iter().rev().skip(1).all(|found| *found == size), "{size}: {sizes:?}");
        assert_eq!(sizes.len(), 9_usize.div_ceil(size), "{size}: {sizes:?}");
    }
    let all = owner.get("conferences?paginate=false").await;
    assert_eq!(column(&all.ok(), "id"), expected);
    let running = &all.ok()[2];
    for (key, value) in
        [("members", json!(1)), ("admins", json!(0)), ("is_locked", json!(false)), ("focus", json!("fs1"))]
    {
        assert_eq!(running[key], value, "{key}");
    }
    assert!(
        running["duration"].is_u64()
            && running.get("ad_hoc").is_none()
            && running.get("_read_only").is_none(),
        "{running}"
    );
    let ad_hoc = &all.ok()[6];
    for (key, value) in
        [("name", json!("abc")), ("ad_hoc", json!(true)), ("members", json!(1)), ("focus", json!("fs1"))]
    {
        assert_eq!(ad_hoc[key], value, "{key}");
    }
    let idle = &all.ok()[0];
    assert_eq!((&idle["members"], idle.get("focus")), (&json!(0), None));
}

#[tokio::test]
async fn a_page_has_fifty_items_unless_asked_otherwise_and_five_hundred_at_most() {
    let house = House::start().await;
    let owner = house.owner().await;
    let many = (0..520).map(|_| owner.put("conferences", json!({})));
    for answer in futures_util::future::join_all(many).await {
        answer.created();
    }
    let length = |answer: Answer| answer.ok().as_array().map(Vec::len);
    assert_eq!(length(owner.get("conferences").await), Some(50));
    assert_eq!(length(owner.get("conferences?page_size=100000").await), Some(500));
    assert_eq!(length(owner.get("conferences?paginate=false").await), Some(520));
    assert_eq!(walk(&owner, "page_size=100").await.1, [100, 100, 100, 100, 100, 20]);
    for wrong in ["0", "-1", "x", "1.5", "", "99999999999"] {
        owner.get(&format!("conferences?page_size={wrong}")).await.refused(400, "invalid_request");
    }
    owner.get("conferences?page_size=%zz").await.refused(400, "invalid_request");
}

#[tokio::test]
async fn filters_take_exactly_what_they_name() {
    let house = House::start().await;
    let owner = house.owner().await;
    let (ann, ben) = ("a".repeat(32), "b".repeat(32));
    for (name, owner_id) in
        [("Board", &ann), ("Board", &ben), ("Standup", &ann), ("board", &ann), ("B d", &ben)]
    {
        owner.create(json!({ "name": name, "owner_id": owner_id })).await;
    }
    house.join("Board", "Ann").await;
    house.join("support", "Ann").await;
    for (query, count) in [
        ("filter_name=Board".to_owned(), 3),
        (format!("filter_owner_id={ann}"), 3),
        (format!("filter_name=Board&filter_owner_id={ann}"), 1),
        ("filter_name=support".into(), 1),
        ("filter_name=B%20d".into(), 1),
        ("filter_name=B+d".into(), 1),
        ("filter_name=Boar".into(), 0),
        ("filter_name=%25".into(), 0),
        ("filter_owner_id=x".into(), 0),
    ] {
        for size in [1, 2, 50] {
            let (items, _) = walk(&owner, &format!("{query}&page_size={size}")).await;
            assert_eq!(items.len(), count, "{query}: {items:?}");
        }
    }
}

#[tokio::test]
async fn a_conference_with_a_document_is_not_listed_twice() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    house.join(&id, "Ann").await;
    assert_eq!(column(&owner.get("conferences").await.ok(), "id"), [json!(id)]);
    // Nor on the page after it, nor for the account that the switch names.
    let foreign = Caller::new("Eve", "1").variable("confvar_account_id", OTHER);
    let other = owner.create(json!({ "name": "b" })).await;
    house.enter(&other, foreign).await;
    assert_eq!(walk(&owner, "page_size=1").await.0.len(), 2);
    let stranger = house.stranger().await;
    assert_eq!(stranger.get("conferences").await.ok(), json!([]));
    stranger.get(&format!("conferences/{other}")).await.not_found(&other);
    assert_eq!(owner.get(&format!("conferences/{other}")).await.ok()["_read_only"]["members"], 1);
}
