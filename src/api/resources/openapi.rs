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
/// The keys of an operation's path that are no operations.
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
        let mut requests = Vec::new();
        for action in names(scope) {
            let Some(arguments) = schema(scope, action) else { continue };
            let name = format!("{}.{action}", scope.name());
            requests.push(requests_for(action, &name, arguments));
            all.insert(name, arguments.clone());
        }
        all.insert(format!("{}.actions", scope.name()), json!({ "anyOf": requests }));
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

/// The forms of a request for an action: its name in `data` or beside it; its arguments in `data` or in an object of
/// their own there.
fn requests_for(action: &str, name: &str, arguments: &Value) -> Value {
    let keys = arguments["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let keys: Vec<&str> = keys.collect();
    let needed: Vec<&str> =
        arguments["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut beside = Map::new();
    for key in &keys {
        beside.insert((*key).into(), reference("schemas", &format!("{name}/properties/{key}")));
    }
    let any_of = arguments
        .get("minProperties")
        .map(|_| keys.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>());
    let data = |within: bool, own: bool| {
        let mut properties = if own { Map::new() } else { beside.clone() };
        let mut required = if own { vec!["data"] } else { needed.clone() };
        if own {
            properties.insert("data".into(), reference("schemas", name));
        }
        if within {
            properties.insert("action".into(), json!({ "const": action }));
            required.push("action");
        }
        let mut data = json!({ "type": "object", "required": required, "properties": properties });
        if let Some(any_of) = any_of.as_ref().filter(|_| !own) {
            data["anyOf"] = json!(any_of);
        }
        data
    };
    let mut forms = vec![json!({
        "type": "object", "required": ["data"], "properties": { "data": data(true, true) },
    })];
    // An argument of that name has to be in an object of its own.
    if !keys.contains(&"action") {
        forms.push(json!({
            "type": "object", "required": ["data"], "properties": { "data": data(true, false) },
        }));
    }
    for own in [true, false] {
        let mut data = data(false, own);
        let mut required = vec!["action"];
        if own || !needed.is_empty() || any_of.is_some() {
            required.push("data");
        } else {
            data["type"] = json!(["object", "null"]);
        }
        forms.push(json!({
            "type": "object", "required": required, "properties": { "action": { "const": action }, "data": data },
        }));
    }
    let mut request = json!({ "title": action });
    if let Some(description) = arguments.get("description") {
        request["description"] = description.clone();
    }
    request["anyOf"] = forms.into();
    request
}
