//! What belongs to the room and to nobody in it: the floor and the lock, each with its own sequence number.

use super::{Member, Room, Step};
use crate::model::{Flag, MemberFacts};
use crate::registry::change::ChangeKind;

impl Room {
    /// What any event of a member says of the floor, if it is the newest of him.
    ///
    /// That he does not hold it says nothing of the others: the floor-change that gave it to somebody may
    /// be numbered before this and come later.
    pub(super) fn observe_floor(&mut self, sequence: u64, facts: &MemberFacts<'_>, step: &Step<'_>) {
        let holds = self.floor.value.as_deref() == Some(&*facts.call_id);
        match (facts.state.has(Flag::Floor), holds) {
            (true, _) => self.set_floor(Some(&facts.call_id), sequence, step),
            (false, true) if sequence > self.floor.sequence => {
                self.floor.touched = step.arrival;
                self.move_floor(None, step);
            }
            _ => {}
        }
    }

    /// Whether nothing newer has been seen of him.
    pub(super) fn is_news_of(&self, call_id: &str, sequence: u64) -> bool {
        self.members.get(call_id).is_some_and(|member| member.sequence <= sequence)
    }

    pub(super) fn set_floor(&mut self, holder: Option<&str>, sequence: u64, step: &Step<'_>) {
        self.floor.touched = step.arrival;
        if sequence > self.floor.sequence {
            self.floor.sequence = sequence;
            self.move_floor(holder, step);
        }
    }

    pub(super) fn move_floor(&mut self, holder: Option<&str>, step: &Step<'_>) -> bool {
        if self.floor.value.as_deref() == holder {
            return false;
        }
        let mark = |member: Option<&Member>, has: bool| {
            let participant = &member?.participant;
            participant.set_state(participant.state().with(Flag::Floor, has));
            Some(participant.clone())
        };
        mark(self.floor.value.as_deref().and_then(|call_id| self.members.get(call_id)), false);
        let new = mark(holder.and_then(|call_id| self.members.get(call_id)), true);
        self.floor.value = new.as_ref().map(|participant| participant.call_id.clone());
        self.publish(ChangeKind::FloorChanged, new.as_ref(), step);
        true
    }

    pub(super) fn set_lock(&mut self, locked: bool, sequence: u64, step: &Step<'_>) {
        self.lock.touched = step.arrival;
        if sequence > self.lock.sequence {
            self.lock.sequence = sequence;
            self.turn_lock(locked, step);
        }
    }

    pub(super) fn turn_lock(&self, locked: bool, step: &Step<'_>) -> bool {
        let differs = self.conference.is_locked() != locked;
        if differs {
            self.conference.set_locked(locked);
            self.publish(if locked { ChangeKind::Locked } else { ChangeKind::Unlocked }, None, step);
        }
        differs
    }
}
