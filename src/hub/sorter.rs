//! The task between the changes and the streams: whose conference is it?
//!
//! ```text
//! hub ─▶ known?  ─ yes ─▶ streams
//!          └ no ─▶ waits, all of its instance in order ─ asked ─▶ streams
//! ```
//!
//! The wall between accounts stands here: what is in an account's streams is the account's. A conference is asked
//! about once, and again only if the answer was not certain; while it is on its way nobody else's changes wait for it.
//! Whoever turns out to be the owner later begins anew: he has not heard the beginning.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::feed::{Fed, Feed};
use super::streams::{Putting, Streams};
use super::told::{News, Told};
use crate::model::{AccountTag, Moment, Notice};
use crate::pulse::Pulse;
use crate::registry::{Change, ChangeKind, Conference};
use crate::store::AccountId;

/// Knows whose conferences are.
pub trait Whose: Send + Sync + 'static {
    /// Whose that conference is.
    fn owner_of(&self, conference: Arc<Conference>) -> BoxFuture<'static, Owner>;
}

/// Whose a conference is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `None`: nobody's, as far as is known.
    pub account: Option<AccountId>,
    /// Whether that stays so as long as the conference runs.
    pub is_certain: bool,
}

/// After so long it is asked again whose a conference is if that was not certain.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How often is looked for what is too old.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Changes of a conference that wait for its owner. Beyond them it is told as nobody's.
const WAITING: usize = 4_096;

/// Puts what is told into the streams.
pub struct Sorter {
    streams: Arc<Streams>,
    whose: Arc<dyn Whose>,
    putting: Putting,
    /// The owner, and when that was told.
    known: HashMap<Arc<str>, (Owner, Instant)>,
    waiting: HashMap<Arc<str>, VecDeque<Arc<Change>>>,
    asked: FuturesUnordered<BoxFuture<'static, (Arc<str>, Owner)>>,
    pulse: Pulse,
}

impl Sorter {
    /// One that asks there whose conferences are.
    pub fn new(streams: Arc<Streams>, whose: Arc<dyn Whose>) -> Self {
        Self {
            streams,
            whose,
            putting: Putting::default(),
            known: HashMap::new(),
            waiting: HashMap::new(),
            asked: FuturesUnordered::new(),
            pulse: Pulse::off(),
        }
    }

    /// The same with that pulse.
    #[must_use]
    pub fn beating(self, pulse: Pulse) -> Self {
        Self { pulse, ..self }
    }

    /// Sorts until it is stopped, or nobody tells anything any more.
    pub async fn run(
        mut self,
        mut changes: Feed<Change>,
        mut notices: Receiver<Arc<Notice>>,
        stop: CancellationToken,
    ) {
        let mut sweeps = tokio::time::interval(SWEEP_EVERY);
        loop {
            self.pulse.beat();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some((instance, owner)) = self.asked.next() => self.answered(instance, owner),
                change = changes.next() => match change {
                    Some(Fed::Change(change)) => self.change(change),
                    Some(Fed::Lost) => {
                        tracing::warn!("more changes at once than can wait: all subscribers begin anew");
                        self.begin_anew();
                    }
                    None => return,
                },
                notice = notices.recv() => match notice {
                    Ok(notice) => self.notice(notice),
                    Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "notices were lost"),
                    Err(RecvError::Closed) => return,
                },
                () = self.pulse.due() => {}
                _ = sweeps.tick() => self.putting.sweep(&self.streams, Moment::now().monotonic_ms),
            }
        }
    }

    /// What was lost may have been the end of what is known here.
    fn begin_anew(&mut self) {
        self.known.clear();
        self.waiting.clear();
        self.asked.clear();
        self.streams.break_off();
    }

    fn notice(&mut self, notice: Arc<Notice>) {
        let account = notice.account.parse().ok();
        self.put(account, News::Notice(notice));
    }

    fn change(&mut self, change: Arc<Change>) {
        let instance = &change.conference.instance;
        if let Some(waiting) = self.waiting.get_mut(instance) {
            waiting.push_back(change);
            if waiting.len() >= WAITING {
                let instance = waiting[0].conference.instance.clone();
                self.answered(instance, Owner { account: None, is_certain: false });
            }
            return;
        }
        // A tag may have come since, or the database be back.
        let is_tagged = || matches!(change.conference.account_tag(), AccountTag::Tagged(_));
        match self.known.get(instance) {
            Some((owner, at))
                if owner.is_certain
                    || (at.elapsed() < AGAIN_AFTER && (owner.account.is_some() || !is_tagged())) =>
            {
                self.tell(owner.account.clone(), change);
            }
            _ => self.ask(change),
        }
    }

    fn ask(&mut self, change: Arc<Change>) {
        let (instance, conference) = (change.conference.instance.clone(), change.conference.clone());
        self.waiting.insert(instance.clone(), VecDeque::from([change]));
        let owner = self.whose.owner_of(conference);
        self.asked.push(Box::pin(async move { (instance, owner.await) }));
    }

    fn answered(&mut self, instance: Arc<str>, owner: Owner) {
        // Too many had waited, and it has been told without an answer.
        let Some(waiting) = self.waiting.remove(&instance) else { return };
        let before = self.known.insert(instance, (owner.clone(), Instant::now())).map(|(before, _)| before);
        if let Some(before) = before.filter(|before| before.account != owner.account) {
            // Neither has heard all of it: one lacks the beginning, the other the end.
            let conference = &waiting[0].conference.name;
            let both = [before.account, owner.account.clone()];
            both.iter().flatten().for_each(|account| self.streams.break_off_of(account, conference));
        }
        for change in waiting {
            self.tell(owner.account.clone(), change);
        }
    }

    fn tell(&mut self, owner: Option<AccountId>, change: Arc<Change>) {
        if change.kind == ChangeKind::ConferenceDestroyed {
            self.known.remove(&change.conference.instance);
        }
        self.put(owner, News::Change(change));
    }

    fn put(&mut self, owner: Option<AccountId>, news: News) {
        let told = Told::new(owner, news);
        self.putting.put(&self.streams, told, Moment::now().monotonic_ms);
    }
}
