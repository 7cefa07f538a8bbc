//! What a world keeps of a conference and of a member.
//!
//! Plain data and small questions; changing it and telling about it is done by the neighbours.

use super::running::Route;
use super::{Place, RelationTruth, RoomKey};
use std::collections::{BTreeMap, HashMap};

/// A member of a conference.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: u32,
    /// The uuid of its call.
    pub(crate) call: String,
    pub(crate) hear: bool,
    pub(crate) speak: bool,
    pub(crate) talking: bool,
    pub(crate) hold: bool,
    pub(crate) mute_detect: bool,
    pub(crate) moderator: bool,
    pub(crate) ghost: bool,
    pub(crate) endconf: bool,
    pub(crate) mandatory_endconf: bool,
    pub(crate) energy_level: i64,
    pub(crate) current_energy: u64,
    pub(crate) volume_in: i64,
    pub(crate) volume_out: i64,
    pub(crate) joined: u64,
    /// From when on lists and commands find it.
    pub(crate) listed_from: u64,
    pub(crate) last_talked: Option<u64>,
    pub(crate) talking_since: u64,
    /// The person is speaking, whether FreeSWITCH lets it through or not.
    pub(crate) voice: bool,
    /// Kicked, hung up or gone: its thread is about to end.
    pub(crate) kicked: bool,
    /// The end of its thread is in the list of tasks.
    pub(crate) departing: bool,
    /// Where it goes when its thread ends.
    pub(crate) transfer: Option<Route>,
    /// The number of its latest event; a later one must not be lower.
    pub(crate) last_sequence: u64,
    /// A number taken for its `del-member` before that is fired.
    pub(crate) reserved: Option<u64>,
}

/// A file being recorded: a member without a call in FreeSWITCH, a line in lists.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    /// Among the members: lists show both in one order.
    pub(crate) place: Place,
    pub(crate) path: String,
    pub(crate) since: u64,
    pub(crate) paused: bool,
}

/// A file being played, to all or to one.
#[derive(Debug, Clone)]
pub(crate) struct Playback {
    pub(crate) key: u64,
    pub(crate) file: String,
    pub(crate) member: Option<Place>,
    pub(crate) started: u64,
    /// FreeSWITCH counts what it read, not what was heard: a tone of 200 ms counts as 400.
    pub(crate) read_millis: u64,
    pub(crate) asynchronous: bool,
}

/// A sound that is played when somebody enters or leaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct DoorSound {
    pub(crate) on: bool,
    pub(crate) file: String,
}

/// What a list shows.
pub(crate) enum Node<'a> {
    Caller(&'a Member),
    Recording(&'a Recording),
}

/// A running conference.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) domain: String,
    pub(crate) profile: String,
    pub(crate) verbose: bool,
    pub(crate) created: u64,
    /// In order of joining; lists show the newest first.
    pub(crate) members: BTreeMap<Place, Member>,
    pub(crate) by_id: HashMap<u32, Place>,
    pub(crate) next_place: Place,
    pub(crate) ghosts: usize,
    pub(crate) floor: Option<u32>,
    pub(crate) locked: bool,
    pub(crate) pin: String,
    pub(crate) max_members: u64,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) recordings: Vec<Recording>,
    pub(crate) playing: Vec<Playback>,
    pub(crate) enter_sound: DoorSound,
    pub(crate) exit_sound: DoorSound,
    /// Who does not hear whom; lists show the newest first.
    pub(crate) relations: Vec<RelationTruth>,
    pub(crate) tick_pending: bool,
    /// Ended: no command finds it, its last events are still to come.
    pub(crate) ended: bool,
}

impl Member {
    /// Somebody who has just sat down.
    pub(crate) fn new(id: u32, call: &str, now: u64) -> Self {
        Self {
            id,
            call: call.to_owned(),
            hear: true,
            speak: true,
            talking: false,
            hold: false,
            mute_detect: false,
            moderator: false,
            ghost: false,
            endconf: false,
            mandatory_endconf: false,
            energy_level: 100,
            current_energy: 0,
            volume_in: 0,
            volume_out: 0,
            joined: now,
            listed_from: now,
            last_talked: None,
            talking_since: now,
            voice: false,
            kicked: false,
            departing: false,
            transfer: None,
            last_sequence: 0,
            reserved: None,
        }
    }
}

impl Room {
    pub(crate) fn new(name: &str, uuid: String, domain: &str, profile: &str, created: u64) -> Self {
        Self {
            name: name.to_owned(),
            uuid,
            domain: domain.to_owned(),
            profile: profile.to_owned(),
            verbose: false,
            created,
            members: BTreeMap::new(),
            by_id: HashMap::new(),
            next_place: 1,
            ghosts: 0,
            floor: None,
            locked: false,
            pin: String::new(),
            max_members: 0,
            settings: BTreeMap::new(),
            variables: Vec::new(),
            recordings: Vec::new(),
            playing: Vec::new(),
            enter_sound: DoorSound { on: true, file: String::new() },
            exit_sound: DoorSound { on: true, file: String::new() },
            relations: Vec::new(),
            tick_pending: false,
            ended: false,
        }
    }

    /// `Conference-Size`: ghosts do not count.
    pub(crate) fn size(&self) -> usize {
        self.members.len().saturating_sub(self.ghosts)
    }

    pub(crate) fn seat_member(&mut self, member: Member) -> Place {
        let place = self.next_place;
        self.next_place += 1;
        self.ghosts += usize::from(member.ghost);
        self.by_id.insert(member.id, place);
        self.members.insert(place, member);
        place
    }

    pub(crate) fn unseat(&mut self, place: Place) -> Option<Member> {
        let member = self.members.remove(&place)?;
        self.ghosts = self.ghosts.saturating_sub(usize::from(member.ghost));
        if self.by_id.get(&member.id) == Some(&place) {
            self.by_id.remove(&member.id);
        }
        Some(member)
    }

    pub(crate) fn holds_floor(&self, member: &Member) -> bool {
        self.floor == Some(member.id)
    }

    /// Those a command can reach and a list shows, newest first.
    pub(crate) fn listed(&self, now: u64) -> impl Iterator<Item = (Place, &Member)> {
        self.members.iter().rev().map(|(place, m)| (*place, m)).filter(move |(_, m)| m.listed_from <= now)
    }

    /// All of a list, newest first: members that can be found, and recordings.
    pub(crate) fn nodes(&self, now: u64) -> impl Iterator<Item = Node<'_>> {
        let mut recordings = self.recordings.iter().rev().peekable();
        let mut members = self.listed(now).peekable();
        std::iter::from_fn(move || {
            let member = members.peek().map(|(place, _)| *place);
            match recordings.next_if(|r| member.is_none_or(|place| r.place > place)) {
                Some(recording) => Some(Node::Recording(recording)),
                None => members.next().map(|(_, member)| Node::Caller(member)),
            }
        })
    }

    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.retain(|(n, _)| n != name);
        if !value.is_empty() {
            self.variables.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Where a call sits.
pub(crate) type Seat = (RoomKey, Place);
