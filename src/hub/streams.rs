//! Where what was told is kept: by conference, by account, and all of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;

use super::stream::Stream;
use super::told::{Origin, Told};
use crate::store::AccountId;

/// Of each conference so many are kept.
const OF_CONFERENCE: usize = 1_000;
/// Of all conferences of an account.
const OF_ACCOUNT: usize = 8_192;
/// Of everything.
const OF_ALL: usize = 65_536;
/// In all streams of conferences together: what happened longest ago is forgotten first.
const KEPT: usize = 131_072;
/// What is older is forgotten.
const FOR_MS: u64 = 600_000;

/// A conference of an account.
type Of = (Option<AccountId>, Arc<str>);

/// All streams.
#[derive(Debug)]
pub struct Streams {
    /// What is the same in all events.
    pub origin: Origin,
    conferences: DashMap<Of, Arc<Stream>>,
    accounts: DashMap<Option<AccountId>, Arc<Stream>>,
    all: Arc<Stream>,
    broken_off: AtomicU64,
}

impl Streams {
    /// Nothing has been told yet.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            conferences: DashMap::new(),
            accounts: DashMap::new(),
            all: Arc::new(Stream::new(OF_ALL)),
            broken_off: AtomicU64::new(0),
        }
    }

    /// What is told of a conference of an account, whether it runs or not.
    pub fn of_conference(&self, account: &AccountId, conference: &str) -> Arc<Stream> {
        let key = (Some(account.clone()), conference.into());
        self.conferences.entry(key).or_insert_with(|| Arc::new(Stream::new(OF_CONFERENCE))).clone()
    }

    /// What is told of all conferences of an account.
    pub fn of_account(&self, account: &AccountId) -> Arc<Stream> {
        let key = Some(account.clone());
        self.accounts.entry(key).or_insert_with(|| Arc::new(Stream::new(OF_ACCOUNT))).clone()
    }

    /// How often something was lost on the way to the streams, and all who read began anew.
    pub fn broken_off(&self) -> u64 {
        self.broken_off.load(Ordering::Relaxed)
    }

    /// What is told of anything.
    pub fn all(&self) -> &Arc<Stream> {
        &self.all
    }
}

/// What has been put into streams of conferences, in order. There is one, and only it puts something in.
#[derive(Debug, Default)]
pub(super) struct Putting {
    order: VecDeque<Put>,
}

#[derive(Debug)]
struct Put {
    stream: Arc<Stream>,
    place: u64,
    at_ms: u64,
}

impl Putting {
    /// Tells something.
    pub(super) fn put(&mut self, streams: &Streams, told: Told, now_ms: u64) {
        let told = Arc::new(told);
        // Without a broker there is nobody who reads it.
        if streams.all.is_read() {
            streams.all.push(told.clone());
        }
        // What nobody has asked for is kept by conference only: somebody may come back to it.
        let key = (told.account.clone(), told.conference_id().clone());
        let account = streams.accounts.get(&key.0).map(|account| account.clone());
        let entry = streams.conferences.entry(key).or_insert_with(|| Arc::new(Stream::new(OF_CONFERENCE)));
        let stream = entry.clone();
        drop(entry);
        let place = stream.push(told.clone());
        // Behind that of the conference, which somebody who comes back to all is told from: what he finds in both he is
        // told once.
        if let Some(account) = account {
            account.push(told);
        }
        self.order.push_back(Put { stream, place, at_ms: now_ms });
        self.forget(now_ms);
    }

    /// Forgets what is too old, or too much.
    pub(super) fn forget(&mut self, now_ms: u64) {
        while let Some(put) = self.order.front()
            && (self.order.len() > KEPT || now_ms.saturating_sub(put.at_ms) > FOR_MS)
        {
            put.stream.forget_before(put.place + 1);
            self.order.pop_front();
        }
    }

    /// Lets go of streams in which nothing is kept and that nobody reads.
    pub(super) fn sweep(&mut self, streams: &Streams, now_ms: u64) {
        self.forget(now_ms);
        // Whoever holds one may be about to read it.
        let is_wanted = |stream: &Arc<Stream>| Arc::strong_count(stream) > 1 || !stream.is_idle();
        streams.conferences.retain(|_, stream| is_wanted(stream));
        // Whoever comes back to an account is told from the streams of its conferences.
        streams.accounts.retain(|_, stream| Arc::strong_count(stream) > 1 || stream.is_read());
    }
}

impl Streams {
    /// A conference has become an account's, or is its no more: whoever listens to it begins anew.
    pub(super) fn break_off_of(&self, account: &AccountId, conference: &Arc<str>) {
        let of = (Some(account.clone()), conference.clone());
        self.conferences.get(&of).iter().for_each(|stream| stream.break_off());
        self.accounts.get(&of.0).iter().for_each(|stream| stream.break_off());
    }

    /// Something was lost on the way here: nobody's place is good any more.
    pub(super) fn break_off(&self) {
        self.broken_off.fetch_add(1, Ordering::Relaxed);
        self.all.break_off();
        self.conferences.iter().for_each(|stream| stream.break_off());
        self.accounts.iter().for_each(|stream| stream.break_off());
    }
}
