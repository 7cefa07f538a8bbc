//! How a server starts and ends.

use std::time::Duration;

use convened::api::{Server, Stopped};
use tokio::net::TcpStream;

use crate::support::{Service, place, request};

#[tokio::test]
async fn a_taken_port_is_named() {
    let service = Service::start().await;
    let error = Server::bind(&place(service.address)).await.expect_err("the port is taken").to_string();
    assert_eq!(error, format!("{}: the port is taken by another program", service.address));
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    let error = Server::bind(&place(([192, 0, 2, 1], 0).into())).await.expect_err("not ours").to_string();
    assert_eq!(error, "192.0.2.1:0: this machine does not have the address");
}

#[tokio::test]
async fn a_stop_finishes_the_request_in_flight_and_refuses_new_ones() {
    let service = Service::start().await;
    let (address, world) = (service.address, service.world.clone());
    let mut idle = service.connect().await;
    idle.write(&request("GET", "/healthz", "", "")).await;
    assert_eq!(idle.read_answer().await.status, 200);
    let fresh = service.connect().await;
    let mut busy = service.connect().await;
    busy.write(&request("GET", "/wait", "", "")).await;
    world.reached.notified().await;

    let stopping = service.stop();
    assert_eq!(idle.read_to_end().await, b"", "an idle connection is closed at once");
    assert!(TcpStream::connect(address).await.is_err(), "new ones are refused");
    world.released.notify_one();
    let answer = busy.read_answer().await;
    assert_eq!((answer.status, &answer.json()["data"]), (200, &"waited".into()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(busy.read_to_end().await, b"");
    assert_eq!(stopping.await.unwrap(), Stopped { connections: 3, ..Stopped::default() });
    drop(fresh);
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_is_cut_off_and_counted() {
    let service = Service::with(|limits| limits.shutdown_grace = Duration::from_millis(50)).await;
    let world = service.world.clone();
    let mut busy = service.connect().await;
    busy.write(&request("GET", "/wait", "", "")).await;
    world.reached.notified().await;
    let stopped = service.stop().await.unwrap();
    assert_eq!((stopped.aborted_connections, stopped.aborted_requests), (1, 1));
}

#[tokio::test]
async fn what_was_begun_goes_on_if_the_client_goes_away_and_a_stop_waits_for_it() {
    let service = Service::start().await;
    let world = service.world.clone();
    let mut gone = service.connect().await;
    gone.write(&request("GET", "/wait", "", "")).await;
    world.reached.notified().await;
    drop(gone);
    let stopping = service.stop();
    world.released.notify_one();
    assert_eq!(stopping.await.unwrap().aborted_requests, 0);
    // The permit of `notify_one` is kept, so this returns at once if the handler came to its end.
    world.finished.notified().await;
}
