//! Credentials from somewhere: the throttle and the pace before the authenticator.
//!
//! Owns: what is a failure, who pays for a request, and what is logged of a block. Leaves counting to `throttle`
//! and `pace`, and the credentials to `authenticator`.
//!
//! A failure is a credential that was sent and is wrong: unknown, expired, revoked. None at all is no
//! failure, nor is a database that does not answer.

use std::future::Future;
use std::sync::Arc;

use tracing::{info, warn};

use super::credentials::{Hash, hash_of, looks_like_a_secret};
use super::pace::{Pace, Payer, TooFast};
use super::throttle::{Failed, Source, Throttle, Verdict};
use super::{AuthError, Authenticator, Issued, Principal};
use crate::peer::Client;

/// Lets in who has a good credential, and slows down who guesses or asks too fast.
#[derive(Debug)]
pub struct Guard {
    authenticator: Authenticator,
    throttle: Throttle,
    pace: Pace,
}

impl Guard {
    /// Before this authenticator; by its monotonic clock.
    #[must_use]
    pub fn new(authenticator: Authenticator, pace: Pace) -> Self {
        Self { authenticator, throttle: Throttle::default(), pace }
    }

    /// The authenticator behind it, which knows nothing of addresses.
    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Who is blocked; for metrics.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Who asks too fast; for metrics.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// [`Authenticator::authenticate`], for a token that this client sent. It is a request of that token.
    ///
    /// # Errors
    /// [`AuthError::TooFast`], [`AuthError::Throttled`]; those of the authenticator.
    pub async fn authenticate(&self, token: &str, client: Client) -> Result<Principal, AuthError> {
        let asking = self.authenticator.authenticate(token);
        if self.pace.rate().is_none() || !looks_like_a_secret(token) {
            return self.pass(token, client.into(), asking).await;
        }
        let hash = hash_of(token);
        let payer = self.pace.payer_of(&hash);
        let is_paid = payer.is_some();
        if let Some(payer) = payer {
            self.spend(payer)?;
        }
        let principal = self.pass(token, client.into(), asking).await?;
        if !is_paid {
            self.pace.learn(hash, &principal.credential);
            self.spend(Payer::Credential(Arc::clone(&principal.credential)))?;
        }
        Ok(principal)
    }

    /// Whether a token that was let in is good still; that is no request of it.
    ///
    /// # Errors
    /// [`AuthError::Throttled`]; those of the authenticator.
    pub async fn look_again(&self, token: &str, client: Client) -> Result<Principal, AuthError> {
        self.pass(token, client.into(), self.authenticator.authenticate(token)).await
    }

    /// One more request of a token that was let in before.
    ///
    /// # Errors
    /// [`AuthError::TooFast`].
    pub fn ask_once_more(&self, principal: &Principal) -> Result<(), AuthError> {
        self.spend(Payer::Credential(Arc::clone(&principal.credential)))
    }

    /// A request from this client for which no token is needed.
    ///
    /// # Errors
    /// [`AuthError::TooFast`].
    pub fn ask_openly(&self, client: Client) -> Result<(), AuthError> {
        self.spend(client.into())
    }

    fn spend(&self, payer: Payer) -> Result<(), AuthError> {
        let Some(rate) = self.pace.rate() else { return Ok(()) };
        let spent = self.pace.spend(payer.clone(), self.authenticator.monotonic().now());
        spent.map_err(|TooFast { refused }| {
            // A flood would fill the log: powers of two are enough to see its size.
            if refused.is_power_of_two() {
                let who = match &payer {
                    Payer::Credential(id) => format!("credential {id}"),
                    Payer::Address(source) => source.to_string(),
                };
                warn!(who, refused, "requests beyond api.max_requests_per_s are refused");
            }
            AuthError::TooFast { rate: rate.get() }
        })
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
