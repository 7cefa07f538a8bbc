//! Whose a running conference is, as its document said.
//!
//! The document is not always there to ask: it may be deleted while the conference runs, or the database
//! may be away. The key is the instance, so that a later conference of the same name is not meant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::auth::AccountId;
use crate::registry::{Conference, Registry};

type Hasher = foldhash::fast::RandomState;

/// So many are kept before the first look at which of them still run.
const FEW: usize = 1_024;

/// The owners that documents have named.
#[derive(Debug)]
pub struct Owners {
    named: DashMap<Arc<str>, AccountId, Hasher>,
    /// Those whose document is gone.
    orphans: DashMap<Arc<str>, (AccountId, Arc<Conference>), Hasher>,
    /// With more than this in `named`, those that are over are forgotten.
    forget_above: AtomicUsize,
}

impl Default for Owners {
    fn default() -> Self {
        Self { named: DashMap::default(), orphans: DashMap::default(), forget_above: AtomicUsize::new(FEW) }
    }
}

impl Owners {
    /// Notes that a document of this account bears their name.
    pub(super) fn note(&self, account: &AccountId, instances: &[Arc<Conference>], registry: &Registry) {
        for conference in instances {
            // Reads go on beside each other; ids of documents never change hands.
            if !self.named.contains_key(&conference.instance) {
                self.named.insert(conference.instance.clone(), account.clone());
            }
        }
        if self.named.len() > self.forget_above.load(Ordering::Relaxed) {
            let running = registry.conferences();
            let running: std::collections::HashSet<_> = running.iter().map(|known| &known.instance).collect();
            self.named.retain(|instance, _| running.contains(instance));
            self.forget_above.store(2 * self.named.len() + FEW, Ordering::Relaxed);
        }
    }

    /// Notes that their document has been deleted.
    pub(super) fn orphan(&self, account: &AccountId, instances: &[Arc<Conference>], registry: &Registry) {
        self.note(account, instances, registry);
        for conference in instances {
            self.orphans.insert(conference.instance.clone(), (account.clone(), conference.clone()));
        }
    }

    /// Whose it is, if a document has ever said.
    pub(super) fn of(&self, conference: &Conference) -> Option<AccountId> {
        self.named.get(&conference.instance).map(|account| account.clone())
    }

    /// What runs of the account without the document that it had.
    pub(super) fn orphans_of(&self, account: &AccountId, registry: &Registry) -> Vec<Arc<Conference>> {
        self.orphans.retain(|_, (_, conference)| {
            registry.conference(&conference.name).iter().any(|running| Arc::ptr_eq(running, conference))
        });
        let theirs = self.orphans.iter().filter(|orphan| orphan.value().0 == *account);
        theirs.map(|orphan| orphan.value().1.clone()).collect()
    }
}
