//! The demo answers whatever is made up for it out of its own OpenAPI document, and as the document says:
//! schemathesis asks it, in the environment that `tests/run.sh` makes.
//!
//! `CONVENED_TEST_SEED=7` makes other things up, `CONVENED_TEST_EXAMPLES=500` so many for each operation, and all
//! that there is to be tried once.

#[path = "support/rest.rs"]
mod client;
#[allow(dead_code, reason = "a part is used")]
#[path = "rest/process.rs"]
mod process;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use convened::api::resources::openapi;
use tokio::task::spawn_blocking;

use client::Rest;
use process::{Process, output};

const ACCOUNT: &str = "demo";

/// Not asked: a websocket refuses whatever is no upgrade; `tests/rest/websocket.rs` speaks with it.
const NOT_ASKED: &str = "^/(ws)?$";

/// These have hundreds of bodies that are at the edge of what is allowed: a part of them is made up by chance.
const MANY_EDGES: [&str; 3] = ["act_on_conference", "act_on_participants", "act_on_participant"];

/// The demo, where it is, and a token for it.
async fn demo() -> (Process, Rest) {
    let variables = [
        ("CONVENED__MEDIA__RECORDINGS", "/var/lib/freeswitch/recordings"),
        ("CONVENED__MEDIA__SCHEMES", "https"),
    ];
    let demo = Process::start(&["demo", "--listen", "127.0.0.1:0"], &variables);
    let word = |line: String| line.split_whitespace().last().unwrap_or_default().to_owned();
    let address = word(demo.out.until(|line| line.trim_start().starts_with("API ")).await);
    let address =
        address.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/v2")).expect("an address");
    let token = word(demo.out.until(|line| line.trim_start().starts_with("token ")).await);
    let rest = Rest::new(address.parse().expect("an address"), ACCOUNT, Some(&token));
    demo.out.until(|line| line.ends_with(" joins")).await;
    (demo, rest)
}

#[tokio::test]
async fn whatever_is_made_up_is_answered_as_the_document_says() {
    let (demo, rest) = demo().await;
    let url = format!("http://{}", rest.address);
    let folder = tempfile::tempdir().expect("a folder");
    let seed = std::env::var("CONVENED_TEST_SEED").unwrap_or_else(|_| "1".into());
    let examples = std::env::var("CONVENED_TEST_EXAMPLES").ok();
    println!("CONVENED_TEST_SEED={seed}");
    let mut config = std::fs::read_to_string(root().join("tests/clients/openapi.toml")).expect("a text");
    if examples.is_none() {
        config.push_str(&format!(
            "\n[[operations]]\ninclude-operation-id = {MANY_EDGES:?}\nphases.coverage.enabled = false\n"
        ));
    }
    let config_file = folder.path().join("openapi.toml");
    std::fs::write(&config_file, config).expect("written");
    let mut command = Command::new(bin("schemathesis"));
    command.arg("--config-file").arg(config_file).args(["run", &format!("{url}/v2/openapi.json")]);
    command.args(["--exclude-path-regex", NOT_ASKED, "--seed", &seed, "--continue-on-failure"]);
    command.args(["--max-examples", examples.as_deref().unwrap_or("10"), "--warnings", "off"]);
    command.current_dir(folder.path()).env("PYTHONPATH", root().join("tests/clients"));
    command.env("SCHEMATHESIS_HOOKS", "openapi_hooks").env("PYTHONDONTWRITEBYTECODE", "1");
    command
        .env("CONVENED_TEST_URL", &url)
        .env("CONVENED_TEST_ACCOUNT", ACCOUNT)
        .env("CONVENED_TEST_SEED", &seed);
    command.env("CONVENED_TEST_TOKEN", rest.token.as_deref().expect("a token"));
    // Neither a proxy nor a password file of whoever runs the tests.
    command.env("NO_PROXY", "*").env("NETRC", "/dev/null").env("PYTHONUTF8", "1");
    let ended = spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    println!("{said}");
    assert!(ended.status.success(), "the daemon: {:#?}", demo.err.so_far());
    rest.get("conferences").await.ok();
    each_was_done_once(&url).await;
    demo.signal("TERM").await;
    let ended = demo.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.err.contains("\"ERROR\"") && !ended.err.contains("panicked"), "{}", ended.err);
}

/// So many operations may have met refusals only.
const MOST_MISSED: usize = 3;

/// What only ever meets refusals would be answered as the document says, too.
async fn each_was_done_once(url: &str) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--noproxy", "*", &format!("{url}/metrics")]);
    let page = String::from_utf8(output(curl).await.stdout).expect("text");
    let counted = page.lines().filter_map(|line| line.strip_prefix("convened_http_requests_total{route=\""));
    let done: BTreeSet<_> = counted
        .filter(|line| line.contains("status=\"2"))
        .filter_map(|line| {
            let (path, rest) = line.split_once("\",method=\"")?;
            Some(format!("{} {path}", rest.split('"').next()?))
        })
        .collect();
    let mut missing: Vec<_> = openapi()["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("an item").keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .filter(|operation| !done.contains(operation))
        .collect();
    // Websockets; nodes are for superusers; nobody knows a key.
    missing.retain(|operation| {
        !["GET /", "GET /ws", "GET /v2/nodes", "PUT /v2/api_auth"].contains(&operation.as_str())
    });
    // The people of the demo come and go, and what was deleted is not there for the next: of some operations all
    // requests may have come too late.
    assert!(missing.len() <= MOST_MISSED, "{missing:#?}\n{page}");
}

#[tokio::test]
async fn the_document_is_openapi() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, openapi().to_string()).expect("written");
    let mut command = Command::new(bin("openapi-spec-validator"));
    command.args(["--schema", "3.1"]).arg(&file);
    let ended = output(command).await;
    assert!(ended.status.success(), "{ended:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of the environment with the clients.
fn bin(name: &str) -> PathBuf {
    let program = root().join("target/clients/bin").join(name);
    assert!(program.exists(), "{} is missing: `sh tests/run.sh` makes it", program.display());
    program
}
