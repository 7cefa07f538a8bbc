//! Keys, tokens, scopes and accounts: who is asking, and what they may.
//!
//! Owns: secrets and their hashes, scopes, who may go on without a database, and who guesses too much.
//! Leaves rows to `store`, headers, addresses and status codes to `api`, commands to `cli`.
//!
//! ```text
//! convened token create ─▶ token ───────────────────▶ authenticate ─▶ Principal ─▶ may?
//!                       └▶ API key ─▶ exchange ─▶ token ─┘
//! ```
//!
//! What a client sends goes through the [`Guard`], which knows where it came from.
//!
//! Secrets are 256 random bits, so a plain SHA-256 of them is as good as a slow hash: there is nothing
//! to guess. What is looked up, in the database and among those let in lately, is that hash. How long a
//! look-up takes may tell something about the hash, but nobody can choose a secret by the beginning of
//! its hash, so it tells nothing about any secret; the comparison that decides takes constant time even
//! so.
//!
//! A revocation counts for the next request: each asks the database, since the command line revokes
//! from another process. If the database cannot be read, whoever it called good during the last
//! [`GRACE_TIME`] seconds is let in still: conferences must be controllable without it.
//!
//! Nobody guesses 256 bits, but a script with a wrong token asks the database as often as it likes and
//! fills the log: the [`Throttle`] ends that. Who has a good one and asks without end is slowed down by the
//! [`Pace`], so that there is time for others.

mod authenticator;
mod credentials;
mod grace;
mod guard;
mod monotonic;
mod outage;
mod pace;
mod principal;
mod scopes;
mod throttle;

pub use crate::secret::Secret;
pub use crate::store::{AccountId, CredentialKind, InvalidAccountId};
pub use authenticator::{AuthError, Authenticator, HUNG_AFTER, SHORT_LIVED};
pub use credentials::{Credential, Credentials, Issued, NewCredential};
pub use grace::GRACE_TIME;
pub use guard::Guard;
pub use monotonic::MonotonicClock;
pub use pace::{Pace, Payer, TooFast};
pub use principal::{Access, Principal};
pub use scopes::{InvalidScopes, Scope, Scopes};
pub use throttle::{Ended, Failed, MOST_FAILURES, MOST_SOURCES, Source, Throttle, Verdict, WINDOW};
