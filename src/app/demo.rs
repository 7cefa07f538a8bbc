//! `convened demo`: a simulated switch with lively conferences, and the daemon beside it.

mod people;
mod story;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;

use super::Daemon;
use super::run::Signals;
use crate::auth::{AccountId, CredentialKind, Credentials, NewCredential, Scope, Secret};
use crate::cli::{Demo, Failure};
use crate::config::{Config, Listen, Node};
use crate::sim::switch::{Switch, SwitchOptions};
use crate::store::Clock;

/// Whose the conferences of the demo are.
const ACCOUNT: &str = "demo";

/// Runs until SIGINT or SIGTERM, or for as long as was asked; what it stored is gone then.
///
/// # Errors
/// If something cannot be started: a given address that is taken, no place for temporary files.
pub async fn demo(mut config: Config, demo: Demo) -> Result<(), Failure> {
    let mut stopping = Signals::new()?;
    let folder =
        tempfile::tempdir().map_err(|error| anyhow::Error::new(error).context("no temporary folder"))?;
    config.database.url = format!("sqlite://{}", folder.path().join("demo.db").display());
    let switch = Switch::start(SwitchOptions::default())
        .await
        .map_err(|error| anyhow::Error::new(error).context("the simulated switch cannot listen"))?;
    config.node = vec![Node::new("fs1", switch.addr().to_string(), Secret::new("ClueCon"))];
    let daemon = start(&mut config, demo.listen.is_some()).await?;
    let rooms = furnish(&daemon).await?;
    let token = issue_token(&daemon).await?;
    say(&welcome(&daemon, &switch, &rooms, &token));
    let told = tokio::spawn(story::tell(daemon.hub().listen(), rooms.clone()));
    let lively = tokio::spawn(people::come_and_go(switch, rooms, demo.speed));
    tokio::select! {
        _ = stopping.received() => {}
        () = tokio::time::sleep(demo.duration.unwrap_or(Duration::MAX)), if demo.duration.is_some() => {}
    }
    told.abort();
    daemon.stop().await;
    // Not before: the daemon would take it for an outage.
    lively.abort();
    say("The demo is over; nothing is kept.");
    Ok(())
}

/// Prints a line. `println!` would panic when whoever read has gone (`convened demo | head`); the API is
/// there all the same.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Listens where it was told to; if nobody said where and the usual port is taken, on a free one.
async fn start(config: &mut Config, is_given: bool) -> Result<Daemon, Failure> {
    match Daemon::start(config).await {
        Err(Failure::Other(_)) if !is_given => {
            config.api.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()];
            Daemon::start(config).await
        }
        started => started,
    }
}

/// A conference of the demo.
#[derive(Debug, Clone)]
struct Room {
    /// Its name on the switch.
    id: String,
    /// Its name for people.
    title: &'static str,
    /// Whether there is a document.
    has_document: bool,
}

/// Makes two documents; the third conference is an ad-hoc one.
async fn furnish(daemon: &Daemon) -> Result<Vec<Room>, Failure> {
    let mut rooms = Vec::new();
    for (title, number) in [("Stand-up", "7001"), ("Board", "7002")] {
        let document = json!({
            "name": title,
            "conference_numbers": [number],
            "moderator": { "pins": ["4321"] },
            "member": { "join_muted": false, "pins": ["1234"] },
        });
        let made = daemon.context().documents.create(&account()?, document).await;
        let made = made.map_err(|error| anyhow::Error::new(error).context("a document cannot be made"))?;
        rooms.push(Room { id: made.id, title, has_document: true });
    }
    rooms.push(Room { id: "support".into(), title: "support", has_document: false });
    Ok(rooms)
}

fn account() -> Result<AccountId, Failure> {
    ACCOUNT.parse().map_err(|error| anyhow::Error::new(error).into())
}

async fn issue_token(daemon: &Daemon) -> Result<Secret, Failure> {
    let new = NewCredential {
        kind: CredentialKind::Token,
        name: "demo".into(),
        account: Some(account()?),
        scopes: [Scope::Read, Scope::Control, Scope::Write].into_iter().collect(),
        lifetime: None,
    };
    let issued = Credentials::new(daemon.context().store.clone(), Clock::system()).create(new).await;
    Ok(issued.map_err(|error| anyhow::Error::new(error).context("no token can be made"))?.secret)
}

/// What a person needs to begin.
fn welcome(daemon: &Daemon, switch: &Switch, rooms: &[Room], token: &Secret) -> String {
    let (base, option) = match &daemon.places()[0] {
        Listen::Plain(address) => (format!("http://{address}"), String::new()),
        Listen::Tls(address) => (format!("https://{address}"), String::new()),
        Listen::Unix(path) => ("http://localhost".to_owned(), format!(" --unix-socket {}", path.display())),
    };
    let api = format!("{base}/v2/accounts/{ACCOUNT}/conferences");
    let curl = format!("curl -s{option} -H 'X-Auth-Token: {}'", token.expose());
    let (first, last) = (&rooms[0].id, &rooms[rooms.len() - 1].id);
    format!(
        "convened demo: three conferences on a simulated FreeSWITCH at {switch}

  API      {base}/v2
  account  {ACCOUNT}
  token    {token}

Paste one of these into another terminal:

  {curl} {api}
  {curl} {api}/{first}/participants
  {curl} -X PUT -d '{{\"data\": {{\"action\": \"mute\"}}}}' {api}/{first}/participants
  {curl} -X PUT -d '{{\"data\": {{\"action\": \"lock\"}}}}' {api}/{last}
  {curl} -X PUT -d '{{\"data\": {{\"name\": \"My conference\"}}}}' {api}

What happens (Ctrl-C ends it):
",
        switch = switch.addr(),
        token = token.expose(),
    )
}
