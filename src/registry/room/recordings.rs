//! What a conference is recorded to.
//!
//! Events of one file are ordered by their sequence numbers, and a file whose recording has ended is remembered
//! for a while, so that an older event does not bring it back. A list has all recordings among its members.

use std::sync::Arc;

use super::{LINKED_WITHIN_MS, REMEMBER_MS, Room, Step};
use crate::model::{EventKind, ListedRecording};
use crate::registry::change::{ChangeKind, Detail, Reason};
use crate::registry::conference::Recording;
use crate::registry::writer::Mark;

/// The recordings of a room, those among them that have ended a moment ago. There are few.
#[derive(Default)]
pub(super) struct Recordings(Vec<File>);

/// Files remembered before those that have ended long ago are forgotten.
const MANY: usize = 16;

/// A file that is, or was, recorded to.
struct File {
    path: Arc<str>,
    /// The highest sequence number seen.
    sequence: u64,
    /// The arrival of the latest event about it.
    touched: u64,
    /// When that was, on the monotonic clock.
    touched_ms: u64,
    /// The recording, unless it has ended.
    running: Option<Arc<Recording>>,
}

impl Recordings {
    pub(super) fn running(&self) -> Vec<Arc<Recording>> {
        self.0.iter().filter_map(|file| file.running.clone()).collect()
    }

    /// The file of that path, which may be new.
    fn file(&mut self, path: &str, now_ms: u64) -> &mut File {
        let known = self.0.iter().position(|file| &*file.path == path);
        let at = known.unwrap_or_else(|| {
            if self.0.len() >= MANY {
                let is_fresh = |file: &File| now_ms.saturating_sub(file.touched_ms) < REMEMBER_MS;
                self.0.retain(|file| file.running.is_some() || is_fresh(file));
            }
            let (sequence, touched, running) = (0, 0, None);
            self.0.push(File { path: path.into(), sequence, touched, touched_ms: now_ms, running });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl Room {
    /// Applies what an event tells of a recording.
    pub(super) fn record(
        &mut self,
        kind: EventKind,
        sequence: u64,
        (path, error): (&str, Option<&str>),
        step: &Step<'_>,
    ) {
        let file = self.recordings.file(path, step.now.monotonic_ms);
        (file.touched, file.touched_ms) = (step.arrival, step.now.monotonic_ms);
        if sequence <= file.sequence {
            return;
        }
        file.sequence = sequence;
        match (kind, error) {
            (EventKind::RecordingStarted, Some(words)) => {
                let detail = Detail::RecordingFailed(file.path.clone(), words.into());
                self.tell(ChangeKind::RecordingFailed, None, Some(detail), step);
            }
            (EventKind::RecordingStopped, _) => {
                self.set_recording(path, None, step);
            }
            // Pausing tells that it runs, too, if its beginning has not been seen.
            _ => {
                let since_unix_ms =
                    file.running.as_ref().map_or(step.now.unix_ms, |running| running.since_unix_ms);
                let paused = kind == EventKind::RecordingPaused;
                let recording = Recording { path: file.path.clone(), paused, since_unix_ms };
                self.set_recording(path, Some(recording), step);
            }
        }
    }

    /// Stores what is known of a recording now, and tells each difference. Gives whether there was one.
    fn set_recording(&mut self, path: &str, now: Option<Recording>, step: &Step<'_>) -> bool {
        let file = self.recordings.file(path, step.now.monotonic_ms);
        let before = std::mem::replace(&mut file.running, now.map(Arc::new));
        let now = file.running.clone();
        if before == now {
            return false;
        }
        self.conference.set_recordings(self.recordings.running());
        let told = |kind, recording: &Arc<Recording>| {
            self.tell(kind, None, Some(Detail::Recording(recording.clone())), step);
        };
        let was_paused = before.as_ref().is_some_and(|before| before.paused);
        match (&before, &now) {
            (Some(before), None) => told(ChangeKind::RecordingStopped, before),
            (None, Some(now)) => told(ChangeKind::RecordingStarted, now),
            _ => {}
        }
        match &now {
            Some(now) if now.paused && !was_paused => told(ChangeKind::RecordingPaused, now),
            Some(now) if !now.paused && was_paused => told(ChangeKind::RecordingResumed, now),
            _ => {}
        }
        true
    }

    /// Compares with the recordings of a list; gives the number of differences.
    pub(super) fn reconcile_recordings(
        &mut self,
        listed: &[ListedRecording],
        mark: Mark,
        step: &Step<'_>,
    ) -> u32 {
        let mut repaired = 0;
        for found in listed {
            let file = self.recordings.file(&found.path, step.now.monotonic_ms);
            if file.touched > mark.arrival {
                continue;
            }
            file.sequence = file.sequence.max(mark.sequence);
            let since_unix_ms = match &file.running {
                Some(running) => running.since_unix_ms,
                None => found.since_unix_s.saturating_mul(1_000),
            };
            let recording = Recording { path: file.path.clone(), paused: found.paused, since_unix_ms };
            repaired += u32::from(self.set_recording(&found.path, Some(recording), step));
        }
        // It is told of before it is put into the list (conference_record.c, `conference_record_thread_run`).
        let is_old = |file: &File| {
            file.touched <= mark.arrival
                && (file.touched == 0 || mark.at_ms.saturating_sub(file.touched_ms) >= LINKED_WITHIN_MS)
        };
        let files = self.recordings.0.iter().filter(|file| file.running.is_some() && is_old(file));
        let missing = files.filter(|file| !listed.iter().any(|found| found.path == *file.path));
        let missing: Vec<_> = missing.map(|file| file.path.clone()).collect();
        for path in missing {
            let file = self.recordings.file(&path, step.now.monotonic_ms);
            file.sequence = file.sequence.max(mark.sequence);
            repaired += u32::from(self.set_recording(&path, None, step));
        }
        repaired
    }

    /// What is still recorded ends with the conference. Of a node that is out of reach nobody knows.
    pub(super) fn end_recordings(&mut self, step: &Step<'_>) {
        let running = self.recordings.running();
        self.recordings = Recordings::default();
        self.conference.set_recordings(Vec::new());
        if matches!(step.reason, Reason::NodeLost | Reason::NodeGone) {
            return;
        }
        for recording in running {
            self.tell(ChangeKind::RecordingStopped, None, Some(Detail::Recording(recording)), step);
        }
    }
}
