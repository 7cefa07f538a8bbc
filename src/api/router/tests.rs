//! The table as the contract has it, without a connection.

use super::*;

struct Nobody;

impl Gate for Nobody {
    type Caller = ();

    async fn admit(&self, _asking: Asking<'_>) -> Result<(), ApiError> {
        Ok(())
    }
}

async fn handler(_context: Arc<Nobody>, _caller: (), _request: Request) -> Result<Response, ApiError> {
    Response::ok("")
}

fn route(method: Method, pattern: &'static str, name: &'static str) -> Route<Nobody> {
    Route::new(method, pattern, name, Access::Read, handler)
}

fn contract() -> Router<Nobody> {
    const ONE: &str = "/v2/accounts/{A}/conferences/{C}";
    Router::new([
        route(Method::GET, "/", "root"),
        route(Method::GET, "/healthz", "healthz"),
        route(Method::PUT, "/v2/api_auth", "api_auth"),
        route(Method::GET, "/v2/schemas/conferences", "schema"),
        route(Method::GET, "/v2/accounts/{A}/conferences", "list"),
        route(Method::PUT, "/v2/accounts/{A}/conferences", "create"),
        route(Method::GET, ONE, "get"),
        route(Method::DELETE, ONE, "delete"),
        route(Method::GET, "/v2/accounts/{A}/conferences/{C}/participants/{P}", "participant"),
        route(Method::GET, "/v2/accounts/{A}/conferences/special", "special"),
    ])
    .unwrap()
}

/// The route's name with its parameters, or what is the matter.
fn find(method: Method, path: &str) -> String {
    match contract().find(&method, path) {
        Found::Route(route, params) => {
            let values: Vec<String> =
                params.0.into_iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("{}{}", route.name, values.concat())
        }
        Found::OtherMethods(allow) => format!("allow {allow}"),
        Found::Nothing => "nothing".into(),
        Found::BadEncoding => "bad encoding".into(),
    }
}

#[test]
fn paths_find_their_route_with_decoded_parameters() {
    assert_eq!(find(Method::GET, "/v2/accounts/a/conferences"), "list A=a");
    assert_eq!(find(Method::GET, "/v2/accounts/a/conferences/"), "list A=a");
    assert_eq!(find(Method::PUT, "/v2/accounts/a/conferences/"), "nothing", "its name may be missing");
    assert_eq!(find(Method::GET, "/v2/accounts/a/conferences/c%2Fd"), "get A=a C=c/d");
    assert_eq!(
        find(Method::GET, "/v2/accounts/a/conferences/c/participants/5%40x"),
        "participant A=a C=c P=5@x"
    );
    assert_eq!(find(Method::GET, "/"), "root");
}

#[test]
fn a_literal_goes_before_a_parameter_and_head_comes_with_get() {
    assert_eq!(find(Method::GET, "/v2/accounts/a/conferences/special"), "special A=a");
    assert_eq!(find(Method::HEAD, "/v2/accounts/a/conferences/c"), "get A=a C=c");
}

#[test]
fn unknown_paths_and_methods_and_bad_encodings_are_told_apart() {
    for path in [
        "/v2",
        "/v2/accounts",
        "/v2/accounts//conferences",
        "/v2/accounts/a/conferences//",
        "//healthz",
        "/HEALTHZ",
        "*",
    ] {
        assert_eq!(find(Method::GET, path), "nothing", "{path}");
    }
    assert_eq!(find(Method::POST, "/v2/accounts/a/conferences"), "allow GET, HEAD, PUT");
    assert_eq!(find(Method::HEAD, "/v2/api_auth"), "allow PUT");
    assert_eq!(find(Method::GET, "/v2/accounts/%zz/conferences"), "bad encoding");
}

#[test]
fn a_table_with_a_mistake_is_refused_when_it_is_made() {
    let mistake = |pattern, name| {
        let routes = [route(Method::GET, "/a/{A}", "one"), route(Method::GET, pattern, name)];
        Router::new(routes).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(mistake("/a/{A}", "two").contains("is there twice"));
    assert!(mistake("/a/{B}", "two").contains("names its parts otherwise"));
    assert!(mistake("/b", "one").contains("the same name"));
    for malformed in ["b", "/b/", "/b//c", "/{}", "/{b", "/x{b}"] {
        assert!(mistake(malformed, "two").contains("malformed"), "{malformed}");
    }
}
