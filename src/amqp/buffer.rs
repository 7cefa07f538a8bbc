//! What waits for the broker and what is on its way to it, as data: no clock, no connection.
//!
//! ```text
//!            confirmed          not confirmed
//!   ◀─ done ─┤ sent: 17 18 19 │ waiting: 20 21 22 ... ◀─ told
//!                 ◀── the connection broke ──┘
//! ```

use std::collections::VecDeque;

/// Bounded, in order. `T` is a message.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    most: usize,
    /// Sent on this connection, in order. `None` is confirmed already, before one that is older.
    sent: VecDeque<Option<T>>,
    /// The tag of the first of them.
    first: u64,
    /// How many of them are not confirmed.
    unconfirmed: usize,
    waiting: VecDeque<T>,
}

impl<T: Clone> Buffer<T> {
    /// For so many, those that are on their way included.
    pub(super) fn new(most: usize) -> Self {
        Self { most, sent: VecDeque::new(), first: 0, unconfirmed: 0, waiting: VecDeque::new() }
    }

    /// Adds one; true if it had to drop the oldest that is not on its way.
    pub(super) fn push(&mut self, message: T) -> bool {
        self.waiting.push_back(message);
        self.len() > self.most && self.waiting.pop_front().is_some()
    }

    /// How many are not confirmed.
    pub(super) fn len(&self) -> usize {
        self.unconfirmed + self.waiting.len()
    }

    /// The next one to be sent, with the tag under which it is confirmed, unless `window` are on their way.
    pub(super) fn take(&mut self, window: usize) -> Option<(u64, T)> {
        if self.sent.len() >= window {
            return None;
        }
        let message = self.waiting.pop_front()?;
        let tag = self.first + self.sent.len() as u64;
        self.sent.push_back(Some(message.clone()));
        self.unconfirmed += 1;
        Some((tag, message))
    }

    /// It has arrived: it is never taken again. True if it was not known before.
    pub(super) fn confirm(&mut self, tag: u64) -> bool {
        let at = tag.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(message) = at.and_then(|at| self.sent.get_mut(at)) else { return false };
        if message.take().is_none() {
            return false;
        }
        self.unconfirmed -= 1;
        while self.sent.front().is_some_and(Option::is_none) {
            self.sent.pop_front();
            self.first += 1;
        }
        true
    }

    /// The connection is no more: what is not confirmed waits again, where it was. How many they are.
    pub(super) fn take_back(&mut self) -> usize {
        self.first += self.sent.len() as u64;
        for message in self.sent.drain(..).rev().flatten() {
            self.waiting.push_front(message);
        }
        std::mem::take(&mut self.unconfirmed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn taken(buffer: &mut Buffer<u64>, window: usize) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| buffer.take(window)).collect()
    }

    #[test]
    fn what_is_not_confirmed_is_taken_again_in_order_and_the_rest_is_not() {
        let mut buffer = Buffer::new(100);
        (1..=5).for_each(|n| assert!(!buffer.push(n)));
        assert_eq!(taken(&mut buffer, 4), [(0, 1), (1, 2), (2, 3), (3, 4)]);
        assert!(buffer.confirm(2) && buffer.confirm(0));
        assert!(!buffer.confirm(2) && !buffer.confirm(0) && !buffer.confirm(9));
        assert_eq!(buffer.len(), 3);
        assert_eq!(buffer.take_back(), 2);
        assert_eq!(taken(&mut buffer, 9), [(4, 2), (5, 4), (6, 5)]);
        // A confirmation of the connection before is none of this one.
        assert!(!buffer.confirm(1));
        assert_eq!(buffer.len(), 3);
    }

    #[test]
    fn the_oldest_that_is_not_on_its_way_is_dropped() {
        let mut buffer = Buffer::new(3);
        (1..=3).for_each(|n| assert!(!buffer.push(n)));
        assert_eq!(buffer.take(1), Some((0, 1)));
        assert!(buffer.push(4) && buffer.push(5));
        assert_eq!(buffer.len(), 3);
        buffer.take_back();
        assert_eq!(taken(&mut buffer, 9).into_iter().map(|(_, n)| n).collect::<Vec<_>>(), [1, 4, 5]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push,
        Take(usize),
        Confirm(usize),
        Break,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Push),
            4 => (1..8usize).prop_map(Step::Take),
            4 => (0..8usize).prop_map(Step::Confirm),
            1 => Just(Step::Break),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_sent_again_for_nothing(steps in prop::collection::vec(step(), 1..200)) {
            let most = 12;
            let mut buffer = Buffer::new(most);
            let (mut told, mut dropped) = (0u64, 0);
            let mut way: Vec<(u64, u64)> = Vec::new();
            let mut confirmed = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Push => {
                        told += 1;
                        dropped += u64::from(buffer.push(told));
                    }
                    Step::Take(window) => if let Some((tag, n)) = buffer.take(window) {
                        prop_assert!(!confirmed.contains(&n), "{n} is sent again");
                        prop_assert!(way.iter().all(|(_, earlier)| *earlier < n), "{n} is out of order");
                        way.push((tag, n));
                    },
                    Step::Confirm(at) => if at < way.len() {
                        let (tag, n) = way.remove(at);
                        prop_assert!(buffer.confirm(tag));
                        confirmed.insert(n);
                    },
                    Step::Break => prop_assert_eq!(buffer.take_back(), std::mem::take(&mut way).len()),
                }
                prop_assert!(buffer.len() <= most);
                prop_assert_eq!(told, dropped + confirmed.len() as u64 + buffer.len() as u64);
            }
        }
    }
}
