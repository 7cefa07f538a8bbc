//! Clients that were written for Kazoo work with the daemon as they are: kazoo-sdk and pykazoo.
//!
//! `tests/clients` has a story for each of them. They are run with the published packages, in the
//! environment that `tests/run.sh` makes.

#[path = "support/rest.rs"]
mod client;
#[path = "support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "a part is used")]
#[path = "rest/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::Command;

use client::Rest;
use postgres::Postgres;
use process::{ACCOUNT, Site, finished, output};

#[tokio::test]
async fn kazoo_sdk_leads_a_whole_life() {
    let site = Site::new().await;
    lead("kazoo_sdk.py", &site).await;
}

#[tokio::test]
async fn pykazoo_leads_a_whole_life() {
    let site = Site::new().await;
    lead("pykazoo_client.py", &site).await;
}

#[tokio::test]
async fn both_lead_it_on_postgresql_as_well() {
    let server = Postgres::shared().await;
    for story in ["kazoo_sdk.py", "pykazoo_client.py"] {
        let site = Site::new().await;
        site.configure_database(&server.database().await);
        lead(story, &site).await;
    }
}

/// Lets the story happen to a daemon whose database is empty.
async fn lead(story: &str, site: &Site) {
    let key = key(site).await;
    let (daemon, address) = site.serving().await;
    Rest::new(address, ACCOUNT, None).until("/readyz", |answer| answer.status.is_success()).await;
    let mut python = Command::new(python());
    python.arg("-B").arg(root().join("tests/clients").join(story));
    python.env("CONVENED_TEST_URL", format!("http://{address}/v2"));
    python.env("CONVENED_TEST_KEY", key).env("CONVENED_TEST_ACCOUNT", ACCOUNT);
    python.env("CONVENED_TEST_PROGRAM", env!("CARGO_BIN_EXE_convened"));
    python.env("CONVENED_TEST_CONFIG", site.config());
    // Neither a proxy nor a password file of whoever runs the tests.
    python.env("NO_PROXY", "*").env("NETRC", "/dev/null").env("PYTHONUTF8", "1");
    let ended = output(python).await;
    let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(
        ended.status.success(),
        "{story}: {}\n{}\nthe daemon: {:#?}",
        ended.status,
        said.join(""),
        daemon.err.so_far()
    );
}

/// An API key that may do everything in the account.
async fn key(site: &Site) -> String {
    let config = site.config();
    let config = config.to_string_lossy();
    let scopes = "read,control,write";
    let create =
        ["key", "create", "--config", &config, "--account", ACCOUNT, "--scope", scopes, "--name", "clients"];
    let ended = finished(&create).await;
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).expect("text").trim_end().to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter of the environment with the clients.
fn python() -> PathBuf {
    let python = root().join("target/clients/bin/python");
    assert!(python.exists(), "{} is missing: `sh tests/run.sh` makes it", python.display());
    python
}
