//! One run of a conference: how its events and lists become state.
//!
//! The rules (where they come from: mod_conference's order of events):
//!
//! * Each event carries the member's whole state; per member the highest sequence number wins.
//! * Leaving always removes, unless a newer joining of that call has been seen. Who left stays gone for
//!   what is older than his leaving, for five minutes, or until thousands more have left. Only joining and a list bring somebody in.
//! * The floor and the lock belong to the room and have a sequence number of their own.
//! * A list judges only what no event has touched since the fence before it, and removes nobody who
//!   joined a moment ago: FreeSWITCH tells of a member before it links him into its list.

mod check;
mod leaving;
mod listed;
mod recordings;
mod update;
mod whole;

use std::cell::Cell;
use std::sync::Arc;

use hashlink::LinkedHashMap;

use super::Map;
use super::change::{Change, ChangeKind, Detail, LeftReason, Publish, Reason};
use super::conference::{Conference, Participant, Participants};
use super::writer::Odd;
use crate::model::{AccountTag, ConferenceEvent, EventKind, Extra, Flag, MemberFacts, Moment};

use leaving::Leaving;
use recordings::Recordings;

/// How long a list may miss somebody who has joined.
const LINKED_WITHIN_MS: u64 = 2_000;
/// So much may a list and an event differ on when somebody joined.
const JOINED_WITHIN_MS: u64 = 3_000;
/// How long it is remembered who left.
const REMEMBER_MS: u64 = 300_000;
/// How many of them at most: where people come and go all the time the late events are of the last ones.
const MOST_GONE: usize = 4_096;

/// What one step needs from outside.
pub(super) struct Step<'a> {
    pub(super) publish: &'a dyn Publish,
    pub(super) now: Moment,
    /// The number of the event by its arrival; of a list, that of the last event before it.
    pub(super) arrival: u64,
    pub(super) reason: Reason,
    /// The event's `Event-Sequence`; 0 for what no event tells.
    pub(super) sequence: u64,
    /// How many changes it has come to.
    pub(super) told: Cell<u32>,
}

impl<'a> Step<'a> {
    /// One that an event takes.
    pub(super) fn of_event(publish: &'a dyn Publish, arrival: u64, sequence: u64, now: Moment) -> Self {
        Self { sequence, ..Self::of(publish, arrival, Reason::Event, now) }
    }

    /// One that something else takes.
    pub(super) fn of(publish: &'a dyn Publish, arrival: u64, reason: Reason, now: Moment) -> Self {
        Self { publish, now, arrival, reason, sequence: 0, told: Cell::new(0) }
    }
}

pub(super) struct Room {
    pub(super) conference: Arc<Conference>,
    /// The writer's copy of whose it is.
    pub(super) account: AccountTag,
    /// The conference's own variable told it: nothing goes before that.
    pub(super) account_is_variable: bool,
    members: Map<Arc<str>, Member>,
    participants: Participants,
    /// Who left lately, the latest last.
    gone: LinkedHashMap<Arc<str>, Gone, foldhash::fast::RandomState>,
    floor: Stamped<Option<Arc<str>>>,
    lock: Stamped<()>,
    recordings: Recordings,
    /// Whose call it is that tells the account: the first one's.
    first: Option<Arc<str>>,
    /// The arrival of the latest event.
    touched: u64,
    /// The highest sequence number, for what an event says of the whole room.
    sequence: u64,
    serial: u32,
}

/// A value with the sequence number that told it and when that arrived.
#[derive(Default)]
struct Stamped<T> {
    value: T,
    sequence: u64,
    touched: u64,
}

struct Member {
    participant: Arc<Participant>,
    /// Where he is in the snapshot.
    key: u64,
    /// The highest sequence number seen.
    sequence: u64,
    /// That of the event which told of his joining; 0 if only a list did.
    joined_sequence: u64,
    /// When that was, on the monotonic clock.
    joined_ms: u64,
    /// The arrival of the latest event about him.
    touched: u64,
    /// Why he is about to leave, if that has been told.
    leaving: Option<Leaving>,
    /// The names that events tell, where a list has told others: FreeSWITCH leaves `%41` in a name as it is and
    /// encodes what is beside it, so that an event cannot be read back (switch_utils.c, `switch_url_encode_opt`).
    misspelt: Option<Box<(Box<str>, Box<str>)>>,
}

struct Gone {
    /// The number of his leaving.
    sequence: u64,
    /// The highest number seen of him.
    seen: u64,
    touched: u64,
    at_ms: u64,
}

impl Room {
    pub(super) fn new(conference: Arc<Conference>) -> Self {
        Self {
            conference,
            account: AccountTag::Unknown,
            account_is_variable: false,
            members: Map::default(),
            participants: Participants::new(),
            gone: LinkedHashMap::default(),
            floor: Stamped::default(),
            lock: Stamped::default(),
            recordings: Recordings::default(),
            first: None,
            touched: 0,
            sequence: 0,
            serial: 0,
        }
    }

    pub(super) fn touched(&self) -> u64 {
        self.touched
    }

    /// Applies one event of this room.
    pub(super) fn apply(&mut self, event: &ConferenceEvent<'_>, step: &Step<'_>) -> Option<Odd> {
        self.touched = step.arrival;
        let mut odd = match (&event.member, event.kind) {
            (Some(facts), EventKind::Joined) => {
                self.join(event.sequence, facts, event.extra.as_deref(), step)
            }
            (Some(facts), EventKind::Left) => {
                self.leave(&facts.call_id, event.sequence, event.extra.as_deref(), step);
                None
            }
            (Some(facts), _) => self.update(event.sequence, facts, step),
            (None, _) => None,
        };
        self.note_leaving(event);
        match event.kind {
            EventKind::Locked => self.set_lock(true, event.sequence, step),
            EventKind::Unlocked => self.set_lock(false, event.sequence, step),
            EventKind::Played => self.conference.count_play(),
            EventKind::FloorChanged { .. } if odd.is_none() => {
                let holder = event.member.as_ref().map(|facts| &*facts.call_id);
                // Whoever has told something newer has told of the floor too.
                let holder = holder.filter(|call_id| self.is_news_of(call_id, event.sequence));
                self.set_floor(holder, event.sequence, step);
            }
            _ => {
                if let Some(Extra::Recording { path, error }) = event.extra.as_deref() {
                    self.record(event.kind, event.sequence, (path, error.as_deref()), step);
                }
            }
        }
        if event.sequence > self.sequence {
            self.sequence = event.sequence;
            if odd.is_none() && event.size.is_some_and(|size| size as usize != self.members.len()) {
                odd = Some(Odd::SizeDisagrees);
            }
        }
        odd
    }

    fn join(
        &mut self,
        sequence: u64,
        facts: &MemberFacts<'_>,
        extra: Option<&Extra<'_>>,
        step: &Step<'_>,
    ) -> Option<Odd> {
        if self.members.contains_key(&*facts.call_id) {
            self.join_anew(sequence, &facts.call_id, step);
            return self.update(sequence, facts, step);
        }
        let gone = self.gone.get(&*facts.call_id);
        if gone.is_some_and(|gone| gone.sequence > sequence) {
            return None;
        }
        // What was told of this stay before its beginning went with the one before.
        let overtaken = gone.is_some_and(|gone| gone.seen > sequence);
        let names = (&*facts.caller_name, &*facts.caller_number);
        let state = facts.state.with(Flag::Floor, false);
        let joined = (step.now.unix_ms, self.next_stay());
        let mut participant =
            Participant::new((*facts.call_id).into(), facts.member_id, names, joined, state);
        if let Some(Extra::Channel(channel)) = extra {
            participant = participant.on(Some(channel.clone()));
        }
        self.insert(participant, sequence, step);
        if let Some(member) = self.members.get_mut(&*facts.call_id) {
            member.joined_sequence = sequence;
            member.joined_ms = step.now.monotonic_ms;
        }
        self.observe_floor(sequence, facts, step);
        overtaken.then_some(Odd::Overtaken)
    }

    /// Somebody who is here is told to have joined. If that was long after what is known of him, he had left.
    fn join_anew(&mut self, sequence: u64, call_id: &str, step: &Step<'_>) {
        let stay = self.next_stay();
        let Some(member) = self.members.get_mut(call_id) else { return };
        if sequence <= member.joined_sequence {
            return;
        }
        // Told of twice he is here for the second time; found by a list before he was told of, for the first.
        let again = member.joined_sequence > 0;
        member.joined_sequence = sequence;
        member.joined_ms = step.now.monotonic_ms;
        member.leaving = None;
        let known = member.participant.clone();
        if again || known.joined_unix_ms.abs_diff(step.now.unix_ms) > JOINED_WITHIN_MS {
            let names = (&*known.caller_name, &*known.caller_number);
            self.describe(call_id, known.member_id, names, (step.now.unix_ms, stay), step);
        }
    }

    fn insert(&mut self, participant: Participant, sequence: u64, step: &Step<'_>) {
        let participant = self.seat(participant, sequence, step);
        self.conference.set_participants(&self.participants);
        self.publish(ChangeKind::Joined, Some(&participant), step);
    }

    fn next_stay(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Takes somebody in; he is neither shown nor told yet.
    fn seat(&mut self, participant: Participant, sequence: u64, step: &Step<'_>) -> Arc<Participant> {
        let participant = Arc::new(participant);
        let key = u64::from(participant.member_id) << 32 | u64::from(participant.stay);
        let call_id = participant.call_id.clone();
        let member = Member {
            participant: participant.clone(),
            key,
            sequence,
            joined_sequence: 0,
            joined_ms: 0,
            touched: step.arrival,
            leaving: None,
            misspelt: None,
        };
        self.gone.remove(&call_id);
        self.first.get_or_insert_with(|| call_id.clone());
        self.members.insert(call_id, member);
        self.participants.insert(key, participant.clone());
        participant
    }

    fn leave(&mut self, call_id: &str, sequence: u64, extra: Option<&Extra<'_>>, step: &Step<'_>) {
        let member = self.members.get(call_id);
        if member.is_some_and(|member| member.joined_sequence > sequence) {
            return;
        }
        let seen = member.map_or(sequence, |member| member.sequence.max(sequence));
        self.remove(call_id, extra, step);
        self.remember_gone(call_id, sequence, seen, step);
    }

    fn remove(&mut self, call_id: &str, extra: Option<&Extra<'_>>, step: &Step<'_>) {
        let Some(member) = self.unseat(call_id, step) else { return };
        self.participants.remove(&member.key);
        self.conference.set_participants(&self.participants);
        self.tell_left(&member, member.why(extra, step.reason), step);
    }

    fn tell_left(&self, member: &Member, why: LeftReason, step: &Step<'_>) {
        self.tell(ChangeKind::Left, Some(&member.participant), Some(Detail::Left(why)), step);
    }

    /// Lets go of somebody; he is still shown, and that he leaves is not told yet.
    fn unseat(&mut self, call_id: &str, step: &Step<'_>) -> Option<Member> {
        let member = self.members.remove(call_id)?;
        if self.floor.value.as_deref() == Some(call_id) {
            self.floor.value = None;
            member.participant.set_state(member.participant.state().with(Flag::Floor, false));
            self.publish(ChangeKind::FloorChanged, None, step);
        }
        if self.first.as_deref() == Some(call_id) {
            self.first = None;
        }
        Some(member)
    }

    fn remember_gone(&mut self, call_id: &str, sequence: u64, seen: u64, step: &Step<'_>) {
        let now_ms = step.now.monotonic_ms;
        let gone = Gone { sequence, seen, touched: step.arrival, at_ms: now_ms };
        let (sequence, seen) = self
            .gone
            .get(call_id)
            .map_or((sequence, seen), |before| (sequence.max(before.sequence), seen.max(before.seen)));
        // Behind all others: the oldest are in front.
        self.gone.insert(call_id.into(), Gone { sequence, seen, ..gone });
        let is_old = |gone: &Gone| now_ms.saturating_sub(gone.at_ms) >= REMEMBER_MS;
        while self.gone.len() > MOST_GONE || self.gone.front().is_some_and(|(_, gone)| is_old(gone)) {
            self.gone.pop_front();
        }
    }

    /// Whether this call is the one that tells whose conference it is.
    pub(super) fn is_first(&self, call_id: &str) -> bool {
        self.first.as_deref().is_none_or(|first| first == call_id)
    }

    /// Everybody leaves and the conference ends.
    pub(super) fn end(&mut self, step: &Step<'_>) {
        let mut left: Vec<_> =
            self.members.values().map(|member| (member.key, member.participant.call_id.clone())).collect();
        left.sort_unstable();
        // The list of participants is swapped once and not for each of them.
        self.participants = Participants::new();
        self.conference.set_participants(&self.participants);
        for (_, call_id) in left {
            if let Some(member) = self.unseat(&call_id, step) {
                self.tell_left(&member, member.why_at_the_end(step.reason), step);
            }
        }
        self.end_recordings(step);
        self.turn_lock(false, step);
        self.publish(ChangeKind::ConferenceDestroyed, None, step);
    }

    pub(super) fn publish(&self, kind: ChangeKind, participant: Option<&Arc<Participant>>, step: &Step<'_>) {
        self.tell(kind, participant, None, step);
    }

    fn tell(
        &self,
        kind: ChangeKind,
        participant: Option<&Arc<Participant>>,
        detail: Option<Detail>,
        step: &Step<'_>,
    ) {
        let number = self.conference.count_change();
        if step.publish.is_heard() {
            step.publish.publish(Change {
                conference: self.conference.clone(),
                number,
                at: step.now,
                kind,
                participant: participant.map(|participant| (participant.clone(), participant.state())),
                reason: step.reason,
                detail,
                cause: (step.sequence, step.told.replace(step.told.get() + 1)),
            });
        }
    }
}
