//! Going to another conference: done when he stands in it as he was.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Switchboard;
use super::effect::NOT_SO;
use crate::model::{Flag, MemberState, Outcome, ParticipantAction, Problem};
use crate::registry::{Change, Conference, Participant};

impl Switchboard {
    /// Who was sent to another conference is in it, as he was: FreeSWITCH lets him hear and speak there.
    pub(super) async fn moved(
        &self,
        conference: &Arc<Conference>,
        (participant, before): (&Arc<Participant>, MemberState),
        action: &ParticipantAction,
        everywhere: Option<Receiver<Arc<Change>>>,
    ) -> Result<Outcome, Problem> {
        let ParticipantAction::Transfer { to, .. } = action else { return Err(NOT_SO) };
        let to = to.to_string();
        let arrived = || {
            let all = self.registry.conference(&to);
            let here = all.iter().filter(|target| target.node == conference.node);
            here.filter_map(|target| Some((target.clone(), target.by_call_id(&participant.call_id)?))).next()
        };
        let waiting = async {
            let Some(mut changes) = everywhere else { return };
            while arrived().is_none() && !matches!(changes.recv().await, Err(RecvError::Closed)) {}
        };
        // Without the arrival it is not known where he is.
        let _ = tokio::time::timeout(self.effect_within, waiting).await;
        let Some((target, there)) = arrived() else {
            return Err(Problem::NotSeen("accepted, but the participant has not arrived yet"));
        };
        for (flag, action) in [(Flag::Speak, ParticipantAction::Mute), (Flag::Hear, ParticipantAction::Deaf)]
        {
            if !before.has(flag) {
                match Box::pin(self.one(&target, &there, &action)).await? {
                    Outcome::Done | Outcome::Already => {}
                    other => return Ok(other),
                }
            }
        }
        Ok(Outcome::Done)
    }
}
