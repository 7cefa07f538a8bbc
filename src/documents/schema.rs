//! The JSON Schema of a conference document.
//!
//! Owns: `conferences.schema.json`, which is data: it is served as it is, documents are validated by
//! it, and the defaults come from it. A new key is added there and nowhere else.

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use serde_json::{Map, Value};

use super::field_errors::{FieldError, FieldErrors};

const TEXT: &str = include_str!("conferences.schema.json");

#[expect(clippy::expect_used, reason = "the text is ours, and a test reads it")]
static SCHEMA: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TEXT).expect("a JSON text"));

#[expect(clippy::expect_used, reason = "the schema is ours, and a test compiles it")]
static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&SCHEMA).expect("a JSON Schema"));

/// The schema, draft 2020-12.
#[must_use]
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// The schema as the text of its file.
#[must_use]
pub fn schema_text() -> &'static str {
    TEXT
}

/// All that the schema finds wrong.
pub(super) fn errors_of(body: &Value) -> FieldErrors {
    errors_in(&VALIDATOR, &SCHEMA, body)
}

/// All that a schema finds wrong, in the contract's form.
pub(crate) fn errors_in(validator: &Validator, schema: &Value, body: &Value) -> FieldErrors {
    let mut errors = FieldErrors::default();
    for error in validator.iter_errors(body) {
        let target = schema.pointer(error.schema_path().as_str());
        let keyword = error.kind().keyword();
        let field = FieldError::new(message(keyword, target, &error)).value(error.instance());
        let field = match target {
            Some(target) => field.target(target.clone()),
            None => field,
        };
        let path = dotted(&error);
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        // What is missing, or too much, is told by its own name and not by that of the object around it.
        match error.kind() {
            ValidationErrorKind::Required { property: Value::String(name) } => {
                errors.add(within(name), keyword, FieldError::new("Field is required but missing"));
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for name in unexpected {
                    errors.add(within(name), keyword, FieldError::new("Field is not known here"));
                }
            }
            _ => errors.add(path, keyword, field),
        }
    }
    errors
}

/// `member.pins.0`.
fn dotted(error: &ValidationError<'_>) -> String {
    let segments = error.instance_path().segments().map(|segment| match segment {
        LocationSegment::Property(name) => name.into_owned(),
        LocationSegment::Index(index) => index.to_string(),
    });
    segments.collect::<Vec<_>>().join(".")
}

fn message(keyword: &str, target: Option<&Value>, error: &ValidationError<'_>) -> String {
    let limit = target.map(Value::to_string).unwrap_or_default();
    match keyword {
        "type" => format!("Value must be of type {}", type_names(target)),
        "minLength" => format!("String must have at least {limit} characters"),
        "maxLength" => format!("String must have at most {limit} characters"),
        "minimum" => format!("Value must be at least {limit}"),
        "pattern" => format!("String must match {limit}"),
        // The validator's own words, which show no value.
        _ => error.masked().to_string(),
    }
}

fn type_names(target: Option<&Value>) -> String {
    match target {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        other => other.and_then(Value::as_str).unwrap_or_default().to_owned(),
    }
}

/// Adds what is missing and has a default, in objects within the document as well.
pub(super) fn fill_defaults(body: &mut Map<String, Value>) {
    fill(&SCHEMA, body);
}

fn fill(schema: &Value, object: &mut Map<String, Value>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (key, property) in properties {
        if let Some(default) = property.get("default") {
            object.entry(key.as_str()).or_insert_with(|| default.clone());
        }
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            fill(property, inner);
        }
    }
}
