//! Places in conferences with a limit: one is taken before a caller is sent in, and given back when he is seen there,
//! or is not.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Flag;
use crate::registry::Registry;

/// A call, and the node that it goes in by: an id may be used on two nodes.
type Caller = (Arc<str>, Arc<str>);
type Taken = HashMap<Box<str>, HashSet<Caller>>;

/// The places that are taken by callers who are on their way.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

/// A place; dropped, it is free again, or the caller is counted where he is.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    conference: Box<str>,
    caller: Caller,
}

impl Places {
    /// Takes a place for a call of a node, if there are fewer than `most` in the conference and on their way into it.
    /// Ghosts are in no place, as with FreeSWITCH.
    #[must_use]
    pub(super) fn take(
        &self,
        registry: &Registry,
        conference: &str,
        (node, call): (&Arc<str>, &Arc<str>),
        most: Option<u64>,
    ) -> Option<Place> {
        let caller = (call.clone(), node.clone());
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(most) = most {
            // Whoever has just come in is in both; he counts once.
            let mut present: HashSet<Caller> = HashSet::new();
            for instance in registry.conference(conference).iter() {
                let participants = instance.participants();
                let counted = participants.iter().filter(|one| !one.state().has(Flag::Ghost));
                present.extend(counted.map(|one| (one.call_id.clone(), instance.node.clone())));
            }
            present.extend(taken.get(conference).into_iter().flatten().cloned());
            present.remove(&caller);
            if present.len() as u64 >= most {
                return None;
            }
        }
        taken.entry(conference.into()).or_default().insert(caller.clone());
        Some(Place { places: self.clone(), conference: conference.into(), caller })
    }

    /// The node by which others are on their way into a conference.
    #[must_use]
    pub(super) fn heading(&self, conference: &str, call: &str) -> Option<Arc<str>> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = taken.get(conference)?.iter().filter(|(other, _)| **other != *call);
        others.next().map(|(_, node)| node.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calls) = taken.get_mut(&self.conference) {
            calls.remove(&self.caller);
            if calls.is_empty() {
                taken.remove(&self.conference);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_is_free() {
        let (places, registry) = (Places::default(), Registry::new());
        let take = |call: &str| places.take(&registry, "c", (&"fs1".into(), &call.into()), Some(2));
        let first = take("1").expect("a place");
        let _second = take("2").expect("a place");
        assert!(take("3").is_none());
        assert!(places.take(&registry, "other", (&"fs1".into(), &"3".into()), Some(2)).is_some());
        assert!(
            places.take(&registry, "c", (&"fs1".into(), &"3".into()), None).is_some(),
            "who is over the limit"
        );
        assert_eq!(places.heading("c", "1").as_deref(), Some("fs1"));
        assert_eq!(places.heading("none", "1"), None);
        drop(first);
        assert!(take("3").is_some());
        assert!(take("3").is_some(), "and a place that was dropped is free at once");
    }

    #[test]
    fn nothing_is_kept_of_conferences_that_nobody_enters() {
        let (places, registry) = (Places::default(), Registry::new());
        drop(places.take(&registry, "c", (&"fs1".into(), &"1".into()), None));
        assert!(places.0.lock().unwrap().is_empty());
    }
}
