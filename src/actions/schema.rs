//! The JSON Schemas of all actions' arguments.
//!
//! Owns: `actions.schema.json`. A new action, or a new argument, is added there first.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::documents::{FieldErrors, errors_in};

const TEXT: &str = include_str!("actions.schema.json");

#[expect(clippy::expect_used, reason = "the text is ours, and a test reads it")]
static SCHEMAS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(TEXT).expect("a JSON object"));

#[expect(clippy::expect_used, reason = "the schemas are ours, and a test compiles them")]
static VALIDATORS: LazyLock<BTreeMap<(&str, &str), Validator>> = LazyLock::new(|| {
    let compile = |schema: &Value| jsonschema::draft202012::new(schema).expect("a JSON Schema");
    let all = SCHEMAS.iter().filter_map(|(scope, actions)| Some((scope, actions.as_object()?)));
    let all =
        all.flat_map(|(scope, actions)| actions.iter().map(move |(name, schema)| (scope, name, schema)));
    all.map(|(scope, name, schema)| ((scope.as_str(), name.as_str()), compile(schema))).collect()
});

/// What an action is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A whole conference.
    Conference,
    /// Several participants.
    Participants,
    /// One participant.
    Participant,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conference, Self::Participants, Self::Participant];

    /// The word for it in the names of schemas.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conference => "conferences",
            Self::Participants => "participants",
            Self::Participant => "participant",
        }
    }
}

/// The names of all actions of a scope, in their order.
pub fn names(scope: Scope) -> impl Iterator<Item = &'static str> {
    let actions = SCHEMAS.get(scope.name()).and_then(Value::as_object);
    actions.into_iter().flatten().map(|(name, _)| name.as_str())
}

/// The schema of an action's arguments, draft 2020-12.
#[must_use]
pub fn schema(scope: Scope, action: &str) -> Option<&'static Value> {
    SCHEMAS.get(scope.name())?.get(action)
}

/// All that the schema finds wrong with arguments; `None` if there is no such action.
pub(super) fn errors_of(scope: Scope, action: &str, args: &Value) -> Option<FieldErrors> {
    let validator = VALIDATORS.get(&(scope.name(), action))?;
    Some(errors_in(validator, schema(scope, action)?, args))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_schema_is_one_and_takes_nothing_that_it_does_not_name() {
        for scope in Scope::ALL {
            assert!(names(scope).count() > 5);
            for name in names(scope) {
                let wrong = serde_json::json!({ "nosuch": 1 });
                assert!(!errors_of(scope, name, &wrong).unwrap().is_empty(), "{scope:?} {name}");
            }
        }
        assert!(errors_of(Scope::Conference, "mute", &Value::Null).is_none());
    }
}
