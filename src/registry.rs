//! Who is in which conference, now.
//!
//! One [`Writer`] per node turns events and lists into state and publishes the differences as numbered
//! [`Change`]s; everybody else reads through the [`Registry`] and never makes a writer wait. A command
//! never changes anything here: what was done is known when the switch tells it.
//!
//! ```text
//! events ─▶ Writer (owns its bookkeeping) ─▶ Conference, Participant (atomics, swapped snapshots)
//! lists  ─▶        │                              ▲
//!                  └─▶ Publish (changes)      Registry (index by name and by account) ◀─ readers
//! ```
//!
//! A node that is out of reach keeps what is known of it for a while: first it is marked as stale, then it
//! is taken for gone.
//!
//! Invariant: index maps are sharded locks; what is found is cloned out and the guard dropped at once.

mod change;
mod conference;
mod index;
mod noting;
mod room;
mod writer;

pub use change::{Change, ChangeKind, Detail, LeftReason, Publish, Reason};
pub use conference::{Conference, Participant, Recording, Sender};
pub use index::{NodeCondition, Registry};
pub use writer::{Aged, Graces, Mark, Odd, Reconciled, Scope, Writer};

/// Hash maps of the event path: the hasher is seeded, for callers choose some of the keys.
type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Likewise sets.
type Set<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;
