//! Who sends wrong credentials again and again.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use convened::auth::{CredentialKind, Credentials, MonotonicClock};
use convened::store::{Clock, SqliteSettings, SqliteStore};
use http::Method;
use serde_json::json;

use crate::client::{Answer, Rest, text};
use crate::house::{ACCOUNT, ALL, House};

/// A house without switches, and the clock of its throttle.
struct Stage {
    house: House,
    now: Arc<Mutex<Instant>>,
}

impl Stage {
    /// Where a client of 127.0.0.1 may be a proxy.
    async fn behind(proxies: &[&str]) -> Self {
        let now = Arc::new(Mutex::new(Instant::now()));
        let shown = Arc::clone(&now);
        let clock = MonotonicClock::new(move || *shown.lock().expect("a clock"));
        let proxies = proxies.iter().map(|text| text.parse().expect("a prefix")).collect();
        let house = House::by(clock, vec![], |config| config.api.trusted_proxies = proxies).await;
        Self { house, now }
    }

    async fn new() -> Self {
        Self::behind(&[]).await
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

    async fn key(&self) -> String {
        self.house.secret(CredentialKind::ApiKey, Some(ACCOUNT), &ALL, None).await
    }

    async fn exchange(&self, key: &str) -> Answer {
        self.without_token().put("/v2/api_auth", json!({ "api_key": key })).await
    }

    fn refused_total(&self) -> u64 {
        self.house.daemon.context().guard.throttle().refused_total()
    }

    /// Eleven wrong tokens from 127.0.0.1.
    async fn block(&self) {
        for number in 0..10 {
            let answer = self.with_token(&wrong(number)).get("conferences").await;
            answer.refused(401, "invalid_credentials");
        }
        refused(&self.with_token(&wrong(10)).get("conferences").await);
    }
}

fn wrong(number: u8) -> String {
    format!("{number:064x}")
}

/// That it is answered 429; for how many seconds.
fn refused(answer: &Answer) -> u32 {
    assert_eq!(answer.refused(429, "too_many_requests"), json!({}));
    answer.header("retry-after").expect("Retry-After").parse().expect("seconds")
}

#[tokio::test]
async fn the_eleventh_wrong_token_within_a_minute_is_one_too_many() {
    let stage = Stage::new().await;
    let unseen = stage.token().await;
    stage.block().await;
    assert_eq!(stage.refused_total(), 1);
    // Without asking: it would be told that the database is away.
    stage.house.daemon.context().store.close().await;
    stage.time_goes_by(Duration::from_millis(19_001));
    assert_eq!(refused(&unseen.get("conferences").await), 41);
    let body = json!({ "data": {}, "auth_token": unseen.token.clone() });
    refused(&stage.without_token().ask(Method::PUT, "conferences").json(&body).send().await);
    refused(&stage.exchange(&wrong(99)).await);
    assert_eq!(stage.refused_total(), 4);
}

#[tokio::test]
async fn after_a_minute_it_is_over_whatever_was_tried_meanwhile() {
    let stage = Stage::new().await;
    let unseen = stage.token().await;
    stage.block().await;
    stage.time_goes_by(Duration::from_millis(59_999));
    assert_eq!(refused(&stage.with_token("wrong").get("conferences").await), 1);
    assert_eq!(refused(&unseen.get("conferences").await), 1);
    stage.time_goes_by(Duration::from_millis(1));
    unseen.get("conferences").await.ok();
    // And counting begins anew.
    stage.block().await;
}

#[tokio::test]
async fn ten_a_minute_go_on_for_ever() {
    let stage = Stage::new().await;
    for number in 0..25 {
        stage.with_token(&wrong(number)).get("conferences").await.refused(401, "invalid_credentials");
        stage.time_goes_by(Duration::from_secs(6));
    }
    assert_eq!(stage.refused_total(), 0);
}

#[tokio::test]
async fn who_was_let_in_from_there_before_goes_on_through_the_block() {
    let stage = Stage::new().await;
    let (token, key) = (stage.token().await, stage.key().await);
    token.get("conferences").await.ok();
    stage.exchange(&key).await.created();
    stage.block().await;
    token.get("conferences").await.ok();
    // A client whose token ends meanwhile fetches a new one by its key.
    let renewed = stage.exchange(&key).await;
    renewed.created();
    stage.with_token(&text(&renewed.json()["auth_token"])).get("conferences").await.ok();
    // What is forbidden to a good token is no wrong one.
    token.get("/v2/nodes").await.refused(403, "forbidden");
    assert_eq!(stage.refused_total(), 1);
}

#[tokio::test]
async fn who_was_let_in_before_is_told_once_that_the_token_was_revoked() {
    let stage = Stage::new().await;
    let token = stage.token().await;
    token.get("conferences").await.ok();
    stage.block().await;
    revoke_elsewhere(&stage).await;
    token.get("conferences").await.refused(401, "invalid_credentials");
    refused(&token.get("conferences").await);
}

#[tokio::test]
async fn wrong_api_keys_count_as_wrong_tokens_do() {
    let stage = Stage::new().await;
    let key = stage.key().await;
    for number in 0..5 {
        stage.exchange(&wrong(number)).await.refused(401, "invalid_credentials");
        stage.with_token("wrong").get("conferences").await.refused(401, "invalid_credentials");
    }
    refused(&stage.exchange(&wrong(5)).await);
    refused(&stage.exchange(&key).await);
    stage.time_goes_by(Duration::from_secs(60));
    stage.exchange(&key).await.created();
}

#[tokio::test]
async fn who_sends_no_credential_fails_nothing_and_is_not_refused() {
    let stage = Stage::new().await;
    let nobody = stage.without_token();
    for _ in 0..20 {
        nobody.get("conferences").await.refused(401, "invalid_credentials");
        nobody.put("/v2/api_auth", json!({ "api_key": 7 })).await.refused(400, "invalid_request");
    }
    stage.block().await;
    nobody.get("conferences").await.refused(401, "invalid_credentials");
    nobody.get("/healthz").await.ok();
    // A path that needs no token does not look at one.
    stage.with_token("wrong").get("/v2/schemas/conferences").await.ok();
}

#[tokio::test]
async fn a_database_that_is_away_is_nobodys_failure() {
    let stage = Stage::new().await;
    let unseen = stage.token().await;
    stage.house.daemon.context().store.close().await;
    for _ in 0..20 {
        unseen.get("conferences").await.refused(503, "datastore_unavailable");
    }
    assert_eq!(stage.refused_total(), 0);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_by_itself() {
    let stage = Stage::behind(&["127.0.0.0/8"]).await;
    let from = |client: &Rest, address: &str| {
        client.ask(Method::GET, "conferences").header("x-forwarded-for", address).send()
    };
    let good = stage.token().await;
    let guesser = stage.with_token("wrong");
    for _ in 0..10 {
        from(&guesser, "192.0.2.1").await.refused(401, "invalid_credentials");
    }
    refused(&from(&guesser, "192.0.2.1").await);
    refused(&from(&good, "192.0.2.1").await);
    refused(&from(&good, "192.0.2.2, 192.0.2.1, 127.0.0.7").await);
    from(&good, "192.0.2.2").await.ok();
    // What is good from another address is not known from this one.
    refused(&from(&good, "192.0.2.1").await);
    from(&good, "192.0.2.1, 192.0.2.3").await.ok();
    good.get("conferences").await.ok();
    let key = stage.key().await;
    let body = json!({ "data": { "api_key": key } });
    let exchange = || stage.without_token().ask(Method::PUT, "/v2/api_auth").json(&body);
    refused(&exchange().header("x-forwarded-for", "192.0.2.1").send().await);
    exchange().header("x-forwarded-for", "192.0.2.2").send().await.created();
}

#[tokio::test]
async fn who_is_no_trusted_proxy_cannot_change_its_address() {
    let stage = Stage::behind(&["10.0.0.0/8"]).await;
    let guess = |number: u8| {
        let call = stage.with_token("wrong").ask(Method::GET, "conferences");
        call.header("x-forwarded-for", &format!("192.0.2.{number}")).send()
    };
    for number in 0..10 {
        guess(number).await.refused(401, "invalid_credentials");
    }
    refused(&guess(10).await);
}

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lines").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Those with this in them.
    fn with(&self, text: &str) -> Vec<String> {
        let all = String::from_utf8(self.0.lock().expect("lines").clone()).expect("text");
        all.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_block_is_logged_once_when_it_begins_and_once_when_it_is_over() {
    let lines = Lines::default();
    let writer = lines.clone();
    let logging = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(logging);
    // As long as there is only one, tracing asks the thread that comes by a line first whether anybody
    // wants it; that may be another test's, which has none. With two it asks all there are.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let stage = Stage::new().await;
    stage.block().await;
    for _ in 0..5 {
        refused(&stage.with_token("wrong").get("conferences").await);
    }
    let began = lines.with("WARN");
    assert!(began.len() == 1 && began[0].contains("address=127.0.0.1 failures=11"), "{began:?}");
    assert_eq!(lines.with("no longer refused"), [""; 0]);
    assert_eq!(lines.with("sent by 127.0.0.1").len(), 10);
    stage.time_goes_by(Duration::from_secs(60));
    for _ in 0..3 {
        stage.with_token("wrong").get("conferences").await.refused(401, "invalid_credentials");
    }
    let ended = lines.with("no longer refused");
    assert!(ended.len() == 1 && ended[0].contains("address=127.0.0.1 refused=6"), "{ended:?}");
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_the_next_request() {
    let stage = Stage::new().await;
    let token = stage.token().await;
    for _ in 0..3 {
        token.get("conferences").await.ok();
    }
    revoke_elsewhere(&stage).await;
    token.get("conferences").await.refused(401, "invalid_credentials");
}

/// Revokes everything as another process does: by a connection of its own.
async fn revoke_elsewhere(stage: &Stage) {
    let settings = SqliteSettings::new(stage.house.folder.path().join("convened.db"));
    let store = Arc::new(SqliteStore::open_beside(settings).await.expect("a store"));
    let credentials = Credentials::new(store.clone(), Clock::system());
    for credential in credentials.list().await.expect("a list") {
        assert!(credentials.revoke(&credential.id).await.expect("revoked"));
    }
    convened::store::Store::close(&*store).await;
}
