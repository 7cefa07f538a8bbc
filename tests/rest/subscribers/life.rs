//! What people do, on one switch or on two.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use convened::sim::dice::Dice;
use convened::sim::switch::Switch;
use convened::sim::world::Caller;

use super::VIP;
use crate::house::{ACCOUNT, House, OTHER};

/// A conference that begins and ends again and again; without an owner it is somebody else's each time.
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) owner: Option<&'static str>,
}

/// What people do.
pub(crate) struct Life {
    dice: Dice,
    rooms: Vec<Room>,
    /// Each on its switch.
    calls: Vec<(usize, String)>,
    owners: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Life {
    pub(crate) fn new(seed: u64, rooms: Vec<Room>, owners: Arc<Mutex<BTreeMap<String, String>>>) -> Self {
        Self { dice: Dice::new(seed), rooms, calls: Vec::new(), owners }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.dice.below(limit as u64) as usize
    }

    fn join(&mut self, (at, switch): (usize, &Switch), room: usize) {
        let Room { name, owner } = &self.rooms[room];
        let running = switch.truth().into_iter().find(|room| room.name == *name);
        let account = match (*owner, &running) {
            (Some(owner), _) => owner,
            (None, Some(room)) if self.owners.lock().unwrap()[&room.uuid] == ACCOUNT => ACCOUNT,
            (None, Some(_)) => OTHER,
            (None, None) if self.dice.chance(0.5) => ACCOUNT,
            (None, None) => OTHER,
        };
        let number = self.dice.below(10_000).to_string();
        let mut caller = Caller::new("Ann \"x\" O'Hara", number).variable("confvar_account_id", account);
        if self.dice.chance(0.2) {
            caller = caller.moderator();
        }
        // Somebody who is looked at by his call, wherever he is.
        if self.dice.chance(0.1) && !self.calls.iter().any(|(_, call)| call == VIP) {
            caller = caller.uuid(VIP);
        }
        // It may be locked.
        if let Ok(call) = switch.join(name, caller) {
            self.calls.push((at, call));
        }
        if let Some(room) = switch.truth().into_iter().find(|room| room.name == *name) {
            self.owners.lock().unwrap().entry(room.uuid).or_insert_with(|| account.to_owned());
        }
    }

    pub(crate) fn go_on(&mut self, switches: &[Switch]) {
        let at = self.below(switches.len());
        let switch = &switches[at];
        let at_room = self.below(self.rooms.len());
        let room = self.rooms[at_room].name.clone();
        let what = self.dice.below(100);
        if what < 25 || self.calls.is_empty() {
            return self.join((at, switch), at_room);
        }
        let at = self.below(self.calls.len());
        let switch = &switches[self.calls[at].0];
        match what {
            25..40 => drop(switch.leave(&self.calls.swap_remove(at).1)),
            40..60 => drop(switch.talk(&self.calls[at].1.clone(), self.dice.chance(0.6))),
            60..66 => {
                let word = ["lock", "unlock", "unlock"][self.below(3)];
                switch.api(&format!("conference {room} {word}"));
            }
            // It ends, and begins anew when somebody comes.
            66..69 => drop(switch.api(&format!("conference {room} hup all"))),
            69..73 => {
                let word = ["mute", "unmute", "deaf", "undeaf"][self.below(4)];
                switch.api(&format!("conference {room} {word} all"));
            }
            _ => {
                let call = self.calls[at].1.clone();
                let rooms = switch.truth();
                let seat = rooms.iter().find_map(|room| Some((&room.name, room.member(&call)?.id)));
                let Some((room, id)) = seat else { return };
                let words = ["mute", "unmute", "deaf", "undeaf", "hold", "unhold", "floor", "tmute"];
                switch.api(&format!("conference {room} {} {id}", words[self.below(words.len())]));
            }
        }
    }

    /// Twenty people in one conference, all muted and unmuted until the last of it is all that is kept.
    pub(crate) async fn storm(&mut self, house: &House) {
        let switch = house.switch();
        let room = self.rooms[0].name.clone();
        switch.api(&format!("conference {room} unlock"));
        for _ in 0..20 {
            self.join((0, switch), 0);
        }
        for _ in 0..150 {
            switch.api(&format!("conference {room} mute all"));
            switch.api(&format!("conference {room} unmute all"));
            house.told().await;
        }
    }
}
