//! Events to a broker: RabbitMQ or another one that speaks AMQP 0-9-1.
//!
//! ```text
//! streams ─▶ Reader ─▶ Queue (bounded, the oldest goes first) ─▶ Sender ─▶ broker
//!                        ▲                                          │
//!                        └────── what was not confirmed ────────────┘
//! ```
//!
//! The reader takes everything off the streams at once and waits for nobody. The sender keeps the connection. What
//! the broker has confirmed is forgotten and never sent again; what it has not confirmed when the connection ends
//! is sent again on the next one, with the same message id and in the same order.

mod buffer;
mod queue;
mod reader;
mod sender;
mod session;
mod url;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::hub::Streams;

pub use queue::Figures;
use queue::Queue;
use reader::Reader;
use sender::Sender;
pub use url::{BadUrl, Broker};

/// At a stop what waits is sent within this time; then the connection is closed.
const GRACE: Duration = Duration::from_secs(3);

/// Reads how it is going, also after the publisher has ended.
#[derive(Debug, Clone)]
pub struct FiguresReader(Arc<Queue>);

impl FiguresReader {
    /// How it is going.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.figures()
    }
}

/// Publishes what is told. Dropping it leaves its tasks running: [`Publisher::stop`] ends them.
#[derive(Debug)]
pub struct Publisher {
    queue: Arc<Queue>,
    stop_reading: CancellationToken,
    stop_sending: CancellationToken,
    reading: JoinHandle<()>,
    sending: JoinHandle<()>,
}

impl Publisher {
    /// Publishes everything that is told from now on; `events` decides what that is if `settings` do not. That the
    /// broker cannot be reached is told in the log, and tried again.
    #[must_use]
    pub fn start(
        broker: Broker,
        settings: &config::Amqp,
        events: &config::Events,
        streams: &Arc<Streams>,
    ) -> Self {
        let queue = Arc::new(Queue::new(settings.buffer));
        let (stop_reading, stop_sending) = (CancellationToken::new(), CancellationToken::new());
        let told = settings.publish_participant_event.as_ref().or(events.publish_participant_event.as_ref());
        let reader = Reader::new(streams.clone(), queue.clone(), told.cloned());
        let sender = Sender::new(broker, settings, streams.origin.clone(), queue.clone());
        let reading = tokio::spawn(reader.run(stop_reading.clone()));
        let sending = tokio::spawn(sender.run(stop_sending.clone()));
        Self { queue, stop_reading, stop_sending, reading, sending }
    }

    /// How it is going.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.queue.figures()
    }

    /// Likewise, for somebody who asks again and again.
    #[must_use]
    pub fn reader(&self) -> FiguresReader {
        FiguresReader(self.queue.clone())
    }

    /// Sends what waits if the broker is there, and closes the connection. What is told later is not published.
    pub async fn stop(mut self) {
        self.stop_reading.cancel();
        if let Err(error) = self.reading.await {
            tracing::error!("the reader of events for the broker ended by itself: {error}");
        }
        self.stop_sending.cancel();
        match timeout(GRACE, &mut self.sending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("the sender of events to the broker ended by itself: {error}"),
            Err(_) => {
                self.sending.abort();
                // Aborted, it lets go of the connection.
                let _ = self.sending.await;
            }
        }
        let lost = self.queue.figures().waiting;
        if lost > 0 {
            tracing::warn!(lost, "the daemon stops, and the broker has not confirmed these events");
        }
    }
}
