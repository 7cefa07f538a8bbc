//! From what a client sent to what will be stored.
//!
//! Owns: which keys are dropped or renamed, the bounds, filling in and merging. Leaves judging to
//! `schema` and `rules`. Pure: no I/O, no clock.

use serde_json::{Map, Value};

use super::field_errors::{FieldError, FieldErrors};
use super::{DocumentError, rules, schema};
use crate::json;

/// The longest text of a document, in bytes. Lists hold hundreds of documents at a time.
pub const MAX_BYTES: usize = 128 * 1024;

/// The deepest nesting of a document; well below what a JSON parser refuses when it is read again.
pub const MAX_DEPTH: usize = 32;

/// Sent back by clients that read them; never stored.
const IGNORED: [&str; 11] = [
    "id",
    "focus",
    "revision",
    "members",
    "admins",
    "moderators",
    "duration",
    "is_locked",
    "ad_hoc",
    "instances",
    "stale",
];

fn is_ignored(key: &str) -> bool {
    IGNORED.contains(&key) || key.starts_with('_') || key.starts_with("pvt_")
}

/// The body of a document as it was stored: judged like that of a client, but nothing is dropped or
/// filled in.
pub(super) fn as_it_is(text: &str) -> Result<Map<String, Value>, DocumentError> {
    let invalid = |keyword, error| DocumentError::from(FieldErrors::one("data", keyword, error));
    if text.len() > MAX_BYTES {
        let error = FieldError::new(format!("Value must not be larger than {MAX_BYTES} bytes"));
        return Err(invalid("maxBytes", error.target(MAX_BYTES)));
    }
    let body = json::parse(text.as_bytes())
        .map_err(|error| invalid("type", FieldError::new(format!("Value {error}"))))?;
    let Value::Object(body) = body else {
        return Err(invalid("type", FieldError::new("Value must be an object").target("object")));
    };
    if let Some(key) = body.keys().find(|key| is_ignored(key) || *key == "profile_name") {
        let error = FieldError::new("Key is never stored in a document");
        return Err(FieldErrors::one(key, "propertyNames", error).into());
    }
    checked(body)
}

/// The body of a document that is created or replaced.
pub(super) fn whole(data: Value) -> Result<Map<String, Value>, DocumentError> {
    let mut body = part(data)?;
    schema::fill_defaults(&mut body);
    checked(body)
}

/// The keys of a request that count, for a patch.
pub(super) fn part(data: Value) -> Result<Map<String, Value>, DocumentError> {
    let Value::Object(data) = data else {
        let error = FieldError::new("Value must be an object").target("object").value(&data);
        return Err(FieldErrors::one("data", "type", error).into());
    };
    let has_profile = data.contains_key("profile");
    let mut body = Map::with_capacity(data.len());
    for (key, value) in data {
        if is_ignored(&key) {
            continue;
        }
        if key != "profile_name" {
            body.insert(key, value);
        } else if !has_profile {
            body.insert("profile".to_owned(), value);
        }
    }
    Ok(body)
}

/// The body after a patch.
pub(super) fn merged(
    current: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, DocumentError> {
    let mut body = current.clone();
    merge(&mut body, patch, MAX_DEPTH);
    checked(body)
}

/// RFC 7386. The order of the keys that stay is kept; new ones come last. `depth` bounds the recursion:
/// what lies deeper is copied whole and found too deep afterwards.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>, depth: usize) {
    for (key, change) in patch {
        match change {
            // Not `remove`: that one moves the last key into the gap.
            Value::Null => drop(target.shift_remove(key)),
            Value::Object(change) if depth > 0 => {
                let entry = target.entry(key.as_str()).or_insert(Value::Null);
                if !entry.is_object() {
                    *entry = Value::Object(Map::new());
                }
                if let Value::Object(inner) = entry {
                    merge(inner, change, depth - 1);
                }
            }
            _ => drop(target.insert(key.clone(), change.clone())),
        }
    }
}

/// The bounds come first, so that nothing large or deep reaches the validator.
fn checked(body: Map<String, Value>) -> Result<Map<String, Value>, DocumentError> {
    let body = Value::Object(body);
    if is_deeper_than(&body, MAX_DEPTH) {
        let error = FieldError::new(format!("Value must not be nested more than {MAX_DEPTH} levels deep"));
        return Err(FieldErrors::one("data", "maxDepth", error.target(MAX_DEPTH)).into());
    }
    let text = serde_json::to_string(&body).unwrap_or_default();
    if text.len() > MAX_BYTES {
        let error = FieldError::new(format!("Value must not be larger than {MAX_BYTES} bytes"));
        return Err(FieldErrors::one("data", "maxBytes", error.target(MAX_BYTES)).into());
    }
    // Such a key cannot come through the door of what is parsed; here it would be stored and not be read.
    if json::refuse_reserved(text.as_bytes()).is_err() {
        let error = FieldError::new("Value has a key that cannot be kept");
        return Err(FieldErrors::one("data", "propertyNames", error).into());
    }
    let mut errors = schema::errors_of(&body);
    let Value::Object(body) = body else { return Ok(Map::new()) };
    rules::check(&body, &mut errors);
    errors.into_result()?;
    Ok(body)
}

fn is_deeper_than(value: &Value, limit: usize) -> bool {
    match value {
        Value::Object(map) => limit == 0 || map.values().any(|value| is_deeper_than(value, limit - 1)),
        Value::Array(list) => limit == 0 || list.iter().any(|value| is_deeper_than(value, limit - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(current: Value, patch: Value) -> Value {
        let (Value::Object(mut current), Value::Object(patch)) = (current, patch) else {
            panic!("both are objects")
        };
        merge(&mut current, &patch, MAX_DEPTH);
        Value::Object(current)
    }

    /// The examples of RFC 7386, appendix A, whose target and patch are objects.
    #[test]
    fn merging_follows_the_examples_of_the_rfc() {
        for (current, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(after(current.clone(), patch.clone()), expected, "{current} with {patch}");
        }
    }

    #[test]
    fn keys_that_stay_keep_their_order_when_one_is_removed() {
        let merged = after(json!({"a": 1, "b": 2, "c": 3, "d": 4}), json!({"a": null, "e": 5, "c": 9}));
        assert_eq!(merged.to_string(), r#"{"b":2,"c":9,"d":4,"e":5}"#);
    }
}
