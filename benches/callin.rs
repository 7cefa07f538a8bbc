//! Five hundred callers at once: what the daemon adds to each step of their dialogues.
//!
//! ```text
//! bare       a client that knows the answers: each event of a call is answered with the next command at once
//! convened   the daemon: document by number, welcome, locks and place, transfer
//! ```
//!
//! Both on a simulated switch of their own whose prompts take no time; nobody is asked for a PIN, so that nobody's
//! typing is measured. A step is the time from an event of a call (parked, answered, welcomed, in) to the next one of the
//! same call; it holds what the switch itself needs. Rounds of both take turns, and the middle one is told. Nothing is said of how fast it has to be.
//! `cargo bench --bench callin`

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use convened::app::Daemon;
use convened::config::{Config, Node, Secret};
use convened::documents::Documents;
use convened::esl::{Decoder, Frame, Limits};
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::Caller;
use convened::store::Clock;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::codec::Decoder as _;

const ACCOUNT: &str = "9d351ad7ffd6f846313af9eed3bb7b85";
const NUMBER: &str = "5551234";
const CALLERS: usize = 500;
const ROUNDS: usize = 7;
const WELCOME: &str = "tone_stream://%(1,0,800)";

/// When each call was parked, answered, welcomed, and in.
type Steps = Arc<Mutex<HashMap<String, Vec<Instant>>>>;

struct Round {
    whole: Duration,
    steps: Vec<Duration>,
}

impl Round {
    fn at(&self, share: f64) -> Duration {
        self.steps[((self.steps.len() - 1) as f64 * share) as usize]
    }
}

fn main() {
    let runtime = |threads| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all().build().expect("a runtime")
    };
    let (switches, ours) = (runtime(1), runtime(1));
    let (mut bare, mut convened) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(round(&switches, &ours, false));
        convened.push(round(&switches, &ours, true));
    }
    let (bare, convened) = (middle(bare), middle(convened));
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{CALLERS} callers at once, parked to seen in their conference:");
    for (name, round) in [("bare", &bare), ("convened", &convened)] {
        println!(
            "  {name:9} all in after {:6.1} ms; a step p50 {:5.1} ms, p99 {:6.1} ms",
            ms(round.whole),
            ms(round.at(0.5)),
            ms(round.at(0.99))
        );
    }
    let added = |share| ms(convened.at(share)) - ms(bare.at(share));
    println!("  added to a step: p50 {:.1} ms, p99 {:.1} ms", added(0.5), added(0.99));
}

fn middle(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by_key(|round| round.at(0.99));
    rounds.swap_remove(rounds.len() / 2)
}

fn round(switches: &Runtime, ours: &Runtime, by_daemon: bool) -> Round {
    let switch = switches.block_on(Switch::start(SwitchOptions::default())).expect("a switch");
    let steps = Steps::default();
    let sink = steps.clone();
    switch.witness(move |event| {
        // What the transfer executes on the way is the switch's own.
        let application = event.get("Application");
        let step = event.name == "CHANNEL_PARK"
            || matches!(application.as_deref(), Some("answer" | "playback"))
            || event.action().as_deref() == Some("add-member");
        if let Some(call) = event.get("Unique-ID").filter(|_| step) {
            let mut steps = sink.lock().unwrap();
            // What the dialplan executes before it parks is no step.
            match steps.get_mut(&call) {
                Some(times) => times.push(Instant::now()),
                None if event.name == "CHANNEL_PARK" => drop(steps.insert(call, vec![Instant::now()])),
                None => {}
            }
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = match by_daemon {
        true => Some(ours.block_on(daemon(switch.addr(), folder.path()))),
        false => {
            ours.spawn(bare(switch.addr()));
            None
        }
    };
    let listeners = if by_daemon { 2 } else { 1 };
    ours.block_on(switch.until_listeners(listeners));
    let began = Instant::now();
    switch.world(|world, now| {
        for number in 0..CALLERS {
            let caller = Caller::new("Caller", format!("1555{number:07}")).dialling(NUMBER);
            let caller = caller.variable("convened_callin", "true").variable("account_id", ACCOUNT);
            world.park(now, caller).expect("a call");
        }
    });
    ours.block_on(switch.until(|rooms| rooms.first().is_some_and(|room| room.members.len() == CALLERS)));
    let whole = began.elapsed();
    if let Some(daemon) = daemon {
        ours.block_on(daemon.stop());
    }
    let steps = steps.lock().unwrap();
    let times = steps.values().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0]));
    let mut steps: Vec<_> = times.collect();
    steps.sort_unstable();
    Round { whole, steps }
}

async fn daemon(switch: SocketAddr, folder: &std::path::Path) -> Daemon {
    let mut config = Config::default();
    config.api.listen = vec![convened::config::Listen::Plain(([127, 0, 0, 1], 0).into())];
    config.database.url = format!("sqlite://{}", folder.join("convened.db").display());
    config.node.push(Node::new("fs1", switch.to_string(), Secret::new("ClueCon")));
    config.callin.enabled = true;
    config.callin.max_dialogues = 2 * CALLERS as u32;
    config.prompts.welcome = WELCOME.into();
    let daemon = Daemon::start(&config).await.expect("the daemon starts");
    let documents = Documents::new(daemon.context().store.clone(), Clock::system());
    let document = json!({ "conference_numbers": [NUMBER], "play_welcome": true });
    documents.create(&ACCOUNT.parse().expect("an account"), document).await.expect("a document");
    daemon
}

/// Answers each event with the next command, and knows nothing.
async fn bare(switch: SocketAddr) {
    let mut stream = TcpStream::connect(switch).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let begin = "auth ClueCon\n\nevent plain CHANNEL_PARK CHANNEL_EXECUTE_COMPLETE\n\n";
    stream.write_all(begin.as_bytes()).await.expect("it is sent");
    let (mut decoder, mut received) = (Decoder::new(Limits::default()), BytesMut::new());
    loop {
        let mut out = String::new();
        while let Some(frame) = decoder.decode(&mut received).expect("frames") {
            let Frame::Event(event) = frame else { continue };
            let text =
                |name: &str| event.get(name).map(|value| value.text().into_owned()).unwrap_or_default();
            let call = text("Unique-ID");
            let execute = |application: &str, argument: &str| {
                format!(
                    "sendmsg {call}\ncall-command: execute\nexecute-app-name: {application}\n\
                     execute-app-arg: {argument}\nevent-lock: true\nEvent-UUID: {call}-{application}\n\n"
                )
            };
            match (&*text("Event-Name"), &*text("Application")) {
                ("CHANNEL_PARK", _) => out += &execute("answer", ""),
                (_, "answer") => out += &execute("playback", WELCOME),
                (_, "playback") => {
                    out += &format!(
                        "api uuid_transfer {call} 'conference:room@default+flags{{mute}}' inline\n\n"
                    );
                }
                _ => {}
            }
        }
        if !out.is_empty() && stream.write_all(out.as_bytes()).await.is_err() {
            return;
        }
        if !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
            return;
        }
    }
}
