//! One binding of one subscriber: what it begins with, what follows, and what follows when it has fallen behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::running::{instances, nothing, snapshot};
use crate::api::ApiError;
use crate::api::resources::{Caller, Context};
use crate::config::Way;
use crate::hub::{Binding, Stream, Told};
use crate::registry::Conference;
use crate::store::AccountId;

/// Where somebody was who comes back: by conference, its instances and the number of the last change he knows of each.
pub(super) type Resume = HashMap<String, Vec<(String, u64)>>;

/// Something to be sent.
#[derive(Debug)]
pub(in crate::api::resources) enum Piece {
    /// It happened; the number of the last one that was sent under this binding.
    Event(Arc<Told>, Option<u64>),
    /// How a conference is; `data`.
    Snapshot(Value),
    /// Something was missed; `data`. Snapshots follow.
    Gap(Value),
}

/// The last number of an instance that has ended.
const ENDED: u64 = u64::MAX;

/// One binding of one subscriber.
#[derive(Debug)]
pub(in crate::api::resources) struct Subscription {
    pub(in crate::api::resources) binding: Binding,
    /// In whose name it is.
    caller: Caller,
    /// Over what it is told.
    way: Way,
    stream: Arc<Stream>,
    /// Whom it wakes.
    reader: Arc<Notify>,
    place: u64,
    /// Up to here the stream may have what was sent at the beginning: it is not sent again.
    settled: u64,
    /// By instance: the number of the last change that has been shown or sent.
    last: HashMap<Arc<str>, u64>,
}

impl Subscription {
    /// Subscribes: from now on `reader` is woken when there is something new.
    pub(super) fn new(
        context: &Context,
        binding: Binding,
        (caller, account): (Caller, &AccountId),
        (way, reader): (Way, &Arc<Notify>),
    ) -> Self {
        let streams = &context.events.streams;
        let stream = match &binding.conference {
            Some(conference) => streams.of_conference(account, conference),
            None => streams.of_account(account),
        };
        stream.wakes(reader);
        let place = stream.end();
        // Until it has begun, whatever is sent may come once more.
        let reader = reader.clone();
        Self { binding, caller, way, stream, reader, place, settled: u64::MAX, last: HashMap::new() }
    }

    /// What somebody is sent first: what he has missed, else how it is.
    ///
    /// Whoever comes back to all conferences is also shown those that he does not name: they may have begun
    /// meanwhile.
    pub(super) async fn begin(
        &mut self,
        context: &Context,
        resume: &Resume,
        with_snapshot: bool,
    ) -> Result<Vec<Piece>, ApiError> {
        let mut pieces = Vec::new();
        let bound = self.binding.conference.clone();
        let is_bound = |conference: &str| bound.as_deref().is_none_or(|bound| bound == conference);
        let known: Vec<_> = resume.iter().filter(|(conference, _)| is_bound(conference)).collect();
        let mut lost = Vec::new();
        for (conference, known) in &known {
            if !self.resume(context, conference, known, &mut pieces).await? {
                lost.push(conference.as_str());
            }
        }
        match (known.is_empty(), bound) {
            (true, _) if !with_snapshot => {}
            (false, Some(_)) if lost.is_empty() => {}
            (true, _) | (false, Some(_)) => self.show_all(context, &mut pieces).await?,
            (false, None) => {
                let mut running = instances(context, &self.caller, None).await?;
                running.retain(|it| !resume.contains_key(&*it.name) || lost.contains(&&*it.name));
                self.show(context, &running, &mut pieces);
                let has_ended = |conference: &&str| running.iter().all(|it| *it.name != **conference);
                lost.retain(has_ended);
                pieces
                    .extend(lost.into_iter().map(|conference| Piece::Snapshot(nothing(context, conference))));
            }
        }
        self.settled = self.stream.end();
        Ok(pieces)
    }

    /// What was missed of a conference; false if it is not kept any more, or not all of its instances are known.
    async fn resume(
        &mut self,
        context: &Context,
        conference: &str,
        known: &[(String, u64)],
        pieces: &mut Vec<Piece>,
    ) -> Result<bool, ApiError> {
        let stream = context.events.streams.of_conference(self.caller.account()?, conference);
        // His numbers may be those of another daemon, or of this one before a restart.
        let found =
            |it: &Arc<Conference>| it.is_found() && known.iter().any(|(named, _)| **named == *it.instance);
        if context.registry.conference(conference).iter().any(found) {
            return Ok(false);
        }
        let mut begin: Option<u64> = None;
        let mut forgotten = Vec::new();
        for (instance, seq) in known {
            match stream.place_behind(instance, *seq) {
                Some(place) => begin = Some(begin.map_or(place, |begin| begin.min(place))),
                None => forgotten.push((&**instance, *seq)),
            }
        }
        let told = match begin.map(|begin| stream.read(begin, usize::MAX)) {
            Some(Ok((told, _))) => told,
            Some(Err(_)) => return Ok(false),
            None => Vec::new(),
        };
        // What he does not name has begun since, or he would have to be told how it is.
        let mut named: HashSet<&str> = known.iter().map(|(instance, _)| &**instance).collect();
        let mut numbers = told.iter().filter_map(|told| told.number());
        if !numbers.all(|(instance, number)| !named.insert(instance) || number == 1) {
            return Ok(false);
        }
        // Nothing may have happened in what is not kept; and something may have begun that is not kept either.
        let is_named = |it: &Arc<Conference>| named.contains(&*it.instance);
        if !forgotten.is_empty() || !context.registry.conference(conference).iter().all(is_named) {
            let running = instances(context, &self.caller, Some(conference)).await?;
            let is_as_it_was = |(instance, seq): &(&str, u64)| {
                running.iter().any(|it| *it.instance == **instance && it.change_number() == *seq)
            };
            if !forgotten.iter().all(is_as_it_was) || !running.iter().all(is_named) {
                return Ok(false);
            }
        }
        self.last.extend(known.iter().map(|(instance, seq)| (Arc::from(&**instance), *seq)));
        for told in told {
            self.take(context, told, pieces);
        }
        Ok(true)
    }

    async fn show_all(&mut self, context: &Context, pieces: &mut Vec<Piece>) -> Result<(), ApiError> {
        let conference = self.binding.conference.clone();
        let running = instances(context, &self.caller, conference.as_deref()).await?;
        self.show(context, &running, pieces);
        if let (Some(conference), true) = (conference, running.is_empty()) {
            pieces.push(Piece::Snapshot(nothing(context, &conference)));
        }
        Ok(())
    }

    fn show(&mut self, context: &Context, running: &[Arc<Conference>], pieces: &mut Vec<Piece>) {
        for it in running {
            let same = running.iter().filter(|other| other.name == it.name);
            let (data, seq) = snapshot(context, it, &same.map(|other| &*other.instance).collect::<Vec<_>>());
            self.last.insert(it.instance.clone(), seq);
            pieces.push(Piece::Snapshot(data));
        }
    }

    /// What follows, at most so much; empty: nothing yet.
    pub(super) async fn next(&mut self, context: &Context, most: usize) -> Result<Vec<Piece>, ApiError> {
        let mut pieces = Vec::new();
        match self.stream.read(self.place, most) {
            Ok((told, place)) => {
                self.place = place;
                for told in told {
                    self.take(context, told, &mut pieces);
                }
                if self.place >= self.settled {
                    self.last.retain(|_, last| *last != ENDED);
                }
            }
            Err(_) => {
                context.events.figures.gaps.inc();
                self.place = self.stream.end();
                self.last.clear();
                let conference = self.binding.conference.as_deref().unwrap_or("*");
                pieces.push(Piece::Gap(json!({ "conference_id": conference })));
                self.show_all(context, &mut pieces).await?;
            }
        }
        Ok(pieces)
    }

    /// Whether there may be something by now.
    pub(super) fn has_more(&self) -> bool {
        self.stream.end() != self.place
    }

    fn take(&mut self, context: &Context, told: Arc<Told>, pieces: &mut Vec<Piece>) {
        let is_told = self.binding.takes(&told) && context.events.settings.tells(self.way, told.event());
        let Some((instance, number)) = told.number() else {
            if is_told {
                pieces.push(Piece::Event(told, None));
            }
            return;
        };
        let last = self.last.get(instance).copied().unwrap_or(0);
        if number <= last {
            return;
        }
        match told.event() {
            "conference-destroy" if self.place < self.settled => {
                self.last.insert(instance.clone(), ENDED);
            }
            // Nothing is kept of what has ended, whether that is told here or not.
            "conference-destroy" => drop(self.last.remove(instance)),
            _ if is_told => drop(self.last.insert(instance.clone(), number)),
            _ => {}
        }
        if is_told {
            pieces.push(Piece::Event(told, Some(last)));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.forgets(&self.reader);
    }
}
