//! What can be asked of a switch, and what came of it.

use std::sync::Arc;

/// Something to do to a whole conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConferenceAction {
    /// Nobody joins any more.
    Lock,
    /// Joining is allowed again.
    Unlock,
}

/// Something to do to participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParticipantAction {
    /// Is not heard any more.
    Mute,
    /// Is heard again.
    Unmute,
    /// Does not hear any more.
    Deaf,
    /// Hears again.
    Undeaf,
    /// Has to leave the conference.
    Kick,
}

impl ConferenceAction {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Lock, Self::Unlock];

    /// The word for it, in the API and on the switch.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Unlock => "unlock",
        }
    }
}

impl ParticipantAction {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Mute, Self::Unmute, Self::Deaf, Self::Undeaf, Self::Kick];

    /// The word for it in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Deaf => "deaf",
            Self::Undeaf => "undeaf",
            Self::Kick => "kick",
        }
    }
}

/// What came of an action on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done, and seen.
    Done,
    /// It was so before.
    Already,
    /// The action is not for moderators.
    SkippedModerator,
    /// The target is not there any more.
    NotFound,
    /// It was not done.
    Failed,
    /// Nobody knows whether it was done.
    Unknown,
}

impl Outcome {
    /// The word for it in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::SkippedModerator => "skipped_moderator",
            Self::NotFound => "not_found",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is known what came of it.
    pub const fn is_decided(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Whether things are now as they were asked to be.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Done | Self::Already)
    }
}

/// Why an action did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// FreeSWITCH said no, or something that is not understood; its words.
    #[error("FreeSWITCH answered: {0}")]
    Refused(String),
    /// The name cannot be sent in a command.
    #[error("unaddressable")]
    Unaddressable,
    /// The command was not sent: there is no connection.
    #[error("there is no connection to the node")]
    Unavailable,
    /// The command was not sent: the node is out of reach, and what is known of the conference is old.
    #[error("stale")]
    Stale,
    /// The command was sent; no answer, or no sign of its effect, came in time.
    #[error("{0}")]
    NotSeen(&'static str),
}

/// What came of an action, for one target on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionResult {
    /// The participant's member id; `None` for the conference itself.
    pub participant_id: Option<u32>,
    /// The participant's call, if it is known.
    pub call_id: Option<Arc<str>>,
    /// Where it was tried.
    pub node: Arc<str>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub problem: Option<Problem>,
}
