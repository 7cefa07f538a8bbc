//! What changed, as it is told to everybody who listens.

use std::sync::Arc;

use super::conference::{Conference, Participant, Recording};
use crate::model::{MemberState, Moment};

/// One numbered change of one conference. The numbers of an instance begin at 1 and have no gaps.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where it happened.
    pub conference: Arc<Conference>,
    /// The change's number in this instance of the conference.
    pub number: u64,
    /// When it was seen here.
    pub at: Moment,
    /// What happened.
    pub kind: ChangeKind,
    /// Whom it happened to, and his state after it.
    pub participant: Option<(Arc<Participant>, MemberState)>,
    /// Why, where that is not plain.
    pub reason: Reason,
    /// What else there is to tell of it.
    pub detail: Option<Detail>,
    /// Which event of the switch has told it: its `Event-Sequence`, and the how many-eth change of that event this is.
    /// 0 if it was no event.
    pub cause: (u64, u32),
}

/// What some kinds of change tell beside the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Why somebody left.
    Left(LeftReason),
    /// The recording, as it is after the change, or was before it ended.
    Recording(Arc<Recording>),
    /// The file that could not be recorded to, and FreeSWITCH's words.
    RecordingFailed(Arc<str>, Arc<str>),
}

/// Why somebody left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftReason {
    /// The call has ended; the cause, as FreeSWITCH names it (`NORMAL_CLEARING`).
    Hangup(Arc<str>),
    /// The call goes on and nobody has told him to go: a key, or somebody has taken the call elsewhere.
    Left,
    /// He was told to go; by whom, if it was through this daemon.
    Kicked(Option<Arc<str>>),
    /// He went to that conference, if it was one.
    Transferred(Option<Arc<str>>),
    /// The conference ended; by whom, if it was through this daemon.
    ConferenceEnded(Option<Arc<str>>),
    /// The node was started anew, is lost or was taken away.
    NodeLost,
    /// A list does not have him any more, and nothing has told why.
    Unknown,
}

impl LeftReason {
    /// The word for it in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hangup(_) => "hangup",
            Self::Left => "left",
            Self::Kicked(_) => "kicked",
            Self::Transferred(_) => "transferred",
            Self::ConferenceEnded(_) => "conference_ended",
            Self::NodeLost => "node_lost",
            Self::Unknown => "unknown",
        }
    }
}

/// What happened. A change tells a difference that was not there before: muting somebody who is muted
/// already is no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The conference began, or was found.
    ConferenceCreated,
    /// The conference ended, or is gone.
    ConferenceDestroyed,
    /// Nobody joins any more.
    Locked,
    /// Joining is allowed again.
    Unlocked,
    /// Somebody joined, or was found.
    Joined,
    /// Somebody left, or is gone.
    Left,
    /// Somebody began to talk.
    StartedTalking,
    /// Somebody ended talking.
    StoppedTalking,
    /// Somebody is not heard any more.
    Muted,
    /// Somebody is heard again.
    Unmuted,
    /// Somebody does not hear any more.
    Deafened,
    /// Somebody hears again.
    Undeafened,
    /// Somebody was put on hold.
    Held,
    /// Somebody is back from hold.
    Unheld,
    /// The floor went to the participant of the change, or to nobody. Only one has it at a time.
    FloorChanged,
    /// Something else about a participant.
    ParticipantUpdated,
    /// The conference is recorded to a file, or was found to be.
    RecordingStarted,
    /// The conference was to be recorded, and is not.
    RecordingFailed,
    /// A recording has ended, or is gone.
    RecordingStopped,
    /// A recording goes on without writing.
    RecordingPaused,
    /// A recording writes again.
    RecordingResumed,
    /// The node is out of reach for a while: what is known of the conference is old.
    ConferenceStale,
    /// The node is back: what has been told of the conference up to here is so again.
    ConferenceRecovered,
}

impl ChangeKind {
    /// The event's name as clients know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConferenceCreated => "conference-create",
            Self::ConferenceDestroyed => "conference-destroy",
            Self::Locked => "lock",
            Self::Unlocked => "unlock",
            Self::Joined => "add-member",
            Self::Left => "del-member",
            Self::StartedTalking => "start-talking",
            Self::StoppedTalking => "stop-talking",
            Self::Muted => "mute-member",
            Self::Unmuted => "unmute-member",
            Self::Deafened => "deaf-member",
            Self::Undeafened => "undeaf-member",
            Self::Held => "hold-member",
            Self::Unheld => "unhold-member",
            Self::FloorChanged => "floor-change",
            Self::ParticipantUpdated => "participant-update",
            Self::RecordingStarted => "recording-started",
            Self::RecordingFailed => "recording-failed",
            Self::RecordingStopped => "recording-stopped",
            Self::RecordingPaused => "recording-paused",
            Self::RecordingResumed => "recording-resumed",
            Self::ConferenceStale => "conference-stale",
            Self::ConferenceRecovered => "conference-recovered",
        }
    }
}

/// Where a change is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An event of the switch.
    Event,
    /// A list of the switch: the event was lost, or never sent.
    List,
    /// The switch was started anew.
    NodeRestarted,
    /// The node is out of reach for too long. Whether it still runs there is not known.
    NodeLost,
    /// The node has been taken out of the configuration, or is gone for good.
    NodeGone,
}

/// Takes changes from the writers. Called on the event path: it must return at once.
pub trait Publish: Send + Sync {
    /// Takes one change, in the order in which they happened on its node.
    fn publish(&self, change: Change);

    /// Whether anybody listens; if not, changes are counted but not made.
    fn is_heard(&self) -> bool {
        true
    }
}

impl<T: Publish + ?Sized> Publish for Arc<T> {
    fn publish(&self, change: Change) {
        (**self).publish(change);
    }

    fn is_heard(&self) -> bool {
        (**self).is_heard()
    }
}

/// Nobody listens.
impl Publish for () {
    fn publish(&self, _: Change) {}

    fn is_heard(&self) -> bool {
        false
    }
}

impl Publish for std::sync::Mutex<Vec<Change>> {
    fn publish(&self, change: Change) {
        self.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(change);
    }
}
