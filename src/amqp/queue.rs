//! The buffer between the reader and the sender, and what is counted about it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::buffer::Buffer;
use crate::hub::Told;

/// After so many more that were dropped it is told again.
const TOLD_EVERY: u64 = 10_000;

/// What is published: an event and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) routing_key: Box<str>,
    pub(super) told: Arc<Told>,
}

/// How it is going, in messages since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sent, every time counted.
    pub sent: u64,
    /// Confirmed by the broker.
    pub confirmed: u64,
    /// Not confirmed yet, whether sent or not.
    pub waiting: u64,
    /// Dropped because there were too many, and those that were lost before they could be read.
    pub dropped: u64,
    /// Sent again, every time counted: the connection ended, or the broker refused one, before they were confirmed.
    pub returned: u64,
    /// Left out: their routing key is longer than AMQP allows.
    pub unsendable: u64,
    /// How many connections to the broker there were.
    pub connections: u64,
    /// Whether there is one now.
    pub is_connected: bool,
}

/// Shared by both.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<(Buffer<Message>, Figures)>,
    /// Wakes the sender when something was added.
    pub(super) news: Notify,
}

impl Queue {
    /// For so many messages.
    pub(super) fn new(most: usize) -> Self {
        Self { inner: Mutex::new((Buffer::new(most), Figures::default())), news: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, (Buffer<Message>, Figures)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is going.
    pub(super) fn figures(&self) -> Figures {
        let inner = self.inner();
        Figures { waiting: inner.0.len() as u64, ..inner.1 }
    }

    /// Adds messages.
    pub(super) fn push(&self, messages: impl Iterator<Item = Message>) {
        let mut inner = self.inner();
        let before = inner.1.dropped;
        for message in messages {
            let dropped = inner.0.push(message);
            inner.1.dropped += u64::from(dropped);
        }
        let dropped = inner.1.dropped;
        drop(inner);
        self.news.notify_one();
        // The first, and then one line for very many.
        if dropped.div_ceil(TOLD_EVERY) > before.div_ceil(TOLD_EVERY) {
            tracing::warn!(
                dropped,
                "more events wait for the broker than amqp.buffer allows: the oldest are dropped"
            );
        }
    }

    /// So many were lost before they could be read.
    pub(super) fn lost(&self, count: u64) {
        self.inner().1.dropped += count;
        tracing::warn!(
            lost = count,
            "events for the broker were lost: they came faster than they could be read"
        );
    }

    /// One cannot be sent to any broker.
    pub(super) fn unsendable(&self, routing_key: &str) {
        let mut inner = self.inner();
        inner.1.unsendable += 1;
        if inner.1.unsendable == 1 {
            tracing::warn!(
                routing_key,
                "an event is not published, nor will be others like it: AMQP takes routing keys of 255 octets"
            );
        }
    }

    /// The next one to be sent, with its tag.
    pub(super) fn take(&self, window: usize) -> Option<(u64, Message)> {
        let mut inner = self.inner();
        let taken = inner.0.take(window)?;
        inner.1.sent += 1;
        Some(taken)
    }

    /// The broker has it.
    pub(super) fn confirm(&self, tag: u64) {
        let mut inner = self.inner();
        let is_new = inner.0.confirm(tag);
        inner.1.confirmed += u64::from(is_new);
    }

    /// Whether everything is confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.inner().0.len() == 0
    }

    /// There is a connection.
    pub(super) fn connected(&self) {
        let mut inner = self.inner();
        inner.1.connections += 1;
        inner.1.is_connected = true;
    }

    /// There is none any more; how many wait again that were sent.
    pub(super) fn disconnected(&self) -> usize {
        let mut inner = self.inner();
        inner.1.is_connected = false;
        let again = inner.0.take_back();
        inner.1.returned += again as u64;
        again
    }
}
