//! What can be asked of a switch, and what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::state::{Flag, MemberState};
use crate::actions::words::{Digits, Media, RecordingFile, RecordingPlace, Speech, Word};

/// Something to do to a whole conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConferenceAction {
    /// Nobody joins any more.
    Lock,
    /// Joining is allowed again.
    Unlock,
    /// Everybody hears a file.
    Play(Media),
    /// What everybody hears is stopped.
    StopPlay,
    /// A text is said to everybody.
    Say(Speech),
    /// The conference's settings are changed, one after another.
    Set(Vec<Setting>),
    /// It is recorded, or not any more.
    Record(Record),
    /// Everybody has to leave.
    End {
        /// Who says so.
        by: Option<Arc<str>>,
    },
}

/// Something to do about recordings. Where no file is named, all that run are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Begins one.
    Start {
        /// To this file.
        file: Option<RecordingFile>,
        /// Without a file, to a fresh one there.
        place: RecordingPlace,
    },
    /// Ends it.
    Stop(Option<RecordingFile>),
    /// Leaves out what comes now.
    Pause(Option<RecordingFile>),
    /// Goes on writing.
    Resume(Option<RecordingFile>),
}

impl Record {
    /// The file that is named.
    pub const fn file(&self) -> Option<&RecordingFile> {
        match self {
            Self::Start { file, .. } | Self::Stop(file) | Self::Pause(file) | Self::Resume(file) => {
                file.as_ref()
            }
        }
    }
}

/// A setting of a running conference (conference_api.c, `conference_api_set_conf_variable`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name, in the API and on the switch.
    pub name: &'static str,
    /// What it becomes.
    pub value: Word,
}

/// Something to do to participants.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    Kick {
        /// Who says so.
        by: Option<Arc<str>>,
    },
    /// Is held.
    Hold,
    /// Is not held any more.
    Unhold,
    /// Hears a file, alone.
    Play(Media),
    /// What is played to it alone is stopped.
    StopPlay,
    /// How loud it is heard, -4 to 4.
    VolumeIn(i8),
    /// How loud it hears, -4 to 4.
    VolumeOut(i8),
    /// From which energy on it counts as talking.
    Energy(u16),
    /// Gets the floor.
    Floor,
    /// Digits are sent to it.
    Dtmf(Digits),
    /// Goes to another conference.
    Transfer {
        /// Its name.
        to: Word,
        /// The profile that it begins with if it does not run.
        profile: Word,
    },
    /// A text is said to it alone.
    Say(Speech),
}

impl ConferenceAction {
    /// The word for it in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Play(_) => "play",
            Self::StopPlay => "stop_play",
            Self::Say(_) => "say",
            Self::Set(_) => "set",
            Self::Record(_) => "record",
            Self::End { .. } => "end",
        }
    }
}

impl ParticipantAction {
    /// The word for it in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Deaf => "deaf",
            Self::Undeaf => "undeaf",
            Self::Kick { .. } => "kick",
            Self::Hold => "hold",
            Self::Unhold => "unhold",
            Self::Play(_) => "play",
            Self::StopPlay => "stop_play",
            Self::VolumeIn(_) => "volume_in",
            Self::VolumeOut(_) => "volume_out",
            Self::Energy(_) => "energy",
            Self::Floor => "floor",
            Self::Dtmf(_) => "dtmf",
            Self::Transfer { .. } => "transfer",
            Self::Say(_) => "say",
        }
    }
}

/// Who of a conference is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, by participant id; `None`: all.
    pub participants: Option<BTreeSet<u32>>,
    /// Only moderators, or only the others.
    pub moderators: Option<bool>,
    /// Only who is muted, or is not.
    pub muted: Option<bool>,
    /// Only who talks, or does not.
    pub talking: Option<bool>,
    /// These not.
    pub except: BTreeSet<u32>,
}

impl Selection {
    /// Whether somebody is meant.
    pub fn has(&self, participant_id: u32, state: MemberState) -> bool {
        let is = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        self.participants.as_ref().is_none_or(|chosen| chosen.contains(&participant_id))
            && is(self.moderators, state.has(Flag::Moderator))
            && is(self.muted, !state.has(Flag::Speak))
            && is(self.talking, state.has(Flag::Talking))
            && !self.except.contains(&participant_id)
    }
}

/// What came of an action on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done, and seen.
    Done,
    /// It was so before.
    Already,
    /// It would be done; nothing was asked of the switch.
    WouldDo,
    /// The action is not for moderators.
    SkippedModerator,
    /// The target is not there any more.
    NotFound,
    /// It was not done.
    Failed,
    /// It was begun; what becomes of it is told later.
    Dialling,
    /// Nobody knows whether it was done.
    Unknown,
}

impl Outcome {
    /// The word for it in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::WouldDo => "would_do",
            Self::SkippedModerator => "skipped_moderator",
            Self::NotFound => "not_found",
            Self::Failed => "failed",
            Self::Dialling => "dialling",
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
    /// The member id of the other one, of a relation between two.
    pub other_participant: Option<u32>,
    /// Where it was tried.
    pub node: Arc<str>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub problem: Option<Problem>,
    /// The file that it was about.
    pub file: Option<Arc<str>>,
}
