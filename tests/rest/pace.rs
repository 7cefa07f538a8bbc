//! Who asks faster than is allowed, and everybody else meanwhile.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use convened::auth::{CredentialKind, Credentials, MonotonicClock};
use convened::store::Clock;
use http::Method;
use serde_json::json;

use crate::client::{Answer, Rest, text};
use crate::house::{ACCOUNT, ALL, House};
use crate::subscribers::line::Line;

/// So many requests a second are allowed here.
const RATE: usize = 5;

/// A house without switches whose clock stands still.
struct Stage {
    house: House,
    now: Arc<Mutex<Instant>>,
}

impl Stage {
    async fn new() -> Self {
        let now = Arc::new(Mutex::new(Instant::now()));
        let shown = Arc::clone(&now);
        let clock = MonotonicClock::new(move || *shown.lock().expect("a clock"));
        let house = House::by(clock, vec![], |config| {
            config.api.max_requests_per_s = 5;
            config.api.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a prefix")];
        });
        Self { house: house.await, now }
    }

    fn time_goes_by(&self, time: Duration) {
        *self.now.lock().expect("a clock") += time;
    }

    fn with_token(&self, token: &str) -> Rest {
        Rest::new(self.house.address(), ACCOUNT, Some(token))
    }

    fn without_token(&self) -> Rest {
        Rest::new(self.house.address(), ACCOUNT, None)
    }

    async fn token(&self) -> Rest {
        self.with_token(&self.house.secret(CredentialKind::Token, Some(ACCOUNT), &ALL, None).await)
    }
}

/// That so many go on and the next is refused.
async fn spends(rest: &Rest, requests: usize) {
    for _ in 0..requests {
        rest.get("conferences").await.ok();
    }
    refused(&rest.get("conferences").await);
}

fn refused(answer: &Answer) {
    let told = answer.refused(429, "too_many_requests");
    assert_eq!(told, json!({ "message": "more than 5 requests within a second" }));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_flood_is_answered_429_and_others_are_served() {
    let stage = Stage::new().await;
    let (hasty, other) = (stage.token().await, stage.token().await);
    spends(&hasty, RATE).await;
    for _ in 0..50 {
        refused(&hasty.get("conferences").await);
    }
    // Whatever it asks for, and nothing is done of it.
    refused(&hasty.put("conferences", json!({ "name": "too much" })).await);
    assert_eq!(other.get("conferences").await.ok(), json!([]));
    spends(&other, RATE - 1).await;
    assert_eq!(stage.house.daemon.context().guard.pace().refused_total(), 53);
}

#[tokio::test]
async fn who_waits_may_ask_again() {
    let stage = Stage::new().await;
    let hasty = stage.token().await;
    spends(&hasty, RATE).await;
    stage.time_goes_by(Duration::from_millis(200));
    spends(&hasty, 1).await;
    stage.time_goes_by(Duration::from_secs(60));
    spends(&hasty, RATE).await;
}

#[tokio::test]
async fn all_tokens_of_a_key_are_one_and_what_another_key_sends_is_another() {
    let stage = Stage::new().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let key = stage.house.secret(CredentialKind::ApiKey, Some(ACCOUNT), &ALL, None).await;
        let answer = stage.without_token().put("/v2/api_auth", json!({ "api_key": key })).await;
        tokens.push(stage.with_token(&text(&answer.json()["auth_token"])));
        let answer = stage.without_token().put("/v2/api_auth", json!({ "api_key": key })).await;
        tokens.push(stage.with_token(&text(&answer.json()["auth_token"])));
    }
    spends(&tokens[0], RATE).await;
    // Its first request shows whose it is.
    refused(&tokens[1].get("conferences").await);
    refused(&tokens[1].get("conferences").await);
    tokens[3].get("conferences").await.ok();
    spends(&tokens[2], RATE - 1).await;
    refused(&tokens[3].get("conferences").await);
}

#[tokio::test]
async fn a_flood_is_refused_unasked_and_a_token_that_was_revoked_is_told_so_afterwards() {
    let stage = Stage::new().await;
    let hasty = stage.token().await;
    spends(&hasty, RATE).await;
    let store = stage.house.daemon.context().store.clone();
    let credentials = Credentials::new(store, Clock::system());
    for credential in credentials.list().await.expect("a list") {
        assert!(credentials.revoke(&credential.id).await.expect("revoked"));
    }
    refused(&hasty.get("conferences").await);
    stage.time_goes_by(Duration::from_secs(1));
    hasty.get("conferences").await.refused(401, "invalid_credentials");
}

#[tokio::test]
async fn what_needs_no_token_is_counted_by_address() {
    let stage = Stage::new().await;
    let nobody = stage.without_token();
    let from =
        |path: &str, address: &str| nobody.ask(Method::GET, path).header("x-forwarded-for", address).send();
    for _ in 0..RATE {
        from("/v2/schemas", "192.0.2.1").await.ok();
    }
    refused(&from("/v2/schemas/conferences", "192.0.2.1").await);
    let exchange = nobody.ask(Method::PUT, "/v2/api_auth").json(&json!({ "data": { "api_key": "x" } }));
    refused(&exchange.header("x-forwarded-for", "192.0.2.1").send().await);
    from("/v2/schemas", "192.0.2.2").await.ok();
    // A token is served wherever it comes from.
    let token = stage.token().await;
    let call = token.ask(Method::GET, "conferences").header("x-forwarded-for", "192.0.2.1");
    call.send().await.ok();
    // And whoever watches the process never takes it for dead.
    for _ in 0..3 * RATE {
        from("/healthz", "192.0.2.1").await.ok();
        from("/readyz", "192.0.2.1").await.ok();
    }
}

#[tokio::test]
async fn looking_whether_a_listener_may_listen_on_is_no_request_and_a_flood_does_not_end_it() {
    let stage = Stage::new().await;
    let listener = stage.token().await;
    let guard = &stage.house.daemon.context().guard;
    let (token, client) =
        (listener.token.as_deref().expect("a token"), std::net::IpAddr::from([127, 0, 0, 1]).into());
    for _ in 0..3 * RATE {
        guard.look_again(token, client).await.expect("good");
    }
    spends(&listener, RATE).await;
    guard.look_again(token, client).await.expect("good still");
}

#[tokio::test]
async fn who_has_no_token_is_counted_whatever_is_answered_and_before_his_body_is_read() {
    for path in ["conferences", "/nowhere", "/v2/%ff"] {
        let (stage, large) = (Stage::new().await, "x".repeat(1 << 20));
        let nobody = stage.without_token();
        for _ in 0..RATE {
            let answer = nobody.ask(Method::GET, path).send().await;
            assert!(matches!(answer.status.as_u16(), 400 | 401 | 404), "{path}: {}", answer.text());
        }
        refused(&nobody.ask(Method::GET, path).send().await);
        // Too large for its limit, or no JSON, would be another answer.
        refused(&nobody.ask(Method::PUT, path).body(large).send().await);
        assert_eq!(nobody.get("/healthz").await.status, 200);
    }
}

#[tokio::test]
async fn each_message_of_a_websocket_is_a_request_of_the_token_that_was_said_once() {
    let stage = Stage::new().await;
    let asks = stage.token().await;
    let mut line = Line::websocket(stage.house.address()).await;
    let said = json!({ "action": "ping", "auth_token": asks.token.as_deref().expect("a token") });
    line.say(said).await;
    assert_eq!(line.hear().await["status"], "success");
    for _ in 1..RATE {
        line.say(json!({ "action": "ping" })).await;
        assert_eq!(line.hear().await["status"], "success");
    }
    line.say(json!({ "action": "ping" })).await;
    let refusal = line.hear().await;
    assert_eq!(
        (&refusal["status"], &refusal["data"]["errors"]),
        (&json!("error"), &json!(["too_many_requests"]))
    );
    refused(&asks.get("conferences").await);
    stage.time_goes_by(Duration::from_secs(1));
    line.say(json!({ "action": "ping" })).await;
    assert_eq!(line.hear().await["status"], "success");
}
