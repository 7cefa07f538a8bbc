//! Whose turn it is at a conference: two actions on one keep their order, actions on others do not wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

/// The turns of all conferences that something is being done to.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Arc<str>, Weak<tokio::sync::Mutex<()>>>>);

/// Forgotten turns are swept out beyond so many.
const MANY: usize = 1_024;

impl Turns {
    /// Waits for the turn at an instance, in the order of asking. It lasts until the guard is dropped.
    pub(super) async fn at(&self, instance: &Arc<str>) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= MANY {
                turns.retain(|_, turn| turn.strong_count() > 0);
            }
            turns.get(instance).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::new(tokio::sync::Mutex::new(()));
                turns.insert(instance.clone(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}
