//! What is compared between a recording and the look-alike, and what cannot be.
//!
//! Names and order of all headers, and all values but those below. Ids that each switch draws for itself
//! must stand for the same thing throughout.
#![allow(dead_code)] // Each test uses its part.

use super::stage::text;
use convened::sim::events::Event;
use std::collections::HashMap;

/// Values that time, sound or the machine decide. Their headers must be there, in their places.
fn unknowable(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "Core-UUID",
        "Event-Date-Local",
        "Event-Date-GMT",
        "Event-Date-Timestamp",
        "Event-Sequence",
        // Sound.
        "Current-Energy",
        "seconds",
        "milliseconds",
        "samples",
        "Samples-Out",
        "Milliseconds-Elapsed",
        "Record-File-Size",
        // Load of the machine.
        "Up-Time",
        "Uptime-msec",
        "Session-Count",
        "Idle-CPU",
        // Contains the second and an id.
        "Caller-Transfer-Source",
        "Content-Length",
    ];
    let times = name.starts_with("Caller-") && name.ends_with("-Time");
    let load = name.starts_with("Session-");
    NAMES.contains(&name) || times || load || name.starts_with("talking-") || sip(name)
}

/// Channel variables whose values come from SIP, the SDP, the machine or the clock.
fn sip(name: &str) -> bool {
    const SAID: [&str; 20] = [
        "conference_",
        "account_id",
        "role",
        "ecallmgr_",
        "presence_",
        // What an application leaves behind.
        "read_",
        "playback_",
        "current_loop",
        "total_loops",
        "park_timeout",
        // What is noted at the end.
        "hangup_cause",
        "digits_dialed",
        "last_app",
        "last_arg",
        "caller_id",
        "sip_hangup_disposition",
        "direction",
        "dtmf_type",
        "sip_to_user",
        "sip_req_user",
    ];
    name.strip_prefix("variable_").is_some_and(|name| !SAID.iter().any(|said| name.starts_with(said)))
}

/// Variables that the caller's ACK sets again at the end of the list, sooner or later than the first
/// events of its call: SIP decides. So their place is not compared.
fn anywhere(name: &str) -> bool {
    const BY_ACK: [&str; 8] = [
        "sip_to_tag",
        "sip_from_tag",
        "sip_cseq",
        "sip_call_id",
        "sip_full_via",
        "sip_from_display",
        "sip_full_from",
        "sip_full_to",
    ];
    // A parked call has been answered on its own, not by the conference: its media variables were set in
    // another order.
    const BY_ANSWER: [&str; 18] = [
        "DP_MATCH",
        "rtp_local_sdp_str",
        "local_media_ip",
        "local_media_port",
        "advertised_media_ip",
        "rtp_use_timer_name",
        "rtp_use_pt",
        "rtp_use_ssrc",
        "rtp_2833_send_payload",
        "rtp_2833_recv_payload",
        "remote_media_ip",
        "remote_media_port",
        "endpoint_disposition",
        "max_forwards",
        "call_uuid",
        "current_application_data",
        "current_application",
        "sip_h_X-Conf",
    ];
    name.strip_prefix("variable_").is_some_and(|name| BY_ACK.contains(&name) || BY_ANSWER.contains(&name))
}

/// Ids that each side draws for itself, and what they stand for.
#[derive(Default)]
pub(crate) struct Ids {
    there: HashMap<String, String>,
    here: HashMap<String, String>,
}

impl Ids {
    /// Whether these two stand for the same, as far as is known; if nothing is known, from now on they do.
    fn same(&mut self, there: &str, here: &str) -> bool {
        let a = self.there.entry(there.to_owned()).or_insert_with(|| here.to_owned()) == here;
        let b = self.here.entry(here.to_owned()).or_insert_with(|| there.to_owned()) == there;
        a && b
    }
}

fn is_id(value: &str) -> bool {
    let hex = |c: char| c.is_ascii_hexdigit();
    value.len() == 36
        && value.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && value.split('-').all(|p| p.chars().all(hex))
}

/// What differs between two events; empty if nothing does.
pub(crate) fn event_differences(there: &Event, here: &Event, ids: &mut Ids, crowd: bool) -> Vec<String> {
    let mut differences = Vec::new();
    let names = |event: &Event, moving: bool| -> Vec<String> {
        let names = event.headers.iter().map(|(name, _)| name.to_owned());
        names.filter(|name| anywhere(name) == moving).collect()
    };
    if names(there, false) != names(here, false) {
        let (a, b) = (names(there, false), names(here, false));
        let at = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
        differences.push(format!("header {at}: {:?}, ours {:?}", a.get(at), b.get(at)));
    }
    let (mut a, mut b) = (names(there, true), names(here, true));
    a.sort_unstable();
    b.sort_unstable();
    // The first two only a parked call has or only another; the others are missing until the ACK has come.
    let maybe = ["DP_MATCH", "sip_h_X-Conf", "sip_to_tag", "sip_cseq"];
    for names in [&mut a, &mut b] {
        names.retain(|name| !maybe.iter().any(|maybe| name.strip_prefix("variable_") == Some(maybe)));
    }
    if a != b {
        differences.push(format!("variables {a:?}, ours {b:?}"));
    }
    let fixed = |event: &Event| -> Vec<(String, String)> {
        let all = event.headers.iter().filter(|(name, _)| !anywhere(name));
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    for ((name, value), (_, ours)) in fixed(there).into_iter().zip(fixed(here)) {
        let same = unknowable(&name)
            || (crowd && ["Floor", "Conference-Size"].contains(&name.as_str()))
            || if is_id(&value) { ids.same(&value, &ours) } else { value == ours };
        if !same {
            differences.push(format!("{name}: {value}, ours {ours}"));
        }
    }
    // What a channel is in says its own event, wherever it stands.
    for name in ["variable_current_application", "variable_current_application_data"] {
        let (a, b) = (text(there, name), text(here, name));
        if there.name.starts_with("CHANNEL_") && a != b {
            differences.push(format!("{name}: {a}, ours {b}"));
        }
    }
    if let (Some(a), Some(b)) = (&there.body, &here.body) {
        differences.extend(answer_differences(a, b, ids, crowd));
    } else if there.body.is_some() != here.body.is_some() {
        differences.push("a body".to_owned());
    }
    differences
}

/// A short name for an event.
pub(crate) fn label(event: &Event) -> String {
    let (room, id) = (text(event, "Conference-Name"), text(event, "Member-ID"));
    format!("{} {} {room} {id}", text(event, "Event-Name"), text(event, "Action"))
}

/// What differs between two answers. Seconds since something happened differ by how long a machine takes,
/// and the order of rooms is that of a hash table.
pub(crate) fn answer_differences(there: &[u8], here: &[u8], ids: &mut Ids, crowd: bool) -> Vec<String> {
    let (there, here) = (rooms_in_order(there), rooms_in_order(here));
    let mut differences = Vec::new();
    let (a, b): (Vec<&str>, Vec<&str>) = (there.lines().collect(), here.lines().collect());
    if a.len() != b.len() {
        differences.push(format!("{} lines, ours {}", a.len(), b.len()));
    }
    for (a, b) in a.into_iter().zip(b) {
        if !same_line(a, b, ids, crowd) {
            differences.push(format!("{a:?}, ours {b:?}"));
        }
    }
    differences
}

fn same_line(there: &str, here: &str, ids: &mut Ids, crowd: bool) -> bool {
    const COUNTED: [&str; 8] =
        ["run_time", "join_time", "last_talking", "Content-Length", "UP ", "session", "idle cpu", "Stack"];
    let without_digits = |line: &str| line.split(|c: char| c.is_ascii_digit()).collect::<Vec<_>>().join("");
    if COUNTED.iter().any(|word| there.contains(word)) {
        let plural = |line: &str| without_digits(line).replace("hours", "hour").replace("minutes", "minute");
        return plural(there) == plural(here) || there.contains("run_time=");
    }
    if crowd && there.contains("has_floor") {
        return here.contains("has_floor");
    }
    let words = |line: &str| -> Vec<String> {
        line.split(|c: char| !c.is_ascii_hexdigit() && c != '-').map(str::to_owned).collect()
    };
    let (a, b) = (words(there), words(here));
    let mut ours = here.to_owned();
    for (a, b) in a.iter().zip(&b).filter(|(a, b)| is_id(a) && is_id(b)) {
        if !ids.same(a, b) {
            return false;
        }
        ours = ours.replace(b.as_str(), a);
    }
    there == ours
}

fn rooms_in_order(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer).into_owned();
    let Some((head, list)) = text.split_once("[{\n") else { return text };
    let Some(list) = list.strip_suffix("\n\t}]") else { return text };
    let mut rooms: Vec<&str> = list.split("\n\t}, {\n").collect();
    rooms.sort_unstable();
    format!("{head}[{{\n{}\n\t}}]", rooms.join("\n\t}, {\n"))
}
