//! The channel variables of a SIP call, in FreeSWITCH's order.
//!
//! Only a room with `verbose-events` shows them, so only its callers have them. Addresses, tags and the SDP
//! are made up: there is no SIP here.

use super::call::Caller;

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
