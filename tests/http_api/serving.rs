//! What every request gets, over real sockets: envelope, ids, methods, bodies, panics.

use std::sync::{Arc, Mutex};

use crate::support::{Service, request};
use serde_json::json;

#[tokio::test]
async fn healthz_needs_no_token_and_is_in_the_envelope() {
    let service = Service::start().await;
    let answer = service.send(&request("GET", "/healthz", "X-Request-ID: my-id.1\r\n", "")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-request-id"), Some("my-id.1"));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert_eq!(answer.json(), json!({"data": {"alive": true}, "status": "success", "request_id": "my-id.1"}));
}

#[tokio::test]
async fn an_unknown_path_is_a_json_404_with_a_request_id() {
    let answer =
        Service::start().await.send(&request("GET", "/v2/no%20such", "X-Request-ID: not sane\r\n", "")).await;
    assert_eq!(answer.status, 404);
    let id = answer.header("x-request-id").expect("an id").to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(
        answer.json(),
        json!({"data": {"cause": "/v2/no%20such", "reason": "not_found"}, "error": "404",
               "message": "bad_identifier", "status": "error", "request_id": id})
    );
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let service = Service::start().await;
    for (method, path, allow) in
        [("DELETE", "/healthz", "GET, HEAD"), ("GET", "/echo", "PUT, POST"), ("PATCH", "/echo/", "PUT, POST")]
    {
        let answer = service.send(&request(method, path, "", "")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
    }
}

#[tokio::test]
async fn head_gets_the_headers_of_get_and_no_body() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    connection.write(&request("HEAD", "/healthz", "X-Request-ID: same\r\n", "")).await;
    let head = connection.read_head().await;
    let get = service.send(&request("GET", "/healthz", "X-Request-ID: same\r\n", "")).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), get.header("content-length"));
    // If there had been a body, it would stand where the next answer is read.
    connection.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(connection.read_answer().await.status, 200);
}

#[tokio::test]
async fn a_bad_percent_encoding_is_refused_in_path_and_query() {
    let service = Service::start().await;
    for target in ["/v2/%zz", "/parts/%ff", "/healthz?a=%2", "/parts/%"] {
        let answer = service.send(&request("GET", target, "", "")).await;
        assert_eq!((answer.status, answer.message()), (400, "invalid_request".into()), "{target}");
    }
}

#[tokio::test]
async fn handlers_see_decoded_parts_and_queries() {
    let answer = Service::start().await.send(&request("GET", "/parts/a%2Fb?by=call_id&x=1+2", "", "")).await;
    assert_eq!(answer.json()["data"], json!({"part": "a/b", "query": [["by", "call_id"], ["x", "1 2"]]}));
}

#[tokio::test]
async fn broken_json_is_refused_with_its_position() {
    let answer = Service::start().await.send(&request("PUT", "/echo", "", "{\"data\":\n {]}")).await;
    assert_eq!((answer.status, answer.message()), (400, "invalid_request".into()));
    assert_eq!((&answer.json()["data"]["line"], &answer.json()["data"]["column"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_body_may_have_the_type_of_curl_but_not_of_something_else() {
    let service = Service::start().await;
    let body = r#"{"data": {"a": 1}}"#;
    let form = service
        .send(&request("PUT", "/echo", "Content-Type: application/x-www-form-urlencoded\r\n", body))
        .await;
    assert_eq!((form.status, &form.json()["data"]), (200, &json!({"a": 1})));
    let text = service.send(&request("PUT", "/echo", "Content-Type: text/plain\r\n", body)).await;
    assert_eq!((text.status, text.message()), (415, "unsupported_media_type".into()));
    let nothing = service.send(&request("GET", "/healthz", "Content-Type: text/plain\r\n", "")).await;
    assert_eq!(nothing.status, 200, "without a body its type does not matter");
}

#[tokio::test]
async fn a_client_that_takes_no_json_is_refused() {
    let answer = Service::start().await.send(&request("GET", "/healthz", "Accept: text/html\r\n", "")).await;
    assert_eq!((answer.status, answer.message()), (406, "not_acceptable".into()));
}

#[tokio::test]
async fn a_request_without_a_body_has_no_data() {
    let answer = Service::start().await.send(&request("PUT", "/echo", "", "")).await;
    assert_eq!((answer.status, answer.message()), (400, "invalid_request".into()));
    assert_eq!(answer.json()["data"]["message"], "the request has no `data`");
}

#[tokio::test]
async fn actions_are_found_in_both_places_and_tokens_in_all_three() {
    let service = Service::start().await;
    let own = "X-Auth-Token: sesame\r\n";
    for (headers, body) in [
        (own, r#"{"data": {"action": "mute"}}"#),
        (own, r#"{"action": "mute", "data": {}}"#),
        (own, r#"{"action": "mute"}"#),
        ("Authorization: Bearer sesame\r\n", r#"{"action": "deaf", "data": {"action": "mute"}}"#),
        ("", r#"{"data": {"action": "mute"}, "auth_token": "sesame"}"#),
    ] {
        let answer = service.send(&request("PUT", "/act", headers, body)).await;
        assert_eq!((answer.status, &answer.json()["data"]), (200, &json!("mute")), "{headers}{body}");
        assert_eq!(answer.json()["auth_token"], "sesame");
    }
    for (headers, body, status) in [
        ("", r#"{"data": {"action": "mute"}}"#, 401),
        ("X-Auth-Token: wrong\r\n", r#"{"data": {"action": "mute"}, "auth_token": "sesame"}"#, 401),
        (own, r#"{"data": {"action": 1}}"#, 400),
        (own, r#"{"data": {}}"#, 400),
        (own, "", 400),
    ] {
        assert_eq!(
            service.send(&request("PUT", "/act", headers, body)).await.status,
            status,
            "{headers}{body}"
        );
    }
}

#[tokio::test]
async fn a_stranger_is_refused_before_his_body_is_read() {
    let mut connection = Service::start().await.connect().await;
    connection
        .write("PUT /act HTTP/1.1\r\nHost: x\r\nX-Auth-Token: wrong\r\nContent-Length: 900\r\n\r\n")
        .await;
    assert_eq!(connection.read_answer().await.status, 401, "without having sent a byte of the body");
}

#[tokio::test]
async fn a_panic_is_a_500_with_the_request_id_and_the_connection_lives_on() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    connection.write(&request("GET", "/panic", "X-Request-ID: p1\r\n", "")).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.header("x-request-id")), (500, Some("p1")));
    assert_eq!(
        answer.json(),
        json!({"data": {}, "error": "500", "message": "internal_error", "status": "error", "request_id": "p1"})
    );
    connection.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(connection.read_answer().await.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_never_made_becomes_a_500() {
    let service = Service::with(|limits| limits.answer_timeout = std::time::Duration::from_millis(20)).await;
    let answer = service.send(&request("GET", "/wait", "", "")).await;
    assert_eq!((answer.status, answer.message()), (500, "internal_error".into()));
}

#[tokio::test]
async fn a_handler_can_take_the_connection_over() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    connection.write(&request("GET", "/upgrade", "Connection: upgrade\r\nUpgrade: echo\r\n", "")).await;
    let head = connection.read_head().await;
    assert_eq!((head.status, head.header("upgrade")), (101, Some("echo")));
    connection.write("hello").await;
    assert_eq!(connection.read_exactly(5).await, b"hello");
}

/// What is logged while the guard lives, on the thread of the test, where the handlers run too.
fn captured_log() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let writer = {
        let log = Arc::clone(&log);
        move || Log(Arc::clone(&log))
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::NONE)
        .with_writer(writer)
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_the_panic_with_the_request_id_once_and_no_token() {
    let (log, _guard) = captured_log();
    let service = Service::start().await;
    let headers = "X-Request-ID: p2\r\nX-Auth-Token: hunter2\r\n";
    assert_eq!(service.send(&request("GET", "/panic", headers, "")).await.status, 500);
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(
        errors[0].contains("panic: as the test wants it") && errors[0].contains("request_id=\"p2\""),
        "{log}"
    );
    let conclusion = log.lines().find(|line| line.contains("answered")).unwrap_or_else(|| panic!("{log}"));
    for field in ["id=\"p2\"", "method=GET", "path=\"/panic\"", "status=500", "ms="] {
        assert!(conclusion.contains(field), "{field} is not in {conclusion}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}
