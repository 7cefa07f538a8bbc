//! What happened, in words.

use crate::client::{Event, Snapshot, clean};
use crate::people::output::{Tone, count};

/// `12:34:56Z`: the time of day in UTC, which needs no table of time zones.
pub(super) fn clock(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// How a conference is.
pub(super) fn of_snapshot(snapshot: &Snapshot) -> String {
    if snapshot.instance_id.is_none() {
        return match snapshot.complete {
            Some(false) => "is not known to run: not every node is listed".to_owned(),
            _ => "does not run".to_owned(),
        };
    }
    let locked = if snapshot.is_locked { ", locked" } else { "" };
    let people = &snapshot.participants;
    let names: Vec<_> = people.iter().take(5).map(|one| one.title()).collect();
    let more = if people.len() > names.len() { ", ..." } else { "" };
    let who = if names.is_empty() { String::new() } else { format!(": {}{more}", names.join(", ")) };
    format!("runs on {}{locked}, {}{who}", clean(&snapshot.focus), count(people.len(), "participant"))
}

/// How it is told.
pub(super) fn tone(event: &str) -> Tone {
    match event {
        "start-talking" | "conference-recovered" => Tone::Good,
        "conference-stale" | "recording-failed" | "dial-failed" | "dial-unknown" | "caller-rejected" => {
            Tone::Bad
        }
        "lock" | "mute-member" | "deaf-member" | "hold-member" => Tone::Odd,
        "stop-talking" => Tone::Faint,
        _ => Tone::Plain,
    }
}

/// What happened. An event that is not known here is told by its own name.
pub(super) fn of_event(event: &Event) -> String {
    let title = event.participant.title();
    let who = match event.participant.participant_id {
        0 => title.into_owned(),
        id => format!("{title} ({id})"),
    };
    let text = |text: &Option<String>| clean(text.as_deref().unwrap_or("?")).into_owned();
    let phrase = match event.event.as_str() {
        "conference-create" => "begins".to_owned(),
        "conference-destroy" => "is over".to_owned(),
        "conference-stale" => "is out of reach".to_owned(),
        "conference-recovered" => "is within reach again".to_owned(),
        "lock" => "is locked".to_owned(),
        "unlock" => "is open again".to_owned(),
        "add-member" => format!("{who} joins"),
        "del-member" => format!("{who} {}", leaving(event)),
        "start-talking" => format!("{who} talks"),
        "stop-talking" => format!("{who} is silent"),
        "mute-member" => format!("{who} is muted"),
        "unmute-member" => format!("{who} can be heard again"),
        "deaf-member" => format!("{who} is deaf"),
        "undeaf-member" => format!("{who} hears again"),
        "hold-member" => format!("{who} is on hold"),
        "unhold-member" => format!("{who} is back from hold"),
        "floor-change" if event.participant.call_id.is_empty() => "nobody has the floor".to_owned(),
        "floor-change" => format!("{who} has the floor"),
        "participant-update" => format!("{who} has changed: {}", or_nothing(&event.participant.marks())),
        "recording-started" => format!("is recorded to {}", text(&event.file)),
        "recording-failed" => format!("cannot be recorded to {}", text(&event.file)),
        "recording-stopped" => format!("is not recorded to {} any more", text(&event.file)),
        "recording-paused" => format!("is not recorded to {} for a while", text(&event.file)),
        "recording-resumed" => format!("is recorded to {} again", text(&event.file)),
        "dial-ringing" => format!("{} rings", text(&event.endpoint)),
        "dial-answered" => format!("{} has answered", text(&event.endpoint)),
        "dial-failed" => format!("{} did not come: {}", text(&event.endpoint), text(&event.cause)),
        "dial-unknown" => format!("{}: it is not known what came of the call", text(&event.endpoint)),
        "caller-rejected" => {
            let from = clean(&event.participant.caller_id_number).into_owned();
            format!("a caller ({from}) was not let in: {}", text(&event.reason))
        }
        other => clean(other).into_owned(),
    };
    let is_repair =
        matches!(event.reason.as_deref(), Some("list" | "node_restarted" | "node_lost" | "node_gone"));
    match &event.reason {
        Some(reason) if is_repair => format!("{phrase} [{reason}]"),
        _ => phrase,
    }
}

fn leaving(event: &Event) -> &'static str {
    match event.left_reason.as_deref() {
        Some("hangup") => "hangs up",
        Some("kicked") => "is put out",
        Some("transferred") => "is transferred",
        Some("conference_ended") => "leaves with the end of it",
        Some("node_lost") => "is gone with the node",
        _ => "leaves",
    }
}

fn or_nothing(marks: &str) -> &str {
    if marks.is_empty() { "nothing special" } else { marks }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Message;
    use crate::hub::EVENTS;

    fn event(name: &str) -> Box<Event> {
        let data = json!({"event": name, "conference_id": "talk", "instance_id": "i", "call_id": "c",
            "participant_id": 3, "caller_id_name": "Ann", "endpoint": "sip:ann", "file": "a.wav"});
        match Message::read(&json!({"action": "event", "data": data})) {
            Ok(Some(Message::Event(event))) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_event_that_there_is_has_words() {
        for name in EVENTS {
            let line = of_event(&event(name));
            assert!(line != name, "{name}: {line}");
        }
        assert_eq!(of_event(&event("something-new")), "something-new");
        assert_eq!(of_event(&event("mute-member")), "Ann (3) is muted");
    }

    #[test]
    fn what_no_event_of_the_switch_has_told_is_marked() {
        let mut left = event("del-member");
        left.left_reason = Some("kicked".into());
        assert_eq!(of_event(&left), "Ann (3) is put out");
        left.reason = Some("list".into());
        assert_eq!(of_event(&left), "Ann (3) is put out [list]");
    }

    #[test]
    fn the_clock_is_of_the_day() {
        assert_eq!(clock(1_795_474_488_694), "22:54:48Z");
    }
}
