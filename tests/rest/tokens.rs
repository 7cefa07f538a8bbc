//! Who may do what.

use convened::auth::{CredentialKind, Scope};
use http::Method;
use serde_json::{Value, json};

use crate::client::{Rest, keys, text};
use crate::house::{ACCOUNT, ALL, House, OTHER};

#[tokio::test]
async fn a_token_is_taken_from_each_place_of_the_contract() {
    let house = House::start().await;
    let owner = house.owner().await;
    let token = owner.token.clone().expect("a token");
    let nobody = Rest::new(owner.address, ACCOUNT, None);
    let get = |name, value: &str| nobody.ask(Method::GET, "conferences").header(name, value).send();
    assert_eq!(get("x-auth-token", &token).await.ok(), json!([]));
    let bearer = get("authorization", &format!("Bearer {token}")).await;
    bearer.ok();
    assert_eq!(bearer.json()["auth_token"], json!(token));
    let body = json!({ "data": { "name": "a" }, "auth_token": token });
    let made = nobody.ask(Method::PUT, "conferences").json(&body).send().await;
    made.created();
    assert_eq!(made.json()["auth_token"], json!(token));
    let body = json!({ "data": { "name": "a" }, "auth_token": "0".repeat(64) });
    nobody.ask(Method::PUT, "conferences").json(&body).send().await.refused(401, "invalid_credentials");
    for wrong in ["x", "", &"0".repeat(64), &token.to_uppercase(), &token[1..], "ü"] {
        let answer = nobody.ask(Method::GET, "conferences").header("x-auth-token", wrong).send().await;
        answer.refused(401, "invalid_credentials");
        assert_eq!(answer.data(), json!({}));
    }
    get("authorization", &format!("Basic {token}")).await.refused(401, "invalid_credentials");
    get("authorization", &token).await.refused(401, "invalid_credentials");
}

/// Every request that a token may be good for, with the scope it takes.
fn requests(id: &str) -> Vec<(Method, String, Scope, Value)> {
    let one = format!("conferences/{id}");
    let all = format!("{one}/participants");
    let action = |name: &str| json!({ "data": { "action": name } });
    vec![
        (Method::GET, "conferences".into(), Scope::Read, Value::Null),
        (Method::GET, one.clone(), Scope::Read, Value::Null),
        (Method::HEAD, one.clone(), Scope::Read, Value::Null),
        (Method::GET, all.clone(), Scope::Read, Value::Null),
        (Method::GET, format!("{all}/1"), Scope::Read, Value::Null),
        (Method::PUT, one.clone(), Scope::Control, action("lock")),
        (Method::PUT, all.clone(), Scope::Control, action("mute")),
        (Method::PUT, format!("{all}/1"), Scope::Control, action("mute")),
        (Method::PUT, "conferences".into(), Scope::Write, json!({ "data": {} })),
        (Method::PATCH, one.clone(), Scope::Write, json!({ "data": {} })),
        (Method::POST, one.clone(), Scope::Write, json!({ "data": {} })),
        (Method::DELETE, one, Scope::Write, Value::Null),
    ]
}

#[tokio::test]
async fn each_request_takes_its_scope_and_no_other() {
    let house = House::start().await;
    let id = house.owner().await.create(json!({})).await;
    house.join(&id, "Ann").await;
    for has in ALL {
        let client = house.client(Some(ACCOUNT), &[has]).await;
        for (method, path, needs, body) in requests(&id).into_iter().filter(|request| request.2 != has) {
            let answer = client.ask(method.clone(), &path).json(&body).send().await;
            assert_eq!(answer.status, 403, "{has:?} is not {needs:?}: {}", answer.text());
        }
    }
    let superuser = house.client(None, &[Scope::Read]).await;
    superuser.put("conferences", json!({})).await.refused(403, "forbidden");
    assert_eq!(house.orders(0), [""; 0]);
    for (method, path, needs, body) in requests(&id) {
        let client = house.client(Some(ACCOUNT), &[needs]).await;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client.ask(method, &path).body(body).send().await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }
}

#[tokio::test]
async fn another_accounts_paths_are_not_there_whatever_is_asked() {
    let house = House::start().await;
    let id = house.owner().await.create(json!({})).await;
    house.join(&id, "Ann").await;
    let reader = house.client(Some(OTHER), &[Scope::Read]).await;
    for client in [house.stranger().await.in_account(ACCOUNT), reader.in_account(ACCOUNT)] {
        for (method, path, _, body) in requests(&id) {
            let answer = client.ask(method.clone(), &path).json(&body).send().await;
            if method == Method::HEAD {
                assert_eq!(answer.status, 404);
            } else {
                answer.not_found(ACCOUNT);
            }
        }
        client.in_account("0123").get("conferences").await.not_found("0123");
    }
    assert_eq!(house.orders(0), [""; 0]);
}

#[tokio::test]
async fn a_superuser_works_in_every_account_and_sees_the_nodes() {
    let house = House::with(2, |_| {}).await;
    let superuser = house.superuser().await;
    let id = superuser.create(json!({ "name": "made for them" })).await;
    assert_eq!(house.owner().await.get(&format!("conferences/{id}")).await.ok()["name"], "made for them");
    let nodes = superuser.get("/v2/nodes").await.ok();
    assert_eq!(nodes.as_array().map(Vec::len), Some(2));
    assert_eq!((&nodes[0]["name"], &nodes[0]["state"]), (&json!("fs1"), &json!("followed")));
    assert_eq!(nodes[0]["core_uuid"], json!(house.switch().core_uuid()));
    let counted = (&nodes[0]["reconnects"], &nodes[0]["drifts"], &nodes[0]["last_event_ago_ms"]);
    assert_eq!(counted, (&json!(0), &json!(0), &json!(null)));
    assert!(nodes[0]["command_latency_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{nodes}");
    house.owner().await.get("/v2/nodes").await.refused(403, "forbidden");
    let nobody = Rest::new(superuser.address, ACCOUNT, None);
    nobody.get("/v2/nodes").await.refused(401, "invalid_credentials");
}

#[tokio::test]
async fn without_a_token_only_the_open_paths_answer() {
    let house = House::start().await;
    let nobody = Rest::new(house.address(), ACCOUNT, None);
    assert_eq!(nobody.get("/healthz").await.ok(), json!({ "alive": true }));
    assert_eq!(nobody.get("/readyz").await.ok()["ready"], true);
    assert_eq!(nobody.get("/v2/schemas/conferences").await.ok()["title"], "Conference");
    for (method, path, _, body) in requests("0123456789abcdef0123456789abcdef") {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = nobody.ask(method, &path).body(body).send().await;
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_token_of_its_account_and_scopes() {
    let house = House::start().await;
    let key = house.secret(CredentialKind::ApiKey, Some(ACCOUNT), &[Scope::Read], None).await;
    let nobody = Rest::new(house.address(), ACCOUNT, None);
    let answer = nobody.put("/v2/api_auth", json!({ "api_key": key })).await;
    assert_eq!(answer.created()["account_id"], ACCOUNT);
    assert_eq!(keys(&answer.json()), ["data", "status", "request_id", "auth_token"]);
    let token = text(&answer.json()["auth_token"]);
    assert_ne!(token, key);
    let client = Rest::new(house.address(), ACCOUNT, Some(&token));
    assert_eq!(client.get("conferences").await.ok(), json!([]));
    client.put("conferences", json!({})).await.refused(403, "forbidden");
    client.in_account(OTHER).get("conferences").await.not_found(OTHER);
    // Neither is one the other.
    Rest::new(house.address(), ACCOUNT, Some(&key))
        .get("conferences")
        .await
        .refused(401, "invalid_credentials");
    nobody.put("/v2/api_auth", json!({ "api_key": token })).await.refused(401, "invalid_credentials");
    nobody
        .put("/v2/api_auth", json!({ "api_key": "0".repeat(64) }))
        .await
        .refused(401, "invalid_credentials");
    nobody.put("/v2/api_auth", json!({ "api_key": 7 })).await.refused(400, "invalid_request");
    nobody.put("/v2/api_auth", json!({})).await.refused(400, "invalid_request");
    nobody.ask(Method::PUT, "/v2/api_auth").send().await.refused(400, "invalid_request");
    // A client that still has an old token gets a new one all the same.
    let stale = Rest::new(house.address(), ACCOUNT, Some(&"0".repeat(64)));
    let renewed = stale.put("/v2/api_auth", json!({ "api_key": key })).await;
    renewed.created();
    assert_ne!(renewed.json()["auth_token"], json!(stale.token));
}

#[tokio::test]
async fn an_expired_token_is_no_token() {
    let house = House::start().await;
    let token = house.secret(CredentialKind::Token, Some(ACCOUNT), &ALL, Some(1)).await;
    let client = Rest::new(house.address(), ACCOUNT, Some(&token));
    let expired = client.until("conferences", |answer| answer.status == 401).await;
    expired.refused(401, "invalid_credentials");
}

#[tokio::test]
async fn secrets_are_not_in_the_database() {
    let house = House::start().await;
    let owner = house.owner().await;
    owner.create(json!({ "name": "something is written" })).await;
    let token = owner.token.expect("a token");
    let mut bytes = 0;
    for entry in std::fs::read_dir(house.folder.path()).expect("a folder") {
        let content = std::fs::read(entry.expect("an entry").path()).expect("a file");
        bytes += content.len();
        assert!(!content.windows(token.len()).any(|window| window == token.as_bytes()));
    }
    assert!(bytes > 10_000, "the database is elsewhere");
}
