//! The life of the command connection: made, used to its end, made again.

use std::sync::Arc;

use super::commands::Pipeline;
use super::connection::{Connection, Lost};
use super::figures::Unreadable;
use super::handle::Shared;
use super::report::Report;
use super::version::Version;
use crate::esl::Command;

/// Keeps a command connection for ever.
pub(super) async fn keep_commands(shared: Arc<Shared>, mut pipeline: Pipeline) {
    let mut backoff = shared.backoff();
    // One command after another that nobody answers, while events come: the connection is of no use.
    let stuck_after = 2 * shared.settings.command_timeout();
    let mut died = false;
    loop {
        let before = shared.heard();
        let lost = match open_commands(&shared).await {
            Ok(connection) => {
                shared.command_trouble.clear();
                if died {
                    // The other connection may have died with this one.
                    shared.look.at_unknown();
                }
                pipeline.run(connection, stuck_after, &mut backoff).await
            }
            Err(lost) => {
                if matches!(lost, Lost::Silent { .. }) {
                    // A switch that does not answer the door, and has told nothing meanwhile.
                    shared.fences.missed(before);
                }
                lost
            }
        };
        died = matches!(lost, Lost::Dead(_) | Lost::Stuck(_)) || died && matches!(lost, Lost::Silent { .. });
        tell_trouble(&shared, "command connection", &shared.command_trouble, &lost);
        let wait = if lost.needs_somebody() { backoff.longest() } else { backoff.step() };
        pipeline.pause(wait).await;
    }
}

async fn open_commands(shared: &Shared) -> Result<Connection, Lost> {
    let mut connection = Connection::open(&shared.settings, &*shared.outside).await?;
    let asked = connection.ask(Command::api("version")?);
    let within = shared.settings.connect_timeout();
    let silent = |_| Lost::Silent { during: "asking for the version", after: within };
    let printed = tokio::time::timeout(within, asked).await.map_err(silent)??.text();
    let version = Version::parse(&printed);
    if shared.told().version != version || version.is_none() {
        tell_version(&shared.name, version, &printed);
    }
    shared.told().version = version;
    Ok(connection)
}

fn tell_version(node: &str, version: Option<Version>, printed: &str) {
    match version {
        Some(version) if version < Version::OLDEST => {
            tracing::error!(node, %version, "this FreeSWITCH is too old: {} is the oldest that answers readably", Version::OLDEST);
        }
        Some(version) if version < Version::UUID_SELECTORS => {
            tracing::warn!(node, %version, "members are addressed by number: FreeSWITCH {} and newer know uuid=", Version::UUID_SELECTORS);
        }
        Some(version) => tracing::debug!(node, %version, "FreeSWITCH has told its version"),
        None => {
            tracing::warn!(node, "the version is not known, a new FreeSWITCH is assumed: {}", printed.trim())
        }
    }
}

/// Says why a connection is gone: once, not at every attempt, and not again for the other connection.
pub(super) fn tell_trouble(shared: &Shared, what: &str, report: &Report, lost: &Lost) {
    let (node, address) = (&*shared.name, &*shared.settings.node.address);
    let trouble = lost.to_string();
    if matches!(lost, Lost::Protocol(_)) {
        shared.figures.unreadable(Unreadable::Protocol);
    }
    let said = [&shared.event_trouble, &shared.command_trouble]
        .into_iter()
        .any(|said| said.trouble().as_deref() == Some(&*trouble));
    if !report.is_new(&trouble) || said {
        tracing::debug!(node, address, "{what}: {trouble}");
    } else if lost.needs_somebody() {
        tracing::error!(node, address, "{what}: {trouble}");
    } else {
        tracing::warn!(node, address, "{what}: {trouble}; trying again");
    }
}
