//! A thousand mutes at once, over a hundred conferences, beside the same commands without anybody in between.
//!
//! ```text
//! bare         1,000 commands written at once on one connection, until the last reply
//! switchboard  1,000 actions at once: command, reply, and the event that shows it
//! http         the same over the REST API, a connection for each, with the audit log
//! ```
//!
//! The daemon follows the simulated switch all the time, so that the events of the bare commands cost it the same.
//! Rounds of all three take turns; the middle one of each is told. Every result is checked; nothing is said of
//! how fast it has to be. `cargo bench --bench actions`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::app::Daemon;
use convened::auth::{CredentialKind, Credentials, NewCredential, Scope};
use convened::config::{Config, Node, Secret};
use convened::model::{Outcome, ParticipantAction};
use convened::registry::{Conference, Participant};
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, WorldOptions};
use convened::store::Clock;

const ACCOUNT: &str = "9d351ad7ffd6f846313af9eed3bb7b85";
const CONFERENCES: usize = 100;
const EACH: usize = 10;
const ALL: usize = CONFERENCES * EACH;
const ROUNDS: usize = 9;

/// One round: how long all took, and each by itself.
struct Round {
    took: Duration,
    each: Vec<Duration>,
}

struct Figures(Vec<Round>);

impl Figures {
    /// The middle of all rounds: commands a second, and the slowest one of a hundred, in milliseconds.
    fn middle(&self) -> (f64, f64) {
        let middle = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let rate = middle(self.0.iter().map(|round| ALL as f64 / round.took.as_secs_f64()).collect());
        let slowest = self.0.iter().map(|round| {
            let mut each = round.each.clone();
            each.sort_unstable();
            each[each.len() * 99 / 100].as_secs_f64() * 1e3
        });
        (rate, middle(slowest.collect()))
    }

    fn print(&self, what: &str, bare: &Self) {
        let ((rate, slowest), (bare_rate, bare_slowest)) = (self.middle(), bare.middle());
        println!(
            "{what:12} {rate:8.0} a second ({:.2} × the time), p99 {slowest:7.1} ms ({:.2} ×)",
            bare_rate / rate,
            slowest / bare_slowest
        );
    }
}

fn runtime(threads: usize) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all().build().expect("a runtime")
}

fn room(at: usize) -> String {
    format!("room{at:03}")
}

/// A switch with a hundred conferences of ten.
async fn switch() -> (Switch, Vec<String>) {
    let defaults = SwitchOptions::default();
    let world = WorldOptions { steps_back: 0.0, ..defaults.world };
    let switch = Switch::start(SwitchOptions { world, ..defaults }).await.expect("it listens");
    let mut calls = Vec::new();
    for at in 0..ALL {
        let caller = Caller::new("Somebody", "15551234").variable("confvar_account_id", ACCOUNT);
        calls.push(switch.join(&room(at % CONFERENCES), caller).expect("let in"));
    }
    (switch, calls)
}

/// A daemon that follows it, and the token for its API.
async fn daemon(switch: SocketAddr, folder: &std::path::Path) -> (Daemon, String) {
    let mut config = Config::default();
    config.api.listen = vec![convened::config::Listen::Plain(([127, 0, 0, 1], 0).into())];
    config.api.max_requests_per_s = 0;
    config.api.max_connections = 4 * ALL;
    config.database.url = format!("sqlite://{}", folder.join("convened.db").display());
    config.node.push(Node::new("fs1", switch.to_string(), Secret::new("ClueCon")));
    let daemon = Daemon::start(&config).await.expect("the daemon starts");
    let credentials = Credentials::new(daemon.context().store.clone(), Clock::system());
    let new = NewCredential {
        kind: CredentialKind::Token,
        name: "bench".into(),
        account: Some(ACCOUNT.parse().expect("an account")),
        scopes: [Scope::Read, Scope::Control].into_iter().collect(),
        lifetime: None,
    };
    let token = credentials.create(new).await.expect("a token").secret.expose().to_owned();
    let registry = &daemon.context().registry;
    while registry.conferences().iter().map(|conference| conference.len()).sum::<usize>() < ALL {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (daemon, token)
}

fn word(mute: bool) -> &'static str {
    if mute { "mute" } else { "unmute" }
}

/// Writes all commands at once and reads all replies.
fn bare(address: SocketAddr, calls: &[String], mute: bool) -> Round {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut replies = Replies { stream: stream.try_clone().expect("a socket"), read: Vec::new() };
    replies.next();
    stream.write_all(b"auth ClueCon\n\n").expect("written");
    replies.next();
    let lines: String = calls
        .iter()
        .enumerate()
        .map(|(at, call)| format!("api conference {} {} uuid={call}\n\n", room(at % CONFERENCES), word(mute)))
        .collect();
    let began = Instant::now();
    let writing = std::thread::spawn(move || stream.write_all(lines.as_bytes()).expect("written"));
    let each = calls.iter().map(|_| {
        let reply = replies.next();
        assert!(reply.starts_with(&format!("+OK {} ", word(mute))), "{reply}");
        began.elapsed()
    });
    let each = each.collect();
    writing.join().expect("written");
    Round { took: began.elapsed(), each }
}

/// What a connection of the Event Socket says: the bodies of replies.
struct Replies {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Replies {
    fn next(&mut self) -> String {
        loop {
            if let Some(head) = self.read.windows(2).position(|two| two == b"\n\n") {
                let text = String::from_utf8_lossy(&self.read[..head]).into_owned();
                let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                let length = length.map_or(0, |length| length.parse().expect("a number"));
                if self.read.len() >= head + 2 + length {
                    let frame: Vec<u8> = self.read.drain(..head + 2 + length).collect();
                    return String::from_utf8_lossy(&frame[head + 2..]).into_owned();
                }
            }
            let mut more = [0; 65_536];
            let count = self.stream.read(&mut more).expect("read");
            assert!(count > 0, "the switch has gone");
            self.read.extend_from_slice(&more[..count]);
        }
    }
}

/// Asks the switchboard for all of it at once.
async fn switchboard(daemon: &Daemon, people: &[(Arc<Conference>, Arc<Participant>)], mute: bool) -> Round {
    let began = Instant::now();
    let tasks: Vec<_> = people
        .iter()
        .map(|(conference, participant)| {
            let context = daemon.context().clone();
            let (conference, participant) = (conference.clone(), participant.clone());
            let action = if mute { ParticipantAction::Mute } else { ParticipantAction::Unmute };
            tokio::spawn(async move {
                let result = context.switchboard.participant(&conference, &participant, action).await;
                assert_eq!(result.outcome, Outcome::Done, "{result:?}");
                began.elapsed()
            })
        })
        .collect();
    let mut each = Vec::with_capacity(ALL);
    for task in tasks {
        each.push(task.await.expect("done"));
    }
    Round { took: began.elapsed(), each }
}

/// Asks over HTTP, on a connection for each.
async fn http(lines: Vec<(tokio::net::TcpStream, String)>) -> (Round, Vec<tokio::net::TcpStream>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let began = Instant::now();
    let tasks: Vec<_> = lines
        .into_iter()
        .map(|(mut stream, request)| {
            tokio::spawn(async move {
                stream.write_all(request.as_bytes()).await.expect("written");
                let mut answer = Vec::new();
                while !answer.ends_with(b"}") || !is_whole(&answer) {
                    assert!(stream.read_buf(&mut answer).await.expect("read") > 0, "no answer");
                }
                let answer = String::from_utf8_lossy(&answer).into_owned();
                assert!(
                    answer.starts_with("HTTP/1.1 200") && answer.contains(r#""result":"done""#),
                    "{answer}"
                );
                (began.elapsed(), stream)
            })
        })
        .collect();
    let (mut each, mut streams) = (Vec::with_capacity(ALL), Vec::with_capacity(ALL));
    for task in tasks {
        let (took, stream) = task.await.expect("done");
        each.push(took);
        streams.push(stream);
    }
    (Round { took: began.elapsed(), each }, streams)
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let (switching, following, asking) = (runtime(1), runtime(2), runtime(1));
    let (switch, calls) = switching.block_on(switch());
    let (daemon, token) = following.block_on(daemon(switch.addr(), folder.path()));
    let context = daemon.context().clone();
    let people: Vec<_> = calls
        .iter()
        .enumerate()
        .map(|(at, call)| {
            let conference = context.registry.conference(&room(at % CONFERENCES))[0].clone();
            let participant = conference.by_call_id(call).expect("he is there");
            (conference, participant)
        })
        .collect();
    let mut streams = asking.block_on(async {
        let mut streams = Vec::with_capacity(ALL);
        for _ in 0..ALL {
            streams.push(
                tokio::net::TcpStream::connect(daemon.address().expect("over TCP"))
                    .await
                    .expect("it listens"),
            );
        }
        streams
    });
    let mut figures = [const { Figures(Vec::new()) }; 3];
    let mut mute = false;
    for _ in 0..ROUNDS {
        let mut turn = || {
            mute = !mute;
            settle(&following, &daemon);
            mute
        };
        figures[0].0.push(bare(switch.addr(), &calls, turn()));
        let mute = turn();
        figures[1].0.push(following.block_on(switchboard(&daemon, &people, mute)));
        let mute = turn();
        let lines = streams.drain(..).zip(&calls).enumerate().map(|(at, (stream, call))| {
            let body = format!(r#"{{"data":{{"action":"{}"}}}}"#, word(mute));
            let path =
                format!("/v2/accounts/{ACCOUNT}/conferences/{}/participants/{call}", room(at % CONFERENCES));
            let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\nx-auth-token: {token}\r\n");
            (stream, format!("{head}content-length: {}\r\n\r\n{body}", body.len()))
        });
        let (round, back) = asking.block_on(http(lines.collect()));
        figures[2].0.push(round);
        streams = back;
    }
    let [bare, switchboard, http] = &figures;
    bare.print("bare", bare);
    switchboard.print("switchboard", bare);
    http.print("http", bare);
    following.block_on(daemon.stop());
}

/// What came before has been seen.
fn settle(following: &tokio::runtime::Runtime, daemon: &Daemon) {
    following.block_on(async {
        for node in daemon.context().switchboard.nodes().values() {
            node.fence().await.expect("a fence comes by");
        }
    });
}
