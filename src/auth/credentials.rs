//! Making, listing and revoking credentials; for the command line, and for the exchange of keys.
//!
//! Owns: what a secret looks like, and that it is shown once and never kept.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{AccountId, CredentialKind, InvalidScopes, Scopes, Secret};
use crate::store::{Clock, CredentialRecord, Store, StoreError, StoreErrorKind, hex};

/// The hash under which a secret is known.
pub(super) type Hash = [u8; 32];

/// Tokens that came from a key are kept for a day after they expired, so that `list` can still
/// explain a refusal.
const FORGET_AFTER: i64 = 24 * 60 * 60;

/// The credentials in a store.
#[derive(Debug, Clone)]
pub struct Credentials {
    store: Arc<dyn Store>,
    clock: Clock,
}

/// What a credential is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// A token or an API key.
    pub kind: CredentialKind,
    /// What people call it.
    pub name: String,
    /// Its account; none: all of them.
    pub account: Option<AccountId>,
    /// What it may do.
    pub scopes: Scopes,
    /// For how many seconds it is good; for ever if unset.
    pub lifetime: Option<u32>,
}

/// A credential as it is listed. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Short and public.
    pub id: String,
    /// A token or an API key.
    pub kind: CredentialKind,
    /// What people call it.
    pub name: String,
    /// Its account; none: all of them.
    pub account: Option<AccountId>,
    /// What it may do.
    pub scopes: Scopes,
    /// The key it was exchanged for.
    pub issued_by: Option<String>,
    /// When it was made.
    pub created: i64,
    /// From when on it is no longer good.
    pub expires: Option<i64>,
    /// When it was used last, to within a minute or so.
    pub last_used: Option<i64>,
    /// When it, or the key it came from, was revoked.
    pub revoked: Option<i64>,
}

/// A new credential and its secret, which is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// What it is.
    pub credential: Credential,
    /// 64 hex digits; shown this once.
    pub secret: Secret,
}

impl Credentials {
    /// The credentials in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    pub async fn create(&self, new: NewCredential) -> Result<Issued, StoreError> {
        let now = self.clock.unix_seconds();
        let expires = new.lifetime.map(|seconds| now.saturating_add(seconds.into()));
        self.issue(new, None, expires, now).await
    }

    /// Makes one, perhaps from a key.
    pub(super) async fn issue(
        &self,
        new: NewCredential,
        issued_by: Option<String>,
        expires: Option<i64>,
        now: i64,
    ) -> Result<Issued, StoreError> {
        let secret = Secret::new(hex::encode(&rand::random::<[u8; 32]>()));
        let credential = Credential {
            id: hex::encode(&rand::random::<[u8; 6]>()),
            kind: new.kind,
            name: new.name,
            account: new.account,
            scopes: new.scopes,
            issued_by,
            created: now,
            expires,
            last_used: None,
            revoked: None,
        };
        let record = credential.to_record(hash_of(secret.expose()));
        self.store.create_credential(&record, now.saturating_sub(FORGET_AFTER)).await?;
        Ok(Issued { credential, secret })
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read.
    pub async fn list(&self) -> Result<Vec<Credential>, StoreError> {
        self.store.credentials().await?.into_iter().map(Credential::from_record).collect()
    }

    /// Revokes one, and with a key all tokens that came from it. False if there is none with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be written.
    pub async fn revoke(&self, id: &str) -> Result<bool, StoreError> {
        self.store.revoke_credential(id, self.clock.unix_seconds()).await
    }
}

impl Credential {
    /// Whether it is good at this time (Unix seconds).
    #[must_use]
    pub fn is_good_at(&self, now: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    pub(super) fn from_record(record: CredentialRecord) -> Result<Self, StoreError> {
        let damaged = |error: InvalidScopes| StoreError::new(StoreErrorKind::Damaged, error);
        let scopes = record.scopes.parse().map_err(damaged)?;
        Ok(Self {
            id: record.id,
            kind: record.kind,
            name: record.name,
            account: record.account,
            scopes,
            issued_by: record.issued_by,
            created: record.created,
            expires: record.expires,
            last_used: record.last_used,
            revoked: record.revoked,
        })
    }

    fn to_record(&self, hash: Hash) -> CredentialRecord {
        CredentialRecord {
            id: self.id.clone(),
            kind: self.kind,
            hash,
            name: self.name.clone(),
            account: self.account.clone(),
            scopes: self.scopes.to_string(),
            issued_by: self.issued_by.clone(),
            created: self.created,
            expires: self.expires,
            last_used: self.last_used,
            revoked: self.revoked,
        }
    }
}

pub(super) fn hash_of(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// Whether a text can be a secret of ours at all. What cannot is refused without asking the database.
pub(super) fn looks_like_a_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
