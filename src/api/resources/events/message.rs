//! What a websocket client says, and how it is answered: the messages of Kazoo's blackhole.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::subscription::{Piece, Resume};
use crate::hub::{Binding, Origin, routing_key, word};
use crate::secret::Secret;

/// A message of a client.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) action: String,
    #[serde(default)]
    pub(super) auth_token: Option<Secret>,
    #[serde(default)]
    pub(super) request_id: Option<Value>,
    #[serde(default)]
    pub(super) data: Data,
}

/// What it says beside the action.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Data {
    #[serde(default)]
    pub(super) account_id: Option<String>,
    #[serde(default)]
    binding: Option<String>,
    #[serde(default)]
    bindings: Vec<String>,
    #[serde(default)]
    pub(super) snapshot: bool,
    #[serde(default)]
    resume: HashMap<String, Known>,
}

#[derive(Debug, Deserialize)]
struct Known {
    instance_id: String,
    seq: u64,
}

impl Data {
    /// All bindings, in their order.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &str> {
        self.binding.iter().chain(&self.bindings).map(String::as_str)
    }

    pub(super) fn resume(&self) -> Resume {
        let resume = self.resume.iter();
        resume.map(|(of, known)| (of.clone(), (known.instance_id.clone(), known.seq))).collect()
    }
}

/// An answer that it was done.
pub(super) fn success(request_id: Option<&Value>, data: Value) -> String {
    reply("success", request_id, data)
}

/// An answer that it was not.
pub(super) fn failure(request_id: Option<&Value>, errors: &[String]) -> String {
    reply("error", request_id, json!({ "errors": errors }))
}

fn reply(status: &str, request_id: Option<&Value>, data: Value) -> String {
    let mut reply = Map::new();
    reply.insert("action".into(), "reply".into());
    if let Some(id) = request_id {
        reply.insert("request_id".into(), id.clone());
    }
    reply.insert("status".into(), status.into());
    reply.insert("data".into(), data);
    Value::Object(reply).to_string()
}

/// A piece as a message under that binding.
pub(super) fn message(piece: &Piece, binding: &Binding, account: &str, origin: &Origin) -> String {
    let told = match piece {
        Piece::Event(told, _) => told,
        Piece::Snapshot(data) => {
            return json!({ "action": "snapshot", "subscribed_key": binding.text, "data": data }).to_string();
        }
        Piece::Gap(data) => {
            return json!({ "action": "gap", "subscribed_key": binding.text, "data": data }).to_string();
        }
    };
    let body = event_data(piece, origin);
    let call = told.call_id().map_or_else(|| "-".to_owned(), |call_id| word(call_id).to_string());
    let conference = word(told.conference_id());
    let head = json!({
        "action": "event",
        "subscribed_key": binding.text,
        "subscription_key": format!("conference.event.*.{account}.{conference}.{call}"),
        "name": told.name(),
        "routing_key": routing_key(told),
    });
    let mut text = head.to_string();
    text.pop();
    text.reserve(body.len() + 10);
    text.push_str(",\"data\":");
    text.push_str(&body);
    text.push('}');
    text
}

/// `data` of an event: what is the same for all, and the number of the one that was sent before.
pub(super) fn event_data(piece: &Piece, origin: &Origin) -> String {
    let Piece::Event(told, before) = piece else { return "{}".to_owned() };
    let body = told.open_body(origin);
    match before {
        Some(before) => format!("{body},\"prev_seq\":{before}}}"),
        None => format!("{body}}}"),
    }
}
