//! What a websocket client says, and how it is answered: the messages of Kazoo's blackhole.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::subscription::{Piece, Resume};
use crate::hub::{Binding, Origin, Told};
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

/// What is known of a conference: of one instance, or of each in a list.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Known(Vec<Instance>);

#[derive(Debug, Deserialize)]
struct Instance {
    instance_id: String,
    seq: u64,
}

impl TryFrom<Value> for Known {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            list @ Value::Array(_) => serde_json::from_value(list).map(Self),
            one => serde_json::from_value(one).map(|one| Self(vec![one])),
        }
    }
}

impl Data {
    /// All bindings, in their order.
    pub(super) fn bindings(&self) -> impl Iterator<Item = &str> {
        self.binding.iter().chain(&self.bindings).map(String::as_str)
    }

    pub(super) fn resume(&self) -> Resume {
        let places = |known: &Known| known.0.iter().map(|it| (it.instance_id.clone(), it.seq)).collect();
        self.resume.iter().map(|(conference, known)| (conference.clone(), places(known))).collect()
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

/// A piece as a message under that binding. An event is put together of what is the same for all who hear of it.
pub(super) fn message(piece: &Piece, binding: &Binding, origin: &Origin) -> String {
    let (told, before) = match piece {
        Piece::Event(told, before) => (told, before),
        Piece::Snapshot(data) => {
            return json!({ "action": "snapshot", "subscribed_key": binding.text, "data": data }).to_string();
        }
        Piece::Gap(data) => {
            return json!({ "action": "gap", "subscribed_key": binding.text, "data": data }).to_string();
        }
    };
    let (keys, body) = (told.keys(), told.open_body(origin));
    let mut text = String::with_capacity(keys.len() + body.len() + binding.text.len() + 96);
    text.push_str(r#"{"action":"event","subscribed_key":"#);
    text.push_str(&Value::from(&*binding.text).to_string());
    text.push(',');
    text.push_str(keys);
    text.push_str(r#","data":"#);
    close(&mut text, &body, *before);
    text.push('}');
    text
}

/// `data` of an event: what is the same for all, and the number of the one that was sent before.
pub(super) fn event_data(told: &Told, before: Option<u64>, origin: &Origin) -> String {
    let mut text = String::new();
    close(&mut text, &told.open_body(origin), before);
    text
}

fn close(text: &mut String, body: &str, before: Option<u64>) {
    text.push_str(body);
    if let Some(before) = before {
        text.push_str(r#","prev_seq":"#);
        text.push_str(&before.to_string());
    }
    text.push('}');
}
