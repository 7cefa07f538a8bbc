//! One connection to the broker: from the attempt to connect to its end.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Error, ErrorKind, Event,
    ExchangeKind, PublisherConfirm,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::queue::{Message, Queue};
use super::url::Broker;
use crate::hub::Origin;

/// On their way and not confirmed at most: what is sent twice at most if the connection breaks.
const WINDOW: usize = 1_024;
/// When the broker has refused one, the answers for the others are waited for so long.
const ANSWERS: Duration = Duration::from_secs(1);

/// How messages are sent.
#[derive(Debug)]
pub(super) struct Manner {
    pub(super) exchange: ShortString,
    /// The broker keeps them on its disk, in queues that are durable.
    pub(super) persistent: bool,
    pub(super) origin: Origin,
}

/// Why a connection came to its end.
#[derive(Debug)]
pub(super) enum End {
    /// We wanted it; everything was confirmed.
    Stopped,
    /// The broker has refused a message (`basic.nack`).
    Refused,
    /// It broke.
    Broken(Error),
}

/// A connection with a channel whose messages are confirmed.
pub(super) struct Session {
    connection: Connection,
    channel: Channel,
    events: Events,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// The tag of a message, and what the broker says of it.
type Answer = (u64, Result<Confirmation, Error>);
type Answers = FuturesUnordered<BoxFuture<'static, Answer>>;
type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

impl Session {
    /// Connects, and finds or makes the exchange.
    ///
    /// # Errors
    /// What the broker said, or the network.
    pub(super) async fn open(broker: &Broker, manner: &Manner) -> Result<Self, Error> {
        // Attempts are counted, delayed and told of by the sender.
        let once = ConnectionProperties::default()
            .with_connection_name(format!("convened {}", manner.origin.daemon).into())
            .configure_backoff(|backoff| backoff.with_max_times(0));
        let connection = Connection::connect_uri(broker.uri.clone(), once).await?;
        let mut events: Events = Box::pin(connection.events_listener());
        let opening = async {
            let channel = exchange(&connection, &manner.exchange).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, Error>(channel)
        };
        let channel = tokio::select! {
            opened = opening => opened?,
            // An answer that was lost with the connection is not always told to whoever waits for it.
            // That there is no exchange is an error of the channel only.
            error = async {
                loop {
                    let error = broken(&mut events).await;
                    if !connection.status().connected() {
                        return error;
                    }
                }
            } => return Err(error),
        };
        Ok(Self { connection, channel, events })
    }

    /// Sends what waits, until it breaks or, once it should stop, nothing waits any more.
    pub(super) async fn run(&mut self, queue: &Queue, manner: &Manner, stop: &CancellationToken) -> End {
        let mut answers = Answers::new();
        let end = tokio::select! {
            end = send(&self.channel, queue, manner, stop, &mut answers) => end,
            error = broken(&mut self.events) => End::Broken(error),
        };
        // What has arrived is not sent again: answers that are there, or come soon if there is still a connection.
        // A broken one answers all of them with its error.
        let last = async {
            while let Some(answer) = answers.next().await {
                settle(queue, answer);
            }
        };
        let _ = timeout(ANSWERS, last).await;
        end
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// The broker was gone already.
    pub(super) async fn close(self) -> Result<(), Error> {
        self.connection.close(200, "the daemon stops".into()).await
    }
}

/// Sends what waits; what comes back meanwhile makes room for more.
async fn send(
    channel: &Channel,
    queue: &Queue,
    manner: &Manner,
    stop: &CancellationToken,
    answers: &mut Answers,
) -> End {
    loop {
        while let Some(Some(answer)) = answers.next().now_or_never() {
            if let Some(end) = settle(queue, answer) {
                return end;
            }
        }
        if let Some((tag, message)) = queue.take(WINDOW) {
            match publish(channel, manner, &message).await {
                Ok(confirm) => answers.push(async move { (tag, confirm.await) }.boxed()),
                Err(error) => return End::Broken(error),
            }
            continue;
        }
        if stop.is_cancelled() && queue.is_empty() {
            return End::Stopped;
        }
        tokio::select! {
            Some(answer) = answers.next() => if let Some(end) = settle(queue, answer) {
                return end;
            },
            () = queue.news.notified() => {}
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
    }
}

/// Waits until the connection breaks.
async fn broken(events: &mut Events) -> Error {
    loop {
        match events.next().await {
            Some(Event::Error(error)) => return error,
            Some(Event::ConnectionBlocked(reason)) => {
                tracing::warn!(reason, "the broker takes nothing for now, events wait for it");
            }
            Some(Event::ConnectionUnblocked) => tracing::info!("the broker takes events again"),
            Some(_) => {}
            None => return ErrorKind::MissingHeartbeatError.into(),
        }
    }
}

/// Sends one; the answer to it comes later.
async fn publish(channel: &Channel, manner: &Manner, message: &Message) -> Result<PublisherConfirm, Error> {
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_message_id(message.told.msg_id(&manner.origin).into())
        .with_delivery_mode(if manner.persistent { 2 } else { 1 });
    let mut body = message.told.open_body(&manner.origin).to_string();
    body.push('}');
    let key = ShortString::from(&*message.routing_key);
    let options = BasicPublishOptions::default();
    channel.basic_publish(manner.exchange.clone(), key, options, body.as_bytes(), properties).await
}

/// What the broker says of a message; how it ends, if it does.
fn settle(queue: &Queue, (tag, answer): Answer) -> Option<End> {
    match answer {
        Ok(Confirmation::Ack(_)) => {
            queue.confirm(tag);
            None
        }
        Ok(Confirmation::Nack(_) | Confirmation::NotRequested) => Some(End::Refused),
        Err(error) => Some(End::Broken(error)),
    }
}

/// A channel, with the exchange that is there, whatever it is like, or else with one that is made.
async fn exchange(connection: &Connection, name: &ShortString) -> Result<Channel, Error> {
    let declare = async |passive: bool| {
        let channel = connection.create_channel().await?;
        let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(name.clone(), ExchangeKind::Topic, options, FieldTable::default()).await?;
        Ok::<_, Error>(channel)
    };
    match declare(true).await {
        // The broker has closed the channel with it.
        Err(error) if is_not_found(&error) => declare(false).await,
        found => found,
    }
}

fn is_not_found(error: &Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
}
