//! Actions as lines of `api conference`, and what their answers look like (conference_api.c).

use super::reply::{Verdict, verdict};
use crate::model::ParticipantAction;

/// How a participant has to be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// By call or by number: commands with a member for their target.
    Either,
    /// By number only: the others read a number and nothing else.
    ByNumber,
}

/// How a participant is named in the command of an action.
pub(super) fn named(action: &ParticipantAction) -> Named {
    match action {
        ParticipantAction::Play(_)
        | ParticipantAction::StopPlay
        | ParticipantAction::Say(_)
        | ParticipantAction::Transfer { .. } => Named::ByNumber,
        _ => Named::Either,
    }
}

/// The command behind the conference's name. `kick` is the word for kicking.
pub(super) fn words(action: &ParticipantAction, target: &impl std::fmt::Display, kick: &str) -> String {
    match action {
        ParticipantAction::Kick { .. } => format!("{kick} {target}"),
        ParticipantAction::Play(media) => format!("play {media} {target}"),
        ParticipantAction::StopPlay => format!("stop all {target}"),
        ParticipantAction::VolumeIn(level) | ParticipantAction::VolumeOut(level) => {
            format!("{} {target} {level}", action.name())
        }
        ParticipantAction::Energy(level) => format!("energy {target} {level}"),
        ParticipantAction::Dtmf(digits) => format!("dtmf {target} {digits}"),
        ParticipantAction::Say(text) => format!("saymember {target} {text}"),
        ParticipantAction::Transfer { to, profile } => format!("transfer {to}@{profile} {target}"),
        plain => format!("{} {target}", plain.name()),
    }
}

/// What an answer to such a command means. Some tell the new value and nothing that means success.
pub(super) fn meaning(action: &ParticipantAction, printed: &str) -> Verdict {
    let tells = |beginning: &str, level: String| {
        let mut lines = printed.lines();
        lines.any(|line| line.starts_with(beginning) && line.trim_end().ends_with(&format!(" = {level}")))
    };
    match action {
        ParticipantAction::Energy(level) if tells("Energy ", level.to_string()) => Verdict::Accepted,
        // FreeSWITCH keeps to its own bounds without a word.
        ParticipantAction::VolumeIn(level) if !tells("+OK Volume IN ", level.to_string()) => not_so(printed),
        ParticipantAction::VolumeOut(level) if !tells("+OK Volume OUT ", level.to_string()) => {
            not_so(printed)
        }
        // What he has it takes from him: `+OK floor none` (conference_api.c, `conference_api_sub_floor`).
        ParticipantAction::Floor if printed.starts_with("+OK floor none") => not_so(printed),
        _ => verdict(printed),
    }
}

fn not_so(printed: &str) -> Verdict {
    match verdict(printed) {
        Verdict::Accepted => Verdict::Refused(printed.trim_end().to_owned()),
        other => other,
    }
}

/// How many files an answer to `stop` says were stopped.
pub(super) fn stopped(printed: &str) -> Option<u32> {
    let line = printed.lines().find_map(|line| line.strip_prefix("+OK Stopped "))?;
    line.split(' ').next()?.parse().ok()
}
