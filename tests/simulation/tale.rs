//! What the published changes say, replayed from zero: it must be what the registry says, at any time.
//!
//! Strict: a change that changes nothing here has been published twice, or should not have been.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::witness;
use convened::model::{Flag, MemberState};
use convened::registry::{Change, ChangeKind, Conference, Participant, Reason, Registry};

/// What has been told so far.
#[derive(Default)]
pub(crate) struct Tale {
    told: BTreeMap<Arc<str>, Told>,
    /// How often each thing was told.
    pub(crate) counts: witness::Told,
    pub(crate) witness: witness::Witness,
    /// How many changes a list told. What ends is missing in lists a little before it is told to have ended,
    /// and does not count.
    pub(crate) repaired: u64,
    /// How many changes there were.
    pub(crate) count: u64,
    /// Each change in words, if somebody wants them.
    pub(crate) lines: Option<Vec<String>>,
}

/// One instance, as its changes tell it.
#[derive(Default)]
struct Told {
    last: u64,
    runs: bool,
    stale: bool,
    locked: bool,
    floor: Option<Arc<str>>,
    people: BTreeMap<Arc<str>, Person>,
}

#[derive(Debug, PartialEq)]
struct Person {
    member_id: u32,
    name: String,
    number: String,
    joined: u64,
    /// Without floor and without what changes do not tell.
    state: MemberState,
}

/// These have changes of their own.
const TOLD: [Flag; 4] = [Flag::Speak, Flag::Hear, Flag::Hold, Flag::Talking];

fn person(participant: &Participant, state: MemberState) -> Person {
    Person {
        member_id: participant.member_id,
        name: participant.caller_name.to_string(),
        number: participant.caller_number.to_string(),
        joined: participant.joined_unix_ms,
        state: state.without_current_energy().with(Flag::Floor, false),
    }
}

impl Tale {
    /// Takes the next change; the text says why it cannot be.
    pub(crate) fn hear(&mut self, change: &Change) -> Result<(), String> {
        self.count += 1;
        self.counts.count(change);
        self.repaired += u64::from(change.reason == Reason::List && !is_no_repair(change.kind));
        self.is_of_this_run(change)?;
        if let Some(lines) = &mut self.lines {
            let who = change.participant.as_ref().map(|(who, state)| (&who.call_id, who.member_id, *state));
            let (at, instance, number) = (change.at, &change.conference.instance, change.number);
            lines.push(format!("{at:?} {instance} {number} {:?} {who:?} {:?}", change.kind, change.reason));
        }
        let told = self.told.entry(change.conference.instance.clone()).or_default();
        told.hear(change).map_err(|problem| format!("{problem}: {change:?}"))
    }

    /// When something of a new run of the switch is told, nothing of an earlier one runs any more.
    fn is_of_this_run(&self, change: &Change) -> Result<(), String> {
        if change.kind != ChangeKind::ConferenceCreated {
            return Ok(());
        }
        let run = self.witness.run_of(&change.conference.instance);
        let mut running = self.told.iter().filter(|(_, told)| told.runs);
        match running.find(|(instance, _)| self.witness.run_of(instance) < run) {
            Some((old, _)) => Err(format!("{old}, of an earlier run of the switch, still runs: {change:?}")),
            None => Ok(()),
        }
    }

    /// How many have been told to be there.
    pub(crate) fn people(&self) -> usize {
        self.told.values().map(|told| told.people.len()).sum()
    }

    /// Whether the registry says the same.
    pub(crate) fn agrees(&self, registry: &Registry) -> Result<(), String> {
        let shown = registry.conferences();
        let running = self.told.values().filter(|told| told.runs).count();
        if running != shown.len() {
            return Err(format!("{running} conferences have been told, {} are shown", shown.len()));
        }
        for conference in shown {
            let told = self.told.get(&conference.instance).ok_or("a conference was never told")?;
            told.agrees(&conference).map_err(|problem| format!("{}: {problem}", conference.name))?;
        }
        Ok(())
    }
}

impl Told {
    fn hear(&mut self, change: &Change) -> Result<(), String> {
        if change.number != self.last + 1 {
            return Err(format!("its number is not the one after {}", self.last));
        }
        self.last = change.number;
        if self.runs == (change.kind == ChangeKind::ConferenceCreated) {
            return Err("the conference runs already, or not yet".into());
        }
        match (change.kind, &change.participant) {
            (ChangeKind::ConferenceCreated, _) => (self.runs, self.stale) = (true, false),
            (ChangeKind::ConferenceDestroyed, _) => {
                self.runs = false;
                if !self.people.is_empty() || self.locked || self.floor.is_some() {
                    return Err("it ends with somebody in it, or locked".into());
                }
            }
            (ChangeKind::ConferenceStale | ChangeKind::ConferenceRecovered, _) => {
                differs(&mut self.stale, change.kind == ChangeKind::ConferenceStale)?;
            }
            (ChangeKind::Locked | ChangeKind::Unlocked, _) => {
                differs(&mut self.locked, change.kind == ChangeKind::Locked)?;
            }
            (ChangeKind::FloorChanged, who) => {
                differs(&mut self.floor, who.as_ref().map(|(who, _)| who.call_id.clone()))?;
                if self.floor.as_ref().is_some_and(|call_id| !self.people.contains_key(call_id)) {
                    return Err("the floor went to somebody who is not there".into());
                }
            }
            (_, Some((who, state))) => self.hear_of(change.kind, who, *state)?,
            (_, None) => return Err("it is of nobody".into()),
        }
        Ok(())
    }

    fn hear_of(&mut self, kind: ChangeKind, who: &Participant, state: MemberState) -> Result<(), String> {
        let known = self.people.get_mut(&who.call_id);
        let (flag, set) = match (kind, known.is_some()) {
            (ChangeKind::Joined, false) => {
                self.people.insert(who.call_id.clone(), person(who, state));
                return Ok(());
            }
            (ChangeKind::Left, true) => {
                self.people.remove(&who.call_id);
                let held = self.floor.as_ref() == Some(&who.call_id);
                return if held { Err("he left with the floor".into()) } else { Ok(()) };
            }
            (ChangeKind::Joined | ChangeKind::Left, _) | (_, false) => {
                return Err("he is there already, or not yet".into());
            }
            (ChangeKind::Muted | ChangeKind::Unmuted, _) => (Flag::Speak, kind == ChangeKind::Unmuted),
            (ChangeKind::Deafened | ChangeKind::Undeafened, _) => {
                (Flag::Hear, kind == ChangeKind::Undeafened)
            }
            (ChangeKind::Held | ChangeKind::Unheld, _) => (Flag::Hold, kind == ChangeKind::Held),
            (ChangeKind::StartedTalking | ChangeKind::StoppedTalking, _) => {
                (Flag::Talking, kind == ChangeKind::StartedTalking)
            }
            _ => return self.update(who, state),
        };
        let known = known.ok_or("he is not there")?;
        let mut before = known.state.has(flag);
        known.state = known.state.with(flag, set);
        differs(&mut before, set)
    }

    fn update(&mut self, who: &Participant, state: MemberState) -> Result<(), String> {
        let known = self.people.get_mut(&who.call_id).ok_or("he is not there")?;
        let new = person(who, state);
        if TOLD.iter().any(|flag| known.state.has(*flag) != new.state.has(*flag)) {
            // Names and times are told of before the state that came with them.
            let names = (known.member_id, &known.name, &known.number, known.joined);
            if names == (new.member_id, &new.name, &new.number, new.joined) {
                return Err("an update hides what has a change of its own".into());
            }
        }
        differs(known, new)
    }

    fn agrees(&self, conference: &Conference) -> Result<(), String> {
        if (self.runs, self.last, self.locked) != (true, conference.change_number(), conference.is_locked()) {
            return Err(format!("told up to {}, shown {}", self.last, conference.change_number()));
        }
        if self.stale != conference.is_stale() {
            return Err(format!("told stale {}, shown {}", self.stale, conference.is_stale()));
        }
        let shown = conference.participants();
        if shown.len() != self.people.len() {
            return Err(format!("{} people have been told, {} are shown", self.people.len(), shown.len()));
        }
        for participant in shown {
            let state = participant.state();
            let told = self.people.get(&participant.call_id).ok_or("somebody was never told")?;
            let floor = self.floor.as_ref() == Some(&participant.call_id);
            if *told != person(&participant, state) || state.has(Flag::Floor) != floor {
                return Err(format!("told {told:?} {floor}, shown {participant:?}"));
            }
        }
        Ok(())
    }
}

/// What is told of an end, and that all is known again after a loss.
fn is_no_repair(kind: ChangeKind) -> bool {
    use ChangeKind::{ConferenceDestroyed, ConferenceRecovered, FloorChanged, Left, Unlocked};
    matches!(kind, Left | FloorChanged | Unlocked | ConferenceDestroyed | ConferenceRecovered)
}

fn differs<T: PartialEq>(old: &mut T, new: T) -> Result<(), String> {
    if *old == new {
        return Err("it was so before".into());
    }
    *old = new;
    Ok(())
}
