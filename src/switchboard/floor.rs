//! The floor, which FreeSWITCH takes from him who has it when he is to get it.

use super::Switchboard;
use crate::model::{Flag, ParticipantAction, Problem};
use crate::node::Node;
use crate::registry::{Conference, Participant};

impl Switchboard {
    /// Whether somebody is to get the floor and has it: then the command would take it from him
    /// (conference_api.c, `conference_api_sub_floor`).
    pub(super) async fn has_floor_already(
        &self,
        node: &Node,
        conference: &Conference,
        participant: &Participant,
        action: &ParticipantAction,
    ) -> Result<bool, Problem> {
        if !matches!(action, ParticipantAction::Floor) || !participant.state().has(Flag::Floor) {
            return Ok(false);
        }
        // He may have lost it, and nothing has told that yet.
        node.fence().await.map_err(|_| Problem::Unavailable)?;
        let now = conference.by_call_id(&participant.call_id);
        Ok(now.is_some_and(|now| now.state().has(Flag::Floor)))
    }
}
