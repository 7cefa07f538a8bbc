//! What is shown, and what a step does to it. Pure.
//!
//! Who is selected is kept by id, never by row: when others come and go the marker stays with whom it was on, and when
//! he goes himself nobody is selected until it is moved. So no key ever acts on somebody who has just slid under it.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::keys::Step;
use crate::client::{Instance, Message, Participant, Picture, Room, clean};

/// How the websocket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Connecting,
    Up,
    /// Why.
    Lost(String),
}

/// What somebody is asked for before it is done, or what is done at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) action: &'static str,
    pub(super) conference: String,
    pub(super) target: Target,
    /// For people.
    pub(super) whom: String,
}

/// What an action is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Conference,
    Everybody,
    /// By the call: numbers are used again.
    Call(String),
}

/// The table that keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Conferences,
    People,
}

/// What a marker is on, and in which row that was last.
#[derive(Clone, Debug)]
pub(super) struct Marker<T> {
    on: Option<T>,
    row: usize,
}

impl<T> Default for Marker<T> {
    fn default() -> Self {
        Self { on: None, row: 0 }
    }
}

/// Somebody in the conference that is shown.
pub(super) struct Person<'a> {
    pub(super) key: (&'a str, u64),
    pub(super) participant: &'a Participant,
    pub(super) came_s: u64,
}

/// All that is shown.
pub(super) struct State {
    /// Where, and whose.
    pub(super) title: String,
    pub(super) colours: bool,
    pub(super) link: Link,
    /// What came of the last action.
    pub(super) said: String,
    pub(super) pane: Pane,
    /// What is to be done after a yes.
    asked: Option<Request>,
    picture: Picture,
    names: HashMap<String, String>,
    has_nameless: bool,
    /// The conferences as they are shown.
    order: Vec<String>,
    is_unordered: bool,
    by_size: bool,
    conference: Marker<String>,
    person: Marker<(String, u64)>,
}

impl State {
    pub(super) fn new(title: String, colours: bool) -> Self {
        Self {
            title: clean(&title).into_owned(),
            colours,
            link: Link::Connecting,
            said: String::new(),
            pane: Pane::Conferences,
            asked: None,
            picture: Picture::default(),
            names: HashMap::new(),
            has_nameless: false,
            order: Vec::new(),
            is_unordered: false,
            by_size: false,
            conference: Marker::default(),
            person: Marker::default(),
        }
    }

    /// Takes in what happened.
    pub(super) fn take(&mut self, message: &Message, now_s: u64) {
        if self.picture.take(message, now_s) {
            self.is_unordered = true;
            let id = match message {
                Message::Snapshot(snapshot) => &snapshot.conference_id,
                Message::Event(event) => &event.conference_id,
                Message::Gap(_) => return,
            };
            self.has_nameless |= self.picture.rooms().contains_key(id) && !self.names.contains_key(id);
        }
        self.is_unordered |= self.by_size;
    }

    /// What conferences are called.
    pub(super) fn name(&mut self, names: HashMap<String, String>) {
        self.names = names;
        self.has_nameless = false;
        self.is_unordered = true;
    }

    /// Whether a conference has begun whose name is not known.
    pub(super) fn has_nameless(&self) -> bool {
        self.has_nameless
    }

    /// Whether a yes is waited for.
    pub(super) fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// What is asked.
    pub(super) fn question(&self) -> Option<String> {
        self.asked.as_ref().map(|request| format!("{} {}? y: yes", request.action, request.whom))
    }

    /// Puts the conferences in their order, if that has changed. To be called before anything is shown or moved:
    /// not for each message, of which there may be ten thousand between two pictures.
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.is_unordered) {
            let mut order: Vec<String> = self.picture.rooms().keys().cloned().collect();
            let name = |id: &String| (self.name_of(id).to_lowercase(), id.clone());
            match self.by_size {
                true => order.sort_by_cached_key(|id| (Reverse(self.size_of(id)), name(id))),
                false => order.sort_by_cached_key(name),
            }
            self.order = order;
        }
        if self.conference.on.is_none() {
            self.conference.on = self.order.first().cloned();
        }
        if let Some(row) = self.row() {
            self.conference.row = row;
        }
        let person = self.people().iter().position(|person| self.is_marked(person));
        if let Some(row) = person {
            self.person.row = row;
        }
    }

    fn size_of(&self, id: &str) -> usize {
        self.room(id).map_or(0, |room| room.values().map(|instance| instance.people.len()).sum())
    }

    /// What a conference is called.
    pub(super) fn name_of<'a>(&'a self, id: &'a str) -> std::borrow::Cow<'a, str> {
        self.names.get(id).map_or_else(|| clean(id), |name| name.as_str().into())
    }

    /// The conferences in their order, by id.
    pub(super) fn order(&self) -> &[String] {
        &self.order
    }

    pub(super) fn room(&self, id: &str) -> Option<&Room> {
        self.picture.rooms().get(id)
    }

    /// How many people there are in all conferences.
    pub(super) fn people_count(&self) -> usize {
        let instances = self.picture.rooms().values().flat_map(Room::values);
        instances.map(|instance| instance.people.len()).sum()
    }

    /// The row of the selected conference, if it still runs.
    pub(super) fn row(&self) -> Option<usize> {
        let on = self.conference.on.as_ref()?;
        self.order.iter().position(|id| id == on)
    }

    /// The row around which conferences are shown.
    pub(super) fn conference_row(&self) -> usize {
        self.conference.row
    }

    /// The row around which people are shown.
    pub(super) fn person_row(&self) -> usize {
        self.person.row
    }

    /// The selected conference, if it still runs.
    pub(super) fn selected(&self) -> Option<(&str, &Room)> {
        let id = self.conference.on.as_deref()?;
        Some((id, self.room(id)?))
    }

    /// Who is in the selected conference, by node and number.
    pub(super) fn people(&self) -> Vec<Person<'_>> {
        let instances = self.selected().map(|(_, room)| room.iter()).into_iter().flatten();
        let people = instances.flat_map(|(id, Instance { people, .. })| {
            people.iter().map(move |(number, (participant, came_s))| Person {
                key: (id.as_str(), *number),
                participant,
                came_s: *came_s,
            })
        });
        people.collect()
    }

    /// Whether the marker is on that one.
    pub(super) fn is_marked(&self, person: &Person<'_>) -> bool {
        self.person.on.as_ref().is_some_and(|(instance, number)| (instance.as_str(), *number) == person.key)
    }

    /// Does a step; gives what is to be asked of the API.
    pub(super) fn step(&mut self, step: Step) -> Option<Request> {
        self.settle();
        match step {
            Step::Quit => {}
            Step::Yes => return self.asked.take(),
            Step::No => {
                self.asked = None;
                self.said.clear();
            }
            Step::Move(rows) => self.go(|row, _| row.saturating_add_signed(rows)),
            Step::First => self.go(|_, _| 0),
            Step::Last => self.go(|_, count| count),
            Step::Switch => self.switch(),
            Step::Sort => {
                self.by_size = !self.by_size;
                self.is_unordered = true;
                self.settle();
            }
            Step::Mute | Step::Unmute | Step::Deaf | Step::Kick | Step::Lock => return self.act(step),
        }
        None
    }

    fn switch(&mut self) {
        self.pane = match self.pane {
            Pane::Conferences => Pane::People,
            Pane::People => Pane::Conferences,
        };
        if self.pane == Pane::People && self.person.on.is_none() {
            self.go(|_, _| 0);
        }
    }

    fn go(&mut self, to: impl FnOnce(usize, usize) -> usize) {
        match self.pane {
            Pane::Conferences => {
                let row = to(self.conference.row, self.order.len()).min(self.order.len().saturating_sub(1));
                let on = self.order.get(row).cloned();
                if on != self.conference.on {
                    self.person = Marker::default();
                }
                self.conference = Marker { on, row };
            }
            Pane::People => {
                let keys: Vec<_> =
                    self.people().iter().map(|one| (one.key.0.to_owned(), one.key.1)).collect();
                let row = to(self.person.row, keys.len()).min(keys.len().saturating_sub(1));
                self.person = Marker { on: keys.into_iter().nth(row), row };
            }
        }
    }

    fn act(&mut self, step: Step) -> Option<Request> {
        let Some(request) = self.request(step) else {
            self.said = "nobody is selected, or it is nothing that can be done to all".to_owned();
            return None;
        };
        self.said = format!("{} {} ...", request.action, request.whom);
        // What cannot be taken back, or is for many, is asked for.
        if request.action == "kick" || request.target == Target::Everybody {
            self.asked = Some(request);
            return None;
        }
        Some(request)
    }

    fn request(&self, step: Step) -> Option<Request> {
        let (id, room) = self.selected()?;
        let name = self.name_of(id);
        let of = |action, target, whom| Request { action, conference: id.to_owned(), target, whom };
        if step == Step::Lock {
            let is_locked = room.values().any(|instance| instance.locked);
            return Some(of(
                if is_locked { "unlock" } else { "lock" },
                Target::Conference,
                name.into_owned(),
            ));
        }
        if self.pane == Pane::Conferences {
            let (action, whom) = match step {
                Step::Mute => ("mute", format!("all but moderators in {name}")),
                Step::Unmute => ("unmute", format!("all but moderators in {name}")),
                Step::Kick => ("kick", format!("everybody in {name}")),
                _ => return None,
            };
            return Some(of(action, Target::Everybody, whom));
        }
        let people = self.people();
        let one = people.iter().find(|person| self.is_marked(person))?.participant;
        let action = match step {
            Step::Mute if one.speak => "mute",
            Step::Mute | Step::Unmute => "unmute",
            Step::Deaf if one.hear => "deaf",
            Step::Deaf => "undeaf",
            _ => "kick",
        };
        let whom = format!("{} ({}) in {name}", one.title(), one.participant_id);
        Some(of(action, Target::Call(one.call_id.clone()), whom))
    }
}

#[cfg(test)]
pub(super) mod tests;
