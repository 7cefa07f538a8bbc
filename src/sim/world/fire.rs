//! Which headers an event has, and in which order: all of it as recorded.
//!
//! [`Draft`] is an event in the making; it has its number (`Event-Sequence`) from the moment it is begun,
//! as in FreeSWITCH, and is fired when it is handed to [`World::fire`].

use super::room::Seat;
use super::{Call, Member, Playback, Room, RoomKey, World};
use crate::sim::events::{Event, Lines};
use crate::sim::text;

/// Where in FreeSWITCH's source an event is made: file, function, line.
pub(crate) type Spot = (&'static str, &'static str, u32);

/// An event that is being written.
pub(crate) struct Draft {
    pub(crate) sequence: u64,
    name: &'static str,
    subclass: Option<&'static str>,
    pub(crate) lines: Lines,
}

/// The subclass of all conference events.
pub(crate) const MAINTENANCE: &str = "conference::maintenance";

impl World {
    /// The next `Event-Sequence`.
    pub(crate) fn number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Numbers that go to events nobody here listens to (channel states, codecs, the command itself).
    pub(crate) fn burn(&mut self, numbers: u64) {
        self.sequence += numbers;
    }

    /// A number for an event that is fired later, if this one shall step back.
    pub(crate) fn reserve(&mut self) -> Option<u64> {
        let share = self.options.steps_back;
        self.dice.chance(share).then(|| self.number())
    }

    /// Begins an event of the switch itself (`HEARTBEAT`, `BACKGROUND_JOB`).
    pub(crate) fn draft(&mut self, name: &'static str, spot: Spot) -> Draft {
        let sequence = self.number();
        let mut lines = Lines::with_capacity(1024);
        self.common(&mut lines, name, spot, sequence);
        Draft { sequence, name, subclass: None, lines }
    }

    /// Begins an event of a conference, with its data but without its `Action`.
    fn draft_maintenance(&self, room: &Room, spot: Spot, sequence: u64) -> Draft {
        let mut lines = Lines::with_capacity(2700);
        lines.push("Event-Subclass", MAINTENANCE);
        self.common(&mut lines, "CUSTOM", spot, sequence);
        conference_data(&mut lines, room);
        Draft { sequence, name: "CUSTOM", subclass: Some(MAINTENANCE), lines }
    }

    /// The headers every event begins with.
    pub(crate) fn common(&self, lines: &mut Lines, name: &str, spot: Spot, sequence: u64) {
        lines.push("Event-Name", name);
        self.common_but_name(lines, spot, sequence);
    }

    /// The same without the name, which stands elsewhere in events that an application makes.
    pub(crate) fn common_but_name(&self, lines: &mut Lines, spot: Spot, sequence: u64) {
        lines.append(&self.identity).append(&self.dates);
        lines.push_number("Event-Date-Timestamp", self.now);
        lines.push("Event-Calling-File", spot.0).push("Event-Calling-Function", spot.1);
        lines.push_number("Event-Calling-Line-Number", spot.2);
        lines.push_number("Event-Sequence", sequence);
    }

    /// An event of a whole conference: its data, `Action`, then `extra`.
    pub(crate) fn fire_room(&mut self, key: RoomKey, spot: Spot, action: &str, extra: &[(&str, &str)]) {
        let sequence = self.number();
        let Some(room) = self.rooms.get(&key) else { return };
        let mut draft = self.draft_maintenance(room, spot, sequence);
        draft.lines.push("Action", action);
        for (name, value) in extra {
            draft.lines.push(name, value);
        }
        self.fire(draft, None);
    }

    /// `conference-create`; with `verbose-events` it shows the channel that made it.
    pub(crate) fn fire_create(&mut self, key: RoomKey, creator: &str) {
        let sequence = self.number();
        let Some(room) = self.rooms.get(&key) else { return };
        let spot = ("mod_conference.c", "conference_new", 3848);
        let mut draft = self.draft_maintenance(room, spot, sequence);
        if let Some(creator) = self.calls.get(creator).filter(|_| room.verbose) {
            draft.lines.append(&creator.channel);
            variables(&mut draft.lines, creator);
        }
        draft.lines.push("Action", "conference-create");
        self.fire(draft, None);
    }

    /// An event of a member: conference data, member data, `before`, `Action`, `after`.
    pub(crate) fn fire_member(
        &mut self,
        (key, place): Seat,
        spot: Spot,
        action: &str,
        [before, after]: [&[(&str, &str)]; 2],
    ) {
        let sequence = self.number();
        let Some(room) = self.rooms.get(&key) else { return };
        let Some(member) = room.members.get(&place) else { return };
        let mut draft = self.draft_maintenance(room, spot, sequence);
        self.member_data(&mut draft.lines, room, member);
        for (name, value) in before {
            draft.lines.push(name, value);
        }
        draft.lines.push("Action", action);
        for (name, value) in after {
            draft.lines.push(name, value);
        }
        self.fire(draft, Some((key, place)));
    }

    /// `del-member`: the member is no longer in the room it speaks of. It may carry the number taken when
    /// the member was told to go, unless that would step back behind another event of the same member.
    pub(crate) fn fire_leaver(&mut self, key: RoomKey, member: &Member) {
        let reserved = member.reserved.filter(|number| *number > member.last_sequence);
        let sequence = reserved.unwrap_or_else(|| self.number());
        let Some(room) = self.rooms.get(&key) else { return };
        let spot = ("conference_member.c", "conference_member_del", 1355);
        let mut draft = self.draft_maintenance(room, spot, sequence);
        self.member_data(&mut draft.lines, room, member);
        draft.lines.push("Action", "del-member");
        self.fire(draft, None);
    }

    /// `floor-change`: with a new holder the conference's data comes twice and its member data follows.
    pub(crate) fn fire_floor(&mut self, key: RoomKey, old: Option<u32>, reserved: Option<u64>) {
        let Some(room) = self.rooms.get(&key) else { return };
        let place = room.floor.and_then(|id| room.by_id.get(&id)).copied();
        let last = place.and_then(|place| room.members.get(&place)).map_or(0, |m| m.last_sequence);
        let sequence = reserved.filter(|number| *number > last).unwrap_or_else(|| self.number());
        let Some(room) = self.rooms.get(&key) else { return };
        let spot = ("conference_member.c", "conference_member_set_floor_holder", 1158);
        let mut draft = self.draft_maintenance(room, spot, sequence);
        let id = |id: Option<u32>| id.map_or("none".to_owned(), |id| id.to_string());
        draft.lines.push("Action", "floor-change").push("Old-ID", id(old));
        if let Some(member) = place.and_then(|place| room.members.get(&place)) {
            conference_data(&mut draft.lines, room);
            self.member_data(&mut draft.lines, room, member);
        }
        draft.lines.push("New-ID", id(room.floor));
        self.fire(draft, place.map(|place| (key, place)));
    }

    /// The end of a file: for one member that is still here its data stands before `File`.
    pub(crate) fn fire_played(&mut self, key: RoomKey, played: &Playback, still_here: bool) {
        let sequence = self.number();
        let Some(room) = self.rooms.get(&key) else { return };
        let spot = ("conference_file.c", "conference_file_close", 52);
        let mut draft = self.draft_maintenance(room, spot, sequence);
        let millis = played.read_millis;
        draft.lines.push_number("seconds", millis / 1000).push_number("milliseconds", millis);
        draft.lines.push_number("samples", millis * 8);
        let action = if played.member.is_some() { "play-file-member-done" } else { "play-file-done" };
        draft.lines.push("Action", action);
        let place = played.member.filter(|_| still_here);
        if let Some(member) = place.and_then(|place| room.members.get(&place)) {
            conference_data(&mut draft.lines, room);
            self.member_data(&mut draft.lines, room, member);
        }
        draft.lines.push("File", &played.file);
        self.fire(draft, place.map(|place| (key, place)));
    }

    /// `HEARTBEAT`.
    pub fn heartbeat(&mut self, now: u64) {
        self.advance(now);
        let up = self.now.saturating_sub(self.started);
        let mut draft = self.draft("HEARTBEAT", ("switch_core.c", "send_heartbeat", 95));
        let calls = self.calls.len();
        let l = &mut draft.lines;
        l.push("Event-Info", "System Ready").push("Up-Time", text::uptime(up));
        l.push("FreeSWITCH-Version", super::core_api::VERSION).push_number("Uptime-msec", up / 1000);
        l.push_number("Session-Count", calls).push_number("Max-Sessions", self.options.max_sessions);
        l.push_number("Session-Per-Sec", 500).push_number("Session-Per-Sec-Last", 0);
        l.push_number("Session-Per-Sec-Max", 0).push_number("Session-Per-Sec-FiveMin", 0);
        l.push_number("Session-Since-Startup", self.sessions).push_number("Session-Peak-Max", calls);
        l.push_number("Session-Peak-FiveMin", calls).push("Idle-CPU", "99.500000");
        self.fire(draft, None);
    }

    /// `sendevent`: the client's headers first, then those of every event. Gives the event's own id.
    pub fn send_event(
        &mut self,
        now: u64,
        name: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> String {
        self.advance(now);
        let uuid = self.dice.uuid();
        let find = |wanted: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(wanted));
        let subclass = find("Event-Subclass").map(|(_, value)| value.clone());
        let mut lines = Lines::new();
        if let Some(subclass) = &subclass {
            lines.push("Event-Subclass", subclass);
        }
        lines.push("Command", format!("sendevent {name}"));
        for (name, value) in headers {
            if !["event-subclass", "content-length"].contains(&name.to_ascii_lowercase().as_str()) {
                lines.push(name, value);
            }
        }
        lines.push("Event-UUID", &uuid);
        let sequence = self.number();
        self.common(&mut lines, name, ("mod_event_socket.c", "parse_command", 2283), sequence);
        self.out.push(Event { sequence, name: name.to_owned(), subclass, headers: lines, body });
        uuid
    }

    pub(crate) fn fire(&mut self, draft: Draft, of: Option<Seat>) {
        self.fire_with_body(draft, of, None);
    }

    pub(crate) fn fire_with_body(&mut self, draft: Draft, of: Option<Seat>, body: Option<Vec<u8>>) {
        if let Some(member) = of.and_then(|(room, place)| self.member_mut(room, place)) {
            member.last_sequence = member.last_sequence.max(draft.sequence);
        }
        self.out.push(Event {
            sequence: draft.sequence,
            name: draft.name.to_owned(),
            subclass: draft.subclass.map(str::to_owned),
            headers: draft.lines,
            body,
        });
    }

    fn member_data(&self, lines: &mut Lines, room: &Room, member: &Member) {
        lines.push_bool("Floor", room.holds_floor(member));
        if let Some(call) = self.calls.get(&member.call) {
            lines.append(&call.channel);
            if room.verbose {
                variables(lines, call);
            }
        }
        lines.push_bool("Video", false).push_bool("Hear", member.hear).push_bool("See", true);
        lines.push_bool("Speak", member.speak).push_bool("Talking", member.talking);
        lines.push_bool("Mute-Detect", member.mute_detect).push_bool("Hold", member.hold);
        lines.push_number("Member-ID", member.id);
        lines.push("Member-Type", if member.moderator { "moderator" } else { "member" });
        lines.push_bool("Member-Ghost", member.ghost).push_number("Energy-Level", member.energy_level);
        lines.push_number("Current-Energy", member.current_energy);
    }
}

fn conference_data(lines: &mut Lines, room: &Room) {
    lines.push("Conference-Name", &room.name).push("Conference-Domain", &room.domain);
    lines.push_number("Conference-Size", room.size()).push_number("Conference-Ghosts", room.ghosts);
    lines.push("Conference-Profile-Name", &room.profile).push("Conference-Unique-ID", &room.uuid);
    for (name, value) in &room.variables {
        lines.push(name, value);
    }
}

pub(super) fn variables(lines: &mut Lines, call: &Call) {
    for (name, value) in &call.variables {
        lines.push(&format!("variable_{name}"), value);
    }
}
