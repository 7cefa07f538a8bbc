//! What shows that an action has been done.

use crate::model::{Flag, ParticipantAction, Problem};
use crate::registry::{Conference, Participant};

/// All that FreeSWITCH told has been seen, and it is not as was asked.
pub(super) const NOT_SO: Problem = Problem::NotSeen("accepted, but it is not so");

/// What the registry says is not so any more.
pub(super) const LOST: Problem = Problem::NotSeen("the node was lost before it was seen");

/// What an action does to a participant's state; kicking ends it instead.
pub(super) fn effect(action: ParticipantAction) -> Option<(Flag, bool)> {
    match action {
        ParticipantAction::Mute => Some((Flag::Speak, false)),
        ParticipantAction::Unmute => Some((Flag::Speak, true)),
        ParticipantAction::Deaf => Some((Flag::Hear, false)),
        ParticipantAction::Undeaf => Some((Flag::Hear, true)),
        ParticipantAction::Kick => None,
    }
}

/// Whether the same stay of the same call is still in the conference.
pub(super) fn is_in(conference: &Conference, participant: &Participant) -> bool {
    let now = conference.by_call_id(&participant.call_id);
    now.is_some_and(|now| now.stay == participant.stay)
}

/// Whether the participant is as asked, or has left meanwhile.
pub(super) fn shows(conference: &Conference, participant: &Participant, flag: Flag, value: bool) -> bool {
    conference.by_call_id(&participant.call_id).is_none_or(|now| now.state().has(flag) == value)
}
