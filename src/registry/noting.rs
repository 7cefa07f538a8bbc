//! What a list has shown to be wrong, for the log.
//!
//! Adds the first few differences of a comparison, in words; what is beyond them is never put into words. Stands
//! between a room and whoever listens; passes everything on.

use std::sync::{Mutex, PoisonError};

use super::change::{Change, Publish};

/// Passes changes on and keeps the first few in words.
pub(super) struct Noting<'a> {
    to: &'a dyn Publish,
    differences: Mutex<&'a mut Vec<String>>,
}

impl<'a> Noting<'a> {
    /// So many are described; the rest is only counted.
    pub(super) const MOST: usize = 8;

    /// Adds to what has been noted of other rooms.
    pub(super) fn new(to: &'a dyn Publish, differences: &'a mut Vec<String>) -> Self {
        Self { to, differences: Mutex::new(differences) }
    }
}

impl Publish for Noting<'_> {
    fn publish(&self, change: Change) {
        let mut differences = self.differences.lock().unwrap_or_else(PoisonError::into_inner);
        if differences.len() < Self::MOST {
            differences.push(in_words(&change));
        }
        drop(differences);
        if self.to.is_heard() {
            self.to.publish(change);
        }
    }
}

/// `mute-member 7 (uuid)` for somebody, `lock` for the room.
fn in_words(change: &Change) -> String {
    let name = change.kind.name();
    match &change.participant {
        Some((participant, _)) => format!("{name} {} ({})", participant.member_id, participant.call_id),
        None => name.to_owned(),
    }
}
