//! Clients that were written for Kazoo work with the daemon as they are: kazoo-sdk and pykazoo.
//!
//! `tests/clients` has a story for each of them. They are run with the published packages, in the
//! environment that `tests/run.sh` makes.

#[path = "support/rest.rs"]
mod client;
#[allow(dead_code, reason = "a part is used")]
#[path = "rest/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use convened::auth::{CredentialKind, Credentials, NewCredential, Scope};
use convened::store::{Clock, SqliteSettings, SqliteStore};

use client::Rest;
use process::{ACCOUNT, PASSWORD, Site, output};

#[tokio::test]
async fn kazoo_sdk_leads_a_whole_life() {
    let site = Site::new().await;
    lead("kazoo_sdk.py", &site, &sqlite(&site)).await;
}

#[tokio::test]
async fn pykazoo_leads_a_whole_life() {
    let site = Site::new().await;
    lead("pykazoo_client.py", &site, &sqlite(&site)).await;
}

fn sqlite(site: &Site) -> String {
    format!("sqlite://{}", site.database().display())
}

/// Lets the story happen to a daemon with that database, which is empty.
async fn lead(story: &str, site: &Site, database: &str) {
    configure(site, database);
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

fn configure(site: &Site, database: &str) {
    let text = format!(
        "[api]\nlisten = \"127.0.0.1:0\"\n[database]\nurl = \"{database}\"\n\
         [[node]]\nname = \"fs1\"\naddress = \"{}\"\npassword = \"{PASSWORD}\"\n",
        site.switch.addr(),
    );
    std::fs::write(site.config(), text).expect("written");
}

/// An API key that may do everything in the account.
async fn key(site: &Site) -> String {
    let store = SqliteStore::open_beside(SqliteSettings::new(site.database())).await.expect("a store");
    let credentials = Credentials::new(Arc::new(store), Clock::system());
    let new = NewCredential {
        kind: CredentialKind::ApiKey,
        name: "clients".into(),
        account: Some(ACCOUNT.parse().expect("an account")),
        scopes: [Scope::Read, Scope::Control, Scope::Write].into_iter().collect(),
        lifetime: None,
    };
    credentials.create(new).await.expect("a key").secret.expose().to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter of the environment with the clients.
fn python() -> PathBuf {
    let python = root().join("target/kazoo-clients/bin/python");
    assert!(python.exists(), "{} is missing: `sh tests/run.sh` makes it", python.display());
    python
}
