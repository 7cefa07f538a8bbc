//! Who is in which conference, put together from snapshots and events. Pure: no clock, no connection.

use std::collections::{BTreeMap, HashMap};

use super::view::{Event, Message, Participant, Snapshot};

/// All conferences that run, as far as it was told.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    rooms: HashMap<String, Room>,
}

/// A conference; it runs once on each of its nodes.
pub type Room = BTreeMap<String, Instance>;

/// A conference on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// The last change that is in this.
    pub seq: u64,
    /// The node.
    pub node: String,
    /// Whether nobody is let in.
    pub locked: bool,
    /// Whether the node is out of reach, so that this is old.
    pub stale: bool,
    /// When it began, in seconds since 1970.
    pub began_s: u64,
    /// Who is there, by number, and since when, in seconds since 1970.
    pub people: BTreeMap<u64, (Participant, u64)>,
}

impl Picture {
    /// All of them, in no order.
    pub fn rooms(&self) -> &HashMap<String, Room> {
        &self.rooms
    }

    /// Takes in what was told at `now_s` (seconds since 1970). True if a conference has begun or ended by it.
    pub fn take(&mut self, message: &Message, now_s: u64) -> bool {
        match message {
            Message::Snapshot(snapshot) => self.show(snapshot, now_s),
            Message::Gap(of) if of == "*" => !std::mem::take(&mut self.rooms).is_empty(),
            Message::Gap(of) => self.rooms.remove(of).is_some(),
            Message::Event(event) => self.happen(event),
        }
    }

    fn show(&mut self, snapshot: &Snapshot, now_s: u64) -> bool {
        let Some(id) = &snapshot.instance_id else {
            return self.rooms.remove(&snapshot.conference_id).is_some();
        };
        let is_new = !self.rooms.contains_key(&snapshot.conference_id);
        let room = self.rooms.entry(snapshot.conference_id.clone()).or_default();
        room.retain(|known, _| snapshot.instances.contains(known));
        let people = snapshot.participants.iter();
        let instance = Instance {
            seq: snapshot.seq,
            node: snapshot.focus.clone(),
            locked: snapshot.is_locked,
            stale: false,
            began_s: now_s.saturating_sub(snapshot.duration),
            people: people
                .map(|one| (one.participant_id, (one.clone(), now_s.saturating_sub(one.duration))))
                .collect(),
        };
        room.insert(id.clone(), instance);
        is_new
    }

    fn happen(&mut self, event: &Event) -> bool {
        let Some(id) = event.instance_id.as_ref() else { return false };
        let at_s = event.timestamp / 1_000;
        let is_new_room = !self.rooms.contains_key(&event.conference_id);
        if event.event == "conference-destroy" {
            let Some(room) = self.rooms.get_mut(&event.conference_id) else { return false };
            room.remove(id);
            let is_over = room.is_empty();
            if is_over {
                self.rooms.remove(&event.conference_id);
            }
            return is_over;
        }
        let is_known = self.rooms.get(&event.conference_id).is_some_and(|room| room.contains_key(id));
        // The rest of one that had ended before the snapshot; its end follows.
        if !is_known && event.seq != 1 {
            return false;
        }
        let room = self.rooms.entry(event.conference_id.clone()).or_default();
        let instance = room.entry(id.clone()).or_insert_with(|| Instance {
            node: event.participant.switch_hostname.clone(),
            began_s: at_s,
            ..Instance::default()
        });
        // What a snapshot has already.
        if event.seq > instance.seq {
            instance.seq = event.seq;
            instance.happen(event, at_s);
        }
        is_new_room
    }
}

impl Instance {
    fn happen(&mut self, event: &Event, at_s: u64) {
        let who = &event.participant;
        match event.event.as_str() {
            "lock" => self.locked = true,
            "unlock" => self.locked = false,
            "conference-stale" => self.stale = true,
            "conference-recovered" => self.stale = false,
            "floor-change" => self.people.values_mut().for_each(|(other, _)| other.floor = false),
            _ => {}
        }
        if who.call_id.is_empty() {
            return;
        }
        if event.event == "del-member" {
            self.people.remove(&who.participant_id);
            return;
        }
        let came_s = self.people.get(&who.participant_id).map_or(at_s, |(_, came_s)| *came_s);
        self.people.insert(who.participant_id, (who.clone(), came_s));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(picture: &mut Picture, message: &Value) -> bool {
        picture.take(&Message::read(message).expect("a message").expect("a kind"), 1_000)
    }

    fn event(name: &str, seq: u64, who: Option<u64>) -> Value {
        let mut data = json!({"event": name, "conference_id": "talk", "instance_id": "i", "seq": seq,
            "timestamp": 990_000, "focus": "fs1"});
        if let Some(id) = who {
            data["call_id"] = format!("call-{id}").into();
            data["participant_id"] = id.into();
            data["speak"] = (name != "mute-member").into();
            data["floor"] = (name == "floor-change").into();
        }
        json!({"action": "event", "data": data})
    }

    fn snapshot(conference: &str, instance: Option<&str>, seq: u64, people: &[u64]) -> Value {
        let people: Vec<_> = people.iter().map(|id| json!({"participant_id": id, "call_id": "c"})).collect();
        json!({"action": "snapshot", "data": {"conference_id": conference, "instance_id": instance,
            "instances": instance.into_iter().collect::<Vec<_>>(), "seq": seq, "duration": 60, "participants": people}})
    }

    fn only(picture: &Picture) -> &Instance {
        picture.rooms()["talk"].values().next().expect("one")
    }

    #[test]
    fn a_conference_begins_lives_and_ends_by_events() {
        let mut picture = Picture::default();
        assert!(told(&mut picture, &event("conference-create", 1, None)));
        for (seq, name, who) in
            [(2, "add-member", 1), (3, "add-member", 2), (4, "floor-change", 1), (5, "mute-member", 2)]
        {
            assert!(!told(&mut picture, &event(name, seq, Some(who))));
        }
        let instance = only(&picture);
        assert!(instance.people[&1].0.floor && !instance.people[&2].0.speak);
        assert_eq!((instance.began_s, instance.people[&1].1, &*instance.node), (990, 990, "fs1"));
        told(&mut picture, &event("floor-change", 6, Some(2)));
        told(&mut picture, &event("lock", 7, None));
        assert!(!only(&picture).people[&1].0.floor && only(&picture).locked);
        told(&mut picture, &event("del-member", 8, Some(2)));
        assert_eq!(only(&picture).people.len(), 1);
        assert!(told(&mut picture, &event("conference-destroy", 9, None)));
        assert!(picture.rooms().is_empty());
    }

    #[test]
    fn what_a_snapshot_has_is_not_taken_in_again() {
        let mut picture = Picture::default();
        assert!(told(&mut picture, &snapshot("talk", Some("i"), 7, &[1])));
        told(&mut picture, &event("add-member", 7, Some(2)));
        assert_eq!(only(&picture).people.keys().collect::<Vec<_>>(), [&1]);
        assert_eq!(only(&picture).began_s, 940);
        told(&mut picture, &event("add-member", 8, Some(2)));
        assert_eq!(only(&picture).people.len(), 2);
    }

    #[test]
    fn the_rest_of_what_has_ended_and_calls_on_their_way_make_no_conference() {
        let mut picture = Picture::default();
        assert!(!told(&mut picture, &event("del-member", 5, Some(1))));
        let dialled = json!({"action": "event", "data": {"event": "dial-ringing", "conference_id": "talk"}});
        assert!(!told(&mut picture, &dialled));
        assert!(picture.rooms().is_empty());
    }

    #[test]
    fn a_snapshot_ends_other_runs_and_a_gap_forgets() {
        let mut picture = Picture::default();
        told(&mut picture, &snapshot("talk", Some("old"), 3, &[1]));
        assert!(!told(&mut picture, &snapshot("talk", Some("new"), 1, &[])));
        assert_eq!(picture.rooms()["talk"].keys().collect::<Vec<_>>(), ["new"]);
        assert!(told(&mut picture, &snapshot("talk", None, 0, &[])));
        told(&mut picture, &snapshot("talk", Some("i"), 1, &[]));
        told(&mut picture, &snapshot("desk", Some("j"), 1, &[]));
        assert!(told(&mut picture, &json!({"action": "gap", "data": {"conference_id": "talk"}})));
        assert_eq!(picture.rooms().len(), 1);
        assert!(told(&mut picture, &json!({"action": "gap", "data": {"conference_id": "*"}})));
        assert!(picture.rooms().is_empty());
    }
}
