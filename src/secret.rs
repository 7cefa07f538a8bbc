//! A text that must not be seen: tokens, keys, passwords.
//!
//! Owns: that no `Debug`, log line or error message shows it. It has no `Display` and no `Serialize`
//! on purpose; whoever needs the text says `expose`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use subtle::ConstantTimeEq;

/// A secret text.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides this text from now on.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; only to send it to where it belongs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is any text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// In a time that depends on the lengths only.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Takes a string only. A number would have lost its leading zeros, and serde's own message for a
/// wrong type shows the value, so each type that a configuration can have is refused here by hand.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_string`: asked for a string, some formats turn a number into one.
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl SecretVisitor {
    fn refused<E: Error>() -> Result<Secret, E> {
        Err(E::custom("expected a string: put it in quotes, also if it looks like a number"))
    }
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        Self::refused()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Self::refused()
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Secret, E> {
        Self::refused()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Self::refused()
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Secret, E> {
        Self::refused()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Self::refused()
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Secret, E> {
        Self::refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_its_debug_form() {
        let text = format!("{:?} {:#?}", Secret::new("hunter2"), Some(Secret::new("hunter2")));
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn only_a_string_is_a_secret_and_a_refusal_does_not_show_it() {
        assert_eq!(serde_json::from_str::<Secret>("\"0042\"").expect("a string").expose(), "0042");
        for text in ["424242", "-424242", "4242.42", "true", "null", "[424242]", "{\"424242\": 1}"] {
            let error = serde_json::from_str::<Secret>(text).expect_err(text).to_string();
            assert!(!error.contains("4242"), "{error}");
        }
    }

    #[test]
    fn a_number_in_toml_is_refused_also_by_way_of_the_config_crate() {
        #[derive(Debug, serde::Deserialize)]
        struct Section {
            password: Secret,
        }
        let read = |text: &str| {
            config::Config::builder()
                .add_source(config::File::from_str(text, config::FileFormat::Toml))
                .build()
                .and_then(config::Config::try_deserialize::<Section>)
        };
        assert_eq!(read("password = \"ClueCon\"").expect("a string").password.expose(), "ClueCon");
        let error = read("password = 424242").expect_err("a number").to_string();
        assert!(!error.contains("424242"), "{error}");
    }
}
