//! `conference json_list` into the field's words (conference_api.c, `conference_jlist`).
//!
//! cJSON writes caller names as raw bytes, whatever they are: what is not UTF-8 becomes U+FFFD.
//! Recordings stand among the members.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::translate::file_of;
use crate::model::{Flag, ListedConference, ListedMember, ListedRecording, MemberState};

/// A list that cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// Not the JSON that is expected; how it begins.
    #[error("the list is not what json_list prints ({error}): {beginning:?}")]
    Unreadable {
        /// What the parser says.
        error: serde_json::Error,
        /// The first characters.
        beginning: String,
    },
}

#[derive(Deserialize)]
struct Conference {
    conference_name: String,
    conference_uuid: String,
    #[serde(default, deserialize_with = "number")]
    run_time: u64,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    destruct: bool,
    #[serde(default)]
    variables: HashMap<String, Box<RawValue>>,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    id: Option<u32>,
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    flags: Flags,
    #[serde(default)]
    caller_id_name: String,
    #[serde(default)]
    caller_id_number: String,
    #[serde(default, deserialize_with = "number")]
    join_time: u64,
    #[serde(default, deserialize_with = "number")]
    energy: u64,
    #[serde(default)]
    record_path: Option<String>,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Flags {
    can_hear: bool,
    can_see: bool,
    can_speak: bool,
    hold: bool,
    mute_detect: bool,
    talking: bool,
    has_video: bool,
    has_floor: bool,
    is_moderator: bool,
}

/// FreeSWITCH prints what it has: an energy level of -5 that somebody set, a time after the clock was put back.
/// What is no count is 0, and no reason not to know the others.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    // No `Value`: see `json` for what a text from outside may not become without a look.
    let value = Box::<RawValue>::deserialize(deserializer)?;
    Ok(value.get().parse().unwrap_or(0))
}

/// Reads the list of all conferences, or of one.
///
/// # Errors
/// If it is not a list as FreeSWITCH prints it (an `-ERR` line among others).
pub fn parse_listing(text: &[u8]) -> Result<Vec<ListedConference>, ListingError> {
    let text = String::from_utf8_lossy(text);
    let conferences: Vec<Conference> = serde_json::from_str(&text)
        .map_err(|error| ListingError::Unreadable { error, beginning: text.chars().take(120).collect() })?;
    Ok(conferences.into_iter().map(conference).collect())
}

fn conference(listed: Conference) -> ListedConference {
    let account = listed.variables.get("account_id");
    let account = account.and_then(|account| serde_json::from_str::<String>(account.get()).ok());
    ListedConference {
        account: account.filter(|account| !account.is_empty()),
        instance: listed.conference_uuid,
        name: listed.conference_name,
        run_time_s: listed.run_time,
        locked: listed.locked,
        ending: listed.destruct,
        recordings: listed.members.iter().filter_map(recording).collect(),
        members: listed.members.into_iter().filter_map(member).collect(),
    }
}

/// What has a `record_path` is no caller; `join_time` is the time of day there (mod_conference.c,
/// `conference_jlist`).
fn recording(listed: &Member) -> Option<ListedRecording> {
    Some(ListedRecording {
        path: file_of(listed.record_path.as_deref()?).to_owned(),
        paused: listed.status.as_deref() == Some("paused"),
        since_unix_s: listed.join_time,
    })
}

/// A recording has neither a call nor an id.
fn member(listed: Member) -> Option<ListedMember> {
    let flags = listed.flags;
    let state = MemberState::default()
        .with(Flag::Hear, flags.can_hear)
        .with(Flag::See, flags.can_see)
        .with(Flag::Speak, flags.can_speak)
        .with(Flag::Hold, flags.hold)
        .with(Flag::MuteDetect, flags.mute_detect)
        .with(Flag::Talking, flags.talking)
        .with(Flag::Video, flags.has_video)
        .with(Flag::Floor, flags.has_floor)
        .with(Flag::Moderator, flags.is_moderator)
        .with_energy_level(listed.energy);
    Some(ListedMember {
        call_id: listed.uuid?,
        member_id: listed.id?,
        state,
        caller_name: listed.caller_id_name,
        caller_number: listed.caller_id_number,
        joined_s_ago: listed.join_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_count_hides_nobody() {
        let list = br#"[{"conference_name": "daily", "conference_uuid": "u", "run_time": -3, "members": [
            {"type": "caller", "id": 7, "uuid": "c", "energy": -5, "join_time": 1.5, "caller_id_name": "Ann"},
            {"type": "recording_node", "record_path": "/tmp/a.wav", "join_time": 1795426324}]}]"#;
        let listed = parse_listing(list).unwrap();
        assert_eq!((&*listed[0].name, listed[0].run_time_s), ("daily", 0));
        let [member] = &listed[0].members[..] else { panic!("{listed:?}") };
        assert_eq!((member.member_id, member.joined_s_ago, member.state.energy_level()), (7, 0, 0));
        assert_eq!(member.caller_name, "Ann");
        let recording =
            ListedRecording { path: "/tmp/a.wav".into(), paused: false, since_unix_s: 1_795_426_324 };
        assert_eq!(listed[0].recordings, [recording]);
    }

    #[test]
    fn a_variable_may_be_called_whatever_a_caller_likes() {
        let list = br#"[{"conference_name": "daily", "conference_uuid": "u", "members": [],
            "variables": {"$serde_json::private::RawValue": "[[", "account_id": "A"}}]"#;
        assert_eq!(parse_listing(list).unwrap()[0].account.as_deref(), Some("A"));
    }

    #[test]
    fn what_is_no_list_is_told_with_its_beginning() {
        let error = parse_listing(b"-ERR Conference command 'compact' not found.\n").unwrap_err().to_string();
        assert!(error.contains("-ERR Conference command"), "{error}");
    }
}
