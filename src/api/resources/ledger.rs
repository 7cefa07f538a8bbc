//! What actions have in common: carried out to their end, written down, and done once for a key.
//!
//! ```text
//! handler ─▶ carry_out ─▶ a task ─▶ once (with a key) ─▶ the action ─▶ audit log ─▶ answer
//!               └─ waits for it; if nobody waits any more, the task goes on
//! ```
//!
//! The task is there because a request may be given up while the switch works on it: what was begun is
//! written down all the same.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::audit::{self, Asked};
use super::once::{self, Key, Turns};
use super::whose::Found;
use super::{Caller, Context};
use crate::api::{ApiError, Request, Response};
use crate::model::{ActionResult, Problem};
use crate::store::{AuditRecord, Clock, StoreError};
use crate::together::Together;

/// Of more claims than this it is not remembered what could not be written about them.
const MOST_OWED: usize = 1_000;

/// Rows of the audit log on their way.
pub(super) type Writing = Together<Vec<AuditRecord>, Result<(), Arc<StoreError>>>;

/// What is under way, and what could not be written.
#[derive(Debug)]
pub struct Ledger {
    pub(super) clock: Clock,
    /// How long a request may take.
    pub(super) answer_within: Duration,
    pub(super) tasks: TaskTracker,
    pub(super) turns: Turns,
    /// What is written down at the same moment is one transaction.
    pub(super) writing: Arc<Writing>,
    /// By claim: the answer that belongs to it, or none if its key is to be given back.
    owed: Mutex<HashMap<String, Option<String>>>,
    /// Rows that the database did not take.
    pub(super) lost_rows: Counter,
}

impl Ledger {
    /// A ledger by this clock, for requests that may take so long.
    #[must_use]
    pub fn new(clock: Clock, answer_within: Duration) -> Self {
        let (tasks, turns, owed) = (TaskTracker::new(), Turns::default(), Mutex::default());
        Self {
            clock,
            answer_within,
            tasks,
            turns,
            writing: Arc::default(),
            owed,
            lost_rows: Counter::default(),
        }
    }

    /// Waits until everything that is under way has been carried out and written down.
    pub async fn settled(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Remembers what the database did not take.
    pub(super) fn owe(&self, claim: &str, answer: Option<String>) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        if owed.len() < MOST_OWED {
            owed.insert(claim.to_owned(), answer);
        }
    }

    /// What the database does not know of a claim.
    pub(super) fn owed(&self, claim: &str) -> Option<Option<String>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).get(claim).cloned()
    }

    /// The database knows.
    pub(super) fn paid(&self, claim: &str) {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).remove(claim);
    }
}

/// An action that the switch was asked for, and what came of it.
pub(super) struct Carried {
    /// Of which conference.
    pub(super) found: Found,
    /// The word for it.
    pub(super) action: &'static str,
    /// For each target.
    pub(super) results: Vec<ActionResult>,
    /// What the client is told.
    pub(super) answer: Result<Response, ApiError>,
}

impl Carried {
    /// Whether a command may have come to a switch.
    fn was_sent(&self) -> bool {
        let was_sent = |result: &ActionResult| {
            !matches!(result.problem, Some(Problem::Unavailable | Problem::Stale | Problem::Unaddressable))
        };
        self.results.is_empty() || self.results.iter().any(was_sent)
    }
}

/// Carries out an action, once if the request has a key, and writes down what was done.
///
/// `act` fails before anything is asked of a switch; from then on it tells what came of it.
///
/// # Errors
/// What `act` refuses or answers; 400, 409, 503 and 504 for what is wrong with the key.
pub(super) async fn carry_out<A>(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
    act: impl FnOnce(Arc<Context>, Caller, Request) -> A + Send + 'static,
) -> Result<Response, ApiError>
where
    A: Future<Output = Result<Carried, ApiError>> + Send + 'static,
{
    let key = Key::of(&caller, &request)?;
    let asked = Asked::of(&caller, &request)?;
    let tasks = context.ledger.tasks.clone();
    let work = async move {
        let act = {
            let context = Arc::clone(&context);
            || written_down(context, caller, request, asked, act)
        };
        match key {
            Some(key) => once::once(&context, key, act).await,
            None => act().await.answer,
        }
    };
    match tasks.spawn(work.in_current_span()).await {
        Ok(answer) => answer,
        Err(broken) => match broken.try_into_panic() {
            // As if there were no task.
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(_) => Err(ApiError::shutting_down()),
        },
    }
}

/// An answer, and whether it is to be given again.
pub(super) struct Outcome {
    pub(super) answer: Result<Response, ApiError>,
    pub(super) is_kept: bool,
}

async fn written_down<A>(
    context: Arc<Context>,
    caller: Caller,
    request: Request,
    asked: Asked,
    act: impl FnOnce(Arc<Context>, Caller, Request) -> A,
) -> Outcome
where
    A: Future<Output = Result<Carried, ApiError>>,
{
    match act(Arc::clone(&context), caller, request).await {
        Ok(carried) => {
            audit::write(&context, asked.records(&carried, context.ledger.clock.unix_ms())).await;
            Outcome { is_kept: carried.was_sent(), answer: carried.answer }
        }
        Err(refusal) => Outcome { answer: Err(refusal), is_kept: false },
    }
}
