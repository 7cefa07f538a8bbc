//! How fast somebody may ask: so many requests in a second, by credential or address.
//!
//! Owns: what is counted, for whom, and how much is kept of it. Leaves it to `guard` to say who somebody is, to
//! log, and to read the clock: the time is passed in.
//!
//! ```text
//! allowance = rate requests, given back evenly within a second
//! request ─▶ something is left ─▶ goes on
//!          └▶ nothing is left ──▶ refused, and costs nothing
//! ```
//!
//! Of an allowance only the moment is kept at which it will be whole again (the generic cell rate algorithm of
//! ATM): that is all there is to know. Tokens of one API key share one. Which credential a token is of, is
//! known before the database is asked only if it was asked before; so that is kept as well, or else each request
//! of a flood would cost a look-up.
//!
//! Room is for [`MOST_KEPT`]: whoever asked longest ago is forgotten first, which costs nobody anything as long as
//! a second has gone by since.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use super::credentials::Hash;
use super::throttle::Source;
use crate::peer::Client;

/// Within this an empty allowance is whole again.
const WHOLE_WITHIN: Duration = Duration::from_secs(1);

/// Allowances and tokens of more than so many are not kept.
const MOST_KEPT: usize = 10_000;

/// Whose allowance it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A token, or the API key that it came from: the public id.
    Credential(Arc<str>),
    /// Who asks for what needs no token.
    Address(Source),
}

impl From<Client> for Payer {
    fn from(client: Client) -> Self {
        Self::Address(client.into())
    }
}

/// A request too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// So many were refused since the allowance was whole last, with this one.
    pub refused: u64,
}

/// Counts requests. All of it is in memory and is gone after a restart.
#[derive(Debug)]
pub struct Pace {
    rate: Option<NonZeroU32>,
    spent: Mutex<LinkedHashMap<Payer, Spent, RandomState>>,
    known: Mutex<LinkedHashMap<Hash, Arc<str>, RandomState>>,
    refused: AtomicU64,
    most_kept: usize,
}

/// What somebody has spent.
#[derive(Debug)]
struct Spent {
    whole_at: Instant,
    refused: u64,
}

impl Pace {
    /// So many requests in a second, for each; `None`: as many as they like.
    #[must_use]
    pub fn new(rate: Option<NonZeroU32>) -> Self {
        Self::with_room(rate, MOST_KEPT)
    }

    fn with_room(rate: Option<NonZeroU32>, most_kept: usize) -> Self {
        let (spent, known, refused) = (Mutex::default(), Mutex::default(), AtomicU64::new(0));
        Self { rate, spent, known, refused, most_kept }
    }

    /// How many requests in a second there may be, if that is limited.
    pub fn rate(&self) -> Option<NonZeroU32> {
        self.rate
    }

    /// A request of somebody.
    ///
    /// # Errors
    /// [`TooFast`] if nothing is left.
    pub fn spend(&self, payer: Payer, now: Instant) -> Result<(), TooFast> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut spent = self.spent();
        // Put behind all others: they are in the order in which they asked last.
        let mut its = spent.remove(&payer).unwrap_or(Spent { whole_at: now, refused: 0 });
        if its.whole_at <= now {
            its.refused = 0;
        }
        let whole_at = its.whole_at.max(now) + WHOLE_WITHIN / rate.get();
        let answer = if whole_at <= now + WHOLE_WITHIN {
            its.whole_at = whole_at;
            Ok(())
        } else {
            its.refused += 1;
            self.refused.fetch_add(1, Ordering::Relaxed);
            Err(TooFast { refused: its.refused })
        };
        spent.insert(payer, its);
        if spent.len() > self.most_kept {
            spent.pop_front();
        }
        answer
    }

    /// Whose this token is, if that was learned before.
    pub fn payer_of(&self, token: &Hash) -> Option<Payer> {
        let mut known = self.known();
        let credential = Arc::clone(known.get(token)?);
        known.to_back(token);
        Some(Payer::Credential(credential))
    }

    /// Learns whose a token is.
    pub fn learn(&self, token: Hash, credential: &Arc<str>) {
        if self.rate.is_none() {
            return;
        }
        let mut known = self.known();
        known.insert(token, Arc::clone(credential));
        if known.len() > self.most_kept {
            known.pop_front();
        }
    }

    /// How many requests were refused since the start. Only grows: a counter for metrics.
    pub fn refused_total(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn spent(&self) -> MutexGuard<'_, LinkedHashMap<Payer, Spent, RandomState>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, LinkedHashMap<Hash, Arc<str>, RandomState>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: u32) -> Pace {
        Pace::with_room(NonZeroU32::new(rate), 3)
    }

    fn named(name: &str) -> Payer {
        Payer::Credential(name.into())
    }

    /// How many of so many requests go on at this moment.
    fn go_on(pace: &Pace, name: &str, requests: usize, now: Instant) -> usize {
        (0..requests).filter(|_| pace.spend(named(name), now).is_ok()).count()
    }

    #[test]
    fn so_many_go_on_at_once_and_then_as_they_are_given_back() {
        let (pace, begun) = (pace(10), Instant::now());
        assert_eq!(go_on(&pace, "a", 25, begun), 10);
        assert_eq!(go_on(&pace, "a", 5, begun + Duration::from_millis(99)), 0);
        assert_eq!(go_on(&pace, "a", 5, begun + Duration::from_millis(350)), 3);
        assert_eq!(go_on(&pace, "a", 25, begun + Duration::from_secs(9)), 10, "and no more is saved up");
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let (pace, begun) = (pace(10), Instant::now());
        go_on(&pace, "a", 1000, begun);
        assert_eq!(go_on(&pace, "a", 25, begun + Duration::from_secs(1)), 10);
        assert_eq!(pace.refused_total(), 990 + 15);
    }

    #[test]
    fn one_does_not_pay_for_another() {
        let (pace, now) = (pace(2), Instant::now());
        assert_eq!(go_on(&pace, "a", 9, now), 2);
        assert_eq!(go_on(&pace, "b", 9, now), 2);
        let address = |text: &str| Payer::from(Client::Ip(text.parse().expect("an address")));
        assert!(pace.spend(address("2001:db8::1"), now).is_ok());
        assert!(pace.spend(address("2001:db8::2"), now).is_ok());
        assert!(pace.spend(address("2001:db8::3"), now).is_err(), "a /64 is one customer");
    }

    #[test]
    fn a_flood_is_one_until_the_allowance_is_whole_again() {
        let (pace, begun) = (pace(2), Instant::now());
        let flood = |now| [(); 3].map(|()| pace.spend(named("a"), now).map_err(|it| it.refused));
        assert_eq!(flood(begun), [Ok(()), Ok(()), Err(1)]);
        assert_eq!(flood(begun + Duration::from_millis(500)), [Ok(()), Err(2), Err(3)]);
        assert_eq!(flood(begun + Duration::from_millis(1000)), [Ok(()), Err(4), Err(5)]);
        assert_eq!(flood(begun + Duration::from_millis(2000)), [Ok(()), Ok(()), Err(1)]);
    }

    #[test]
    fn without_a_rate_all_go_on_and_nothing_is_kept() {
        let (pace, now) = (Pace::new(None), Instant::now());
        assert_eq!(go_on(&pace, "a", 5000, now), 5000);
        pace.learn([1; 32], &"a".into());
        assert_eq!(pace.payer_of(&[1; 32]), None);
        assert!(pace.spent().is_empty());
    }

    #[test]
    fn who_asked_longest_ago_is_forgotten_first() {
        let (pace, now) = (pace(1), Instant::now());
        for name in ["a", "b", "c", "a", "d"] {
            let _ = pace.spend(named(name), now);
        }
        assert_eq!(pace.spent().len(), 3);
        assert_eq!(go_on(&pace, "a", 1, now), 0, "kept, for it asked again");
        assert_eq!(go_on(&pace, "b", 1, now), 1, "forgotten");
        for number in 0..5 {
            pace.learn([number; 32], &"a".into());
        }
        assert_eq!((pace.payer_of(&[1; 32]), pace.known().len()), (None, 3));
        assert_eq!(pace.payer_of(&[4; 32]), Some(named("a")));
    }
}
