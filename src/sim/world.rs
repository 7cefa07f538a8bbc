//! Conferences, members and calls without I/O, clock or global randomness.
//!
//! A [`World`] is told the time (microseconds since 1970) with everything it is asked; it answers commands
//! with their text and keeps the events it has fired until they are [drained](World::drain). What FreeSWITCH
//! does a little later (a kicked member leaves, the mixer gives the floor away) waits in a list of tasks
//! that [`advance`](World::advance) works off in order of time. The same seed and the same calls give the
//! same ids, texts and events.
//!
//! * `room`, `truth`: what is kept, and the view of it that tests compare with.
//! * `call`, `people`: calls, callers, joining, talking, leaving. * `fire`: which headers an event has.
//! * `thread`, `running`: what a call does: its dialplan, what it is in, what was sent to it. * `apps`, `digits`: the
//!   applications. * `channels`, `channel_events`: commands for calls and what is told of them.
//!   `causes`: why they end.
//! * `originate`: calls that the switch makes. * `mixer`: what happens by itself. * `conference`, `members`,
//!   `rooms`, `relations`, `sound`, `moving`, `lists`: the
//!   `conference` command. * `core_api`: all other commands.

mod apps;
mod call;
mod causes;
mod channel_events;
mod channels;
mod cjson;
mod conference;
mod core_api;
mod digits;
mod fire;
mod identity;
mod lists;
mod members;
mod mixer;
mod moving;
mod originate;
mod people;
mod relations;
mod room;
mod rooms;
mod running;
mod sip;
mod sound;
mod thread;
mod truth;

pub use call::{Caller, Flags};
pub use identity::Identity;
pub use originate::Fate;
pub use people::Rejected;
pub use relations::RelationTruth;
pub use truth::{MemberTruth, RoomTruth};

pub(crate) use call::{Call, channel_lines};
#[cfg(test)]
pub(crate) use conference::split_words;
pub(crate) use originate::Originating;
pub(crate) use room::{Member, Playback, Recording, Room};
pub(crate) use thread::Thread;

use super::dice::Dice;
use super::events::{Event, Lines};
use super::text;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

/// What a world begins with, and its habits. Times are in microseconds.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// Everything random comes from here.
    pub seed: u64,
    /// Who the switch is.
    pub identity: Identity,
    /// When the switch was started.
    pub started: u64,
    /// The `Core-UUID`; drawn from the seed when `None`.
    pub core_uuid: Option<String>,
    /// The Member-ID of the first member.
    pub first_member_id: u32,
    /// The `Event-Sequence` before the first event.
    pub sequence: u64,
    /// From `kick`, `hup`, `transfer` or a hang-up to `del-member`.
    pub departure: u64,
    /// Up to this much more, at random, for this and for the mixer's step: then those who leave together leave
    /// in another order.
    pub departure_jitter: u64,
    /// The mixer's step: from an empty floor to `floor-change`, from the last `del-member` to
    /// `conference-destroy`.
    pub tick: u64,
    /// How long a member is missing in lists and for commands after its `add-member`.
    pub list_lag: u64,
    /// How long a `bgapi` job waits at most, at random: jobs overtake each other.
    pub job_jitter: u64,
    /// The share of `del-member` and `floor-change` events numbered when their cause came and fired later,
    /// so that `Event-Sequence` steps back on the wire.
    pub steps_back: f64,
    /// Profiles with `verbose-events`.
    pub verbose_profiles: Vec<String>,
    /// Profiles without. A profile in neither list is unknown: the room's profile reads `none`.
    pub profiles: Vec<String>,
    /// `Max-Sessions`.
    pub max_sessions: u64,
    /// What `version` prints.
    pub version: String,
    /// Whether members can be named by `variable=value`, as since 1.10.7.
    pub selectors: bool,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            identity: Identity::default(),
            started: 1_795_426_260_000_000,
            core_uuid: None,
            first_member_id: 1,
            sequence: 430,
            departure: 20_000,
            departure_jitter: 0,
            tick: 20_000,
            list_lag: 0,
            job_jitter: 0,
            steps_back: 0.004,
            verbose_profiles: vec!["verbose".to_owned()],
            profiles: vec!["default".to_owned()],
            max_sessions: 5000,
            version: core_api::VERSION.to_owned(),
            selectors: true,
        }
    }
}

/// Names a room of this world; never used again for another one.
pub(crate) type RoomKey = u64;
/// A member's place in the order of joining its room.
pub(crate) type Place = u64;

/// What will happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// The member's thread ends.
    Depart(RoomKey, Place),
    /// The mixer looks at the floor.
    Tick(RoomKey),
    /// The person behind an unmuted member is still speaking.
    Voice(RoomKey, Place),
    /// A file has been played to its end.
    PlayDone(RoomKey, u64),
    /// A recording's thread begins or ends.
    RecordStart(RoomKey, String),
    RecordStop(RoomKey, String),
    /// The conference thread ends.
    Destroy(RoomKey),
    /// A call's thread looks around.
    Attend {
        call: String,
    },
    /// The time of what a call is in may be up.
    AppDue {
        call: String,
        key: u64,
    },
    /// A caller has heard that he was answered.
    Acked {
        call: String,
    },
    /// A `bgapi` job is executed.
    Job {
        uuid: String,
        command: String,
        argument: String,
    },
    /// A call made by `originate` rings.
    Rings {
        call: String,
    },
    /// It is answered (no cause), or has failed.
    Originated {
        call: String,
        cause: String,
    },
    /// The party called by `bgdial` has answered (or not).
    Dialled {
        room: RoomKey,
        job: String,
        endpoint: String,
        number: String,
        name: String,
    },
}

/// What has been, by `Conference-Unique-ID` and call id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    /// Conferences whose `conference-destroy` was recorded.
    pub(crate) ended: HashSet<String>,
    /// Conferences and calls that a command has ended: their recording goes on without being told.
    pub(crate) taken_out: HashSet<String>,
}

/// The state of one switch. See the module.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) options: WorldOptions,
    pub(crate) dice: Dice,
    pub(crate) now: u64,
    pub(crate) started: u64,
    core_uuid: String,
    /// `Core-UUID` and the other lines that are the same in each event.
    identity: Lines,
    /// The dates of the second it is.
    dates: Lines,
    pub(crate) sequence: u64,
    next_member: u32,
    next_key: u64,
    pub(crate) rooms: BTreeMap<RoomKey, Room>,
    pub(crate) names: HashMap<String, RoomKey>,
    pub(crate) calls: HashMap<String, Call>,
    /// What will become of calls, by a part of their dial string.
    fates: Vec<(String, Fate)>,
    /// Calls that nobody has answered yet, by id.
    originating: HashMap<String, Originating>,
    sessions: u64,
    tasks: BinaryHeap<Reverse<(u64, u64, Task)>>,
    next_task: u64,
    out: Vec<Event>,
    /// What `hash` (mod_hash) keeps, by `realm/key`.
    hash: BTreeMap<String, String>,
    globals: BTreeMap<String, String>,
    /// What was recorded.
    files: BTreeSet<String>,
    /// A world that follows a recording: floor and voices change only as recorded.
    pub(crate) following: bool,
    /// What a recording has told of conferences that have ended, and what commands have taken out of it.
    pub(crate) past: Past,
}

impl World {
    /// An empty switch.
    pub fn new(options: WorldOptions) -> Self {
        let mut dice = Dice::new(options.seed);
        let core_uuid = options.core_uuid.clone().unwrap_or_else(|| dice.uuid());
        let mut world = Self {
            dice,
            now: options.started,
            started: options.started,
            core_uuid,
            identity: Lines::new(),
            dates: Lines::new(),
            sequence: options.sequence,
            next_member: options.first_member_id.max(1),
            next_key: 1,
            rooms: BTreeMap::new(),
            names: HashMap::new(),
            calls: HashMap::new(),
            fates: Vec::new(),
            originating: HashMap::new(),
            sessions: 0,
            tasks: BinaryHeap::new(),
            next_task: 0,
            out: Vec::new(),
            hash: BTreeMap::new(),
            globals: BTreeMap::new(),
            files: BTreeSet::new(),
            following: false,
            past: Past::default(),
            options,
        };
        world.write_identity();
        world.write_dates();
        world
    }

    /// The switch is restarted: everybody is gone, member ids begin at 1 again, the `Core-UUID` is new.
    pub fn restart(&mut self, now: u64) {
        let options =
            WorldOptions { seed: self.dice.roll(), started: now, core_uuid: None, ..self.options.clone() };
        let options = WorldOptions { first_member_id: 1, sequence: 430, ..options };
        // The phones are the same, and the disk.
        let (fates, files) = (std::mem::take(&mut self.fates), std::mem::take(&mut self.files));
        *self = Self { fates, files, ..Self::new(options) };
    }

    /// Identifies this run of the switch.
    pub fn core_uuid(&self) -> &str {
        &self.core_uuid
    }

    /// The latest time this world has been told.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// When the next thing happens by itself.
    pub fn next_due(&self) -> Option<u64> {
        self.tasks.peek().map(|Reverse((due, _, _))| *due)
    }

    /// Lets everything happen that is due by `now`, each at its own time.
    pub fn advance(&mut self, now: u64) {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some(Reverse((due, _, task))) = self.tasks.pop() else { break };
            self.set_time(due);
            self.perform(task);
        }
        self.set_time(now);
    }

    /// Time does not go back.
    fn set_time(&mut self, now: u64) {
        let before = self.now;
        self.now = before.max(now);
        if before / 1_000_000 != self.now / 1_000_000 {
            self.write_dates();
        }
    }

    fn write_dates(&mut self) {
        let mut dates = Lines::new();
        dates.push("Event-Date-Local", text::date_local(self.now));
        dates.push("Event-Date-GMT", text::date_gmt(self.now));
        self.dates = dates;
    }

    /// Lets everything happen that is still to happen by itself; the time moves to the last of it.
    pub fn settle(&mut self) {
        while let Some(due) = self.next_due() {
            self.advance(due);
        }
    }

    /// The events fired since the last time, in the order they were fired.
    pub fn drain(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn schedule(&mut self, after: u64, task: Task) {
        self.next_task += 1;
        self.tasks.push(Reverse((self.now.saturating_add(after), self.next_task, task)));
    }

    /// Changes who the switch says it is, for a world that speaks in the name of a recorded one.
    pub(crate) fn impersonate(&mut self, core_uuid: &str, identity: Identity) {
        core_uuid.clone_into(&mut self.core_uuid);
        self.options.identity = identity;
        self.write_identity();
    }

    fn write_identity(&mut self) {
        let who = &self.options.identity;
        let mut lines = Lines::new();
        lines.push("Core-UUID", &self.core_uuid).push("FreeSWITCH-Hostname", &who.hostname);
        lines.push("FreeSWITCH-Switchname", &who.switchname);
        lines.push("FreeSWITCH-IPv4", &who.ipv4).push("FreeSWITCH-IPv6", &who.ipv6);
        self.identity = lines;
    }

    pub(crate) fn next_member_id(&mut self) -> u32 {
        let id = self.next_member;
        self.next_member = self.next_member.saturating_add(1);
        id
    }

    pub(crate) fn next_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// The running room of that name.
    pub(crate) fn find_room(&self, name: &str) -> Option<RoomKey> {
        self.names.get(name).copied()
    }

    pub(crate) fn member(&self, room: RoomKey, place: Place) -> Option<&Member> {
        self.rooms.get(&room)?.members.get(&place)
    }

    pub(crate) fn member_mut(&mut self, room: RoomKey, place: Place) -> Option<&mut Member> {
        self.rooms.get_mut(&room)?.members.get_mut(&place)
    }

    /// Where a call sits, if it is in a conference.
    pub(crate) fn seat(&self, call: &str) -> Option<(RoomKey, Place)> {
        self.calls.get(call)?.seat
    }
}
