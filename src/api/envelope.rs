//! The JSON around a request's `data`.

use serde_json::{Map, Value};

use super::ApiError;
use crate::config::Secret;

/// `{"data": {...}, "action"?: "...", "auth_token"?: "...", "revision"?: "..."}`; other keys are
/// ignored.
#[derive(Default)]
pub struct Envelope {
    /// The content; absent if the key is missing or null.
    pub data: Option<Map<String, Value>>,
    /// The action at the top level; `data.action` goes before it.
    pub action: Option<String>,
    /// The token, if it is not in a header.
    pub auth_token: Option<Secret>,
    /// The revision that a write is meant for.
    pub revision: Option<String>,
}

impl Envelope {
    /// Parses a body.
    ///
    /// # Errors
    /// 400 `invalid_request`: no JSON (with line and column), no object, or a key of the wrong type.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            ApiError::invalid_request(format!("the body is no JSON: {error}"))
                .with_data("line", error.line())
                .with_data("column", error.column())
        })?;
        let Value::Object(mut fields) = value else {
            return Err(ApiError::invalid_request("the body is no JSON object"));
        };
        let data = match fields.shift_remove("data") {
            None | Some(Value::Null) => None,
            Some(Value::Object(data)) => Some(data),
            Some(_) => return Err(ApiError::invalid_request("`data` is no object")),
        };
        let mut text = |key: &str| match fields.shift_remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::invalid_request(format!("`{key}` is no string"))),
        };
        Ok(Self {
            data,
            action: text("action")?,
            auth_token: text("auth_token")?.map(Secret::new),
            revision: text("revision")?,
        })
    }
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
    fn large_numbers_and_the_order_of_keys_survive() {
        let text = r#"{"z":12345678901234567890123,"a":1.10}"#;
        let envelope = Envelope::parse(format!(r#"{{"data":{text}}}"#).as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&envelope.data).unwrap(), text);
    }
}
