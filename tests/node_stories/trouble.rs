//! Peers that refuse, stall, close or speak something else.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use convened::config::Secret;
use convened::node::{CommandError, Version};
use convened::registry::{NodeCondition, Registry};
use convened::sim::events::Event;
use convened::sim::switch::{Switch, SwitchOptions, Which};
use convened::sim::world::Caller;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::house::{House, eventually, options, settings, soon, switch};

/// What is logged while it lives, by this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // With one listener in the process whoever logs a line first decides whether it is ever wanted, and that
        // may be the thread of another test. With two each of them is asked.
        static ANOTHER: OnceLock<tracing::Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || log.clone())
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn lines(&self, part: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

fn tries(switch: &Switch) -> usize {
    switch.commands().iter().filter(|seen| seen.text.starts_with("auth ")).count()
}

#[tokio::test]
async fn a_wrong_password_is_told_once_and_the_other_node_does_not_notice() {
    let log = Log::default();
    let _listening = log.listen();
    let registry = Arc::new(Registry::new());
    let (one, other, stop) = (switch().await, switch().await, CancellationToken::new());
    let ann = other.join("daily", Caller::new("Ann", "2001")).unwrap();
    let mut wrong = settings(one.addr());
    wrong.node.name = "wrong".into();
    wrong.node.password = Some(Secret::new("hunter2"));
    let wrong = convened::node::Node::start(wrong, registry.clone(), (), &stop);
    let right = convened::node::Node::start(settings(other.addr()), registry.clone(), (), &stop);
    eventually("the other is followed", || {
        registry.nodes().get(right.node.name()) == Some(&NodeCondition::Followed)
    })
    .await;
    assert!(registry.conference("daily")[0].by_call_id(&ann).is_some());
    eventually("several attempts", || tries(&one) >= 6).await;
    let trouble = wrong.node.status().trouble.expect("it is told");
    assert!(trouble.contains("user or password"), "{trouble}");
    let errors = log.lines("ERROR");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("node=\"wrong\"") && !errors[0].contains("hunter2"), "{errors:?}");
    assert!(right.node.status().trouble.is_none());
    assert!(!registry.is_complete(), "what runs behind the password is not known");
}

#[tokio::test]
async fn a_password_that_is_right_again_is_used_at_the_next_attempt() {
    let switch = switch().await;
    switch.refuse_password(true);
    let log = Log::default();
    let _listening = log.listen();
    let house = House::with(switch, |_| ());
    eventually("it is told", || house.node.status().trouble.is_some()).await;
    house.switch.refuse_password(false);
    house.followed().await;
    assert_eq!(house.node.status().trouble, None);
    assert_eq!(log.lines("connected").len(), 1);
}

#[tokio::test]
async fn a_refused_node_waits_the_longest_time_between_attempts() {
    let switch = switch().await;
    switch.refuse_password(true);
    let began = tokio::time::Instant::now();
    let house = House::with(switch, |settings| settings.node.reconnect_max_ms = 300);
    let switch = &house.switch;
    eventually("three attempts each", || tries(switch) >= 6).await;
    assert!(began.elapsed().as_millis() >= 600, "two pauses between three attempts");
}

#[tokio::test]
async fn a_rude_rejection_is_told_in_words_that_help() {
    let switch = switch().await;
    switch.rude_rejection(true);
    let house = House::with(switch, |_| ());
    eventually("it is told", || house.node.status().trouble.is_some()).await;
    let trouble = house.node.status().trouble.unwrap();
    assert!(trouble.contains("access list"), "{trouble}");
    house.switch.rude_rejection(false);
    house.followed().await;
}

#[tokio::test]
async fn a_user_logs_in_with_userauth() {
    let users = vec![("convened@fs1".to_owned(), "secret".to_owned())];
    let switch = Switch::start(SwitchOptions { users, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| {
        settings.node.user = Some("convened@fs1".into());
        settings.node.password = Some(Secret::new("secret"));
    });
    house.followed().await;
    assert!(house.switch.commands().iter().all(|seen| !seen.text.starts_with("auth ")));
}

#[tokio::test]
async fn an_old_switch_tells_that_members_go_by_number() {
    let mut options = options();
    options.world.version = "1.10.6-release-18".into();
    options.world.selectors = false;
    let house = House::following(Switch::start(options).await.unwrap()).await;
    assert_eq!(house.node.status().version, Some(Version(1, 10, 6)));
    assert!(!house.node.has_uuid_selectors());
}

#[tokio::test]
async fn a_stalled_event_connection_is_made_anew_when_no_heartbeat_comes() {
    let heartbeat = Some(std::time::Duration::from_millis(100));
    let switch = Switch::start(SwitchOptions { heartbeat, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| settings.node.heartbeat_timeout_s = 1);
    house.followed().await;
    house.switch.stall(Which::Events);
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    eventually("it is made anew", || house.node.status().connections == 2).await;
    eventually("she is found", || house.state("daily", &ann).is_some()).await;
    house.agrees().await;
}

fn is_fence(event: &Event) -> bool {
    event.subclass.as_deref() == Some("convened::fence")
}

/// Follows a switch without a heart, so that nothing comes but what is asked for.
async fn following_a_quiet_one(heartbeat: Option<Duration>) -> House {
    let switch = Switch::start(SwitchOptions { heartbeat, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| settings.node.command_timeout_ms = 400);
    house.followed().await;
    house
}

async fn misses_a_fence(house: &House) {
    assert_eq!(soon("its deadline", house.node.fence()).await, Err(CommandError::Timeout));
}

#[tokio::test]
async fn an_event_connection_that_died_without_a_word_is_made_anew_when_a_fence_does_not_come_by() {
    let log = Log::default();
    let _listening = log.listen();
    let house = following_a_quiet_one(None).await;
    house.switch.stall(Which::Events);
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    misses_a_fence(&house).await;
    eventually("it is made anew", || house.node.status().connections == 2).await;
    house.followed().await;
    eventually("she is found", || house.state("daily", &ann).is_some()).await;
    house.agrees().await;
    let told = log.lines("WARN");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("for 400 ms neither the event of a command nor anything else was heard"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_switch_that_falls_silent_on_both_connections_is_lost_soon_though_it_still_takes_calls_in() {
    let switch = Switch::start(SwitchOptions { heartbeat: None, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| {
        settings.node.command_timeout_ms = 300;
        settings.node.connect_timeout_ms = 300;
        settings.node.stale_after_s = 1;
        settings.audit_every = Duration::from_millis(200);
    });
    house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.agrees().await;
    house.switch.hold_replies();
    house.switch.stall(Which::All);
    eventually("the events are given up", || !house.node.status().events_connected).await;
    eventually("what is known is stale", || house.conference("daily").is_stale()).await;
    house.switch.resume(Which::All);
    house.switch.release_replies();
    house.followed().await;
    house.agrees().await;
    assert!(!house.conference("daily").is_stale());
}

#[tokio::test]
async fn nobody_has_to_ask_on_a_node_where_nothing_happens() {
    let switch = Switch::start(SwitchOptions { heartbeat: None, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| {
        settings.node.command_timeout_ms = 400;
        settings.audit_every = Duration::from_millis(200);
    });
    house.followed().await;
    house.switch.stall(Which::Events);
    eventually("it is made anew", || house.node.status().connections == 2).await;
}

#[tokio::test]
async fn a_missing_fence_is_no_sign_if_anything_else_came_or_the_command_was_not_answered_in_good_time() {
    let heart = Some(Duration::from_millis(50));
    for (heartbeat, late) in
        [(heart, Duration::ZERO), (None, Duration::from_millis(300)), (None, Duration::MAX)]
    {
        let house = following_a_quiet_one(heartbeat).await;
        house.switch.drop_events_if(is_fence);
        match late {
            Duration::MAX => house.switch.hold_replies(),
            late => house.switch.delay_replies(late),
        }
        misses_a_fence(&house).await;
        house.switch.keep_events();
        house.switch.release_replies();
        house.switch.delay_replies(Duration::ZERO);
        soon("a fence on the same connection", async {
            while house.node.fence().await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let status = house.node.status();
        assert_eq!((status.connections, status.trouble), (1, None), "{heartbeat:?} {late:?}");
    }
}

#[tokio::test]
async fn a_quiet_switch_with_a_heart_is_not_left() {
    let heartbeat = Some(std::time::Duration::from_millis(100));
    let switch = Switch::start(SwitchOptions { heartbeat, ..options() }).await.unwrap();
    let house = House::with(switch, |settings| settings.node.heartbeat_timeout_s = 1);
    house.followed().await;
    let began = house.switch.world(|_, now| now);
    eventually("two seconds of nothing but heartbeats", || {
        house.switch.world(|_, now| now) > began + 2_000_000
    })
    .await;
    assert_eq!(house.node.status().connections, 1);
}

/// Listens and says this to everybody, then closes.
async fn speaker(words: &'static [u8]) -> (std::net::SocketAddr, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, met) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(0)));
    let counted = met.clone();
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            *counted.lock().unwrap() += 1;
            // The other side may be gone before all is said.
            let _ = stream.write_all(words).await;
            let _ = stream.shutdown().await;
        }
    });
    (addr, met)
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_or_closes_is_tried_again_without_haste() {
    for (words, told) in [
        (&b""[..], "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\n\nwhat?\n\n", "does not speak Event Socket"),
        (
            b"Content-Type: auth/request\n\nContent-Type: command/reply\nContent-Length: x\n\n",
            "does not speak",
        ),
        (b"Content-Type: auth/request\n\nContent-Type: text/disconnect-notice\n\n", "closed the connection"),
        (&[0xff; 100_000], "does not speak Event Socket"),
    ] {
        let (addr, met) = speaker(words).await;
        let began = tokio::time::Instant::now();
        let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
        let running = convened::node::Node::start(settings(addr), registry, (), &stop);
        eventually("several attempts", || *met.lock().unwrap() >= 12).await;
        let trouble = running.node.status().trouble.expect("it is told");
        assert!(trouble.contains(told), "{trouble}");
        // Two connections, six attempts each: 10, 20, 40, 80, 100 ms and at least the half of that.
        assert!(began.elapsed().as_millis() >= 125, "{:?}", began.elapsed());
        stop.cancel();
        soon("it stops", running.ended()).await;
    }
}

#[tokio::test]
async fn garbage_in_the_middle_ends_in_a_new_connection_and_a_list() {
    let house = House::new().await;
    let ann = house.switch.join("daily", Caller::new("Ann", "2001")).unwrap();
    house.agrees().await;
    house.switch.answer_garbage("Content-Type: api/response\nContent-Length: -5\n\n");
    let reply = soon("an answer", house.node.api("version")).await;
    assert_eq!(reply, Err(convened::node::CommandError::Interrupted));
    house.followed().await;
    assert!(house.state("daily", &ann).is_some());
}
