//! What has been seen of a conference since an action on it began.
//!
//! Whoever acts after us may undo what we did before we look: that it was so in between counts, too.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::hub::{Hub, Watch};
use crate::model::Flag;
use crate::registry::{Change, ChangeKind, Conference, Detail, LeftReason, Participant};

/// Changes from a moment on.
pub(super) struct Sight {
    changes: Watch,
    /// What was so of whom at some time.
    was: HashSet<(u32, Flag, bool)>,
    was_locked: HashSet<bool>,
    /// What happened to recordings, by file.
    recordings: HashSet<(ChangeKind, Arc<str>)>,
    /// Who went to another conference.
    moved: HashSet<u32>,
    /// Files that could not be recorded to, and FreeSWITCH's words.
    failed: HashMap<Arc<str>, Arc<str>>,
}

impl Sight {
    /// Looks from now on.
    pub(super) fn of(hub: &Hub, conference: &Conference) -> Self {
        Self {
            changes: hub.watch(&conference.instance),
            was: HashSet::new(),
            was_locked: HashSet::new(),
            recordings: HashSet::new(),
            moved: HashSet::new(),
            failed: HashMap::new(),
        }
    }

    /// Takes in what has been told by now. Who listens too slowly has missed something and knows less.
    fn look(&mut self) {
        while let Some(change) = self.changes.next_now() {
            self.note(&change);
        }
    }

    fn note(&mut self, change: &Change) {
        match change.kind {
            ChangeKind::Locked => self.was_locked.insert(true),
            ChangeKind::Unlocked => self.was_locked.insert(false),
            _ => false,
        };
        match &change.detail {
            Some(Detail::Recording(recording)) => {
                self.recordings.insert((change.kind, recording.path.clone()));
            }
            Some(Detail::RecordingFailed(path, words)) => {
                self.failed.insert(path.clone(), words.clone());
            }
            Some(Detail::Left(LeftReason::Transferred(_))) => {
                self.moved.extend(change.participant.iter().map(|(who, _)| who.stay));
            }
            _ => {}
        }
        if let Some((who, state)) = &change.participant {
            for flag in [Flag::Speak, Flag::Hear, Flag::Hold, Flag::Floor] {
                self.was.insert((who.stay, flag, state.has(flag)));
            }
        }
    }

    /// Whether this was so of that participant, at any time since.
    pub(super) fn was(&mut self, who: &Participant, flag: Flag, value: bool) -> bool {
        self.look();
        self.was.contains(&(who.stay, flag, value))
    }

    /// Whether the conference was locked, or unlocked, at any time since.
    pub(super) fn was_locked(&mut self, locked: bool) -> bool {
        self.look();
        self.was_locked.contains(&locked)
    }

    /// Whether he went to another conference, instead of leaving for good.
    pub(super) fn went_elsewhere(&mut self, who: &Participant) -> bool {
        self.look();
        self.moved.contains(&who.stay)
    }

    /// Whether that happened to the recording of this file at any time since.
    pub(super) fn saw(&mut self, kind: ChangeKind, path: &str) -> bool {
        self.look();
        self.recordings.contains(&(kind, path.into()))
    }

    /// FreeSWITCH's words, if it could not record to this file.
    pub(super) fn failure(&mut self, path: &str) -> Option<Arc<str>> {
        self.look();
        self.failed.get(path).cloned()
    }

    /// Waits for the next change of the conference.
    pub(super) async fn another(&mut self) {
        let change = self.changes.next().await;
        self.note(&change);
    }

    /// Waits until none of these is in the conference any more.
    pub(super) async fn gone(&mut self, conference: &Conference, leaving: &[Arc<Participant>]) {
        let stays = |all: &[Arc<Participant>]| all.iter().map(|who| who.stay).collect::<HashSet<_>>();
        let still = |left: &HashSet<u32>| {
            let present = stays(&conference.participants());
            left.intersection(&present).copied().collect::<HashSet<_>>()
        };
        let mut left = still(&stays(leaving));
        while !left.is_empty() {
            let change = self.changes.next().await;
            self.note(&change);
            if let (ChangeKind::Left, Some((who, _))) = (change.kind, &change.participant) {
                left.remove(&who.stay);
            }
            if self.changes.has_missed() {
                left = still(&left);
            }
        }
    }

    /// Waits until something is so that changes tell of.
    pub(super) async fn until(&mut self, is_so: impl Fn() -> bool) {
        while !is_so() {
            self.changes.next().await;
        }
    }
}
