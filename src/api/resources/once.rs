//! `Idempotency-Key`: the same request again is answered as before, and not carried out again.
//!
//! ```text
//! turn in this process ─▶ claim in the database ─┬ taken ──────────▶ carried out ─▶ answer kept
//!   └ somebody's: waited for                     ├ answered ───────▶ that answer again
//!                                                ├ another request ▶ 409
//!                                                └ begun, no answer ▶ 504; waited for, if another daemon
//!                                                                     may be at it
//! ```
//!
//! Invariant: what has a key is carried out only by who holds its row in the database. A row that nobody
//! answered is never taken for one that was not begun: what came of it is not known.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::ledger::Outcome;
use super::{Caller, Context};
use crate::actions::{Scope, schema};
use crate::api::{ApiError, Request, Response, give_again, keep, parse_data};
use crate::auth::AccountId;
use crate::store::{KeyClaim, KeyUse, StoreError, hex};

/// How long an answer is given again.
pub const KEYS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

const HEADER: &str = "idempotency-key";
/// The longest key.
const LONGEST: usize = 255;
/// The longest `data` of a request with a key: it is parsed, to be compared.
const MOST_DATA: usize = 64 * 1024;
/// Between two looks whether another daemon has answered; doubles each time, up to the second.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// A key and what is asked with it.
#[derive(Debug)]
pub(super) struct Key {
    name: Name,
    /// SHA-256 of what is asked.
    request: [u8; 32],
}

/// Keys of two credentials have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    account: Option<AccountId>,
    credential: Arc<str>,
    key: String,
}

impl Key {
    /// The key of a request, if it has one.
    pub(super) fn of(caller: &Caller, request: &Request) -> Result<Option<Self>, ApiError> {
        let mut lines = request.headers().get_all(HEADER).iter();
        let Some(line) = lines.next() else { return Ok(None) };
        let is_visible = line.as_bytes().iter().all(u8::is_ascii_graphic);
        let key = line.to_str().ok().filter(|key| is_visible && (1..=LONGEST).contains(&key.len()));
        let (Some(key), None) = (key, lines.next()) else {
            let reason = format!("the header Idempotency-Key is not 1 to {LONGEST} visible ASCII characters");
            return Err(ApiError::invalid_request(reason));
        };
        let principal = caller.principal.as_ref().ok_or_else(ApiError::invalid_credentials)?;
        let name = Name {
            account: principal.account.clone(),
            credential: principal.credential.clone(),
            key: key.to_owned(),
        };
        Ok(Some(Self { name, request: hash_of(request)? }))
    }

    fn claim(&self, began: i64) -> KeyClaim {
        KeyClaim {
            account: self.name.account.clone(),
            credential: self.name.credential.to_string(),
            key: self.name.key.clone(),
            request: self.request,
            claim: hex::encode(&rand::random::<[u8; 16]>()),
            began,
        }
    }
}

/// The same for two requests that ask for the same: spaces and the order of keys do not count.
fn hash_of(request: &Request) -> Result<[u8; 32], ApiError> {
    let mut hash = Sha256::new();
    // With its length before it, no part can be taken for the end of the one before.
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(request.method().as_str());
    add(request.path());
    for (key, value) in request.query().iter() {
        add(key);
        add(value);
    }
    add("");
    let action = request.action(|name| Scope::ALL.iter().any(|scope| schema(*scope, name).is_some()))?;
    add(&action);
    if request.envelope().is_some_and(|envelope| envelope.has_data()) {
        let data = request.data_text()?;
        if data.get().len() > MOST_DATA {
            return Err(ApiError::body_too_large(MOST_DATA));
        }
        let mut data = parse_data(&data)?;
        // It was counted, wherever it stood.
        if data.get("action").and_then(Value::as_str) == Some(&action) {
            data.shift_remove("action");
        }
        add(&sorted(Value::Object(data)).to_string());
    }
    Ok(hash.finalize().into())
}

/// The same with the keys of each object in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut pairs: Vec<_> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// Who in this process is at which key.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Name, Taken>>>);

/// What a turn was taken for, and what tells that it is over.
type Taken = ([u8; 32], watch::Receiver<()>);

/// A turn. It is over when it is dropped.
struct Turn {
    turns: Turns,
    name: Name,
    _over: watch::Sender<()>,
}

impl Turns {
    fn take(&self, key: &Key) -> Result<Turn, Taken> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = turns.get(&key.name) {
            return Err(taken.clone());
        }
        let (sender, over) = watch::channel(());
        turns.insert(key.name.clone(), (key.request, over));
        Ok(Turn { turns: self.clone(), name: key.name.clone(), _over: sender })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Carries out what has a key, unless that was done before.
pub(super) async fn once<F>(
    context: &Context,
    key: Key,
    act: impl FnOnce() -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Outcome>,
{
    let ledger = &context.ledger;
    // Before the guard of requests ends this one.
    let deadline = Instant::now() + ledger.answer_within / 10 * 9;
    let _turn = loop {
        match ledger.turns.take(&key) {
            Ok(turn) => break turn,
            Err((request, _)) if request != key.request => return Err(used_otherwise()),
            // The other one sends nothing: its end is what is waited for.
            Err((_, mut over)) => {
                if timeout_at(deadline, over.changed()).await.is_err() {
                    return Err(under_way());
                }
            }
        }
    };
    match claim(context, &key, deadline).await? {
        Claimed::Before(answer) => give_again(&answer),
        Claimed::Now(claim) => {
            let Outcome { answer, is_kept } = act().await;
            let kept = keep(&answer).filter(|_| is_kept);
            if is_kept && kept.is_none() {
                // Its row stays without an answer: better not known than done twice.
                tracing::error!(
                    key = claim.key,
                    "an answer to a request with an idempotency key cannot be kept"
                );
            } else if let Err(error) = settle(context, &claim, kept.as_deref()).await {
                tracing::error!(%error, key = claim.key, "what an idempotency key was used for is not written");
                ledger.owe(&claim.claim, kept);
            }
            answer
        }
    }
}

/// A key that is ours, or the answer that was given under it.
enum Claimed {
    Now(KeyClaim),
    Before(String),
}

async fn claim(context: &Context, key: &Key, deadline: Instant) -> Result<Claimed, ApiError> {
    let Context { ledger, store, .. } = context;
    let kept_ms = i64::try_from(KEYS_KEPT.as_millis()).unwrap_or(i64::MAX);
    let mut pause = LOOK_EVERY.0;
    loop {
        let now = ledger.clock.unix_ms();
        let claim = key.claim(now);
        let found = store.claim_key(&claim, now.saturating_sub(kept_ms)).await;
        let found = found.map_err(|error| {
            if error.is_unconfirmed() {
                // It may have been taken; nothing is done under it.
                ledger.owe(&claim.claim, None);
            }
            unavailable(error)
        })?;
        let Some(found) = found else { return Ok(Claimed::Now(claim)) };
        if found.request != key.request {
            return Err(used_otherwise());
        }
        if let Some(answer) = found.answer {
            ledger.paid(&found.claim);
            return Ok(Claimed::Before(answer));
        }
        // It is our turn, so nobody in this process is at it.
        if let Some(owed) = ledger.owed(&found.claim) {
            let theirs = KeyClaim { claim: found.claim, ..claim };
            settle(context, &theirs, owed.as_deref()).await.map_err(unavailable)?;
            ledger.paid(&theirs.claim);
            continue;
        }
        if !store.is_shared() || is_over(&found, now, ledger.answer_within) {
            return Err(unknown());
        }
        let next = Instant::now() + pause;
        if next > deadline {
            return Err(under_way());
        }
        sleep_until(next).await;
        pause = (pause * 2).min(LOOK_EVERY.1);
    }
}

/// Writes what came of a claim: an answer, or that its key is free.
async fn settle(context: &Context, claim: &KeyClaim, answer: Option<&str>) -> Result<(), StoreError> {
    match answer {
        Some(answer) => context.store.answer_key(claim, answer).await,
        None => context.store.free_key(claim).await,
    }
}

/// Whether a request that another daemon began cannot be under way any more, as far as its client knows.
fn is_over(begun: &KeyUse, now: i64, answer_within: Duration) -> bool {
    u128::try_from(now.saturating_sub(begun.began)).is_ok_and(|age| age >= answer_within.as_millis())
}

fn unavailable(error: StoreError) -> ApiError {
    if error.is_unavailable() { ApiError::datastore_unavailable(error) } else { ApiError::internal(error) }
}

fn used_otherwise() -> ApiError {
    ApiError::key_conflict("the Idempotency-Key was used for another request")
}

fn under_way() -> ApiError {
    ApiError::key_conflict("the first request with this Idempotency-Key has no answer yet").retry_after(2)
}

fn unknown() -> ApiError {
    let message = "outcome unknown: the daemon was stopped while the first request with this Idempotency-Key was \
                   carried out; it is not carried out again";
    let mut data = Map::new();
    data.insert("message".into(), message.into());
    ApiError::switch_timeout(data)
}
