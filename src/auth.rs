//! Keys, tokens, scopes and accounts: who is asking, and what they may.
//!
//! Owns: secrets and their hashes, the cache of those seen lately, scopes. Leaves rows to `store`,
//! headers and status codes to `api`, commands to `cli`.
//!
//! ```text
//! convened token create ─▶ token ───────────────────▶ authenticate ─▶ Principal ─▶ may?
//!                       └▶ API key ─▶ exchange ─▶ token ─┘
//! ```
//!
//! Secrets are 256 random bits, so a plain SHA-256 of them is as good as a slow hash: there is nothing
//! to guess. What is looked up in the database and in the cache is that hash. How long a look-up takes
//! may tell something about the hash, but nobody can choose a secret by the beginning of its hash, so
//! it tells nothing about any secret; the comparison that decides takes constant time even so.
//!
//! A revocation counts after at most [`CACHE_TIME`]: the command line does it from another process. If the database cannot be read, whoever was let in during the last
//! [`GRACE_TIME`] is let in still: conferences must be controllable without it.

mod authenticator;
mod credentials;
mod principal;
mod scopes;

pub use crate::secret::Secret;
pub use crate::store::{AccountId, CredentialKind, InvalidAccountId};
pub use authenticator::{AuthError, Authenticator, CACHE_TIME, GRACE_TIME, SHORT_LIVED};
pub use credentials::{Credential, Credentials, Issued, NewCredential};
pub use principal::{Access, Principal};
pub use scopes::{InvalidScopes, Scope, Scopes};
