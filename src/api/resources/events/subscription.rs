//! One binding of one subscriber: what it begins with, what follows, and what follows when it has fallen behind.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::running::{instances, nothing, snapshot};
use crate::api::ApiError;
use crate::api::resources::{Caller, Context};
use crate::hub::{Binding, Stream, Told};
use crate::store::AccountId;

/// Where somebody was who comes back: by conference, the instance and the number of the last change he knows.
pub(super) type Resume = HashMap<String, (String, u64)>;

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

/// One binding of one subscriber.
#[derive(Debug)]
pub(in crate::api::resources) struct Subscription {
    pub(in crate::api::resources) binding: Binding,
    /// In whose name it is.
    caller: Caller,
    stream: Arc<Stream>,
    place: u64,
    /// By instance: the number of the last change that has been shown or sent.
    last: HashMap<Arc<str>, u64>,
}

impl Subscription {
    /// Subscribes: from now on `reader` is woken when there is something new.
    pub(super) fn new(
        context: &Context,
        binding: Binding,
        (caller, account): (Caller, &AccountId),
        reader: &Arc<Notify>,
    ) -> Self {
        let streams = &context.events.streams;
        let stream = match &binding.conference {
            Some(conference) => streams.of_conference(account, conference),
            None => streams.of_account(account),
        };
        stream.wakes(reader);
        let place = stream.end();
        Self { binding, caller, stream, place, last: HashMap::new() }
    }

    /// What somebody is sent first: what he has missed, else how it is.
    pub(super) async fn begin(
        &mut self,
        context: &Context,
        resume: &Resume,
        with_snapshot: bool,
    ) -> Result<Vec<Piece>, ApiError> {
        let mut pieces = Vec::new();
        let mut lost = false;
        for (conference, (instance, seq)) in resume {
            if self.binding.conference.as_deref().is_none_or(|bound| bound == conference) {
                lost |= !self.resume(context, conference, (instance, *seq), &mut pieces)?;
            }
        }
        if lost || (with_snapshot && resume.is_empty()) {
            self.show_all(context, &mut pieces).await?;
        }
        Ok(pieces)
    }

    /// What was missed of a conference; false if it is not kept any more.
    fn resume(
        &mut self,
        context: &Context,
        conference: &str,
        (instance, seq): (&str, u64),
        pieces: &mut Vec<Piece>,
    ) -> Result<bool, ApiError> {
        let account = self.caller.account()?;
        let stream = context.events.streams.of_conference(account, conference);
        let running = context.registry.conference(conference);
        let is_up_to_date = running.iter().any(|it| *it.instance == *instance && it.change_number() == seq);
        let Some(place) = stream.place_behind(instance, seq) else {
            if is_up_to_date {
                self.last.insert(instance.into(), seq);
            }
            return Ok(is_up_to_date);
        };
        let Ok((told, _)) = stream.read(place, usize::MAX) else { return Ok(false) };
        self.last.insert(instance.into(), seq);
        for told in told {
            self.take(context, told, pieces);
        }
        Ok(true)
    }

    async fn show_all(&mut self, context: &Context, pieces: &mut Vec<Piece>) -> Result<(), ApiError> {
        let conference = self.binding.conference.clone();
        let running = instances(context, &self.caller, conference.as_deref()).await?;
        for it in &running {
            let (data, seq) = snapshot(context, it);
            self.last.insert(it.instance.clone(), seq);
            pieces.push(Piece::Snapshot(data));
        }
        if let (Some(conference), true) = (conference, running.is_empty()) {
            pieces.push(Piece::Snapshot(nothing(&conference)));
        }
        Ok(())
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
            }
            Err(_) => {
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
        let is_told = context.events.settings.tells(told.event()) && self.binding.takes(&told);
        let Some((instance, number)) = told.number() else {
            if is_told {
                pieces.push(Piece::Event(told, None));
            }
            return;
        };
        let last = self.last.get(instance).copied().unwrap_or(0);
        // Nothing follows it, whether it is told or not.
        if told.event() == "conference-destroy" {
            self.last.remove(instance);
        } else if is_told && number > last {
            self.last.insert(instance.clone(), number);
        }
        if is_told && number > last {
            pieces.push(Piece::Event(told, Some(last)));
        }
    }
}
