//! How conferences and participants are shown: the seed's field names.

use std::sync::Arc;

use http::HeaderValue;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Context;
use super::whose::Found;
use crate::api::{ApiError, Response};
use crate::config::Timestamps;
use crate::model::{self, Flag, MemberState, Moment};
use crate::registry::{Conference, Participant, Recording};

/// From 1970 back to the year 0, in seconds: what Kazoo's times are counted from.
pub(super) const GREGORIAN: u64 = 62_167_219_200;

/// A participant as clients see him.
#[derive(Serialize)]
pub(in crate::api::resources) struct ParticipantView<'a> {
    call_id: &'a str,
    conference_name: &'a str,
    conference_uuid: &'a str,
    switch_hostname: &'a str,
    floor: bool,
    hear: bool,
    speak: bool,
    talking: bool,
    mute_detect: bool,
    participant_id: u32,
    energy_level: u16,
    current_energy: Option<u16>,
    video: bool,
    is_moderator: bool,
    join_time: u64,
    duration: u64,
    caller_id_name: &'a str,
    caller_id_number: &'a str,
    hold: bool,
    ghost: bool,
    node: &'a str,
    instance_id: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
    /// For a moderator: muted and deaf until one is there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    waiting: bool,
}

/// What runs, of a conference.
pub(super) struct Realtime {
    pub(super) members: usize,
    pub(super) moderators: usize,
    pub(super) duration: u64,
    pub(super) is_locked: bool,
    /// Whether what is known of an instance is old: its node is out of reach.
    pub(super) is_stale: bool,
    recordings: Vec<Arc<Recording>>,
    participants: Vec<Present>,
    /// `INSTANCE;N` for each instance: at least the changes up to N are shown.
    pub(super) sequence: String,
}

/// What is played to everybody in a conference.
pub(super) enum Playing {
    /// It is not shown: the switch would have to be asked.
    NotAsked,
    /// As far as that is known.
    Asked(Option<model::Playing>),
}

/// Somebody in a conference, as of one moment.
struct Present {
    conference: Arc<Conference>,
    participant: Arc<Participant>,
    state: MemberState,
    is_stale: bool,
}

impl Realtime {
    /// Takes it all from the registry; each participant's state is of one moment.
    pub(super) fn of(instances: &[Arc<Conference>], now: Moment) -> Self {
        let sequence: Vec<_> = instances
            .iter()
            .map(|instance| format!("{};{}", instance.instance, instance.change_number()))
            .collect();
        let mut participants = Vec::new();
        let mut any_is_stale = false;
        for instance in instances {
            let is_stale = instance.is_stale();
            any_is_stale |= is_stale;
            participants.extend(instance.participants().into_iter().map(|participant| Present {
                conference: instance.clone(),
                state: participant.state(),
                participant,
                is_stale,
            }));
        }
        let count = |moderator| {
            let states = participants.iter().map(|present| present.state);
            states.filter(|state| state.has(Flag::Moderator) == moderator && !state.has(Flag::Ghost)).count()
        };
        Self {
            members: count(false),
            moderators: count(true),
            duration: instances
                .first()
                .map_or(0, |oldest| now.unix_ms.saturating_sub(oldest.began_unix_ms) / 1_000),
            is_locked: instances.iter().any(|instance| instance.is_locked()),
            is_stale: any_is_stale,
            recordings: instances.iter().flat_map(|instance| instance.recordings().to_vec()).collect(),
            participants,
            sequence: sequence.join(", "),
        }
    }

    /// The participants, in the order of instances and member ids.
    pub(super) fn participants(&self, context: &Context, now: Moment) -> Vec<ParticipantView<'_>> {
        self.participants
            .iter()
            .map(|present| {
                let Present { conference, participant, state, is_stale } = present;
                view(context, (conference, *is_stale), (participant, *state), now)
            })
            .collect()
    }
}

fn view<'a>(
    context: &Context,
    (conference, stale): (&'a Conference, bool),
    (participant, state): (&'a Participant, MemberState),
    now: Moment,
) -> ParticipantView<'a> {
    ParticipantView {
        call_id: &participant.call_id,
        conference_name: &conference.name,
        conference_uuid: &conference.instance,
        switch_hostname: &conference.node,
        floor: state.has(Flag::Floor),
        hear: state.has(Flag::Hear),
        speak: state.has(Flag::Speak),
        talking: state.has(Flag::Talking),
        mute_detect: state.has(Flag::MuteDetect),
        participant_id: participant.member_id,
        energy_level: state.energy_level(),
        current_energy: state.current_energy(),
        video: state.has(Flag::Video),
        is_moderator: state.has(Flag::Moderator),
        join_time: context.time(participant.joined_unix_ms / 1_000),
        duration: now.unix_ms.saturating_sub(participant.joined_unix_ms) / 1_000,
        caller_id_name: &participant.caller_name,
        caller_id_number: &participant.caller_number,
        hold: state.has(Flag::Hold),
        ghost: state.has(Flag::Ghost),
        node: &conference.node,
        instance_id: &conference.instance,
        stale,
        waiting: context.waiting.is_waiting(&conference.name, &participant.call_id),
    }
}

impl Context {
    /// A time in seconds since 1970 as the configuration wants it written.
    pub(super) fn time(&self, unix_s: u64) -> u64 {
        match self.timestamps {
            Timestamps::Gregorian => unix_s.saturating_add(GREGORIAN),
            Timestamps::Unix => unix_s,
        }
    }

    /// A stored time, which is Gregorian, as the configuration wants it written.
    fn stored_time(&self, gregorian_s: i64) -> i64 {
        match self.timestamps {
            Timestamps::Gregorian => gregorian_s,
            Timestamps::Unix => gregorian_s.saturating_sub(i64::try_from(GREGORIAN).unwrap_or(i64::MAX)),
        }
    }

    /// One participant, with the state of this moment.
    pub(in crate::api::resources) fn participant_view<'a>(
        &self,
        conference: &'a Conference,
        participant: &'a Participant,
    ) -> ParticipantView<'a> {
        let (stale, state) = (conference.is_stale(), participant.state());
        view(self, (conference, stale), (participant, state), Moment::now())
    }

    /// Recordings, as they are shown.
    pub(in crate::api::resources) fn recordings_view(&self, recordings: &[Arc<Recording>]) -> Vec<Value> {
        recordings.iter().map(|it| self.recording_view(it)).collect()
    }

    fn recording_view(&self, recording: &Recording) -> Value {
        json!({
            "file": *recording.path,
            "paused": recording.paused,
            "start_time": self.time(recording.since_unix_ms / 1_000),
        })
    }

    /// The whole of a conference: its document, where it runs, and what runs, under `_read_only`.
    pub(super) fn conference_view(
        &self,
        found: &Found,
        realtime: &Realtime,
        playing: &Playing,
        now: Moment,
    ) -> Result<Box<RawValue>, ApiError> {
        let mut view = base(found);
        let mut read_only = json!({
            "members": realtime.members,
            "admins": realtime.moderators,
            "moderators": realtime.moderators,
            "duration": realtime.duration,
            "is_locked": realtime.is_locked,
            "recording": realtime.recordings.iter().any(|recording| !recording.paused),
            "recordings": self.recordings_view(&realtime.recordings),
            "complete": self.registry.is_complete(),
            "participants": realtime.participants(self, now),
        });
        if realtime.is_stale {
            read_only["stale"] = true.into();
        }
        if let Playing::Asked(playing) = playing
            && !found.instances.is_empty()
        {
            read_only["play_status"] =
                playing.as_ref().map(|playing| json!({ "media": playing.media })).into();
        }
        if let Some(document) = &found.document {
            read_only["created"] = self.stored_time(document.created).into();
            read_only["modified"] = self.stored_time(document.modified).into();
        }
        view.insert("_read_only".into(), read_only);
        appended(found, &view)
    }

    /// A line of the list of conferences.
    pub(super) fn conference_line(&self, found: &Found, now: Moment) -> Result<Box<RawValue>, ApiError> {
        let realtime = Realtime::of(&found.instances, now);
        let mut view = base(found);
        view.insert("members".into(), realtime.members.into());
        view.insert("admins".into(), realtime.moderators.into());
        view.insert("moderators".into(), realtime.moderators.into());
        view.insert("duration".into(), realtime.duration.into());
        view.insert("is_locked".into(), realtime.is_locked.into());
        if realtime.is_stale {
            view.insert("stale".into(), true.into());
        }
        appended(found, &view)
    }
}

/// What stands beside the document's own keys: its id, and where it runs.
fn base(found: &Found) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("id".into(), found.id.as_str().into());
    if found.document.is_none() {
        view.insert("name".into(), found.id.as_str().into());
    }
    if found.is_ad_hoc {
        view.insert("ad_hoc".into(), true.into());
    }
    if let Some(oldest) = found.instances.first() {
        view.insert("focus".into(), (*oldest.node).into());
        let instances = found.instances.iter();
        let instances = instances.map(|i| json!({ "node": *i.node, "instance_id": *i.instance }));
        view.insert("instances".into(), instances.collect());
    }
    view
}

/// The document's text with more keys behind its own, none of which is among them: these are never stored.
fn appended(found: &Found, more: &Map<String, Value>) -> Result<Box<RawValue>, ApiError> {
    let text = found.document.as_ref().map_or("{}", |document| document.text.as_str());
    let open = text.strip_suffix('}').filter(|text| text.starts_with('{'));
    let whole = open.and_then(|open| {
        let more = serde_json::to_string(more).ok()?;
        let comma = if open[1..].trim_ascii().is_empty() { "" } else { "," };
        RawValue::from_string(format!("{open}{comma}{}", more.strip_prefix('{')?)).ok()
    });
    whole.ok_or_else(|| ApiError::internal(format!("document {}: its text is no JSON object", found.id)))
}

/// Says up to which change an answer goes.
pub(super) fn with_sequence(response: Response, sequence: &str) -> Response {
    match HeaderValue::from_str(sequence) {
        Ok(value) if !sequence.is_empty() => {
            response.header(http::HeaderName::from_static("x-conference-seq"), value)
        }
        _ => response,
    }
}
