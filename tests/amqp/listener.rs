//! Somebody with a queue of his own, who hears what is published.

use std::collections::HashMap;

use convened::config::Config;
use convened::secret::Secret;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{PATIENCE, look_again};
use crate::house::House;

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) routing_key: String,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn event(&self) -> &str {
        self.body["event"].as_str().expect("an event")
    }

    pub(crate) fn message_id(&self) -> &str {
        self.properties.message_id().as_ref().expect("a message id").as_str()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.body["seq"].as_u64().expect("a number")
    }
}

/// A queue that is bound to an exchange.
pub(crate) struct Listener {
    /// It lives as long as this.
    _connection: Connection,
    channel: Channel,
    queue: String,
    consumer: Option<Consumer>,
}

/// An exchange of that name as the daemon would make it, or of another kind.
pub(crate) async fn declare(
    url: &str,
    exchange: &str,
    kind: ExchangeKind,
    durable: bool,
) -> lapin::Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { durable, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(exchange.into(), kind, options, FieldTable::default()).await
}

impl Listener {
    /// A durable queue of that name that has what is published with such a key.
    pub(crate) async fn bound(url: &str, exchange: &str, queue: &str, key: &str) -> Self {
        Self::with(url, exchange, queue, key, FieldTable::default()).await
    }

    /// The same, and the exchange is made.
    pub(crate) async fn first(url: &str, exchange: &str, queue: &str, key: &str) -> Self {
        declare(url, exchange, ExchangeKind::Topic, true).await.expect("an exchange");
        Self::bound(url, exchange, queue, key).await
    }

    pub(crate) async fn with(
        url: &str,
        exchange: &str,
        queue: &str,
        key: &str,
        arguments: FieldTable,
    ) -> Self {
        let listener = Self::of(url, queue, arguments).await;
        let bind = listener.channel.queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bind.await.expect("it is bound");
        listener
    }

    /// A queue that is there.
    pub(crate) async fn of(url: &str, queue: &str, arguments: FieldTable) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("the broker");
        let channel = connection.create_channel().await.expect("a channel");
        channel
            .queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments)
            .await
            .expect("a queue");
        Self { _connection: connection, channel, queue: queue.to_owned(), consumer: None }
    }

    pub(crate) async fn delete_exchange(&self, exchange: &str) {
        let options = ExchangeDeleteOptions::default();
        self.channel.exchange_delete(exchange.into(), options).await.expect("it is deleted");
    }

    /// How many messages are in the queue.
    pub(crate) async fn count(&self) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue =
            self.channel.queue_declare(self.queue.as_str().into(), options, FieldTable::default()).await;
        queue.expect("a queue").message_count()
    }

    /// Takes the first message, if there is one.
    pub(crate) async fn take(&self) -> Option<Heard> {
        let got = self.channel.basic_get(self.queue.as_str().into(), BasicGetOptions::default()).await;
        let got = got.expect("an answer")?;
        got.delivery.acker.ack(BasicAckOptions::default()).await.expect("taken");
        Some(heard(got.delivery))
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Heard {
        if self.consumer.is_none() {
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let queue = self.queue.as_str().into();
            let consumer = self.channel.basic_consume(queue, "".into(), options, FieldTable::default()).await;
            self.consumer = Some(consumer.expect("a consumer"));
        }
        let consumer = self.consumer.as_mut().expect("just made");
        let next = timeout(PATIENCE, consumer.next()).await.expect("a message comes");
        heard(next.expect("the queue is there").expect("a message"))
    }

    /// Messages up to the first of that event.
    pub(crate) async fn until(&mut self, event: &str) -> Vec<Heard> {
        let mut all = vec![self.hear().await];
        while all.last().is_some_and(|heard| heard.event() != event) {
            all.push(self.hear().await);
        }
        all
    }
}

fn heard(delivery: lapin::message::Delivery) -> Heard {
    Heard {
        routing_key: delivery.routing_key.to_string(),
        properties: delivery.properties,
        body: serde_json::from_slice(&delivery.data).expect("JSON"),
    }
}

/// A daemon with one switch that publishes there.
pub(crate) async fn publishing(url: &str, exchange: &str, change: impl FnOnce(&mut Config)) -> House {
    House::with(1, |config| {
        publish(config, url, exchange);
        change(config);
    })
    .await
}

/// Publishes there, and comes back quickly.
pub(crate) fn publish(config: &mut Config, url: &str, exchange: &str) {
    config.amqp.url = Some(Secret::new(url));
    exchange.clone_into(&mut config.amqp.exchange);
    config.amqp.reconnect_min_ms = 5;
    config.amqp.reconnect_max_ms = 20;
}

/// Waits until the figures are so.
pub(crate) async fn until(house: &House, what: &str, is_so: impl Fn(convened::amqp::Figures) -> bool) {
    let figures = || house.daemon.published().expect("it publishes");
    let waited = timeout(PATIENCE, async {
        while !is_so(figures()) {
            look_again().await;
        }
    });
    assert!(waited.await.is_ok(), "it never became so: {what}: {:?}", figures());
}

/// The number of the last change of a conference.
pub(crate) fn last_seq(house: &House, conference: &str) -> u64 {
    house.daemon.context().registry.conference(conference)[0].change_number()
}

/// Every change of the conference is there, in order where it is first; those that are there twice are the same.
pub(crate) fn check_complete(heard: &[Heard], last: u64) {
    let mut ids = HashMap::new();
    let mut next = 1;
    for heard in heard {
        let id = ids.entry(heard.seq()).or_insert_with(|| {
            assert_eq!(heard.seq(), next, "in order, and none is missing");
            next += 1;
            heard.message_id().to_owned()
        });
        assert_eq!(id, heard.message_id(), "the same again has the same id");
    }
    assert_eq!(next - 1, last);
    let different: std::collections::HashSet<_> = ids.values().collect();
    assert_eq!(different.len(), ids.len(), "what is not the same has another id");
}
