//! Who sent too many wrong credentials, by address.
//!
//! Owns: what is counted, for how long, and how much is kept of it. Leaves it to `guard` to ask about
//! the credential, to log, and to read the clock: the time is passed in.
//!
//! ```text
//! wrong ─▶ the 1st to 10th within WINDOW ─▶ counted
//!          the 11th ─▶ blocked for WINDOW, which no further attempt makes longer
//! blocked ─▶ a credential that was good from there before ─▶ is asked about all the same
//!           └▶ any other ─▶ refused unasked
//! ```
//!
//! Tenants often share an address: a proxy that is not among the trusted ones, the way out of an
//! office. One bad script behind it must not lock the others out, so what was good from an address
//! goes on from there through a block of it. It is asked about still, so a revocation counts; and
//! nobody can guess 256 bits, so nothing is won by it for who blocked the address.
//!
//! An IPv6 customer has a /64 at least, so that is one address here. A flood of addresses costs O(1)
//! each and room for [`MOST_SOURCES`]: the oldest go.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;

use super::credentials::Hash;
use crate::peer::Client;

/// So many wrong credentials within [`WINDOW`] are counted only; one more blocks.
pub const MOST_FAILURES: usize = 10;

/// How long a failure counts, and how long a block lasts.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Failures of more addresses than this are not kept.
pub const MOST_SOURCES: usize = 10_000;

/// More good credentials than this are not kept, each with its address.
const MOST_KNOWN: usize = 10_000;

/// Whom failures are counted for: an IPv4 address, the /64 of an IPv6 one, or the user of a process that
/// comes over a unix socket. An IPv4 address in an IPv6 one (`::ffff:0:0/96`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(Client);

impl From<Client> for Source {
    fn from(client: Client) -> Self {
        let Client::Ip(address) = client else { return Self(client) };
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let prefix = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
                Self(Client::Ip(prefix.into()))
            }
            v4 => Self(Client::Ip(v4)),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Client::Ip(IpAddr::V6(prefix)) => write!(f, "{prefix}/64"),
            other => other.fmt(f),
        }
    }
}

/// What to do with a credential before it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask about it.
    Open,
    /// Ask about it although its source is blocked: it was good from there before.
    Known,
    /// Do not ask.
    Refused {
        /// For so many seconds still, 1 to 60.
        retry_after: u32,
    },
}

/// What a wrong credential led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It was counted.
    Counted,
    /// It was one too many: its source is blocked from now on.
    Blocked {
        /// For so many seconds.
        retry_after: u32,
        /// How many there were within the window, with this one.
        failures: usize,
    },
    /// Its source was blocked while it was asked about.
    Refused {
        /// For so many seconds still, 1 to 60.
        retry_after: u32,
    },
}

/// A block that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose it was.
    pub source: Source,
    /// How many requests were refused by it, with the one that began it.
    pub refused: u64,
}

/// Counts wrong credentials. All of it is in memory and is gone after a restart.
#[derive(Debug)]
pub struct Throttle {
    failures: Mutex<Failures>,
    known: Mutex<LinkedHashMap<(Source, Hash), (), RandomState>>,
    refused: AtomicU64,
    most_sources: usize,
    most_known: usize,
}

#[derive(Debug, Default)]
struct Failures {
    /// The oldest latest failure first; so the first to become meaningless is always in front.
    by_source: LinkedHashMap<Source, Record, RandomState>,
    /// Blocks that are over and were not told yet.
    ended: Vec<Ended>,
}

#[derive(Debug, Default)]
struct Record {
    /// The oldest first; never more than one above [`MOST_FAILURES`].
    failures: VecDeque<Instant>,
    block: Option<Block>,
}

/// Begins at the latest failure of its record.
#[derive(Debug)]
struct Block {
    until: Instant,
    refused: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::with_room(MOST_SOURCES, MOST_KNOWN)
    }
}

impl Throttle {
    fn with_room(most_sources: usize, most_known: usize) -> Self {
        Self {
            failures: Mutex::default(),
            known: Mutex::default(),
            refused: AtomicU64::new(0),
            most_sources,
            most_known,
        }
    }

    /// Whether to ask about a credential. `None` is one that cannot be any of ours.
    pub fn check(&self, source: Source, credential: Option<&[u8; 32]>, now: Instant) -> Verdict {
        let mut failures = self.failures();
        let record = failures.by_source.get_mut(&source);
        let Some(block) = record.and_then(|record| record.block_at(now)) else { return Verdict::Open };
        if credential.is_some_and(|hash| self.known().contains_key(&(source, *hash))) {
            return Verdict::Known;
        }
        Verdict::Refused { retry_after: self.refuse(block, now) }
    }

    /// Counts a credential that was asked about and is wrong.
    pub fn failed(&self, source: Source, now: Instant) -> Failed {
        let mut failures = self.failures();
        if let Some(block) = failures.by_source.get_mut(&source).and_then(|record| record.block_at(now)) {
            return Failed::Refused { retry_after: self.refuse(block, now) };
        }
        failures.end_block(source);
        if !failures.by_source.contains_key(&source) {
            failures.make_room(self.most_sources);
        }
        let mut record = failures.by_source.remove(&source).unwrap_or_default();
        let outcome = record.fail(now);
        if matches!(outcome, Failed::Blocked { .. }) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        failures.by_source.insert(source, record);
        outcome
    }

    /// Remembers that a credential was good from this source.
    pub fn good(&self, source: Source, credential: &[u8; 32]) {
        let mut known = self.known();
        known.insert((source, *credential), ());
        if known.len() > self.most_known {
            known.pop_front();
        }
    }

    /// Forgets that a credential was good from this source.
    pub fn forget(&self, source: Source, credential: &[u8; 32]) {
        self.known().remove(&(source, *credential));
    }

    /// Forgets what no longer counts. Tells each block that is over once, those too that had to go
    /// before their time because there was no room.
    pub fn expire(&self, now: Instant) -> Vec<Ended> {
        let mut failures = self.failures();
        while failures.by_source.front().is_some_and(|(_, record)| record.is_over(now)) {
            failures.forget_oldest();
        }
        std::mem::take(&mut failures.ended)
    }

    /// How many requests were refused since the start, each that began a block included. Only grows:
    /// a counter for metrics.
    pub fn refused_total(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a request that a block refuses; for how many seconds that goes on.
    fn refuse(&self, block: &mut Block, now: Instant) -> u32 {
        block.refused += 1;
        self.refused.fetch_add(1, Ordering::Relaxed);
        seconds(block.until.saturating_duration_since(now))
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, LinkedHashMap<(Source, Hash), (), RandomState>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    fn make_room(&mut self, most: usize) {
        while self.by_source.len() >= most && !self.by_source.is_empty() {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((source, Record { block: Some(block), .. })) = self.by_source.pop_front() {
            self.ended.push(Ended { source, refused: block.refused });
        }
    }

    /// For a block whose time is over.
    fn end_block(&mut self, source: Source) {
        let record = self.by_source.get_mut(&source);
        if let Some(block) = record.and_then(|record| record.block.take()) {
            self.ended.push(Ended { source, refused: block.refused });
        }
    }
}

impl Record {
    fn block_at(&mut self, now: Instant) -> Option<&mut Block> {
        self.block.as_mut().filter(|block| now < block.until)
    }

    fn fail(&mut self, now: Instant) -> Failed {
        while self.failures.front().is_some_and(|at| has_gone_by(*at, now)) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        if self.failures.len() <= MOST_FAILURES {
            return Failed::Counted;
        }
        self.block = Some(Block { until: now + WINDOW, refused: 1 });
        Failed::Blocked { retry_after: seconds(WINDOW), failures: self.failures.len() }
    }

    /// Whether nothing of it counts: a block begins at the latest failure and lasts as long as that.
    fn is_over(&self, now: Instant) -> bool {
        self.failures.back().is_none_or(|latest| has_gone_by(*latest, now))
    }
}

fn has_gone_by(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) >= WINDOW
}

/// Whole seconds, rounded up: who comes back then finds the door open.
fn seconds(rest: Duration) -> u32 {
    let whole = rest.as_secs() + u64::from(rest.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}
