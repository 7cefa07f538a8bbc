//! The events that wait for one client. Bounded: a client that does not read loses events, then its
//! connection, as on a real switch.

use bytes::Bytes;
use std::collections::VecDeque;

/// After so many lost events in a row the switch gives the client up.
const GIVE_UP: usize = 500;

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Queued,
    Lost,
    /// Lost, and it was one too many.
    GivenUp,
}

#[derive(Debug)]
pub(crate) struct Queue {
    waiting: VecDeque<Bytes>,
    limit: usize,
    lost_in_a_row: usize,
    lost: usize,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { waiting: VecDeque::new(), limit, lost_in_a_row: 0, lost: 0 }
    }

    pub(crate) fn push(&mut self, frame: Bytes) -> Fate {
        if self.waiting.len() < self.limit {
            self.lost_in_a_row = 0;
            self.waiting.push_back(frame);
            return Fate::Queued;
        }
        self.lost += 1;
        self.lost_in_a_row += 1;
        if self.lost_in_a_row > GIVE_UP { Fate::GivenUp } else { Fate::Lost }
    }

    /// The next frames, about `bytes` of them.
    pub(crate) fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut batch = Vec::new();
        while batch.len() < bytes {
            let Some(frame) = self.waiting.pop_front() else { break };
            batch.extend_from_slice(&frame);
        }
        batch
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn lost(&self) -> usize {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_events_and_then_the_client() {
        let mut queue = Queue::new(2);
        let frame = || Bytes::from_static(b"event");
        assert_eq!((queue.push(frame()), queue.push(frame())), (Fate::Queued, Fate::Queued));
        for _ in 0..GIVE_UP {
            assert_eq!(queue.push(frame()), Fate::Lost);
        }
        assert_eq!(queue.push(frame()), Fate::GivenUp);
        assert_eq!(queue.take(6), b"eventevent");
        assert_eq!((queue.push(frame()), queue.lost()), (Fate::Queued, GIVE_UP + 1));
    }
}
