//! Which node, which command, what came of it: actions in, typed results out.
//!
//! ```text
//! state before ─▶ command ─▶ reply ─▶ fence ─▶ state after: done, already
//!                              │         └ not as asked: list the conference once, look again
//!                              └ -ERR, usage, anything not understood: failed
//! ```
//!
//! A stale conference is left alone, whether commands can be sent or not: nobody knows whom they would hit.
//!
//! Leaving is told later than the reply: there the leaving itself is awaited instead of a fence.
//!
//! Invariant: nothing is called done because it was asked for, or because FreeSWITCH said `+OK`.

mod effect;
mod reply;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::broadcast::error::RecvError;

use crate::hub::Hub;
use crate::model::{ActionResult, ConferenceAction, MemberState, Outcome, ParticipantAction, Problem};
use crate::node::{CommandError, Node, conference_word};
use crate::registry::{Conference, Participant, Registry};

pub use reply::{Line, Verdict, read_lines, verdict};

use effect::{LOST, NOT_SO, effect, is_in, shows};
use target::Target;

/// How long somebody who has just joined may not be found yet: FreeSWITCH tells of him before it links
/// him into its list (conference_member.c).
const JUST_JOINED: Duration = Duration::from_secs(1);
/// How often it is tried again in that time.
const AGAIN: Duration = Duration::from_millis(100);

/// Does actions on the nodes.
pub struct Switchboard {
    registry: Arc<Registry>,
    nodes: BTreeMap<Arc<str>, Node>,
    hub: Hub,
    /// Kicking plays the profile's sound (`kick`) instead of leaving at once (`hup`).
    kick_sound: bool,
    /// How long the effect of a command may take to be seen.
    effect_within: Duration,
}

impl Switchboard {
    /// `effect_within` bounds the time between FreeSWITCH's reply and the leaving of who was kicked.
    pub fn new(
        registry: Arc<Registry>,
        nodes: impl IntoIterator<Item = Node>,
        hub: Hub,
        kick_sound: bool,
        effect_within: Duration,
    ) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name().clone(), node)).collect();
        Self { registry, nodes, hub, kick_sound, effect_within }
    }

    /// The nodes, by name.
    pub fn nodes(&self) -> &BTreeMap<Arc<str>, Node> {
        &self.nodes
    }

    /// Locks or unlocks each instance.
    pub async fn conference(
        &self,
        instances: &[Arc<Conference>],
        action: ConferenceAction,
    ) -> Vec<ActionResult> {
        join_all(instances.iter().map(|conference| async move {
            let result = self.lock(conference, action).await;
            Self::result(conference, None, result)
        }))
        .await
    }

    /// Does something to everybody it is for: muting and deafening to all but moderators, kicking to all.
    pub async fn participants(
        &self,
        instances: &[Arc<Conference>],
        action: ParticipantAction,
    ) -> Vec<ActionResult> {
        let all = join_all(instances.iter().map(|conference| async move {
            match self.everybody(conference, action).await {
                Ok(results) => results,
                Err(problem) => vec![Self::result(conference, None, Err(problem))],
            }
        }));
        all.await.into_iter().flatten().collect()
    }

    /// Does something to one participant.
    pub async fn participant(
        &self,
        conference: &Arc<Conference>,
        participant: &Arc<Participant>,
        action: ParticipantAction,
    ) -> ActionResult {
        let result = self.one(conference, participant, action).await;
        Self::result(conference, Some(participant), result)
    }

    fn result(
        conference: &Conference,
        participant: Option<&Participant>,
        result: Result<Outcome, Problem>,
    ) -> ActionResult {
        let (outcome, problem) = match result {
            // What is gone with its node has not been seen to end, and nothing else of it either.
            Ok(Outcome::Done | Outcome::Already | Outcome::NotFound) if conference.is_stale() => {
                (Outcome::Unknown, Some(LOST))
            }
            Ok(outcome) => (outcome, None),
            Err(problem @ Problem::NotSeen(_)) => (Outcome::Unknown, Some(problem)),
            Err(problem) => (Outcome::Failed, Some(problem)),
        };
        ActionResult {
            participant_id: participant.map(|participant| participant.member_id),
            call_id: participant.map(|participant| participant.call_id.clone()),
            node: conference.node.clone(),
            outcome,
            problem,
        }
    }

    /// Where to send what is to be done to the conference, as long as it is known well enough for that.
    fn node(&self, conference: &Conference) -> Result<&Node, Problem> {
        let node = self.nodes.get(&conference.node).ok_or(Problem::Unavailable)?;
        if conference.is_stale() { Err(Problem::Stale) } else { Ok(node) }
    }

    async fn lock(&self, conference: &Conference, action: ConferenceAction) -> Result<Outcome, Problem> {
        let node = self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let wanted = action == ConferenceAction::Lock;
        let before = conference.is_locked();
        if !self.holds_its_name(node, name, conference).await? {
            return Ok(Outcome::NotFound);
        }
        let printed = send(node, &format!("conference {name} {}", action.name())).await?;
        match verdict(&printed) {
            Verdict::Accepted => {}
            Verdict::NoConference | Verdict::NoMember => return Ok(Outcome::NotFound),
            Verdict::Refused(words) => return Err(Problem::Refused(words)),
        }
        self.confirm(node, conference, || conference.is_locked() == wanted || !self.is_running(conference))
            .await?;
        if !self.is_running(conference) {
            return Ok(Outcome::NotFound);
        }
        Ok(if before == wanted { Outcome::Already } else { Outcome::Done })
    }

    /// Whether the name means this conference on the switch, and not a new one: FreeSWITCH lets go of the name
    /// when the last one leaves, before it tells that the conference has ended (mod_conference.c), and the new
    /// one may be somebody else's. Asked only where that can be: nobody is in it, another one has its name, or
    /// events have not told for a while.
    async fn holds_its_name(
        &self,
        node: &Node,
        name: &str,
        conference: &Conference,
    ) -> Result<bool, Problem> {
        let same = self.registry.conference(&conference.name);
        let is_alone = same.iter().filter(|other| other.node == conference.node).count() <= 1;
        if is_alone && !conference.is_empty() && node.status().events_connected {
            return Ok(true);
        }
        let printed = send(node, &format!("conference {name} get uuid")).await?;
        if printed.trim_end() == &*conference.instance {
            return Ok(true);
        }
        node.look_at(name);
        match verdict(&printed) {
            // A usage line, a missing permission: not an instance that could be another one.
            Verdict::Refused(words) if !is_uuid(&words) => Err(Problem::Refused(words)),
            _ => Ok(false),
        }
    }

    fn is_running(&self, conference: &Conference) -> bool {
        self.registry.conference(&conference.name).iter().any(|other| std::ptr::eq(&**other, conference))
    }

    /// Waits until what FreeSWITCH said before its reply has been seen; then it must be as asked.
    async fn confirm(
        &self,
        node: &Node,
        conference: &Conference,
        as_asked: impl Fn() -> bool,
    ) -> Result<(), Problem> {
        node.fence()
            .await
            .map_err(|_| Problem::NotSeen("accepted, but the events that show it did not come in time"))?;
        if as_asked() {
            return Ok(());
        }
        // With several dispatch threads a fence may overtake an event; the list cannot be behind.
        let listed = node.list_conference(&conference.name).await;
        if listed.is_ok() && as_asked() {
            return Ok(());
        }
        Err(NOT_SO)
    }

    async fn one(
        &self,
        conference: &Arc<Conference>,
        participant: &Arc<Participant>,
        action: ParticipantAction,
    ) -> Result<Outcome, Problem> {
        let node = self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let mut leavings = self.hub.listen();
        let before = participant.state();
        let began = tokio::time::Instant::now();
        loop {
            let answer = match Target::of(node, name, participant).await? {
                Some(target) => {
                    let line = format!("conference {name} {} {target}", self.verb(action));
                    verdict(&send(node, &line).await?)
                }
                None => Verdict::NoMember,
            };
            match answer {
                Verdict::Accepted => break,
                Verdict::NoMember if self.may_be_unlinked(conference, participant, began) => {
                    tokio::time::sleep(AGAIN).await;
                }
                Verdict::NoMember | Verdict::NoConference => return Ok(Outcome::NotFound),
                Verdict::Refused(words) => return Err(Problem::Refused(words)),
            }
        }
        let Some((flag, value)) = effect(action) else {
            self.gone(node, conference, std::slice::from_ref(participant), &mut leavings).await;
            return if is_in(conference, participant) {
                Err(Problem::NotSeen("accepted, but the participant has not left yet"))
            } else {
                Ok(Outcome::Done)
            };
        };
        self.confirm(node, conference, || shows(conference, participant, flag, value)).await?;
        Ok(if before.has(flag) == value { Outcome::Already } else { Outcome::Done })
    }

    fn may_be_unlinked(
        &self,
        conference: &Conference,
        participant: &Participant,
        began: tokio::time::Instant,
    ) -> bool {
        let now_ms = crate::model::Moment::now().unix_ms;
        let joined_ago = Duration::from_millis(now_ms.saturating_sub(participant.joined_unix_ms));
        is_in(conference, participant) && joined_ago < 2 * JUST_JOINED && began.elapsed() < JUST_JOINED
    }

    fn verb(&self, action: ParticipantAction) -> &'static str {
        match action {
            ParticipantAction::Kick if !self.kick_sound => "hup",
            action => action.name(),
        }
    }

    async fn everybody(
        &self,
        conference: &Arc<Conference>,
        action: ParticipantAction,
    ) -> Result<Vec<ActionResult>, Problem> {
        let node = self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let mut leavings = self.hub.listen();
        let before: BTreeMap<u32, (Arc<Participant>, MemberState)> =
            conference.participants().into_iter().map(|p| (p.member_id, (p.clone(), p.state()))).collect();
        if !self.holds_its_name(node, name, conference).await? {
            return Ok(vec![Self::result(conference, None, Ok(Outcome::NotFound))]);
        }
        let effect = effect(action);
        let whom = if effect.is_some() { "non_moderator" } else { "all" };
        let printed = send(node, &format!("conference {name} {} {whom}", self.verb(action))).await?;
        let lines = match read_lines(&printed) {
            Ok(lines) => lines,
            Err(Verdict::NoConference) => {
                return Ok(vec![Self::result(conference, None, Ok(Outcome::NotFound))]);
            }
            Err(Verdict::Refused(words)) => return Err(Problem::Refused(words)),
            Err(Verdict::NoMember | Verdict::Accepted) => Vec::new(),
        };
        let touched: Vec<_> = lines.iter().filter_map(Line::done).collect();
        let whom = |member_id: u32| {
            before
                .get(&member_id)
                .map(|(participant, _)| participant.clone())
                .or_else(|| conference.by_member_id(member_id))
        };
        let mut unseen = None;
        match effect {
            Some((flag, value)) => {
                let as_asked = || {
                    let mut known = touched.iter().filter_map(|member_id| whom(*member_id));
                    known.all(|participant| shows(conference, &participant, flag, value))
                };
                unseen = self.confirm(node, conference, as_asked).await.err();
            }
            None => {
                let leaving: Vec<_> = touched.iter().filter_map(|member_id| whom(*member_id)).collect();
                self.gone(node, conference, &leaving, &mut leavings).await;
            }
        }
        let told = |line: &Line| {
            let participant = whom(line.member_id());
            let outcome = match (line, &participant, effect) {
                (Line::Skipped(_), ..) => Ok(Outcome::SkippedModerator),
                (Line::Failed(_, words), ..) => Err(Problem::Refused(words.clone())),
                (Line::Done(_), None, _) => {
                    Err(Problem::NotSeen("accepted, but this participant has not been seen"))
                }
                (Line::Done(id), Some(participant), Some((flag, value))) => {
                    if let Some(unseen) = unseen.as_ref().filter(|unseen| **unseen != NOT_SO) {
                        Err(unseen.clone())
                    } else if !shows(conference, participant, flag, value) {
                        Err(NOT_SO)
                    } else if before.get(id).is_some_and(|(_, state)| state.has(flag) == value) {
                        Ok(Outcome::Already)
                    } else {
                        Ok(Outcome::Done)
                    }
                }
                (Line::Done(_), Some(participant), None) if is_in(conference, participant) => {
                    Err(Problem::NotSeen("accepted, but the participant has not left yet"))
                }
                (Line::Done(_), Some(_), None) => Ok(Outcome::Done),
            };
            let result = Self::result(conference, participant.as_deref(), outcome);
            ActionResult { participant_id: Some(line.member_id()), ..result }
        };
        Ok(lines.iter().map(told).collect())
    }

    /// Waits until all of them have left, or for as long as that may take; then the list is asked once.
    async fn gone(
        &self,
        node: &Node,
        conference: &Conference,
        leaving: &[Arc<Participant>],
        leavings: &mut tokio::sync::broadcast::Receiver<Arc<crate::registry::Change>>,
    ) {
        let all_left = || leaving.iter().all(|participant| !is_in(conference, participant));
        let seen = async {
            while !all_left() {
                if let Err(RecvError::Closed) = leavings.recv().await {
                    return;
                }
            }
        };
        if tokio::time::timeout(self.effect_within, seen).await.is_err()
            && let Err(error) = node.list_conference(&conference.name).await
        {
            tracing::debug!(conference = &*conference.name, "cannot be listed: {error}");
        }
    }
}

/// `Conference-Unique-ID` has this form.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Sends a command; what it printed.
async fn send(node: &Node, line: &str) -> Result<String, Problem> {
    match node.api(line).await {
        Ok(reply) => Ok(reply.text()),
        Err(CommandError::Unavailable) => Err(Problem::Unavailable),
        Err(CommandError::Forbidden(_)) => Err(Problem::Unaddressable),
        Err(CommandError::Timeout) => Err(Problem::NotSeen("the node did not answer in time")),
        Err(CommandError::Interrupted) => {
            Err(Problem::NotSeen("the connection broke before the answer came"))
        }
    }
}
