//! Who guesses PINs: wrong ones are counted by caller and by conference, and after too many none is taken for a while.
//!
//! The time is passed in. A flood of callers costs O(1) each and room for [`MOST_KEPT`]: the oldest go.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

/// More callers and conferences than this are not kept.
pub(super) const MOST_KEPT: usize = 10_000;

/// How many wrong PINs are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// So many are counted; with the last of them it is locked.
    pub(super) most: usize,
    /// Within this time.
    pub(super) window: Duration,
    /// For so long.
    pub(super) lockout: Duration,
}

/// For whom a wrong PIN counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Suspect {
    /// Everybody with this number, at this account. Who hides his number is nobody.
    Caller(Box<str>, Box<str>),
    /// Everybody who wants into this conference.
    Conference(Box<str>),
}

#[derive(Debug, Default)]
struct Record {
    wrong: VecDeque<Instant>,
    locked_until: Option<Instant>,
}

/// Counts wrong PINs. All of it is in memory and is gone after a restart.
#[derive(Debug)]
pub(super) struct Guesses {
    limits: Limits,
    /// The latest last.
    records: Mutex<LinkedHashMap<Suspect, Record, RandomState>>,
}

impl Guesses {
    /// Knows nobody yet.
    #[must_use]
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, records: Mutex::default() }
    }

    /// Whether no PIN is taken from one of these.
    pub(super) fn is_locked_out(&self, suspects: &[Suspect], now: Instant) -> bool {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        suspects.iter().any(|suspect| {
            records.get(suspect).and_then(|record| record.locked_until).is_some_and(|until| now < until)
        })
    }

    /// Counts a wrong PIN for each of these; gives those that it was one too many for.
    pub(super) fn wrong(&self, suspects: &[Suspect], now: Instant) -> Vec<Suspect> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut locked = Vec::new();
        for suspect in suspects {
            let mut record = records.remove(suspect).unwrap_or_default();
            if record.locked_until.is_some_and(|until| until <= now) {
                record = Record::default();
            }
            record.wrong.push_back(now);
            while record.wrong.front().is_some_and(|at| now.duration_since(*at) >= self.limits.window) {
                record.wrong.pop_front();
            }
            if record.wrong.len() >= self.limits.most && record.locked_until.is_none() {
                record.locked_until = Some(now + self.limits.lockout);
                locked.push(suspect.clone());
            }
            while record.wrong.len() > self.limits.most {
                record.wrong.pop_front();
            }
            records.insert(suspect.clone(), record);
            if records.len() > MOST_KEPT {
                records.pop_front();
            }
        }
        locked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn guesses() -> Guesses {
        Guesses::new(Limits { most: 3, window: 60 * S, lockout: 100 * S })
    }

    fn caller(number: &str) -> Suspect {
        Suspect::Caller("acme".into(), number.into())
    }

    #[test]
    fn the_third_wrong_pin_within_the_window_locks_for_a_while() {
        let (guesses, now) = (guesses(), Instant::now());
        let ann = [caller("1")];
        assert_eq!(guesses.wrong(&ann, now), []);
        assert_eq!(guesses.wrong(&ann, now + S), []);
        assert!(!guesses.is_locked_out(&ann, now + S));
        assert_eq!(guesses.wrong(&ann, now + 2 * S), ann);
        assert!(guesses.is_locked_out(&ann, now + 2 * S));
        assert!(!guesses.is_locked_out(&[caller("2")], now + 2 * S));
        assert_eq!(guesses.wrong(&ann, now + 50 * S), [], "it is told once");
        assert!(guesses.is_locked_out(&ann, now + 101 * S));
        assert!(!guesses.is_locked_out(&ann, now + 102 * S));
        assert_eq!(guesses.wrong(&ann, now + 103 * S), [], "afterwards all begins anew");
        assert!(!guesses.is_locked_out(&ann, now + 103 * S));
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let (guesses, now) = (guesses(), Instant::now());
        let ann = [caller("1")];
        for at in [0, 30, 60, 90, 120] {
            assert_eq!(guesses.wrong(&ann, now + at * S), [], "at {at} s");
        }
    }

    #[test]
    fn many_callers_lock_the_conference_and_not_each_other() {
        let (guesses, now) = (guesses(), Instant::now());
        let room = Suspect::Conference("c".into());
        assert_eq!(guesses.wrong(&[caller("1"), room.clone()], now), []);
        assert_eq!(guesses.wrong(&[caller("2"), room.clone()], now), []);
        assert_eq!(guesses.wrong(&[caller("3"), room.clone()], now), std::slice::from_ref(&room));
        assert!(guesses.is_locked_out(&[caller("4"), room], now));
        assert!(!guesses.is_locked_out(&[caller("1")], now));
    }

    #[test]
    fn a_flood_of_callers_takes_bounded_room() {
        let (guesses, now) = (guesses(), Instant::now());
        for number in 0..MOST_KEPT + 500 {
            guesses.wrong(&[caller(&number.to_string())], now);
        }
        assert_eq!(guesses.records.lock().unwrap().len(), MOST_KEPT);
    }
}
