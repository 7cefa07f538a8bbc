//! What really happened, seen before anything goes wrong, and how often: who is told to have come more often
//! than he came, or to have been held more often than he was, was told of by something old.
//!
//! Whatever is lost, late or told twice, what the registry tells must be some of what happened, in its order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use convened::registry::{Change, ChangeKind, Reason};
use convened::sim::events::Event;
use convened::sim::switch::Switch;

/// What can be counted: of an instance, or of a call in it.
type Count = BTreeMap<(String, String, &'static str), u64>;

/// Counts what happens on a switch.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    count: Count,
    last: BTreeMap<(String, String, &'static str), String>,
    /// In which run of the switch each instance was, and which run it is.
    runs: BTreeMap<String, usize>,
    cores: Vec<String>,
}

/// Flags of which events and lists tell the same at any time; of hearing and speaking they do not, on hold.
const FLAGS: [&str; 2] = ["Talking", "Hold"];

impl Seen {
    fn note(&mut self, event: &Event) {
        let (mut instance, mut call, mut action, mut core) = ("", "", "", "");
        let mut flags = [None; FLAGS.len()];
        for (name, value) in event.headers.iter() {
            match name {
                "Conference-Unique-ID" => instance = value,
                "Unique-ID" => call = value,
                "Action" => action = value,
                "Core-UUID" => core = value,
                _ => {
                    if let Some(at) = FLAGS.iter().position(|flag| *flag == name) {
                        flags[at] = Some(value);
                    }
                }
            }
        }
        if instance.is_empty() {
            return;
        }
        match action {
            "add-member" => self.count(instance, call, "Joined"),
            "conference-create" => {
                if self.cores.last().is_none_or(|last| last != core) {
                    self.cores.push(core.into());
                }
                self.runs.insert(instance.into(), self.cores.len());
                self.count(instance, "", "Created");
            }
            "lock" => self.count(instance, "", "Locked"),
            _ => {}
        }
        for (flag, value) in FLAGS.into_iter().zip(flags) {
            if let Some(value) = value {
                self.becomes(instance, call, flag, value, "false");
            }
        }
    }

    fn count(&mut self, instance: &str, call: &str, what: &'static str) {
        *self.count.entry((instance.into(), call.into(), what)).or_default() += 1;
    }

    fn becomes(&mut self, instance: &str, call: &str, what: &'static str, value: &str, first: &str) {
        let last = self.last.entry((instance.into(), call.into(), what)).or_insert_with(|| first.into());
        if last != value {
            *last = value.into();
            self.count(instance, call, what);
        }
    }
}

impl Witness {
    /// Sees everything from now on.
    pub(crate) fn stand_at(switch: &Switch) -> Self {
        let witness = Self::default();
        let eyes = witness.clone();
        switch.witness(move |event| eyes.0.lock().unwrap_or_else(PoisonError::into_inner).note(event));
        witness
    }

    /// In which run of the switch that conference was.
    pub(crate) fn run_of(&self, instance: &str) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.get(instance).copied()
    }

    /// What was told more often than it happened.
    pub(crate) fn denies(&self, told: &Told) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = told.0.iter();
        all.find(|(what, count)| seen.count.get(what).copied().unwrap_or(0) < **count)
            .map(|(what, count)| format!("{what:?} was told {count} times: {:?}", seen.count.get(what)))
    }
}

/// Counts what was told.
#[derive(Default)]
pub(crate) struct Told(Count);

impl Told {
    pub(crate) fn count(&mut self, change: &Change) {
        if (change.kind, change.reason) == (ChangeKind::ConferenceDestroyed, Reason::NodeLost) {
            // If it is found again, all of it is told again.
            self.0.retain(|(instance, ..), _| **instance != *change.conference.instance);
        }
        let what = match change.kind {
            ChangeKind::ConferenceCreated => "Created",
            ChangeKind::Joined => "Joined",
            // A conference that ends is told to be unlocked; that happens to nobody.
            ChangeKind::Locked => "Locked",
            ChangeKind::StartedTalking | ChangeKind::StoppedTalking => "Talking",
            ChangeKind::Held | ChangeKind::Unheld => "Hold",
            _ => return,
        };
        let call = change.participant.as_ref().map_or("", |(who, _)| &*who.call_id);
        *self.0.entry((change.conference.instance.to_string(), call.to_owned(), what)).or_default() += 1;
    }
}
