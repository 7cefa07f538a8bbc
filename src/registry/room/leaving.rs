//! Why somebody leaves: what the switch has told before he does.

use std::sync::Arc;

use super::{Member, Room};
use crate::model::{ConferenceEvent, EventKind, Extra};
use crate::registry::change::{LeftReason, Reason};

/// What has been told of somebody who is about to leave.
pub(super) enum Leaving {
    /// He has to.
    Kicked,
    /// He goes to that conference, if it is one.
    Transferred(Option<Arc<str>>),
}

impl Room {
    /// FreeSWITCH tells that somebody has to leave before he leaves (conference_api.c,
    /// `conference_api_sub_kick`, `conference_api_sub_transfer`).
    pub(super) fn note_leaving(&mut self, event: &ConferenceEvent<'_>) {
        let leaving = match (event.kind, event.extra.as_deref()) {
            (EventKind::Kicked, _) => Leaving::Kicked,
            (EventKind::Transferred, Some(Extra::To(to))) => Leaving::Transferred(Some((**to).into())),
            (EventKind::Transferred, _) => Leaving::Transferred(None),
            _ => return,
        };
        let member = event.member.as_ref().and_then(|facts| self.members.get_mut(&*facts.call_id));
        if let Some(member) = member
            && event.sequence > member.joined_sequence
        {
            // Of who is told to go and is sent somewhere at the same time nearly always the second comes true.
            let is_sent = matches!(member.leaving, Some(Leaving::Transferred(_)));
            if !is_sent || matches!(leaving, Leaving::Transferred(_)) {
                member.leaving = Some(leaving);
            }
        }
    }
}

impl Member {
    /// Why he left.
    pub(super) fn why(&self, extra: Option<&Extra<'_>>, reason: Reason) -> LeftReason {
        let sender = self.participant.sender();
        match (&self.leaving, extra) {
            (Some(Leaving::Transferred(to)), _) => LeftReason::Transferred(to.clone()),
            // A profile may keep the event of kicking back; the call of who was kicked goes on.
            (Some(Leaving::Kicked), _) | (None, None) if sender.is_some() || self.leaving.is_some() => {
                match sender {
                    Some(sender) if sender.ends => LeftReason::ConferenceEnded(Some(sender.name.clone())),
                    sender => LeftReason::Kicked(sender.map(|sender| sender.name.clone())),
                }
            }
            (_, Some(Extra::HungUp(cause))) => LeftReason::Hangup((**cause).into()),
            _ => match reason {
                Reason::Event => LeftReason::Left,
                Reason::List => LeftReason::Unknown,
                Reason::NodeRestarted | Reason::NodeLost | Reason::NodeGone => LeftReason::NodeLost,
            },
        }
    }

    /// Why he left if he did with the conference.
    pub(super) fn why_at_the_end(&self, reason: Reason) -> LeftReason {
        match self.why(None, reason) {
            LeftReason::Left | LeftReason::Unknown => LeftReason::ConferenceEnded(None),
            other => other,
        }
    }
}
