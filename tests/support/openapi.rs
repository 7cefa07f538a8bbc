//! Holds answers against the OpenAPI document.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use convened::api::resources::openapi;
use http::{HeaderMap, Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};

/// The document with objects that have no other keys than those it tells of, unless it says so.
static CLOSED: LazyLock<Value> = LazyLock::new(|| {
    let mut document = openapi().clone();
    let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
    // What is sent: documents, arguments. There it is told where no other keys are taken.
    for (_, schema) in schemas.iter_mut().filter(|(name, _)| !name.contains('.') && *name != "conferences") {
        close(schema);
    }
    for (_, item) in document["paths"].as_object_mut().expect("paths") {
        for (_, operation) in item.as_object_mut().expect("an item") {
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            for (_, response) in responses.into_iter().flatten() {
                let content = response.get_mut("content").and_then(Value::as_object_mut);
                for (_, content) in content.into_iter().flatten() {
                    close(&mut content["schema"]);
                }
            }
        }
    }
    document
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// In an `allOf` no part tells of all keys.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".into(), false.into());
    }
    for (_, property) in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        close(property);
    }
    if let Some(items) = object.get_mut("items") {
        close(items);
    }
    for one in object.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        close(one);
    }
}

/// An answer, as far as the document tells of it.
pub struct Told<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    /// None if there is none, as for `HEAD`.
    pub body: Option<&'a Value>,
}

/// The operation that a request is for, and the paths of the document that are there at all.
enum Way {
    Operation(String, &'static Value),
    OtherMethod,
    Nowhere,
}

fn way(method: &Method, path: &str) -> Way {
    let trimmed = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
    let segments: Vec<_> = trimmed.split('/').collect();
    let fits = |pattern: &str| {
        let pattern: Vec<_> = pattern.split('/').collect();
        let fits = |(part, segment): (&&str, &&str)| {
            part == segment || (part.starts_with('{') && !segment.is_empty())
        };
        pattern.len() == segments.len() && pattern.iter().zip(&segments).all(fits)
    };
    let paths = CLOSED["paths"].as_object().expect("paths");
    let found = paths
        .iter()
        .filter(|(pattern, _)| fits(pattern))
        .min_by_key(|(pattern, _)| pattern.matches('{').count());
    let Some((pattern, item)) = found else { return Way::Nowhere };
    let method = if *method == Method::HEAD { "get".into() } else { method.as_str().to_lowercase() };
    match item.get(&method) {
        Some(operation) => Way::Operation(format!("{method} {pattern}"), operation),
        None => Way::OtherMethod,
    }
}

/// What an answer differs in from what the document says.
pub fn difference(told: &Told<'_>) -> Option<String> {
    let status = told.status.as_str();
    let (name, operation) = match way(told.method, told.path) {
        Way::Operation(name, operation) => (name, operation),
        // What is asked for in a wrong way is told before it is looked whether it is there.
        Way::OtherMethod => {
            return (!["204", "400", "405", "429"].contains(&status)).then(|| "no such method".into());
        }
        Way::Nowhere => {
            return (!["400", "404", "429", "503"].contains(&status)).then(|| "no such path".into());
        }
    };
    let Some(mut response) = operation["responses"].get(status) else {
        return Some(format!("{name} answers no {status}"));
    };
    if let Some(target) = response["$ref"].as_str() {
        response = CLOSED.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("no {target}"));
    }
    let wrong_header = response["headers"].as_object().into_iter().flatten().find_map(|(name, header)| {
        let header = CLOSED.pointer(header["$ref"].as_str()?.trim_start_matches('#'))?;
        match told.headers.get(name) {
            None => (header["required"] == true).then(|| format!("there is no header {name}")),
            Some(value) => {
                let text = value.to_str().unwrap_or_default();
                let is_number = header["schema"]["type"] == "integer";
                let value =
                    if is_number { serde_json::from_str(text).unwrap_or_default() } else { json!(text) };
                (!validator(name, &header["schema"]).is_valid(&value))
                    .then(|| format!("header {name}: {text}"))
            }
        }
    });
    if let Some(wrong) = wrong_header {
        return Some(format!("{name} {status}: {wrong}"));
    }
    let body = told.body?;
    let Some(content) = response.get("content").and_then(Value::as_object) else {
        return Some(format!("{name} {status} has no body"));
    };
    let kind = told.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Some(content) = content.get(kind) else { return Some(format!("{name} {status} is not {kind}")) };
    let validator = validator(&format!("{name} {status}"), &content["schema"]);
    let errors: Vec<_> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    (!errors.is_empty()).then(|| format!("{name} {status}: {errors:#?}"))
}

fn validator(name: &str, schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let whole =
            json!({ "allOf": [schema], "components": { "schemas": CLOSED["components"]["schemas"] } });
        Arc::new(jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    Arc::clone(validators.entry(name.to_owned()).or_insert_with(make))
}
