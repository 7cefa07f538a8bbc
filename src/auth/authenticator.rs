//! From a token to its principal, on every request.
//!
//! Owns: the cache, what happens without a database, and when use is noted. Leaves making and revoking
//! to `credentials`.
//!
//! ```text
//! token ─▶ hash ─▶ cached less than CACHE_TIME ago ─────────────▶ principal
//!                 └▶ one indexed query ─┬─ good ─▶ cached ─────▶ principal
//!                                       ├─ unknown, expired, revoked ─▶ error, forgotten
//!                                       └─ failed ─▶ let in before, GRACE_TIME ─▶ principal
//! ```
//!
//! A query takes some 80 µs, with a hop to the database's thread and back; a busy client sends hundreds
//! of requests a second with the same token. The cache makes that one query in five seconds. Only good
//! tokens are in it, so that no stranger can fill it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dashmap::DashMap;
use subtle::ConstantTimeEq;

use super::credentials::{Hash, hash_of, looks_like_a_secret};
use super::{Credential, CredentialKind, Credentials, Issued, NewCredential, Principal};
use crate::store::{Clock, CredentialRecord, Store, StoreError};

/// After so many seconds a token is looked up anew: so long a revocation by another process, or
/// an end that was set by hand in the database, may go unseen.
pub const CACHE_TIME: i64 = 5;

/// So many seconds a token that was good stays so while the database cannot be asked.
pub const GRACE_TIME: i64 = 300;

/// So many seconds a token is good that a key was exchanged for.
pub const SHORT_LIVED: u32 = 3600;

/// Between two writes of when tokens were used last.
const NOTE_EVERY: i64 = 60;

/// More tokens than this are not cached; they cost a query each time.
const MOST_CACHED: usize = 10_000;

/// Knows who is asking. Cheap to clone; clones share the cache.
#[derive(Debug, Clone)]
pub struct Authenticator(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    cache: DashMap<Hash, Cached, foldhash::fast::RandomState>,
    /// Uses not written yet: token id and time.
    used: DashMap<Arc<str>, i64, foldhash::fast::RandomState>,
    /// When uses were written last.
    noted: AtomicI64,
    /// Held while uses are written.
    noting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Cached {
    principal: Principal,
    expires: Option<i64>,
    /// When the database was asked.
    asked: i64,
}

/// Why somebody is not let in. To the client all but the last are one: `invalid_credentials`.
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
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Authenticator {
    /// An authenticator for the credentials in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            cache: DashMap::default(),
            used: DashMap::default(),
            noted: AtomicI64::new(i64::MIN),
            noting: tokio::sync::Mutex::new(()),
        }))
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
        let principal = match self.cached(&hash, now, CACHE_TIME) {
            Some(principal) => principal,
            None => self.ask(&hash, now).await?,
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
        let key = self.good(&hash_of(api_key), CredentialKind::ApiKey, now).await?;
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

    /// A principal that the database confirmed within the last `age` seconds. A clock that was set back
    /// makes everything old.
    fn cached(&self, hash: &Hash, now: i64, age: i64) -> Option<Principal> {
        let cached = self.0.cache.get(hash)?;
        let fresh = (0..age).contains(&now.saturating_sub(cached.asked));
        let good = cached.expires.is_none_or(|expires| now < expires);
        (fresh && good).then(|| cached.principal.clone())
    }

    async fn ask(&self, hash: &Hash, now: i64) -> Result<Principal, AuthError> {
        match self.good(hash, CredentialKind::Token, now).await {
            Ok(token) => {
                let principal =
                    Principal { token_id: token.id.into(), account: token.account, scopes: token.scopes };
                let cached = Cached { principal: principal.clone(), expires: token.expires, asked: now };
                self.remember(hash, cached, now);
                Ok(principal)
            }
            Err(AuthError::Store(error)) => self.cached(hash, now, GRACE_TIME).ok_or(AuthError::Store(error)),
            Err(refused) => {
                self.0.cache.remove(hash);
                Err(refused)
            }
        }
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

    fn remember(&self, hash: &Hash, cached: Cached, now: i64) {
        let cache = &self.0.cache;
        if cache.len() >= MOST_CACHED {
            cache.retain(|_, old| now.saturating_sub(old.asked) < GRACE_TIME);
        }
        if cache.len() < MOST_CACHED {
            cache.insert(*hash, cached);
        }
    }

    /// Costs a request a few atomic operations and one entry; the writing is done beside it.
    fn note(&self, id: Arc<str>, now: i64) {
        self.0.used.insert(id, now);
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
