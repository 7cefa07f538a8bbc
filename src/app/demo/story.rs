//! The story of the demo: a line for each change.

use std::sync::Arc;

use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Room, say};
use crate::registry::{Change, ChangeKind};

/// Prints what happens until nobody tells any more.
pub(super) async fn tell(mut changes: Receiver<Arc<Change>>, rooms: Vec<Room>) {
    loop {
        match changes.recv().await {
            Ok(change) => say(&line(&change, &rooms)),
            Err(RecvError::Lagged(missed)) => say(&format!("  ... {missed} changes went by unseen")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn line(change: &Change, rooms: &[Room]) -> String {
    let name = &*change.conference.name;
    let title = rooms.iter().find(|room| room.id == name).map_or(name, |room| room.title);
    let who = change.participant.as_ref().map_or("nobody", |(participant, _)| &*participant.caller_name);
    let what = match change.kind {
        ChangeKind::ConferenceCreated => "begins".to_owned(),
        ChangeKind::ConferenceDestroyed => "is over".to_owned(),
        ChangeKind::Locked => "is locked".to_owned(),
        ChangeKind::Unlocked => "is open again".to_owned(),
        ChangeKind::Joined => format!("{who} joins"),
        ChangeKind::Left => format!("{who} leaves"),
        ChangeKind::StartedTalking => format!("{who} talks"),
        ChangeKind::StoppedTalking => format!("{who} is silent"),
        ChangeKind::Muted => format!("{who} is muted"),
        ChangeKind::Unmuted => format!("{who} can be heard again"),
        ChangeKind::Deafened => format!("{who} is deaf"),
        ChangeKind::Undeafened => format!("{who} hears again"),
        ChangeKind::Held => format!("{who} is on hold"),
        ChangeKind::Unheld => format!("{who} is back from hold"),
        ChangeKind::FloorChanged => format!("{who} has the floor"),
        ChangeKind::ParticipantUpdated => format!("{who} has changed"),
        ChangeKind::RecordingStarted => "is recorded".to_owned(),
        ChangeKind::RecordingFailed => "cannot be recorded".to_owned(),
        ChangeKind::RecordingStopped => "is not recorded any more".to_owned(),
        ChangeKind::RecordingPaused => "is not recorded for a while".to_owned(),
        ChangeKind::RecordingResumed => "is recorded again".to_owned(),
        ChangeKind::ConferenceStale => "is out of reach".to_owned(),
        ChangeKind::ConferenceRecovered => "is within reach again".to_owned(),
    };
    let seconds = change.at.unix_ms / 1_000 % 86_400;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("  {hours:02}:{minutes:02}:{seconds:02}  {title:<10} {what}")
}
