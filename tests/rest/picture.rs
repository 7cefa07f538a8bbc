//! What a subscriber knows: snapshots and events, put together as `docs/events.md` says.

use std::collections::{BTreeMap, BTreeSet};

use convened::model::Flag;
use convened::registry::{Conference, Registry};
use serde_json::{Map, Value, json};

/// What is told of a participant by snapshots and by events alike.
const FIELDS: [&str; 13] = [
    "participant_id",
    "caller_id_name",
    "caller_id_number",
    "hear",
    "speak",
    "talking",
    "floor",
    "hold",
    "mute_detect",
    "video",
    "is_moderator",
    "ghost",
    "energy_level",
];

/// Names, of participants by call.
type Members = BTreeMap<String, Map<String, Value>>;

/// An instance of a conference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Room {
    pub(crate) conference: String,
    pub(crate) seq: u64,
    locked: bool,
    members: Members,
}

/// What somebody has who has not missed anything under his binding.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    pub(crate) rooms: BTreeMap<String, Room>,
    /// Every instance that was ever told of.
    pub(crate) heard_of: BTreeSet<String>,
    /// Instance, number, event and call, of each event in its order.
    pub(crate) events: Vec<(String, u64, String, String)>,
    pub(crate) gaps: usize,
    pub(crate) snapshots: usize,
    /// The last `id` of a stream of server-sent events.
    pub(crate) last_id: Option<String>,
    /// The binding takes what happens to that call, and nothing else.
    call: Option<String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn fields(of: &Value) -> Map<String, Value> {
    let field = |name: &str| of.get(name).unwrap_or_else(|| panic!("no {name}: {of}")).clone();
    FIELDS.iter().map(|name| ((*name).to_owned(), field(name))).collect()
}

/// Where that call is.
fn seats<'a>(rooms: &'a BTreeMap<String, Room>, call: &str) -> BTreeMap<&'a str, &'a Map<String, Value>> {
    rooms.iter().filter_map(|(instance, room)| Some((&**instance, room.members.get(call)?))).collect()
}

impl Picture {
    /// Of somebody who looks at that call.
    pub(crate) fn of_call(call: &str) -> Self {
        Self { call: Some(call.to_owned()), ..Self::default() }
    }

    /// Whether it is that, as far as the binding goes.
    pub(crate) fn is(&self, truth: &BTreeMap<String, Room>) -> bool {
        match &self.call {
            None => self.rooms == *truth,
            Some(call) => seats(&self.rooms, call) == seats(truth, call),
        }
    }

    /// Takes a message in, under a binding that takes every event of its conferences, or of a call; says what is wrong
    /// with it.
    pub(crate) fn take(&mut self, message: &Value, registry: &Registry) -> Result<(), String> {
        let data = &message["data"];
        if let Some(id) = message["id"].as_str() {
            self.last_id = Some(id.to_owned()).filter(|id| !id.is_empty());
        }
        match message["action"].as_str() {
            Some("snapshot") => self.snapshot(data),
            Some("gap") => {
                self.gaps += 1;
                let of = text(&data["conference_id"]);
                self.rooms.retain(|_, room| of != "*" && room.conference != of);
            }
            Some("event") => return self.event(data, registry),
            _ => return Err(format!("what is this? {message}")),
        }
        Ok(())
    }

    fn snapshot(&mut self, data: &Value) {
        self.snapshots += 1;
        let conference = text(&data["conference_id"]);
        let Some(instance) = data["instance_id"].as_str() else {
            return self.rooms.retain(|_, room| room.conference != conference);
        };
        let running: Vec<_> = data["instances"].as_array().expect("all instances").iter().map(text).collect();
        self.rooms.retain(|instance, room| room.conference != conference || running.contains(instance));
        self.heard_of.insert(instance.to_owned());
        let people = data["participants"].as_array().expect("participants").iter();
        let room = Room {
            conference,
            seq: number(&data["seq"]),
            locked: data["is_locked"] == true,
            members: people.map(|person| (text(&person["call_id"]), fields(person))).collect(),
        };
        self.rooms.insert(instance.to_owned(), room);
    }

    /// Notes an event, and says where it is: instance and number.
    pub(crate) fn note(&mut self, data: &Value) -> (String, u64) {
        let (instance, seq) = (text(&data["instance_id"]), number(&data["seq"]));
        let call = data["call_id"].as_str().unwrap_or("-").to_owned();
        self.heard_of.insert(instance.clone());
        self.events.push((instance.clone(), seq, text(&data["event"]), call));
        (instance, seq)
    }

    fn event(&mut self, data: &Value, registry: &Registry) -> Result<(), String> {
        let (instance, seq) = self.note(data);
        let (conference, before) = (text(&data["conference_id"]), number(&data["prev_seq"]));
        if !self.rooms.contains_key(&instance) {
            // Either it begins, or it had ended before the snapshot and its end is still told.
            let runs = || registry.conference(&conference).iter().any(|it| *it.instance == *instance);
            if before != 0 || (seq != 1 && self.call.is_none() && runs()) {
                return Err(format!("this is not where it begins: {data}"));
            }
            let room = Room { conference, seq: seq - 1, locked: false, members: Members::new() };
            self.rooms.insert(instance.clone(), room);
        } else if before != self.rooms[&instance].seq || (self.call.is_none() && before + 1 != seq) {
            return Err(format!("after {} comes {data}", self.rooms[&instance].seq));
        }
        let room = self.rooms.get_mut(&instance).expect("it is there");
        room.seq = seq;
        let event = data["event"].as_str().unwrap_or_default();
        if event == "floor-change" {
            room.members.values_mut().for_each(|member| drop(member.insert("floor".into(), false.into())));
        }
        match (event, data["call_id"].as_str()) {
            ("conference-destroy", _) => drop(self.rooms.remove(&instance)),
            ("lock" | "unlock", _) => room.locked = event == "lock",
            ("del-member", Some(call)) => drop(room.members.remove(call)),
            (_, Some(call)) => drop(room.members.insert(call.to_owned(), fields(data))),
            (_, None) => {}
        }
        Ok(())
    }

    /// Where each conference is, for whoever comes back: in a list if it runs on more nodes than one.
    pub(crate) fn resume(&self) -> Value {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for (instance, room) in &self.rooms {
            let place = json!({ "instance_id": instance, "seq": room.seq });
            places.entry(room.conference.clone()).or_default().push(place);
        }
        let one = |mut places: Vec<Value>| match places.len() {
            1 => places.remove(0),
            _ => places.into(),
        };
        places.into_iter().map(|(conference, places)| (conference, one(places))).collect::<Map<_, _>>().into()
    }
}

/// A conference as the registry has it.
pub(crate) fn room(conference: &Conference) -> Room {
    let members = conference.participants();
    let member = |participant: &convened::registry::Participant| {
        let state = participant.state();
        let of = json!({
            "participant_id": participant.member_id,
            "caller_id_name": *participant.caller_name,
            "caller_id_number": *participant.caller_number,
            "hear": state.has(Flag::Hear),
            "speak": state.has(Flag::Speak),
            "talking": state.has(Flag::Talking),
            "floor": state.has(Flag::Floor),
            "hold": state.has(Flag::Hold),
            "mute_detect": state.has(Flag::MuteDetect),
            "video": state.has(Flag::Video),
            "is_moderator": state.has(Flag::Moderator),
            "ghost": state.has(Flag::Ghost),
            "energy_level": state.energy_level(),
        });
        (participant.call_id.to_string(), fields(&of))
    };
    Room {
        conference: conference.name.to_string(),
        seq: conference.change_number(),
        locked: conference.is_locked(),
        members: members.iter().map(|participant| member(participant)).collect(),
    }
}
