//! The door for JSON from outside: nothing becomes a [`Value`] in any other way.
//!
//! serde_json reads numbers beyond 2^53 and raw texts by way of objects with a key of its own. An object
//! in the input that has such a key is taken for one: it becomes something else, and a raw text in it is
//! parsed by a new parser with a new limit of depth. Texts within texts then use up the stack, which
//! ends the process. So a text with such a key is refused before it is parsed.

use serde_json::Value;

/// What serde_json's own keys begin with (`serde_json::raw`, `serde_json::number`).
const RESERVED: &str = "$serde_json::private::";

/// Why a text is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is no JSON.
    #[error("is no JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// It has a key that cannot be kept.
    #[error("has a key that begins with {RESERVED}, which cannot be kept")]
    ReservedKey,
}

/// Parses a text.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Unreadable> {
    refuse_reserved(text)?;
    Ok(serde_json::from_slice(text)?)
}

/// Looks for keys that serde_json would take for its own. What is no JSON is found out by the parser:
/// up to the place where it stops, strings begin and end where they do for it.
pub(crate) fn refuse_reserved(text: &[u8]) -> Result<(), Unreadable> {
    let mut rest = text;
    while let Some(begin) = memchr::memchr(b'"', rest) {
        let string = &rest[begin..];
        let Some(end) = end_of_string(string) else { return Ok(()) };
        let (string, after) = string.split_at(end);
        if may_be_reserved(string) && is_key(after) && is_reserved(string) {
            return Err(Unreadable::ReservedKey);
        }
        rest = after;
    }
    Ok(())
}

/// The length of a string that begins with its quote, both quotes included.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        // Whatever is escaped does not end it.
        at += 2;
    }
}

/// Whether it begins with a dollar sign, in one of the two ways to write it.
fn may_be_reserved(string: &[u8]) -> bool {
    string.starts_with(b"\"$") || string.starts_with(b"\"\\u0024")
}

fn is_reserved(string: &[u8]) -> bool {
    serde_json::from_slice::<String>(string).is_ok_and(|text| text.starts_with(RESERVED))
}

fn is_key(after: &[u8]) -> bool {
    after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts in texts, each in as many brackets as one parser allows.
    fn nested(levels: usize) -> String {
        let mut text = "1".to_owned();
        for _ in 0..levels {
            let inner = text.replace('\\', "\\u005c").replace('"', "\\u0022");
            let (open, close) = ("[".repeat(120), "]".repeat(120));
            text = format!("{open}{{\"{RESERVED}RawValue\":\"{inner}\"}}{close}");
        }
        text
    }

    #[test]
    fn texts_within_texts_do_not_use_up_the_stack() {
        for levels in [1, 2, 8, 40] {
            let error = parse(nested(levels).as_bytes()).expect_err("refused");
            assert!(matches!(error, Unreadable::ReservedKey), "{error}");
        }
    }

    #[test]
    fn a_reserved_key_is_found_however_it_is_written() {
        for text in [
            r#"{"$serde_json::private::Number":"7"}"#,
            r#"{"a":[1,{"\u0024serde_json::private::Number" : "7"}]}"#,
            "{\"a\\\\\":1,\"$serde_json::privat\\u0065::RawValue\"\n\t :\"1\"}",
            r#"{"x":"\"","$serde_json::private::RawValue":"[]"}"#,
            // What comes after it does not matter.
            r#"[{"$serde_json::private::RawValue":"[]"}, oops"#,
        ] {
            assert!(matches!(parse(text.as_bytes()), Err(Unreadable::ReservedKey)), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_kept() {
        for text in [
            r#"{"a":"$serde_json::private::Number"}"#,
            r#"["$serde_json::private::Number",1]"#,
            r#"{"$serde_json":1,"$":2,"\u0024x":3,"a$serde_json::private::Number":4}"#,
            r#"{"a":"{\"$serde_json::private::Number\":\"7\"}"}"#,
        ] {
            let value = parse(text.as_bytes()).expect(text);
            assert_eq!(serde_json::from_str::<Value>(&value.to_string()).expect("again"), value);
        }
        for broken in ["", "\"", "\"\\", "{\"$", "{\"$serde_json::private::Number\\", "\"\\u0024"] {
            assert!(matches!(parse(broken.as_bytes()), Err(Unreadable::Syntax(_))), "{broken}");
        }
    }

    /// Keys and texts of the parts that matter, with as many quotes and backslashes as can be.
    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(RESERVED),
            Just("$"),
            Just("\""),
            Just("\\"),
            Just("Number"),
            Just("RawValue"),
            Just("u0024"),
            Just(":"),
            Just(" "),
            Just("a"),
        ];
        proptest::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![text().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((text(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn has_reserved_key(value: &Value) -> bool {
        match value {
            Value::Object(map) => {
                map.iter().any(|(key, value)| key.starts_with(RESERVED) || has_reserved_key(value))
            }
            Value::Array(list) => list.iter().any(has_reserved_key),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written_and_only_reserved_keys_are_refused(value in value()) {
            for written in [value.to_string(), serde_json::to_string_pretty(&value).expect("text")] {
                match parse(written.as_bytes()) {
                    Ok(read) => {
                        prop_assert!(!has_reserved_key(&value));
                        prop_assert_eq!(&read, &value);
                    }
                    Err(error) => {
                        prop_assert!(matches!(error, Unreadable::ReservedKey), "{}", error);
                        prop_assert!(has_reserved_key(&value));
                    }
                }
            }
        }
    }
}
