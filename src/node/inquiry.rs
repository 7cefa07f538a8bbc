//! Asking FreeSWITCH what there is, and having it compared with what is known.
//!
//! ```text
//! fence ─▶ json_list ─▶ fence ─▶ compare
//!   │                     └ what was told before the list has been applied
//!   └ what is touched by an event from here on is not judged by the list
//! ```
//!
//! What only lists have told of is asked for its tag; only then is everything known.
//!
//! Owns: which list is asked for, and which answer is believed. When is the business of [`super::lister`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

use super::address::{Unaddressable, call_word, listable_word};
use super::commands::{CommandError, Doubt, Reply};
use super::figures::Unreadable;
use super::follow::{Answered, Compare};
use super::handle::Node;
use super::listing::{ListingError, parse_listing};
use super::summary::names_in;
use crate::model::{AccountTag, ListedConference};
use crate::registry::{Conference, Mark, Reconciled};

/// So many channels are asked at once whose conference it is that they are in.
const MOST_QUESTIONS: usize = 32;
/// Lists longer than this are read beside the event loop.
const LONG: usize = 256 << 10;

/// Why a list was not compared with.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It, or a fence around it, did not come.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// It cannot be read.
    #[error(transparent)]
    Listing(#[from] ListingError),
    /// The conference cannot be asked for.
    #[error(transparent)]
    Unaddressable(#[from] Unaddressable),
    /// It is the answer to something else, by what it names.
    #[error("the answer names something else: {0}")]
    Another(String),
    /// FreeSWITCH does not give it.
    #[error("FreeSWITCH gives no list: {0}")]
    Refused(String),
    /// Even one conference is beyond the limit, in octets.
    #[error("the list of one conference has {length} octets, {limit} are allowed (esl.max_response_bytes)")]
    TooLarge {
        /// What it has.
        length: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The event connection was lost meanwhile.
    #[error("the event connection was lost meanwhile")]
    Superseded,
}

/// A list and the moment before it.
struct Taken {
    mark: Mark,
    connection: u64,
    reply: Reply,
}

/// Sends a list command between two fences.
async fn take(node: &Node, line: &str) -> Result<Taken, ListError> {
    let connection = node.shared.connection.load(Ordering::Acquire);
    let mark = node.fence().await?;
    let reply = node.api(line).await?;
    node.fence().await?;
    Ok(Taken { mark, connection, reply })
}

async fn parse(node: &Node, printed: Bytes) -> Result<Vec<ListedConference>, ListError> {
    let parsed = parsed(node, printed).await;
    if matches!(parsed, Err(ListError::Listing(_))) {
        node.shared.figures.unreadable(Unreadable::List);
    }
    parsed
}

async fn parsed(node: &Node, printed: Bytes) -> Result<Vec<ListedConference>, ListError> {
    if printed.len() < LONG || !node.shared.outside.has_threads() {
        return Ok(parse_listing(&printed)?);
    }
    match tokio::task::spawn_blocking(move || parse_listing(&printed)).await {
        Ok(parsed) => Ok(parsed?),
        Err(error) => Err(ListError::Refused(error.to_string())),
    }
}

async fn compare(
    node: &Node,
    conference: Option<&str>,
    (mark, connection): (Mark, u64),
    listed: Vec<ListedConference>,
    completes: bool,
) -> Result<Reconciled, ListError> {
    let (compared, result) = oneshot::channel();
    let compare =
        Compare { conference: conference.map(Into::into), listed, mark, connection, completes, compared };
    node.shared.answers.send(Answered::List(compare)).await.map_err(|_| ListError::Superseded)?;
    result.await.map_err(|_| ListError::Superseded)
}

/// Lists one conference. That there is none of that name is a list too: an empty one.
pub(super) async fn list_conference(node: &Node, name: &str) -> Result<Reconciled, ListError> {
    let listed = list_of(node, name).await;
    if let Err(ListError::Another(_)) = listed {
        verify_answers(node).await;
    }
    listed
}

/// Has the command connection made anew if a question that only one answer fits to gets another one.
async fn verify_answers(node: &Node) {
    let nobody = node.shared.fences.nobody();
    // Without an answer there is nothing to judge by; the pipeline itself sees to that.
    if let Ok(reply) = node.api(&format!("conference {nobody} json_list compact")).await
        && reply.text().trim_end() != format!("-ERR Conference {nobody} not found")
    {
        node.shared.commands.doubt(Doubt::Mixed);
    }
}

async fn list_of(node: &Node, name: &str) -> Result<Reconciled, ListError> {
    let taken = take(node, &format!("conference {} json_list compact", listable_word(name)?)).await?;
    let listed = match taken.reply {
        Reply::Printed(printed) if printed.starts_with(b"-ERR Conference ") => none_of(name, &printed)?,
        Reply::Printed(printed) => only_of(name, parse(node, printed).await?)?,
        Reply::TooLarge { length, limit } => return Err(ListError::TooLarge { length, limit }),
        Reply::Replied(headers) => return Err(ListError::Refused(headers.reply_text().into_owned())),
    };
    let result = compare(node, Some(name), (taken.mark, taken.connection), listed, false).await?;
    ask_whose(node, Some(name)).await;
    Ok(result)
}

/// That a conference does not run is believed only if the answer names it (conference_api.c): anything else
/// is the answer to something else, and would end a conference that goes on.
fn none_of(name: &str, printed: &[u8]) -> Result<Vec<ListedConference>, ListError> {
    let printed = String::from_utf8_lossy(printed);
    match printed.trim_end() == format!("-ERR Conference {name} not found") {
        true => Ok(Vec::new()),
        false => Err(ListError::Another(printed.trim_end().to_owned())),
    }
}

/// Likewise a list must be one of that name.
fn only_of(name: &str, listed: Vec<ListedConference>) -> Result<Vec<ListedConference>, ListError> {
    match listed.iter().find(|conference| conference.name != name) {
        Some(other) => Err(ListError::Another(format!("the list of {}", other.name))),
        None => Ok(listed),
    }
}

/// Lists everything; if that is too long, one conference after another.
pub(super) async fn list_everything(node: &Node) -> Result<Reconciled, ListError> {
    let taken = take(node, "conference json_list compact").await?;
    match taken.reply {
        // A conference of that name takes the command for itself (conference_api.c looks for the name first).
        Reply::Printed(printed) if printed.starts_with(b"-ERR Conference command ") => {
            list_one_by_one(node, (taken.mark, taken.connection)).await
        }
        Reply::Printed(printed) => {
            let (listed, at) = (parse(node, printed).await?, (taken.mark, taken.connection));
            let result = compare(node, None, at, listed, false).await?;
            ask_whose(node, None).await;
            complete(node, at).await?;
            Ok(result)
        }
        Reply::TooLarge { length, limit } => {
            let name = &**node.name();
            tracing::warn!(
                node = name,
                length,
                limit,
                "the list of all conferences is too long: listing them one by one"
            );
            list_one_by_one(node, (taken.mark, taken.connection)).await
        }
        Reply::Replied(headers) => Err(ListError::Refused(headers.reply_text().into_owned())),
    }
}

async fn list_one_by_one(node: &Node, at: (Mark, u64)) -> Result<Reconciled, ListError> {
    let running = summarise(node).await?;
    let mut all = Reconciled::default();
    for name in &running.names {
        match list_conference(node, name).await {
            Ok(one) => {
                all.repaired += one.repaired;
                all.unsure.extend(one.unsure);
            }
            Err(
                error @ (ListError::Unaddressable(_) | ListError::TooLarge { .. } | ListError::Listing(_)),
            ) => {
                tracing::warn!(node = &**node.name(), conference = &**name, "cannot be listed: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    for known in node.registry.conferences() {
        if known.node == *node.name() && !running.names.contains(&known.name) {
            let ended = compare(node, Some(&known.name), running.at, Vec::new(), false).await?;
            all.repaired += ended.repaired;
        }
    }
    complete(node, at).await?;
    Ok(all)
}

/// Everything is known now: an empty list of no conference, which changes nothing else.
async fn complete(node: &Node, at: (Mark, u64)) -> Result<(), ListError> {
    compare(node, Some(""), at, Vec::new(), true).await.map(drop)
}

/// Asks whose the conferences are, or the one of that name, of which lists have told and no event has yet: no list
/// holds the tag of a channel. Until an event tells otherwise only a superuser sees what is nobody's.
async fn ask_whose(node: &Node, name: Option<&str>) {
    let known = match name {
        Some(name) => node.registry.conference(name).to_vec(),
        None => node.registry.conferences_tagged(&AccountTag::Unknown),
    };
    let unknown =
        known.into_iter().filter(|it| it.node == *node.name() && it.account_tag() == AccountTag::Unknown);
    stream::iter(unknown).for_each_concurrent(MOST_QUESTIONS, |it| ask_tag(node, it)).await;
}

async fn ask_tag(node: &Node, conference: Arc<Conference>) {
    let participants = conference.participants();
    let Some(first) = participants.first() else { return };
    let Ok(word) = call_word(&first.call_id) else { return };
    // What an event of that channel would say (mod_commands.c, `eval_function`); its id shows that there is one.
    let Ok(reply) = node.api(&format!("eval uuid:{word} ${{Unique-ID}} ${{PD-account_id}}")).await else {
        return;
    };
    let text = reply.text();
    let Some(account) = text.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')) else {
        tracing::debug!(
            node = &**node.name(),
            conference = &*conference.name,
            "whose it is was not told: {text}"
        );
        return;
    };
    let account = Some(account.trim_end_matches('\n')).filter(|account| !account.is_empty());
    let (instance, call_id) = (conference.instance.clone(), first.call_id.clone());
    let answer = Answered::Tag { instance, call_id: (*call_id).into(), account: account.map(Into::into) };
    // The node is being taken away, then.
    let _ = node.shared.answers.send(answer).await;
}

/// What runs, by name, and the moment before it was asked for.
struct Running {
    names: BTreeSet<Arc<str>>,
    at: (Mark, u64),
}

async fn summarise(node: &Node) -> Result<Running, ListError> {
    let taken = take(node, "conference list summary").await?;
    let Reply::Printed(printed) = taken.reply else { return Err(ListError::Refused(taken.reply.text())) };
    let printed = String::from_utf8_lossy(&printed);
    let Some(names) = names_in(&printed) else {
        let beginning = printed.trim_end().chars().take(120).collect();
        return Err(ListError::Refused(beginning));
    };
    let names = names.into_iter().map(Into::into).collect();
    Ok(Running { names, at: (taken.mark, taken.connection) })
}

/// Conferences whose every event was lost are in no audit. Their names are enough: each is listed then.
///
/// The fences around it show that events still come, too: on a node where nothing happens in no other way.
pub(super) async fn look_at_unknown(node: &Node) {
    match summarise(node).await {
        Ok(running) => {
            for name in running.names {
                if !node.registry.conference(&name).iter().any(|known| known.node == *node.name()) {
                    node.shared.look.at(&name);
                }
            }
        }
        // The next round asks again.
        Err(error @ (ListError::Command(_) | ListError::Superseded)) => {
            tracing::debug!(node = &**node.name(), "no summary of what runs: {error}");
        }
        // A conference called `list` hides it.
        Err(error) => {
            tracing::debug!(node = &**node.name(), "no summary of what runs, everything is listed: {error}");
            node.shared.look.at_misnamed();
        }
    }
}
