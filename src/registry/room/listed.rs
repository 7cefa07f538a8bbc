//! A room compared with the switch's own list of it.
//!
//! Owns: which of both is believed, member by member, for the floor and for the lock. The list is of some
//! moment between two fences; whatever an event has touched since the first of them is newer, or may be.

use std::sync::Arc;

use super::{JOINED_WITHIN_MS, LINKED_WITHIN_MS, Room, Step};
use crate::model::{Flag, ListedConference, ListedMember, MemberState};
use crate::registry::Set;
use crate::registry::change::ChangeKind;
use crate::registry::conference::Participant;
use crate::registry::writer::Mark;

impl Room {
    /// Compares with the switch's own list. Gives the number of differences that were repaired, and
    /// whether the list may have missed somebody who has just joined.
    pub(in crate::registry) fn reconcile(
        &mut self,
        listed: &ListedConference,
        mark: Mark,
        step: &Step<'_>,
    ) -> (u32, bool) {
        let (mut known, mut found) = (Vec::new(), Vec::new());
        // FreeSWITCH lists the newest first.
        for member in listed.members.iter().rev() {
            match self.members.contains_key(&*member.call_id) {
                true => known.push(member),
                false => found.extend(self.find(member, mark, step)),
            }
        }
        self.show(&found, step);
        let mut repaired = u32::try_from(found.len()).unwrap_or(u32::MAX);
        for member in known {
            repaired += u32::from(self.reconcile_member(member, mark, step));
        }
        let (missing, unsure) = self.missing(listed, mark);
        repaired += u32::try_from(missing.len()).unwrap_or(u32::MAX);
        for call_id in missing {
            self.remove(&call_id, None, step);
        }
        // A list that has missed the holder himself does not say that nobody holds it.
        let missed = |holder: &Arc<str>| !listed.members.iter().any(|member| *member.call_id == **holder);
        if self.floor.touched <= mark.arrival && !self.floor.value.as_ref().is_some_and(missed) {
            self.floor.sequence = self.floor.sequence.max(mark.sequence);
            let holder = listed.members.iter().find(|member| member.state.has(Flag::Floor));
            let holder =
                holder.map(|member| &*member.call_id).filter(|call_id| self.members.contains_key(*call_id));
            repaired += u32::from(self.move_floor(holder, step));
        }
        if self.lock.touched <= mark.arrival {
            self.lock.sequence = self.lock.sequence.max(mark.sequence);
            repaired += u32::from(self.turn_lock(listed.locked, step));
        }
        repaired += self.reconcile_recordings(&listed.recordings, mark, step);
        if self.first.is_none() {
            let oldest =
                listed.members.iter().max_by_key(|m| (m.joined_s_ago, std::cmp::Reverse(m.member_id)));
            self.first = oldest.map(|member| (*member.call_id).into());
        }
        (repaired, unsure)
    }

    /// Compares somebody who is known; gives whether he differed.
    fn reconcile_member(&mut self, listed: &ListedMember, mark: Mark, step: &Step<'_>) -> bool {
        let Some(member) = self.members.get_mut(&*listed.call_id) else { return false };
        if member.touched > mark.arrival {
            return false;
        }
        member.sequence = member.sequence.max(mark.sequence);
        let known = &member.participant;
        let state = listed_state(Some(known.state()), listed.state);
        let names = (&*listed.caller_name, &*listed.caller_number);
        if names != (&*known.caller_name, &*known.caller_number) {
            member.misspelt = Some(Box::new((known.caller_name.clone(), known.caller_number.clone())));
        }
        // The list was made at some time since the mark, and counts whole seconds.
        let doubt = JOINED_WITHIN_MS + step.now.monotonic_ms.saturating_sub(mark.at_ms);
        let joined = step.now.unix_ms.saturating_sub(listed.joined_s_ago.saturating_mul(1_000));
        let is_near = known.joined_unix_ms.abs_diff(joined) <= doubt;
        let joined = (if is_near { known.joined_unix_ms } else { joined }, known.stay);
        let before = self.conference.change_number();
        self.describe(&listed.call_id, listed.member_id, names, joined, step);
        self.set_state(&listed.call_id, state, step);
        before != self.conference.change_number()
    }

    /// Takes in somebody whom only the list tells of, unless he left after it was asked for.
    fn find(&mut self, listed: &ListedMember, mark: Mark, step: &Step<'_>) -> Option<Arc<Participant>> {
        if self.gone.get(&*listed.call_id).is_some_and(|gone| gone.touched > mark.arrival) {
            return None;
        }
        let names = (&*listed.caller_name, &*listed.caller_number);
        let joined = step.now.unix_ms.saturating_sub(listed.joined_s_ago.saturating_mul(1_000));
        let state = listed_state(None, listed.state);
        let joined = (joined, self.next_stay());
        let participant = Participant::new((*listed.call_id).into(), listed.member_id, names, joined, state);
        let first = self.first.take();
        let participant = self.seat(participant, mark.sequence, step);
        self.first = first;
        Some(participant)
    }

    /// Shows and tells those who were found. The list of participants is swapped once and not for each of them.
    fn show(&self, found: &[Arc<Participant>], step: &Step<'_>) {
        if !found.is_empty() {
            self.conference.set_participants(&self.participants);
        }
        for participant in found {
            self.publish(ChangeKind::Joined, Some(participant), step);
        }
    }

    /// Who is here and not in the list, and whether somebody else may be missing there.
    fn missing(&self, listed: &ListedConference, mark: Mark) -> (Vec<Arc<str>>, bool) {
        let in_list: Set<&str> = listed.members.iter().map(|member| &*member.call_id).collect();
        let mut unsure = false;
        let mut missing = Vec::new();
        for (call_id, member) in &self.members {
            if in_list.contains(&**call_id) {
                continue;
            }
            // By when the list was asked for and not by now: it may have been long on its way.
            let young =
                member.joined_sequence > 0 && mark.at_ms.saturating_sub(member.joined_ms) < LINKED_WITHIN_MS;
            if young || member.touched > mark.arrival {
                unsure = true;
            } else {
                missing.push((member.key, call_id.clone()));
            }
        }
        missing.sort_unstable();
        (missing.into_iter().map(|(_, call_id)| call_id).collect(), unsure)
    }
}

/// A list's flags made into what events tell: a list cuts hear, speak and see by hold, and tells neither
/// ghost nor current energy.
fn listed_state(old: Option<MemberState>, listed: MemberState) -> MemberState {
    let known = old.unwrap_or_default();
    let mut state =
        listed.with(Flag::Floor, known.has(Flag::Floor)).with(Flag::Ghost, known.has(Flag::Ghost));
    if let Some(energy) = known.current_energy() {
        state = state.with_current_energy(energy.into());
    }
    if listed.has(Flag::Hold) {
        for flag in [Flag::Hear, Flag::Speak, Flag::See] {
            state = state.with(flag, old.is_none_or(|old| old.has(flag)));
        }
    }
    state
}
