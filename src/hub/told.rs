//! What clients are told: a change or a notice, encoded once for all of them.
//!
//! The fields are those of Kazoo's participant event, and beyond them `seq`, `timestamp` and what belongs to the
//! event itself. `prev_seq` is another one for each subscriber and is not in it.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::binding::{routing_key, word};
use crate::model::{Flag, MemberState, Notice, NoticeKind};
use crate::registry::{Change, ChangeKind, Detail, LeftReason, Participant, Reason};
use crate::store::AccountId;

/// Something that happened, and whose conference it happened in.
#[derive(Debug)]
pub struct Told {
    /// Whose it is; nobody's is told to superusers and the broker only.
    pub account: Option<AccountId>,
    /// What it is.
    pub news: News,
    body: OnceLock<Arc<str>>,
    keys: OnceLock<Box<str>>,
}

/// Nothing is told twice.
impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// What there is to be told.
#[derive(Debug, Clone)]
pub enum News {
    /// A change of a conference.
    Change(Arc<Change>),
    /// Something on the way into one.
    Notice(Arc<Notice>),
}

/// What is the same in all events of a daemon.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The name of this daemon.
    pub daemon: Box<str>,
}

impl Told {
    /// Not encoded yet.
    pub fn new(account: Option<AccountId>, news: News) -> Self {
        Self { account, news, body: OnceLock::new(), keys: OnceLock::new() }
    }

    /// The event's name.
    pub fn event(&self) -> &'static str {
        match &self.news {
            News::Change(change) => change.kind.name(),
            News::Notice(notice) => notice.name(),
        }
    }

    /// The conference's id: that of its document, or its name.
    pub fn conference_id(&self) -> &Arc<str> {
        match &self.news {
            News::Change(change) => &change.conference.name,
            News::Notice(notice) => &notice.conference_id,
        }
    }

    /// The call that it is about; `None` for the conference itself.
    pub fn call_id(&self) -> Option<&Arc<str>> {
        match &self.news {
            News::Change(change) => change.participant.as_ref().map(|(participant, _)| &participant.call_id),
            News::Notice(notice) => Some(&notice.call_id),
        }
    }

    /// The instance and the change's number in it.
    pub fn number(&self) -> Option<(&Arc<str>, u64)> {
        match &self.news {
            News::Change(change) => Some((&change.conference.instance, change.number)),
            News::Notice(_) => None,
        }
    }

    /// When it was seen, on the monotonic clock; notices are as old as they are read.
    pub fn at_ms(&self) -> Option<u64> {
        match &self.news {
            News::Change(change) => Some(change.at.monotonic_ms),
            News::Notice(_) => None,
        }
    }

    /// `participant_event` or `conference_event`.
    pub fn name(&self) -> &'static str {
        if self.call_id().is_some() { "participant_event" } else { "conference_event" }
    }

    /// Identifies what happened: the same for each daemon that was told of it by the same event of the switch. What
    /// a list has shown is this daemon's own finding.
    pub fn msg_id(&self, origin: &Origin) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(self.event());
        add(self.call_id().map_or("", |call_id| call_id));
        match &self.news {
            News::Change(change) => {
                add(&change.conference.instance);
                let (sequence, nth) = change.cause;
                let (sequence, nth) = match sequence {
                    0 => (change.number, origin.daemon.to_string()),
                    sequence => (sequence, nth_of_its_kind(change.kind, nth)),
                };
                add(&sequence.to_string());
                add(&nth);
                if change.cause.0 == 0 {
                    // An earlier run of this daemon has numbered others so.
                    add(&change.at.unix_ms.to_string());
                }
            }
            News::Notice(notice) => match &notice.kind {
                NoticeKind::Dial { id, .. } => add(id),
                NoticeKind::Rejected { reason, .. } => add(reason),
            },
        }
        hash.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect()
    }

    /// What a message has beside `data` and the subscriber's own key: `"subscription_key": ... "routing_key": ...`.
    pub fn keys(&self) -> &str {
        self.keys.get_or_init(|| {
            let call = self.call_id().map_or_else(|| "-".to_owned(), |call_id| word(call_id).to_string());
            let (account, conference) = (self.account.as_ref(), word(self.conference_id()));
            let account = account.map_or("-", AccountId::as_str);
            let keys = json!({
                "subscription_key": format!("conference.event.*.{account}.{conference}.{call}"),
                "name": self.name(),
                "routing_key": routing_key(self),
            });
            let keys = keys.to_string();
            keys.trim_start_matches('{').trim_end_matches('}').into()
        })
    }

    /// `data`, but for its closing brace.
    pub fn open_body(&self, origin: &Origin) -> Arc<str> {
        self.body.get_or_init(|| self.encode(origin).into()).clone()
    }

    fn encode(&self, origin: &Origin) -> String {
        let (rest, node, at_unix_ms) = match &self.news {
            News::Change(change) => (details(change), &change.conference.node, change.at.unix_ms),
            News::Notice(notice) => (notice_details(notice), &notice.node, notice.at_unix_ms),
        };
        let name = self.name();
        let event = Event {
            event: self.event(),
            conference_id: self.conference_id(),
            instance_id: self.number().map(|(instance, _)| &**instance),
            seq: self.number().map(|(_, number)| number),
            participant: match &self.news {
                News::Change(change) => change.participant.as_ref().map(|(who, state)| of(who, *state)),
                News::Notice(_) => None,
            },
            call_id: self.call_id().map(|call_id| &**call_id),
            focus: node,
            rest,
            node: &origin.daemon,
            app_name: "convened",
            app_version: env!("CARGO_PKG_VERSION"),
            event_category: "conference",
            event_name: name,
            routing_key: name,
            msg_id: self.msg_id(origin),
            timestamp: at_unix_ms,
        };
        // A struct of texts and numbers is always written.
        let mut text = serde_json::to_string(&event).unwrap_or_else(|_| "{}".to_owned());
        text.pop();
        text
    }
}

/// Two daemons may come to different numbers of changes by one event, if one of them had missed something before:
/// only of those that can be told twice it counts which one it is.
fn nth_of_its_kind(kind: ChangeKind, nth: u32) -> String {
    if kind == ChangeKind::ParticipantUpdated { nth.to_string() } else { String::new() }
}

#[derive(Serialize)]
struct Event<'a> {
    event: &'static str,
    conference_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    participant: Option<ParticipantFields<'a>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
    focus: &'a str,
    node: &'a str,
    app_name: &'static str,
    app_version: &'static str,
    event_category: &'static str,
    event_name: &'static str,
    routing_key: &'static str,
    msg_id: String,
    timestamp: u64,
}

#[derive(Serialize)]
struct ParticipantFields<'a> {
    participant_id: u32,
    caller_id_name: &'a str,
    caller_id_number: &'a str,
    hear: bool,
    speak: bool,
    talking: bool,
    floor: bool,
    hold: bool,
    mute_detect: bool,
    video: bool,
    is_moderator: bool,
    ghost: bool,
    energy_level: u16,
    current_energy: Option<u16>,
    channel_presence_id: Option<&'a str>,
    custom_channel_vars: Map<String, Value>,
}

fn of(who: &Participant, state: MemberState) -> ParticipantFields<'_> {
    let channel = who.channel.as_deref();
    let variables = channel.map(|channel| channel.variables.iter()).into_iter().flatten();
    ParticipantFields {
        participant_id: who.member_id,
        caller_id_name: &who.caller_name,
        caller_id_number: &who.caller_number,
        hear: state.has(Flag::Hear),
        speak: state.has(Flag::Speak),
        talking: state.has(Flag::Talking),
        floor: state.has(Flag::Floor),
        hold: state.has(Flag::Hold),
        mute_detect: state.has(Flag::MuteDetect),
        video: state.has(Flag::Video),
        is_moderator: state.has(Flag::Moderator),
        ghost: state.has(Flag::Ghost),
        energy_level: state.energy_level(),
        current_energy: state.current_energy(),
        channel_presence_id: channel.and_then(|channel| channel.presence_id.as_deref()),
        custom_channel_vars: variables.map(|(name, value)| (name.to_string(), (**value).into())).collect(),
    }
}

/// What only some changes have.
fn details(change: &Change) -> Map<String, Value> {
    let mut rest = Map::new();
    let mut add = |key: &str, value: Value| rest.insert(key.to_owned(), value);
    match change.reason {
        Reason::Event => {}
        Reason::List => drop(add("reason", "list".into())),
        Reason::NodeRestarted => drop(add("reason", "node_restarted".into())),
        Reason::NodeLost => drop(add("reason", "node_lost".into())),
        Reason::NodeGone => drop(add("reason", "node_gone".into())),
    }
    match &change.detail {
        None => {}
        Some(Detail::Left(why)) => {
            add("left_reason", why.name().into());
            match why {
                LeftReason::Hangup(cause) => drop(add("hangup_cause", (**cause).into())),
                LeftReason::Kicked(Some(by)) | LeftReason::ConferenceEnded(Some(by)) => {
                    add("left_by", (**by).into());
                }
                LeftReason::Transferred(Some(to)) => drop(add("transferred_to", (**to).into())),
                _ => {}
            }
        }
        Some(Detail::Recording(recording)) => {
            add("file", (*recording.path).into());
            add("paused", recording.paused.into());
        }
        Some(Detail::RecordingFailed(file, words)) => {
            add("file", (**file).into());
            add("error", (**words).into());
        }
    }
    rest
}

fn notice_details(notice: &Notice) -> Map<String, Value> {
    let mut rest = Map::new();
    let mut add = |key: &str, value: &str| rest.insert(key.to_owned(), value.into());
    match &notice.kind {
        NoticeKind::Dial { id, endpoint, progress } => {
            add("dial_id", id);
            add("endpoint", endpoint);
            if let Some(reason) = progress.reason() {
                add("cause", reason);
            }
        }
        NoticeKind::Rejected { reason, number, caller_number } => {
            add("reason", reason);
            add("number", number);
            add("caller_id_number", caller_number);
        }
    }
    rest
}
