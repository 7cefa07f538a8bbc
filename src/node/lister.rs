//! Lists: everything after each connect, single conferences where something was odd, and each of them
//! once in a while: what FreeSWITCH changes without telling, or a lost event that nothing followed, shows
//! in no other way.
//!
//! ```text
//! fence ─▶ json_list ─▶ fence ─▶ compare
//!   │                     └ what was told before the list has been applied
//!   └ what is touched by an event from here on is not judged by the list
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::address::{Unaddressable, conference_word};
use super::commands::{CommandError, Reply};
use super::follow::Compare;
use super::handle::Node;
use super::listing::{ListingError, parse_listing};
use super::look::Wanted;
use crate::model::ListedConference;
use crate::registry::{Mark, Reconciled};

/// One conference is not listed more often.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// A list that may have missed somebody who has just joined is taken again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(2_100);
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
    node.shared.compare.send(compare).await.map_err(|_| ListError::Superseded)?;
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
        node.shared.commands.doubt();
    }
}

async fn list_of(node: &Node, name: &str) -> Result<Reconciled, ListError> {
    let taken = take(node, &format!("conference {} json_list compact", conference_word(name)?)).await?;
    let listed = match taken.reply {
        Reply::Printed(printed) if printed.starts_with(b"-ERR Conference ") => none_of(name, &printed)?,
        Reply::Printed(printed) => only_of(name, parse(node, printed).await?)?,
        Reply::TooLarge { length, limit } => return Err(ListError::TooLarge { length, limit }),
        Reply::Replied(headers) => return Err(ListError::Refused(headers.reply_text().into_owned())),
    };
    compare(node, Some(name), (taken.mark, taken.connection), listed, false).await
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
async fn list_everything(node: &Node) -> Result<Reconciled, ListError> {
    let taken = take(node, "conference json_list compact").await?;
    match taken.reply {
        // A conference of that name takes the command for itself (conference_api.c looks for the name first).
        Reply::Printed(printed) if printed.starts_with(b"-ERR Conference command ") => {
            list_one_by_one(node, (taken.mark, taken.connection)).await
        }
        Reply::Printed(printed) => {
            let listed = parse(node, printed).await?;
            compare(node, None, (taken.mark, taken.connection), listed, true).await
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
    let summary = take(node, "conference list summary").await?;
    let Reply::Printed(printed) = summary.reply else { return Err(ListError::Refused(summary.reply.text())) };
    let printed = String::from_utf8_lossy(&printed);
    let mut names: Vec<Arc<str>> = printed.lines().filter_map(summary_name).map(Into::into).collect();
    // What is known and does not run any more is not in the summary: it has to be asked for as well.
    let known = node.registry.conferences();
    names.extend(known.iter().filter(|known| known.node == *node.name()).map(|known| known.name.clone()));
    names.sort_unstable();
    names.dedup();
    let mut all = Reconciled::default();
    for name in &names {
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
    // An empty list of no conference changes nothing; it says that everything is known now.
    compare(node, Some(""), at, Vec::new(), true).await?;
    Ok(all)
}

/// Conferences whose every event was lost are in no audit. Their names are enough: each is listed then.
async fn look_at_unknown(node: &Node) {
    // Without an answer the next round asks again.
    let Ok(Reply::Printed(printed)) = node.api("conference list summary").await else { return };
    let printed = String::from_utf8_lossy(&printed);
    for name in printed.lines().filter_map(summary_name) {
        if !node.registry.conference(name).iter().any(|known| known.node == *node.name()) {
            node.shared.look.at(name);
        }
    }
}

/// The name in a line of `conference list summary`: `+OK Conference NAME (2 members rate: 8000 flags: ...)`.
fn summary_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("+OK Conference ")?;
    let (end, _) = rest.rmatch_indices(" (").find(|(at, _)| {
        let digits = rest[at + 2..].trim_start_matches(|c: char| c.is_ascii_digit());
        digits.len() < rest.len() - at - 2 && digits.starts_with(" member")
    })?;
    Some(&rest[..end])
}

/// The task that lists what has to be listed.
pub(super) struct Lister {
    node: Node,
    /// Conferences to be listed at a later time.
    postponed: BTreeMap<(Instant, Arc<str>), ()>,
    /// When each was listed last; forgotten after a while.
    listed: HashMap<Arc<str>, Instant>,
    /// When the next conference is audited, and those of this round that are still to come, the last one
    /// first.
    audit: Instant,
    round: Vec<Arc<str>>,
    /// How many there were at the beginning of the round.
    in_round: u32,
    /// Everything is not listed before, on behalf of a conference that cannot be listed by itself.
    everything_from: Instant,
    /// There is such a conference.
    everything_wanted: bool,
    chance: StdRng,
}

impl Lister {
    pub(super) fn new(node: Node) -> Self {
        let audit = Instant::now() + node.shared.settings.audit_every;
        let (postponed, listed) = (BTreeMap::new(), HashMap::new());
        let chance = StdRng::seed_from_u64(node.shared.outside.seed());
        let everything_from = Instant::now();
        let everything_wanted = false;
        let round = Vec::new();
        Self {
            node,
            postponed,
            listed,
            audit,
            round,
            in_round: 0,
            everything_from,
            everything_wanted,
            chance,
        }
    }

    pub(super) async fn run(mut self) {
        let node = self.node.clone();
        let mut failures = node.shared.backoff();
        loop {
            let next = self.postponed.keys().next().map(|(at, _)| *at);
            let wanted = tokio::select! {
                // What has its time goes first: it is not kept from it by what is always wanted.
                biased;
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.due(),
                () = tokio::time::sleep_until(self.audit) => self.audit(),
                () = tokio::time::sleep_until(self.everything_from), if self.everything_wanted => {
                    // When there are no events everything is asked for anyway, later.
                    self.everything_wanted = false;
                    Wanted { everything: true, ..Wanted::default() }
                }
                wanted = node.shared.look.wanted() => wanted,
            };
            node.shared.commands.connected().await;
            if node.shared.connection.load(Ordering::Acquire) == 0 {
                // Everything will be asked for when the events are back.
                continue;
            }
            if wanted.everything {
                if self.everything().await {
                    failures.reset();
                } else {
                    tokio::time::sleep(failures.step()).await;
                    node.shared.look.at_everything();
                }
                continue;
            }
            // What cannot be asked for by its name is found by listing everything, but not more often than
            // conferences are audited: one that is about to end is in no list and goes on telling of itself.
            self.everything_wanted |= wanted.misnamed;
            if wanted.unknown {
                look_at_unknown(&node).await;
            }
            for conference in wanted.conferences {
                self.one(conference).await;
            }
        }
    }

    fn due(&mut self) -> Wanted {
        let now = Instant::now();
        let mut wanted = Wanted::default();
        while let Some(first) = self.postponed.first_entry()
            && first.key().0 <= now
        {
            let ((_, conference), ()) = first.remove_entry();
            wanted.conferences.insert(conference);
        }
        wanted
    }

    /// The next conference in the round, and when the one after it is due. A round takes `audit_every`,
    /// however many conferences there are, unless the switch is slower.
    fn audit(&mut self) -> Wanted {
        let begins = self.round.is_empty();
        if begins {
            let (all, node) = (self.node.registry.conferences(), self.node.name());
            let here = all.iter().filter(|known| known.node == *node);
            self.round = here.map(|known| known.name.clone()).collect();
            // Instances of one name stand side by side.
            self.round.dedup();
            self.in_round = u32::try_from(self.round.len()).unwrap_or(u32::MAX);
        }
        let pause = self.node.shared.settings.audit_every / self.in_round.max(1);
        self.audit = Instant::now() + pause.mul_f64(self.chance.random_range(0.5..=1.5));
        Wanted { unknown: begins, conferences: self.round.pop().into_iter().collect(), ..Wanted::default() }
    }

    fn postpone(&mut self, conference: Arc<str>, by: Duration) {
        self.postponed.insert((Instant::now() + by, conference), ());
    }

    async fn everything(&mut self) -> bool {
        let began = Instant::now();
        let name = self.node.name().clone();
        match list_everything(&self.node).await {
            Ok(result) => {
                self.everything_from = Instant::now() + self.node.shared.settings.audit_every;
                self.everything_wanted = false;
                self.postponed.clear();
                for conference in result.unsure {
                    self.postpone(conference, LOOK_AGAIN);
                }
                let known = self.node.registry.conferences();
                let known: Vec<_> = known.iter().filter(|conference| conference.node == name).collect();
                tracing::info!(
                    node = &*name,
                    conferences = known.len(),
                    participants = known.iter().map(|conference| conference.len()).sum::<usize>(),
                    differences = result.repaired,
                    ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "listed"
                );
                true
            }
            Err(ListError::Superseded) => true,
            Err(error) => {
                tracing::warn!(node = &*name, "cannot list the conferences: {error}; trying again");
                false
            }
        }
    }

    async fn one(&mut self, conference: Arc<str>) {
        let now = Instant::now();
        if let Some(before) = self.listed.get(&conference)
            && now.duration_since(*before) < AT_MOST_EVERY
        {
            let by = AT_MOST_EVERY.saturating_sub(now.duration_since(*before));
            self.postpone(conference, by);
            return;
        }
        self.listed.retain(|_, at| now.duration_since(*at) < AT_MOST_EVERY);
        self.listed.insert(conference.clone(), now);
        let node = self.node.name().clone();
        match self.node.list_conference(&conference).await {
            Ok(result) => {
                if result.repaired > 0 {
                    self.node.shared.figures.drifted(result.repaired);
                    tracing::info!(
                        node = &*node,
                        conference = &*conference,
                        differences = result.repaired,
                        what = result.differences.join(", "),
                        "repaired by its list"
                    );
                }
                for unsure in result.unsure {
                    self.postpone(unsure, LOOK_AGAIN);
                }
            }
            Err(ListError::Command(_) | ListError::Superseded) => self.postpone(conference, LOOK_AGAIN),
            Err(ListError::Unaddressable(_)) => self.everything_wanted = true,
            Err(error) => {
                tracing::warn!(node = &*node, conference = &*conference, "cannot be listed: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::summary_name;

    #[test]
    fn a_summary_tells_the_names() {
        for (line, name) in [
            ("+OK Conference alpha (2 members rate: 8000 flags: running|answered)", Some("alpha")),
            ("+OK Conference beta (1 member rate: 8000 locked flags: locked|running)", Some("beta")),
            (
                "+OK Conference eps.with-dash_(1 member (0 members rate: 8000 flags: destruct)",
                Some("eps.with-dash_(1 member"),
            ),
            ("+OK No active conferences.", None),
            ("7;sofia/internal/7000@127.0.0.1;e17cc4ee;Beta 0;7000;hear|speak;0;0;100", None),
        ] {
            assert_eq!(summary_name(line), name, "{line}");
        }
    }
}
