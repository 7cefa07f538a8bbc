//! The JSON around a request's `data`.
//!
//! `data` stays the text that it is until somebody who may is to work with it: a parsed value takes fifty
//! times the memory of a text of small numbers, and the body of a request whose token is in it is read
//! before anybody knows who sent it.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ApiError;
use crate::config::Secret;
use crate::json;

/// `{"data": {...}, "action"?: "...", "auth_token"?: "...", "revision"?: "..."}`; other keys are
/// ignored.
#[derive(Default)]
pub struct Envelope {
    /// The content as it was sent, an object; absent if the key is missing or null.
    data: Option<Box<RawValue>>,
    /// The action at the top level; `data.action` goes before it.
    pub action: Option<String>,
    /// The token, if it is not in a header.
    pub auth_token: Option<Secret>,
    /// The revision that a write is meant for.
    pub revision: Option<String>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    action: Option<&'a RawValue>,
    #[serde(borrow, default)]
    auth_token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    revision: Option<&'a RawValue>,
}

impl Envelope {
    /// Parses a body.
    ///
    /// # Errors
    /// 400 `invalid_request`: no JSON (with line and column), no object, or a key of the wrong type.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            serde_json::from_slice::<IgnoredAny>(body).map_err(|error| no_json(&error))?;
            return Err(ApiError::invalid_request("the body is no JSON object"));
        }
        let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| no_json(&error))?;
        if fields.data.is_some_and(|data| !data.get().starts_with('{')) {
            return Err(ApiError::invalid_request("`data` is no object"));
        }
        Ok(Self {
            data: fields.data.map(ToOwned::to_owned),
            action: text("action", fields.action)?,
            auth_token: text("auth_token", fields.auth_token)?.map(Secret::new),
            revision: text("revision", fields.revision)?,
        })
    }

    /// Whether there is `data`.
    pub fn has_data(&self) -> bool {
        self.data.is_some()
    }

    /// `data`, whatever is in it.
    ///
    /// # Errors
    /// As [`parse_data`], or that there is none.
    pub fn data(&self) -> Result<Map<String, Value>, ApiError> {
        parse_data(self.raw()?)
    }

    /// The keys of `data` that a type names, and no others.
    ///
    /// # Errors
    /// 400 `invalid_request`: there is none, or a key is of the wrong type.
    pub fn data_as<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_str(self.raw()?.get())
            .map_err(|error| ApiError::invalid_request(format!("`data`: {error}")))
    }

    pub(super) fn raw(&self) -> Result<&RawValue, ApiError> {
        self.data.as_deref().ok_or_else(no_data)
    }
}

/// Parses `data`, whatever is in it.
///
/// # Errors
/// 400 `invalid_request`: it cannot be kept, because it is nested too deep or has a key that is reserved.
pub fn parse_data(data: &RawValue) -> Result<Map<String, Value>, ApiError> {
    match json::parse(data.get().as_bytes()) {
        Ok(Value::Object(data)) => Ok(data),
        Ok(_) => Err(ApiError::invalid_request("`data` is no object")),
        Err(error) => Err(ApiError::invalid_request(format!("`data` {error}"))),
    }
}

/// 400: the request has no `data`.
pub(super) fn no_data() -> ApiError {
    ApiError::invalid_request("the request has no `data`")
}

fn no_json(error: &serde_json::Error) -> ApiError {
    ApiError::invalid_request(format!("the body is no JSON: {error}"))
        .with_data("line", error.line())
        .with_data("column", error.column())
}

fn text(key: &str, value: Option<&RawValue>) -> Result<Option<String>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| ApiError::invalid_request(format!("`{key}` is no string")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &[u8]) -> Value {
        let error = Envelope::parse(body).err().expect("a refusal");
        assert_eq!((error.status().as_u16(), error.message()), (400, "invalid_request"));
        error.data().clone()
    }

    #[test]
    fn broken_json_names_line_and_column() {
        let data = refusal(b"{\"data\":\n  {\"name\": nope}}");
        assert_eq!((&data["line"], &data["column"]), (&2.into(), &13.into()), "{data}");
    }

    #[test]
    fn hostile_bodies_are_refused_and_harm_nothing() {
        let deep = [b"{\"data\":".as_slice(), &b"[".repeat(100_000)].concat();
        for body in [
            &b"\xff"[..],
            b"{\"data\": \"\xff\"}",
            b"",
            b" ",
            b"[]",
            b"1",
            b"{} {}",
            b"{\"data\": []}",
            b"{\"action\": 1}",
            &deep,
        ] {
            refusal(body);
        }
    }

    #[test]
    fn data_that_cannot_be_kept_is_refused_when_it_is_taken() {
        let deep = format!("{{\"data\":{{\"a\":{}{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
        let reserved = r#"{"data":{"a":{"$serde_json::private::RawValue":"1"}}}"#;
        for body in [deep.as_str(), reserved, r#"{"data":null}"#, "{}"] {
            let envelope = Envelope::parse(body.as_bytes()).expect("nobody has looked into it");
            let error = envelope.data().expect_err("refused");
            assert_eq!((error.status().as_u16(), error.message()), (400, "invalid_request"));
        }
        let reserved = r#"{"$serde_json::private::RawValue":"{\"auth_token\":\"t\"}"}"#;
        assert!(Envelope::parse(reserved.as_bytes()).expect("a key that is ignored").auth_token.is_none());
    }

    #[test]
    fn large_numbers_and_the_order_of_keys_survive() {
        let text = r#"{"z":12345678901234567890123,"a":1.10}"#;
        let envelope = Envelope::parse(format!(r#"{{"data":{text}}}"#).as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&envelope.data().unwrap()).unwrap(), text);
    }
}
