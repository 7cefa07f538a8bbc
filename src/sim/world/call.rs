//! Calls: who calls, and what FreeSWITCH knows of a channel.
//!
//! A call exists whether or not it is in a conference. Its channel headers are kept as text, because each
//! event of a member repeats them.

use super::conference::atoi;
use super::room::Seat;
use super::thread::Thread;
use crate::sim::events::Lines;

/// Member flags that a join can carry (`+flags{moderator|mute}`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// Skipped by `non_moderator`.
    pub moderator: bool,
    /// Joins muted.
    pub mute: bool,
    /// Joins deaf.
    pub deaf: bool,
    /// Not counted.
    pub ghost: bool,
    /// The conference ends when it leaves.
    pub endconf: bool,
    /// The conference ends when the last of these leaves (accepted, shown in lists, without effect here).
    pub mandatory_endconf: bool,
    /// Talking while muted is noticed.
    pub mute_detect: bool,
    /// Begins no conference.
    pub join_only: bool,
}

impl Flags {
    /// Reads `moderator|mute`; unknown words are ignored, as in FreeSWITCH.
    pub fn parse(text: &str) -> Self {
        let mut flags = Self::default();
        for word in text.split(['|', ',']) {
            match word.trim() {
                "moderator" => flags.moderator = true,
                "mute" => flags.mute = true,
                "deaf" => flags.deaf = true,
                "ghost" => flags.ghost = true,
                "endconf" => flags.endconf = true,
                "mandatory_member_endconf" => flags.mandatory_endconf = true,
                "mute-detect" => flags.mute_detect = true,
                "join-only" => flags.join_only = true,
                _ => {}
            }
        }
        flags
    }
}

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(crate) name: Vec<u8>,
    pub(crate) number: Vec<u8>,
    pub(crate) uuid: Option<String>,
    pub(crate) profile: String,
    pub(crate) flags: Flags,
    pub(crate) pin: String,
    pub(crate) outbound: bool,
    pub(crate) stays_up: bool,
    pub(crate) destination: String,
    pub(crate) context: String,
    pub(crate) variables: Vec<(String, String)>,
}

impl Caller {
    /// A caller with a name and a number. Both are bytes: a phone sends what it likes.
    pub fn new(name: impl AsRef<[u8]>, number: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            number: number.as_ref().to_vec(),
            uuid: None,
            profile: "default".to_owned(),
            flags: Flags::default(),
            pin: String::new(),
            outbound: false,
            stays_up: false,
            destination: "conf".to_owned(),
            context: "public".to_owned(),
            variables: Vec::new(),
        }
    }

    /// With this call id instead of a random one.
    pub fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = Some(uuid.into());
        self
    }

    /// With member flags, for instance `moderator|mute`.
    pub fn flags(mut self, flags: &str) -> Self {
        self.flags = Flags::parse(flags);
        self
    }

    /// As moderator.
    pub fn moderator(mut self) -> Self {
        self.flags.moderator = true;
        self
    }

    /// In a conference of that profile (it counts only for the first one in).
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = profile.into();
        self
    }

    /// Typing this PIN.
    pub fn pin(mut self, pin: impl Into<String>) -> Self {
        self.pin = pin.into();
        self
    }

    /// Called by the switch: neither lock nor PIN stops it.
    pub fn outbound(mut self) -> Self {
        self.outbound = true;
        self
    }

    /// The call goes on when it leaves the conference, as a parked one does.
    pub fn stays_up(mut self) -> Self {
        self.stays_up = true;
        self
    }

    /// The number it has dialled.
    pub fn dialling(mut self, destination: impl Into<String>) -> Self {
        self.destination = destination.into();
        self
    }

    /// In that context of the dialplan instead of `public` (`Caller-Context`).
    pub fn context(mut self, context: impl Into<String>) -> Self {
        self.context = context.into();
        self
    }

    /// With a channel variable (`confvar_account_id`, `presence_data_cols`, ...).
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }
}

/// A channel of the switch.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) uuid: String,
    pub(crate) name: Vec<u8>,
    pub(crate) number: Vec<u8>,
    /// `Channel-State` to `Caller-Privacy-Hide-Number`, as in each event of it.
    pub(crate) channel: Lines,
    /// In the order they were set; setting one again moves it to the end.
    pub(crate) variables: Vec<(String, Vec<u8>)>,
    pub(crate) created: u64,
    pub(crate) inbound: bool,
    pub(crate) destination: String,
    pub(crate) context: String,
    /// Once a member, it keeps its Member-ID for life.
    pub(crate) member_id: Option<u32>,
    pub(crate) seat: Option<Seat>,
    /// Where it was transferred to last.
    pub(crate) sent_to: Option<String>,
    /// Hung up.
    pub(crate) hangup: Option<String>,
    /// What it is doing.
    pub(crate) thread: Thread,
}

impl Call {
    pub(crate) fn variable(&self, name: &str) -> Option<&[u8]> {
        self.variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }

    pub(crate) fn text_variable(&self, name: &str) -> Option<String> {
        self.variable(name).map(|v| String::from_utf8_lossy(v).into_owned())
    }

    /// Sets a variable; an empty value removes it.
    pub(crate) fn set_variable(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.variables.retain(|(n, _)| n != name);
        if !value.as_ref().is_empty() {
            self.variables.push((name.to_owned(), value.as_ref().to_vec()));
        }
    }

    /// Whether a variable says yes, in any of FreeSWITCH's words (switch_utils.h, `switch_true`).
    pub(crate) fn is_true(&self, name: &str) -> Option<bool> {
        const YES: [&str; 7] = ["yes", "on", "true", "t", "enabled", "active", "allow"];
        let text = self.text_variable(name)?.to_ascii_lowercase();
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && atoi(&text) != 0;
        Some(number || YES.contains(&text.as_str()))
    }

    /// Sound goes through: answered, early or not.
    pub(crate) fn has_media(&self) -> bool {
        self.channel.get("Answer-State").is_some_and(|state| state != b"ringing")
    }

    /// Answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.channel.get("Answer-State").is_some_and(|state| state == b"answered")
    }

    /// When it was answered.
    pub(crate) fn answered_at(&self) -> Option<u64> {
        let at = self.channel.get("Caller-Channel-Answered-Time")?;
        String::from_utf8_lossy(&at).parse().ok().filter(|at| *at > 0)
    }

    /// With the values of variables in place of `${name}` (switch_channel.c,
    /// `switch_channel_expand_variables`).
    pub(crate) fn expanded(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, (name, after))) =
            rest.split_once("${").and_then(|(before, behind)| Some((before, behind.split_once('}')?)))
        {
            out.push_str(before);
            out.push_str(&self.text_variable(name).unwrap_or_default());
            rest = after;
        }
        out + rest
    }

    /// It is in no conference any more: it is heard as it was before.
    pub(crate) fn leave_seat(&mut self) {
        self.seat = None;
        self.channel.set("Channel-Read-Codec-Name", "PCMU");
        self.channel.set("Channel-Read-Codec-Bit-Rate", "64000");
        if self.variable("session_id").is_some() {
            self.set_variable("read_codec", "PCMU");
            self.set_variable("read_rate", "8000");
        }
    }

    /// Nobody has answered it yet.
    pub(crate) fn rings(&mut self) {
        self.channel.set("Channel-Call-State", "RINGING");
        self.channel.set("Answer-State", "ringing");
        self.channel.set("Caller-Channel-Answered-Time", "0");
    }

    /// The channel's own name for lists.
    pub(crate) fn channel_name(&self) -> Vec<u8> {
        self.channel.get("Channel-Name").unwrap_or_default()
    }

    /// Adds `Presence-Data-Cols` and a `PD-` header per column, as the variables say now.
    pub(crate) fn show_presence_data(&mut self) {
        let Some(columns) = self.text_variable("presence_data_cols") else { return };
        self.channel.set_after("Channel-HIT-Dialplan", "Presence-Data-Cols", &columns);
        let mut anchor = "Presence-Data-Cols".to_owned();
        for column in columns.split(':').filter(|c| !c.is_empty()) {
            let name = format!("PD-{column}");
            let Some(value) = self.variable(column).map(<[u8]>::to_vec) else { continue };
            self.channel.set_after(&anchor, &name, value);
            anchor = name;
        }
    }
}

/// The channel headers of a new call that has been answered.
pub(crate) fn channel_lines(caller: &Caller, uuid: &str, now: u64) -> Lines {
    let direction = if caller.outbound { "outbound" } else { "inbound" };
    let mut name = b"sofia/internal/".to_vec();
    name.extend_from_slice(&caller.number);
    name.extend_from_slice(b"@127.0.0.1");
    let mut l = Lines::with_capacity(1700);
    l.push("Channel-State", "CS_EXECUTE").push("Channel-Call-State", "ACTIVE");
    l.push("Channel-State-Number", "4").push("Channel-Name", &name).push("Unique-ID", uuid);
    l.push("Call-Direction", direction).push("Presence-Call-Direction", direction);
    l.push("Channel-HIT-Dialplan", "true").push("Channel-Call-UUID", uuid).push("Answer-State", "answered");
    l.push("Channel-Read-Codec-Name", "PCMU").push("Channel-Read-Codec-Rate", "8000");
    l.push("Channel-Read-Codec-Bit-Rate", "64000");
    l.push("Channel-Write-Codec-Name", "PCMU").push("Channel-Write-Codec-Rate", "8000");
    l.push("Channel-Write-Codec-Bit-Rate", "64000");
    l.push("Caller-Direction", direction).push("Caller-Logical-Direction", direction);
    if !caller.outbound {
        l.push("Caller-Username", &caller.number);
    }
    l.push("Caller-Dialplan", "XML").push("Caller-Caller-ID-Name", &caller.name);
    l.push("Caller-Caller-ID-Number", &caller.number).push("Caller-Orig-Caller-ID-Name", &caller.name);
    l.push("Caller-Orig-Caller-ID-Number", &caller.number);
    if caller.outbound {
        l.push("Caller-Callee-ID-Name", &caller.name).push("Caller-Callee-ID-Number", &caller.number);
    } else {
        l.push("Caller-Network-Addr", "127.0.0.1");
    }
    l.push("Caller-ANI", &caller.number).push("Caller-Destination-Number", &caller.destination);
    l.push("Caller-Unique-ID", uuid).push("Caller-Source", "mod_sofia");
    l.push("Caller-Context", &caller.context);
    l.push("Caller-Channel-Name", &name).push_number("Caller-Profile-Index", 1);
    l.push_number("Caller-Profile-Created-Time", now).push_number("Caller-Channel-Created-Time", now);
    l.push_number("Caller-Channel-Answered-Time", now);
    for what in [
        "Progress-Time",
        "Progress-Media-Time",
        "Hangup-Time",
        "Transfer-Time",
        "Resurrect-Time",
        "Bridged-Time",
        "Last-Hold",
        "Hold-Accum",
    ] {
        l.push_number(&format!("Caller-Channel-{what}"), 0);
    }
    l.push("Caller-Screen-Bit", "true").push("Caller-Privacy-Hide-Name", "false");
    l.push("Caller-Privacy-Hide-Number", "false");
    l
}
