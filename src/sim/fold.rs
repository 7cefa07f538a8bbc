//! Recorded events folded into a world, so that commands can be answered from what has been played.
//!
//! This is the sim's own reading of events. What events do not tell, a folded world does not know:
//! `end_conference`, `mandatory_member_end_conference`, `max_members`, PINs, relations, `mute_detect`
//! before the member's first event, volumes set before the recording began. Everything else of a
//! `json_list` can be compared with the recorded one; of the seconds since something happened only about
//! one, and not the order of conferences, which is that of a hash table.

use super::events::{Event, Lines};
use super::text;
use super::world::{Call, Member, Recording, Room, RoomKey, World};
use serde_json::Value;

/// What an event says, read once.
#[derive(Debug, Clone, Default)]
pub struct Change {
    action: String,
    at: u64,
    sequence: u64,
    name: String,
    uuid: String,
    domain: String,
    profile: String,
    variables: Vec<(String, String)>,
    member: Option<Fact>,
    new_id: Option<u32>,
    path: String,
    volume: Option<i64>,
}

/// What it says of a member.
#[derive(Debug, Clone, Default)]
struct Fact {
    id: u32,
    call: String,
    name: Vec<u8>,
    number: Vec<u8>,
    channel: Lines,
    variables: Vec<(String, Vec<u8>)>,
    floor: bool,
    hear: bool,
    speak: bool,
    talking: bool,
    mute_detect: bool,
    hold: bool,
    moderator: bool,
    ghost: bool,
    energy_level: i64,
    current_energy: u64,
}

/// Where in an event a header stands.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Common,
    Conference,
    Channel,
    Flags,
}

impl Change {
    /// Reads a conference event; `None` for any other.
    pub fn read(event: &Event) -> Option<Self> {
        if event.subclass.as_deref() != Some("conference::maintenance") {
            return None;
        }
        let mut change = Self { sequence: event.sequence, ..Self::default() };
        let mut fact = Fact::default();
        let (mut part, mut conferences) = (Part::Common, 0);
        for (name, encoded) in event.headers.iter() {
            let raw = text::decode(encoded);
            let value = String::from_utf8_lossy(&raw);
            match name {
                "Event-Date-Timestamp" => change.at = value.parse().ok()?,
                "Conference-Name" => {
                    change.name = value.into_owned();
                    part = Part::Conference;
                    conferences += 1;
                }
                "Conference-Domain" => change.domain = value.into_owned(),
                "Conference-Profile-Name" => change.profile = value.into_owned(),
                "Conference-Unique-ID" => change.uuid = value.into_owned(),
                "Conference-Size" | "Conference-Ghosts" => {}
                "Action" => {
                    change.action = value.into_owned();
                    part = Part::Common;
                }
                "New-ID" => change.new_id = value.parse().ok(),
                "Path" => change.path = value.into_owned(),
                "Volume-Level" => change.volume = value.parse().ok(),
                "Floor" => {
                    fact.floor = value == "true";
                    part = Part::Channel;
                }
                "seconds" | "milliseconds" | "samples" => part = Part::Common,
                "Channel-State" if part == Part::Conference => part = Part::Common,
                "Video" if part == Part::Channel => part = Part::Flags,
                _ => {
                    // The conference's variables come once more with a new holder of the floor.
                    if part == Part::Conference && conferences == 1 {
                        change.variables.push((name.to_owned(), value.into_owned()));
                        continue;
                    }
                    fact.read(part, name, &raw);
                }
            }
        }
        change.member = (fact.id > 0).then_some(fact);
        Some(change)
    }
}

impl Fact {
    fn read(&mut self, part: Part, name: &str, raw: &[u8]) {
        let text = || String::from_utf8_lossy(raw).into_owned();
        let yes = raw == b"true";
        match (part, name) {
            (Part::Channel, name) => {
                if let Some(variable) = name.strip_prefix("variable_") {
                    self.variables.push((variable.to_owned(), raw.to_vec()));
                    return;
                }
                match name {
                    "Unique-ID" => self.call = text(),
                    "Caller-Caller-ID-Name" => self.name = raw.to_vec(),
                    "Caller-Caller-ID-Number" => self.number = raw.to_vec(),
                    _ => {}
                }
                self.channel.push(name, raw);
            }
            (Part::Flags, "Hear") => self.hear = yes,
            (Part::Flags, "Speak") => self.speak = yes,
            (Part::Flags, "Talking") => self.talking = yes,
            (Part::Flags, "Mute-Detect") => self.mute_detect = yes,
            (Part::Flags, "Hold") => self.hold = yes,
            (Part::Flags, "Member-ID") => self.id = text().parse().unwrap_or(0),
            (Part::Flags, "Member-Type") => self.moderator = raw == b"moderator",
            (Part::Flags, "Member-Ghost") => self.ghost = yes,
            (Part::Flags, "Energy-Level") => self.energy_level = text().parse().unwrap_or(0),
            (Part::Flags, "Current-Energy") => self.current_energy = text().parse().unwrap_or(0),
            _ => {}
        }
    }
}

impl World {
    /// Applies what a recorded event says. False if it is about somebody whom a command has taken out of
    /// the recording: then it is not told.
    pub fn fold(&mut self, change: &Change) -> bool {
        self.following = true;
        let call = change.member.as_ref().map_or("", |fact| fact.call.as_str());
        if self.past.taken_out.contains(&change.uuid) || self.past.taken_out.contains(call) {
            return false;
        }
        if change.action == "conference-destroy" {
            self.past.ended.insert(change.uuid.clone());
            if let Some(key) = self.folded_room(&change.uuid) {
                self.forget_room(key);
            }
            return true;
        }
        if self.past.ended.contains(&change.uuid) {
            return true;
        }
        let key = match self.folded_room(&change.uuid) {
            Some(key) => key,
            // Told late, by a thread that was slower than the end.
            None if change.action == "del-member" => return true,
            None => self.fold_new_room(change),
        };
        if let Some(room) = self.rooms.get_mut(&key) {
            room.variables.clone_from(&change.variables);
        }
        match &change.member {
            Some(fact) if change.action == "del-member" => self.fold_leaver(key, fact),
            Some(fact) => self.fold_member(key, fact, change),
            None => self.fold_conference(key, change),
        }
        true
    }

    fn folded_room(&self, uuid: &str) -> Option<RoomKey> {
        // A recording has a dozen conferences at a time.
        self.rooms.iter().find(|(_, room)| room.uuid == uuid).map(|(key, _)| *key)
    }

    fn fold_new_room(&mut self, change: &Change) -> RoomKey {
        let key = self.next_key();
        let mut room =
            Room::new(&change.name, change.uuid.clone(), &change.domain, &change.profile, change.at);
        room.verbose = self.options.verbose_profiles.contains(&change.profile);
        self.rooms.insert(key, room);
        self.names.insert(change.name.clone(), key);
        key
    }

    fn forget_room(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.remove(&key) else { return };
        if self.names.get(&room.name) == Some(&key) {
            self.names.remove(&room.name);
        }
        for member in room.members.values() {
            self.calls.remove(&member.call);
        }
    }

    fn fold_leaver(&mut self, key: RoomKey, fact: &Fact) {
        let Some((room, place)) = self.seat(&fact.call).filter(|(room, _)| *room == key) else { return };
        let Some(left) = self.rooms.get_mut(&room) else { return };
        if left.floor == Some(fact.id) {
            left.floor = None;
        }
        left.unseat(place);
        let (empty, name) = (left.members.is_empty(), left.name.clone());
        left.ended |= empty;
        self.calls.remove(&fact.call);
        if empty && self.names.get(&name) == Some(&key) {
            self.names.remove(&name);
        }
    }

    fn fold_member(&mut self, key: RoomKey, fact: &Fact, change: &Change) {
        let place = match self.seat(&fact.call).filter(|(room, _)| *room == key) {
            Some((_, place)) => place,
            None => {
                let Some(room) = self.rooms.get_mut(&key) else { return };
                let mut member = Member::new(fact.id, &fact.call, change.at);
                member.ghost = fact.ghost;
                member.listed_from = 0;
                room.ended = false;
                room.seat_member(member)
            }
        };
        self.calls.insert(fact.call.clone(), fact.to_call(change.at, (key, place)));
        let (Some(room), at) = (self.rooms.get_mut(&key), change.at) else { return };
        match room.floor {
            _ if fact.floor => room.floor = Some(fact.id),
            Some(id) if id == fact.id => room.floor = None,
            _ => {}
        }
        let Some(member) = room.members.get_mut(&place) else { return };
        if member.talking || fact.talking {
            member.last_talked = Some(at);
        }
        member.hear = fact.hear;
        member.speak = fact.speak;
        member.talking = fact.talking;
        member.hold = fact.hold;
        member.mute_detect = fact.mute_detect;
        member.moderator = fact.moderator;
        member.energy_level = fact.energy_level;
        member.current_energy = fact.current_energy;
        member.last_sequence = change.sequence;
        match (change.action.as_str(), change.volume) {
            ("volume-in-member", Some(volume)) => member.volume_in = volume,
            ("volume-out-member", Some(volume)) => member.volume_out = volume,
            _ => {}
        }
    }

    fn fold_conference(&mut self, key: RoomKey, change: &Change) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        match change.action.as_str() {
            "lock" | "unlock" => room.locked = change.action == "lock",
            "floor-change" => room.floor = change.new_id,
            "enter-sounds-on" | "enter-sounds-off" => room.enter_sound.on = change.action.ends_with("on"),
            "exit-sounds-on" | "exit-sounds-off" => room.exit_sound.on = change.action.ends_with("on"),
            "start-recording" => {
                let (place, path) = (room.next_place, change.path.clone());
                room.next_place += 1;
                room.recordings.push(Recording { place, path, since: change.at, paused: false });
            }
            "stop-recording" => room.recordings.retain(|r| r.path != change.path),
            _ => {}
        }
    }

    /// Conferences that were there before the recording began, from the `json_list` it begins with. Of
    /// their members' channels nothing is known but name, number and id.
    pub fn fold_list(&mut self, list: &Value, at: u64) {
        self.following = true;
        for conference in list.as_array().into_iter().flatten().rev() {
            let text = |name: &str| conference.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
            let ago = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0) * 1_000_000;
            let change = Change {
                at: at.saturating_sub(ago(conference.get("run_time"))),
                name: text("conference_name"),
                uuid: text("conference_uuid"),
                domain: self.options.identity.domain.clone(),
                profile: "default".to_owned(),
                ..Change::default()
            };
            if change.uuid.is_empty() || self.folded_room(&change.uuid).is_some() {
                continue;
            }
            let key = self.fold_new_room(&change);
            if let Some(room) = self.rooms.get_mut(&key) {
                room.locked = conference.get("locked") == Some(&Value::Bool(true));
            }
            for member in conference.get("members").and_then(Value::as_array).into_iter().flatten().rev() {
                let Some(fact) = Fact::listed(member) else { continue };
                let joined = at.saturating_sub(ago(member.get("join_time")));
                self.fold_member(key, &fact, &Change { at: joined, ..Change::default() });
                let flag = |name: &str| member.pointer(&format!("/flags/{name}")) == Some(&Value::Bool(true));
                let volume = |name: &str| member.get(name).and_then(Value::as_i64).unwrap_or(0);
                let Some((room, place)) = self.seat(&fact.call) else { continue };
                let Some(seated) = self.member_mut(room, place) else { continue };
                seated.endconf = flag("end_conference");
                seated.mandatory_endconf = flag("mandatory_member_end_conference");
                (seated.volume_in, seated.volume_out) = (volume("volume_in"), volume("volume_out"));
            }
        }
    }
}

impl Fact {
    fn to_call(&self, at: u64, seat: (RoomKey, u64)) -> Call {
        let channel = |name: &str| self.channel.get(name).map(|v| String::from_utf8_lossy(&v).into_owned());
        let created = channel("Caller-Channel-Created-Time").and_then(|t| t.parse().ok());
        let mut variables = self.variables.clone();
        if variables.is_empty() {
            variables.push(("uuid".to_owned(), self.call.clone().into_bytes()));
        }
        Call {
            uuid: self.call.clone(),
            name: self.name.clone(),
            number: self.number.clone(),
            channel: self.channel.clone(),
            variables,
            created: created.unwrap_or(at),
            inbound: channel("Call-Direction").as_deref() != Some("outbound"),
            destination: channel("Caller-Destination-Number").unwrap_or_default(),
            context: channel("Caller-Context").unwrap_or_default(),
            member_id: Some(self.id),
            seat: Some(seat),
            sent_to: None,
            hangup: None,
            thread: super::world::Thread::default(),
        }
    }

    fn listed(member: &Value) -> Option<Self> {
        let flag = |name: &str| member.pointer(&format!("/flags/{name}")) == Some(&Value::Bool(true));
        let text = |name: &str| member.get(name).and_then(Value::as_str).unwrap_or("");
        let hold = flag("hold");
        let caller = super::world::Caller::new(text("caller_id_name"), text("caller_id_number"));
        let call = text("uuid");
        Some(Self {
            id: u32::try_from(member.get("id")?.as_u64()?).ok()?,
            call: call.to_owned(),
            name: caller.name.clone(),
            number: caller.number.clone(),
            channel: super::world::channel_lines(&caller, call, 0),
            floor: flag("has_floor"),
            // On hold the list hides both; then the usual is assumed.
            hear: flag("can_hear") || hold,
            speak: flag("can_speak") || hold,
            talking: flag("talking"),
            hold,
            mute_detect: flag("mute_detect"),
            moderator: flag("is_moderator"),
            energy_level: member.get("energy").and_then(Value::as_i64).unwrap_or(100),
            ..Self::default()
        })
    }
}
