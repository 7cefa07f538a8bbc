//! A writer that is checked after each step, and what it has made known.

use std::sync::{Arc, Mutex};

use convened::model::{Flag, ListedConference};
use convened::registry::{Change, ChangeKind, Conference, Mark, Odd, Reconciled, Registry, Scope, Writer};

use crate::support::events::{Told, at};

pub(crate) struct Story {
    pub(crate) registry: Arc<Registry>,
    pub(crate) writer: Writer<Arc<Mutex<Vec<Change>>>>,
    pub(crate) changes: Arc<Mutex<Vec<Change>>>,
    /// Milliseconds since it began; each step takes ten.
    pub(crate) now: u64,
}

impl Story {
    pub(crate) fn new() -> Self {
        let (registry, changes) = (Arc::new(Registry::new()), Arc::new(Mutex::default()));
        let writer = Writer::new(registry.clone(), "fs1".into(), Arc::clone(&changes));
        Self { registry, writer, changes, now: 0 }
    }

    /// An event comes.
    pub(crate) fn hears(&mut self, told: Told) -> Option<Odd> {
        self.now += 10;
        let odd = self.writer.apply(&told.0, at(self.now));
        self.check();
        odd
    }

    pub(crate) fn hears_all(&mut self, told: impl IntoIterator<Item = Told>) {
        for one in told {
            let shown = format!("{:?}", one.0);
            assert_eq!(self.hears(one), None, "{shown}");
        }
    }

    /// The fence before a list comes.
    pub(crate) fn mark(&self, sequence: u64) -> Mark {
        self.writer.mark(sequence, at(self.now))
    }

    /// A list of the whole node comes.
    pub(crate) fn lists(&mut self, listed: &[ListedConference], mark: Mark) -> Reconciled {
        self.lists_in(Scope::Node, listed, mark)
    }

    pub(crate) fn lists_in(
        &mut self,
        scope: Scope<'_>,
        listed: &[ListedConference],
        mark: Mark,
    ) -> Reconciled {
        self.now += 10;
        let mut listed = listed.to_vec();
        // Where a story says nothing of it, the list knows when somebody joined.
        for member in listed.iter_mut().flat_map(|conference| &mut conference.members) {
            let all = self.registry.conferences();
            if let Some(known) = all.iter().find_map(|conference| conference.by_call_id(&member.call_id))
                && member.joined_s_ago == 0
            {
                member.joined_s_ago = at(self.now).unix_ms.saturating_sub(known.joined_unix_ms) / 1_000;
            }
        }
        let result = self.writer.reconcile(scope, &listed, mark, at(self.now));
        self.check();
        result
    }

    /// What must hold always, and numbers without gaps.
    pub(crate) fn check(&self) {
        self.writer.check().unwrap();
        let mut last = std::collections::HashMap::new();
        for change in self.changes.lock().unwrap().iter() {
            let number = last.entry(change.conference.instance.clone()).or_insert(0);
            *number += 1;
            assert_eq!(change.number, *number);
        }
        for conference in self.registry.conferences() {
            let known = last.get(&conference.instance).copied().unwrap_or(0);
            assert_eq!(conference.change_number(), known);
            let holders = conference.participants().iter().filter(|p| p.state().has(Flag::Floor)).count();
            assert!(holders <= 1, "{holders} hold the floor");
        }
    }

    /// The running instance `i1`.
    pub(crate) fn daily(&self) -> Arc<Conference> {
        self.instance("i1").expect("it runs")
    }

    pub(crate) fn instance(&self, instance: &str) -> Option<Arc<Conference>> {
        self.registry.conferences().into_iter().find(|conference| &*conference.instance == instance)
    }

    /// Who is in `i1`, by call.
    pub(crate) fn calls(&self) -> Vec<String> {
        let conference = self.instance("i1");
        let members = conference.map(|conference| conference.participants()).unwrap_or_default();
        members.iter().map(|participant| participant.call_id.to_string()).collect()
    }

    pub(crate) fn has(&self, call: &str, flag: Flag) -> bool {
        self.daily().by_call_id(call).expect("he is there").state().has(flag)
    }

    pub(crate) fn holder(&self) -> Option<String> {
        let members = self.daily().participants();
        members.iter().find(|p| p.state().has(Flag::Floor)).map(|p| p.call_id.to_string())
    }

    /// The kinds of all changes.
    pub(crate) fn news(&self) -> Vec<ChangeKind> {
        let changes = self.changes.lock().unwrap();
        changes.iter().map(|change| change.kind).collect()
    }

    /// The kinds of changes from there on.
    pub(crate) fn news_since(&self, before: usize) -> Vec<ChangeKind> {
        self.news().split_off(before)
    }

    pub(crate) fn count(&self) -> usize {
        self.changes.lock().unwrap().len()
    }
}
