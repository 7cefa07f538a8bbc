//! What is told of somebody who is here: his names, his flags, and each difference as a change.

use std::sync::Arc;

use super::{Room, Step};
use crate::model::{Flag, MemberFacts, MemberState};
use crate::registry::change::ChangeKind;
use crate::registry::writer::Odd;

impl Room {
    /// Takes over the whole state that an event tells of a member.
    pub(super) fn update(&mut self, sequence: u64, facts: &MemberFacts<'_>, step: &Step<'_>) -> Option<Odd> {
        let Some(member) = self.members.get_mut(&*facts.call_id) else {
            let known_gone = self.gone.get(&*facts.call_id).is_some_and(|gone| gone.sequence > sequence);
            return (!known_gone).then_some(Odd::UnknownMember);
        };
        member.touched = step.arrival;
        if sequence > member.sequence {
            member.sequence = sequence;
            let told = (&*facts.caller_name, &*facts.caller_number);
            let known = &member.participant;
            let joined = (known.joined_unix_ms, known.stay);
            match &member.misspelt {
                Some(names) if (&*names.0, &*names.1) == told => {
                    let names = (known.caller_name.clone(), known.caller_number.clone());
                    self.describe(&facts.call_id, facts.member_id, (&names.0, &names.1), joined, step);
                }
                _ => {
                    member.misspelt = None;
                    self.describe(&facts.call_id, facts.member_id, told, joined, step);
                }
            }
            self.set_state(&facts.call_id, facts.state, step);
            self.observe_floor(sequence, facts, step);
        }
        None
    }

    /// Replaces a participant whose names, or the time of whose joining, are not the known ones any more.
    pub(super) fn describe(
        &mut self,
        call_id: &str,
        member_id: u32,
        names: (&str, &str),
        joined: (u64, u32),
        step: &Step<'_>,
    ) {
        let Some(member) = self.members.get_mut(call_id) else { return };
        let old = &member.participant;
        let same =
            (&*old.caller_name, &*old.caller_number, old.joined_unix_ms) == (names.0, names.1, joined.0);
        if same && old.member_id == member_id {
            return;
        }
        member.participant = Arc::new(old.known_as(member_id, names, joined));
        self.participants.remove(&member.key);
        member.key = u64::from(member_id) << 32 | u64::from(joined.1);
        self.participants.insert(member.key, member.participant.clone());
        let participant = member.participant.clone();
        self.conference.set_participants(&self.participants);
        self.publish(ChangeKind::ParticipantUpdated, Some(&participant), step);
    }

    /// Stores a state and tells each difference; the floor is not among them.
    pub(super) fn set_state(&self, call_id: &str, state: MemberState, step: &Step<'_>) -> bool {
        let Some(member) = self.members.get(call_id) else { return false };
        let old = member.participant.state();
        let new = state.with(Flag::Floor, old.has(Flag::Floor));
        if new == old {
            return false;
        }
        member.participant.set_state(new);
        if new.without_current_energy() == old.without_current_energy() {
            return false;
        }
        const TOLD: [(Flag, ChangeKind, ChangeKind); 4] = [
            (Flag::Speak, ChangeKind::Unmuted, ChangeKind::Muted),
            (Flag::Hear, ChangeKind::Undeafened, ChangeKind::Deafened),
            (Flag::Hold, ChangeKind::Held, ChangeKind::Unheld),
            (Flag::Talking, ChangeKind::StartedTalking, ChangeKind::StoppedTalking),
        ];
        let mut rest = old.without_current_energy();
        for (flag, set, cleared) in TOLD {
            if old.has(flag) != new.has(flag) {
                rest = rest.with(flag, new.has(flag));
                self.publish(if new.has(flag) { set } else { cleared }, Some(&member.participant), step);
            }
        }
        if rest != new.without_current_energy() {
            self.publish(ChangeKind::ParticipantUpdated, Some(&member.participant), step);
        }
        true
    }
}
