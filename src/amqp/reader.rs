//! Takes what is told off the streams, all the time and whatever the broker does.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::queue::{Message, Queue};
use crate::hub::{Streams, Told, routing_key};

/// So many are read at once.
const AT_ONCE: usize = 1_024;
/// Octets of a routing key: a short string of AMQP 0-9-1 (section 4.2.5.3).
const LONGEST_KEY: usize = 255;

/// Reads from its place on.
#[derive(Debug)]
pub(super) struct Reader {
    streams: Arc<Streams>,
    queue: Arc<Queue>,
    /// The names of the events that are published; `None`: all.
    told: Option<Vec<String>>,
    news: Arc<Notify>,
    place: u64,
}

impl Reader {
    /// Reads what is told from now on.
    pub(super) fn new(streams: Arc<Streams>, queue: Arc<Queue>, told: Option<Vec<String>>) -> Self {
        let news = Arc::new(Notify::new());
        streams.all().wakes(&news);
        let place = streams.all().end();
        Self { streams, queue, told, news, place }
    }

    /// Waits for what is told; at a stop it reads what is there and ends.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let is_last = stop.is_cancelled();
            while self.read() {
                tokio::task::consume_budget().await;
            }
            if is_last {
                return;
            }
            tokio::select! {
                () = self.news.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Reads some; false if there was nothing.
    fn read(&mut self) -> bool {
        match self.streams.all().read(self.place, AT_ONCE) {
            Ok((told, _)) if told.is_empty() => false,
            Ok((told, place)) => {
                self.place = place;
                let messages = told.into_iter().filter_map(|told| self.message(told));
                self.queue.push(messages.collect::<Vec<_>>().into_iter());
                true
            }
            Err(_) => {
                let end = self.streams.all().end();
                self.queue.lost(end.saturating_sub(self.place));
                self.place = end;
                true
            }
        }
    }

    fn message(&self, told: Arc<Told>) -> Option<Message> {
        let is_wanted = |names: &Vec<String>| names.iter().any(|name| name == told.event());
        if !self.told.as_ref().is_none_or(is_wanted) {
            return None;
        }
        let routing_key = routing_key(&told);
        if routing_key.len() > LONGEST_KEY {
            self.queue.unsendable(&routing_key);
            return None;
        }
        Some(Message { routing_key: routing_key.into(), told })
    }
}
