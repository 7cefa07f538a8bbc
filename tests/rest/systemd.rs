//! What systemd hears in bad moments: a long start, a reload in the middle of it, a broken file, a database that is
//! away; and that nobody waits for a systemd that does not listen.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;

use convened::sim::world::Caller;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::{PATIENCE, look_again};
use crate::process::Site;
use crate::service::{Systemd, node};

#[tokio::test]
async fn a_reload_during_the_start_is_part_of_it_and_the_watchdog_is_fed_meanwhile() {
    let site = Site::new().await;
    let slow = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    site.configure(&node("slow", slow.local_addr().expect("an address")));
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[("WATCHDOG_USEC", "2000000")]).await;
    daemon.address().await;
    let (silent, _) = slow.accept().await.expect("a connection");
    daemon.signal("HUP").await;
    daemon.err.until(|line| line.contains("taken over")).await;
    for _ in 0..3 {
        systemd.hear_until("WATCHDOG=1", &["READY=1", "RELOADING=1"]).await;
    }
    drop((silent, slow));
    systemd.hear_until("READY=1", &["RELOADING=1"]).await;
}

/// Somebody who has listened at a socket and does not read it any more: it is full.
fn fill(systemd: &Systemd) {
    let full = UnixDatagram::unbound().expect("a socket");
    full.set_nonblocking(true).expect("it does not wait");
    let address = systemd.socket.local_addr().expect("an address");
    let path = address.as_pathname().expect("a path");
    while full.send_to(b"nobody reads this", path).is_ok() {}
}

#[tokio::test]
async fn whoever_does_not_read_the_socket_holds_up_neither_a_reload_nor_the_end() {
    let site = Site::new().await;
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[]).await;
    systemd.hear_until("READY=1", &[]).await;
    fill(&systemd);
    // Nothing but the reload itself says that it is done.
    daemon.signal("HUP").await;
    daemon.err.until(|line| line.contains("taken over")).await;
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code, Some(0));
}

#[tokio::test]
async fn a_watchdog_of_no_length_is_none() {
    let site = Site::new().await;
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[("WATCHDOG_USEC", "0")]).await;
    systemd.hear_until("READY=1", &["WATCHDOG=1"]).await;
    site.switch.join("daily", Caller::new("Ann", "1")).expect("let in");
    systemd.hear_until("1 participants", &["WATCHDOG=1"]).await;
    drop(daemon);
}

#[tokio::test]
async fn sigterm_ends_a_start_that_waits_for_the_database() {
    let site = Site::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address");
    let url = format!("postgres://convened@{address}/convened");
    let systemd = Systemd::beside(&site);
    let patient = [
        ("CONVENED__DATABASE__URL", &*url),
        ("CONVENED__DATABASE__TIMEOUT_MS", "600000"),
        ("WATCHDOG_USEC", "2000000"),
    ];
    let daemon = systemd.run(&site, &patient).await;
    let asked = silent.accept().await.expect("a connection");
    for _ in 0..3 {
        systemd.hear_until("WATCHDOG=1", &["READY=1"]).await;
    }
    daemon.signal("TERM").await;
    systemd.hear_until("STOPPING=1", &["READY=1"]).await;
    let ended = daemon.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    drop(asked);
}

/// The value of a metric without labels.
async fn metric(address: SocketAddr, name: &str) -> Option<String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .expect("sent");
        let mut page = String::new();
        stream.read_to_string(&mut page).await.expect("text");
        page
    };
    let page = timeout(PATIENCE, asked).await.expect("an answer");
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
}

#[tokio::test]
async fn a_file_that_cannot_work_is_told_by_status_and_metrics_until_it_can() {
    let site = Site::new().await;
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[]).await;
    systemd.hear_until("READY=1", &["cannot work"]).await;
    let address = daemon.address().await;
    let good = "convened_config_reload_successful";
    let when = "convened_config_reload_success_timestamp_seconds";
    assert_eq!(metric(address, good).await.as_deref(), Some("1"));
    let read = metric(address, when).await;
    assert!(read.as_deref().is_some_and(|at| at.parse::<f64>().is_ok_and(|at| at > 1.6e9)), "{read:?}");

    site.configure("[database.x]\n");
    daemon.signal("HUP").await;
    systemd.hear_until("RELOADING=1", &[]).await;
    let said = systemd.hear_until("READY=1", &[]).await;
    assert!(said.contains("STATUS=the configuration file cannot work"), "{said}");
    assert_eq!(metric(address, good).await.as_deref(), Some("0"));
    assert_eq!(metric(address, when).await, read, "what is in force is as old as it was");

    site.configure("");
    daemon.signal("HUP").await;
    systemd.hear_until("RELOADING=1", &[]).await;
    let said = systemd.hear_until("READY=1", &[]).await;
    assert!(said.contains("STATUS=1 of 1 nodes followed"), "{said}");
    assert_eq!(metric(address, good).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_variable_that_hides_what_the_file_says_now_is_named() {
    let site = Site::new().await;
    let daemon = site.run(&[("CONVENED__LOG__LEVEL", "info")]).await;
    daemon.address().await;
    site.configure("[log]\nlevel = \"debug\"\n");
    daemon.signal("HUP").await;
    let told = daemon.err.until(|line| line.contains("CONVENED__LOG__LEVEL")).await;
    assert!(told.contains("\"WARN\"") && told.contains("log.level"), "{told}");
    daemon.err.until(|line| line.contains("taken over")).await;
    daemon.signal("HUP").await;
    while daemon.err.so_far().iter().filter(|line| line.contains("taken over")).count() < 2 {
        look_again().await;
    }
    let told = daemon.err.so_far().iter().filter(|line| line.contains("CONVENED__LOG__LEVEL")).count();
    assert_eq!(told, 1, "nothing has changed since");
}

#[tokio::test]
async fn a_database_that_is_away_is_told_by_status_and_metrics() {
    let site = Site::new().await;
    let nobody_there = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("postgres://convened@{}/convened", nobody_there.local_addr().expect("an address"));
    drop(nobody_there);
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[("CONVENED__DATABASE__URL", &*url)]).await;
    systemd.hear_until("the database does not answer", &[]).await;
    let address = daemon.address().await;
    assert_eq!(metric(address, "convened_database_up").await.as_deref(), Some("0"));
}
