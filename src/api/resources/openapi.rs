//! The OpenAPI 3.1 document of all paths.
//!
//! Owns: `openapi/*.json`, which is data: each operation with what is its own. What holds for many of them is added
//! here, and the schemas of documents and of actions' arguments come from where requests are checked with them.
//!
//! | file | |
//! |---|---|
//! | `head` | about the API; credentials, parameters, headers |
//! | `conferences`, `participants`, `told`, `house` | operations by path |
//! | `schemas` | what is in requests and answers |
//! | `refusals` | by status: the words for it, and what is in `data` |
//!
//! `tests/openapi.rs` compares it with the router.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::actions::{Scope, names, schema};
use crate::documents;

const HEAD: &str = include_str!("openapi/head.json");
const PATHS: [&str; 4] = [
    include_str!("openapi/conferences.json"),
    include_str!("openapi/participants.json"),
    include_str!("openapi/told.json"),
    include_str!("openapi/house.json"),
];
const SCHEMAS: &str = include_str!("openapi/schemas.json");
const REFUSALS: &str = include_str!("openapi/refusals.json");

/// What any request may be refused with. A body is read, and has to be one, wherever it is sent.
const ANY: [&str; 7] = ["400", "406", "408", "413", "415", "500", "503"];
/// What a request may be refused with that takes a token.
const WITH_TOKEN: [&str; 3] = ["401", "403", "429"];
/// What a request may be refused with that names something.
const WITH_NAME: [&str; 1] = ["404"];
/// Headers of every answer.
const HEADERS: [&str; 2] = ["X-Request-ID", "Cache-Control"];
/// The keys of a path that are operations; another one is what these have in common.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

static DOCUMENT: LazyLock<Value> = LazyLock::new(compose);

/// The document.
#[must_use]
pub fn document() -> &'static Value {
    &DOCUMENT
}

#[expect(clippy::expect_used, reason = "the texts are ours, and a test reads them")]
fn parse(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("a JSON object")
}

fn compose() -> Value {
    let mut document = Value::Object(parse(HEAD));
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let mut paths: Map<String, Value> = PATHS.into_iter().flat_map(parse).collect();
    for (path, item) in &mut paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                complete(operation, path.contains('{'));
            }
        }
    }
    document["paths"] = paths.into();
    document["components"]["responses"] = parse(REFUSALS)
        .into_iter()
        .map(|(status, about)| (status.clone(), refusal(&status, &about)))
        .collect();
    document["components"]["schemas"] = schemas().into();
    document
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Adds to an operation what it has in common with others.
fn complete(operation: &mut Value, has_name: bool) {
    let ways = operation["security"].as_array().map_or(&[][..], Vec::as_slice);
    let needs_token = !ways.is_empty() && ways.iter().all(|way| *way != json!({}));
    let refused = ANY.iter().chain(WITH_TOKEN.iter().filter(|_| needs_token));
    let refused = refused.chain(WITH_NAME.iter().filter(|_| has_name));
    let refusals = refused.map(|status| ((*status).to_owned(), reference("responses", status)));
    let mut responses: BTreeMap<String, Value> = refusals.collect();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let mut response = response.clone();
        if response.get("$ref").is_none() {
            add_headers(&mut response);
        }
        responses.insert(status.clone(), response);
    }
    operation["responses"] = responses.into_iter().collect();
    let request_id = reference("parameters", "request_id");
    match operation.get_mut("parameters").and_then(Value::as_array_mut) {
        Some(parameters) => parameters.push(request_id),
        None => operation["parameters"] = json!([request_id]),
    }
}

fn add_headers(response: &mut Value) {
    for name in HEADERS {
        response["headers"][name] = reference("headers", name);
    }
}

/// The answer to what is refused with a status.
fn refusal(status: &str, about: &Value) -> Value {
    let words = json!({ "properties": { "message": { "enum": about["messages"] } } });
    let mut all_of = vec![reference("schemas", "refusal"), words];
    if let Some(data) = about.get("data") {
        all_of.push(json!({ "properties": { "data": data } }));
    }
    let example = json!({
        "data": about["example"],
        "error": status,
        "message": about["messages"][0],
        "status": "error",
        "request_id": "f0e1d2c3",
    });
    let mut response = json!({
        "description": about["description"],
        "content": { "application/json": { "schema": { "allOf": all_of }, "example": example } },
    });
    for name in about["headers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        response["headers"][name] = reference("headers", name);
    }
    add_headers(&mut response);
    response
}

fn schemas() -> Map<String, Value> {
    let mut all = parse(SCHEMAS);
    let document = document_schema();
    for answer in ["conference", "conference_line"] {
        add_keys_of(&document, &mut all[answer]);
    }
    let mut patch = document.clone();
    patch["description"] = "What is to be changed; null removes a key.".into();
    allow_null(&mut patch);
    all.insert("conferences".into(), document);
    all.insert("conferences.patch".into(), patch);
    for scope in Scope::ALL {
        for action in names(scope) {
            if let Some(arguments) = schema(scope, action) {
                all.insert(format!("{}.{action}", scope.name()), arguments.clone());
            }
        }
        all.insert(format!("{}.actions", scope.name()), actions(scope));
    }
    all
}

/// The schema of documents, without what is passed over in a request.
fn document_schema() -> Value {
    let mut schema = documents::schema().clone();
    if let Some(schema) = schema.as_object_mut() {
        // These are for a schema that stands alone.
        schema.shift_remove("$schema");
        schema.shift_remove("$id");
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|_, property| property.get("readOnly").is_none());
    }
    schema
}

/// The keys of a document are in an answer as they were stored.
fn add_keys_of(document: &Value, answer: &mut Value) {
    for (key, _) in document["properties"].as_object().into_iter().flatten() {
        if answer["properties"].get(key).is_none() {
            answer["properties"][key] = reference("schemas", &format!("conferences/properties/{key}"));
        }
    }
}

/// Each key may be null, and has no default: what is not there stays as it is.
fn allow_null(schema: &mut Value) {
    for (_, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        if let Some(property) = property.as_object_mut() {
            property.shift_remove("default");
        }
        let mut types = match property["type"].take() {
            Value::Array(types) => types,
            one => vec![one],
        };
        types.push("null".into());
        property["type"] = types.into();
        if property.get("properties").is_some() {
            allow_null(property);
        }
    }
}

/// A request for an action: its name is in `data`, or else beside it.
fn actions(scope: Scope) -> Value {
    let all = names(scope).filter_map(|action| Some((action, schema(scope, action)?)));
    let (mut within, mut beside) = (Vec::new(), Vec::new());
    for (action, arguments) in all {
        let arguments = Arguments::new(format!("{}.{action}", scope.name()), arguments);
        // An argument that is named `action` has to be in an object of its own then.
        let forms = arguments.forms().filter(|data| data["properties"].get("action").is_none());
        within.extend(forms.map(|mut data| {
            data["title"] = action.into();
            data["properties"]["action"] = json!({ "const": action });
            if let Some(required) = data["required"].as_array_mut() {
                required.push("action".into());
            }
            data
        }));
        beside.extend(arguments.forms().map(|mut data| {
            let is_needed = data.get("anyOf").is_some()
                || data["required"].as_array().is_some_and(|keys| !keys.is_empty());
            if !is_needed {
                data["type"] = json!(["object", "null"]);
            }
            if data["properties"].get("action").is_none() {
                // What is one there goes before it.
                let known: Vec<_> = names(scope).collect();
                data["properties"]["action"] =
                    json!({ "type": ["string", "null"], "not": { "enum": known } });
            }
            let required: &[_] = if is_needed { &["action", "data"] } else { &["action"] };
            let properties = json!({ "action": { "const": action }, "data": data });
            json!({ "title": action, "type": "object", "required": required, "properties": properties })
        }));
    }
    json!({ "oneOf": [
        {
            "title": "The name in data",
            "type": "object",
            "required": ["data"],
            "properties": { "data": { "anyOf": within } },
        },
        { "title": "The name beside data", "anyOf": beside },
    ] })
}

/// The arguments of an action.
struct Arguments {
    /// The name of their schema.
    name: String,
    keys: Vec<&'static str>,
    required: Value,
    /// Whether there has to be one, whichever.
    needs_any: bool,
}

impl Arguments {
    fn new(name: String, schema: &'static Value) -> Self {
        let keys = schema["properties"].as_object().into_iter().flatten();
        Self {
            name,
            keys: keys.map(|(key, _)| key.as_str()).collect(),
            required: schema.get("required").cloned().unwrap_or_else(|| json!([])),
            needs_any: schema.get("minProperties").is_some(),
        }
    }

    /// What `data` may be: with an object of their own in it, or with all of them.
    fn forms(&self) -> impl Iterator<Item = Value> {
        let own = json!({
            "type": "object",
            "required": ["data"],
            "properties": { "data": reference("schemas", &self.name) },
        });
        let mut all = json!({ "type": "object", "required": self.required, "properties": {} });
        for key in &self.keys {
            all["properties"][*key] = reference("schemas", &format!("{}/properties/{key}", self.name));
        }
        if self.needs_any {
            all["anyOf"] = self.keys.iter().map(|key| json!({ "required": [key] })).collect();
        }
        [own, all].into_iter()
    }
}
