//! FreeSWITCH's header names into the field's words: `conference::maintenance` events.
//!
//! Which headers an event has: conference_event.c (`conference_event_add_data`) and conference_member.c
//! (`conference_member_add_event_data`). Those of a member come all together or not at all.

use std::borrow::Cow;
use std::sync::Arc;

use crate::esl::{Event, Fields, Names, Value};
use crate::model::{ChannelFacts, ConferenceEvent, EventKind, Extra, Flag, MemberFacts, MemberState};

/// Reads conference events out of raw ones.
#[derive(Debug)]
pub struct Translator {
    names: Names<COUNT>,
    /// `variable_ecallmgr_` and its like.
    prefixes: Vec<String>,
}

/// The headers that are read, by their place in the names.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Header {
    Subclass,
    Sequence,
    Action,
    Instance,
    Conference,
    Size,
    Ghosts,
    Account,
    CallId,
    MemberId,
    MemberType,
    Hear,
    See,
    Speak,
    Talking,
    Floor,
    Hold,
    MuteDetect,
    Video,
    Ghost,
    EnergyLevel,
    CurrentEnergy,
    CallerName,
    CallerNumber,
    ChannelAccount,
    NewId,
    Path,
    Error,
    To,
    AnswerState,
    HangupCause,
}

const COUNT: usize = Header::HangupCause as usize + 1;

/// In the order of [`Header`].
const NAMES: [&str; COUNT] = [
    "Event-Subclass",
    "Event-Sequence",
    "Action",
    "Conference-Unique-ID",
    "Conference-Name",
    "Conference-Size",
    "Conference-Ghosts",
    "account_id",
    "Unique-ID",
    "Member-ID",
    "Member-Type",
    "Hear",
    "See",
    "Speak",
    "Talking",
    "Floor",
    "Hold",
    "Mute-Detect",
    "Video",
    "Member-Ghost",
    "Energy-Level",
    "Current-Energy",
    "Caller-Caller-ID-Name",
    "Caller-Caller-ID-Number",
    "PD-account_id",
    "New-ID",
    "Path",
    "Error",
    "New-Conference-Name",
    "Answer-State",
    "Hangup-Cause",
];

impl Default for Translator {
    fn default() -> Self {
        Self { names: Names::new(NAMES), prefixes: Vec::new() }
    }
}

impl Translator {
    /// One that also takes the variables of channels whose names begin so. FreeSWITCH tells them if the profile has
    /// `verbose-events` (conference_member.c, `conference_member_add_event_data`).
    #[must_use]
    pub fn with_variables(prefixes: &[String]) -> Self {
        let prefixes = prefixes.iter().map(|prefix| format!("variable_{prefix}")).collect();
        Self { prefixes, ..Self::default() }
    }

    /// Kazoo writes `Account-ID` as `account_id`.
    fn channel(&self, event: &Event) -> Option<Extra<'static>> {
        let variable = |(name, value): (&[u8], Value<'_>)| {
            let prefix = self.prefixes.iter().find(|prefix| name.starts_with(prefix.as_bytes()))?;
            let name = String::from_utf8_lossy(&name[prefix.len()..]).to_ascii_lowercase().replace('-', "_");
            Some((name.into(), told(value)?.into()))
        };
        let channel = ChannelFacts {
            presence_id: event.get("Channel-Presence-ID").and_then(told).map(Into::into),
            variables: match self.prefixes.is_empty() {
                true => Vec::new(),
                false => event.headers().filter_map(variable).collect(),
            },
        };
        (channel != ChannelFacts::default()).then(|| Extra::Channel(Arc::new(channel)))
    }

    /// The conference event in it; `None` if it is an event of another kind, or lacks what every
    /// conference event has.
    pub fn conference_event<'a>(&self, event: &'a Event) -> Option<ConferenceEvent<'a>> {
        let fields = event.fields(&self.names);
        let get = |header: Header| fields.get(header as usize);
        if get(Header::Subclass)?.raw() != b"conference%3A%3Amaintenance" {
            return None;
        }
        let number = |header| get(header).and_then(Value::number);
        let kind = kind(get(Header::Action).map_or(b"", Value::raw), get(Header::NewId), get(Header::Error));
        let size = number(Header::Size).map(|size| size.saturating_add(number(Header::Ghosts).unwrap_or(0)));
        Some(ConferenceEvent {
            kind,
            sequence: number(Header::Sequence)?,
            instance: get(Header::Instance)?.text(),
            conference: get(Header::Conference)?.text(),
            size: size.and_then(|size| u32::try_from(size).ok()),
            account: get(Header::Account).and_then(told),
            member: member(&fields),
            extra: match kind {
                EventKind::Joined => self.channel(event),
                kind => extra(kind, &fields),
            }
            .map(Box::new),
        })
    }
}

/// What a kind of event tells beside the state.
fn extra<'a>(kind: EventKind, fields: &Fields<'a, COUNT>) -> Option<Extra<'a>> {
    let text = |header: Header| fields.get(header as usize).and_then(told);
    match kind {
        EventKind::Left if fields.get(Header::AnswerState as usize)?.raw() == b"hangup" => {
            Some(Extra::HungUp(text(Header::HangupCause).unwrap_or_default()))
        }
        EventKind::Transferred => Some(Extra::To(text(Header::To)?)),
        EventKind::RecordingStarted
        | EventKind::RecordingStopped
        | EventKind::RecordingPaused
        | EventKind::RecordingResumed => {
            let path = match text(Header::Path)? {
                Cow::Borrowed(path) => Cow::Borrowed(file_of(path)),
                Cow::Owned(path) => Cow::Owned(file_of(&path).to_owned()),
            };
            Some(Extra::Recording { path, error: text(Header::Error) })
        }
        _ => None,
    }
}

/// The file of a recording: with video its path has parameters in braces before it (conference_record.c,
/// `conference_record_thread_run`).
pub(super) fn file_of(path: &str) -> &str {
    match path.starts_with('{') {
        true => path.rsplit_once('}').map_or(path, |(_, file)| file.trim_start_matches(' ')),
        false => path,
    }
}

/// `floor-change` puts its member's headers behind the action and ends with New-ID; a `play-file` with an Error
/// plays nothing (conference_file.c, `conference_file_play`).
fn kind(action: &[u8], new_id: Option<Value<'_>>, error: Option<Value<'_>>) -> EventKind {
    match action {
        b"conference-create" => EventKind::Created,
        b"conference-destroy" => EventKind::Destroyed,
        b"add-member" => EventKind::Joined,
        b"del-member" => EventKind::Left,
        b"lock" => EventKind::Locked,
        b"unlock" => EventKind::Unlocked,
        b"floor-change" => EventKind::FloorChanged {
            to: new_id.and_then(Value::number).and_then(|id| u32::try_from(id).ok()),
        },
        b"kick-member" | b"hup-member" => EventKind::Kicked,
        b"transfer" => EventKind::Transferred,
        b"start-recording" => EventKind::RecordingStarted,
        b"stop-recording" => EventKind::RecordingStopped,
        b"pause-recording" => EventKind::RecordingPaused,
        b"resume-recording" => EventKind::RecordingResumed,
        b"play-file" if error.is_none() => EventKind::Played,
        _ => EventKind::Other,
    }
}

/// A value that says something: FreeSWITCH writes an empty one as `_undef_` (switch_event.c,
/// `switch_event_serialize`).
fn told(value: Value<'_>) -> Option<Cow<'_, str>> {
    (!value.raw().is_empty() && value.raw() != b"_undef_").then(|| value.text())
}

/// The member of an event. Without call or member id there is none.
#[inline]
fn member<'a>(fields: &Fields<'a, COUNT>) -> Option<MemberFacts<'a>> {
    let get = |header: Header| fields.get(header as usize);
    let member_id = u32::try_from(get(Header::MemberId)?.number()?).ok()?;
    let call_id = get(Header::CallId)?.text();
    let is = |header| get(header).is_some_and(Value::is_true);
    let energy = |header| get(header).and_then(Value::number).unwrap_or(0);
    let state = MemberState::default()
        .with(Flag::Hear, is(Header::Hear))
        .with(Flag::See, is(Header::See))
        .with(Flag::Speak, is(Header::Speak))
        .with(Flag::Talking, is(Header::Talking))
        .with(Flag::Floor, is(Header::Floor))
        .with(Flag::Hold, is(Header::Hold))
        .with(Flag::MuteDetect, is(Header::MuteDetect))
        .with(Flag::Video, is(Header::Video))
        .with(Flag::Ghost, is(Header::Ghost))
        .with(Flag::Moderator, get(Header::MemberType).is_some_and(|kind| kind.raw() == b"moderator"))
        .with_energy_level(energy(Header::EnergyLevel))
        .with_current_energy(energy(Header::CurrentEnergy));
    let text = |header| get(header).and_then(told).unwrap_or_default();
    Some(MemberFacts {
        call_id,
        member_id,
        state,
        caller_name: text(Header::CallerName),
        caller_number: text(Header::CallerNumber),
        account: get(Header::ChannelAccount).and_then(told),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::new(bytes::Bytes::copy_from_slice(text.as_bytes()))
    }

    const HEAD: &str = "Event-Subclass: conference%3A%3Amaintenance\nEvent-Sequence: 7\nConference-Name: a\n\
        Conference-Unique-ID: b\n";

    #[test]
    fn a_value_that_says_nothing_is_none() {
        let event = event(&format!(
            "{HEAD}account_id: _undef_\nUnique-ID: c\nMember-ID: 3\nCaller-Caller-ID-Name: _undef_\n\
             Caller-Caller-ID-Number: 1\nPD-account_id:\n"
        ));
        let translator = Translator::default();
        let read = translator.conference_event(&event).unwrap();
        assert_eq!(read.account, None);
        let member = read.member.unwrap();
        assert_eq!((&*member.caller_name, &*member.caller_number), ("", "1"));
        assert_eq!(member.account, None);
    }

    #[test]
    fn absurd_numbers_are_no_size() {
        let huge = "9999999999999999999";
        let event =
            event(&format!("{HEAD}Conference-Size: {huge}\nConference-Ghosts: {huge}\nMember-ID: {huge}\n"));
        let translator = Translator::default();
        let read = translator.conference_event(&event).unwrap();
        assert_eq!((read.size, read.member), (None, None));
    }
}
