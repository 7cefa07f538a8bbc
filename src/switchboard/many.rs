//! Actions on several participants: one command for all where FreeSWITCH has one and tells of each, else one
//! command for each of those selected, all on their way at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::OwnedMutexGuard;

use super::command::words;
use super::effect::{Effect, NOT_LEFT, NOT_SO, Sending, effect, shows};
use super::reply::{Line, Verdict, read_lines};
use super::sight::Sight;
use super::{Switchboard, send};
use crate::model::{ActionResult, Flag, MemberState, Outcome, ParticipantAction, Problem, Selection};
use crate::node::{Node, conference_word};
use crate::registry::{Conference, Participant};

/// Whether FreeSWITCH has said no, or was not asked.
fn is_refusal(reply: &Result<(), Option<Problem>>) -> bool {
    matches!(reply, Err(problem) if !matches!(problem, Some(Problem::NotSeen(_))))
}

/// FreeSWITCH's own rule for everything but kicking.
pub(super) fn all_but_moderators() -> Selection {
    Selection { moderators: Some(false), ..Selection::default() }
}

/// Those who are in a conference now, by their stay: looked at once, however many are asked about.
struct Present(HashMap<u32, MemberState>);

impl Present {
    fn of(conference: &Conference) -> Self {
        Self(conference.participants().iter().map(|who| (who.stay, who.state())).collect())
    }

    fn has(&self, who: &Participant) -> bool {
        self.0.contains_key(&who.stay)
    }

    /// Whether he is so, or has left meanwhile.
    fn shows(&self, who: &Participant, flag: Flag, value: bool) -> bool {
        self.0.get(&who.stay).is_none_or(|state| state.has(flag) == value)
    }
}

impl Switchboard {
    /// Does something to everybody by one command: kicking to all, the rest to all but moderators.
    pub(super) async fn everybody(
        &self,
        conference: &Arc<Conference>,
        action: &ParticipantAction,
    ) -> Result<Vec<ActionResult>, Problem> {
        let node = &self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let turn = self.turns.at(&conference.instance).await;
        let mut sight = Sight::of(&self.hub, conference);
        let before: BTreeMap<u32, (Arc<Participant>, MemberState)> =
            conference.participants().into_iter().map(|p| (p.member_id, (p.clone(), p.state()))).collect();
        if !self.holds_its_name(node, name, conference).await? {
            return Ok(vec![Self::result(conference, None, Ok(Outcome::NotFound))]);
        }
        let effect = effect(action);
        let whom = if effect == Effect::Leaves { "all" } else { "non_moderator" };
        let line = format!("conference {name} {}", words(action, &whom, self.kick_word()));
        let all: Vec<_> = before.values().map(|(who, _)| who.clone()).collect();
        let sending = Sending::of(action, &all);
        let printed = match send(node, &line).await {
            Ok(printed) => printed,
            Err(problem) => return Err(sending.refused(problem)),
        };
        let lines = match read_lines(&printed) {
            Ok(lines) => lines,
            Err(refused) => {
                sending.was_in_vain();
                return match refused {
                    Verdict::Refused(words) => Err(Problem::Refused(words)),
                    _ => Ok(vec![Self::result(conference, None, Ok(Outcome::NotFound))]),
                };
            }
        };
        let told: HashSet<_> = lines.iter().filter_map(Line::done).collect();
        sending.was_in_vain_for(|who| !told.contains(&who.member_id));
        let late = self.not_linked(conference, effect, &before, &lines);
        let late = match late.participants.as_ref().is_some_and(BTreeSet::is_empty) {
            true => {
                drop(turn);
                Vec::new()
            }
            false => self.one_by_one((node, name), conference, action, &late, turn).await,
        };
        let whom: BTreeMap<u32, (Arc<Participant>, Option<MemberState>)> = lines
            .iter()
            .filter_map(|line| {
                let id = line.member_id();
                let known = before.get(&id).map(|(who, state)| (who.clone(), Some(*state)));
                Some((id, known.or_else(|| Some((conference.by_member_id(id)?, None)))?))
            })
            .collect();
        let done = lines.iter().filter_map(Line::done);
        let asked: Vec<_> = done.filter_map(|id| Some(whom.get(&id)?.clone())).collect();
        let mut outcomes = self.look(node, conference, effect, &asked, &mut sight).await.into_iter();
        let results = lines.iter().map(|line| {
            let known = whom.get(&line.member_id()).map(|(who, _)| who.clone());
            let outcome = match (line, &known) {
                (Line::Skipped(_), _) => Ok(Outcome::SkippedModerator),
                (Line::Failed(_, words), _) => Err(Problem::Refused(words.clone())),
                (Line::Done(_), None) => {
                    Err(Problem::NotSeen("accepted, but this participant has not been seen"))
                }
                (Line::Done(_), Some(_)) => outcomes.next().unwrap_or(Err(NOT_SO)),
            };
            let result = Self::result(conference, known.as_deref(), outcome);
            ActionResult { participant_id: Some(line.member_id()), ..result }
        });
        Ok(results.chain(late).collect())
    }

    /// Who has just joined, and was not told of because FreeSWITCH has not linked him into its list yet.
    fn not_linked(
        &self,
        conference: &Conference,
        effect: Effect,
        before: &BTreeMap<u32, (Arc<Participant>, MemberState)>,
        lines: &[Line],
    ) -> Selection {
        let told: HashSet<_> = lines.iter().map(Line::member_id).collect();
        let began = tokio::time::Instant::now();
        let late = before.values().filter(|(who, state)| {
            let is_meant = effect == Effect::Leaves || !state.has(Flag::Moderator);
            is_meant && !told.contains(&who.member_id) && self.may_be_unlinked(conference, who, began)
        });
        let ids = late.map(|(who, _)| who.member_id).collect();
        Selection { participants: Some(ids), ..Selection::default() }
    }

    /// Does something to those selected, by one command for each.
    pub(super) async fn selected(
        &self,
        conference: &Arc<Conference>,
        action: &ParticipantAction,
        selection: &Selection,
    ) -> Result<Vec<ActionResult>, Problem> {
        let node = &self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let turn = self.turns.at(&conference.instance).await;
        Ok(self.one_by_one((node, name), conference, action, selection, turn).await)
    }

    async fn one_by_one(
        &self,
        (node, name): (&Node, &str),
        conference: &Arc<Conference>,
        action: &ParticipantAction,
        selection: &Selection,
        turn: OwnedMutexGuard<()>,
    ) -> Vec<ActionResult> {
        let mut sight = Sight::of(&self.hub, conference);
        let mut chosen = conference.participants();
        chosen.retain(|who| selection.has(who.member_id, who.state()));
        let before: Vec<_> = chosen.iter().map(|who| who.state()).collect();
        let sending = Sending::of(action, &chosen);
        let each = chosen.iter().map(|who| self.tell_one(node, name, (conference, who), action));
        let replies = join_all(each).await;
        drop(turn);
        let refused = chosen.iter().zip(&replies).filter(|(_, reply)| is_refusal(reply));
        let refused: HashSet<_> = refused.map(|(who, _)| who.stay).collect();
        sending.was_in_vain_for(|who| refused.contains(&who.stay));
        let accepted = chosen.iter().zip(&before).zip(&replies).filter(|(_, reply)| reply.is_ok());
        let asked: Vec<_> = accepted.map(|((who, state), _)| (who.clone(), Some(*state))).collect();
        let mut outcomes = self.look(node, conference, effect(action), &asked, &mut sight).await.into_iter();
        let mut results: Vec<_> = chosen
            .iter()
            .zip(replies)
            .map(|(who, reply)| {
                let outcome = match reply {
                    Ok(()) => outcomes.next().unwrap_or(Err(NOT_SO)),
                    Err(None) => Ok(Outcome::NotFound),
                    Err(Some(problem)) => Err(problem),
                };
                Self::result(conference, Some(who), outcome)
            })
            .collect();
        results.extend(missing(conference, selection, &chosen));
        results
    }

    /// One of many commands; `Err(None)` if there is no such member any more.
    async fn tell_one(
        &self,
        node: &Node,
        name: &str,
        (conference, who): (&Conference, &Arc<Participant>),
        action: &ParticipantAction,
    ) -> Result<(), Option<Problem>> {
        match self.ask(node, name, (conference, who), action).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(None),
            Err(problem) => Err(Some(problem)),
        }
    }

    /// What came of it for each of those whom FreeSWITCH says that it did it to, in their order.
    async fn look(
        &self,
        node: &Node,
        conference: &Arc<Conference>,
        effect: Effect,
        asked: &[(Arc<Participant>, Option<MemberState>)],
        sight: &mut Sight,
    ) -> Vec<Result<Outcome, Problem>> {
        let (flag, value) = match effect {
            Effect::Becomes(flag, value) => (flag, value),
            Effect::Said => {
                let seen = self.confirm(node, conference, || true).await;
                return asked.iter().map(|_| seen.clone().map(|()| Outcome::Done)).collect();
            }
            Effect::Leaves | Effect::Moves => {
                let leaving: Vec<_> = asked.iter().map(|(who, _)| who.clone()).collect();
                self.gone(node, conference, &leaving, sight).await;
                let present = Present::of(conference);
                let is_kick = effect == Effect::Leaves;
                let left = |(who, _): &(Arc<Participant>, _)| match present.has(who) {
                    true => Err(NOT_LEFT),
                    // Somebody has sent him to another conference at the same moment: there he is.
                    false if is_kick && sight.went_elsewhere(who) => Ok(Outcome::NotFound),
                    false => Ok(Outcome::Done),
                };
                return asked.iter().map(left).collect();
            }
        };
        let seen = {
            let mut so = |who: &Participant, present: &Present| {
                present.shows(who, flag, value) || sight.was(who, flag, value)
            };
            self.confirm(node, conference, || {
                let present = Present::of(conference);
                asked.iter().all(|(who, _)| so(who, &present))
            })
            .await
        };
        let present = Present::of(conference);
        let each = asked.iter().map(|(who, before)| match &seen {
            Err(unseen) if *unseen != NOT_SO => Err(unseen.clone()),
            _ if !present.shows(who, flag, value) && !sight.was(who, flag, value) => Err(NOT_SO),
            _ if before.is_some_and(|state| state.has(flag) == value) => Ok(Outcome::Already),
            _ => Ok(Outcome::Done),
        });
        each.collect()
    }

    /// Whom an action would be for, and of whom it is so already.
    pub(super) fn would_be_in(
        &self,
        conference: &Arc<Conference>,
        action: &ParticipantAction,
        selection: Option<&Selection>,
    ) -> Vec<ActionResult> {
        if let Err(problem) = self.node(conference) {
            return vec![Self::result(conference, None, Err(problem))];
        }
        let effect = effect(action);
        let mut chosen = conference.participants();
        if let Some(selection) = selection {
            chosen.retain(|who| selection.has(who.member_id, who.state()));
        }
        let spares_moderators = selection.is_none() && effect != Effect::Leaves;
        let each = chosen.iter().map(|who| {
            let outcome = match effect {
                _ if spares_moderators && who.state().has(Flag::Moderator) => Outcome::SkippedModerator,
                Effect::Becomes(flag, value) if shows(conference, who, flag, value) => Outcome::Already,
                _ => Outcome::WouldDo,
            };
            Self::result(conference, Some(who), Ok(outcome))
        });
        let mut results: Vec<_> = each.collect();
        results.extend(selection.iter().flat_map(|selection| missing(conference, selection, &chosen)));
        results
    }
}

/// Who was asked for by number and is not there.
fn missing<'a>(
    conference: &'a Conference,
    selection: &'a Selection,
    chosen: &'a [Arc<Participant>],
) -> impl Iterator<Item = ActionResult> + 'a {
    let known: std::collections::HashSet<u32> =
        conference.participants().iter().map(|who| who.member_id).collect();
    let asked = selection.participants.iter().flatten().copied();
    asked.filter(move |id| !known.contains(id) && !chosen.iter().any(|who| who.member_id == *id)).map(|id| {
        ActionResult {
            participant_id: Some(id),
            ..Switchboard::result(conference, None, Ok(Outcome::NotFound))
        }
    })
}
