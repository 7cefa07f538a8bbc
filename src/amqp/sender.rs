//! Keeps a connection to the broker: one after another, with pauses between them that grow.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::queue::Queue;
use super::session::{End, Manner, Session};
use super::url::Broker;
use crate::config;
use crate::hub::Origin;
use crate::node::backoff::Backoff;

/// So long an attempt to connect may take, with everything before the first message.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The task that sends.
#[derive(Debug)]
pub(super) struct Sender {
    broker: Broker,
    manner: Manner,
    queue: Arc<Queue>,
    backoff: Backoff,
    /// What was said of the broker last, so that it is not said again and again.
    trouble: Option<String>,
}

impl Sender {
    pub(super) fn new(broker: Broker, settings: &config::Amqp, origin: Origin, queue: Arc<Queue>) -> Self {
        let manner =
            Manner { exchange: settings.exchange.as_str().into(), persistent: settings.persistent, origin };
        let [shortest, longest] =
            [settings.reconnect_min_ms, settings.reconnect_max_ms].map(Duration::from_millis);
        let backoff = Backoff::new(shortest, longest, rand::random());
        Self { broker, manner, queue, backoff, trouble: None }
    }

    /// Sends until it is stopped: then what waits, if there is a connection.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let opening = timeout(CONNECT_WITHIN, Session::open(&self.broker, &self.manner));
            let opened = tokio::select! {
                opened = opening => opened,
                () = stop.cancelled() => return,
            };
            match opened {
                Ok(Ok(session)) => {
                    if self.serve(session, &stop).await {
                        return;
                    }
                }
                Ok(Err(error)) => {
                    // Whether a connection is reset, aborted or refused is chance.
                    let (is_io, why) = (error.is_io_error(), error.to_string());
                    self.failed(if is_io { "the network".into() } else { why.clone() }, &why);
                }
                Err(_) => self.failed("silence".into(), &format!("no answer within {CONNECT_WITHIN:?}")),
            }
            tokio::select! {
                () = sleep(self.backoff.step()) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One connection; true if it was stopped.
    async fn serve(&mut self, mut session: Session, stop: &CancellationToken) -> bool {
        self.trouble = None;
        self.queue.connected();
        let waiting = self.queue.figures().waiting;
        tracing::info!(broker = %self.broker, waiting, "events are published");
        let confirmed = self.queue.figures().confirmed;
        let end = session.run(&self.queue, &self.manner, stop).await;
        let again = self.queue.disconnected();
        match end {
            End::Stopped => {
                if let Err(error) = session.close().await {
                    tracing::debug!("the broker was gone before it was told that the daemon stops: {error}");
                }
                return true;
            }
            // With the same pause it would be flooded with what it has confirmed of the others.
            End::Refused => tracing::warn!(
                broker = %self.broker, again,
                "the broker has refused an event; what is not confirmed is sent again after a pause"
            ),
            End::Broken(error) => {
                tracing::warn!(broker = %self.broker, again, "the broker is away, events wait for it: {error}");
                if self.queue.figures().confirmed > confirmed {
                    self.backoff.reset();
                }
            }
        }
        false
    }

    /// `kind` is the same for what need not be told again.
    fn failed(&mut self, kind: String, why: &str) {
        if self.trouble.as_ref() != Some(&kind) {
            tracing::warn!(broker = %self.broker, "the broker cannot be reached, events wait for it: {why}");
            self.trouble = Some(kind);
        }
    }
}
