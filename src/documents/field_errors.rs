//! What is wrong with which field, as clients of the API read it.
//!
//! Owns: the shape `path -> keyword -> {message, target?, value?, cause?}` and its bounds.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// More fields than this are not told: the answer stays small however wrong the request was.
const MOST_FIELDS: usize = 100;

/// A value with a longer text than this is not sent back.
const LONGEST_VALUE: usize = 1024;

/// All that is wrong with a document. Serializes to the contract's form.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct FieldErrors(BTreeMap<String, BTreeMap<String, FieldError>>);

/// What is wrong with one field in one respect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldError {
    /// A sentence for people.
    pub message: String,
    /// What was expected: the limit, the type, the pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Value>,
    /// What was there instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What it collides with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Value>,
}

impl FieldErrors {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each dotted path with its keywords.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, FieldError>)> {
        self.0.iter().map(|(path, keywords)| (path.as_str(), keywords))
    }

    /// As the `data` of the answer.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let fields = self.0.iter().map(|(path, keywords)| {
            let keywords = keywords.iter().map(|(keyword, error)| (keyword.clone(), error.to_value()));
            (path.clone(), Value::Object(keywords.collect()))
        });
        Value::Object(fields.collect())
    }

    pub(crate) fn add(&mut self, path: impl Into<String>, keyword: &str, error: FieldError) {
        let path = path.into();
        if self.0.len() < MOST_FIELDS || self.0.contains_key(&path) {
            self.0.entry(path).or_default().entry(keyword.to_owned()).or_insert(error);
        }
    }

    /// What is wrong within the field of that name. `data` is the whole of it.
    pub(super) fn add_within(&mut self, field: &str, errors: Self) {
        for (path, keywords) in errors.0 {
            let path = if path == "data" { field.to_owned() } else { format!("{field}.{path}") };
            for (keyword, error) in keywords {
                self.add(path.as_str(), &keyword, error);
            }
        }
    }

    /// One error and nothing else.
    pub(crate) fn one(path: &str, keyword: &str, error: FieldError) -> Self {
        let mut errors = Self::default();
        errors.add(path, keyword, error);
        errors
    }

    /// A number that another document of the account has.
    pub(super) fn number_in_use(number: &str) -> Self {
        Self::one("numbers", "unique", FieldError::new("Numbers already in use").cause(number))
    }

    /// `Err` with these unless nothing is wrong.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (path, keywords) in &self.0 {
            for keyword in keywords.keys() {
                write!(f, "{separator}{path} ({keyword})")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl FieldError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), target: None, value: None, cause: None }
    }

    pub(super) fn target(mut self, target: impl Into<Value>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub(crate) fn value(mut self, value: &Value) -> Self {
        // A container can be as large as the request; its path tells enough.
        let small = match value {
            Value::String(text) => text.len() <= LONGEST_VALUE,
            Value::Number(number) => number.as_str().len() <= LONGEST_VALUE,
            Value::Array(_) | Value::Object(_) => false,
            Value::Null | Value::Bool(_) => true,
        };
        self.value = small.then(|| value.clone());
        self
    }

    pub(super) fn cause(mut self, cause: impl Into<Value>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("message".to_owned(), self.message.clone().into());
        for (key, value) in [("target", &self.target), ("value", &self.value), ("cause", &self.cause)] {
            if let Some(value) = value {
                map.insert(key.to_owned(), value.clone());
            }
        }
        Value::Object(map)
    }
}
