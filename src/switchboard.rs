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
//! Leaving is told later than the reply: there the leaving itself is awaited instead of a fence. Of what
//! leaves no trace in the state (a played file, digits, a volume) FreeSWITCH's own words are all there is.
//!
//! Two actions on one conference keep their order: each waits for its turn until the one before has its reply.
//! Looking at what came of it keeps nobody waiting, so what was so in between counts as well.
//!
//! Invariant: nothing is called done because it was asked for, or because FreeSWITCH said `+OK`.

mod command;
mod dial;
mod effect;
mod floor;
mod many;
mod moving;
mod playing;
mod recording;
mod relate;
mod reply;
mod room;
mod sight;
mod target;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;

use crate::hub::Hub;
use crate::model::{ActionResult, ConferenceAction, Outcome, ParticipantAction, Problem, Selection};
use crate::node::{CommandError, Node, conference_word};
use crate::registry::{Conference, Participant, Registry};

pub use dial::{Destination, Dialled, Dials, Reserved};
pub use relate::Related;
pub use reply::{Line, Verdict, read_lines, verdict};

use command::{Named, meaning, named, stopped, words};
use effect::{Effect, LOST, NOT_LEFT, NOT_SO, Sending, effect, is_in, shows};
use sight::Sight;
use target::Target;
use turns::Turns;

/// How long somebody who has just joined may not be found yet: FreeSWITCH tells of him before it links
/// him into its list (conference_member.c).
const JUST_JOINED: Duration = Duration::from_secs(1);
/// How often it is tried again in that time.
const AGAIN: Duration = Duration::from_millis(100);

/// Does actions on the nodes.
pub struct Switchboard {
    registry: Arc<Registry>,
    /// Replaced as a whole when nodes come and go.
    nodes: ArcSwap<BTreeMap<Arc<str>, Node>>,
    hub: Hub,
    /// Kicking plays the profile's sound (`kick`) instead of leaving at once (`hup`).
    kick_sound: bool,
    /// How long the effect of a command may take to be seen.
    effect_within: Duration,
    turns: Turns,
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
        let nodes = ArcSwap::from_pointee(by_name(nodes));
        Self { registry, nodes, hub, kick_sound, effect_within, turns: Turns::default() }
    }

    /// The nodes, by name.
    pub fn nodes(&self) -> Arc<BTreeMap<Arc<str>, Node>> {
        self.nodes.load_full()
    }

    /// These are the nodes from now on. What is being done on another one goes on as long as it is followed.
    pub fn set_nodes(&self, nodes: impl IntoIterator<Item = Node>) {
        self.nodes.store(Arc::new(by_name(nodes)));
    }

    /// Does something to each instance as a whole.
    pub async fn conference(
        &self,
        instances: &[Arc<Conference>],
        action: ConferenceAction,
    ) -> Vec<ActionResult> {
        let action = &action;
        join_all(instances.iter().map(|conference| async move {
            let action = recording::with_file(conference, action);
            let result = self.whole(conference, &action).await;
            let file = recording::file(&action);
            ActionResult { file, ..Self::result(conference, None, result) }
        }))
        .await
    }

    /// Does something to everybody it is for: kicking to all, everything else to all but moderators. With a
    /// selection it is for those who are in it.
    pub async fn participants(
        &self,
        instances: &[Arc<Conference>],
        action: ParticipantAction,
        selection: Option<&Selection>,
    ) -> Vec<ActionResult> {
        let action = &action;
        let all = join_all(instances.iter().map(|conference| async move {
            let results = match selection {
                Some(selection) => self.selected(conference, action, selection).await,
                None if effect(action).is_told_of_all() => self.everybody(conference, action).await,
                None => self.selected(conference, action, &many::all_but_moderators()).await,
            };
            results.unwrap_or_else(|problem| vec![Self::result(conference, None, Err(problem))])
        }));
        all.await.into_iter().flatten().collect()
    }

    /// Whom an action would be for, and what of it would be so already. Nothing is asked of a switch.
    pub fn would_be(
        &self,
        instances: &[Arc<Conference>],
        action: &ParticipantAction,
        selection: Option<&Selection>,
    ) -> Vec<ActionResult> {
        instances.iter().flat_map(|conference| self.would_be_in(conference, action, selection)).collect()
    }

    /// Does something to one participant.
    pub async fn participant(
        &self,
        conference: &Arc<Conference>,
        participant: &Arc<Participant>,
        action: ParticipantAction,
    ) -> ActionResult {
        let result = self.one(conference, participant, &action).await;
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
            other_participant: None,
            node: conference.node.clone(),
            outcome,
            problem,
            file: None,
        }
    }

    /// Where to send what is to be done to the conference, as long as it is known well enough for that.
    fn node(&self, conference: &Conference) -> Result<Node, Problem> {
        let node = self.nodes.load().get(&conference.node).cloned().ok_or(Problem::Unavailable)?;
        if conference.is_stale() { Err(Problem::Stale) } else { Ok(node) }
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

    /// Waits until what FreeSWITCH said before its reply has been seen; then it must be as asked, or have been.
    async fn confirm(
        &self,
        node: &Node,
        conference: &Conference,
        mut as_asked: impl FnMut() -> bool,
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
        action: &ParticipantAction,
    ) -> Result<Outcome, Problem> {
        let node = &self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let turn = self.turns.at(&conference.instance).await;
        let mut sight = Sight::of(&self.hub, conference);
        // Where he arrives may not run yet.
        let everywhere = (effect(action) == Effect::Moves).then(|| self.hub.listen());
        if effect(action) == Effect::Moves {
            // He goes as he is, and not as he was before what has just been done to him.
            node.fence().await.map_err(|_| Problem::Unavailable)?;
        }
        let before = participant.state();
        if self.has_floor_already(node, conference, participant, action).await? {
            return Ok(Outcome::Already);
        }
        let sending = Sending::of(action, std::slice::from_ref(participant));
        let printed = match self.ask(node, name, (conference, participant), action).await {
            Ok(Some(printed)) => printed,
            Ok(None) => {
                sending.was_in_vain();
                return Ok(Outcome::NotFound);
            }
            Err(problem) => return Err(sending.refused(problem)),
        };
        drop(turn);
        match effect(action) {
            Effect::Leaves => {
                self.gone(node, conference, std::slice::from_ref(participant), &mut sight).await;
                if is_in(conference, participant) {
                    return Err(NOT_LEFT);
                }
                // Somebody has sent him to another conference at the same moment: there he is.
                Ok(if sight.went_elsewhere(participant) { Outcome::NotFound } else { Outcome::Done })
            }
            Effect::Becomes(flag, value) => {
                let seen =
                    || shows(conference, participant, flag, value) || sight.was(participant, flag, value);
                self.confirm(node, conference, seen).await?;
                Ok(if before.has(flag) == value { Outcome::Already } else { Outcome::Done })
            }
            Effect::Moves => self.moved(conference, (participant, before), action, everywhere).await,
            Effect::Said => {
                // What it has caused is told before this: whoever reads after the answer finds it.
                let told = node.fence().await;
                told.map_err(|_| {
                    Problem::NotSeen("accepted, but the events that show it did not come in time")
                })?;
                Ok(if stopped(&printed) == Some(0) { Outcome::Already } else { Outcome::Done })
            }
        }
    }

    /// Sends the command of an action; what it printed, or `None` if there is no such member any more.
    async fn ask(
        &self,
        node: &Node,
        name: &str,
        (conference, participant): (&Conference, &Participant),
        action: &ParticipantAction,
    ) -> Result<Option<String>, Problem> {
        // FreeSWITCH looks for the text behind the word in the whole line (conference_api.c, `strstr`).
        if matches!(action, ParticipantAction::Say(_)) && name.contains("saymember") {
            return Err(Problem::Unaddressable);
        }
        let began = tokio::time::Instant::now();
        loop {
            let target = match named(action) {
                Named::Either => Target::of(node, name, participant).await?,
                Named::ByNumber => Target::number_of(node, name, participant).await?,
            };
            let (meant, printed) = match target {
                Some(target) => {
                    let words = words(action, &target, self.kick_word());
                    let printed = send(node, &format!("conference {name} {words}")).await?;
                    (meaning(action, &printed), printed)
                }
                None => (Verdict::NoMember, String::new()),
            };
            match meant {
                Verdict::Accepted => return Ok(Some(printed)),
                Verdict::NoMember if self.may_be_unlinked(conference, participant, began) => {
                    tokio::time::sleep(AGAIN).await;
                }
                Verdict::NoMember | Verdict::NoConference => return Ok(None),
                Verdict::Refused(words) => return Err(Problem::Refused(words)),
            }
        }
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

    fn kick_word(&self) -> &'static str {
        if self.kick_sound { "kick" } else { "hup" }
    }

    /// Waits until all of them have left, or for as long as that may take; then the list is asked once.
    async fn gone(
        &self,
        node: &Node,
        conference: &Conference,
        leaving: &[Arc<Participant>],
        sight: &mut Sight,
    ) {
        let seen = sight.gone(conference, leaving);
        if tokio::time::timeout(self.effect_within, seen).await.is_err()
            && let Err(error) = node.list_conference(&conference.name).await
        {
            tracing::debug!(conference = &*conference.name, "cannot be listed: {error}");
        }
    }
}

fn by_name(nodes: impl IntoIterator<Item = Node>) -> BTreeMap<Arc<str>, Node> {
    nodes.into_iter().map(|node| (node.name().clone(), node)).collect()
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
