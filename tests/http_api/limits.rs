//! What a client cannot take from the others: time, memory, connections.

use std::time::Duration;

use crate::support::{Service, request};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_connection_serves_request_after_request() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    for number in 0..3 {
        let id = format!("X-Request-ID: {number}\r\n");
        connection.write(&request("PUT", "/echo", &id, r#"{"data": {}}"#)).await;
        let answer = connection.read_answer().await;
        assert_eq!((answer.status, answer.header("x-request-id")), (200, Some(number.to_string().as_str())));
    }
    assert_eq!(service.stop().await.unwrap().connections, 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    let all: String = (0..20).map(|number| request("GET", &format!("/parts/{number}"), "", "")).collect();
    connection.write(all).await;
    for number in 0..20 {
        assert_eq!(connection.read_answer().await.json()["data"]["part"], number.to_string());
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_ended_with_408() {
    let service = Service::with(|limits| limits.header_timeout = Duration::from_millis(50)).await;
    let mut connection = service.connect().await;
    connection.write("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow").await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.message()), (408, "request_timeout".into()));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(connection.read_to_end().await, b"");
}

#[tokio::test]
async fn the_header_timeout_counts_again_for_a_later_request() {
    let service = Service::with(|limits| limits.header_timeout = Duration::from_millis(200)).await;
    let mut connection = service.connect().await;
    connection.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(connection.read_answer().await.status, 200);
    connection.write("GET /healthz HTT").await;
    assert_eq!(connection.read_answer().await.status, 408);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let service = Service::with(|limits| limits.header_timeout = Duration::from_millis(50)).await;
    assert_eq!(service.connect().await.read_to_end().await, b"");
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_timeout_and_is_closed_after_its_own() {
    let service = Service::with(|limits| {
        limits.header_timeout = Duration::from_millis(300);
        limits.idle_timeout = Duration::from_millis(800);
    })
    .await;
    let begun = std::time::Instant::now();
    let mut connection = service.connect().await;
    connection.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(connection.read_answer().await.status, 200);
    assert_eq!(connection.read_to_end().await, b"");
    assert!(begun.elapsed() >= Duration::from_millis(800), "closed after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_ended_with_408() {
    let service = Service::with(|limits| limits.body_timeout = Duration::from_millis(50)).await;
    let mut connection = service.connect().await;
    connection.write("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"data\"").await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.message()), (408, "request_timeout".into()));
    assert_eq!(connection.read_to_end().await, b"");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let mut connection = Service::start().await.connect().await;
    connection.write(format!("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 10 * MIB)).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.message()), (413, "request_entity_too_large".into()));
    assert_eq!(answer.json()["data"]["max_bytes"], MIB);
}

#[tokio::test]
async fn a_client_that_sends_ten_mebibytes_first_still_hears_the_refusal() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    connection.write(&request("PUT", "/echo", "", &"x".repeat(10 * MIB))).await;
    assert_eq!(connection.read_answer().await.status, 413);
    connection.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(connection.read_answer().await.status, 200, "the connection can be used again");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_answered_before_it_sends() {
    let service = Service::start().await;
    let head = |length| {
        format!("PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut large = service.connect().await;
    large.write(head(10 * MIB)).await;
    assert_eq!(large.read_answer().await.status, 413);
    assert_eq!(large.read_to_end().await, b"", "and the body is not waited for");
    let mut small = service.connect().await;
    small.write(head(11)).await;
    assert_eq!(small.read_head().await.status, 100);
    small.write(r#"{"data":{}}"#).await;
    assert_eq!(small.read_answer().await.status, 200);
}

#[tokio::test]
async fn a_chunked_body_is_counted_while_it_comes() {
    let service = Service::start().await;
    let mut connection = service.connect().await;
    connection.write("PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(1 << 16));
    for _ in 0..=16 {
        connection.write(&chunk).await;
    }
    assert_eq!(connection.read_answer().await.status, 413, "without the end of the body");
}

#[tokio::test]
async fn a_chunked_body_within_the_limit_is_put_together() {
    let mut connection = Service::start().await.connect().await;
    connection.write("PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for piece in [r#"{"da"#, r#"ta": {"#, r#""a": 1}}"#] {
        connection.write(format!("{:x}\r\n{piece}\r\n", piece.len())).await;
    }
    connection.write("0\r\n\r\n").await;
    assert_eq!(connection.read_answer().await.json()["data"]["a"], 1);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    let body = format!(r#"{{"data": {{"a": "{}"}}}}"#, "x".repeat(MIB - 19));
    assert_eq!(body.len(), MIB);
    let service = Service::start().await;
    assert_eq!(service.send(&request("PUT", "/echo", "", &body)).await.status, 200);
    assert_eq!(service.send(&request("PUT", "/echo", "", &format!("{body} "))).await.status, 413);
}

#[tokio::test]
async fn absurd_heads_are_refused() {
    let service = Service::start().await;
    let mut large = service.connect().await;
    let header = format!("X-Large: {}\r\n", "x".repeat(66_000));
    large.write_while_possible(request("GET", "/healthz", &header, "")).await;
    assert_eq!(large.read_head().await.status, 431);
    let many: String = (0..200).map(|number| format!("X-{number}: x\r\n")).collect();
    assert_eq!(service.send(&request("GET", "/healthz", &many, "")).await.status, 431);
    let mut garbage = service.connect().await;
    garbage.write("\0\u{1}\u{2} what\r\n\r\n").await;
    assert_eq!(garbage.read_head().await.status, 400);
    assert_eq!(service.send(&request("GET", "/healthz", "", "")).await.status, 200);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_a_free_place_is_given_again() {
    let service = Service::with(|limits| limits.max_connections = 1).await;
    let mut first = service.connect().await;
    first.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(first.read_answer().await.status, 200);

    let answer = service.send(&request("GET", "/healthz", "", "")).await;
    assert_eq!((answer.status, answer.message()), (503, "too_many_connections".into()));
    assert_eq!(answer.header("retry-after"), Some("1"));

    first.write(&request("GET", "/healthz", "Connection: close\r\n", "")).await;
    assert_eq!(first.read_answer().await.status, 200);
    first.read_to_end().await;
    // The place is free once the server's task has ended, a moment after the client sees the close.
    loop {
        if service.send(&request("GET", "/healthz", "", "")).await.status == 200 {
            break;
        }
    }
    assert!(service.stop().await.unwrap().refused >= 1);
}

#[tokio::test]
async fn a_connection_that_was_taken_over_keeps_its_place() {
    let service = Service::with(|limits| limits.max_connections = 1).await;
    let mut taken = service.connect().await;
    taken.write(&request("GET", "/upgrade", "Connection: upgrade\r\nUpgrade: echo\r\n", "")).await;
    assert_eq!(taken.read_head().await.status, 101);
    taken.write("x").await;
    assert_eq!(taken.read_exactly(1).await, b"x");
    assert_eq!(service.send(&request("GET", "/healthz", "", "")).await.status, 503);
}
