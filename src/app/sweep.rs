//! What is old goes: rows of the audit log and idempotency keys, at the start and once an hour.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::resources::KEYS_KEPT;
use crate::store::{Answer, Clock, Store};

/// Between two looks for what is old.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Rows in one transaction: whoever else writes waits no longer than for these.
const AT_ONCE: u32 = 1_000;
/// A day in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Sweeps until it is told to stop. `keep_days` 0: the audit log is kept for ever.
pub(super) fn start(
    store: Arc<dyn Store>,
    clock: Clock,
    keep_days: u32,
    stop: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let sweeping = async {
            loop {
                sweep(&*store, &clock, keep_days).await;
                tokio::time::sleep(EVERY).await;
            }
        };
        // A deletion that is given up happens whole or not at all.
        stop.run_until_cancelled_owned(sweeping).await;
    })
}

async fn sweep(store: &dyn Store, clock: &Clock, keep_days: u32) {
    let now = clock.unix_ms();
    if keep_days > 0 {
        let before = now.saturating_sub(i64::from(keep_days) * DAY_MS);
        delete("rows of the audit log", || store.age_out_audit(before, AT_ONCE)).await;
    }
    let age = i64::try_from(KEYS_KEPT.as_millis()).unwrap_or(DAY_MS);
    delete("idempotency keys", || store.forget_keys(now.saturating_sub(age), AT_ONCE)).await;
}

/// Deletes batch after batch. What cannot be deleted now is old in an hour too.
async fn delete<'a>(what: &'static str, batch: impl Fn() -> Answer<'a, u64>) {
    let mut deleted = 0;
    loop {
        match batch().await {
            Ok(some) => {
                deleted += some;
                if some < u64::from(AT_ONCE) {
                    break;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "old {what} are not deleted");
                break;
            }
        }
    }
    if deleted > 0 {
        tracing::info!(deleted, "old {what} are deleted");
    }
}
