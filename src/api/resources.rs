//! The resources: what the paths answer. One file for each.
//!
//! | path under `/v2` | methods | file |
//! |---|---|---|
//! | `/accounts/{A}/conferences` | GET, PUT | `conferences` |
//! | `/accounts/{A}/conferences/{C}` | GET, POST, PATCH, DELETE; PUT (lock ... end, dial) | `conferences`, `actions`, `dial` |
//! | `/accounts/{A}/conferences/{C}/participants` | GET; PUT (mute ... relate) | `participants`, `actions`, `relate` |
//! | `/accounts/{A}/conferences/{C}/participants/{P}` | GET; PUT (mute ... say) | `participants`, `actions` |
//! | `/accounts/{A}/conferences/{C}/audit` | GET | `audit` |
//! | `/api_auth` | PUT | `tokens` |
//! | `/schemas`, `/schemas/{S}`, `/asyncapi.json`, `/openapi.json` | GET | `schemas`, `openapi` |
//! | `/nodes` | GET | `nodes` |
//! | `/accounts/{A}/conferences/{C}/events` | GET | `events` |
//!
//! and, outside `/v2`, `/healthz`, `/readyz` and `/metrics` for whoever watches the process, and the websocket at `/` and `/ws`.
//!
//! What actions have in common is in `ledger` (carried out to their end, written down) and `once` (done once
//! for an `Idempotency-Key`).
//!
//! Architecture Invariant: handlers know documents, the registry and the switchboard; none knows the
//! Event Socket or SQL.

mod actions;
mod audit;
mod conferences;
mod dial;
mod events;
mod gate;
mod ledger;
mod metrics;
mod nodes;
mod once;
mod openapi;
mod owners;
mod participants;
mod ready;
mod relate;
mod schemas;
mod standing;
mod tokens;
mod view;
mod whose;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{ApiError, Router, health};
use tokio::sync::Semaphore;

use crate::actions::Dialling;
use crate::actions::words::Places;
use crate::auth::{AccountId, AuthError, Guard};
use crate::callin::Waiting;
use crate::config;
use crate::documents::{DocumentError, Documents};
use crate::peer::Client;
use crate::registry::Registry;
use crate::store::{Store, StoreError};
use crate::switchboard::{Dials, Switchboard};

pub use conferences::DOCUMENT_TURNS;
pub use events::Events;
pub use gate::Caller;
pub use ledger::Ledger;
pub use metrics::Sources;
pub use once::KEYS_KEPT;
pub use openapi::document as openapi;
pub use owners::Owners;
pub use standing::Standing;
pub use whose::Asking;

/// What the handlers work with.
pub struct Context {
    /// Who is in which conference.
    pub registry: Arc<Registry>,
    /// Does actions.
    pub switchboard: Arc<Switchboard>,
    /// Conference documents.
    pub documents: Documents,
    /// Who may parse and write one just now.
    pub document_turns: Semaphore,
    /// Tokens and keys.
    pub guard: Guard,
    /// Asked whether it answers.
    pub store: Arc<dyn Store>,
    /// Whose conferences without a tag are.
    pub default_account: Option<AccountId>,
    /// Whose a conference is that runs and whose document cannot be asked.
    pub owners: Owners,
    /// What is being done, and what was.
    pub ledger: Ledger,
    /// What may be played.
    pub places: Places,
    /// Members who wait for a moderator.
    pub waiting: Arc<Waiting>,
    /// How phones are called.
    pub dialling: Dialling,
    /// The calls that are under way.
    pub dials: Dials,
    /// Who is told what happens.
    pub events: Arc<Events>,
    /// So long a connection may be silent.
    pub silence_allowed: Duration,
    /// Who may see what is counted.
    pub metrics: config::Metrics,
    /// What is counted outside of all this, as soon as it is there.
    pub sources: OnceLock<Sources>,
    /// How the daemon itself stands.
    pub standing: Standing,
    /// How times are written.
    pub timestamps: config::Timestamps,
}

/// The table of all paths.
///
/// `/metrics` is there if it is enabled.
///
/// # Errors
/// If two lines of it contradict each other.
pub fn router(settings: &config::Metrics) -> Result<Router<Context>, super::RouterError> {
    let routes = health::routes()
        .into_iter()
        .chain(conferences::routes())
        .chain(actions::routes())
        .chain(audit::routes())
        .chain(participants::routes())
        .chain(tokens::routes())
        .chain(schemas::routes())
        .chain(nodes::routes())
        .chain(events::routes())
        .chain(ready::routes())
        .chain(settings.enabled.then(metrics::routes).into_iter().flatten());
    Router::new(routes)
}

/// What somebody is told who is not let in, and what the log is told.
fn not_let_in(error: AuthError, client: Client) -> ApiError {
    match error {
        AuthError::Store(error) => error.into(),
        AuthError::TooFast { rate } => ApiError::too_many_requests(1)
            .with_data("message", format!("more than {rate} requests within a second")),
        AuthError::Throttled { retry_after } => ApiError::too_many_requests(retry_after),
        wrong => ApiError::invalid_credentials().with_private(format_args!("{wrong}, sent by {client}")),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match (error.is_unavailable(), error.is_unconfirmed()) {
            (true, false) => Self::datastore_unavailable(error),
            (true, true) => Self::datastore_unavailable(error)
                .with_data("message", "no confirmation in time: whether it was written is not known"),
            (false, _) => Self::internal(error),
        }
    }
}

impl From<DocumentError> for ApiError {
    fn from(error: DocumentError) -> Self {
        if let Some(errors) = error.field_errors()
            && let serde_json::Value::Object(fields) = errors.to_value()
        {
            return Self::validation(fields);
        }
        match error {
            DocumentError::NotFound { id } => Self::not_found(id),
            DocumentError::Conflict { expected, current } => Self::conflict(expected, current),
            DocumentError::PreconditionFailed => Self::precondition_failed(),
            DocumentError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}
