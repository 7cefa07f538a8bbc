//! Events of a channel: parked, an application executed, hung up; and its headers by `uuid_dump`.

use super::fire::{Draft, variables};
use super::running::Running;
use super::{Call, World};
use crate::sim::events::Lines;
use crate::sim::text;

/// What is counted of a call's sound, of which there is none here.
const MEDIA_FIGURES: [(&str, &str); 27] = [
    ("audio_in_raw_bytes", "0"),
    ("audio_in_media_bytes", "0"),
    ("audio_in_packet_count", "0"),
    ("audio_in_media_packet_count", "0"),
    ("audio_in_skip_packet_count", "0"),
    ("audio_in_jitter_packet_count", "0"),
    ("audio_in_dtmf_packet_count", "0"),
    ("audio_in_cng_packet_count", "0"),
    ("audio_in_flush_packet_count", "0"),
    ("audio_in_largest_jb_size", "0"),
    ("audio_in_jitter_min_variance", "0.00"),
    ("audio_in_jitter_max_variance", "0.00"),
    ("audio_in_jitter_loss_rate", "0.00"),
    ("audio_in_jitter_burst_rate", "0.00"),
    ("audio_in_mean_interval", "20.00"),
    ("audio_in_flaw_total", "0"),
    ("audio_in_quality_percentage", "100.00"),
    ("audio_in_mos", "4.50"),
    ("audio_out_raw_bytes", "0"),
    ("audio_out_media_bytes", "0"),
    ("audio_out_packet_count", "0"),
    ("audio_out_media_packet_count", "0"),
    ("audio_out_skip_packet_count", "0"),
    ("audio_out_dtmf_packet_count", "0"),
    ("audio_out_cng_packet_count", "0"),
    ("audio_rtcp_packet_count", "0"),
    ("audio_rtcp_octet_count", "0"),
];

impl World {
    /// A call's headers and variables as they are now.
    fn channel_data(&mut self, draft: &mut Draft, uuid: &str) {
        let Some(call) = self.calls.get_mut(uuid) else { return };
        call.show_presence_data();
        draft.lines.append(&call.channel);
        variables(&mut draft.lines, call);
    }

    /// `CHANNEL_PARK`.
    pub(crate) fn fire_parked(&mut self, uuid: &str) {
        self.burn(1);
        let mut draft = self.draft("CHANNEL_PARK", ("switch_ivr.c", "switch_ivr_park", 1002));
        self.channel_data(&mut draft, uuid);
        self.fire(draft, None);
    }

    /// `CHANNEL_EXECUTE_COMPLETE` of an application that has ended.
    pub(crate) fn fire_executed(&mut self, uuid: &str, running: Running) {
        self.burn(1);
        let id = running.uuid.unwrap_or_else(|| self.dice.uuid());
        let spot = ("switch_core_session.c", "switch_core_session_exec", 2972);
        let mut draft = self.draft("CHANNEL_EXECUTE_COMPLETE", spot);
        self.channel_data(&mut draft, uuid);
        let response =
            self.calls.get(uuid).and_then(|call| call.text_variable("current_application_response"));
        draft.lines.push("Application", &running.step.app);
        if !running.step.data.is_empty() {
            draft.lines.push("Application-Data", &running.step.data);
        }
        draft.lines.push("Application-Response", response.as_deref().unwrap_or("_none_"));
        draft.lines.push("Application-UUID", id);
        self.fire(draft, None);
    }

    /// `CHANNEL_HANGUP_COMPLETE`, the last that is heard of a call.
    pub(crate) fn fire_hangup(&mut self, uuid: &str) {
        let now = self.now;
        self.burn(3);
        let spot = ("switch_core_state_machine.c", "switch_core_session_reporting_state", 943);
        let mut draft = self.draft("CHANNEL_HANGUP_COMPLETE", spot);
        let Some(mut call) = self.calls.remove(uuid) else { return };
        let cause = call.hangup.clone().unwrap_or_default();
        call.show_presence_data();
        draft.lines.push("Hangup-Cause", &cause);
        let answered = call.answered_at();
        call.channel.set("Channel-State", "CS_REPORTING");
        call.channel.set("Channel-Call-State", "HANGUP");
        call.channel.set("Channel-State-Number", "11");
        call.channel.set("Caller-Channel-Hangup-Time", now.to_string());
        account(&mut call, &cause, answered, now);
        draft.lines.append(&call.channel);
        variables(&mut draft.lines, &call);
        self.fire(draft, None);
    }

    /// `uuid_dump`: the headers as an event's; with `plain` they are not encoded but in brackets
    /// (mod_commands.c, `uuid_dump_function`).
    pub(crate) fn dump(&mut self, uuid: &str, format: &str) -> Vec<u8> {
        let mut draft = self.draft("CHANNEL_DATA", ("mod_commands.c", "uuid_dump_function", 6495));
        self.channel_data(&mut draft, uuid);
        match format {
            "plain" => bracketed(&draft.lines),
            _ => [draft.lines.as_str(), "\n"].concat().into_bytes(),
        }
    }

    /// `eval uuid:CALL TEXT`: the headers of the call in the text, and nothing for those of no call
    /// (mod_commands.c, `eval_function`).
    pub(crate) fn eval(&mut self, arguments: &str) -> Vec<u8> {
        let uuid = arguments.strip_prefix("uuid:").and_then(|rest| rest.split_once(' '));
        let (uuid, text) = uuid.unwrap_or(("", arguments));
        let mut draft = self.draft("CHANNEL_DATA", ("mod_commands.c", "eval_function", 1696));
        if self.has_call(uuid) {
            self.channel_data(&mut draft, uuid);
            return expanded(text, |name| draft.lines.get(name).unwrap_or_default());
        }
        expanded(text, |_| Vec::new())
    }
}

/// Puts values in the places of `${NAME}`; what is not closed stays (switch_event.c, `switch_event_expand_headers`).
fn expanded(text: &str, value: impl Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((name, after)) = behind.split_once('}') else { break };
        out.extend_from_slice(before.as_bytes());
        out.extend(value(name));
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn bracketed(lines: &Lines) -> Vec<u8> {
    let mut out = Vec::with_capacity(lines.as_str().len());
    for (name, value) in lines.iter() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": [");
        out.extend_from_slice(&text::decode(value));
        out.extend_from_slice(b"]\n");
    }
    out.push(b'\n');
    out
}

/// What the switch notes of a call at its end (switch_channel.c, `switch_channel_set_timestamps`).
fn account(call: &mut Call, cause: &str, answered: Option<u64>, now: u64) {
    call.set_variable("hangup_cause", cause);
    call.set_variable("hangup_cause_q850", super::causes::q850(cause).to_string());
    // A call that came straight into a conference shows no more than it did before.
    if call.variable("session_id").is_none() {
        return;
    }
    let dialled = std::mem::take(&mut call.thread.dialled);
    call.set_variable("digits_dialed", if dialled.is_empty() { "none" } else { &dialled });
    let (created, last) = (call.created, call.thread.last.clone());
    for (name, at) in
        [("start", Some(created)), ("profile_start", Some(created)), ("answer", answered), ("end", Some(now))]
    {
        if let Some(at) = at {
            call.set_variable(&format!("{name}_stamp"), text::date_local(at));
        }
    }
    let mut epoch = |name: &str, at: u64| {
        call.set_variable(&format!("{name}_epoch"), (at / 1_000_000).to_string());
        call.set_variable(&format!("{name}_uepoch"), at.to_string());
    };
    epoch("start", created);
    epoch("profile_start", created);
    epoch("answer", answered.unwrap_or(0));
    epoch("bridge", 0);
    epoch("last_hold", 0);
    for name in ["seconds", "usec", "ms"] {
        call.set_variable(&format!("hold_accum_{name}"), "0");
    }
    let mut epoch = |name: &str, at: u64| {
        call.set_variable(&format!("{name}_epoch"), (at / 1_000_000).to_string());
        call.set_variable(&format!("{name}_uepoch"), at.to_string());
    };
    epoch("resurrect", 0);
    epoch("progress", 0);
    epoch("progress_media", 0);
    epoch("end", now);
    call.set_variable("last_app", &last.app);
    call.set_variable("last_arg", &last.data);
    let (name, number) = (String::from_utf8_lossy(&call.name), String::from_utf8_lossy(&call.number));
    call.set_variable("caller_id", format!("\"{name}\" <{number}>"));
    let whole = now.saturating_sub(created);
    let billed = answered.map_or(0, |at| now.saturating_sub(at));
    let rang = answered.map_or(0, |at| at.saturating_sub(created));
    for (prefix, suffix, unit) in [("", "sec", 1_000_000), ("m", "msec", 1_000), ("u", "usec", 1)] {
        call.set_variable(&format!("{prefix}duration"), (whole / unit).to_string());
        for (name, length) in [
            ("bill", billed),
            ("progress", 0),
            ("answer", rang),
            ("wait", 0),
            ("progress_media", 0),
            ("flow_bill", whole),
        ] {
            call.set_variable(&format!("{name}{suffix}"), (length / unit).to_string());
        }
    }
    if call.variable("sip_hangup_disposition").is_none() {
        call.set_variable(
            "sip_hangup_disposition",
            if answered.is_some() { "send_bye" } else { "send_refuse" },
        );
    }
    for (name, figure) in MEDIA_FIGURES.iter().filter(|_| answered.is_some()) {
        call.set_variable(&format!("rtp_{name}"), figure);
    }
}
