//! The OpenAPI document tells of every path and method that there is, and of no other; its examples are what it says
//! they are, and `docs/api.md` is what it says.

#[path = "support/rest.rs"]
mod client;
#[path = "rest/house.rs"]
#[allow(dead_code, reason = "a part is used")]
mod house;
#[path = "openapi/page.rs"]
mod page;
#[path = "openapi/serving.rs"]
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use convened::actions::{Scope, names};
use convened::api::Access;
use convened::api::resources::{openapi, router};
use convened::config::Config;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use client::openapi::{Told, difference};

/// Every operation: method and path, and what is said of it.
fn operations() -> BTreeMap<String, &'static Value> {
    let paths = openapi()["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("an item").iter();
        let operations = item.filter(|(key, _)| *key != "parameters");
        operations.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    all.collect()
}

#[test]
fn the_document_has_every_route_of_the_router_and_no_other() {
    let router = router(&Config::default().metrics).expect("a table");
    let routed: BTreeMap<_, _> =
        router.routes().map(|route| (format!("{} {}", route.method, route.pattern), route)).collect();
    let told = operations();
    assert_eq!(told.keys().collect::<Vec<_>>(), routed.keys().collect::<Vec<_>>());
    for (what, operation) in told {
        let route = routed[&what];
        assert_eq!(operation["operationId"], route.name, "{what}");
        let (needs, is_optional) = match route.access {
            Access::Open => (vec![], true),
            Access::Read => (vec!["read"], false),
            Access::Control => (vec!["control"], false),
            Access::Write => (vec!["write"], false),
            Access::Superuser => (vec!["superuser"], false),
            Access::Watch => (vec!["superuser"], true),
        };
        let ways = operation["security"].as_array().unwrap_or_else(|| panic!("{what}: who may?"));
        assert_eq!(ways.is_empty() || ways.contains(&json!({})), is_optional, "{what}");
        for way in ways.iter().filter(|way| **way != json!({})) {
            let way = way.as_object().unwrap();
            let [(scheme, scopes)] = way.iter().collect::<Vec<_>>()[..] else { panic!("{what}: {way:?}") };
            assert!(openapi()["components"]["securitySchemes"].get(scheme).is_some(), "{what}: {scheme}");
            let scopes: Vec<_> =
                scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
            assert_eq!(scopes.iter().take(needs.len()).copied().collect::<Vec<_>>(), needs, "{what}");
        }
        let answers = operation["responses"].as_object().unwrap();
        let good = answers.iter().filter(|(status, _)| status.starts_with('2'));
        for (status, answer) in good {
            let types: Vec<_> = answer["content"].as_object().unwrap().keys().collect();
            let [kind] = types[..] else { panic!("{what} {status}: {types:?}") };
            assert_eq!(kind.split(';').next(), Some(route.media_types[0]), "{what} {status}");
        }
    }
}

/// Each part of a path that varies is a parameter of it.
#[test]
fn the_parts_of_a_path_are_its_parameters() {
    for (path, item) in openapi()["paths"].as_object().unwrap() {
        let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let told = item["parameters"].as_array().into_iter().flatten().map(resolved);
        let told = told.filter(|parameter| parameter["in"] == "path").map(|it| it["name"].as_str().unwrap());
        assert_eq!(told.collect::<BTreeSet<_>>(), parts.collect(), "{path}");
    }
}

fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(target) => {
            openapi().pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("no {target}"))
        }
        None => value,
    }
}

fn check(what: &str, schema: &Value, example: &Value) {
    let whole = json!({ "allOf": [schema], "components": openapi()["components"] });
    let validator = jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{what}: {error}"));
    let errors: Vec<_> = validator.iter_errors(example).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{example:#}");
}

/// Checks the examples of a body; how many there are.
fn check_content(what: &str, body: &'static Value) -> usize {
    let mut count = 0;
    for (_, content) in body["content"].as_object().into_iter().flatten() {
        let named = content["examples"].as_object().into_iter().flatten();
        let named = named.map(|(name, example)| (name.as_str(), &example["value"]));
        for (name, example) in named.chain(content.get("example").map(|example| ("the example", example))) {
            check(&format!("{what}, {name}"), &content["schema"], example);
            count += 1;
        }
    }
    count
}

#[test]
fn each_example_fits_its_schema_and_each_request_has_one() {
    for (what, operation) in operations() {
        if let Some(body) = operation.get("requestBody") {
            assert!(check_content(&what, body) > 0, "{what} has no example");
        }
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let count = check_content(&format!("{what} {status}"), resolved(answer));
            assert!(status.starts_with(['1', '2', '3']) || count > 0, "{what} {status} has no example");
        }
    }
    for (name, parameter) in openapi()["components"]["parameters"].as_object().unwrap() {
        if let Some(example) = parameter.get("example") {
            check(name, &parameter["schema"], example);
        }
    }
}

#[test]
fn each_action_has_an_example_in_the_document() {
    let requests = [
        (Scope::Conference, "PUT /v2/accounts/{A}/conferences/{C}"),
        (Scope::Participants, "PUT /v2/accounts/{A}/conferences/{C}/participants"),
        (Scope::Participant, "PUT /v2/accounts/{A}/conferences/{C}/participants/{P}"),
    ];
    let operations = operations();
    for (scope, what) in requests {
        let content = &operations[what]["requestBody"]["content"]["application/json"];
        let examples = content["examples"].as_object().unwrap();
        let told: BTreeSet<_> = examples.keys().map(String::as_str).collect();
        assert_eq!(told, names(scope).collect(), "{what}");
        for (name, example) in examples {
            let value = &example["value"];
            let action =
                if value["data"]["action"].is_string() { &value["data"]["action"] } else { &value["action"] };
            assert_eq!(action, name, "{what}");
        }
    }
}

/// The schemas of requests take what is taken, and nothing that is refused whatever the rest is.
#[test]
fn each_form_of_an_action_fits_and_wrong_arguments_do_not() {
    let request = |scope: Scope| {
        let schema = json!({ "$ref": format!("#/components/schemas/{}.actions", scope.name()) });
        let whole = json!({ "allOf": [schema], "components": openapi()["components"] });
        jsonschema::draft202012::new(&whole).expect("a schema")
    };
    let conference = request(Scope::Conference);
    for good in [
        json!({"action": "lock"}),
        json!({"action": "lock", "data": null}),
        json!({"data": {"action": "lock", "ui": 1}}),
        json!({"action": "play", "data": {"media_id": "a.wav"}}),
        json!({"action": "play", "data": {"data": {"media_id": "a.wav"}}}),
        json!({"action": "record", "data": {"action": "start"}}),
        json!({"data": {"action": "set", "max_members": 3}}),
        json!({"action": "play", "data": {"action": "lock"}}),
        json!({"action": "lock", "data": {"action": "nosuch"}}),
    ] {
        assert!(conference.is_valid(&good), "{good}");
    }
    for bad in [
        json!({}),
        json!({"action": "mute"}),
        json!({"action": "play"}),
        json!({"action": "play", "data": null}),
        json!({"data": {"action": "play", "media_id": ""}}),
        json!({"data": {"action": "record", "file": "a"}}),
        json!({"data": {"action": "set"}}),
        json!({"action": "lock", "data": {"action": "play"}}),
        json!({"data": {"action": "play", "data": {"nosuch": 1}}}),
    ] {
        assert!(!conference.is_valid(&bad), "{bad}");
    }
    let participants = request(Scope::Participants);
    assert!(
        participants
            .is_valid(&json!({"data": {"action": "mute", "participants": [1], "filter": {"muted": true}}}))
    );
    assert!(!participants.is_valid(&json!({"data": {"action": "mute", "participants": ["1"]}})));
}

#[test]
fn a_patch_may_have_null_where_a_document_may_not() {
    let whole = |name: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        let whole = json!({ "allOf": [schema], "components": openapi()["components"] });
        jsonschema::draft202012::new(&whole).expect("a schema")
    };
    let (patch, document) = (whole("conferences.patch"), whole("conferences"));
    for null in [json!({"name": null}), json!({"member": {"pins": null}}), json!({"play_entry_tone": null})] {
        assert!(patch.is_valid(&null) && !document.is_valid(&null), "{null}");
    }
    assert!(!patch.is_valid(&json!({"name": 1})));
    let text = openapi()["components"]["schemas"]["conferences.patch"].to_string();
    assert!(!text.contains("\"default\""), "what is not changed stays: {text}");
}

/// What holds answers against the document finds what is wrong with them.
#[test]
fn an_answer_that_the_document_does_not_tell_of_is_found() {
    let headers = |kind: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        headers.insert("x-request-id", "r".parse().unwrap());
        headers.insert("cache-control", "private, no-cache".parse().unwrap());
        headers
    };
    let found = |method: Method, path: &str, status: u16, headers: &HeaderMap, body: &Value| {
        let status = StatusCode::from_u16(status).unwrap();
        difference(&Told { method: &method, path, status, headers, body: Some(body) })
    };
    let json_headers = headers("application/json");
    let alive = json!({"data": {"alive": true}, "status": "success", "request_id": "r"});
    assert_eq!(found(Method::GET, "/healthz", 200, &json_headers, &alive), None);
    let mut more = alive.clone();
    more["data"]["more"] = 1.into();
    let mut dead = alive.clone();
    dead["data"]["alive"] = false.into();
    let mut anonymous = json_headers.clone();
    anonymous.remove("x-request-id");
    for (method, path, status, headers, body) in [
        (Method::GET, "/healthz", 200, &json_headers, &more),
        (Method::GET, "/healthz", 200, &json_headers, &dead),
        (Method::GET, "/healthz", 201, &json_headers, &alive),
        (Method::GET, "/healthz", 304, &json_headers, &alive),
        (Method::GET, "/healthz", 200, &headers("text/html"), &alive),
        (Method::GET, "/healthz", 200, &anonymous, &alive),
        (Method::GET, "/nowhere", 200, &json_headers, &alive),
        (Method::PUT, "/healthz", 200, &json_headers, &alive),
    ] {
        assert!(
            found(method.clone(), path, status, headers, body).is_some(),
            "{method} {path} {status} {body}"
        );
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_api_reference_is_what_the_document_says() {
    let (path, page) = (root().join("docs/api.md"), page::page(openapi()));
    if std::env::var_os("CONVENED_RENEW").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(page.lines()).position(|(kept, made)| kept != made);
    let line = differs.unwrap_or_else(|| kept.lines().count().min(page.lines().count())) + 1;
    assert!(
        kept == page,
        "docs/api.md, line {line}: renew it by CONVENED_RENEW=1 cargo test --test openapi reference"
    );
}
