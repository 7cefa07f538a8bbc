//! From a token to its principal, on every request.
//!
//! Owns: how long an answer of the database is waited for, what happens without one, and when use is
//! noted. Leaves making and revoking to `credentials`, who may be let in without an answer to `grace`,
//! and whether it is of use to ask to `outage`.
//!
//! ```text
//! token ─▶ hash ─▶ one indexed query ─┬─ good ─▶ confirmed ─▶ principal
//!                 │                   ├─ unknown, expired, revoked ─▶ error, forgotten
//!                 │                   └─ failed, no answer in time ─┐
//!                 └▶ failed a moment ago, not asked again yet ──────┴▶ confirmed within GRACE_TIME
//!                                                                       ├─ yes ─▶ principal
//!                                                                       └─ no ─▶ error
//! ```
//!
//! Every request asks, some 80 µs with a hop to the database's thread and back: whoever revokes a token
//! does so in another process or on another machine, and the next request is to know. Nothing but
//! asking can tell.
//!
//! A database that is a bit slow is waited for, or else a revoked token could be let in whenever there
//! is much to do. But conferences must be controllable when it hangs. So for a token that was good
//! lately an answer is waited for [`HUNG_AFTER`], which is far beyond what one indexed row ever takes;
//! from then on it counts as an outage, in which nobody waits. The look-up goes on all the same, and what
//! comes of it counts: a token that is found revoked then is refused from then on, and that there was an
//! answer at all ends the outage. Who has nothing but the answer to be let in by waits for it, unless
//! the outage is known.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use super::credentials::{Hash, hash_of, looks_like_a_secret};
use super::grace::{Confirmed, Grace};
use super::outage::{Outage, Probe, Turn};
use super::{Credential, CredentialKind, Credentials, Issued, MonotonicClock, NewCredential, Principal};
use crate::store::{Clock, CredentialRecord, Store, StoreError, StoreErrorKind};

/// So many seconds a token is good that a key was exchanged for.
pub const SHORT_LIVED: u32 = 3600;

/// A look-up that takes longer counts as failed for tokens that were good lately.
pub const HUNG_AFTER: Duration = Duration::from_secs(2);

/// So long the look-up that finds out whether an outage is over is waited for by its request.
const PROBE_WAIT: Duration = Duration::from_millis(250);

/// Far beyond the database's own timeouts: a look-up that has not ended by then never will.
const LOST_AFTER: Duration = Duration::from_secs(15);

/// Between two writes of when tokens were used last.
const NOTE_EVERY: i64 = 60;

/// Of more tokens than this it is not noted between two writes that they were used.
const MOST_NOTED: usize = 100_000;

/// Knows who is asking. Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    monotonic: MonotonicClock,
    waits: Waits,
    grace: Grace,
    outage: Arc<Outage>,
    /// Uses not written yet: token id and time.
    used: DashMap<Arc<str>, i64, foldhash::fast::RandomState>,
    /// When uses were written last.
    noted: AtomicI64,
    /// Held while uses are written.
    noting: tokio::sync::Mutex<()>,
}

/// How long a request waits for its look-up; shorter in tests.
#[derive(Debug, Clone, Copy)]
struct Waits {
    /// If it has grace.
    hung: Duration,
    /// If it probes.
    probe: Duration,
    /// If there is nothing else.
    lost: Duration,
}

/// Why somebody is not let in. To the client all but the last three are one: `invalid_credentials`.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no such token or key.
    #[error("unknown credentials")]
    Unknown,
    /// It was good once.
    #[error("the credential {id} has expired")]
    Expired {
        /// Its public id.
        id: String,
    },
    /// It, or the key it came from, was revoked.
    #[error("the credential {id} was revoked")]
    Revoked {
        /// Its public id.
        id: String,
    },
    /// Too many wrong credentials came from there; this one was not asked about.
    #[error("too many wrong credentials came from this address")]
    Throttled {
        /// For so many seconds still.
        retry_after: u32,
    },
    /// It was good a moment ago, and sends more requests than it may.
    #[error("more than {rate} requests within a second")]
    TooFast {
        /// So many it may send in a second.
        rate: u32,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Authenticator {
    /// An authenticator for the credentials in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self::with_clocks(store, clock, MonotonicClock::system())
    }

    /// Likewise, with a clock of its own for what lasts.
    #[must_use]
    pub fn with_clocks(store: Arc<dyn Store>, clock: Clock, monotonic: MonotonicClock) -> Self {
        let waits = Waits { hung: HUNG_AFTER, probe: PROBE_WAIT, lost: LOST_AFTER };
        Self::waiting(waits, store, clock, monotonic)
    }

    fn waiting(waits: Waits, store: Arc<dyn Store>, clock: Clock, monotonic: MonotonicClock) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            monotonic,
            waits,
            grace: Grace::default(),
            outage: Arc::default(),
            used: DashMap::default(),
            noted: AtomicI64::new(i64::MIN),
            noting: tokio::sync::Mutex::new(()),
        }))
    }

    /// The clock of everything that lasts.
    pub(super) fn monotonic(&self) -> &MonotonicClock {
        &self.0.monotonic
    }

    /// Who sent this token. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`AuthError::Unknown`] also for an API key, which opens nothing by itself; the others.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AuthError> {
        if !looks_like_a_secret(token) {
            return Err(AuthError::Unknown);
        }
        let now = self.0.clock.unix_seconds();
        let hash = hash_of(token);
        let has_grace = self.0.grace.principal(&hash, now).is_some();
        let principal = match self.look_up(hash, CredentialKind::Token, now, has_grace).await {
            Ok(token) => principal_of(&token),
            // Asked again: another look-up may have found it revoked meanwhile.
            Err(AuthError::Store(error)) => {
                self.0.grace.principal(&hash, now).ok_or(AuthError::Store(error))?
            }
            Err(refused) => return Err(refused),
        };
        self.note(Arc::clone(&principal.token_id), now);
        Ok(principal)
    }

    /// Makes a short-lived token of an API key's account and scopes. It ends before the key does.
    ///
    /// # Errors
    /// [`AuthError::Unknown`] also for a token, which is no key; the others.
    pub async fn exchange(&self, api_key: &str) -> Result<Issued, AuthError> {
        if !looks_like_a_secret(api_key) {
            return Err(AuthError::Unknown);
        }
        let now = self.0.clock.unix_seconds();
        let key = self.look_up(hash_of(api_key), CredentialKind::ApiKey, now, false).await?;
        let end = now.saturating_add(SHORT_LIVED.into());
        let expires = key.expires.map_or(end, |expires| expires.min(end));
        let new = NewCredential {
            kind: CredentialKind::Token,
            name: format!("from {}", key.name),
            account: key.account,
            scopes: key.scopes,
            lifetime: None,
        };
        let credentials = Credentials::new(Arc::clone(&self.0.store), self.0.clock.clone());
        let issued = credentials.issue(new, Some(key.id.clone()), Some(expires), now).await?;
        self.note(key.id.into(), now);
        Ok(issued)
    }

    /// Writes when tokens were used last, now. For the end of the program: else it is done by itself,
    /// at most once a minute.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written; the uses are kept for the next time.
    pub async fn flush_last_used(&self) -> Result<(), StoreError> {
        let _noting = self.0.noting.lock().await;
        self.write_uses(&self.pending_uses()).await
    }

    fn pending_uses(&self) -> Vec<(String, i64)> {
        self.0.used.iter().map(|entry| (entry.key().to_string(), *entry.value())).collect()
    }

    async fn write_uses(&self, uses: &[(String, i64)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        self.0.store.note_credentials_used(uses).await?;
        for (id, written) in uses {
            self.0.used.remove_if(id.as_str(), |_, latest| latest <= written);
        }
        Ok(())
    }

    /// Asks the database, if it is of use, and waits for the answer as long as it is of use.
    async fn look_up(
        &self,
        hash: Hash,
        kind: CredentialKind,
        now: i64,
        has_grace: bool,
    ) -> Result<Credential, AuthError> {
        let Inner { outage, monotonic, waits, .. } = &*self.0;
        let (probe, patience) = match outage.turn(monotonic.now()) {
            Turn::Ask => (None, if has_grace { waits.hung } else { waits.lost }),
            Turn::Probe(probe) => (Some(probe), waits.probe),
            Turn::NotNow(kind) => {
                return Err(StoreError::new(kind, "it failed a moment ago and is not asked yet").into());
            }
        };
        let mut asking = Box::pin(self.clone().ask(hash, kind, now, probe));
        if let Ok(answer) = timeout(patience, &mut asking).await {
            return answer;
        }
        outage.failed(StoreErrorKind::Io, monotonic.now());
        // What comes of it counts, for this token and for everybody.
        tokio::spawn(timeout(waits.lost, asking));
        Err(StoreError::new(StoreErrorKind::Io, format!("no answer in {patience:?}")).into())
    }

    /// Asks the database, and keeps what follows from the answer.
    async fn ask(
        self,
        hash: Hash,
        kind: CredentialKind,
        now: i64,
        probe: Option<Probe>,
    ) -> Result<Credential, AuthError> {
        let Inner { grace, outage, monotonic, .. } = &*self.0;
        let answer = self.good(&hash, kind, now).await;
        match &answer {
            // One damaged row is no outage: else its owner could make one for everybody.
            Err(AuthError::Store(error)) if error.is_unavailable() => {
                outage.failed(error.kind(), monotonic.now());
            }
            _ => outage.answered(),
        }
        match &answer {
            Ok(token) if kind == CredentialKind::Token => {
                let principal = principal_of(token);
                grace.confirm(hash, Confirmed { principal, expires: token.expires, asked: now });
            }
            Ok(_) | Err(AuthError::Store(_)) => {}
            Err(_) => grace.forget(&hash),
        }
        drop(probe);
        answer
    }

    /// The credential with this hash, if it is of this kind and good.
    async fn good(&self, hash: &Hash, kind: CredentialKind, now: i64) -> Result<Credential, AuthError> {
        let record = self.0.store.credential_by_hash(hash).await?;
        let is_it = |record: &CredentialRecord| {
            let same: bool = record.hash.ct_eq(hash).into();
            same && record.kind == kind
        };
        let record = record.filter(is_it).ok_or(AuthError::Unknown)?;
        let credential = Credential::from_record(record)?;
        if credential.revoked.is_some() {
            return Err(AuthError::Revoked { id: credential.id });
        }
        if !credential.is_good_at(now) {
            return Err(AuthError::Expired { id: credential.id });
        }
        Ok(credential)
    }

    /// Costs a request a few atomic operations and one entry; the writing is done beside it.
    fn note(&self, id: Arc<str>, now: i64) {
        match self.0.used.get_mut(&id) {
            Some(mut latest) => *latest = now,
            None if self.0.used.len() < MOST_NOTED => drop(self.0.used.insert(id, now)),
            None => {}
        }
        let noted = self.0.noted.load(Ordering::Relaxed);
        let due = now.saturating_sub(noted) >= NOTE_EVERY;
        let first =
            || self.0.noted.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due && first() {
            let (this, uses) = (self.clone(), self.pending_uses());
            tokio::spawn(async move {
                let _noting = this.0.noting.lock().await;
                if let Err(error) = this.write_uses(&uses).await {
                    tracing::warn!(%error, "when tokens were used last could not be written");
                }
            });
        }
    }
}

fn principal_of(token: &Credential) -> Principal {
    let id: Arc<str> = token.id.as_str().into();
    Principal {
        name: token.name.as_str().into(),
        credential: token.issued_by.as_deref().map_or_else(|| id.clone(), Arc::from),
        token_id: id,
        account: token.account.clone(),
        scopes: token.scopes,
    }
}
