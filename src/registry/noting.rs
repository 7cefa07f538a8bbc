//! What a list has shown to be wrong, for the log.
//!
//! Owns: the first few differences of a comparison, in words. Stands between a room and whoever listens;
//! passes everything on.

use std::sync::{Mutex, PoisonError};

use super::change::{Change, Publish};

/// Passes changes on and keeps the first few in words.
pub(super) struct Noting<'p> {
    to: &'p dyn Publish,
    differences: Mutex<Vec<String>>,
}

impl<'p> Noting<'p> {
    /// So many are described; the rest is only counted.
    pub(super) const MOST: usize = 8;

    pub(super) fn new(to: &'p dyn Publish) -> Self {
        Self { to, differences: Mutex::default() }
    }

    /// What has been noted, behind what there is already.
    pub(super) fn add_to(self, differences: &mut Vec<String>) {
        let noted = self.differences.into_inner().unwrap_or_else(PoisonError::into_inner);
        differences.extend(noted);
        differences.truncate(Self::MOST);
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
