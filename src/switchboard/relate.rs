//! Who of two does not hear whom.
//!
//! ```text
//! list of relations ─▶ both are still the same calls ─▶ relate ─▶ list of relations: done
//!    └ as asked already: nothing is sent                 └ -ERR, usage: failed
//! ```
//!
//! There is no event of it, and `+OK` says little: `clear` answers it whether there was a relation or not
//! (conference_api.c, `_conference_api_sub_relate_clear_member_relationship`). So the list of relations is asked.

use std::sync::Arc;

use super::reply::{Verdict, verdict};
use super::target::Target;
use super::{AGAIN, Switchboard, send};
use crate::model::{ActionResult, Flag, Outcome, Problem, Relationship};
use crate::node::{Node, conference_word};
use crate::registry::{Conference, Participant};

/// What came of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// With the first participant, and the other's number.
    pub result: ActionResult,
    /// The call of him who is not there any more.
    pub missing: Option<Arc<str>>,
}

/// Two participants of one conference on one node.
type Pair<'a> = [&'a Arc<Participant>; 2];

/// What is said of a pair: whether the first is heard by the other, and hears him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    is_heard: bool,
    hears: bool,
}

/// A number of a member and another, and what is said of them.
type Row = (u32, u32, Kept);

impl Switchboard {
    /// Keeps one participant from hearing another of the same instance, or lets them.
    pub async fn relate(
        &self,
        conference: &Arc<Conference>,
        first: &Arc<Participant>,
        other: &Arc<Participant>,
        relationship: Relationship,
    ) -> Related {
        let mut missing = None;
        let outcome = self.related(conference, [first, other], relationship, &mut missing).await;
        let result = Self::result(conference, Some(first), outcome);
        let missing = missing.filter(|_| result.outcome == Outcome::NotFound);
        Related { result: ActionResult { other_participant: Some(other.member_id), ..result }, missing }
    }

    /// What would come of it. Nothing is asked of a switch, and nobody else knows of relations.
    pub fn would_relate(
        &self,
        conference: &Conference,
        first: &Participant,
        other: &Participant,
    ) -> ActionResult {
        let result = Self::result(conference, Some(first), self.node(conference).map(|_| Outcome::WouldDo));
        ActionResult { other_participant: Some(other.member_id), ..result }
    }

    async fn related(
        &self,
        conference: &Arc<Conference>,
        pair: Pair<'_>,
        relationship: Relationship,
        missing: &mut Option<Arc<str>>,
    ) -> Result<Outcome, Problem> {
        let node = &self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let _turn = self.turns.at(&conference.instance).await;
        let (first, other) = (pair[0].member_id, pair[1].member_id);
        // Asked first, so that nothing comes between the check of the calls and the command.
        let before = kept_of(node, name, first, other).await?;
        *missing = self.missing_of(node, name, conference, pair).await?;
        if missing.is_some() {
            return Ok(Outcome::NotFound);
        }
        if is_so(relationship, before) {
            return Ok(Outcome::Already);
        }
        let line = format!("conference {name} relate {first} {other} {}", word(relationship));
        let printed = send(node, &line).await?;
        match verdict(&printed) {
            Verdict::Accepted => {}
            Verdict::NoConference => return Ok(Outcome::NotFound),
            Verdict::NoMember => return Err(Problem::Refused(printed.trim_end().to_owned())),
            Verdict::Refused(words) => {
                // One of them has just left, or FreeSWITCH does not say why.
                *missing = match is_not_found(&words) {
                    true => self.missing_of(node, name, conference, pair).await?,
                    false => None,
                };
                return if missing.is_some() { Ok(Outcome::NotFound) } else { Err(Problem::Refused(words)) };
            }
        }
        let unseen = |_| Problem::NotSeen("accepted, but FreeSWITCH does not say whether it is so");
        if !is_so(relationship, kept_of(node, name, first, other).await.map_err(unseen)?) {
            return Err(super::NOT_SO);
        }
        // It ends his talking without an event (conference_api.c, the same function): the list tells of that.
        if relationship == Relationship::Mute && pair[0].state().has(Flag::Talking) {
            // What it tells is compared; whether it came makes no difference to what was done.
            let _ = node.list_conference(&conference.name).await;
        }
        Ok(Outcome::Done)
    }

    /// The call of him who is not there, if one of them is not. `relate` reads numbers and nothing else.
    async fn missing_of(
        &self,
        node: &Node,
        name: &str,
        conference: &Conference,
        pair: Pair<'_>,
    ) -> Result<Option<Arc<str>>, Problem> {
        let began = tokio::time::Instant::now();
        'again: loop {
            for who in pair {
                if Target::number_of(node, name, who).await?.is_some() {
                    continue;
                }
                if self.may_be_unlinked(conference, who, began) {
                    tokio::time::sleep(AGAIN).await;
                    continue 'again;
                }
                return Ok(Some(who.call_id.clone()));
            }
            return Ok(None);
        }
    }
}

fn word(relationship: Relationship) -> &'static str {
    match relationship {
        Relationship::Deaf => "nohear",
        Relationship::Mute => "nospeak",
        Relationship::Clear => "clear",
    }
}

fn is_so(relationship: Relationship, kept: Option<Kept>) -> bool {
    let wanted = match relationship {
        Relationship::Deaf => Some(Kept { is_heard: true, hears: false }),
        Relationship::Mute => Some(Kept { is_heard: false, hears: true }),
        Relationship::Clear => None,
    };
    kept == wanted
}

fn is_not_found(words: &str) -> bool {
    words.starts_with("-ERR relationship ") && words.ends_with(" not found.")
}

/// What FreeSWITCH says of a pair.
async fn kept_of(node: &Node, name: &str, first: u32, other: u32) -> Result<Option<Kept>, Problem> {
    let printed = send(node, &format!("conference {name} relate {first}")).await?;
    match rows(&printed) {
        Some(rows) => Ok(rows.iter().find(|row| (row.0, row.1) == (first, other)).map(|row| row.2)),
        // That one of them is not there is found out by asking for his call.
        None if verdict(&printed) == Verdict::NoConference => Ok(None),
        None => Err(Problem::Refused(printed.trim_end().to_owned())),
    }
}

/// The rows of a list of relations; `None` if it is something else. If nobody of the conference has one it says
/// so; if only this member has none it is empty.
fn rows(printed: &str) -> Option<Vec<Row>> {
    match printed.trim_end() {
        "+OK No relationships" | "-ERR no reply" | "" => Some(Vec::new()),
        rows => rows.lines().map(row).collect(),
    }
}

/// row = id " -> " id SP ("SPEAK" / "NOSPEAK") SP ("HEAR" / "NOHEAR") *(SP word)
/// (conference_api.c, `_conference_api_sub_relate_show_member_relationships`)
fn row(line: &str) -> Option<Row> {
    let (first, rest) = line.split_once(" -> ")?;
    let mut words = rest.split_ascii_whitespace();
    let other = words.next()?.parse().ok()?;
    let is_heard = is(words.next()?, ["SPEAK", "NOSPEAK"])?;
    let hears = is(words.next()?, ["HEAR", "NOHEAR"])?;
    Some((first.parse().ok()?, other, Kept { is_heard, hears }))
}

/// Whether it is the first of two words; `None` if it is neither.
fn is(word: &str, [yes, no]: [&str; 2]) -> Option<bool> {
    (word == yes || word == no).then_some(word == yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_relations_is_read_as_freeswitch_writes_it() {
        let (deaf, mute) = (Kept { is_heard: true, hears: false }, Kept { is_heard: false, hears: true });
        for (printed, wanted) in [
            ("+OK No relationships\n", Some(vec![])),
            ("-ERR no reply\n", Some(vec![])),
            ("6 -> 5 SPEAK NOHEAR NOSENDVIDEO \n", Some(vec![(6, 5, deaf)])),
            (
                "6 -> 4 NOSPEAK HEAR NOSENDVIDEO \n6 -> 5 SPEAK NOHEAR NOSENDVIDEO \n",
                Some(vec![(6, 4, mute), (6, 5, deaf)]),
            ),
            ("-ERR Conference daily not found\n", None),
            ("relate <member_id>[,<member_id>]", None),
            ("6 -> 5 WHISPER HEAR\n", None),
            ("6 -> five SPEAK HEAR\n", None),
        ] {
            assert_eq!(rows(printed), wanted, "{printed:?}");
        }
    }

    #[test]
    fn only_exactly_what_was_asked_for_is_so() {
        let kept = |is_heard, hears| Some(Kept { is_heard, hears });
        for (relationship, so) in [
            (Relationship::Deaf, kept(true, false)),
            (Relationship::Mute, kept(false, true)),
            (Relationship::Clear, None),
        ] {
            for other in [None, kept(true, true), kept(true, false), kept(false, true), kept(false, false)] {
                assert_eq!(is_so(relationship, other), other == so, "{relationship:?} {other:?}");
            }
        }
    }
}
