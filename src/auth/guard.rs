//! Credentials from somewhere: the throttle before the authenticator.
//!
//! Owns: what is a failure, and what is logged of a block. Leaves counting to `throttle` and the
//! credentials to `authenticator`.
//!
//! A failure is a credential that was sent and is wrong: unknown, expired, revoked. None at all is no
//! failure, nor is a database that does not answer.

use std::future::Future;

use tracing::{info, warn};

use super::credentials::{Hash, hash_of, looks_like_a_secret};
use super::throttle::{Failed, Source, Throttle, Verdict};
use super::{AuthError, Authenticator, Issued, Principal};
use crate::peer::Client;

/// Lets in who has a good credential, and slows down who guesses.
#[derive(Debug)]
pub struct Guard {
    authenticator: Authenticator,
    throttle: Throttle,
}

impl Guard {
    /// Before this authenticator; by its monotonic clock.
    #[must_use]
    pub fn new(authenticator: Authenticator) -> Self {
        Self { authenticator, throttle: Throttle::default() }
    }

    /// The authenticator behind it, which knows nothing of addresses.
    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Who is blocked; for metrics.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// [`Authenticator::authenticate`], for a token that this client sent.
    ///
    /// # Errors
    /// [`AuthError::Throttled`]; those of the authenticator.
    pub async fn authenticate(&self, token: &str, client: Client) -> Result<Principal, AuthError> {
        self.pass(token, client.into(), self.authenticator.authenticate(token)).await
    }

    /// [`Authenticator::exchange`], for a key that this client sent.
    ///
    /// # Errors
    /// [`AuthError::Throttled`]; those of the authenticator.
    pub async fn exchange(&self, api_key: &str, client: Client) -> Result<Issued, AuthError> {
        let source = client.into();
        let issued = self.pass(api_key, source, self.authenticator.exchange(api_key)).await?;
        // Else who is known by the key could get a token in a block, and nothing with the token.
        self.throttle.good(source, &hash_of(issued.secret.expose()));
        Ok(issued)
    }

    /// `asking` is not begun if the source is blocked.
    async fn pass<T>(
        &self,
        credential: &str,
        source: Source,
        asking: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, AuthError> {
        // What cannot be one of ours may be of any length, and is never good.
        let hash = looks_like_a_secret(credential).then(|| hash_of(credential));
        let now = self.authenticator.monotonic().now();
        for ended in self.throttle.expire(now) {
            info!(address = %ended.source, refused = ended.refused, "an address is no longer refused");
        }
        let verdict = self.throttle.check(source, hash.as_ref(), now);
        if let Verdict::Refused { retry_after } = verdict {
            return Err(AuthError::Throttled { retry_after });
        }
        let answer = asking.await;
        match (&answer, &hash) {
            (Ok(_), Some(hash)) => self.throttle.good(source, hash),
            (Ok(_), None) | (Err(AuthError::Store(_)), _) => {}
            (Err(_), hash) => self.wrong(source, hash.as_ref(), verdict)?,
        }
        answer
    }

    /// Counts it, unless its source is blocked: who was known there is told the truth once.
    fn wrong(&self, source: Source, hash: Option<&Hash>, verdict: Verdict) -> Result<(), AuthError> {
        if let Some(hash) = hash {
            self.throttle.forget(source, hash);
        }
        if verdict == Verdict::Known {
            return Ok(());
        }
        match self.throttle.failed(source, self.authenticator.monotonic().now()) {
            Failed::Counted => Ok(()),
            Failed::Blocked { retry_after, failures } => {
                warn!(address = %source, failures, "an address sent too many wrong credentials and is refused");
                Err(AuthError::Throttled { retry_after })
            }
            Failed::Refused { retry_after } => Err(AuthError::Throttled { retry_after }),
        }
    }
}
