//! What is around `data`, in success and in refusal.

use http::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Rest, keys, text};
use crate::house::{ACCOUNT, House};

#[tokio::test]
async fn a_success_has_the_keys_of_the_contract_and_no_others() {
    let house = House::start().await;
    let owner = house.owner().await;
    let made = owner.put("conferences", json!({ "name": "a" })).await;
    made.created();
    assert_eq!(keys(&made.json()), ["data", "status", "request_id", "auth_token", "revision"]);
    assert_eq!(made.json()["auth_token"], json!(owner.token));
    let list = owner.get("conferences").await;
    list.ok();
    assert_eq!(keys(&list.json()), ["data", "page_size", "status", "request_id", "auth_token"]);
    let open = Rest::new(owner.address, ACCOUNT, None).get("/healthz").await;
    open.ok();
    assert_eq!(keys(&open.json()), ["data", "status", "request_id"]);
}

#[tokio::test]
async fn a_refusal_has_the_keys_of_the_contract_and_no_others() {
    let house = House::start().await;
    let answer = house.owner().await.get("conferences/none").await;
    answer.not_found("none");
    assert_eq!(keys(&answer.json()), ["data", "error", "message", "status", "request_id"]);
    assert_eq!(answer.json()["error"], json!("404"));
}

#[tokio::test]
async fn a_sane_request_id_comes_back_and_any_other_is_replaced() {
    let house = House::start().await;
    let owner = house.owner().await;
    for path in ["conferences", "conferences/none", "/no/such/path"] {
        let ask = |id: &str| owner.ask(Method::GET, path).header("x-request-id", id).send();
        let kept = ask("client-7.A_b").await;
        assert_eq!(
            (kept.header("x-request-id"), &kept.json()["request_id"]),
            (Some("client-7.A_b"), &json!("client-7.A_b"))
        );
        let replaced = ask("<script>").await;
        assert_eq!(text(&replaced.json()["request_id"]).len(), 32, "{}", replaced.text());
    }
}

#[tokio::test]
async fn each_refusal_has_its_status_message_and_headers() {
    let house = House::start().await;
    let owner = house.owner().await;
    let nobody = Rest::new(owner.address, ACCOUNT, None);
    nobody.get("conferences").await.refused(401, "invalid_credentials");
    let refused = owner.ask(Method::DELETE, "conferences").send().await;
    assert_eq!(refused.refused(405, "method_not_allowed")["allowed"], json!(["GET", "HEAD", "PUT"]));
    assert_eq!(refused.header("allow"), Some("GET, HEAD, PUT"));
    owner
        .ask(Method::GET, "conferences")
        .header("accept", "text/html")
        .send()
        .await
        .refused(406, "not_acceptable");
    let xml =
        owner.ask(Method::PUT, "conferences").header("content-type", "text/xml").body("<a/>").send().await;
    xml.refused(415, "unsupported_media_type");
    owner.get("/v2/accounts/%zz/conferences").await.refused(400, "invalid_request");
    owner.get("/v3").await.not_found("/v3");
    owner.get("/v2/nodes").await.refused(403, "forbidden");
}

async fn put(client: &Rest, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
    client.ask(Method::PUT, path).header("content-type", "application/json").body(body).send().await
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_invalid_requests_wherever_they_go() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("talk", "Ann").await;
    for path in [
        "conferences",
        "conferences/talk",
        "conferences/talk/participants",
        "conferences/talk/participants/1",
    ] {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"data": []}"#,
            r#"{"data": "x"}"#,
            r#"{"data": null}"#,
            "\u{feff}{}",
        ] {
            let answer = put(&owner, path, body).await;
            assert!(
                answer.refused(400, "invalid_request")["message"].is_string(),
                "{path} {body}: {}",
                answer.text()
            );
        }
    }
    let answer = put(&owner, "conferences", "{\"data\":\n {\"name\": nope}}").await;
    let data = answer.refused(400, "invalid_request");
    assert_eq!((&data["line"], &data["column"]), (&json!(2), &json!(12)), "{data}");
    assert_eq!(house.orders(0), [""; 0]);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_the_client_hears_it() {
    let house = House::start().await;
    let owner = house.owner().await;
    let large = format!(r#"{{"data": {{"name": "a", "custom": "{}"}}}}"#, "x".repeat(10 << 20));
    for client in [&owner, &Rest::new(owner.address, ACCOUNT, None)] {
        let refused = put(client, "conferences", large.clone()).await;
        if client.token.is_some() {
            assert_eq!(refused.refused(413, "request_entity_too_large"), json!({ "max_bytes": 1 << 20 }));
        } else {
            assert!([401, 413].contains(&refused.status.as_u16()), "{}", refused.text());
        }
    }
    let chunked = format!(r#"{{"data": {{"name": "{}"}}}}"#, "x".repeat(200 << 10));
    let data = put(&owner, "conferences", chunked).await.refused(400, "validation_error");
    assert!(data.get("name").or(data.get("data")).is_some(), "{data}");
    assert_eq!(owner.get("conferences").await.ok(), json!([]));
}

#[tokio::test]
async fn a_head_request_is_answered_like_get_without_a_body() {
    let house = House::start().await;
    let owner = house.owner().await;
    let id = owner.create(json!({ "name": "a" })).await;
    let path = format!("conferences/{id}");
    let head = owner.ask(Method::HEAD, &path).send().await;
    let get = owner.get(&path).await;
    assert_eq!((head.status, head.header("etag")), (get.status, get.header("etag")));
    assert!(get.header("etag").is_some());
}

#[tokio::test]
async fn hostile_paths_are_refused_and_reach_no_switch() {
    let house = House::start().await;
    let owner = house.owner().await;
    house.join("foo", "Ann").await;
    let before = house.switch().commands().len();
    for id in [
        "foo%0aapi%20shutdown",
        "foo%0d%0aapi%20shutdown",
        "foo%20kick%20all",
        "foo%00",
        "foo%27",
        "${x}",
        "..",
        "%2e%2e%2ffoo",
    ] {
        let id = id.replace('{', "%7b").replace('}', "%7d");
        for (path, action) in [
            (format!("conferences/{id}"), "lock"),
            (format!("conferences/{id}/participants"), "kick"),
            (format!("conferences/{id}/participants/1"), "kick"),
        ] {
            let data: Value = owner.act(&path, action).await.refused(404, "bad_identifier");
            assert_eq!(data["reason"], "not_found", "{path}: {data}");
            let got = owner.get(&path).await;
            assert_eq!(got.refused(404, "bad_identifier")["reason"], "not_found");
        }
    }
    for participant in ["1%0aapi%20shutdown", "all", "last", "non_moderator", "-1", "1%20quiet"] {
        owner
            .act(&format!("conferences/foo/participants/{participant}"), "kick")
            .await
            .refused(404, "bad_identifier");
    }
    let sent: Vec<_> = house.switch().commands().into_iter().skip(before).collect();
    assert_eq!(sent, []);
    assert_eq!(house.switch().truth()[0].members.len(), 1);
}

/// Texts within texts, each with the key by which serde_json knows its own raw texts: a parser that falls
/// for it begins anew in each, and so has no limit of depth.
fn texts_within_texts(levels: usize) -> String {
    (0..levels).fold("1".to_owned(), |text, _| {
        let inner = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        let (open, close) = ("[".repeat(120), "]".repeat(120));
        format!("{open}{{\"$serde_json::private::RawValue\":\"{inner}\"}}{close}")
    })
}

#[tokio::test]
async fn no_body_uses_up_the_stack_whoever_sends_it_and_wherever() {
    let house = House::start().await;
    let owner = house.owner().await;
    let nobody = Rest::new(owner.address, ACCOUNT, None);
    let id = owner.create(json!({})).await;
    for levels in [1, 8, 40] {
        let hostile = texts_within_texts(levels);
        for body in [
            format!("{{\"data\":{{\"a\":{hostile}}}}}"),
            format!("{{\"data\":{{\"action\":{hostile}}},\"action\":{hostile}}}"),
            hostile.clone(),
        ] {
            for (method, path) in [
                (Method::PUT, "/v2/api_auth"),
                (Method::PUT, "conferences"),
                (Method::PATCH, &*format!("conferences/{id}")),
                (Method::PUT, &*format!("conferences/{id}/participants")),
                (Method::GET, "/healthz"),
            ] {
                for rest in [&nobody, &owner] {
                    let ask = rest.ask(method.clone(), path).json(&Value::Null).body(body.clone());
                    let status = ask.send().await.status.as_u16();
                    assert!(matches!(status, 200 | 400 | 401), "{path}: {status}");
                }
            }
        }
    }
    let kept =
        owner.patch(&format!("conferences/{id}"), json!({ "custom": "$serde_json::private::Number" })).await;
    assert_eq!(kept.ok()["custom"], "$serde_json::private::Number");
}
