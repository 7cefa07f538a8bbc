//! A string that is never shown by accident.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// A password. `Debug` shows only that there is one; there is no `Display` and no `Serialize`.
///
/// `==` is for comparing configurations, not for checking credentials: it does not take constant
/// time.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_string(OnlyText)
    }
}

/// Serde's own message for a wrong type quotes the value, which here would be the password.
struct OnlyText;

impl OnlyText {
    fn refuse<E: Error>() -> Result<Secret, E> {
        Err(E::custom("expected a string: put the password in quotes, also if it looks like a number"))
    }
}

impl Visitor<'_> for OnlyText {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string in quotes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Self::refuse()
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_does_not_show_the_secret() {
        let shown = format!("{:?} {:#?}", Secret::new("ClueCon"), Some(Secret::new("ClueCon")));
        assert!(!shown.contains("ClueCon"), "{shown}");
    }
}
