//! What must hold of a room after each step, for tests.

use std::sync::Arc;

use super::Room;
use crate::model::Flag;

impl Room {
    /// What must hold after each step; the text says what does not.
    pub(in crate::registry) fn check(&self) -> Result<(), String> {
        let name = &self.conference.name;
        let shown = self.conference.participants();
        if shown.len() != self.members.len() {
            return Err(format!("{name}: {} members, {} shown", self.members.len(), shown.len()));
        }
        for participant in &shown {
            let Some(member) = self.members.get(&participant.call_id) else {
                return Err(format!("{name}: {} is shown and no member", participant.call_id));
            };
            if !Arc::ptr_eq(&member.participant, participant) {
                return Err(format!("{name}: {} is shown as he was", participant.call_id));
            }
            let holds = self.floor.value.as_ref() == Some(&participant.call_id);
            if participant.state().has(Flag::Floor) != holds {
                return Err(format!("{name}: {} and the room differ on the floor", participant.call_id));
            }
            if self.gone.contains_key(&participant.call_id) {
                return Err(format!("{name}: {} is here and gone", participant.call_id));
            }
        }
        if *self.conference.recordings() != self.recordings.running() {
            return Err(format!("{name}: its recordings are shown as they were"));
        }
        match &self.floor.value {
            Some(call_id) if !self.members.contains_key(call_id) => {
                Err(format!("{name}: {call_id} left with the floor"))
            }
            _ => Ok(()),
        }
    }
}
