//! The rules a JSON Schema cannot say.
//!
//! Owns: what must hold between fields of one document. What must hold between documents (a number is
//! used once) is the database's.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::document::numbers_of;
use super::field_errors::{FieldError, FieldErrors};
use crate::actions::words::Sound;

/// Adds what is wrong. Fields of the wrong type are passed over: the schema has told of them.
pub(super) fn check(body: &Map<String, Value>, errors: &mut FieldErrors) {
    pins_open_one_role(body, errors);
    numbers_stand_once(body, errors);
    a_count_is_whole(body, errors);
    tones_end(body, errors);
}

/// A tone that FreeSWITCH would play for ever, or that is none. Whether a file may be played says the configuration,
/// when somebody joins.
fn tones_end(body: &Map<String, Value>, errors: &mut FieldErrors) {
    for key in ["play_entry_tone", "play_exit_tone"] {
        if let Some(value @ Value::String(text)) = body.get(key)
            && let Err(refused) = Sound::check_tone(text)
        {
            errors.add(key, "pattern", FieldError::new(refused.to_string()).value(value));
        }
    }
}

/// The validator reckons in doubles, in which 1.99999999999999999999 is 2.
fn a_count_is_whole(body: &Map<String, Value>, errors: &mut FieldErrors) {
    let Some(count @ Value::Number(number)) = body.get("max_participants") else { return };
    let text = number.to_string();
    let fraction = text.split(['e', 'E']).next().and_then(|mantissa| mantissa.split_once('.'));
    let rounded = number.as_f64().is_some_and(|rounded| rounded.fract() == 0.0);
    if text.len() > 15
        && rounded
        && fraction.is_some_and(|(_, digits)| digits.bytes().any(|digit| digit != b'0'))
    {
        let error = FieldError::new("Value must be of type integer").target("integer").value(count);
        errors.add("max_participants", "type", error);
    }
}

fn pins_open_one_role(body: &Map<String, Value>, errors: &mut FieldErrors) {
    let members: HashSet<&str> = pins(body, "member").filter_map(Value::as_str).collect();
    for (index, pin) in pins(body, "moderator").enumerate() {
        if pin.as_str().is_some_and(|pin| members.contains(pin)) {
            let error = FieldError::new("PIN is in use for members").value(pin).cause("member.pins");
            errors.add(format!("moderator.pins.{index}"), "unique", error);
        }
    }
}

fn pins<'b>(body: &'b Map<String, Value>, role: &str) -> impl Iterator<Item = &'b Value> {
    body.get(role).and_then(|role| role.get("pins")).and_then(Value::as_array).into_iter().flatten()
}

fn numbers_stand_once(body: &Map<String, Value>, errors: &mut FieldErrors) {
    let mut seen = HashMap::new();
    for (path, number) in numbers_of(body) {
        if let Some(first) = seen.get(&number.number) {
            let error = FieldError::new("Number stands twice in the document");
            let error = error.value(&number.number.into()).cause(String::clone(first));
            errors.add(path, "unique", error);
        } else {
            seen.insert(number.number, path);
        }
    }
}
