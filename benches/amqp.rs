//! Events to a real RabbitMQ, beside the same messages by the library alone; and what a full buffer takes.
//!
//! ```text
//! bare       lapin, the same text, properties and window, each confirmed
//! convened   registry ─▶ hub ─▶ streams ─▶ publisher ─▶ the same exchange
//! ```
//!
//! Rounds of both take turns, and the middle one is told. One durable queue is bound, which drops what is old. Nothing
//! is said of how fast it has to be. `cargo bench --bench amqp`

#[path = "../tests/support/events.rs"]
#[allow(dead_code, unreachable_pub, reason = "a part is used")]
mod events;
#[path = "scale/figures.rs"]
#[allow(dead_code, reason = "another bench needs the rest")]
mod figures;
#[path = "../tests/support/rabbitmq.rs"]
mod rabbitmq;

use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::amqp::{Broker, Publisher};
use convened::config::{Amqp, Events, Secret};
use convened::hub::{Hub, Origin, Owner, Sorter, Streams, Whose};
use convened::model::Flag;
use convened::registry::{Conference, Registry, Writer};
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio_util::sync::CancellationToken;

use events::{at, joined, state};
use figures::{mib, resident};
use rabbitmq::Rabbit;

const TALKERS: u32 = 200;
/// Changes of a round.
const ROUND: u64 = 20_000;
const ROUNDS: usize = 7;
/// The most that are on their way, as the daemon has it.
const WINDOW: usize = 1_024;
const BUFFER: u64 = 100_000;

struct Nobodys;

impl Whose for Nobodys {
    fn owner_of(&self, _: Arc<Conference>) -> BoxFuture<'static, Owner> {
        async { Owner { account: None, is_certain: true } }.boxed()
    }
}

/// Somebody begins or ends to talk, again and again.
struct Talk {
    registry: Arc<Registry>,
    writer: Writer<Hub>,
    calls: Vec<&'static str>,
    is_talking: Vec<bool>,
    sequence: u64,
}

impl Talk {
    fn begin(streams: &Arc<Streams>) -> Self {
        let hub = Hub::default();
        let feed = hub.feed().expect("nobody else");
        let sorter = Sorter::new(streams.clone(), Arc::new(Nobodys));
        tokio::spawn(sorter.run(feed, hub.listen_to_notices(), CancellationToken::new()));
        let registry = Arc::new(Registry::new());
        let writer = Writer::new(registry.clone(), "fs1".into(), hub);
        let call = |number: u32| &*format!("0d1b7bb5-6dcb-4a4c-a56b-{number:012}").leak();
        let (calls, is_talking) = ((0..TALKERS).map(call).collect(), vec![false; TALKERS as usize]);
        let mut talk = Self { registry, writer, calls, is_talking, sequence: 0 };
        for number in 0..TALKERS {
            talk.sequence += 1;
            let event = joined(talk.sequence, talk.calls[number as usize], number);
            talk.writer.apply(&event.0, at(talk.sequence));
        }
        talk
    }

    async fn go_on(&mut self, changes: u64) {
        for _ in 0..changes {
            self.sequence += 1;
            let at_call = (self.sequence % u64::from(TALKERS)) as usize;
            self.is_talking[at_call] ^= true;
            let event = state(self.sequence, self.calls[at_call], at_call as u32);
            let event = event.is(Flag::Talking, self.is_talking[at_call]);
            self.writer.apply(&event.0, at(self.sequence));
            tokio::task::consume_budget().await;
        }
    }

    /// How many changes there were.
    fn changes(&self) -> u64 {
        self.registry.conference("daily")[0].change_number()
    }
}

/// A channel as the daemon has it, and a queue.
async fn bare(url: &str, exchange: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the broker");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let mut short = FieldTable::default();
    short.insert("x-max-length".into(), AMQPValue::LongInt(1_000));
    let queue = channel.queue_declare("bench".into(), QueueDeclareOptions::durable(), short);
    queue.await.expect("a queue");
    let (key, options) = ("conference.event.*.*".into(), QueueBindOptions::default());
    let bound = channel.queue_bind("bench".into(), exchange.into(), key, options, FieldTable::default());
    bound.await.expect("it is bound");
    // It lives as long as the bench.
    std::mem::forget(connection);
    channel
}

/// So many messages by the library alone.
async fn publish(channel: &Channel, exchange: &str, body: &[u8]) {
    let mut answers = FuturesUnordered::new();
    for number in 0..ROUND {
        let properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_message_id(format!("{number:032x}").into())
            .with_delivery_mode(2);
        let key = "conference.event.daily.0d1b7bb5-6dcb-4a4c-a56b-000000000001".into();
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(exchange.into(), key, options, body, properties).await;
        answers.push(sent.expect("it is sent"));
        while answers.len() >= WINDOW {
            answers.next().await.expect("one of them").expect("it is confirmed");
        }
    }
    while let Some(answer) = answers.next().await {
        answer.expect("it is confirmed");
    }
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

async fn look_again() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn publisher(url: &str, streams: &Arc<Streams>) -> Publisher {
    let broker = Broker::parse(&Secret::new(url)).expect("a URL");
    Publisher::start(broker, &Amqp::default(), &Events::default(), streams)
}

async fn rates(rabbit: &Rabbit) {
    let exchange = Amqp::default().exchange;
    let streams = Arc::new(Streams::new(Origin { daemon: "bench".into() }));
    let publisher = publisher(&rabbit.url(), &streams);
    let confirmed = async |count: u64| {
        while publisher.figures().confirmed < count {
            look_again().await;
        }
    };
    let mut talk = Talk::begin(&streams);
    // It makes the exchange.
    confirmed(talk.changes()).await;
    let channel = bare(&rabbit.url(), &exchange).await;
    let (kept, _) = streams.all().read(streams.all().begin(), usize::MAX).expect("it is kept");
    let body = format!("{}}}", kept.last().expect("one").open_body(&streams.origin));
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let began = Instant::now();
        publish(&channel, &exchange, body.as_bytes()).await;
        rates[0].push(ROUND as f64 / began.elapsed().as_secs_f64());
        let before = talk.changes();
        let began = Instant::now();
        talk.go_on(ROUND).await;
        assert_eq!(talk.changes(), before + ROUND, "each word was one change");
        confirmed(before + ROUND).await;
        rates[1].push(ROUND as f64 / began.elapsed().as_secs_f64());
    }
    let [bare, ours] = rates.map(middle);
    println!("messages of {} octets, confirmed, at most {WINDOW} on their way:", body.len());
    println!("  bare      {bare:8.0} a second");
    println!("  convened  {ours:8.0} a second, {:.2} of that", ours / bare);
    let figures = publisher.figures();
    assert_eq!((figures.sent, figures.dropped), (figures.confirmed, 0), "each was sent once");
    publisher.stop().await;
}

async fn memory() {
    let streams = Arc::new(Streams::new(Origin { daemon: "bench".into() }));
    let mut talk = Talk::begin(&streams);
    // What a conference keeps for those who come back is there with or without a broker.
    talk.go_on(2_000).await;
    // Nobody listens there.
    let publisher = publisher("amqp://127.0.0.1:1", &streams);
    let before = resident();
    while publisher.figures().waiting < BUFFER {
        talk.go_on(1_000).await;
        look_again().await;
    }
    let took = resident().saturating_sub(before);
    let each = took as f64 / BUFFER as f64;
    println!("{BUFFER} events that wait: {:.0} MiB, {each:.0} octets each", mib(took));
    assert!(publisher.figures().dropped <= 1_000);
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        memory().await;
        rates(&Rabbit::start().await).await;
    });
}
