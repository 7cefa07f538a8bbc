//! The channel variables of a SIP call, in FreeSWITCH's order.
//!
//! Only a room with `verbose-events` and the events of a channel show them, so only callers into such a room
//! and those who are parked have them. Addresses, tags and the SDP
//! are made up: there is no SIP here.

use super::call::{Call, Caller};

/// Names that share a value, and the value with `{…}` for what differs from call to call.
const TABLE: &[(&str, &str)] = &[
    ("direction", "inbound"),
    ("uuid", "{uuid}"),
    ("session_id", "{session}"),
    ("sip_from_user", "{number}"),
    ("sip_from_uri", "{number}@127.0.0.1"),
    ("sip_from_host", "127.0.0.1"),
    ("video_media_flow text_media_flow", "disabled"),
    ("channel_name", "sofia/internal/{number}@127.0.0.1"),
    ("sip_local_network_addr sip_network_ip", "127.0.0.1"),
    ("sip_network_port", "5060"),
    ("sip_invite_stamp", "{now}"),
    ("sip_received_ip", "127.0.0.1"),
    ("sip_received_port", "5060"),
    ("sip_via_protocol", "udp"),
    ("sip_from_user_stripped", "{number}"),
    ("sofia_profile_name", "internal"),
    ("sofia_profile_url", "sip:mod_sofia@127.0.0.1:5060"),
    ("recovery_profile_name", "internal"),
    ("sip_Remote-Party-ID", "\"{name}\" <sip:{number}@127.0.0.1>;party=calling;screen=yes;privacy=off"),
    ("sip_cid_type", "rpid"),
    ("sip_allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY"),
    ("sip_req_user", "{to}"),
    ("sip_req_port", "5060"),
    ("sip_req_uri", "{to}@127.0.0.1:5060"),
    ("sip_req_host", "127.0.0.1"),
    ("sip_to_user", "{to}"),
    ("sip_to_port", "5060"),
    ("sip_to_uri", "{to}@127.0.0.1:5060"),
    ("sip_to_host", "127.0.0.1"),
    ("sip_contact_user", "mod_sofia"),
    ("sip_contact_port", "5060"),
    ("sip_contact_uri", "mod_sofia@127.0.0.1:5060"),
    ("sip_contact_host", "127.0.0.1"),
    ("sip_user_agent", "FreeSWITCH-mod_sofia/1.11.3-dev+git~20260821T141014Z~cc93a683ca~64bit"),
    ("sip_via_host", "127.0.0.1"),
    ("sip_via_rport", "5060"),
    ("max_forwards", "70"),
    ("sip_h_X-Conf", "{room}"),
    ("switch_r_sdp", "v=0\r\no=FreeSWITCH 1 2 IN IP4 127.0.0.1\r\ns=FreeSWITCH\r\nt=0 0\r\n"),
    ("ep_codec_string", "CORE_PCM_MODULE.PCMU@8000h@20i@64000b"),
    ("rtp_use_codec_string", "PCMU"),
    ("remote_video_media_flow remote_text_media_flow", "inactive"),
    ("remote_audio_media_flow audio_media_flow", "sendrecv"),
    ("rtp_audio_recv_pt", "0"),
    ("rtp_use_codec_name", "PCMU"),
    ("rtp_use_codec_rate", "8000"),
    ("rtp_use_codec_ptime", "20"),
    ("rtp_use_codec_channels", "1"),
    ("rtp_last_audio_codec_string", "PCMU@8000h@20i@1c"),
    ("read_codec original_read_codec", "PCMU"),
    ("read_rate original_read_rate", "8000"),
    ("write_codec", "PCMU"),
    ("write_rate", "8000"),
    ("dtmf_type", "rfc2833"),
    ("call_uuid", "{uuid}"),
    ("rtp_local_sdp_str", "v=0\r\no=FreeSWITCH 3 4 IN IP4 127.0.0.1\r\ns=FreeSWITCH\r\nt=0 0\r\n"),
    ("local_media_ip", "127.0.0.1"),
    ("local_media_port", "21240"),
    ("advertised_media_ip", "127.0.0.1"),
    ("rtp_use_timer_name", "soft"),
    ("rtp_use_pt", "0"),
    ("rtp_use_ssrc", "588044015"),
    ("rtp_2833_send_payload rtp_2833_recv_payload", "101"),
    ("remote_media_ip", "127.0.0.1"),
    ("remote_media_port", "19616"),
    ("endpoint_disposition", "ANSWER"),
    // What the caller's ACK brings; on a real switch it may come a moment later than the first events.
    ("sip_to_tag sip_from_tag", "{tag}"),
    ("sip_cseq", "123159363"),
    ("sip_call_id", "{uuid}"),
    ("sip_full_via", "SIP/2.0/UDP 127.0.0.1;rport=5060;branch=z9hG4bK{tag}"),
    ("sip_from_display", "{name}"),
    ("sip_full_from", "\"{name}\" <sip:{number}@127.0.0.1>;tag={tag}"),
    ("sip_full_to", "<sip:{to}@127.0.0.1:5060>;tag={tag}"),
    ("current_application_data", "{room}"),
    ("current_application", "conference"),
];

/// The variables of `caller`'s call into `room` (a dial string such as `daily@verbose`).
pub(crate) fn variables(
    caller: &Caller,
    uuid: &str,
    room: &str,
    session: u64,
    now: u64,
) -> Vec<(String, Vec<u8>)> {
    let fields = [
        ("{uuid}", uuid.to_owned()),
        ("{tag}", uuid.get(..8).unwrap_or(uuid).to_owned()),
        ("{session}", session.to_string()),
        ("{now}", now.to_string()),
        ("{to}", caller.destination.clone()),
        ("{room}", room.to_owned()),
        ("{number}", String::from_utf8_lossy(&caller.number).into_owned()),
        // Last, so that a name cannot smuggle one of the others in.
        ("{name}", String::from_utf8_lossy(&caller.name).into_owned()),
    ];
    let mut all = Vec::with_capacity(100);
    for (names, template) in TABLE {
        let mut value = (*template).to_owned();
        for (field, with) in fields.iter().filter(|(field, _)| template.contains(field)) {
            value = value.replace(field, with);
        }
        all.extend(names.split(' ').map(|name| (name.to_owned(), value.clone().into_bytes())));
    }
    all
}

/// Where a call that has not been answered has variables which a later message moves to the end: names, and the
/// one they stand behind.
const EARLY: [(&str, &str); 4] = [
    ("sip_call_id", "channel_name"),
    ("sip_from_tag", "sip_from_user_stripped"),
    ("sip_full_via sip_from_display sip_full_from sip_full_to", "sip_cid_type"),
    ("remote_media_ip remote_media_port", "audio_media_flow"),
];
/// What the answer, early or not, adds or sets again.
const MEDIA: [&str; 11] = [
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
];
/// What the caller's ACK sets again.
const ACK: [&str; 6] =
    ["sip_from_tag", "sip_cseq", "sip_call_id", "sip_full_via", "sip_from_display", "sip_full_from"];

/// The variables of `caller`'s call when the dialplan begins.
pub(crate) fn ringing(caller: &Caller, uuid: &str, session: u64, now: u64) -> Vec<(String, Vec<u8>)> {
    let mut all = variables(caller, uuid, "", session, now);
    let place = |all: &[(String, Vec<u8>)], name: &str| all.iter().position(|(known, _)| known == name);
    let answered = place(&all, "call_uuid").unwrap_or(all.len());
    let late = all.split_off(answered);
    all.retain(|(name, _)| name != "sip_h_X-Conf");
    for (names, anchor) in EARLY {
        let mut at = place(&all, anchor).map_or(all.len(), |at| at + 1);
        for name in names.split(' ') {
            let Some(mut early) = late.iter().find(|(known, _)| known == name).cloned() else { continue };
            if name == "sip_full_to" {
                // The tag comes with our answer.
                let end = early.1.iter().position(|byte| *byte == b';').unwrap_or(early.1.len());
                early.1.truncate(end);
            }
            all.insert(at, early);
            at += 1;
        }
    }
    if caller.name == caller.number {
        // The phone has sent no name.
        all.retain(|(name, _)| name != "sip_from_display");
        let number = String::from_utf8_lossy(&caller.number).into_owned();
        for (_, value) in all.iter_mut().filter(|(_, value)| value.starts_with(b"\"")) {
            let text = String::from_utf8_lossy(value).replacen(&format!("\"{number}\" "), "", 1);
            *value = text.into_bytes();
        }
    }
    let to = &caller.destination;
    all.push(("endpoint_disposition".to_owned(), b"RECEIVED".to_vec()));
    all.push(("DP_MATCH".to_owned(), format!("ARRAY::{to}|:{to}").into_bytes()));
    all.push(("call_uuid".to_owned(), uuid.as_bytes().to_vec()));
    all
}

/// A call without a `session_id` shows no such variables.
fn shows(call: &Call) -> bool {
    call.variable("session_id").is_some()
}

/// There is media from now on.
pub(crate) fn media(call: &mut Call) {
    let value = |name: &str| {
        TABLE.iter().find(|(names, _)| names.split(' ').any(|known| known == name)).map(|(_, value)| *value)
    };
    let names: &[&str] = if shows(call) { &MEDIA } else { &[] };
    for name in names {
        call.set_variable(name, value(name).unwrap_or_default());
    }
}

/// The caller has heard of the answer.
pub(crate) fn ack(call: &mut Call) {
    if !shows(call) {
        return;
    }
    let tag = call.uuid.get(..8).unwrap_or(&call.uuid).to_owned();
    call.set_variable("sip_to_tag", &tag);
    for name in ACK {
        let before = call.variable(name).map(<[u8]>::to_vec);
        let value = before.or_else(|| (name == "sip_cseq").then(|| b"123159363".to_vec()));
        call.set_variable(name, value.unwrap_or_default());
    }
    let to = call.text_variable("sip_full_to").unwrap_or_default();
    call.set_variable("sip_full_to", format!("{to};tag={tag}"));
}
