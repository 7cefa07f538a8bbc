//! The daemon as systemd has it: what it is told and when, its watchdog, SIGHUP, SIGTERM while clients are busy.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use convened::sim::switch::{Switch, SwitchOptions, Which};
use convened::sim::world::Caller;
use futures_util::StreamExt;
use serde_json::json;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::{PATIENCE, Rest, look_again};
use crate::process::{PASSWORD, Process, Site};

/// The side of systemd.
pub(crate) struct Systemd {
    pub(crate) socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    pub(crate) fn beside(site: &Site) -> Self {
        let path = site.folder.path().join("notify");
        Self { socket: UnixDatagram::bind(&path).expect("a socket"), path }
    }

    pub(crate) async fn run(&self, site: &Site, more: &[(&str, &str)]) -> Process {
        let path = self.path.to_string_lossy();
        site.run(&[&[("NOTIFY_SOCKET", &*path)], more].concat()).await
    }

    /// The next thing that it is told.
    pub(crate) async fn hear(&self) -> String {
        let mut room = [0; 4096];
        let length = timeout(PATIENCE, self.socket.recv(&mut room)).await.expect("a word").expect("heard");
        String::from_utf8(room[..length].to_vec()).expect("text")
    }

    /// The first such thing; nothing of the others comes before it.
    pub(crate) async fn hear_until(&self, wanted: &str, not_before: &[&str]) -> String {
        loop {
            let said = self.hear().await;
            if said.contains(wanted) {
                return said;
            }
            assert!(!not_before.iter().any(|early| said.contains(early)), "{said}");
        }
    }
}

/// A further `[[node]]`.
pub(crate) fn node(name: &str, address: impl std::fmt::Display) -> String {
    format!("[[node]]\nname = \"{name}\"\naddress = \"{address}\"\npassword = \"{PASSWORD}\"\n")
}

async fn switch() -> Switch {
    let options = SwitchOptions { password: PASSWORD.into(), ..SwitchOptions::default() };
    Switch::start(options).await.expect("a switch")
}

async fn joins(switch: &Switch, owner: &Rest, room: &str) {
    let caller = Caller::new("Ann", "1").variable("confvar_account_id", &owner.account);
    switch.join(room, caller).expect("let in");
    owner.until(&format!("conferences/{room}"), |answer| answer.status == 200).await;
}

#[tokio::test]
async fn it_is_ready_when_it_knows_its_nodes_and_says_that_it_stops() {
    let site = Site::new().await;
    site.switch.join("daily", Caller::new("Ann", "1")).expect("let in");
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = dead.local_addr().expect("an address");
    drop(dead);
    site.configure(&node("dead", address));
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[]).await;
    let ready = systemd.hear_until("READY=1", &[]).await;
    assert!(ready.contains("STATUS=1 of 2 nodes followed; 1 conferences, 1 participants"), "{ready}");
    assert!(TcpStream::connect(daemon.address().await).await.is_ok(), "it listens");
    daemon.signal("TERM").await;
    systemd.hear_until("STOPPING=1", &["READY=1"]).await;
    assert_eq!(daemon.ended().await.code, Some(0));
}

#[tokio::test]
async fn it_is_not_ready_before_a_node_has_answered() {
    let site = Site::new().await;
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    site.configure(&node("slow", slow.local_addr().expect("an address")));
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[]).await;
    daemon.address().await;
    let (silent, _) = slow.accept().await.expect("a connection");
    // Whoever hears of readiness before the node is known to be out of reach hears it too early.
    let mut room = [0; 4096];
    while let Ok(length) = systemd.socket.try_recv(&mut room) {
        let said = String::from_utf8_lossy(&room[..length]);
        assert!(!said.contains("READY=1"), "{said}");
    }
    drop((silent, slow));
    systemd.hear_until("READY=1", &[]).await;
    let trouble =
        daemon.err.so_far().into_iter().find(|line| line.contains("slow") && line.contains("trying"));
    assert!(trouble.is_some(), "it is known by then");
}

#[tokio::test]
async fn the_watchdog_is_fed_also_while_a_node_is_away() {
    let site = Site::new().await;
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[("WATCHDOG_USEC", "2000000")]).await;
    systemd.hear_until("READY=1", &[]).await;
    systemd.hear_until("WATCHDOG=1", &[]).await;
    site.switch.refuse_password(true);
    site.switch.cut(Which::All);
    daemon.err.until(|line| line.contains(" connection: ")).await;
    for _ in 0..6 {
        systemd.hear_until("WATCHDOG=1", &[]).await;
    }
    let stuck = daemon.err.so_far().into_iter().find(|line| line.contains("stuck"));
    assert_eq!(stuck, None);
}

#[tokio::test]
async fn sighup_adds_removes_and_changes_nodes_and_touches_no_other() {
    let site = Site::new().await;
    let (second, third) = (switch().await, switch().await);
    site.configure(&node("fs2", second.addr()));
    let systemd = Systemd::beside(&site);
    let daemon = systemd.run(&site, &[]).await;
    systemd.hear_until("READY=1", &[]).await;
    let owner = site.owner(daemon.address().await).await;
    joins(&site.switch, &owner, "one").await;
    joins(&second, &owner, "two").await;
    let untouched = site.switch.connections();

    // fs2 goes, fs3 comes.
    site.configure(&node("fs3", third.addr()));
    daemon.signal("HUP").await;
    let reloading = systemd.hear_until("RELOADING=1", &["READY=1"]).await;
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    systemd.hear_until("READY=1", &[]).await;
    second.until_connections(0).await;
    // As long as fs3 is not listed, it may run there.
    owner.until("conferences/two", |answer| answer.status == 404).await;
    joins(&third, &owner, "three").await;
    owner.act("conferences/three", "lock").await.ok();
    assert_eq!(owner.get("conferences/one").await.status, 200);

    // fs3 is another switch now.
    site.configure(&node("fs3", second.addr()));
    daemon.signal("HUP").await;
    third.until_connections(0).await;
    owner.until("conferences/two", |answer| answer.status == 200).await;
    owner.until("conferences/three", |answer| answer.status == 404).await;
    assert_eq!(site.switch.connections(), untouched, "what did not change stays connected");

    // The same once more: nothing happens.
    let before = second.connections();
    daemon.signal("HUP").await;
    systemd.hear_until("RELOADING=1", &[]).await;
    systemd.hear_until("RELOADING=1", &[]).await;
    systemd.hear_until("READY=1", &[]).await;
    assert_eq!(second.connections(), before);
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code, Some(0));
}

#[tokio::test]
async fn sighup_takes_the_level_over_and_tells_what_it_cannot() {
    let site = Site::new().await;
    let (daemon, address) = site.serving().await;
    site.configure("[log]\nlevel = \"debug\"\nformat = \"pretty\"\n[database.x]\n");
    daemon.signal("HUP").await;
    daemon.err.until(|line| line.contains("database.x")).await;
    daemon.err.until(|line| line.contains("changes nothing")).await;
    assert!(daemon.err.so_far().iter().all(|line| !line.contains("\"DEBUG\"")), "nothing is changed");

    let text = std::fs::read_to_string(site.config()).expect("written").replace("[database.x]\n", "");
    std::fs::write(site.config(), text.replace("127.0.0.1:0", "127.0.0.1:1")).expect("written");
    daemon.signal("HUP").await;
    for key in ["api.listen", "log.format"] {
        daemon.err.until(|line| line.contains("after a restart") && line.contains(key)).await;
    }
    daemon.err.until(|line| line.contains("taken over")).await;
    // Half-way through a login there are lines of that level.
    site.switch.cut(Which::All);
    daemon.err.until(|line| line.contains("\"DEBUG\"")).await;
    assert!(TcpStream::connect(address).await.is_ok(), "it listens where it did");
    let told = daemon.err.so_far().iter().filter(|line| line.contains("after a restart")).count();
    assert_eq!(told, 2, "and of nothing else");
}

/// Creates conferences one after another until nobody answers; those that were acknowledged.
async fn create_until_the_end(owner: Rest, made: Arc<AtomicUsize>) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let body = json!({ "data": { "name": "busy" } });
        match owner.ask(http::Method::PUT, "conferences").json(&body).try_send().await {
            Ok(answer) if answer.status == 201 => {
                ids.push(answer.created()["id"].as_str().expect("an id").to_owned());
                made.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => {
                answer.refused(503, "shutting_down");
                return ids;
            }
            // Nobody listens any more.
            Err(_) => return ids,
        }
    }
}

#[tokio::test]
async fn sigterm_while_clients_are_busy_loses_nothing_that_was_acknowledged() {
    let site = Site::new().await;
    let (daemon, address) = site.serving().await;
    let owner = site.owner(address).await;
    let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
    let token = owner.token.clone().expect("a token");
    request.headers_mut().insert("x-auth-token", token.parse().expect("a header"));
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut socket, _) = client_async(request, stream).await.expect("it is upgraded");
    let made = Arc::new(AtomicUsize::new(0));
    let busy: Vec<_> =
        (0..6).map(|_| tokio::spawn(create_until_the_end(owner.clone(), made.clone()))).collect();
    while made.load(Ordering::Relaxed) < 30 {
        look_again().await;
    }
    daemon.signal("TERM").await;
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let frame = timeout(PATIENCE, closed).await.expect("it is closed").expect("with a reason");
    assert_eq!(u16::from(frame.code), 1001);
    let mut acknowledged = BTreeSet::new();
    for client in busy {
        acknowledged.extend(client.await.expect("only right answers"));
    }
    let ended = daemon.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let (daemon, address) = site.serving().await;
    let again = Rest::new(address, &owner.account, Some(&token));
    for id in &acknowledged {
        again.get(&format!("conferences/{id}")).await.ok();
    }
    assert!(acknowledged.len() >= 30);
    drop(daemon);
}
