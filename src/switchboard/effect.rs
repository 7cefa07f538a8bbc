//! What shows that an action has been done.

use std::sync::Arc;

use crate::model::{Flag, ParticipantAction, Problem};
use crate::registry::{Conference, Participant, Sender};

/// All that FreeSWITCH told has been seen, and it is not as was asked.
pub(super) const NOT_SO: Problem = Problem::NotSeen("accepted, but it is not so");

/// Somebody who has to leave is still there.
pub(super) const NOT_LEFT: Problem = Problem::NotSeen("accepted, but the participant has not left yet");

/// What the registry says is not so any more.
pub(super) const LOST: Problem = Problem::NotSeen("the node was lost before it was seen");

/// What an action does to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// His state becomes this.
    Becomes(Flag, bool),
    /// He leaves.
    Leaves,
    /// He goes to another conference.
    Moves,
    /// Nothing that shows in his state: FreeSWITCH's word is all there is.
    Said,
}

impl Effect {
    /// Whether one command does it to all at once, and its reply tells of each.
    pub(super) fn is_told_of_all(self) -> bool {
        matches!(self, Self::Becomes(..) | Self::Leaves)
    }
}

pub(super) fn effect(action: &ParticipantAction) -> Effect {
    match action {
        ParticipantAction::Mute => Effect::Becomes(Flag::Speak, false),
        ParticipantAction::Unmute => Effect::Becomes(Flag::Speak, true),
        ParticipantAction::Deaf => Effect::Becomes(Flag::Hear, false),
        ParticipantAction::Undeaf => Effect::Becomes(Flag::Hear, true),
        ParticipantAction::Hold => Effect::Becomes(Flag::Hold, true),
        ParticipantAction::Unhold => Effect::Becomes(Flag::Hold, false),
        ParticipantAction::Floor => Effect::Becomes(Flag::Floor, true),
        ParticipantAction::Kick { .. } => Effect::Leaves,
        ParticipantAction::Transfer { .. } => Effect::Moves,
        ParticipantAction::Play(_)
        | ParticipantAction::StopPlay
        | ParticipantAction::VolumeIn(_)
        | ParticipantAction::VolumeOut(_)
        | ParticipantAction::Energy(_)
        | ParticipantAction::Dtmf(_)
        | ParticipantAction::Say(_) => Effect::Said,
    }
}

/// Participants who are being told to go, and by whom: they leave with his name.
pub(super) struct Sending(Option<Arc<Sender>>, Vec<Arc<Participant>>);

impl Sending {
    /// Notes it before the command is sent: the leaving may be seen before the reply.
    pub(super) fn of(action: &ParticipantAction, all: &[Arc<Participant>]) -> Self {
        match action {
            ParticipantAction::Kick { by } => Self::noted(by.as_ref(), false, all),
            _ => Self(None, Vec::new()),
        }
    }

    /// The same for a conference that is to end.
    pub(super) fn by(name: Option<&Arc<str>>, all: &[Arc<Participant>]) -> Self {
        Self::noted(name, true, all)
    }

    /// Whoever is told to go by somebody else already keeps his name.
    fn noted(name: Option<&Arc<str>>, ends: bool, all: &[Arc<Participant>]) -> Self {
        let Some(name) = name else { return Self(None, Vec::new()) };
        let sender = Arc::new(Sender { name: name.clone(), ends });
        let mine = all.iter().filter(|participant| participant.claim_sending(&sender)).cloned().collect();
        Self(Some(sender), mine)
    }

    /// Passes a problem on. Where nobody knows whether it was done, the name stays.
    pub(super) fn refused(self, problem: Problem) -> Problem {
        if !matches!(problem, Problem::NotSeen(_)) {
            self.was_in_vain();
        }
        problem
    }

    /// FreeSWITCH did not do it.
    pub(super) fn was_in_vain(self) {
        self.was_in_vain_for(|_| true);
    }

    /// FreeSWITCH did not do it to these.
    pub(super) fn was_in_vain_for(self, is_one: impl Fn(&Participant) -> bool) {
        for participant in self.1.iter().filter(|participant| is_one(participant)) {
            if let Some(sender) = &self.0 {
                participant.give_up_sending(sender);
            }
        }
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
